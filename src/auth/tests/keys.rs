use base64ct::{Base64UrlUnpadded, Encoding};

use super::*;
use crate::grant::Source;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/jwt/vectors.json")).unwrap()
}

fn remote(more: Value) -> Value {
    let mut keys = json!({"cluster": "idp", "authority": "idp.example", "path": "/keys"});
    for (name, value) in more.as_object().unwrap() {
        keys[name] = value.clone();
    }
    json!({"issuers": [{
        "issuer": "https://idp.example", "audiences": ["thanos"],
        "keys": {"remote": keys}, "tenants": [{"claim": "/tenant"}]
    }], "shared_keys": {"secret": "0123456789abcdef0123456789abcdef"}})
}

fn answer(body: impl Into<Vec<u8>>) -> FetchAnswer {
    FetchAnswer {
        status: 200,
        headers: Headers::default(),
        body: body.into(),
    }
}

fn set(names: &[&str]) -> FetchAnswer {
    let vectors = vectors();
    let keys: Vec<&Value> = names.iter().map(|n| &vectors["jwks"][n]).collect();
    answer(json!({ "keys": keys }).to_string())
}

fn token(key: &str) -> RequestHead {
    let vectors = vectors();
    let good = vectors["good"].as_array().unwrap();
    let found = good.iter().find(|v| v["key"] == key).unwrap();
    bearer(found["token"].as_str().unwrap())
}

fn ask_at(auth: &mut Authenticator, head: &RequestHead, secs: f64) -> Result<Verdict, AuthError> {
    auth.authenticate(head, &NoPeer, &NoHost, at(secs))
}

fn ask_again(
    auth: &mut Authenticator,
    head: &RequestHead,
    came: f64,
    secs: f64,
) -> Result<Verdict, AuthError> {
    auth.authenticate_since(head, &NoPeer, &NoHost, at(came), at(secs))
}

/// An issuer whose fetched set has these keys.
pub(super) fn with_keys(keys: &Value) -> Authenticator {
    let mut auth = compiled(remote(json!({}))).unwrap();
    let id = auth.due(at(-100.0))[0].id;
    let keys: Vec<&Value> = keys.as_object().unwrap().values().collect();
    let answer = answer(json!({ "keys": keys }).to_string());
    assert!(matches!(
        auth.fetched(id, Ok(&answer), at(-100.0)),
        Fetched::Keys { .. }
    ));
    auth
}

#[test]
fn a_key_server_sees_the_scheme_of_its_issuer_or_the_configured_one() {
    for (issuer, scheme, seen) in [
        ("https://idp.example", json!(null), "https"),
        ("http://idp.example", json!(null), "http"),
        ("kubernetes/serviceaccount", json!(null), "https"),
        ("https://idp.example", json!("http"), "http"),
        ("http://idp.example", json!("https"), "https"),
    ] {
        let mut doc = remote(json!({}));
        doc["issuers"][0]["issuer"] = json!(issuer);
        doc["issuers"][0]["keys"]["remote"]["scheme"] = scheme;
        assert_eq!(compiled(doc).unwrap().due(at(0.0))[0].scheme, seen);
    }
    let mut doc = remote(json!({}));
    doc["issuers"][0]["keys"]["remote"]["scheme"] = json!("ftp");
    assert!(compiled(doc).is_err());
}

#[test]
fn the_first_request_waits_for_the_first_keys() {
    let mut auth = compiled(remote(json!({}))).unwrap();
    let rsa = token("rsa");
    let Ok(Verdict::Wait(id)) = ask_at(&mut auth, &rsa, 0.0) else {
        panic!()
    };
    assert_eq!(ask_at(&mut auth, &rsa, 0.1), Ok(Verdict::Wait(id)));
    let fetches = auth.due(at(0.1));
    assert_eq!(
        (fetches.len(), fetches[0].id, fetches[0].path.as_str()),
        (1, id, "/keys")
    );
    assert!(auth.due(at(0.2)).is_empty());
    let got = auth.fetched(id, Ok(&set(&["rsa", "rsa-1024", "rsa-e3"])), at(0.3));
    assert_eq!(
        got,
        Fetched::Keys {
            keys: 1,
            left_out: 2,
            changed: true
        }
    );
    assert_eq!(
        names(&granted(ask_at(&mut auth, &rsa, 0.3)).read),
        ["tenant-a"]
    );
    assert_eq!(
        auth.fetched(id, Ok(&set(&["rsa"])), at(0.4)),
        Fetched::Unknown
    );
}

