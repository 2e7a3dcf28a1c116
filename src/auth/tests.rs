use std::cell::RefCell;

use serde_json::{Value, json};

use super::*;
use crate::grant::Tenants;
use crate::http::Headers;

mod claims;
mod keys;
mod tokens;
mod wycheproof;

pub(super) const NOW: u64 = 1_800_000_000;

pub(super) fn at(secs: f64) -> UnixTime {
    UnixTime::from_secs(NOW).plus(secs)
}

pub(super) fn head(fields: &[(&str, &str)]) -> RequestHead {
    let mut all = vec![
        (":method".to_owned(), b"GET".to_vec()),
        (":path".to_owned(), b"/api/v1/query?query=up".to_vec()),
    ];
    all.extend(
        fields
            .iter()
            .map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())),
    );
    RequestHead {
        headers: Headers::new(all),
    }
}

pub(super) fn bearer(token: &str) -> RequestHead {
    head(&[("authorization", &format!("Bearer {token}"))])
}

pub(super) fn compiled(doc: Value) -> Result<Authenticator, String> {
    let doc: config::Auth = serde_json::from_value(doc).map_err(|e| e.to_string())?;
    let mut problems = Problems::default();
    let auth = Authenticator::compile(&doc, &|_| None, &mut problems);
    if problems.is_empty() {
        Ok(auth)
    } else {
        Err(problems.to_string())
    }
}

pub(super) fn ask(auth: &mut Authenticator, head: &RequestHead) -> Result<Verdict, AuthError> {
    auth.authenticate(head, &NoPeer, &NoHost, at(0.0))
}

pub(super) fn granted(verdict: Result<Verdict, AuthError>) -> Arc<Grant> {
    match verdict.unwrap() {
        Verdict::Grant(grant) => grant,
        Verdict::Wait(_) => panic!("waits"),
    }
}

pub(super) fn names(tenants: &Tenants) -> Vec<&str> {
    match tenants {
        Tenants::None => vec![],
        Tenants::All => vec!["*"],
        Tenants::Some(set) => set.iter().map(|t| t.as_str()).collect(),
    }
}

fn sha256(text: &str) -> String {
    let digest = hmac_sha256::Hash::hash(text.as_bytes());
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn nobody_is_let_in_without_a_credential_unless_anonymous_callers_are_granted_something() {
    let fixed =
        json!([{"name": "ci", "bearer_sha256": sha256("s3cret"), "grant": {"tenants": ["ci"]}}]);
    let mut auth = compiled(json!({"static": fixed})).unwrap();
    assert_eq!(ask(&mut auth, &head(&[])), Err(AuthError::Missing));
    let mut auth = compiled(json!({"static": fixed, "anonymous": {"read": ["public"]}})).unwrap();
    let grant = granted(ask(&mut auth, &head(&[])));
    assert_eq!(
        (names(&grant.read), names(&grant.write)),
        (vec!["public"], vec![])
    );
    // A wrong credential is not nobody.
    assert!(ask(&mut auth, &bearer("wrong")).is_err());
    assert!(compiled(json!({})).is_err());
}

#[test]
fn fixed_secrets_are_bearer_or_basic() {
    let mut auth = compiled(json!({"static": [
        {"name": "ci", "bearer_sha256": sha256("s3cret"), "grant": {"tenants": ["ci"]}},
        {"name": "graf", "basic": {"user": "graf", "password_sha256": sha256("pw:x")}, "grant": {"read": "all"}},
    ]}))
    .unwrap();
    assert_eq!(
        names(&granted(ask(&mut auth, &bearer("s3cret"))).write),
        ["ci"]
    );
    let basic = |text: &str| head(&[("authorization", text)]);
    // `graf:pw:x`
    let grant = granted(ask(&mut auth, &basic("basic Z3JhZjpwdzp4")));
    assert_eq!((names(&grant.read), &*grant.subject), (vec!["*"], "graf"));
    for wrong in [
        "Bearer pw:x",
        "Basic Z3JhZjpwdw==",
        "Basic Z3JhZg==",
        "Basic Z3JhZjpwdzp4=",
        "Basic",
        "Bearer S3cret",
        "Bearer  s3cret x",
        "Negotiate s3cret",
        "s3cret",
        "",
        "Bearer\ts3cret",
        // `:s3cret`, `graf:s3cret`
        "Basic OnMzY3JldA==",
        "Basic Z3JhZjpzM2NyZXQ=",
    ] {
        assert!(
            matches!(ask(&mut auth, &basic(wrong)), Err(AuthError::Invalid(_))),
            "{wrong}"
        );
    }
}

#[test]
fn two_credentials_are_refused_wherever_they_are() {
    let mut auth = compiled(json!({
        "static": [{"name": "ci", "bearer_sha256": sha256("s"), "grant": {"tenants": ["ci"]}}],
        "token": {
            "headers": [{"name": "Authorization", "scheme": "Bearer"}, {"name": "x-forwarded-access-token"}],
            "cookie": {"name": "session", "origins": ["https://grafana.example"]},
            "query": "access_token"
        }
    }))
    .unwrap();
    let with_query = |fields: &[(&str, &str)], query: &str| {
        let mut h = vec![
            (":method".to_owned(), b"GET".to_vec()),
            (":path".to_owned(), query.into()),
        ];
        h.extend(
            fields
                .iter()
                .map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())),
        );
        RequestHead {
            headers: Headers::new(h),
        }
    };
    for one in [
        bearer("s"),
        head(&[("x-forwarded-access-token", "s")]),
        head(&[("cookie", "a=b; session=s;c=d")]),
        with_query(&[], "/x?a=b&access_token=s"),
    ] {
        assert_eq!(names(&granted(ask(&mut auth, &one)).read), ["ci"]);
    }
    for two in [
        head(&[("authorization", "Bearer s"), ("authorization", "Bearer s")]),
        head(&[("authorization", "Bearer s,Bearer s")]),
        head(&[
            ("authorization", "Bearer s"),
            ("x-forwarded-access-token", "s"),
        ]),
        head(&[("authorization", "Bearer s"), ("cookie", "session=s")]),
        head(&[("cookie", "session=s; session=s")]),
        head(&[("cookie", "session=s"), ("cookie", "session=s")]),
        with_query(&[("authorization", "Bearer s")], "/x?access_token=s"),
        with_query(&[], "/x?access_token=s&access_token=s"),
    ] {
        assert_eq!(
            ask(&mut auth, &two),
            Err(AuthError::Malformed(Reason::TwoCredentials))
        );
    }
}

