//! The `auth` block: who calls, how that is verified, and which tenants follow.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::leaf::{Count, Duration, Secret, Size};
use crate::tenant::LabelName;

mod grant;

pub use grant::{Grant, Reach, Words};

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

/// The source of an issuer's keys.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Keys {
    /// A JSON Web Key Set: the object, its text, or `{env: NAME}` for a variable with its text.
    Inline(serde_json::Value),
    /// Public keys in PEM, one block after the other.
    Pem(String),
    /// A key set that is fetched.
    Remote(Remote),
}

/// A fetched key set.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Remote {
    /// The Envoy cluster of the key server.
    pub cluster: String,
    /// The `Host` of the key server.
    pub authority: String,
    /// The `:scheme` that the key server sees: `https` unless the issuer's URL says `http`. Whether
    /// the connection is encrypted, the cluster says.
    #[serde(default)]
    pub scheme: Option<Scheme>,
    /// The path of the key set. Exactly one of `path` and `discovery` is given.
    #[serde(default)]
    pub path: Option<String>,
    /// `OpenID` discovery: the issuer's document names the key set.
    #[serde(default)]
    pub discovery: Option<Discovery>,
    /// The longest time between two fetches; the answer's `Cache-Control` may shorten it.
    #[serde(default = "refresh")]
    pub refresh: Duration,
    /// How long a fetch may take.
    #[serde(default = "timeout")]
    pub timeout: Duration,
    /// How long keys are used after a refresh was due and failed.
    #[serde(default = "max_stale")]
    pub max_stale: Duration,
}

/// The scheme of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

fn refresh() -> Duration {
    Duration::from_secs(300)
}

fn timeout() -> Duration {
    Duration::from_secs(5)
}

fn max_stale() -> Duration {
    Duration::from_secs(6 * 3600)
}

/// Where the document of `OpenID` discovery is, and where its key set may be.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Discovery {
    /// The document's path. By default the issuer's path and `/.well-known/openid-configuration`.
    pub path: Option<String>,
    /// Hosts that the key set may be at, besides `authority`, each with its cluster.
    pub hosts: BTreeMap<String, String>,
}

/// An earlier filter of the same listener that verifies tokens.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum VerifiedBy {
    /// Envoy's `jwt_authn`, by dynamic metadata.
    Metadata(Metadata),
}

/// Where `jwt_authn` puts the claims.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(
    feature = "command",
    derive(schemars::JsonSchema),
    schemars(rename = "PayloadInMetadata")
)]
#[serde(default, deny_unknown_fields)]
pub struct Metadata {
    /// The namespace.
    pub namespace: String,
    /// The key, `payload_in_metadata` of the provider. In Istio `payload`.
    pub key: String,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            namespace: "envoy.filters.http.jwt_authn".to_owned(),
            key: "payload".to_owned(),
        }
    }
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

/// Where a request may carry its token.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Token {
    /// Header fields.
    pub headers: Vec<TokenHeader>,
    /// A cookie.
    pub cookie: Option<TokenCookie>,
    /// A parameter of the URL. Tokens in URLs end in logs.
    pub query: Option<String>,
    /// The longest token.
    pub max_size: Size,
}

impl Default for Token {
    fn default() -> Self {
        Self {
            headers: vec![TokenHeader {
                name: "authorization".to_owned(),
                scheme: Some("Bearer".to_owned()),
            }],
            cookie: None,
            query: None,
            max_size: Size::from_bytes(8 * 1024),
        }
    }
}

/// A header field that carries a token.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TokenHeader {
    /// The field's name.
    pub name: String,
    /// The word before the token. Absent: the value is the token.
    #[serde(default)]
    pub scheme: Option<String>,
}

/// A cookie that carries a token.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TokenCookie {
    /// The cookie's name.
    pub name: String,
    /// Requests of other methods than GET and HEAD need an `Origin` out of these.
    pub origins: Vec<String>,
}

/// A fixed secret. Exactly one of `bearer_sha256` and `basic` is given.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Static {
    /// Who it is, for audit lines.
    pub name: String,
    /// SHA-256 of a bearer secret, in hexadecimal.
    #[serde(default)]
    pub bearer_sha256: Option<Secret>,
    /// A user and a password.
    #[serde(default)]
    pub basic: Option<Basic>,
    /// What it may do.
    pub grant: Grant,
}

/// A user and a password.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The user.
    pub user: String,
    /// SHA-256 of the password, in hexadecimal. A password must be generated: SHA-256 protects no
    /// word that can be guessed.
    pub password_sha256: Secret,
}

/// A rule for client certificates. Exactly one of the three patterns is given. In a pattern,
/// `{tenant}` is the tenant and `*` any text within one part.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Mtls {
    /// A pattern for the first URI SAN, such as `spiffe://cluster.local/ns/{tenant}/sa/*`.
    #[serde(default)]
    pub uri_san: Option<String>,
    /// A pattern for the first DNS SAN, such as `{tenant}.agents.example`.
    #[serde(default)]
    pub dns_san: Option<String>,
    /// A pattern for the subject in RFC 2253 form, such as `CN={tenant},O=example`.
    #[serde(default)]
    pub subject: Option<String>,
    /// Whether `{tenant}` may be read.
    #[serde(default = "yes")]
    pub read: bool,
    /// Whether `{tenant}` may be written.
    #[serde(default = "yes")]
    pub write: bool,
    /// What the certificate may do, for a pattern without `{tenant}`.
    #[serde(default)]
    pub grant: Option<Grant>,
}

fn yes() -> bool {
    true
}

/// Proxies that may say, by `X-Forwarded-Client-Cert`, whose certificate they were shown.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ForwardedCertificate {
    /// Patterns of the first URI SAN, such as `spiffe://cluster.local/ns/edge/sa/gateway`; `*` is
    /// any text within one part. The connection's own certificate must fit one, or the header is
    /// not read; elements of the header that fit one are hops as well, counted from the last. The
    /// last element that is no hop is the caller, and the rules of `mtls` are for it.
    pub hops: Vec<String>,
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
