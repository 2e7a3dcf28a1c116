//! The cases of `exchange/cases/` against the core, natively. `wasm_host.rs` runs them in the
//! built module.

#![expect(
    clippy::unwrap_used,
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
#[path = "exchange/native.rs"]
mod native;

use case::Ledger;
use native::Native;

/// Sizes of the pieces that bodies come in.
const PIECES: [usize; 3] = [usize::MAX, 1, 7];

#[test]
fn every_case_holds_natively_whatever_the_pieces() {
    let mut ledger = Ledger::default();
    for (name, file) in case::files() {
        for piece in PIECES {
            let mut native = Native::new(&name, &file.configuration());
            for case in &file.cases {
                ledger.enter(&format!("{name}, pieces of {piece}"), || {
                    case.judge(&native.run(case, piece));
                    assert_eq!(native.held(), 0, "{}: bytes stay held", case.name);
                });
            }
        }
    }
    ledger.close(40 * PIECES.len());
}
