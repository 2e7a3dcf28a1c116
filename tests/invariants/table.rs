//! The closed lists once more, written apart from the program's.

/// Headers that say for whom a request is, and the seal: none of the client's may pass.
pub const TENANCY: &[&str] = &[
    "thanos-tenant",
    "thanos-replica",
    "x-scope-orgid",
    "x-tenant",
    "x-tenant-id",
    "x-promfence-tenant",
    "x-promfence-seal",
    "x-reads-of",
];

/// Headers with a credential.
pub const CREDENTIALS: &[&str] = &["authorization", "proxy-authorization", "cookie"];

const P: &str = "prometheus";
const T: &str = "thanos";
const W: &str = "receive";
const R: &str = "ruler";
const A: &str = "alertmanager";

/// Kinds, methods, path.
const ROWS: &[(&[&str], &str, &str)] = &[
    (&[P, T], "GET POST", "/api/v1/query"),
    (&[P, T], "GET POST", "/api/v1/query_range"),
    (&[P, T], "GET POST", "/api/v1/query_exemplars"),
    (&[T], "GET POST", "/api/v1/query_explain"),
    (&[T], "GET POST", "/api/v1/query_range_explain"),
    (&[P, T], "GET POST", "/api/v1/series"),
    (&[P, T], "GET POST", "/api/v1/labels"),
    (&[P, T], "GET", "/api/v1/label/*/values"),
    (&[P], "GET POST", "/api/v1/format_query"),
    (&[P], "GET POST", "/api/v1/parse_query"),
    (&[P], "GET", "/federate"),
    (&[P], "POST", "/api/v1/read"),
    (&[P, T, R], "GET", "/api/v1/rules"),
    (&[P, T, R], "GET", "/api/v1/alerts"),
    (&[P, T], "GET", "/api/v1/metadata"),
    (&[P, T], "GET", "/api/v1/targets"),
    (&[P, T, R], "GET", "/api/v1/status/buildinfo"),
    (&[P, T], "GET", "/api/v1/features"),
    (&[P], "POST", "/api/v1/write"),
    (&[W], "POST", "/api/v1/receive"),
    (&[W], "POST", "/api/v1/otlp"),
    (&[P], "POST", "/api/v1/otlp/v1/metrics"),
    (&[A], "GET POST", "/api/v2/alerts"),
    (&[A], "GET", "/api/v2/alerts/groups"),
    (&[A], "GET POST", "/api/v2/silences"),
    (&[A], "GET DELETE", "/api/v2/silence/*"),
    (&[P, T, W, R, A], "GET HEAD", "/-/healthy"),
    (&[P, T, W, R, A], "GET HEAD", "/-/ready"),
];

/// Whether an upstream of a kind may be asked so.
pub fn has(kind: &str, method: &str, path: &str) -> bool {
    ROWS.iter().any(|(kinds, methods, row)| {
        let fits = match row.split_once('*') {
            None => path == *row,
            Some((head, tail)) => path
                .strip_prefix(head)
                .and_then(|p| p.strip_suffix(tail))
                .is_some_and(|argument| {
                    !argument.is_empty()
                        && argument
                            .bytes()
                            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
                }),
        };
        fits && kinds.contains(&kind) && methods.split(' ').any(|m| m == method)
    })
}

/// Whether a path needs no credential, in the configurations of the generator.
pub fn is_public(path: &str) -> bool {
    path.ends_with("/-/healthy") || path.ends_with("/-/ready")
}

/// Whether the body of a request is not a form.
pub fn takes_a_body(path: &str, method: &str) -> bool {
    is_write(path)
        || path.ends_with("/api/v1/read")
        || path.contains("/api/v2/silence/")
        || path.contains("/api/v2/") && method == "POST"
}

/// Whether a path takes samples.
pub fn is_write(path: &str) -> bool {
    ["/write", "/receive", "/otlp", "/v1/metrics"]
        .iter()
        .any(|tail| path.ends_with(tail))
}

const LISTS: &[&str] = &[
    "match[]",
    "filter",
    "receiver_matchers",
    "rule_name[]",
    "rule_group[]",
    "file[]",
];

const SINGLE: &[&str] = &[
    "query",
    "time",
    "start",
    "end",
    "step",
    "timeout",
    "limit",
    "lookback_delta",
    "stats",
    "max_series",
    "max_samples_read",
    "max_query_duration",
    "dedup",
    "partial_response",
    "max_source_resolution",
    "engine",
    "type",
    "exclude_alerts",
    "group_limit",
    "group_next_token",
    "metric",
    "limit_per_metric",
    "state",
    "scrapePool",
    "active",
    "silenced",
    "inhibited",
    "unprocessed",
    "muted",
    "receiver",
    "expired",
    "pending",
    "extra",
];

/// Whether an upstream may see a parameter at all.
pub fn is_parameter(name: &str) -> bool {
    is_list(name) || SINGLE.contains(&name)
}

/// Whether a parameter may stand more than once.
pub fn is_list(name: &str) -> bool {
    LISTS.contains(&name)
}
