//! Envoy's side: reads bytes, hands them to the core, applies what it says. It decides nothing.

mod crypto;
mod io;
mod meter;
mod root;
mod shared;
mod stream;

use proxy_wasm::traits::RootContext;
use proxy_wasm::types::LogLevel;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(root::Root::default()) });
}}