#[test]
fn a_key_server_that_fails_gives_503_with_a_time_and_is_asked_again_later() {
    let mut redirect = answer("");
    redirect.status = 302;
    let mut error = set(&["rsa"]);
    error.status = 500;
    let big = answer(format!(
        "{}{}",
        " ".repeat(1 << 20),
        String::from_utf8(set(&["rsa"]).body).unwrap()
    ));
    let many = answer(json!({"keys": vec![vectors()["jwks"]["rsa"].clone(); 101]}).to_string());
    for (answer, why) in [
        (Err(FetchFailure::Dispatch), FetchFailure::Dispatch),
        (Ok(&redirect), FetchFailure::Redirect),
        (Ok(&error), FetchFailure::Status),
        (Ok(&big), FetchFailure::TooLarge),
        (Ok(&many), FetchFailure::TooManyKeys),
        (Ok(&answer("")), FetchFailure::Garbage),
        (Ok(&answer("<html>")), FetchFailure::Garbage),
        (Ok(&answer("{\"keys\":{}}")), FetchFailure::Garbage),
        (Ok(&answer("{\"keys\":[]}")), FetchFailure::NoUsableKey),
        (Ok(&answer("{\"keys\":[1,{}]}")), FetchFailure::NoUsableKey),
        (Ok(&set(&["rsa-1024"])), FetchFailure::NoUsableKey),
    ] {
        let mut auth = compiled(remote(json!({}))).unwrap();
        let id = auth.due(at(0.0))[0].id;
        assert_eq!(auth.fetched(id, answer, at(0.0)), Fetched::Failed(why));
        let refused = ask_at(&mut auth, &token("rsa"), 0.1);
        assert!(
            matches!(
                refused,
                Err(AuthError::NoKeys {
                    retry_after: 1..=60
                })
            ),
            "{refused:?}"
        );
        assert!(auth.due(at(0.1)).is_empty());
        let id = auth.due(at(2.0))[0].id;
        assert!(matches!(
            auth.fetched(id, Ok(&set(&["rsa"])), at(2.0)),
            Fetched::Keys { .. }
        ));
        assert!(ask_at(&mut auth, &token("rsa"), 2.0).is_ok());
    }
}

#[test]
fn a_fetch_that_the_host_forgets_is_given_up() {
    let mut auth = compiled(remote(json!({"timeout": "1s"}))).unwrap();
    let first = auth.due(at(0.0))[0].id;
    assert!(auth.due(at(5.0)).is_empty());
    auth.due(at(6.5));
    assert_eq!(
        auth.fetched(first, Ok(&set(&["rsa"])), at(6.6)),
        Fetched::Unknown
    );
    assert_eq!(auth.due(at(10.0)).len(), 1);
}

#[test]
fn a_new_kid_waits_for_one_fetch_and_then_is_known_or_refused() {
    let mut auth = compiled(remote(json!({}))).unwrap();
    let id = auth.due(at(-9.0))[0].id;
    auth.fetched(id, Ok(&set(&["rsa"])), at(-9.0));
    let ec = token("ec");
    let Ok(Verdict::Wait(id)) = ask_at(&mut auth, &ec, 0.0) else {
        panic!()
    };
    assert_eq!(auth.due(at(0.0))[0].id, id);
    auth.fetched(id, Ok(&set(&["rsa", "ec"])), at(0.1));
    assert!(matches!(ask_at(&mut auth, &ec, 0.1), Ok(Verdict::Grant(_))));
    // Another that never comes: asked for once, then refused without another wait.
    let ed = token("ed");
    let Ok(Verdict::Wait(id)) = ask_at(&mut auth, &ed, 5.0) else {
        panic!()
    };
    auth.due(at(5.0));
    auth.fetched(id, Ok(&set(&["rsa", "ec"])), at(5.1));
    assert_eq!(
        ask_again(&mut auth, &ed, 5.0, 5.1),
        Err(AuthError::Invalid(Reason::UnknownKey))
    );
}

