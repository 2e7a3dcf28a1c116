//! A confined read request is confined again without an error, whatever the caller asked for.
use promfence::remote::read::confine;
use promfence::scope::{Enforced, OnConflict, Scope};
use promfence::tenant::LabelName;

/// One run.
pub fn fuzz(bytes: &[u8]) {
    let label = LabelName::parse("t").expect("a label");
    let scope = Scope::new(vec![Enforced::values(label, ["a"]).expect("a matcher")]);
    let body = snap::raw::Encoder::new()
        .compress_vec(bytes)
        .expect("a block");
    for policy in [
        OnConflict::Intersect,
        OnConflict::Replace,
        OnConflict::Reject,
    ] {
        if let Ok(confined) = confine(&body, &scope, policy, 1 << 20) {
            let again = confine(&confined, &scope, OnConflict::Replace, 1 << 21);
            assert!(again.is_ok());
        }
    }
}
