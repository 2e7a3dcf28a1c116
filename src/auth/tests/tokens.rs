use std::fmt::Write as _;

use base64ct::{Base64UrlUnpadded, Encoding};
use jwt_simple::prelude::{HS256Key, MACLike};
use proptest::prelude::*;

use super::*;

/// Keys and tokens of an independent signer: `tests/jwt/vectors.py` wrote them.
fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/jwt/vectors.json")).unwrap()
}

fn secret() -> Vec<u8> {
    (0..64).collect()
}

fn all_keys() -> Value {
    let vectors = vectors();
    let mut keys: Vec<Value> = vectors["jwks"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| !["attacker", "rsa-1024", "rsa-e3"].contains(&name.as_str()))
        .map(|(_, key)| key.clone())
        .collect();
    keys.push(json!({"kty": "oct", "kid": "oct", "k": vectors["secret"]}));
    json!({ "keys": keys })
}

fn issuer(keys: Value, more: Value) -> Value {
    let mut issuer = json!({
        "issuer": "https://idp.example", "audiences": ["thanos"], "leeway": "30s",
        "algorithms": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384",
            "ES512", "EdDSA", "HS256", "HS384", "HS512"],
        "keys": {"inline": keys},
        "tenants": [{"claim": "/tenant"}, {"claim": "/tenants"}]
    });
    for (name, value) in more.as_object().unwrap() {
        issuer[name] = value.clone();
    }
    json!({ "issuers": [issuer] })
}

pub(super) fn c0(more: Value) -> Authenticator {
    compiled(issuer(all_keys(), more)).unwrap()
}

/// A token with these claims besides the usual ones (null: without), by HS256.
fn token(claims: Value) -> String {
    let mut all = json!({"iss": "https://idp.example", "aud": "thanos", "sub": "alice",
        "iat": NOW, "exp": NOW + 3600, "tenant": "tenant-a"});
    if claims.get("tenants").is_some() {
        all.as_object_mut().unwrap().remove("tenant");
    }
    for (name, value) in claims.as_object().unwrap() {
        if value.is_null() {
            all.as_object_mut().unwrap().remove(name);
        } else {
            all[name] = value.clone();
        }
    }
    raw(r#"{"alg":"HS256","kid":"oct"}"#, &all.to_string())
}

pub(super) fn raw(header: &str, claims: &str) -> String {
    let b = |t: &str| Base64UrlUnpadded::encode_string(t.as_bytes());
    let signed = format!("{}.{}", b(header), b(claims));
    let mac = hmac_sha256::HMAC::mac(signed.as_bytes(), secret());
    format!("{signed}.{}", Base64UrlUnpadded::encode_string(&mac))
}

pub(super) fn verdict(more: Value, claims: Value) -> Result<Arc<Grant>, AuthError> {
    ask(&mut c0(more), &bearer(&token(claims))).map(|v| granted(Ok(v)))
}

pub(super) fn read(more: Value, claims: Value) -> Vec<String> {
    let grant = verdict(more, claims).unwrap();
    names(&grant.read).into_iter().map(str::to_owned).collect()
}

#[test]
fn good_tokens_of_every_algorithm_are_let_in() {
    let mut auth = c0(json!({}));
    for v in vectors()["good"].as_array().unwrap() {
        let verdict = ask(&mut auth, &bearer(v["token"].as_str().unwrap()));
        if v["alg"] == "ES512" {
            // Only a host verifies with P-521.
            assert_eq!(verdict, Err(AuthError::Invalid(Reason::Unverifiable)));
        } else {
            let grant = granted(verdict);
            assert_eq!(
                (names(&grant.read), &*grant.subject),
                (vec!["tenant-a"], "alice"),
                "{v}"
            );
        }
    }
}

#[test]
fn bad_tokens_of_every_kind_are_refused() {
    let mut auth = c0(json!({}));
    // The weak keys too: they are left out of a set, and spoil nothing.
    let mut keys = vectors()["jwks"].clone();
    keys.as_object_mut().unwrap().remove("attacker");
    let mut remote = super::keys::with_keys(&keys);
    for v in vectors()["bad"].as_array().unwrap() {
        let head = bearer(v["token"].as_str().unwrap());
        assert!(
            matches!(ask(&mut auth, &head), Err(AuthError::Invalid(_))),
            "{}",
            v["why"]
        );
        match ask(&mut remote, &head) {
            Err(AuthError::Invalid(_)) | Ok(Verdict::Wait(_)) => {}
            other => panic!("{}: {other:?}", v["why"]),
        }
    }
}

#[test]
fn every_change_of_one_character_spoils_a_token() {
    let mut auth = c0(json!({}));
    let good = token(json!({}));
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(ask(&mut auth, &bearer(&changed)).is_err(), "{at}");
    }
    assert!(ask(&mut auth, &bearer(&good)).is_ok());
}