#[test]
fn a_kid_that_comes_just_after_a_fetch_waits_for_one_more() {
    let mut auth = compiled(remote(json!({}))).unwrap();
    let id = auth.due(at(0.0))[0].id;
    // The set changes while it is on its way.
    let ec = token("ec");
    assert_eq!(ask_at(&mut auth, &ec, 0.1), Ok(Verdict::Wait(id)));
    auth.fetched(id, Ok(&set(&["rsa"])), at(0.2));
    let Ok(Verdict::Wait(next)) = ask_again(&mut auth, &ec, 0.1, 0.2) else {
        panic!()
    };
    assert_ne!(id, next);
    // A second after the first fetch, and no sooner.
    assert!(!auth.is_due(at(0.9)) && auth.due(at(0.9)).is_empty());
    assert_eq!(ask_at(&mut auth, &ec, 0.9), Ok(Verdict::Wait(next)));
    assert!(auth.is_due(at(1.0)));
    assert_eq!(auth.due(at(1.0))[0].id, next);
    auth.fetched(next, Ok(&set(&["rsa", "ec"])), at(1.1));
    assert!(matches!(
        ask_again(&mut auth, &ec, 0.1, 1.1),
        Ok(Verdict::Grant(_))
    ));
    // After a leap of the clock nobody waits for a time that is far away.
    let Ok(Verdict::Wait(id)) = ask_at(&mut auth, &token("ed"), 1.2) else {
        panic!()
    };
    assert_eq!(auth.due(at(-3600.0))[0].id, id);
}

#[test]
fn workers_that_share_keys_fetch_at_different_times_and_one_of_them_first() {
    let mut firsts = Vec::new();
    for seed in 0..8 {
        let mut auth = compiled(remote(json!({}))).unwrap();
        auth.spread(seed, at(0.0));
        let first = (0..=30).find(|t| auth.is_due(at(f64::from(*t) / 100.0)));
        firsts.push(first.unwrap());
    }
    firsts.sort_unstable();
    firsts.dedup();
    assert!(firsts.len() > 4, "{firsts:?}");
    // A request does not wait for its worker's turn.
    let mut one = compiled(remote(json!({}))).unwrap();
    one.spread(1, at(0.0));
    let Ok(Verdict::Wait(id)) = ask_at(&mut one, &token("rsa"), 0.0) else {
        panic!()
    };
    // What another has fetched meanwhile makes the fetch needless: whoever waits can go on.
    let mut two = compiled(remote(json!({}))).unwrap();
    let other = two.due(at(0.0))[0].id;
    two.fetched(other, Ok(&set(&["rsa"])), at(0.0));
    let (source, _) = two.shared().remove(0);
    assert!(one.source_of(id).is_some());
    assert!(one.import(source, &two.export(source).unwrap(), at(0.1)));
    assert!(one.source_of(id).is_none() && one.due(at(0.1)).is_empty());
    assert!(ask_again(&mut one, &token("rsa"), 0.0, 0.1).is_ok());
    // Without a secret nothing is shared, and there is nothing to wait for.
    let mut doc = remote(json!({}));
    doc.as_object_mut().unwrap().remove("shared_keys");
    let mut alone = compiled(doc).unwrap();
    alone.spread(1, at(0.0));
    assert_eq!(alone.keys_missing(), 1);
    assert!(alone.is_due(at(0.0)));
}