#[test]
fn a_cookie_from_elsewhere_changes_nothing() {
    let mut auth = compiled(json!({
        "static": [{"name": "ci", "bearer_sha256": sha256("s"), "grant": {"tenants": ["ci"]}}],
        "token": {"cookie": {"name": "session", "origins": ["https://grafana.example"]}}
    }))
    .unwrap();
    let post = |origin: Option<&str>| {
        let mut fields = vec![
            (":method".to_owned(), b"POST".to_vec()),
            ("cookie".to_owned(), b"session=s".to_vec()),
        ];
        fields.extend(origin.map(|o| ("origin".to_owned(), o.as_bytes().to_vec())));
        RequestHead {
            headers: Headers::new(fields),
        }
    };
    assert!(ask(&mut auth, &post(Some("https://grafana.example"))).is_ok());
    for origin in [
        None,
        Some("null"),
        Some("https://grafana.example.evil"),
        Some("http://grafana.example"),
    ] {
        assert_eq!(
            ask(&mut auth, &post(origin)),
            Err(AuthError::Forbidden(Reason::Origin))
        );
    }
}

#[test]
fn the_challenge_is_basic_only_where_no_token_would_do() {
    let basic = json!({"name": "g", "basic": {"user": "g", "password_sha256": sha256("p")}, "grant": {"read": "all"}});
    let bearer = json!({"name": "b", "bearer_sha256": sha256("s"), "grant": {"read": "all"}});
    let only = compiled(json!({"static": [basic]})).unwrap();
    assert!(only.challenge(AuthError::Missing).starts_with("Basic "));
    let both = compiled(json!({"static": [basic, bearer]})).unwrap();
    assert_eq!(both.challenge(AuthError::Missing), "Bearer");
    assert_eq!(
        both.challenge(AuthError::Invalid(Reason::Expired)),
        "Bearer error=\"invalid_token\""
    );
}

struct Certificate(&'static str, &'static str, RefCell<usize>);

impl Peer for Certificate {
    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        *self.2.borrow_mut() += 1;
        (path == ["connection", self.0]).then(|| self.1.as_bytes().to_vec())
    }
}

