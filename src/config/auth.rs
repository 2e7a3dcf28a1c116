//! The `auth` block: who calls, how that is verified, and which tenants follow.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::leaf::{Count, Duration, Secret, Size};
use crate::tenant::LabelName;

mod credential;
mod grant;
mod keys;

pub use credential::{Basic, ForwardedCertificate, Mtls, Static, Token, TokenCookie, TokenHeader};
pub use grant::{Grant, Reach, Words};
pub use keys::{Discovery, Keys, Metadata, Remote, Scheme, VerifiedBy};

/// All ways of saying who calls. A request without a credential is refused unless `anonymous`
/// grants it something.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Issuers of JSON Web Tokens.
    pub issuers: Vec<Issuer>,
    /// Where a request may carry its token. By default only `Authorization: Bearer`.
    pub token: Token,
    /// Fixed secrets: bearer or basic.
    #[serde(rename = "static")]
    pub fixed: Vec<Static>,
    /// Client certificates; the first rule that fits decides. Only for requests without a token.
    pub mtls: Vec<Mtls>,
    /// Proxies in front that may say whose certificate they were shown. Absent: the header
    /// `X-Forwarded-Client-Cert` is never read.
    pub forwarded_certificate: Option<ForwardedCertificate>,
    /// What a request without any credential may do. Absent: nothing.
    pub anonymous: Option<Grant>,
    /// The cache of verified tokens.
    pub cache: Cache,
    /// How often tokens with an unknown `kid` may cause a fetch of keys.
    pub unknown_kid: UnknownKid,
    /// Sharing of fetched keys among workers. Absent: each worker fetches.
    pub shared_keys: Option<SharedKeys>,
}

/// A signature algorithm, by its name in JOSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the registered ones")]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
    HS256,
    HS384,
    HS512,
}

impl Algorithm {
    /// Every algorithm with a public key: what an issuer may use if it lists none.
    pub const ASYMMETRIC: [Self; 10] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
    ];

    /// Whether the key is a shared secret.
    #[must_use]
    pub fn is_symmetric(self) -> bool {
        matches!(self, Self::HS256 | Self::HS384 | Self::HS512)
    }
}

/// One issuer of tokens: what makes its tokens valid, and which tenants follow from their claims.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// The exact value of `iss`.
    pub issuer: String,
    /// `aud` must be, or contain, one of these.
    pub audiences: Vec<String>,
    /// Accepted algorithms. By default all with a public key.
    #[serde(default)]
    pub algorithms: Option<Vec<Algorithm>>,
    /// Where the keys come from. Exactly one of `keys` and `verified_by` is given.
    #[serde(default)]
    pub keys: Option<Keys>,
    /// An earlier filter that verified the token.
    #[serde(default)]
    pub verified_by: Option<VerifiedBy>,
    /// How far clocks may differ.
    #[serde(default = "leeway")]
    pub leeway: Duration,
    /// The longest time from `iat` to `exp`; `iat` is then required.
    #[serde(default)]
    pub max_lifetime: Option<Duration>,
    /// The longest time since `iat`, which is then required.
    #[serde(default)]
    pub max_age: Option<Duration>,
    /// Claims that must have one of the given values.
    #[serde(default)]
    pub required: Vec<Required>,
    /// `azp`, or `client_id`, must be one of these.
    #[serde(default)]
    pub authorized_parties: Vec<String>,
    /// Accepted values of `typ`, which is then required. By default `JWT`, `at+jwt`, `JOSE` or none.
    #[serde(default)]
    pub types: Option<Vec<String>>,
    /// Claims that name tenants, joined.
    #[serde(default)]
    pub tenants: Vec<TenantSource>,
    /// Labels that are enforced besides the tenant; each claim is then required.
    #[serde(default)]
    pub labels: BTreeMap<LabelName, LabelSource>,
    /// A claim whose value is an object from label names to values, all enforced; then required.
    #[serde(default)]
    pub labels_from: Option<String>,
    /// Who reads the data of all tenants.
    #[serde(default)]
    pub admins: Option<Admins>,
    /// Words that a token needs in order to read and to write. Absent: both are granted.
    #[serde(default)]
    pub rights: Option<Rights>,
    /// The claim that names the caller in audit lines.
    #[serde(default = "subject")]
    pub subject: String,
}

fn leeway() -> Duration {
    Duration::from_secs(60)
}

fn subject() -> String {
    "/sub".to_owned()
}

/// A claim that must be there with one of some values.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Required {
    /// A JSON Pointer.
    pub claim: String,
    /// The claim, a string or an array of strings, is or contains one of these.
    pub any_of: Vec<String>,
}

