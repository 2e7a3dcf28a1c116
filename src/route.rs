//! The closed table of endpoints: a method and a raw path become an [`Endpoint`], or are refused.

mod table;
#[cfg(test)]
mod tests;

pub use table::{Path, ROWS, Row};

use crate::http::Bytes;

/// What an upstream is. Its kind decides which endpoints exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Prometheus.
    Prometheus,
    /// Thanos Query, or a Query Frontend before it.
    Thanos,
    /// Thanos Receive.
    Receive,
    /// Thanos Rule.
    Ruler,
    /// Alertmanager.
    Alertmanager,
}

/// An endpoint that can be reached, if its verdict allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `/api/v1/query`
    Query,
    /// `/api/v1/query_range`
    QueryRange,
    /// `/api/v1/query_exemplars`
    QueryExemplars,
    /// `/api/v1/query_explain`
    QueryExplain,
    /// `/api/v1/query_range_explain`
    QueryRangeExplain,
    /// `/api/v1/series`
    Series,
    /// `/api/v1/labels`
    Labels,
    /// `/api/v1/label/<name>/values`
    LabelValues,
    /// `/api/v1/format_query`
    FormatQuery,
    /// `/api/v1/parse_query`
    ParseQuery,
    /// `/federate`
    Federate,
    /// `/api/v1/read`
    RemoteRead,
    /// `/api/v1/rules`
    Rules,
    /// `/api/v1/alerts`
    Alerts,
    /// `/api/v1/metadata`
    Metadata,
    /// `/api/v1/targets`
    Targets,
    /// `/api/v1/status/buildinfo`
    BuildInfo,
    /// `/api/v1/features`
    Features,
    /// `/api/v1/write` of Prometheus
    RemoteWrite,
    /// `/api/v1/receive` of Thanos Receive
    Receive,
    /// `/api/v1/otlp/v1/metrics`, and `/api/v1/otlp` of Thanos Receive
    Otlp,
    /// GET `/api/v2/alerts`
    AlertmanagerAlerts,
    /// `/api/v2/alerts/groups`
    AlertGroups,
    /// GET `/api/v2/silences`
    Silences,
    /// POST `/api/v2/silences`
    PostSilences,
    /// GET `/api/v2/silence/<id>`
    Silence,
    /// DELETE `/api/v2/silence/<id>`
    DeleteSilence,
    /// POST `/api/v2/alerts`
    PostAlerts,
    /// `/api/v2/status`
    AlertmanagerStatus,
    /// `/api/v2/receivers`
    Receivers,
    /// `/-/healthy`
    Healthy,
    /// `/-/ready`
    Ready,
}

/// The right that an endpoint asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading a tenant's data.
    Read,
    /// Writing as a tenant.
    Write,
    /// Creating or ending a tenant's silences.
    Silence,
    /// None, where the policy lists the path as public.
    Public,
}

/// Where an endpoint takes its parameters from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carry {
    /// The query string alone.
    Query,
    /// The query string of a GET; of a POST, query string and form.
    QueryOrForm,
    /// The body is a document of its own (protobuf or JSON), not parameters.
    Body,
}

/// A request that the table knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route<'a> {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The label name or the silence's id in the path.
    pub argument: Option<&'a str>,
    /// The path that the upstream gets, without prefix.
    pub upstream_path: &'a str,
}

/// Why a request is not in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteError {
    /// The path could be read in more than one way.
    BadPath,
    /// There is no such path.
    NotFound,
    /// The path has other methods: the value of `Allow`.
    MethodNotAllowed(&'static str),
}

impl std::fmt::Display for RouteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BadPath => f.write_str(
                "the path must be plain: no `%`, `;`, `\\`, `//`, `/./`, `/../` or control character",
            ),
            Self::NotFound => f.write_str("no such endpoint here"),
            Self::MethodNotAllowed(allow) => write!(f, "this endpoint takes {allow} only"),
        }
    }
}

impl std::error::Error for RouteError {}

/// The longest path, in bytes.
pub const MAX_PATH: usize = 1024;

/// Finds the endpoint of a method and a raw path, without prefix and query string, byte for byte.
///
/// HEAD is known for health alone, and OPTIONS nowhere: an upstream that answers them would do so
/// past the parameters that confine it.
pub fn resolve<'a>(kind: Kind, method: &[u8], path: &'a [u8]) -> Result<Route<'a>, RouteError> {
    let path = plain(path).ok_or(RouteError::BadPath)?;
    for row in ROWS.iter().filter(|row| row.kinds.contains(&kind)) {
        let Some(argument) = row.path.matches(path) else {
            continue;
        };
        let endpoint = match method {
            b"GET" => row.get,
            b"POST" => row.post,
            b"DELETE" => row.delete,
            b"HEAD" if row.head => row.get,
            _ => None,
        };
        return Ok(Route {
            endpoint: endpoint.ok_or(RouteError::MethodNotAllowed(row.allow()))?,
            argument,
            upstream_path: match (kind, row.get, row.post) {
                (Kind::Receive, None, Some(Endpoint::Otlp)) => "/api/v1/otlp",
                _ => path,
            },
        });
    }
    Err(RouteError::NotFound)
}

/// What every server takes for itself.
static PLAIN: Bytes = Bytes::graphic_but(b"%;\\?#");