#[test]
fn unknown_kids_cause_few_fetches_and_a_failed_one_is_no_verdict() {
    let mut auth = compiled(remote(json!({}))).unwrap();
    let id = auth.due(at(-9.0))[0].id;
    auth.fetched(id, Ok(&set(&["rsa"])), at(-9.0));
    let ed = token("ed");
    let mut waits = 0;
    for tenth in 0..1000 {
        let now = f64::from(tenth) / 10.0;
        if let Ok(Verdict::Wait(id)) = ask_at(&mut auth, &ed, now) {
            waits += 1;
            auth.due(at(now));
            auth.fetched(id, Ok(&set(&["rsa"])), at(now));
        }
    }
    // Three saved up, and one each ten seconds.
    assert!((10..=13).contains(&waits), "{waits}");
    let Ok(Verdict::Wait(id)) = ask_at(&mut auth, &ed, 200.0) else {
        panic!()
    };
    auth.due(at(200.0));
    auth.fetched(id, Err(FetchFailure::Status), at(200.0));
    assert!(matches!(
        ask_at(&mut auth, &ed, 200.1),
        Err(AuthError::NoKeys { .. })
    ));
    assert!(ask_at(&mut auth, &token("rsa"), 200.1).is_ok());
}

#[test]
fn keys_are_refreshed_in_the_background_and_used_until_they_are_too_stale() {
    let mut auth = compiled(remote(json!({"refresh": "2s", "max_stale": "5s"}))).unwrap();
    let id = auth.due(at(0.0))[0].id;
    auth.fetched(id, Ok(&set(&["rsa"])), at(0.0));
    assert!(auth.due(at(1.5)).is_empty());
    for tenth in 20..140 {
        let now = f64::from(tenth) / 10.0;
        for fetch in auth.due(at(now)) {
            auth.fetched(fetch.id, Err(FetchFailure::Status), at(now));
        }
        let answer = ask_at(&mut auth, &token("rsa"), now);
        assert_eq!(answer.is_ok(), now < 7.0, "{now}");
        if now < 7.0 {
            assert!(auth.key_status(at(now)).all(|s| s.stale || now <= 2.0));
        }
    }
    assert!(matches!(
        ask_at(&mut auth, &token("rsa"), 14.0),
        Err(AuthError::NoKeys { .. })
    ));
}

#[test]
fn cache_control_shortens_the_interval_within_bounds() {
    for (field, least, most) in [
        ("max-age=60", 54.0, 60.1),
        ("public, max-age=1", 27.0, 30.1),
        ("max-age=99999", 270.0, 300.1),
        ("no-store", 270.0, 300.1),
        ("max-age=x", 270.0, 300.1),
    ] {
        let mut auth = compiled(remote(json!({}))).unwrap();
        let id = auth.due(at(0.0))[0].id;
        let mut answer = set(&["rsa"]);
        answer.headers = Headers::new(vec![("cache-control".into(), field.into())]);
        auth.fetched(id, Ok(&answer), at(0.0));
        assert!(auth.due(at(least - 0.1)).is_empty(), "{field}");
        assert_eq!(auth.due(at(most)).len(), 1, "{field}");
    }
}

#[test]
fn tokens_are_forgotten_when_keys_change() {
    let mut auth = compiled(remote(json!({"refresh": "2s"}))).unwrap();
    let id = auth.due(at(0.0))[0].id;
    auth.fetched(id, Ok(&set(&["rsa", "ec"])), at(0.0));
    assert!(ask_at(&mut auth, &token("rsa"), 0.0).is_ok());
    assert_eq!(auth.cache_size().0, 1);
    let id = auth.due(at(3.0))[0].id;
    assert!(matches!(
        auth.fetched(id, Ok(&set(&["rsa", "ec"])), at(3.0)),
        Fetched::Keys { changed: false, .. }
    ));
    assert_eq!(auth.cache_size().0, 1);
    let id = auth.due(at(6.0))[0].id;
    auth.fetched(id, Ok(&set(&["ec"])), at(6.0));
    assert_eq!(auth.cache_size().0, 0);
    assert!(ask_again(&mut auth, &token("rsa"), 6.0, 6.5).is_err());
}