/// A claim that names tenants.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TenantSource {
    /// A JSON Pointer to a string or an array of strings.
    pub claim: String,
    /// Splits a string at this text. Absent: a string is one value.
    #[serde(default)]
    pub split: Option<String>,
    /// Only values that begin so count; the rest names the tenant.
    #[serde(default)]
    pub strip_prefix: Option<String>,
    /// Only values that fit this regular expression as a whole count; its one group names the
    /// tenant.
    #[serde(default)]
    pub capture: Option<String>,
    /// Only values that stand here count; each grants what stands beside it.
    #[serde(default)]
    pub map: Option<BTreeMap<String, Grant>>,
}

/// A claim that gives the allowed values of a label.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LabelSource {
    /// A JSON Pointer to a string or an array of strings.
    pub claim: String,
    /// Splits a string at this text.
    #[serde(default)]
    pub split: Option<String>,
    /// Only values that begin so count; the rest is the label's value.
    #[serde(default)]
    pub strip_prefix: Option<String>,
}

/// Who may read the data of all tenants under the ceiling.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Admins {
    /// A JSON Pointer to a string or an array of strings.
    pub claim: String,
    /// The claim is or contains one of these.
    pub any_of: Vec<String>,
    /// What an administrator reads.
    #[serde(default = "all")]
    pub read: Reach,
    /// What an administrator writes. By default nothing.
    #[serde(default)]
    pub write: Reach,
}

fn all() -> Reach {
    Reach::All
}

/// Words of a claim that give the rights to read and to write.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rights {
    /// A JSON Pointer to a string of words with spaces between, or an array of strings.
    pub claim: String,
    /// Any of these words gives the right to read. Absent: nobody reads.
    #[serde(default)]
    pub read: Words,
    /// Any of these words gives the right to write. Absent: nobody writes.
    #[serde(default)]
    pub write: Words,
}

/// Bounds of the cache of verified tokens.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Cache {
    /// Its memory, in each worker. `0` turns it off.
    pub size: Size,
    /// How long a verified token is remembered at most.
    pub max_age: Duration,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            size: Size::from_bytes(12 << 20),
            max_age: Duration::from_secs(300),
        }
    }
}

/// How often unknown keys may be asked for, for each issuer and worker.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct UnknownKid {
    /// One more fetch is allowed each time this has passed.
    pub interval: Duration,
    /// As many may be saved up.
    pub burst: Count,
}

impl Default for UnknownKid {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            burst: Count::new(3),
        }
    }
}

/// Sharing of fetched keys among workers and configurations.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SharedKeys {
    /// The secret that authenticates entries; at least 32 bytes.
    pub secret: Secret,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sketch_of_the_manual_is_understood() {
        let doc: Auth = serde_json::from_value(serde_json::json!({
            "issuers": [{
                "issuer": "https://idp.example/realms/metrics",
                "audiences": ["thanos"],
                "keys": {"remote": {"cluster": "idp", "authority": "idp.example",
                    "path": "/realms/metrics/certs", "refresh": "300s"}},
                "tenants": [{"claim": "/groups", "map": {
                    "team-admins": {"all": true},
                    "sre": {"tenants": ["a", "b"], "write": "a"}}}],
                "admins": {"claim": "/groups", "any_of": ["metrics-admins"], "read": "all"}
            }],
            "static": [{"name": "ci", "bearer_sha256": {"env": "CI"}, "grant": {"tenants": ["ci"]}}]
        }))
        .unwrap();
        assert_eq!(doc.issuers[0].leeway.secs(), 60.0);
        assert_eq!(doc.issuers[0].admins.as_ref().unwrap().read, Reach::All);
        assert_eq!(doc.token.max_size.bytes(), 8192);
    }

    #[test]
    fn unknown_fields_are_refused_at_every_level() {
        for text in [
            r#"{"isuers": []}"#,
            r#"{"issuers": [{"issuer": "x", "audiences": [], "kys": {}}]}"#,
            r#"{"issuers": [{"issuer": "x", "audiences": [], "keys": {"file": "x"}}]}"#,
            r#"{"issuers": [{"issuer": "x", "audiences": [], "algorithms": ["none"]}]}"#,
            r#"{"issuers": [{"issuer": "x", "audiences": [], "algorithms": ["rs256"]}]}"#,
            r#"{"anonymous": {"reed": "all"}}"#,
        ] {
            assert!(serde_json::from_str::<Auth>(text).is_err(), "{text}");
        }
    }
}
