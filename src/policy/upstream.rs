//! One upstream, compiled: what it serves, to whom, and how.

use std::collections::HashMap;
use std::sync::Arc;

use super::Bound;
use crate::config::Document;
use crate::config::error::Problems;
use crate::config::leaf::{Count, Size};
use crate::config::upstream::{Metadata, Options, Rules, Status, Targets, Upstream as Doc, Verify};
use crate::config::write::{Absent, WriteBody};
use crate::params;
use crate::promql::Confiner;
use crate::remote::BodyPolicy;
use crate::route::{self, Endpoint, Kind, Route, RouteError};
use crate::scope::{Enforced, OnConflict};

/// One upstream.
#[derive(Debug)]
pub struct Upstream {
    /// Its place in the configuration.
    pub index: usize,
    /// Its kind.
    pub kind: Kind,
    /// The path under which it is served.
    pub prefix: String,
    /// The path under which it lives, for look-ups.
    pub upstream_prefix: String,
    /// The cluster for look-ups.
    pub cluster: Option<String>,
    /// The authority of look-ups.
    pub authority: String,
    /// The seal's value.
    pub seal: Option<Arc<str>>,
    /// The header that tells it the tenant.
    pub header: Arc<str>,
    /// Its own ceiling.
    pub(crate) ceiling: Option<Bound>,
    /// Matchers enforced for everyone.
    pub matchers: Vec<Enforced>,
    /// Whether the health endpoints are public.
    pub healthy: bool,
    /// Whether the readiness endpoint is public.
    pub ready: bool,
    /// Confines PromQL.
    pub confiner: Confiner,
    /// A user's own matcher on an enforced label.
    pub on_conflict: OnConflict,
    /// The most points of a range query.
    pub max_points: Option<usize>,
    /// Parameters that pass besides the known ones.
    pub parameters: Vec<String>,
    /// Whether Thanos may answer in part.
    pub partial_response: bool,
    /// What is done with written bodies. There is none only while problems are being collected.
    pub body: Option<BodyPolicy>,
    /// The largest written body.
    pub max_body: Option<usize>,
    /// The largest form.
    pub max_form: usize,
    /// The largest answer that is held.
    pub max_response: usize,
    /// Which rules are shown.
    pub rules: Rules,
    /// What metadata answers.
    pub metadata: Metadata,
    /// What targets answers.
    pub targets: Targets,
    /// What the status of Alertmanager answers.
    pub status: Status,
    /// Proof on the answer.
    pub verify: Verify,
    hosts: Vec<String>,
    federate: bool,
    remote_read: bool,
    post_alerts: bool,
    writes: bool,
    write_path: Option<String>,
}

