//! Envoy's routes: nothing reaches an upstream of ours but by the seal.

use super::envoy::{Envoy, Manager};
use super::finding::Findings;
use super::node::Node;
use super::plugin::{Seal, Upstream};

/// Checks the routes of one connection manager.
pub(super) fn check(
    envoy: &Envoy<'_>,
    manager: &Manager<'_>,
    upstreams: &[Upstream<'_>],
    findings: &mut Findings,
) {
    if manager.node.get("scoped_routes").is_some() && !upstreams.is_empty() {
        findings.note(&manager.node, "`scoped_routes` are not looked at");
    }
    let Some(table) = table(envoy, manager) else {
        if !upstreams.is_empty() && manager.node.get("rds").is_some() {
            findings.note(
                &manager.node,
                "its routes come from elsewhere and are not looked at",
            );
        }
        return;
    };
    disabled(&table, findings);
    for host in table.list("virtual_hosts") {
        disabled(&host, findings);
        if host.get("matcher").is_some() {
            findings.note(&host, "routes of a `matcher` are not looked at");
        }
        for route in host.list("routes") {
            disabled(&route, findings);
            let removed: Vec<&str> = [&table, &host, &route]
                .iter()
                .flat_map(|n| n.texts("request_headers_to_remove"))
                .collect();
            for cluster in clusters(&route) {
                let to: Vec<&Upstream<'_>> = upstreams
                    .iter()
                    .filter(|u| u.cluster == Some(cluster))
                    .collect();
                if !to.is_empty() {
                    sealed(&route, cluster, &to, &removed, findings);
                    timeout(&route, findings);
                }
            }
            if route.at(&["route", "cluster_header"]).is_some() && !upstreams.is_empty() {
                findings.error(
                    &route,
                    "`cluster_header` lets the request choose its upstream",
                );
            }
        }
    }
}

/// Every upstream with a seal has a route that asks for it.
pub(super) fn unreached(
    envoy: &Envoy<'_>,
    managers: &[Manager<'_>],
    upstreams: &[Upstream<'_>],
    findings: &mut Findings,
) {
    let tables: Vec<Node<'_>> = managers.iter().filter_map(|m| table(envoy, m)).collect();
    if tables.is_empty() {
        return;
    }
    let hosts: Vec<Node<'_>> = tables
        .iter()
        .flat_map(|t| t.list("virtual_hosts"))
        .collect();
    for upstream in upstreams {
        let (Some(header), Seal::Value(seal)) = (upstream.header, &upstream.seal) else {
            continue;
        };
        let asked = |route: &Node<'_>| {
            seal_matchers(route, header)
                .iter()
                .any(|m| exact(m) == Some(seal))
        };
        let mine = hosts
            .iter()
            .filter(|h| h.texts("domains").iter().any(|d| upstream.answers(d)));
        if !mine.flat_map(|h| h.list("routes")).any(|r| asked(&r)) {
            findings.warn(
                &upstream.options,
                format!(
                    "no route under its hosts asks for the seal of {}: its requests end nowhere",
                    upstream.name
                ),
            );
        }
    }
}

/// Connections that bypass HTTP altogether.
pub(super) fn tcp(envoy: &Envoy<'_>, upstreams: &[Upstream<'_>], findings: &mut Findings) {
    for filter in envoy.chains().iter().flat_map(|c| c.list("filters")) {
        let Some(config) = filter.get("typed_config") else {
            continue;
        };
        if config.type_name().is_some_and(|t| t.ends_with(".TcpProxy"))
            && let Some(cluster) = config.text("cluster")
            && let Some(upstream) = upstreams.iter().find(|u| u.cluster == Some(cluster))
        {
            findings.error(
                &config,
                format!("leads to {} around the filter", upstream.name),
            );
        }
    }
}

fn table<'a>(envoy: &Envoy<'a>, manager: &Manager<'a>) -> Option<Node<'a>> {
    manager.node.get("route_config").or_else(|| {
        let name = manager.node.text_at(&["rds", "route_config_name"])?;
        envoy
            .routes
            .iter()
            .find(|r| r.text("name") == Some(name))
            .cloned()
    })
}

/// The clusters that a route leads to, mirrors among them.
fn clusters<'a>(route: &Node<'a>) -> Vec<&'a str> {
    let Some(action) = route.get("route") else {
        return Vec::new();
    };
    let weighted = action
        .get("weighted_clusters")
        .map(|w| w.list("clusters"))
        .unwrap_or_default();
    let mirrors = action.list("request_mirror_policies");
    let mut clusters: Vec<&str> = action.text("cluster").into_iter().collect();
    clusters.extend(weighted.iter().filter_map(|c| c.text("name")));
    clusters.extend(mirrors.iter().filter_map(|c| c.text("cluster")));
    clusters
}

