//! Callers of the tests: fixed secrets, and tokens signed with a fixed key.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};

/// The issuer of tokens.
pub(crate) const ISSUER: &str = "https://idp.example";

/// The callers with a fixed secret, and what each may do.
fn callers() -> Vec<(&'static str, Value)> {
    vec![
        ("team-a", json!({"tenants": ["team-a"]})),
        ("team-b", json!({"tenants": ["team-b"]})),
        ("team-ab", json!({"tenants": ["team-a", "team-b"]})),
        ("reader-a", json!({"read": ["team-a"], "write": "none"})),
        ("writer-a", json!({"read": "none", "write": ["team-a"]})),
        ("outsider", json!({"tenants": ["infra"]})),
        ("admin", json!({"read": "all"})),
    ]
}

/// The `auth` block that knows all callers, and the issuer with the key `kid`.
pub(crate) fn auth() -> Value {
    let fixed: Vec<Value> = callers()
        .into_iter()
        .map(|(name, grant)| {
            let hash = hmac_sha256::Hash::hash(secret(name).as_bytes());
            let hex: String = hash.iter().map(|b| format!("{b:02x}")).collect();
            json!({"name": name, "bearer_sha256": hex, "grant": grant})
        })
        .collect();
    json!({"static": fixed, "issuers": [issuer(json!({"inline": {"keys": [jwk(1)]}}))]})
}

/// An issuer whose tokens name tenants in `tenants`.
pub(crate) fn issuer(keys: Value) -> Value {
    json!({
        "issuer": ISSUER,
        "audiences": ["thanos"],
        "keys": keys,
        "tenants": [{"claim": "/tenants"}],
        "admins": {"claim": "/groups", "any_of": ["metrics-admins"], "read": "all"},
    })
}

/// The value of `authorization` for a caller with a fixed secret.
pub(crate) fn bearer(name: &str) -> String {
    format!("Bearer {}", secret(name))
}

fn secret(name: &str) -> String {
    format!("the-generated-secret-of-{name}-0123456789abcdef")
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).unwrap()
}

/// The public key of a seed; its `kid` is `ec-SEED`.
pub(crate) fn jwk(seed: u8) -> Value {
    let point = key(seed).verifying_key().to_sec1_point(false);
    let part = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    json!({
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": format!("ec-{seed}"),
        "x": part(&point.as_bytes()[1..33]), "y": part(&point.as_bytes()[33..65]),
    })
}

/// A token signed with the key of a seed.
pub(crate) fn token(seed: u8, claims: &Value) -> String {
    let part = |value: &Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": format!("ec-{seed}")});
    let text = format!("{}.{}", part(&header), part(claims));
    let signature: Signature = key(seed).sign(text.as_bytes());
    format!(
        "{text}.{}",
        Base64UrlUnpadded::encode_string(&signature.to_bytes())
    )
}

/// Claims of a caller with tenants, valid for an hour.
pub(crate) fn claims(now: i64, more: &Value) -> Value {
    let mut claims =
        json!({"iss": ISSUER, "aud": "thanos", "sub": "somebody", "iat": now, "exp": now + 3600});
    let more = more.as_object().unwrap();
    claims.as_object_mut().unwrap().extend(more.clone());
    claims
}
