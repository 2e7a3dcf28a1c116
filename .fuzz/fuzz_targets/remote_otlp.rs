//! A body that passes a policy is still inside it: applying the policy again changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use promfence::config::error::Problems;
use promfence::remote::{Body, BodyPolicy, Protocol};
use promfence::scope::{Enforced, Scope};
use promfence::tenant::{LabelName, TenantId};

fn policy(json: &str, label: &LabelName) -> BodyPolicy {
    let config = serde_json::from_str(json).expect("a policy");
    BodyPolicy::compile(&config, label, &|_| None, "write", &mut Problems::default())
        .expect("a policy that compiles")
}

fuzz_target!(|bytes: &[u8]| {
    let label = LabelName::parse("t").expect("a label");
    let tenant = TenantId::parse("a").expect("a tenant");
    let scope = Scope::new(vec![
        Enforced::values(label.clone(), ["a"]).expect("a matcher"),
    ]);
    let encoded = if Protocol::Otlp == Protocol::Otlp {
        bytes.to_vec()
    } else {
        snap::raw::Encoder::new()
            .compress_vec(bytes)
            .expect("a block")
    };
    let rules = r#""labels":[{"pattern":"u.*","action":"drop"},{"name":"h","action":{"hash":{"key":"0123456789abcdef"}},"tenants":["none"]}]"#;
    for (change, check) in [("overwrite", "verify"), ("drop", "reject")] {
        let change = policy(&format!(r#"{{"series_label":"{change}",{rules}}}"#), &label);
        let check = policy(&format!(r#"{{"series_label":"{check}",{rules}}}"#), &label);
        let Ok(outcome) = change.apply(Protocol::Otlp, &encoded, &scope, &tenant) else {
            continue;
        };
        let sent = match outcome.body {
            Body::Unchanged => encoded.clone(),
            Body::Changed(new) => new,
        };
        let again = check.apply(Protocol::Otlp, &sent, &scope, &tenant);
        let again = again.expect("what was written anew passes the check");
        assert_eq!(again.body, Body::Unchanged);
        assert_eq!(again.counts, outcome.counts);
    }
});