#[test]
fn certificates_give_tenants_by_patterns_that_cross_no_part() {
    let mut auth = compiled(json!({"mtls": [
        {"uri_san": "spiffe://cluster.local/ns/{tenant}/sa/*"},
        {"dns_san": "{tenant}.agents.example", "read": false},
        {"subject": "CN=admin,O=example", "grant": {"read": "all"}},
    ]}))
    .unwrap();
    let mut of = |kind, name| {
        auth.authenticate(
            &head(&[]),
            &Certificate(kind, name, RefCell::new(0)),
            &NoHost,
            at(0.0),
        )
    };
    let grant = granted(of(
        "uri_san_peer_certificate",
        "spiffe://cluster.local/ns/team-a/sa/prometheus",
    ));
    assert_eq!(
        (names(&grant.read), names(&grant.write)),
        (vec!["team-a"], vec!["team-a"])
    );
    let grant = granted(of("dns_san_peer_certificate", "a.agents.example"));
    assert_eq!(
        (names(&grant.read), names(&grant.write)),
        (vec![], vec!["a"])
    );
    assert_eq!(
        names(&granted(of("subject_peer_certificate", "CN=admin,O=example")).read),
        ["*"]
    );
    for (kind, name) in [
        (
            "uri_san_peer_certificate",
            "spiffe://cluster.local/ns/a/b/sa/x",
        ),
        (
            "uri_san_peer_certificate",
            "spiffe://cluster.local/ns/a/sa/x/y",
        ),
        (
            "uri_san_peer_certificate",
            "spiffe://cluster.local/ns//sa/x",
        ),
        (
            "uri_san_peer_certificate",
            "spiffe://cluster.local/ns/../sa/x",
        ),
        (
            "uri_san_peer_certificate",
            "spiffe://cluster.local/ns/a|b/sa/x",
        ),
        (
            "uri_san_peer_certificate",
            "xspiffe://cluster.local/ns/a/sa/x",
        ),
        (
            "uri_san_peer_certificate",
            "spiffe://clusterXlocal/ns/a/sa/x",
        ),
        (
            "uri_san_peer_certificate",
            "spiffe://cluster.local/ns/a/sa/x\nspiffe://b",
        ),
        ("dns_san_peer_certificate", "a.b.agents.example"),
        ("dns_san_peer_certificate", "a.agents.example."),
        ("subject_peer_certificate", "CN=admin,O=example,CN=x"),
    ] {
        assert_eq!(
            of(kind, name),
            Err(AuthError::Forbidden(Reason::Certificate)),
            "{name}"
        );
    }
    assert_eq!(of("uri_san_peer_certificate", ""), Err(AuthError::Missing));
}

#[test]
fn every_problem_is_told_with_its_path() {
    let text = compiled(json!({
        "issuers": [
            {"issuer": "", "audiences": [], "keys": {"inline": {"keys": []}}, "leeway": "1h"},
            {"issuer": "b", "audiences": ["a"], "algorithms": ["HS256"],
             "keys": {"remote": {"cluster": "c", "authority": "h", "refresh": 0}},
             "tenants": [{"claim": "tenant", "capture": "a(b|c"}],
             "labels": {"team": {"claim": ""}}, "types": ["logout+jwt"]},
            {"issuer": "b", "audiences": ["a"], "tenants": [{"claim": "/t", "map": {"x": {}}}]},
            {"issuer": "c", "audiences": ["a"], "tenants": [{"claim": "/t", "capture": "(a)(b)"}],
             "keys": {"inline": "{\"keys\":[{\"kty\":\"oct\",\"k\":\"YQ\"}]}"}, "algorithms": ["HS256"]},
        ],
        "static": [{"name": "x", "bearer_sha256": "abc", "grant": {"read": "all"}}],
        "mtls": [{"uri_san": "a", "dns_san": "b"}, {"uri_san": "{tenant}{tenant}"}],
        "shared_keys": {"secret": "short"}
    }))
    .err()
    .unwrap();
    for path in [
        "auth.issuers[0].issuer:",
        "auth.issuers[0].audiences:",
        "auth.issuers[0].leeway:",
        "auth.issuers[0].tenants:",
        "auth.issuers[0].keys:",
        "auth.issuers[1].algorithms:",
        "auth.issuers[1].keys.remote:",
        "auth.issuers[1].keys.remote.refresh:",
        "auth.issuers[1].tenants[0].claim:",
        "auth.issuers[1].tenants[0].capture:",
        "auth.issuers[1].labels.team.claim:",
        "auth.issuers[1].types:",
        "auth.issuers[2].issuer:",
        "auth.issuers[2]: needs",
        "auth.issuers[2].tenants[0].map[0]:",
        "auth.issuers[3].tenants[0].capture:",
        "auth.issuers[3].keys.inline.keys[0]:",
        "auth.static[0].bearer_sha256:",
        "auth.mtls[0]:",
        "auth.mtls[1].uri_san:",
        "auth.shared_keys.secret:",
    ] {
        assert!(text.contains(path), "{path} is missing in:\n{text}");
    }
}
