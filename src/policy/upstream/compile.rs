//! An upstream of the configuration, compiled; every problem is collected.

use std::collections::HashMap;
use std::sync::Arc;

use super::Upstream;
use super::refuse;
use crate::config::Document;
use crate::config::error::Problems;
use crate::config::leaf::{Count, Size};
use crate::config::upstream::{Options, Upstream as Doc};
use crate::config::write::{Absent, WriteBody};
use crate::policy::{self, Bound};
use crate::promql::Confiner;
use crate::remote::BodyPolicy;
use crate::route::Kind;
use crate::scope::Enforced;

impl Upstream {
    pub(in crate::policy) fn compile(
        index: usize,
        doc: &Doc,
        document: &Document,
        env: &dyn Fn(&str) -> Option<String>,
        problems: &mut Problems,
    ) -> Self {
        let (kind, options, word) = doc.parts();
        let at = |field: &str| format!("upstreams[{index}].{word}.{field}");
        refuse::foreign_options(kind, options, &at, problems);
        refuse::names(options, document, &at, problems);
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
}

/// Two upstreams that would answer the same path under the same host are an error.
pub(in crate::policy) fn refuse_overlaps(upstreams: &[Upstream], problems: &mut Problems) {
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
            for path in policy::paths(upstream) {
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
