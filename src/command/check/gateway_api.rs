//! Routes of the Gateway API.

use super::finding::Findings;
use super::mesh::leading_to;
use super::node::Node;
use super::plugin::Upstream;

/// Checks an `HTTPRoute`: it asks for the seal and takes it away.
pub(super) fn http_route(document: &Node<'_>, upstreams: &[Upstream<'_>], findings: &mut Findings) {
    let Some(spec) = document.get("spec") else {
        return;
    };
    for rule in spec.list("rules") {
        for backend in rule.list("backendRefs") {
            let Some(name) = backend.text("name") else {
                continue;
            };
            let host = match backend.text("namespace") {
                Some(namespace) => format!("{name}.{namespace}.svc.cluster.local"),
                None => name.to_owned(),
            };
            let to = leading_to(&host, document, upstreams);
            let Some(upstream) = to.first() else { continue };
            let Some(header) = upstream.header else {
                findings.error(&rule, format!("leads to {} without a seal: where the filter is missing, it serves everybody", upstream.name));
                continue;
            };
            let asks = |m: &Node<'_>| {
                m.list("headers").iter().any(|h| {
                    h.text("name")
                        .is_some_and(|n| n.eq_ignore_ascii_case(header))
                        && matches!(h.text("type"), None | Some("Exact"))
                        && h.text("value").is_some_and(|v| !v.is_empty())
                })
            };
            let matches = rule.list("matches");
            if matches.is_empty() || !matches.iter().all(asks) {
                findings.error(
                    &rule,
                    format!(
                        "leads to {} without asking for the seal `{header}`",
                        upstream.name
                    ),
                );
            }
            let filters: Vec<Node<'_>> = rule
                .list("filters")
                .into_iter()
                .chain(backend.list("filters"))
                .collect();
            let removed = filters
                .iter()
                .filter_map(|f| f.get("requestHeaderModifier"));
            if !removed
                .flat_map(|m| m.texts("remove"))
                .any(|n| n.eq_ignore_ascii_case(header))
            {
                findings.error(&rule, format!("the seal would reach the upstream: remove `{header}` by a `RequestHeaderModifier`"));
            }
        }
    }
}
