//! The closed lists: what each endpoint takes, how often, in which form, and what becomes of it.

use super::Use;
use crate::route::{Endpoint, Kind};

/// A parameter of an endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) form: Form,
}

/// What a parameter's values are, and with that what becomes of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One PromQL expression, required.
    Expression(Use),
    /// Selectors to be confined, any number; the scope itself where there is none. `rules`: over
    /// rules, whose answer is filtered.
    Selectors { rules: bool },
    /// Alertmanager matchers, any number. `enforced`: they are over alerts, and the scope's are added.
    Filters { enforced: bool },
    /// Free texts, any number.
    FreeList,
    /// Whether an answer in part will do: `false` is sent unless the policy allows it.
    PartialResponse,
    /// Refused.
    Denied(&'static str),
    /// At most one value, which an empty one is not.
    One(Single),
}

/// The form of a value that stands once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Single {
    /// A time.
    Time,
    /// A duration.
    Duration,
    /// A duration, or `auto`.
    Resolution,
    /// A count.
    Count,
    /// A truth value.
    Truth,
    /// A short word.
    Word,
    /// One of these, in any case.
    OneOf(&'static [&'static str]),
    /// Free text.
    Free,
    /// A count or token of a page of rules.
    Page,
    /// Accepted and left out: no supported upstream reads it here.
    Ignored,
    /// Left out where it says "no", refused otherwise.
    Off(&'static str),
}

use Form::{Denied, FreeList, PartialResponse};
use Single::{Count, Duration, Free, Ignored, Off, OneOf, Page, Resolution, Time, Truth, Word};

const QUERY: Form = Form::Expression(Use::Query);
const FILTERS: Form = Form::Filters { enforced: true };
const OTHER_FILTERS: Form = Form::Filters { enforced: false };

const fn p(name: &'static str, single: Single) -> Spec {
    l(name, Form::One(single))
}

const fn l(name: &'static str, form: Form) -> Spec {
    Spec { name, form }
}

const STORES: &str = "it addresses stores";
const REPLICAS: &str = "it can drop the labels that keep tenants apart";
const SHARDS: &str = "it is internal to Thanos";
const ANALYZE: &str = "the analysis names stores";
const COST: &str = "the estimate is made over all tenants";

const EXECUTION: &[Spec] = &[
    p("timeout", Duration),
    p("limit", Count),
    p("lookback_delta", Duration),
    p("stats", Word),
];
/// Lower an operator's ceilings, never raise them.
const PROMETHEUS_COST: &[Spec] = &[
    p("max_series", Count),
    p("max_samples_read", Count),
    p("max_query_duration", Duration),
    p("cost", Off(COST)),
];
const INSTANT: &[Spec] = &[l("query", QUERY), p("time", Time)];
const RANGE: &[Spec] = &[
    l("query", QUERY),
    p("start", Time),
    p("end", Time),
    p("step", Duration),
];
const THANOS: &[Spec] = &[
    p("dedup", Truth),
    l("partial_response", PartialResponse),
    p("max_source_resolution", Resolution),
    p("engine", OneOf(&["prometheus", "thanos"])),
    p("explain", Ignored),
    p("analyze", Off(ANALYZE)),
    l("storeMatch[]", Denied(STORES)),
    l("replicaLabels[]", Denied(REPLICAS)),
    l("shard_info", Denied(SHARDS)),
];
/// Explained with a duration step of its own where none is given.
const THANOS_EXPLAIN: &[Spec] = &[p("step", Duration)];
/// What clients made for Thanos send, and Prometheus ignores.
const THANOS_CLIENT: &[Spec] = &[
    p("dedup", Ignored),
    p("partial_response", Ignored),
    p("max_source_resolution", Ignored),
    p("engine", Ignored),
    p("explain", Ignored),
    p("analyze", Ignored),
];
const EXEMPLARS: &[Spec] = &[l("query", QUERY), p("start", Time), p("end", Time)];
const SELECTION: &[Spec] = &[
    l("match[]", Form::Selectors { rules: false }),
    p("start", Time),
    p("end", Time),
    p("limit", Count),
];
const TEXT: &[Spec] = &[l("query", Form::Expression(Use::Text))];
const FEDERATE: &[Spec] = &[l("match[]", Form::Selectors { rules: false })];
const RULES: &[Spec] = &[
    l("match[]", Form::Selectors { rules: true }),
    p("type", OneOf(&["alert", "record", "all"])),
    l("rule_name[]", FreeList),
    l("rule_group[]", FreeList),
    l("file[]", FreeList),
    p("exclude_alerts", Truth),
    p("group_limit", Page),
    p("group_next_token", Page),
];
const METADATA: &[Spec] = &[
    p("metric", Free),
    p("limit", Count),
    p("limit_per_metric", Count),
];
const TARGETS: &[Spec] = &[
    p("state", OneOf(&["active", "dropped", "any"])),
    p("scrapePool", Free),
];
const AM_ALERTS: &[Spec] = &[
    l("filter", FILTERS),
    p("active", Truth),
    p("silenced", Truth),
    p("inhibited", Truth),
    p("unprocessed", Truth),
    p("muted", Truth),
    p("receiver", Free),
    l("receiver_matchers", OTHER_FILTERS),
];
const AM_SILENCES: &[Spec] = &[
    l("filter", OTHER_FILTERS),
    p("active", Truth),
    p("expired", Truth),
    p("pending", Truth),
];
/// Against caches of browsers; nobody reads it.
const BROWSER: &[Spec] = &[p("_", Ignored)];

