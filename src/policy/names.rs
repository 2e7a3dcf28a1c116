//! Names of request headers: which of a client's reach an upstream.

/// Names by their length: a look-up compares the few that are as long.
#[derive(Debug, Default)]
pub struct Names(Vec<Vec<String>>);

impl Names {
    /// Whether a name is among them.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        let as_long = self.0.get(name.len()).map(Vec::as_slice);
        as_long.unwrap_or_default().iter().any(|n| n == name)
    }
}

impl FromIterator<String> for Names {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        let mut all = Self::default();
        for name in names {
            if all.0.len() <= name.len() {
                all.0.resize(name.len() + 1, Vec::new());
            }
            if let Some(as_long) = all.0.get_mut(name.len()) {
                as_long.push(name);
            }
        }
        all
    }
}

/// Tenancy, replica and identity headers of this and neighbouring systems.
pub(super) const NEVER: &[&str] = &[
    "thanos-tenant",
    "thanos-replica",
    "x-scope-orgid",
    "x-tenant",
    "x-tenant-id",
];

/// What reaches an upstream: content negotiation, tracing, the user agent, and what the protocols
/// need. Everything else of the client ends at the gateway.
pub(super) const ALLOWED: &[&str] = &[
    ":authority",
    ":method",
    ":path",
    ":scheme",
    "accept",
    "accept-encoding",
    "accept-language",
    "b3",
    "baggage",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "sentry-trace",
    "te",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "uber-trace-id",
    "user-agent",
    "x-b3-flags",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-spanid",
    "x-b3-traceid",
    "x-cloud-trace-context",
    "x-dashboard-uid",
    "x-datadog-parent-id",
    "x-datadog-sampling-priority",
    "x-datadog-trace-id",
    // Envoy chooses no route for a request without it, and sets it itself.
    "x-forwarded-proto",
    "x-panel-id",
    "x-prometheus-remote-read-version",
    "x-prometheus-remote-write-version",
    "x-request-id",
];