#[test]
fn keys_are_used_only_as_their_members_say() {
    let rsa = vectors()["jwks"]["rsa"].clone();
    let with = |name: &str, value: Value| {
        let mut key = rsa.clone();
        key[name] = value;
        with_keys(&json!({"a": key, "b": vectors()["jwks"]["rsa-2"]}))
    };
    for (name, value) in [
        ("use", json!("enc")),
        ("use", json!(1)),
        ("alg", json!("RS512")),
        ("alg", json!("PS256")),
        ("alg", json!("RSA-OAEP")),
        ("key_ops", json!(["encrypt"])),
        ("key_ops", json!("verify")),
        ("kty", json!("EC")),
        ("n", json!("")),
        ("n", json!("AQAB")),
        ("e", json!("AQ")),
        ("e", json!("Ag")),
        ("e", json!("AQAAAAE")),
        ("kid", json!("other")),
        ("kid", json!(1)),
    ] {
        let refused = ask(&mut with(name, value.clone()), &token("rsa"));
        assert!(!matches!(refused, Ok(Verdict::Grant(_))), "{name} {value}");
    }
    let padded = format!("{}=", rsa["n"].as_str().unwrap());
    for (name, value) in [
        ("n", json!(padded)),
        ("key_ops", json!(["verify", "sign"])),
        ("alg", json!("RS256")),
        ("x5c", json!(["x"])),
    ] {
        assert!(
            matches!(
                ask(&mut with(name, value), &token("rsa")),
                Ok(Verdict::Grant(_))
            ),
            "{name}"
        );
    }
    let mut without = rsa.clone();
    without.as_object_mut().unwrap().remove("kid");
    let mut same = vectors()["jwks"]["rsa-2"].clone();
    same["kid"] = json!("rsa");
    for keys in [json!({"a": without}), json!({"a": same, "b": rsa})] {
        assert!(matches!(
            ask(&mut with_keys(&keys), &token("rsa")),
            Ok(Verdict::Grant(_))
        ));
    }
}

#[test]
fn a_key_server_gives_no_shared_secrets_and_no_weak_points() {
    let zero = |n: usize| Base64UrlUnpadded::encode_string(&vec![0; n]);
    let mut identity = [0; 32];
    identity[0] = 1;
    for key in [
        json!({"kty": "oct", "kid": "oct", "k": zero(64)}),
        json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": Base64UrlUnpadded::encode_string(&identity)}),
        json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": zero(32)}),
        json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": zero(31)}),
        json!({"kty": "OKP", "crv": "X25519", "kid": "ed", "x": zero(32)}),
        json!({"kty": "EC", "crv": "P-256", "kid": "ec", "x": zero(32), "y": zero(32)}),
        json!({"kty": "EC", "crv": "P-256", "kid": "ec", "x": zero(48), "y": zero(48)}),
        json!({"kty": "RSA", "kid": "r", "n": Base64UrlUnpadded::encode_string(&vec![0xff; 2048]), "e": "AQAB"}),
    ] {
        let text = json!({ "keys": [key] }).to_string();
        let mut auth = compiled(remote(json!({}))).unwrap();
        let id = auth.due(at(0.0))[0].id;
        assert_eq!(
            auth.fetched(id, Ok(&answer(text)), at(0.0)),
            Fetched::Failed(FetchFailure::NoUsableKey),
            "{key}"
        );
    }
}