#[test]
fn pem_keys_serve_as_well() {
    let vectors = vectors();
    let mut pem = String::new();
    for key in vectors["pem"].as_object().unwrap().values() {
        writeln!(pem, "{}", key.as_str().unwrap()).unwrap();
    }
    let mut doc = issuer(json!({}), json!({}));
    doc["issuers"][0]["keys"] = json!({ "pem": pem });
    doc["issuers"][0]
        .as_object_mut()
        .unwrap()
        .remove("algorithms");
    let mut auth = compiled(doc).unwrap();
    let mut good = 0;
    for v in vectors["good"].as_array().unwrap() {
        if ["rsa", "ec", "ec384", "ed"].contains(&v["key"].as_str().unwrap()) {
            assert!(
                ask(&mut auth, &bearer(v["token"].as_str().unwrap())).is_ok(),
                "{v}"
            );
            good += 1;
        }
    }
    assert!(good > 9);
}

/// A host that verifies by the module's own means, with a good and with a broken answer.
struct Host(Option<bool>, RefCell<Vec<Algorithm>>);

impl Verifier for Host {
    fn verify(&self, alg: Algorithm, key: &[u8], _: &[u8], signature: &[u8]) -> Option<bool> {
        assert_eq!((key[0], signature.is_empty()), (0x30, false));
        self.1.borrow_mut().push(alg);
        self.0
    }
}

#[test]
fn the_host_is_asked_for_pkcs1_and_ecdsa_only_and_its_word_counts() {
    for (word, let_in) in [(Some(true), true), (Some(false), false)] {
        for v in vectors()["good"].as_array().unwrap() {
            let host = Host(word, RefCell::default());
            let head = bearer(v["token"].as_str().unwrap());
            let verdict = c0(json!({})).authenticate(&head, &NoPeer, &host, at(0.0));
            let alg = v["alg"].as_str().unwrap();
            let asked = alg.starts_with("RS") || alg.starts_with("ES");
            assert_eq!(host.1.borrow().len(), usize::from(asked), "{alg}");
            assert_eq!(verdict.is_ok(), let_in || !asked, "{alg}");
        }
    }
    assert!(!Authenticator::can_host_verify(&NoHost));
    assert!(!Authenticator::can_host_verify(&Host(
        Some(true),
        RefCell::default()
    )));
    assert!(!Authenticator::can_host_verify(&Host(
        Some(false),
        RefCell::default()
    )));
}

