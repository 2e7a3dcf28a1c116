//! Options that could not be honoured: each would promise what is not done.

use crate::config::Document;
use crate::config::error::Problems;
use crate::config::upstream::{Metadata, Options};
use crate::params;
use crate::promql::Confiner;
use crate::route::Kind;

/// A name that can never be allowed is an error.
pub(super) fn names(
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

/// An option that a kind cannot honour is an error.
pub(super) fn foreign_options(
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