/// The parameters of an endpoint, in the order in which they are forwarded.
pub(super) fn specs(kind: Kind, endpoint: Endpoint) -> impl Iterator<Item = &'static Spec> {
    lists(kind, endpoint).into_iter().flatten()
}

fn lists(kind: Kind, endpoint: Endpoint) -> [&'static [Spec]; 4] {
    let thanos = match kind {
        Kind::Thanos => THANOS,
        Kind::Prometheus | Kind::Receive | Kind::Ruler | Kind::Alertmanager => THANOS_CLIENT,
    };
    let cost = match kind {
        Kind::Prometheus => PROMETHEUS_COST,
        Kind::Thanos | Kind::Receive | Kind::Ruler | Kind::Alertmanager => &[],
    };
    match endpoint {
        Endpoint::Query => [INSTANT, EXECUTION, thanos, cost],
        Endpoint::QueryRange => [RANGE, EXECUTION, thanos, cost],
        Endpoint::QueryExplain => [INSTANT, EXECUTION, thanos, THANOS_EXPLAIN],
        Endpoint::QueryRangeExplain => [RANGE, EXECUTION, thanos, &[]],
        Endpoint::QueryExemplars => [EXEMPLARS, THANOS_CLIENT, BROWSER, &[]],
        Endpoint::Series | Endpoint::Labels | Endpoint::LabelValues => {
            [SELECTION, thanos, BROWSER, &[]]
        }
        Endpoint::FormatQuery | Endpoint::ParseQuery => [TEXT, BROWSER, &[], &[]],
        Endpoint::Federate => [FEDERATE, &[], &[], &[]],
        Endpoint::Rules => [RULES, THANOS_CLIENT, BROWSER, &[]],
        Endpoint::Alerts => [THANOS_CLIENT, BROWSER, &[], &[]],
        Endpoint::Metadata => [METADATA, BROWSER, &[], &[]],
        Endpoint::Targets => [TARGETS, BROWSER, &[], &[]],
        Endpoint::AlertmanagerAlerts | Endpoint::AlertGroups => [AM_ALERTS, BROWSER, &[], &[]],
        Endpoint::Silences => [AM_SILENCES, BROWSER, &[], &[]],
        Endpoint::BuildInfo
        | Endpoint::Features
        | Endpoint::AlertmanagerStatus
        | Endpoint::Receivers => [BROWSER, &[], &[], &[]],
        Endpoint::RemoteRead
        | Endpoint::RemoteWrite
        | Endpoint::Receive
        | Endpoint::Otlp
        | Endpoint::PostSilences
        | Endpoint::Silence
        | Endpoint::DeleteSilence
        | Endpoint::PostAlerts
        | Endpoint::Healthy
        | Endpoint::Ready => [&[]; 4],
    }
}

/// Whether a name means something on any endpoint, in any case: such a name can be neither allowed
/// as free text nor used for narrowing or the token.
#[must_use]
pub fn is_known(name: &str) -> bool {
    let all = [
        EXECUTION,
        PROMETHEUS_COST,
        INSTANT,
        RANGE,
        THANOS,
        SELECTION,
        RULES,
        METADATA,
        TARGETS,
        AM_ALERTS,
        AM_SILENCES,
        BROWSER,
    ];
    all.into_iter()
        .flatten()
        .any(|spec| spec.name.eq_ignore_ascii_case(name))
}
