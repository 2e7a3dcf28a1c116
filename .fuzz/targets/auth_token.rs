//! Any token: never a panic, never a grant, for nothing here is signed by the key.
use std::cell::RefCell;

use promfence::auth::{Authenticator, NoHost, NoPeer};
use promfence::config::{auth::Auth, error::Problems};
use promfence::http::{Headers, RequestHead, UnixTime};

const DOC: &str = r#"{"issuers": [{"issuer": "i", "audiences": ["a"], "algorithms": ["HS256"],
  "keys": {"inline": {"keys": [{"kty": "oct", "k": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}]}},
  "tenants": [{"claim": "/t"}]}]}"#;

thread_local! {
    static AUTH: RefCell<Authenticator> = RefCell::new(compiled());
}

fn compiled() -> Authenticator {
    let doc: Auth = serde_json::from_str(DOC).unwrap();
    let mut problems = Problems::default();
    let auth = Authenticator::compile(&doc, &|_| None, &mut problems);
    assert!(problems.is_empty(), "{problems}");
    auth
}

/// One run.
pub fn fuzz(value: &[u8]) {
    let headers = Headers::new(vec![("authorization".into(), value.to_vec())]);
    let head = RequestHead { headers };
    let now = UnixTime::from_secs(1_800_000_000);
    AUTH.with_borrow_mut(|auth| assert!(auth.authenticate(&head, &NoPeer, &NoHost, now).is_err()));
}