#[test]
fn times_are_numbers_within_reason() {
    for (claims, reason) in [
        (json!({"exp": null}), Reason::Expiry),
        (json!({"exp": "9999999999"}), Reason::Expiry),
        (json!({"exp": -1}), Reason::Expiry),
        (json!({"exp": 0}), Reason::Expiry),
        (json!({"exp": 1e30}), Reason::Expiry),
        (json!({"exp": u64::MAX}), Reason::Expiry),
        (json!({"exp": true}), Reason::Expiry),
        (json!({"exp": NOW - 30}), Reason::Expired),
        (json!({"nbf": "9999999999"}), Reason::NotYet),
        (json!({"nbf": NOW + 31}), Reason::NotYet),
        (json!({"iat": NOW + 31}), Reason::NotYet),
        (json!({"iat": [NOW]}), Reason::NotYet),
        (json!({"iat": -5}), Reason::NotYet),
    ] {
        assert_eq!(
            verdict(json!({}), claims.clone()),
            Err(AuthError::Invalid(reason)),
            "{claims}"
        );
    }
    for claims in [
        json!({"exp": NOW - 29}),
        json!({"exp": 9_999_999_999_u64}),
        json!({"nbf": NOW + 30}),
        json!({"iat": null}),
        json!({"exp": 1_800_000_000.5, "iat": 1_799_999_999.25}),
    ] {
        assert!(verdict(json!({}), claims.clone()).is_ok(), "{claims}");
    }
    let null = raw(
        r#"{"alg":"HS256"}"#,
        &format!(
            r#"{{"iss":"https://idp.example","aud":"thanos","exp":null,"tenant":"a","iat":{NOW}}}"#
        ),
    );
    assert_eq!(
        ask(&mut c0(json!({})), &bearer(&null)),
        Err(AuthError::Invalid(Reason::Expiry))
    );
}

#[test]
fn lifetime_and_age_are_bounded_if_asked_for() {
    let day = json!({"max_lifetime": "24h"});
    assert!(verdict(day.clone(), json!({})).is_ok());
    for claims in [json!({"exp": NOW + 315_360_000}), json!({"iat": null})] {
        assert_eq!(
            verdict(day.clone(), claims),
            Err(AuthError::Invalid(Reason::Age))
        );
    }
    let fresh = json!({"max_age": "5m"});
    assert!(verdict(fresh.clone(), json!({"iat": NOW - 329})).is_ok());
    for claims in [json!({"iat": NOW - 330}), json!({"iat": null})] {
        assert_eq!(
            verdict(fresh.clone(), claims),
            Err(AuthError::Invalid(Reason::Age))
        );
    }
}

#[test]
fn issuer_audience_party_and_registered_claims_are_checked() {
    for (claims, reason) in [
        (json!({"iss": null}), Reason::Issuer),
        (json!({"iss": "https://IDP.example/"}), Reason::Issuer),
        (json!({"iss": ["https://idp.example"]}), Reason::Issuer),
        (json!({"aud": null}), Reason::Audience),
        (json!({"aud": 1}), Reason::Audience),
        (json!({"aud": []}), Reason::Audience),
        (json!({"aud": ["thanos", 1]}), Reason::Audience),
        (json!({"aud": "Thanos"}), Reason::Audience),
        (json!({"aud": {"thanos": 1}}), Reason::Audience),
        (json!({"sub": 1}), Reason::ClaimType),
        (json!({"jti": []}), Reason::ClaimType),
    ] {
        assert_eq!(
            verdict(json!({}), claims.clone()),
            Err(AuthError::Invalid(reason)),
            "{claims}"
        );
    }
    let party = json!({"authorized_parties": ["grafana"]});
    assert!(verdict(party.clone(), json!({"azp": "grafana"})).is_ok());
    assert!(verdict(party.clone(), json!({"client_id": "grafana"})).is_ok());
    for claims in [
        json!({}),
        json!({"azp": "x"}),
        json!({"azp": "grafana", "client_id": "x"}),
        json!({"azp": ["grafana"]}),
    ] {
        assert_eq!(
            verdict(party.clone(), claims),
            Err(AuthError::Invalid(Reason::Party))
        );
    }
    let required = json!({"required": [{"claim": "/realm/level", "any_of": ["gold"]}]});
    assert!(verdict(required.clone(), json!({"realm": {"level": ["x", "gold"]}})).is_ok());
    for claims in [
        json!({}),
        json!({"realm": {"level": "lead"}}),
        json!({"realm.level": "gold"}),
        json!({"realm": {"level": 1}}),
    ] {
        assert_eq!(
            verdict(required.clone(), claims),
            Err(AuthError::Invalid(Reason::Required))
        );
    }
}

