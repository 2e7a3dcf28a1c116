//! A written body that passes a policy is still inside it: applying the policy again changes nothing.

use promfence::config::error::Problems;
use promfence::remote::{Body, BodyPolicy, Protocol};
use promfence::scope::{Enforced, Scope};
use promfence::tenant::{LabelName, TenantId};

const RULES: &str = r#""labels": [{"pattern": "u.*", "action": "drop"},
  {"name": "h", "action": {"hash": {"key": "0123456789abcdef"}}, "tenants": ["none"]}]"#;

/// Policies that change a body, each with the one that the changed body must pass untouched.
struct Pairs {
    pairs: Vec<(BodyPolicy, BodyPolicy)>,
    scope: Scope,
    tenant: TenantId,
}

thread_local! {
    static PAIRS: Pairs = Pairs::new();
}

impl Pairs {
    fn new() -> Self {
        let label = LabelName::parse("t").unwrap();
        let policy = |series_label: &str| {
            let json = format!(r#"{{"series_label": "{series_label}", {RULES}}}"#);
            let config = serde_json::from_str(&json).unwrap();
            BodyPolicy::compile(
                &config,
                &label,
                &|_| None,
                "write",
                &mut Problems::default(),
            )
            .unwrap()
        };
        Self {
            pairs: vec![
                (policy("overwrite"), policy("verify")),
                (policy("drop"), policy("reject")),
            ],
            scope: Scope::new(vec![Enforced::values(label.clone(), ["a"]).unwrap()]),
            tenant: TenantId::parse("a").unwrap(),
        }
    }

    fn hold(&self, protocol: Protocol, sent: &[u8]) {
        for (change, check) in &self.pairs {
            let Ok(outcome) = change.apply(protocol, sent, &self.scope, &self.tenant) else {
                continue;
            };
            let sent = match outcome.body {
                Body::Unchanged => sent.to_vec(),
                Body::Changed(new) => new,
            };
            let again = check.apply(protocol, &sent, &self.scope, &self.tenant);
            let again = again.expect("what was written anew passes the check");
            assert_eq!(again.body, Body::Unchanged);
            assert_eq!(again.counts, outcome.counts);
        }
    }
}

/// Remote-write 1.0: the message, uncompressed.
pub fn write1(message: &[u8]) {
    PAIRS.with(|p| p.hold(Protocol::WriteV1, &compressed(message)));
}

/// Remote-write 2.0: the message, uncompressed.
pub fn write2(message: &[u8]) {
    PAIRS.with(|p| p.hold(Protocol::WriteV2, &compressed(message)));
}

/// OTLP.
pub fn otlp(message: &[u8]) {
    PAIRS.with(|p| p.hold(Protocol::Otlp, message));
}

/// Bytes as a client sends them, compressed framing and all.
pub fn raw(bytes: &[u8]) {
    PAIRS.with(|p| {
        for protocol in [
            Protocol::WriteV1,
            Protocol::WriteV2,
            Protocol::Otlp,
            Protocol::OtlpGzip,
        ] {
            p.hold(protocol, bytes);
        }
        let _ = promfence::remote::read::verify_samples(bytes, &p.scope, 1 << 20);
        let _ = promfence::remote::read::verify_chunks(bytes, &p.scope);
    });
}

fn compressed(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message).unwrap()
}
