//! Tokens are in order, do not overlap and end; strings can be unquoted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use promfence::promql::lex::{Kind, Lexer, unquote};

fuzz_target!(|text: &str| {
    let mut lexer = Lexer::new(text);
    let mut last = 0;
    while let Ok(token) = lexer.next_token() {
        assert!(last <= token.start && token.start <= token.end);
        last = token.end;
        match token.kind {
            Kind::End => {
                assert_eq!(token.end, text.len());
                break;
            }
            Kind::Text => drop(unquote(&text[token.start..token.end])),
            _ => assert!(token.start < token.end),
        }
    }
});
