//! Asks the host to verify signatures, and says what it answered.
//!
//! The body of a request holds any number of arguments of the foreign function `verify_signature`,
//! each after its length in four bytes, the highest first. The answer has a letter for each: `g`
//! good, `b` bad, `e` if the function failed.

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(Asking));
}}

struct Asking;

impl Context for Asking {}

impl HttpContext for Asking {
    fn on_http_request_headers(&mut self, _: usize, ends: bool) -> Action {
        if ends { Action::Continue } else { Action::Pause }
    }

    fn on_http_request_body(&mut self, size: usize, ends: bool) -> Action {
        if ends {
            let body = self.get_http_request_body(0, size).unwrap_or_default();
            self.send_http_response(200, Vec::new(), Some(answers(&body).as_bytes()));
        }
        Action::Pause
    }
}

fn answers(mut body: &[u8]) -> String {
    let mut out = String::new();
    while let Some((length, rest)) = body.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some((arguments, rest)) = rest.split_at_checked(length) else {
            break;
        };
        body = rest;
        out.push(
            match hostcalls::call_foreign_function("verify_signature", Some(arguments)) {
                Ok(Some(answer)) if answer == [0x08, 0x01] => 'g',
                Ok(_) => 'b',
                Err(_) => 'e',
            },
        );
    }
    out
}