#[test]
fn discovery_leads_to_allowed_hosts_of_the_same_issuer_only() {
    let doc = remote(json!({"path": null, "discovery": {"hosts": {"keys.example": "keys"}}}));
    let document = |issuer: &str, uri: &str| {
        answer(json!({"issuer": issuer, "jwks_uri": uri, "x": [1]}).to_string())
    };
    for (uri, cluster, path) in [
        ("https://idp.example/jwks?x=1", "idp", "/jwks?x=1"),
        ("https://keys.example/k", "keys", "/k"),
    ] {
        let mut auth = compiled(doc.clone()).unwrap();
        let Ok(Verdict::Wait(id)) = ask_at(&mut auth, &token("rsa"), 0.0) else {
            panic!()
        };
        assert_eq!(
            auth.due(at(0.0))[0].path,
            "/.well-known/openid-configuration"
        );
        assert_eq!(
            auth.fetched(id, Ok(&document("https://idp.example", uri)), at(0.1)),
            Fetched::Continue
        );
        let fetch = auth.due(at(0.1)).remove(0);
        assert_eq!(
            (fetch.id, fetch.cluster.as_str(), fetch.path.as_str()),
            (id, cluster, path)
        );
        assert!(matches!(
            auth.fetched(id, Ok(&set(&["rsa"])), at(0.2)),
            Fetched::Keys { .. }
        ));
        assert!(ask_at(&mut auth, &token("rsa"), 0.2).is_ok());
    }
    for (issuer, uri) in [
        ("https://idp.example/", "https://idp.example/jwks"),
        ("https://other.example", "https://idp.example/jwks"),
        ("https://idp.example", "https://evil.example/jwks"),
        (
            "https://idp.example",
            "https://idp.example@evil.example/jwks",
        ),
        ("https://idp.example", "https://idp.example:8443/jwks"),
        ("https://idp.example", "https://idp.example"),
        ("https://idp.example", "https://idp.example/a b"),
        ("https://idp.example", "ftp://idp.example/jwks"),
    ] {
        let mut auth = compiled(doc.clone()).unwrap();
        let id = auth.due(at(0.0))[0].id;
        let got = auth.fetched(id, Ok(&document(issuer, uri)), at(0.0));
        assert_eq!(
            got,
            Fetched::Failed(FetchFailure::Discovery),
            "{issuer} {uri}"
        );
    }
}

#[test]
fn shared_entries_are_taken_only_if_authentic_newer_and_of_the_same_source() {
    let mut one = compiled(remote(json!({}))).unwrap();
    let id = one.due(at(0.0))[0].id;
    one.fetched(id, Ok(&set(&["rsa"])), at(0.0));
    let (source, name) = one.shared().remove(0);
    let entry = one.export(source).unwrap();
    let fresh = || compiled(remote(json!({}))).unwrap();
    let mut two = fresh();
    assert_eq!(two.shared()[0].1, name);
    assert!(two.import(source, &entry, at(1.0)));
    assert!(ask_at(&mut two, &token("rsa"), 1.0).is_ok());
    assert!(two.due(at(1.0)).is_empty());
    // The same again is not newer.
    assert!(!two.import(source, &entry, at(2.0)));
    for i in 0..entry.len() {
        let mut changed = entry.clone();
        changed[i] ^= 1;
        assert!(!fresh().import(source, &changed, at(1.0)), "{i}");
    }
    assert!(!fresh().import(source, &entry[..entry.len() - 1], at(1.0)));
    assert!(!fresh().import(source, b"", at(1.0)));
    // Too old, and from the future.
    assert!(!fresh().import(source, &entry, at(300.0 + 6.0 * 3600.0)));
    assert!(!fresh().import(source, &entry, at(-61.0)));
    // Another place, another secret, no secret.
    let mut other = compiled(remote(json!({"path": "/other"}))).unwrap();
    assert_ne!(other.shared()[0].1, name);
    assert!(!other.import(source, &entry, at(1.0)));
    let mut doc = remote(json!({}));
    doc["shared_keys"]["secret"] = json!("fedcba9876543210fedcba9876543210");
    assert!(
        !compiled(doc.clone())
            .unwrap()
            .import(source, &entry, at(1.0))
    );
    doc.as_object_mut().unwrap().remove("shared_keys");
    let mut without = compiled(doc).unwrap();
    assert!(without.shared().is_empty() && without.export(source).is_none());
    assert!(!without.import(source, &entry, at(1.0)));
}

/// Dynamic metadata as the host gives it: `envoy.config.core.v3.Metadata`.
struct Metadata(Vec<u8>);

impl Peer for Metadata {
    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        (path == ["metadata"]).then(|| self.0.clone())
    }
}

fn field(number: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = body.len();
    while length > 0x7f {
        out.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap());
    out.extend_from_slice(body);
    out
}