/// A route to an upstream asks for its seal, exactly, and takes it away.
fn sealed(
    route: &Node<'_>,
    cluster: &str,
    to: &[&Upstream<'_>],
    removed: &[&str],
    findings: &mut Findings,
) {
    let Some(upstream) = to.first() else { return };
    let Some(header) = upstream
        .header
        .filter(|_| to.iter().any(|u| u.seal != Seal::None))
    else {
        findings.error(
            route,
            format!("leads to the cluster `{cluster}` of {} without a seal: where the filter is missing, it serves everybody", upstream.name),
        );
        return;
    };
    let matchers = seal_matchers(route, header);
    let fits = |value: &str| {
        to.iter().any(|u| match &u.seal {
            Seal::Value(seal) => seal == value,
            Seal::Unknown => true,
            Seal::None => false,
        })
    };
    match matchers.iter().find_map(exact) {
        None if matchers.is_empty() => findings.error(
            route,
            format!(
                "leads to the cluster `{cluster}` of {} without asking for the seal `{header}`",
                upstream.name
            ),
        ),
        None => findings.error(
            route,
            format!("the seal `{header}` must be matched exactly (`string_match: {{exact: ..}}`)"),
        ),
        Some(value) if !fits(value) => findings.error(
            route,
            format!(
                "leads to the cluster `{cluster}` of {} by another seal than its own",
                upstream.name
            ),
        ),
        Some(_) => {}
    }
    if !removed.iter().any(|h| h.eq_ignore_ascii_case(header)) {
        findings.error(
            route,
            format!("the seal would reach the upstream: `request_headers_to_remove: [{header}]`"),
        );
    }
}

fn seal_matchers<'a>(route: &Node<'a>, header: &str) -> Vec<Node<'a>> {
    let headers = route
        .get("match")
        .map(|m| m.list("headers"))
        .unwrap_or_default();
    headers
        .into_iter()
        .filter(|h| {
            h.text("name")
                .is_some_and(|n| n.eq_ignore_ascii_case(header))
        })
        .collect()
}

/// The value that a header must have exactly.
fn exact<'a>(matcher: &Node<'a>) -> Option<&'a str> {
    if matcher.is_true("invert_match") || matcher.is_true("treat_missing_header_as_empty") {
        return None;
    }
    let value = matcher
        .text_at(&["string_match", "exact"])
        .or_else(|| matcher.text("exact_match"))?;
    (!value.is_empty()).then_some(value)
}

fn timeout(route: &Node<'_>, findings: &mut Findings) {
    let Some(action) = route.get("route") else {
        return;
    };
    match action.text("timeout") {
        None => findings.warn(
            route,
            "has no `timeout`: Envoy ends its requests after 15 s, long queries among them",
        ),
        Some(time) if is_zero(time) => {
            findings.warn(route, "`timeout: 0s` lets a request take for ever");
        }
        Some(_) => {}
    }
}

/// Whether a duration is `0s`.
pub(super) fn is_zero(time: &str) -> bool {
    time.strip_suffix('s').and_then(|n| n.parse::<f64>().ok()) == Some(0.0)
}

/// A route or host may switch the filter off.
fn disabled(node: &Node<'_>, findings: &mut Findings) {
    let Some(config) = node.get("typed_per_filter_config") else {
        return;
    };
    for (name, filter) in config.fields() {
        let inner = filter.get("config");
        let ours =
            name.to_ascii_lowercase().contains("promfence") || name == "envoy.filters.http.wasm";
        let off = filter.is_true("disabled") || inner.is_some_and(|c| c.is_true("disabled"));
        if ours && off {
            findings.error(&filter, "the filter is disabled here");
        }
    }
}
