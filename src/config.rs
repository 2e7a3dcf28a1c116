//! The configuration as an operator writes it, in JSON or YAML.
//!
//! Unknown fields are errors everywhere, and no default widens access. A [`Document`] is only
//! syntax; [`crate::policy::Policy`] is what it means.

pub mod auth;
pub mod error;
pub mod leaf;
#[cfg(feature = "command")]
mod schema;
mod tree;
pub mod upstream;
pub mod wkt;
pub mod write;

use serde::Deserialize;

use self::auth::Auth;
use self::error::Problems;
use self::leaf::{Count, Duration, Secret, Size};
use self::tree::Node;
use self::upstream::Upstream;
use crate::tenant::{LabelName, TenantId, TenantPattern};

/// The whole configuration of one filter.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// What a tenant is here.
    #[serde(default)]
    pub tenancy: Tenancy,
    /// The header whose secret value proves to a route that the filter let the request pass.
    pub seal: Option<Seal>,
    /// How callers are recognised.
    pub auth: Auth,
    /// What the gateway leads to. At least one.
    pub upstreams: Vec<Upstream>,
    /// What becomes of requests for hosts that no upstream names.
    #[serde(default)]
    pub other_hosts: OtherHosts,
    /// Request headers that reach the upstream besides content negotiation, tracing and the user
    /// agent.
    #[serde(default)]
    pub headers: HeaderRules,
    /// Bounds of memory and time.
    #[serde(default)]
    pub limits: Limits,
    /// What the log lines tell.
    #[serde(default)]
    pub log: Log,
}

/// What a tenant is here.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Tenancy {
    /// The label that carries the tenant.
    pub label: LabelName,
    /// The header that tells the upstream the tenant.
    pub header: HeaderName,
    /// The value of that header on reads by a caller with several tenants; without it the header
    /// is left out there.
    pub several: Option<TenantId>,
    /// The tenants that exist, as names or patterns. Others get 403. Without it, any name of the
    /// tenant grammar.
    pub valid: Option<Vec<TenantPattern>>,
    /// Names that nobody may use, besides `default-tenant`.
    pub reserved: Vec<TenantId>,
    /// Tenants that every grant may read besides its own.
    pub shared: Vec<TenantId>,
    /// Which tenants may pass here at all, whatever the identity says.
    pub ceiling: Option<Ceiling>,
    /// How a caller with several tenants names some of them.
    pub select: Select,
    /// The most tenants that one caller may have.
    pub max_tenants: Count,
}

impl Default for Tenancy {
    fn default() -> Self {
        Self {
            label: default_label(),
            header: HeaderName("thanos-tenant".into()),
            several: None,
            valid: None,
            reserved: Vec::new(),
            shared: Vec::new(),
            ceiling: None,
            select: Select::default(),
            max_tenants: Count::new(100),
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "a constant of the grammar; a test builds it"
)]
fn default_label() -> LabelName {
    LabelName::parse("tenant_id").expect("a label name")
}

/// The bound of every grant.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Ceiling {
    /// An administrator's reads carry no tenant matcher at all.
    Unlimited,
    /// Only tenants that fit one of these.
    Tenants(Vec<TenantPattern>),
}

/// How a caller with several tenants names some of them; several names are joined by `|`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Select {
    /// The request header.
    pub header: HeaderName,
    /// The parameter, on reads.
    pub parameter: String,
}

impl Default for Select {
    fn default() -> Self {
        Self {
            header: HeaderName("x-promfence-tenant".into()),
            parameter: "tenant".into(),
        }
    }
}

/// The header of the seal. Each upstream has a value of its own.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// The request header.
    pub header: HeaderName,
}

/// What becomes of requests for hosts that no upstream names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OtherHosts {
    /// They are refused.
    #[default]
    Deny,
    /// They pass without authentication, their tenancy headers and seal removed: for a gateway
    /// that serves other applications too.
    Pass,
}

/// Request headers towards the upstream.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct HeaderRules {
    /// Headers that pass besides the built-in ones.
    pub allow: Vec<HeaderName>,
    /// Headers that never pass, even where other hosts are let through: tenancy headers of
    /// neighbouring systems.
    pub strip: Vec<HeaderName>,
}

