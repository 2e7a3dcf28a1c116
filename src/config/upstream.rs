//! The upstreams of a configuration and their options.

use serde::Deserialize;

use super::leaf::{Secret, Size};
use super::write::{SeriesLabel, WriteBody};
use super::{Ceiling, HeaderName};
use crate::promql::Guards;
use crate::route::Kind;
use crate::scope::OnConflict;
use crate::tenant::LabelName;

/// One upstream: its kind decides which endpoints exist.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Upstream {
    /// Prometheus.
    Prometheus(Options),
    /// Thanos Query or Thanos Query Frontend.
    Thanos(Options),
    /// Thanos Receive, or another receiver of remote-write that takes the tenant from a header.
    Receive(Options),
    /// Thanos Rule.
    Ruler(Options),
    /// Alertmanager.
    Alertmanager(Options),
}

impl Upstream {
    /// The kind, its options, and its name in a path.
    #[must_use]
    pub fn parts(&self) -> (Kind, &Options, &'static str) {
        match self {
            Self::Prometheus(o) => (Kind::Prometheus, o, "prometheus"),
            Self::Thanos(o) => (Kind::Thanos, o, "thanos"),
            Self::Receive(o) => (Kind::Receive, o, "receive"),
            Self::Ruler(o) => (Kind::Ruler, o, "ruler"),
            Self::Alertmanager(o) => (Kind::Alertmanager, o, "alertmanager"),
        }
    }
}

/// The options of an upstream. One that the kind cannot honour is an error.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The hosts under which it is served, without port; `*` alone for any.
    pub hosts: Vec<String>,
    /// The path under which it is served, such as `/alertmanager`. The route strips it.
    pub prefix: String,
    /// The Envoy cluster, for look-ups.
    pub cluster: Option<String>,
    /// The value of the seal for this upstream.
    pub seal: Option<Secret>,
    /// The header that tells this upstream the tenant, in place of `tenancy.header`.
    pub header: Option<HeaderName>,
    /// The path under which the upstream itself lives, for look-ups, such as `/alertmanager`.
    pub upstream_prefix: String,
    /// A ceiling of its own, besides `tenancy.ceiling`.
    pub ceiling: Option<Ceiling>,
    /// Matchers enforced for every caller besides the tenant's.
    pub matchers: Vec<StaticMatcher>,
    /// Paths among `/-/healthy` and `/-/ready` that need no credential.
    pub public: Vec<String>,

    /// A user's own matcher on an enforced label.
    pub on_conflict: Option<OnConflict>,
    /// Bounds of a query.
    pub guards: Option<Guards>,
    /// The most points of a range query, `(end - start) / step`.
    pub max_points: Option<super::leaf::Count>,
    /// PromQL functions besides the known ones.
    pub functions: Option<AllowList>,
    /// Parameters that pass besides the known ones.
    pub parameters: Option<AllowList>,
    /// Whether `/federate` is served.
    pub federate: Option<bool>,
    /// Whether `/api/v1/read` is served.
    pub remote_read: Option<bool>,
    /// What `/api/v1/metadata` answers.
    pub metadata: Option<Metadata>,
    /// What `/api/v1/targets` answers.
    pub targets: Option<Targets>,
    /// Which rules are shown besides those that carry the enforced labels.
    pub rules: Option<Rules>,
    /// Whether Thanos may answer in part.
    pub partial_response: Option<bool>,
    /// Proof on the answer.
    pub verify: Option<Verify>,
    /// The largest answer that is filtered.
    pub max_response: Option<Size>,
    /// The largest form body of a read.
    pub max_form: Option<Size>,

    /// What becomes of the enforced labels in a written body: short for `write.series_label`.
    /// Without it and `write`, bodies are not read.
    pub series_label: Option<SeriesLabel>,
    /// What is done with written bodies.
    pub write: Option<WriteBody>,
    /// The largest written body, as it comes.
    pub max_body: Option<Size>,
    /// Another path for remote-write, such as `/api/v1/push`.
    pub write_path: Option<String>,

    /// Whether tenants may post alerts to Alertmanager.
    pub post_alerts: Option<bool>,
    /// What `/api/v2/status` and `/api/v2/receivers` of Alertmanager answer.
    pub status: Option<Status>,
}

/// A matcher that every request carries.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StaticMatcher {
    /// The label.
    pub label: LabelName,
    /// Its allowed values.
    pub values: Vec<String>,
}

/// Names that are allowed besides the known ones.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AllowList {
    /// The names.
    pub allow: Vec<String>,
}

/// What `/api/v1/metadata` answers: it has no labels to filter by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Metadata {
    /// 404.
    #[default]
    Deny,
    /// A success without any entry: Grafana stays quiet.
    Empty,
    /// The entries of metrics that the caller has series of. Needs `cluster`.
    Filtered,
}

/// What `/api/v1/targets` answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Targets {
    /// 404.
    #[default]
    Deny,
    /// A success without any target.
    Empty,
    /// The active targets whose labels are in scope.
    Filtered,
}

/// What `/api/v2/status` and `/api/v2/receivers` answer. What Alertmanager says there is its whole
/// configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// 404.
    #[default]
    Deny,
    /// A success that tells nothing: Grafana's test of the data source asks for it.
    Empty,
}

/// Which rules are shown besides those that carry the enforced labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Alerting rules without the enforced labels that have active alerts in scope, with those
    /// alerts alone.
    pub active_alerts: bool,
    /// Rules without the enforced labels. Everybody sees their expressions.
    pub unlabelled: bool,
}

/// Proof on the answer: each series must be in scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    /// None.
    #[default]
    Off,
    /// One answer of sixteen is gathered and read.
    Sample,
    /// Every answer is gathered and read.
    All,
    /// Every answer is read as it passes; the first wrong series cuts it.
    Stream,
}
