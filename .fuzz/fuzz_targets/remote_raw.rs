//! Bytes as a client sends them, compressed framing and all: nothing panics, nothing is large.
#![no_main]

use libfuzzer_sys::fuzz_target;
use promfence::config::error::Problems;
use promfence::remote::{BodyPolicy, Protocol, read};
use promfence::scope::{Enforced, Scope};
use promfence::tenant::{LabelName, TenantId};

fuzz_target!(|bytes: &[u8]| {
    let label = LabelName::parse("t").expect("a label");
    let tenant = TenantId::parse("a").expect("a tenant");
    let scope = Scope::new(vec![
        Enforced::values(label.clone(), ["a"]).expect("a matcher"),
    ]);
    let config = serde_json::from_str(r#"{"series_label":"overwrite"}"#).expect("a policy");
    let policy = BodyPolicy::compile(
        &config,
        &label,
        &|_| None,
        "write",
        &mut Problems::default(),
    )
    .expect("a policy that compiles");
    for protocol in [
        Protocol::WriteV1,
        Protocol::WriteV2,
        Protocol::Otlp,
        Protocol::OtlpGzip,
    ] {
        let _ = policy.apply(protocol, bytes, &scope, &tenant);
    }
    let _ = read::verify_samples(bytes, &scope, 1 << 20);
    let _ = read::verify_chunks(bytes, &scope);
});
