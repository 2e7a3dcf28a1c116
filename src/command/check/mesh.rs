//! What stands around the filter in a mesh: routes, key servers, TLS.

use std::collections::BTreeSet;

use super::finding::{Findings, Severity};
use super::gateway_api;
use super::istio::kind;
use super::node::Node;
use super::plugin::{Plugin, Seal, Upstream};
use super::security;

/// Checks the manifests around the configurations that a mesh loads.
pub(super) fn check(documents: &[Node<'_>], plugins: &[Plugin<'_>], findings: &mut Findings) {
    let upstreams: Vec<Upstream<'_>> = plugins.iter().flat_map(Plugin::upstreams).collect();
    for document in documents {
        match kind(document) {
            Some("VirtualService") => virtual_service(document, &upstreams, findings),
            Some("HTTPRoute") => gateway_api::http_route(document, &upstreams, findings),
            Some("Gateway") => gateway(document, plugins, findings),
            Some("PeerAuthentication") => peer(document, plugins, findings),
            Some(_) | None => {}
        }
    }
    security::check(documents, plugins, &upstreams, findings);
    for plugin in plugins {
        for (place, cluster) in plugin.key_clusters() {
            key_server(documents, plugin, &place, cluster, findings);
        }
    }
}

/// The port and the service in the name of one of Istio's clusters.
pub(super) fn service(cluster: &str) -> Option<(&str, &str)> {
    let mut parts = cluster.split('|');
    match (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) {
        (Some("outbound"), Some(port), Some(_subset), Some(host), None) => Some((port, host)),
        _ => None,
    }
}

/// A host as it is called in the whole mesh.
fn full(host: &str, document: &Node<'_>) -> String {
    if host.contains('.') {
        return host.to_owned();
    }
    let namespace = document
        .text_at(&["metadata", "namespace"])
        .unwrap_or("default");
    format!("{host}.{namespace}.svc.cluster.local")
}

/// The upstreams that a host is the address of.
pub(super) fn leading_to<'u, 'a>(
    host: &str,
    document: &Node<'_>,
    upstreams: &'u [Upstream<'a>],
) -> Vec<&'u Upstream<'a>> {
    let host = full(host, document);
    let short = |name: &str| {
        name.trim_end_matches(".cluster.local")
            .trim_end_matches(".svc")
            .to_owned()
    };
    upstreams
        .iter()
        .filter(|u| {
            u.cluster
                .and_then(service)
                .is_some_and(|(_, h)| short(h) == short(&host))
        })
        .collect()
}

fn virtual_service(document: &Node<'_>, upstreams: &[Upstream<'_>], findings: &mut Findings) {
    let Some(spec) = document.get("spec") else {
        return;
    };
    for route in spec.list("http") {
        let mut destinations = route.list("route");
        destinations.extend(route.get("mirror").into_iter().chain(route.list("mirrors")));
        for place in destinations {
            let destination = place.get("destination").unwrap_or_else(|| place.clone());
            let Some(host) = destination.text("host") else {
                continue;
            };
            let to = leading_to(host, document, upstreams);
            if to.is_empty() {
                continue;
            }
            sealed(&route, &place, &to, findings);
            if route.get("timeout").is_none() {
                findings.warn(&route, "has no `timeout`: Istio sets none, and a request whose module has died is never ended");
            }
        }
    }
    for section in ["tcp", "tls"] {
        for place in spec.list(section).iter().flat_map(|r| r.list("route")) {
            if let Some(host) = place.text_at(&["destination", "host"])
                && let Some(upstream) = leading_to(host, document, upstreams).first()
            {
                findings.error(
                    &place,
                    format!("leads to {} around the filter", upstream.name),
                );
            }
        }
    }
}