/// The path as text, if no server could read it as another one.
fn plain(path: &[u8]) -> Option<&str> {
    let fits =
        path.first() == Some(&b'/') && path.len() <= MAX_PATH && path.iter().all(|b| PLAIN.has(*b));
    let path = std::str::from_utf8(path).ok().filter(|_| fits)?;
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        if matches!(segment, "." | "..") || (segment.is_empty() && !last) {
            return None;
        }
    }
    Some(path)
}

impl Kind {
    /// The kind's name in configuration and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::Thanos => "thanos",
            Self::Receive => "receive",
            Self::Ruler => "ruler",
            Self::Alertmanager => "alertmanager",
        }
    }
}

impl Endpoint {
    /// The endpoint's name in metrics and audit lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::QueryRange => "query_range",
            Self::QueryExemplars => "query_exemplars",
            Self::QueryExplain => "query_explain",
            Self::QueryRangeExplain => "query_range_explain",
            Self::Series => "series",
            Self::Labels => "labels",
            Self::LabelValues => "label_values",
            Self::FormatQuery => "format_query",
            Self::ParseQuery => "parse_query",
            Self::Federate => "federate",
            Self::RemoteRead => "remote_read",
            Self::Rules => "rules",
            Self::Alerts => "alerts",
            Self::Metadata => "metadata",
            Self::Targets => "targets",
            Self::BuildInfo => "buildinfo",
            Self::Features => "features",
            Self::RemoteWrite => "remote_write",
            Self::Receive => "receive",
            Self::Otlp => "otlp",
            Self::AlertmanagerAlerts => "am_alerts",
            Self::AlertGroups => "am_alert_groups",
            Self::Silences => "am_silences",
            Self::PostSilences => "am_post_silences",
            Self::Silence => "am_silence",
            Self::DeleteSilence => "am_delete_silence",
            Self::PostAlerts => "am_post_alerts",
            Self::AlertmanagerStatus => "am_status",
            Self::Receivers => "am_receivers",
            Self::Healthy => "healthy",
            Self::Ready => "ready",
        }
    }

    /// The right that a caller needs.
    #[must_use]
    pub fn access(self) -> Access {
        match self {
            Self::RemoteWrite | Self::Receive | Self::Otlp | Self::PostAlerts => Access::Write,
            Self::PostSilences | Self::DeleteSilence => Access::Silence,
            Self::Healthy | Self::Ready => Access::Public,
            Self::Query
            | Self::QueryRange
            | Self::QueryExemplars
            | Self::QueryExplain
            | Self::QueryRangeExplain
            | Self::Series
            | Self::Labels
            | Self::LabelValues
            | Self::FormatQuery
            | Self::ParseQuery
            | Self::Federate
            | Self::RemoteRead
            | Self::Rules
            | Self::Alerts
            | Self::Metadata
            | Self::Targets
            | Self::BuildInfo
            | Self::Features
            | Self::AlertmanagerAlerts
            | Self::AlertGroups
            | Self::Silences
            | Self::Silence
            | Self::AlertmanagerStatus
            | Self::Receivers => Access::Read,
        }
    }

    /// Where the parameters are.
    #[must_use]
    pub fn carry(self) -> Carry {
        match self {
            Self::Query
            | Self::QueryRange
            | Self::QueryExemplars
            | Self::QueryExplain
            | Self::QueryRangeExplain
            | Self::Series
            | Self::Labels
            | Self::FormatQuery
            | Self::ParseQuery => Carry::QueryOrForm,
            Self::RemoteRead
            | Self::RemoteWrite
            | Self::Receive
            | Self::Otlp
            | Self::PostSilences
            | Self::PostAlerts => Carry::Body,
            Self::LabelValues
            | Self::Federate
            | Self::Rules
            | Self::Alerts
            | Self::Metadata
            | Self::Targets
            | Self::BuildInfo
            | Self::Features
            | Self::AlertmanagerAlerts
            | Self::AlertGroups
            | Self::Silences
            | Self::Silence
            | Self::DeleteSilence
            | Self::AlertmanagerStatus
            | Self::Receivers
            | Self::Healthy
            | Self::Ready => Carry::Query,
        }
    }

    /// Whether the answer must be filtered, because the request cannot confine it.
    #[must_use]
    pub fn is_filtered(self) -> bool {
        matches!(
            self,
            Self::QueryExemplars
                | Self::Rules
                | Self::Alerts
                | Self::Metadata
                | Self::Targets
                | Self::Silences
        )
    }

    /// Whether the endpoint is closed on upstreams of a kind unless the policy opens it.
    #[must_use]
    pub fn is_optional(self, kind: Kind) -> bool {
        match self {
            Self::Federate
            | Self::RemoteRead
            | Self::Metadata
            | Self::Targets
            | Self::RemoteWrite
            | Self::PostAlerts
            | Self::AlertmanagerStatus
            | Self::Receivers
            | Self::Healthy
            | Self::Ready => true,
            Self::Otlp => kind != Kind::Receive,
            Self::Query
            | Self::QueryRange
            | Self::QueryExemplars
            | Self::QueryExplain
            | Self::QueryRangeExplain
            | Self::Series
            | Self::Labels
            | Self::LabelValues
            | Self::FormatQuery
            | Self::ParseQuery
            | Self::Rules
            | Self::Alerts
            | Self::BuildInfo
            | Self::Features
            | Self::Receive
            | Self::AlertmanagerAlerts
            | Self::AlertGroups
            | Self::Silences
            | Self::PostSilences
            | Self::Silence
            | Self::DeleteSilence => false,
        }
    }
}
