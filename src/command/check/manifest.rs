//! Manifests of Prometheus and Thanos: flags that undo the isolation, and ways around the gateway.

use super::finding::Findings;
use super::istio::kind;
use super::mesh::service;
use super::node::Node;
use super::plugin::{Plugin, Upstream};

/// Checks the manifests of workloads and services.
pub(super) fn check(documents: &[Node<'_>], plugins: &[Plugin<'_>], findings: &mut Findings) {
    let upstreams: Vec<Upstream<'_>> = plugins.iter().flat_map(Plugin::upstreams).collect();
    for document in documents {
        match kind(document) {
            Some("Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job") => {
                if let Some(pod) = document.at(&["spec", "template", "spec"]) {
                    containers(&pod, plugins, &upstreams, findings);
                }
            }
            Some("Pod") => {
                if let Some(pod) = document.get("spec") {
                    containers(&pod, plugins, &upstreams, findings);
                }
            }
            Some("Service") => exposed(document, &upstreams, findings),
            Some("Ingress") => ingress(document, &upstreams, findings),
            Some(_) | None => {}
        }
    }
}

fn containers(
    pod: &Node<'_>,
    plugins: &[Plugin<'_>],
    upstreams: &[Upstream<'_>],
    findings: &mut Findings,
) {
    for container in pod.list("containers") {
        let words: Vec<Node<'_>> = container
            .list("command")
            .into_iter()
            .chain(container.list("args"))
            .collect();
        let texts: Vec<&str> = words.iter().filter_map(|w| w.value.as_str()).collect();
        for word in &words {
            if let Some(text) = word.value.as_str() {
                flag(word, text, &texts, plugins, upstreams, findings);
            }
        }
    }
}

fn flag(
    place: &Node<'_>,
    text: &str,
    all: &[&str],
    plugins: &[Plugin<'_>],
    upstreams: &[Upstream<'_>],
    findings: &mut Findings,
) {
    let (name, inline) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let next = || all.iter().skip_while(|t| **t != text).nth(1).copied();
    let value = inline.or_else(next).unwrap_or_default();
    match name {
        "--receive.split-tenant-label-name" => findings.error(
            place,
            "lets a label inside the body decide the tenant, whatever header the gateway sets",
        ),
        "--receive.tenant-label-name" => {
            for plugin in plugins {
                let label = plugin
                    .config
                    .text_at(&["tenancy", "label"])
                    .unwrap_or("tenant_id");
                if label != value {
                    findings.error(
                        place,
                        format!(
                            "stores the tenant in `{value}`, but the filter enforces `{label}`"
                        ),
                    );
                }
            }
        }
        "--receive.tenant-header" => {
            for upstream in upstreams.iter().filter(|u| u.kind == "receive") {
                let own = upstream.options.text("header");
                let common = plugins
                    .iter()
                    .find_map(|p| p.config.text_at(&["tenancy", "header"]));
                let header = own.or(common).unwrap_or("THANOS-TENANT");
                if !header.eq_ignore_ascii_case(value) {
                    findings.error(
                        place,
                        format!("reads the tenant from `{value}`, but the filter sets `{header}`"),
                    );
                }
            }
        }
        "--web.enable-admin-api" if inline != Some("false") => {
            findings.warn(
                place,
                "serves an interface that deletes series: no one must reach it around the gateway",
            );
        }
        "--query-frontend.downstream-url" => {
            let host = value.split("://").last().unwrap_or(value);
            let host = host.split(['/', ':']).next().unwrap_or(host);
            let gateway = upstreams
                .iter()
                .any(|u| u.hosts.iter().any(|h| h.eq_ignore_ascii_case(host)));
            if gateway {
                findings.error(place, "a Query Frontend before the gateway answers one caller from another's cache: put it behind");
            }
        }
        _ => {}
    }
}

/// The upstream that a service is the address of.
fn upstream_of<'u, 'a>(
    name: &str,
    namespace: &str,
    upstreams: &'u [Upstream<'a>],
) -> Option<&'u Upstream<'a>> {
    let host = format!("{name}.{namespace}.svc");
    upstreams.iter().find(|u| {
        u.cluster
            .and_then(service)
            .is_some_and(|(_, h)| h.strip_suffix(".cluster.local").unwrap_or(h) == host)
    })
}

fn exposed(document: &Node<'_>, upstreams: &[Upstream<'_>], findings: &mut Findings) {
    let name = document.text_at(&["metadata", "name"]).unwrap_or_default();
    let namespace = document
        .text_at(&["metadata", "namespace"])
        .unwrap_or("default");
    let kind = document.text_at(&["spec", "type"]).unwrap_or("ClusterIP");
    if ["LoadBalancer", "NodePort"].contains(&kind)
        && let Some(upstream) = upstream_of(name, namespace, upstreams)
    {
        findings.error(
            document,
            format!(
                "`type: {kind}` leads to {} around the gateway",
                upstream.name
            ),
        );
    }
}

fn ingress(document: &Node<'_>, upstreams: &[Upstream<'_>], findings: &mut Findings) {
    let namespace = document
        .text_at(&["metadata", "namespace"])
        .unwrap_or("default");
    let rules = document
        .get("spec")
        .map(|s| s.list("rules"))
        .unwrap_or_default();
    let paths = rules
        .iter()
        .filter_map(|r| r.get("http"))
        .flat_map(|h| h.list("paths"));
    for path in paths {
        if let Some(name) = path.text_at(&["backend", "service", "name"])
            && let Some(upstream) = upstream_of(name, namespace, upstreams)
        {
            findings.error(
                &path,
                format!("leads to {} around the gateway", upstream.name),
            );
        }
    }
}