impl Upstream {
    pub(super) fn compile(
        index: usize,
        doc: &Doc,
        document: &Document,
        env: &dyn Fn(&str) -> Option<String>,
        problems: &mut Problems,
    ) -> Self {
        let (kind, options, word) = doc.parts();
        let at = |field: &str| format!("upstreams[{index}].{word}.{field}");
        refuse_foreign_options(kind, options, &at, problems);
        refuse_names(options, document, &at, problems);
        let write = write_policy(kind, options, &at, problems);
        let body =
            BodyPolicy::compile(&write, &document.tenancy.label, env, &at("write"), problems);
        let confines = body.as_ref().is_some_and(BodyPolicy::confines);
        if kind == Kind::Prometheus
            && body.as_ref().is_some_and(BodyPolicy::needs_body)
            && !confines
        {
            problems.add(
                at("series_label"),
                "Prometheus has no tenant header, so only `overwrite` (or `verify` with \
                 `absent: refuse`) tells whose data a write is",
            );
        }
        let header = options.header.as_ref().unwrap_or(&document.tenancy.header);
        Self {
            index,
            kind,
            prefix: prefix(&options.prefix, &at("prefix"), problems),
            upstream_prefix: prefix(&options.upstream_prefix, &at("upstream_prefix"), problems),
            cluster: options.cluster.clone(),
            authority: options
                .hosts
                .first()
                .filter(|h| *h != "*")
                .cloned()
                .unwrap_or_else(|| "upstream".into()),
            seal: seal(options, document, &at, env, problems),
            header: header.as_str().into(),
            ceiling: Bound::compile(options.ceiling.as_ref(), &at("ceiling"), problems),
            matchers: static_matchers(options, document, &at, problems),
            healthy: public(options, "/-/healthy"),
            ready: public(options, "/-/ready"),
            confiner: Confiner::new(
                options
                    .functions
                    .as_ref()
                    .map_or(&[], |f| f.allow.as_slice()),
                options.on_conflict.unwrap_or_default(),
                options.guards.clone().unwrap_or_default(),
            ),
            on_conflict: options.on_conflict.unwrap_or_default(),
            max_points: options.max_points.map(Count::get),
            parameters: options.parameters.clone().unwrap_or_default().allow,
            partial_response: options.partial_response.unwrap_or_default(),
            body,
            max_body: options.max_body.map(Size::bytes),
            max_form: options.max_form.map_or(1 << 20, Size::bytes),
            max_response: options.max_response.map_or(32 << 20, Size::bytes),
            rules: options.rules.unwrap_or_default(),
            metadata: options.metadata.unwrap_or_default(),
            targets: options.targets.unwrap_or_default(),
            status: options.status.unwrap_or_default(),
            verify: options.verify.unwrap_or_default(),
            hosts: hosts(options, &at("hosts"), problems),
            federate: options.federate.unwrap_or_default(),
            remote_read: options.remote_read.unwrap_or_default(),
            post_alerts: options.post_alerts.unwrap_or_default(),
            writes: confines,
            write_path: options.write_path.clone(),
        }
    }

    /// Whether it is served under a host (in any case, without port).
    #[must_use]
    pub fn serves(&self, host: &[u8]) -> bool {
        self.hosts
            .iter()
            .any(|h| h == "*" || h.as_bytes().eq_ignore_ascii_case(host))
    }

    /// Resolves a path without prefix. An endpoint that is not enabled is as if it did not exist.
    pub fn resolve<'r>(&self, method: &[u8], path: &'r [u8]) -> Result<Route<'r>, RouteError> {
        let path = match &self.write_path {
            Some(other) if path == other.as_bytes() => b"/api/v1/receive".as_slice(),
            Some(_) | None => path,
        };
        match route::resolve(self.kind, method, path) {
            Ok(route) if !self.serves_endpoint(route.endpoint) => Err(RouteError::NotFound),
            other => other,
        }
    }

    /// The path of an endpoint under the upstream's prefix.
    #[must_use]
    pub fn path_of(&self, route: &Route<'_>) -> Vec<u8> {
        match (&self.write_path, route.endpoint) {
            (Some(path), Endpoint::Receive) => [self.prefix.as_bytes(), path.as_bytes()].concat(),
            _ => [self.prefix.as_bytes(), route.upstream_path.as_bytes()].concat(),
        }
    }

    /// Whether an endpoint is enabled.
    #[must_use]
    pub fn serves_endpoint(&self, endpoint: Endpoint) -> bool {
        match endpoint {
            Endpoint::Federate => self.federate,
            Endpoint::RemoteRead => self.remote_read,
            Endpoint::Metadata => self.metadata != Metadata::Deny,
            Endpoint::Targets => self.targets != Targets::Deny,
            Endpoint::PostAlerts => self.post_alerts,
            Endpoint::AlertmanagerStatus | Endpoint::Receivers => self.status != Status::Deny,
            Endpoint::Healthy => self.healthy,
            Endpoint::Ready => self.ready,
            Endpoint::RemoteWrite => self.writes,
            Endpoint::Otlp => self.kind == Kind::Receive || self.writes,
            Endpoint::Query
            | Endpoint::QueryRange
            | Endpoint::QueryExemplars
            | Endpoint::QueryExplain
            | Endpoint::QueryRangeExplain
            | Endpoint::Series
            | Endpoint::Labels
            | Endpoint::LabelValues
            | Endpoint::FormatQuery
            | Endpoint::ParseQuery
            | Endpoint::Rules
            | Endpoint::Alerts
            | Endpoint::BuildInfo
            | Endpoint::Features
            | Endpoint::Receive
            | Endpoint::AlertmanagerAlerts
            | Endpoint::AlertGroups
            | Endpoint::Silences
            | Endpoint::PostSilences
            | Endpoint::Silence
            | Endpoint::DeleteSilence => true,
        }
    }
}

