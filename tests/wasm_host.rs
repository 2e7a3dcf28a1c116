//! The built module (`target/promfence.wasm`, from `scripts/build`) in a small host that behaves
//! like Envoy. What counts is the state afterwards: what the upstream got, what the client got,
//! which counters rose. A trap, or anything that no module may do, fails a test.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that panics has failed, which is what it is for"
)]

#[path = "exchange/body.rs"]
mod body;
#[path = "exchange/case.rs"]
mod case;
#[path = "exchange/judge.rs"]
mod judge;
#[path = "exchange/mint.rs"]
mod mint;

#[path = "wasm_host/abi.rs"]
mod abi;
#[path = "wasm_host/calls.rs"]
mod calls;
#[path = "wasm_host/filter.rs"]
mod filter;
#[path = "wasm_host/maps.rs"]
mod maps;
#[path = "wasm_host/run.rs"]
mod run;
#[path = "wasm_host/signature.rs"]
mod signature;
#[path = "wasm_host/state.rs"]
mod state;
#[path = "wasm_host/stream.rs"]
mod stream;
#[path = "wasm_host/vm.rs"]
mod vm;
#[path = "wasm_host/wasi.rs"]
mod wasi;

#[path = "wasm_host/bodies.rs"]
mod bodies;
#[path = "wasm_host/cases.rs"]
mod cases;
#[path = "wasm_host/hostile.rs"]
mod hostile;
#[path = "wasm_host/identity.rs"]
mod identity;
#[path = "wasm_host/isolation.rs"]
mod isolation;
#[path = "wasm_host/itself.rs"]
mod itself;
#[path = "wasm_host/keys.rs"]
mod keys;
#[path = "wasm_host/lifecycle.rs"]
mod lifecycle;
#[path = "wasm_host/module.rs"]
mod module;
#[path = "wasm_host/time.rs"]
mod time;
#[path = "wasm_host/worst.rs"]
mod worst;
