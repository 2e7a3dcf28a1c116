//! Callers with a credential that is theirs, and others.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};

use super::super::choices::Choices;

/// The time of all runs.
pub const NOW: u64 = 1_750_000_000;

/// What a caller may do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rights {
    /// Tenants that may be read; `*` for all.
    pub read: &'static [&'static str],
    /// Tenants that may be written.
    pub write: &'static [&'static str],
    /// The label that is enforced besides.
    pub label: Option<(&'static str, &'static str)>,
}

/// A request's credential, and what it is worth.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// Header fields.
    pub fields: Vec<(String, Vec<u8>)>,
    /// What it gives; nothing if it is not valid.
    pub rights: Option<Rights>,
}

const A: &[&str] = &["team-a"];
const AB: &[&str] = &["team-a", "team-b"];
const ALL: &[&str] = &["*"];
const NONE: &[&str] = &[];

const FIXED: &[(&str, &[&str], &[&str])] = &[
    ("team-a", A, A),
    ("team-ab", AB, AB),
    ("reader-a", A, NONE),
    ("writer-a", NONE, A),
    ("outsider", &["outsider"], &["outsider"]),
    ("admin", ALL, NONE),
];

/// The `auth` block that knows them.
pub fn auth() -> Value {
    let fixed: Vec<Value> = FIXED
        .iter()
        .map(|(name, read, write)| {
            let hash = hmac_sha256::Hash::hash(secret(name).as_bytes());
            let hex: String = hash.iter().map(|b| format!("{b:02x}")).collect();
            json!({"name": name, "bearer_sha256": hex,
                "grant": {"read": reach(read), "write": reach(write)}})
        })
        .collect();
    let key = Base64UrlUnpadded::encode_string(&KEY);
    json!({"static": fixed, "issuers": [{
        "issuer": "i", "audiences": ["a"], "algorithms": ["HS256"],
        "keys": {"inline": {"keys": [{"kty": "oct", "k": key}]}},
        "tenants": [{"claim": "/t"}], "labels_from": "/l"}]})
}

const KEY: [u8; 32] = [7; 32];

fn reach(tenants: &[&str]) -> Value {
    match tenants {
        [] => json!("none"),
        ["*"] => json!("all"),
        list => json!(list),
    }
}

fn secret(name: &str) -> String {
    format!("the-generated-secret-of-{name}-0123456789abcdef")
}

/// Chooses one.
pub fn choose(c: &mut Choices<'_>) -> Caller {
    match c.below(8) {
        0..=4 => {
            let (name, read, write) = c.one_of(FIXED);
            let rights = Rights {
                read,
                write,
                label: None,
            };
            bearer(&secret(name), Some(rights))
        }
        5 => {
            let rights = Rights {
                read: A,
                write: A,
                label: Some(("team", "x")),
            };
            let token = token(
                r#"{"iss":"i","aud":"a","exp":1750009999,"t":["team-a"],"l":{"team":["x"]}}"#,
            );
            bearer(&token, Some(rights))
        }
        6 => invalid(c),
        _ => {
            // Two credentials are one too many.
            let mut caller = bearer(&secret("team-a"), None);
            caller
                .fields
                .extend(bearer(&secret("team-ab"), None).fields);
            caller
        }
    }
}

fn invalid(c: &mut Choices<'_>) -> Caller {
    match c.below(5) {
        0 => Caller::default(),
        1 => bearer(&secret("team-aa"), None),
        2 => bearer(
            &token(r#"{"iss":"i","aud":"a","exp":1749990000,"t":["team-a"],"l":{"team":["x"]}}"#),
            None,
        ),
        3 => bearer(
            &token(r#"{"iss":"i","aud":"a","exp":1750009999,"t":"../x","l":{"team":["x"]}}"#),
            None,
        ),
        _ => {
            let mut caller = bearer("", None);
            caller.fields[0].1 = c.bytes().to_vec();
            caller
        }
    }
}

fn bearer(secret: &str, rights: Option<Rights>) -> Caller {
    let value = format!("Bearer {secret}").into_bytes();
    Caller {
        fields: vec![("authorization".to_owned(), value)],
        rights,
    }
}

fn token(claims: &str) -> String {
    let part = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    let signed = format!(
        "{}.{}",
        part(br#"{"alg":"HS256"}"#),
        part(claims.as_bytes())
    );
    let mac = hmac_sha256::HMAC::mac(signed.as_bytes(), KEY);
    format!("{signed}.{}", part(&mac))
}