/// Two upstreams that would answer the same path under the same host are an error.
pub(super) fn refuse_overlaps(upstreams: &[Upstream], problems: &mut Problems) {
    for host in upstreams
        .iter()
        .flat_map(|u| &u.hosts)
        .collect::<std::collections::BTreeSet<_>>()
    {
        let mut seen: HashMap<String, usize> = HashMap::new();
        for upstream in upstreams
            .iter()
            .filter(|u| host == "*" || u.serves(host.as_bytes()))
        {
            for path in super::paths(upstream) {
                if let Some(other) = seen.insert(path.clone(), upstream.index)
                    && other != upstream.index
                {
                    problems.add(
                        format!("upstreams[{}]", upstream.index),
                        format!("answers `{path}` of host `{host}`, as upstreams[{other}] does; give one of them a `prefix`"),
                    );
                    break;
                }
            }
        }
    }
}

fn hosts(options: &Options, at: &str, problems: &mut Problems) -> Vec<String> {
    if options.hosts.is_empty() {
        problems.add(at, "at least one host is needed (`*` alone for any)");
    }
    let mut list = Vec::new();
    for (i, host) in options.hosts.iter().enumerate() {
        let fits = host == "*"
            || (!host.is_empty()
                && host.bytes().all(|b| {
                    b.is_ascii_alphanumeric()
                        || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']')
                }));
        if !fits || (host == "*" && options.hosts.len() > 1) {
            problems.add(
                format!("{at}[{i}]"),
                format!("`{host}` is not a host name without port, or `*` alone"),
            );
        }
        list.push(host.to_ascii_lowercase());
    }
    list
}

fn prefix(text: &str, at: &str, problems: &mut Problems) -> String {
    let trimmed = text.strip_suffix('/').unwrap_or(text);
    let fits = trimmed.is_empty()
        || (trimmed.starts_with('/')
            && !trimmed.contains("//")
            && trimmed
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.'))
            && trimmed.split('/').all(|s| s != "." && s != ".."));
    if !fits {
        problems.add(
            at,
            format!("`{text}` is not a path such as `/alertmanager`"),
        );
    }
    trimmed.to_owned()
}

fn seal(
    options: &Options,
    document: &Document,
    at: &dyn Fn(&str) -> String,
    env: &dyn Fn(&str) -> Option<String>,
    problems: &mut Problems,
) -> Option<Arc<str>> {
    match (&document.seal, &options.seal) {
        (None, None) => None,
        (None, Some(_)) => {
            problems.add(at("seal"), "has no meaning without `seal.header`");
            None
        }
        (Some(_), None) => {
            problems.add(
                at("seal"),
                "is missing: with `seal.header` every upstream has a value of its own",
            );
            None
        }
        (Some(_), Some(secret)) => {
            let value = problems.take(&at("seal"), secret.resolve(env))?;
            if value.len() < 16 || !value.bytes().all(|b| b.is_ascii_graphic()) {
                problems.add(at("seal"), "must be at least 16 printable characters; `promfence keygen --secret` makes one");
                return None;
            }
            Some(value.into())
        }
    }
}

fn static_matchers(
    options: &Options,
    document: &Document,
    at: &dyn Fn(&str) -> String,
    problems: &mut Problems,
) -> Vec<Enforced> {
    let mut list: Vec<Enforced> = Vec::new();
    for (i, m) in options.matchers.iter().enumerate() {
        let path = at(&format!("matchers[{i}]"));
        if m.label == document.tenancy.label || list.iter().any(|e| *e.label() == m.label) {
            problems.add(path, format!("`{}` is enforced already", m.label));
        } else {
            list.extend(problems.take(&path, Enforced::values(m.label.clone(), &m.values)));
        }
    }
    list
}

fn public(options: &Options, path: &str) -> bool {
    options.public.iter().any(|p| p == path)
}

