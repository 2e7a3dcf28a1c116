//! Where an issuer's keys are, or who has verified its tokens already.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::config::leaf::Duration;

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
