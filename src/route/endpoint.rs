//! The endpoints: what each is called, what right it asks for, and where its parameters are.

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
}