fn write_policy(
    kind: Kind,
    options: &Options,
    at: &dyn Fn(&str) -> String,
    problems: &mut Problems,
) -> WriteBody {
    let mut write = options.write.clone().unwrap_or_default();
    if options.write.is_none() && kind == Kind::Receive {
        // Receive adds the label by itself, from the header.
        write.absent = Absent::Allow;
    }
    if let Some(label) = options.series_label {
        if write.series_label.is_some() {
            problems.add(at("series_label"), "stands in `write` as well");
        }
        write.series_label = Some(label);
    }
    write
}

/// A name that can never be allowed is an error: it would promise what is not done.
fn refuse_names(
    o: &Options,
    document: &Document,
    at: &dyn Fn(&str) -> String,
    problems: &mut Problems,
) {
    let functions = o.functions.iter().flat_map(|list| &list.allow);
    for (i, name) in functions.enumerate() {
        if !Confiner::may_allow(name) {
            problems.add(
                at(&format!("functions.allow[{i}]")),
                format!("`{name}` cannot be a function: not a plain name, or a word of PromQL"),
            );
        }
    }
    let parameters = o.parameters.iter().flat_map(|list| &list.allow);
    for (i, name) in parameters.enumerate() {
        let own = *name == document.tenancy.select.parameter
            || document.auth.token.query.as_ref() == Some(name);
        let why = if name.is_empty() {
            "is no name"
        } else if params::is_known(name) {
            "has its own meaning on some endpoint, and passes where it has it"
        } else if own {
            "is for the filter itself"
        } else {
            continue;
        };
        problems.add(
            at(&format!("parameters.allow[{i}]")),
            format!("`{name}` {why}"),
        );
    }
}

/// An option that a kind cannot honour is an error: it would promise what is not done.
fn refuse_foreign_options(
    kind: Kind,
    o: &Options,
    at: &dyn Fn(&str) -> String,
    problems: &mut Problems,
) {
    for (i, path) in o.public.iter().enumerate() {
        if path != "/-/healthy" && path != "/-/ready" {
            problems.add(
                at(&format!("public[{i}]")),
                format!("`{path}` cannot be public: only `/-/healthy` and `/-/ready` can"),
            );
        }
    }
    let reads = matches!(kind, Kind::Prometheus | Kind::Thanos);
    let filters = kind != Kind::Receive;
    let writes = matches!(kind, Kind::Prometheus | Kind::Receive);
    let needs_cluster = (kind == Kind::Alertmanager || o.metadata == Some(Metadata::Filtered))
        && o.cluster.is_none();
    if needs_cluster {
        problems.add(
            at("cluster"),
            "is missing: look-ups need the name of the Envoy cluster",
        );
    }
    let options: [(&str, bool, bool); 21] = [
        ("on_conflict", o.on_conflict.is_some(), filters),
        ("guards", o.guards.is_some(), filters),
        ("max_points", o.max_points.is_some(), reads),
        ("functions", o.functions.is_some(), reads),
        ("parameters", o.parameters.is_some(), filters),
        ("federate", o.federate.is_some(), kind == Kind::Prometheus),
        (
            "remote_read",
            o.remote_read.is_some(),
            kind == Kind::Prometheus,
        ),
        ("metadata", o.metadata.is_some(), reads),
        ("targets", o.targets.is_some(), reads),
        ("rules", o.rules.is_some(), reads || kind == Kind::Ruler),
        (
            "partial_response",
            o.partial_response.is_some(),
            kind == Kind::Thanos,
        ),
        ("verify", o.verify.is_some(), reads),
        ("max_response", o.max_response.is_some(), filters),
        ("max_form", o.max_form.is_some(), reads),
        ("series_label", o.series_label.is_some(), writes),
        ("write", o.write.is_some(), writes),
        ("max_body", o.max_body.is_some(), writes),
        ("write_path", o.write_path.is_some(), kind == Kind::Receive),
        (
            "post_alerts",
            o.post_alerts.is_some(),
            kind == Kind::Alertmanager,
        ),
        ("status", o.status.is_some(), kind == Kind::Alertmanager),
        ("matchers", !o.matchers.is_empty(), filters),
    ];
    for (name, given, fits) in options {
        if given && !fits {
            problems.add(at(name), "this kind of upstream has no use for it");
        }
    }
}