/// Every alternative of a route's match asks for the seal, and the seal ends at the gateway.
fn sealed(route: &Node<'_>, place: &Node<'_>, to: &[&Upstream<'_>], findings: &mut Findings) {
    let Some(upstream) = to.first() else { return };
    let Some(header) = upstream
        .header
        .filter(|_| to.iter().any(|u| u.seal != Seal::None))
    else {
        findings.error(
            route,
            format!(
                "leads to {} without a seal: where the filter is missing, it serves everybody",
                upstream.name
            ),
        );
        return;
    };
    let alternatives = route.list("match");
    if alternatives.is_empty() {
        findings.error(
            route,
            format!(
                "leads to {} without asking for the seal `{header}`",
                upstream.name
            ),
        );
    }
    for alternative in &alternatives {
        let condition = alternative
            .get("headers")
            .map(|h| h.fields())
            .unwrap_or_default()
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(header))
            .map(|(_, condition)| condition);
        match condition.as_ref().map(|c| c.text("exact")) {
            None => findings.error(
                alternative,
                format!(
                    "leads to {} without asking for the seal `{header}`",
                    upstream.name
                ),
            ),
            Some(None | Some("")) => {
                findings.error(
                    alternative,
                    format!("the seal `{header}` must be matched by `exact`"),
                );
            }
            Some(Some(value)) => {
                let fits = to.iter().any(|u| match &u.seal {
                    Seal::Value(seal) => seal == value,
                    Seal::Unknown => true,
                    Seal::None => false,
                });
                if !fits {
                    findings.error(
                        alternative,
                        format!("leads to {} by another seal than its own", upstream.name),
                    );
                }
            }
        }
    }
    let removed = [route, place].iter().any(|n| {
        let request = n.at(&["headers", "request"]);
        let names = request.map(|r| r.texts("remove")).unwrap_or_default();
        names.iter().any(|name| name.eq_ignore_ascii_case(header))
    });
    if !removed {
        findings.error(
            route,
            format!(
                "the seal would reach the upstream: `headers: {{request: {{remove: [{header}]}}}}`"
            ),
        );
    }
}

/// A gateway whose certificates are an identity verifies them.
fn gateway(document: &Node<'_>, plugins: &[Plugin<'_>], findings: &mut Findings) {
    if !plugins.iter().any(|p| p.certificates().is_some()) {
        return;
    }
    for server in document
        .get("spec")
        .map(|s| s.list("servers"))
        .unwrap_or_default()
    {
        match server.text_at(&["tls", "mode"]) {
            Some("MUTUAL" | "ISTIO_MUTUAL") => {}
            Some("OPTIONAL_MUTUAL") => findings.warn(&server, "certificates are an identity here, but a caller may leave them out"),
            Some(_) | None => findings.error(
                &server,
                "certificates are an identity here, but no certificate is asked for: `tls: {mode: MUTUAL}`",
            ),
        }
    }
}

fn peer(document: &Node<'_>, plugins: &[Plugin<'_>], findings: &mut Findings) {
    if !plugins.iter().any(|p| p.certificates().is_some()) {
        return;
    }
    let mode = document.text_at(&["spec", "mtls", "mode"]);
    if matches!(mode, Some("PERMISSIVE" | "DISABLE")) {
        findings.error(
            document,
            "certificates are an identity here, but plain text is let in: `mtls: {mode: STRICT}`",
        );
    }
}

/// A key server outside of the mesh is reached by TLS.
fn key_server(
    documents: &[Node<'_>],
    plugin: &Plugin<'_>,
    place: &Node<'_>,
    cluster: &str,
    findings: &mut Findings,
) {
    let Some((_, host)) = service(cluster) else {
        let reason = format!(
            "no cluster of Istio is called `{cluster}`: its clusters are `outbound|PORT||HOST`"
        );
        plugin.find(findings, Severity::Warning, place, reason);
        return;
    };
    let of = |wanted: &str| {
        documents
            .iter()
            .filter(|d| kind(d) == Some(wanted))
            .collect::<Vec<_>>()
    };
    let entry = of("ServiceEntry").into_iter().find(|d| {
        d.get("spec")
            .is_some_and(|s| s.texts("hosts").contains(&host))
    });
    if entry.is_none() {
        return;
    }
    let modes: BTreeSet<&str> = of("DestinationRule")
        .into_iter()
        .filter(|d| d.text_at(&["spec", "host"]) == Some(host))
        .filter_map(|d| d.text_at(&["spec", "trafficPolicy", "tls", "mode"]))
        .collect();
    if !modes
        .iter()
        .any(|m| ["SIMPLE", "MUTUAL", "ISTIO_MUTUAL"].contains(m))
    {
        let reason = format!(
            "keys come from `{host}` without TLS: a DestinationRule with `tls: {{mode: SIMPLE}}` is missing"
        );
        plugin.find(findings, Severity::Warning, place, reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_name_their_service() {
        assert_eq!(
            service("outbound|443||idp.example"),
            Some(("443", "idp.example"))
        );
        assert_eq!(service("idp"), None);
        assert_eq!(service("inbound|80||"), None);
    }
}