/// Bounds of memory and time of one worker.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// All bytes that requests and answers may hold in one worker at one time. Over it: 503.
    pub worker_memory: Size,
    /// The part of it that the tenants of one grant may hold, in percent.
    pub grant_share: Count,
    /// The most requests of the tenants of one grant that may be under way in one worker, from the
    /// head of the request to the end of the answer. Over it: 503.
    pub requests: Count,
    /// The bytes of the confined-query cache of one worker.
    pub query_cache: Size,
    /// The most parameters of a request.
    pub parameters: Count,
    /// How long a look-up that a request waits for may take.
    pub lookup_timeout: Duration,
    /// How long a body may take to come whole, where it is held until then. Over it: 408 for a
    /// request; 504 for an answer whose head has waited, any other is cut.
    pub gather_timeout: Duration,
    /// The head of an answer that is held waits until so many bytes of its body have come: if all
    /// of it comes before, a bad one is a clean 502, not a cut connection. 0: no head waits. Needs
    /// `allow_on_headers_stop_iteration: true` of Envoy's filter, without which every such answer is
    /// a 504. The listener's `per_connection_buffer_limit_bytes` must be larger by the cluster's and
    /// 128 KiB, or large answers may be a 500.
    pub hold_head: Size,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            worker_memory: Size::from_bytes(256 << 20),
            grant_share: Count::new(50),
            requests: Count::new(128),
            query_cache: Size::from_bytes(8 << 20),
            parameters: Count::new(64),
            lookup_timeout: Duration::from_secs(5),
            gather_timeout: Duration::from_secs(30),
            hold_head: Size::from_bytes(0),
        }
    }
}

/// What is told of requests.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Whether a denial's line has the text of the query. It may be personal data.
    pub queries: bool,
    /// What access logs and later filters may read of a request, as filter state
    /// `wasm.promfence.NAME`. Each costs about 4 % of a request; by default there is none.
    pub properties: Vec<Property>,
}

/// What is known of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Property {
    /// The tenants, joined by `|`; `*` for all; empty if none was found out.
    Tenant,
    /// Who calls; empty if nobody was recognised.
    Subject,
    /// The endpoint's name, or `unknown`.
    Endpoint,
    /// `allowed`, `answered`, or the reason of a denial.
    Decision,
}

impl Property {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tenant, Self::Subject, Self::Endpoint, Self::Decision];

    /// Its name in the configuration, and the last part of its name in Envoy.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Subject => "subject",
            Self::Endpoint => "endpoint",
            Self::Decision => "decision",
        }
    }
}

/// The name of a header, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderName(pub(crate) String);

impl HeaderName {
    /// Parses a name: a token of RFC 9110, any case, no pseudo header.
    pub fn parse(name: &str) -> Result<Self, InvalidHeader> {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || name.len() > 128 || !name.bytes().all(token) {
            return Err(InvalidHeader);
        }
        Ok(Self(name.to_ascii_lowercase()))
    }

    /// The name in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Not a header's name.
#[derive(Clone, Copy, Debug)]
pub struct InvalidHeader;

impl std::fmt::Display for InvalidHeader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a header name")
    }
}

impl<'de> Deserialize<'de> for HeaderName {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).map_err(|e| serde::de::Error::custom(format!("`{text}` is {e}")))
    }
}

impl Document {
    /// Parses a plugin configuration as Envoy hands it over: JSON, or a serialised
    /// `google.protobuf.Struct`. An error names each field.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        if bytes.iter().all(u8::is_ascii_whitespace) {
            problems.add("", "the configuration is empty");
            return Err(problems);
        }
        if let Some(value) = wkt::parse(bytes) {
            return Self::from_value(value);
        }
        match serde_json::from_slice::<Node>(bytes) {
            Ok(node) => node.read(),
            Err(e) => {
                problems.add("", e);
                Err(problems)
            }
        }
    }

    /// Takes a value. An error names the field.
    pub fn from_value(value: serde_json::Value) -> Result<Self, Problems> {
        Node::from(value).read()
    }

    /// The secrets of a document that must come from somewhere, for `promfence check`.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.upstreams
            .iter()
            .filter_map(|u| u.parts().1.seal.as_ref())
    }
}
