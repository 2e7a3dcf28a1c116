//! What a request may show besides a token of an issuer, and where.

use serde::Deserialize;

use super::Grant;
use crate::config::leaf::{Secret, Size};

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

impl Token {
    /// Names of header fields that may carry a credential: none of them goes upstream.
    pub fn header_names(&self) -> impl Iterator<Item = String> {
        let fixed = ["authorization", "proxy-authorization"];
        let cookie = self.cookie.as_ref().map(|_| "cookie");
        let names = self.headers.iter().map(|h| h.name.to_ascii_lowercase());
        names.chain(fixed.into_iter().chain(cookie).map(str::to_owned))
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