#[test]
fn types_are_a_closed_list() {
    let of = |more: Value, typ: &str| {
        let claims = format!(
            r#"{{"iss":"https://idp.example","aud":"thanos","exp":{},"tenant":"a"}}"#,
            NOW + 9
        );
        ask(
            &mut c0(more),
            &bearer(&raw(&format!(r#"{{"alg":"HS256"{typ}}}"#), &claims)),
        )
    };
    for typ in [
        "",
        r#","typ":"jwt""#,
        r#","typ":"application/at+jwt""#,
        r#","typ":"JOSE""#,
    ] {
        assert!(of(json!({}), typ).is_ok(), "{typ}");
    }
    for typ in [
        r#","typ":"logout+jwt""#,
        r#","typ":"secevent+jwt""#,
        r#","typ":"dpop+jwt""#,
        r#","typ":"""#,
        r#","typ":"x""#,
    ] {
        assert_eq!(
            of(json!({}), typ),
            Err(AuthError::Invalid(Reason::Type)),
            "{typ}"
        );
    }
    let strict = json!({"types": ["at+jwt"]});
    assert!(of(strict.clone(), r#","typ":"at+jwt""#).is_ok());
    assert_eq!(of(strict, ""), Err(AuthError::Invalid(Reason::Type)));
}

#[test]
fn repeated_claims_are_refused() {
    for claims in [
        format!(
            r#"{{"iss":"https://idp.example","aud":"thanos","exp":1,"exp":{},"tenant":"a"}}"#,
            NOW + 9
        ),
        format!(
            r#"{{"iss":"https://idp.example","aud":"thanos","exp":{},"tenant":"b","\u0074enant":"a"}}"#,
            NOW + 9
        ),
    ] {
        let token = raw(r#"{"alg":"HS256"}"#, &claims);
        assert_eq!(
            ask(&mut c0(json!({})), &bearer(&token)),
            Err(AuthError::Invalid(Reason::Encoding))
        );
    }
}

#[test]
fn a_cached_verdict_ends_with_its_token_whatever_the_clock_does() {
    let mut auth = c0(json!({}));
    let head = bearer(&token(json!({"exp": NOW + 100})));
    let mut ask = |secs: f64| auth.authenticate(&head, &NoPeer, &NoHost, at(secs)).is_ok();
    assert!(ask(0.0));
    assert!(ask(-3600.0));
    assert!(ask(129.9));
    assert!(!ask(130.0));
    assert!(ask(20.0));
    assert!(!ask(1e9));
    assert!(!ask(131.0));
}

#[test]
fn a_token_over_the_limit_is_refused() {
    let mut auth = c0(json!({}));
    assert!(ask(&mut auth, &bearer(&token(json!({"pad": "x".repeat(5000)})))).is_ok());
    for size in [6200, 44_000] {
        let long = token(json!({ "pad": "x".repeat(size) }));
        assert_eq!(
            ask(&mut auth, &bearer(&long)),
            Err(AuthError::Invalid(Reason::TooLong))
        );
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(".{0,4}", inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// What the module's verification thinks of claims changes nothing: it decides signatures.
    #[test]
    fn host_and_module_agree_on_every_claim_set(
        name in "[a-z]{1,5}|iat|nbf|jti|sub|aud|nonce|exp|kid|scope",
        value in any_json(),
    ) {
        let claims = json!({"iss": "https://idp.example", "aud": "thanos", "exp": NOW + 3600, "tenant": "a"});
        let mut with = claims.clone();
        with[&name] = value;
        let text = with.to_string();
        let token = raw(r#"{"alg":"HS256"}"#, &text);
        let parsed = jose::parse(&token);
        prop_assume!(parsed.is_ok());
        let parsed = parsed.unwrap();
        let auth = c0(json!({}));
        if auth.issuers[0].rules.check(&parsed.claims, at(0.0)).is_ok() {
            let verdict = verify::signature(&parsed, &super::super::keys::Material::Secret(secret()), &NoHost);
            prop_assert_eq!(verdict, verify::Signature::Good, "{}", text);
        }
    }

    #[test]
    fn claims_of_any_shape_never_widen_a_grant(tenant in any_json(), tenants in any_json()) {
        if let Ok(grant) = verdict(json!({}), json!({"tenant": tenant, "tenants": tenants})) {
            let texts = format!("{tenant} {tenants}");
            prop_assert!(!names(&grant.read).is_empty());
            for name in names(&grant.read) {
                prop_assert!(name != "*" && texts.contains(name), "{}", texts);
            }
        }
    }
}

#[test]
fn the_signer_of_the_module_is_understood_too() {
    use jwt_simple::prelude::{Claims, Duration};
    let key = HS256Key::from_bytes(&secret()).with_key_id("oct");
    let claims = Claims::with_custom_claims(json!({"tenant": "a"}), Duration::from_hours(1))
        .with_issuer("https://idp.example")
        .with_audience("thanos");
    let token = key.authenticate(claims.clone()).unwrap();
    #[expect(clippy::cast_precision_loss, reason = "seconds of this century")]
    let now = claims.issued_at.unwrap().as_secs() as f64;
    let verdict = c0(json!({})).authenticate(
        &bearer(&token),
        &NoPeer,
        &NoHost,
        UnixTime::from_secs(0).plus(now),
    );
    assert_eq!(names(&granted(verdict).read), ["a"]);
}

#[test]
fn ten_thousand_live_tokens_fit_in_the_cache() {
    let mut auth = c0(json!({}));
    let tenant = |n: usize| format!("tenant-{}", n % 500);
    for n in 0..10_000 {
        let claims =
            json!({"tenant": tenant(n), "sub": format!("user-{n}"), "pad": "x".repeat(400)});
        assert!(ask(&mut auth, &bearer(&token(claims))).is_ok());
    }
    let (count, bytes) = auth.cache_size();
    assert!(count == 10_000 && bytes < 12 << 20, "{count} {bytes}");
}

#[test]
fn a_remembered_token_is_refused_beside_another_credential() {
    let mut auth = c0(json!({}));
    let token = token(json!({}));
    let grant = granted(ask(&mut auth, &bearer(&token)));
    assert_eq!(auth.cache_size().0, 1);
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let again = head(&[("authorization", &format!("{scheme} {token}"))]);
        assert!(
            Arc::ptr_eq(&grant, &granted(ask(&mut auth, &again))),
            "{scheme}"
        );
    }
    let value = format!("Bearer {token}");
    for refused in [
        head(&[("authorization", &value), ("authorization", &value)]),
        head(&[("authorization", &format!("{value},{value}"))]),
        head(&[("authorization", &format!("Bearer{token}"))]),
        head(&[("authorization", &format!("Basic {token}"))]),
        head(&[("authorization", &format!("{value} "))]),
        head(&[("authorization", &token)]),
    ] {
        assert!(ask(&mut auth, &refused).is_err());
    }
}

#[test]
fn a_remembered_token_is_refused_where_another_place_has_one_too() {
    let mut doc = issuer(all_keys(), json!({}));
    doc["token"] = json!({"query": "access_token"});
    let mut auth = compiled(doc).unwrap();
    let token = token(json!({}));
    granted(ask(&mut auth, &bearer(&token)));
    let mut both = bearer(&token);
    let path = format!("/api/v1/query?access_token={token}");
    both.headers = Headers::new(vec![
        (":method".to_owned(), b"GET".to_vec()),
        (":path".to_owned(), path.into_bytes()),
        (
            "authorization".to_owned(),
            format!("Bearer {token}").into_bytes(),
        ),
    ]);
    assert_eq!(
        ask(&mut auth, &both),
        Err(AuthError::Malformed(Reason::TwoCredentials))
    );
}