fn proto(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => vec![0x08, 0],
        Value::Number(n) => [vec![0x11], n.as_f64().unwrap().to_le_bytes().to_vec()].concat(),
        Value::String(s) => field(3, s.as_bytes()),
        Value::Bool(b) => vec![0x20, u8::from(*b)],
        Value::Object(map) => field(5, &entries(map)),
        Value::Array(list) => field(
            6,
            &list
                .iter()
                .flat_map(|v| field(1, &proto(v)))
                .collect::<Vec<_>>(),
        ),
    }
}

fn entries(map: &serde_json::Map<String, Value>) -> Vec<u8> {
    map.iter()
        .flat_map(|(k, v)| field(1, &[field(1, k.as_bytes()), field(2, &proto(v))].concat()))
        .collect()
}

fn metadata(namespace: &str, value: &Value) -> Metadata {
    let space = json!({"payload": value});
    let pair = [
        field(1, namespace.as_bytes()),
        field(2, &entries(space.as_object().unwrap())),
    ]
    .concat();
    let other = field(1, &[field(1, b"other"), field(2, &[])].concat());
    Metadata([other, field(1, &pair), field(2, b"typed")].concat())
}

#[test]
fn claims_that_an_earlier_filter_verified_are_held_against_the_same_rules() {
    const JWT_AUTHN: &str = "envoy.filters.http.jwt_authn";
    let mut auth = compiled(json!({"issuers": [{
        "issuer": "https://idp.example", "audiences": ["thanos"], "verified_by": {"metadata": {}},
        "tenants": [{"claim": "/kubernetes.io/namespace"}]
    }]}))
    .unwrap();
    let claims = |name: &str, value: Value| {
        let mut claims = json!({"iss": "https://idp.example", "aud": ["thanos"], "exp": NOW + 9,
            "kubernetes.io": {"namespace": "a"}, "admin": true, "none": null});
        claims[name] = value;
        claims
    };
    let mut of = |peer: &Metadata| auth.authenticate(&head(&[]), peer, &NoHost, at(0.0));
    let grant = granted(of(&metadata(JWT_AUTHN, &claims("sub", json!("alice")))));
    assert_eq!(
        (names(&grant.read), &*grant.subject, grant.source),
        (vec!["a"], "alice", Source::Metadata)
    );
    for (name, value, reason) in [
        (
            "iss",
            json!("https://other.example"),
            AuthError::Invalid(Reason::Issuer),
        ),
        ("aud", json!("other"), AuthError::Invalid(Reason::Audience)),
        ("exp", json!(NOW - 100), AuthError::Invalid(Reason::Expired)),
        (
            "exp",
            json!("9999999999"),
            AuthError::Invalid(Reason::Expiry),
        ),
        (
            "kubernetes.io",
            json!({"namespace": 1.5}),
            AuthError::Forbidden(Reason::TenantType),
        ),
        (
            "kubernetes.io",
            json!({"namespace": {"a": ""}}),
            AuthError::Forbidden(Reason::TenantType),
        ),
    ] {
        assert_eq!(
            of(&metadata(JWT_AUTHN, &claims(name, value))),
            Err(reason),
            "{name}"
        );
    }
    assert_eq!(
        of(&metadata("other", &claims("x", json!(1)))),
        Err(AuthError::Missing)
    );
    assert_eq!(of(&Metadata(Vec::new())), Err(AuthError::Missing));
    let whole = metadata(JWT_AUTHN, &claims("sub", json!("alice"))).0;
    let doubled = Metadata([&whole[..], &whole[..]].concat());
    assert_eq!(of(&doubled), Err(AuthError::Invalid(Reason::Metadata)));
    let cut = Metadata(whole[..whole.len() - 8].to_vec());
    assert_eq!(of(&cut), Err(AuthError::Invalid(Reason::Metadata)));
    // A token in the request is another credential, and this issuer's keys are not ours.
    assert!(of(&metadata(JWT_AUTHN, &json!("text"))).is_err());
    let deep = (0..40).fold(json!(1), |v, _| json!([v]));
    assert_eq!(
        of(&metadata(JWT_AUTHN, &claims("x", deep))),
        Err(AuthError::Invalid(Reason::Metadata))
    );
}
