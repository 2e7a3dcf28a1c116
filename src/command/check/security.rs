//! Istio's own policies around the filter: who may add routes, who verifies, who asks for the seal.

use std::collections::BTreeSet;

use super::finding::{Findings, Severity};
use super::istio::kind;
use super::known::ROUTER;
use super::node::Node;
use super::plugin::{Plugin, Seal, Upstream};
use super::wasm::Filter;

/// Checks `Gateway`, `AuthorizationPolicy` and `RequestAuthentication` around the configurations.
pub(super) fn check(
    documents: &[Node<'_>],
    plugins: &[Plugin<'_>],
    upstreams: &[Upstream<'_>],
    findings: &mut Findings,
) {
    for document in documents {
        match kind(document) {
            Some("Gateway") => routes_of_others(document, upstreams, findings),
            Some("AuthorizationPolicy") => {
                seals_asked(document, upstreams, findings);
                asked_too_early(document, documents, upstreams, findings);
            }
            Some(_) | None => {}
        }
    }
    for plugin in plugins {
        verified(documents, plugin, findings);
    }
}

/// A gateway takes routes for the hosts of the filter from its own namespace only.
fn routes_of_others(document: &Node<'_>, upstreams: &[Upstream<'_>], findings: &mut Findings) {
    let Some(spec) = document.get("spec") else {
        return;
    };
    let ours = |host: &str| upstreams.iter().any(|u| u.answers(host));
    for server in spec.list("servers") {
        for place in server.list("hosts") {
            let Some(text) = place.value.as_str() else {
                continue;
            };
            let (namespace, host) = text.split_once('/').unwrap_or(("*", text));
            if namespace == "*" && ours(host) {
                findings.warn(
                    &place,
                    format!("takes routes for `{host}` from every namespace: write `./{host}`"),
                );
            }
        }
    }
    for listener in spec.list("listeners") {
        let host = listener.text("hostname").unwrap_or("*");
        let from = listener.text_at(&["allowedRoutes", "namespaces", "from"]);
        if from == Some("All") && ours(host) {
            findings.warn(
                &listener,
                format!("takes routes for `{host}` from every namespace: `allowedRoutes: {{namespaces: {{from: Same}}}}`"),
            );
        }
    }
}

/// The conditions of a policy on the header of the seal, each with that header.
fn conditions<'a, 'u>(
    document: &Node<'a>,
    upstreams: &'u [Upstream<'_>],
) -> Vec<(Node<'a>, &'u str)> {
    let headers: BTreeSet<&str> = upstreams.iter().filter_map(|u| u.header).collect();
    let rules = document
        .get("spec")
        .map(|s| s.list("rules"))
        .unwrap_or_default();
    rules
        .iter()
        .flat_map(|r| r.list("when"))
        .filter_map(|condition| {
            let name = condition
                .text("key")?
                .strip_prefix("request.headers[")?
                .strip_suffix(']')?;
            let header = headers.iter().find(|h| h.eq_ignore_ascii_case(name))?;
            Some((condition, *header))
        })
        .collect()
}

/// A policy that asks for seals asks for those that the filter sets, letter by letter.
fn seals_asked(document: &Node<'_>, upstreams: &[Upstream<'_>], findings: &mut Findings) {
    let known = |value: &str| {
        upstreams.iter().any(|u| match &u.seal {
            Seal::Value(seal) => seal == value,
            Seal::Unknown => true,
            Seal::None => false,
        })
    };
    for (condition, header) in conditions(document, upstreams) {
        for place in condition.list("values") {
            let Some(value) = place.value.as_str() else {
                continue;
            };
            if value.starts_with('*') || value.ends_with('*') {
                findings.error(
                    &place,
                    format!("`*` stands for any text: whoever sends `{header}` passes"),
                );
            } else if !known(value) {
                findings.error(&place, "asks for a seal that no upstream has");
            }
        }
    }
}

/// A filter that is inserted before the router comes after RBAC, which then never sees a seal.
fn asked_too_early(
    policy: &Node<'_>,
    documents: &[Node<'_>],
    upstreams: &[Upstream<'_>],
    findings: &mut Findings,
) {
    let Some((condition, header)) = conditions(policy, upstreams).into_iter().next() else {
        return;
    };
    let labels = |document: &Node<'_>, way: &[&str]| document.at(way).map(|n| n.value.clone());
    let wanted = labels(policy, &["spec", "selector", "matchLabels"]);
    for document in documents
        .iter()
        .filter(|d| kind(d) == Some("EnvoyFilter"))
        .filter(|d| labels(d, &["spec", "workloadSelector", "labels"]) == wanted)
    {
        let patches = document
            .get("spec")
            .map(|s| s.list("config_patches"))
            .unwrap_or_default();
        let late = patches.iter().any(|patch| {
            let ours = patch
                .at(&["patch", "value"])
                .is_some_and(|v| Filter::recognise(&v).is_some());
            let anchor = patch
                .at(&["match", "listener", "filter_chain", "filter", "sub_filter"])
                .and_then(|s| s.text("name"));
            ours && anchor == Some(ROUTER)
        });
        if late {
            findings.error(
                &condition,
                format!("asks for `{header}` before the filter sets it: an EnvoyFilter before the router stands after AuthorizationPolicy (`operation: INSERT_FIRST`, or a WasmPlugin)"),
            );
        }
    }
}

/// Who relies on a payload has a RequestAuthentication that makes it.
fn verified(documents: &[Node<'_>], plugin: &Plugin<'_>, findings: &mut Findings) {
    let rules: Vec<Node<'_>> = documents
        .iter()
        .filter(|d| kind(d) == Some("RequestAuthentication"))
        .filter_map(|d| d.get("spec"))
        .flat_map(|s| s.list("jwtRules"))
        .collect();
    for issuer in plugin
        .config
        .at(&["auth", "issuers"])
        .map(|n| n.elements())
        .unwrap_or_default()
    {
        let (Some(place), Some(name)) = (issuer.get("verified_by"), issuer.text("issuer")) else {
            continue;
        };
        if rules.is_empty() {
            plugin.find(
                findings,
                Severity::Note,
                &place,
                "no RequestAuthentication is in these files: without one every request is 401",
            );
            continue;
        }
        if !rules.iter().any(|r| r.text("issuer") == Some(name)) {
            plugin.find(
                findings,
                Severity::Error,
                &place,
                format!("no RequestAuthentication in these files verifies tokens of `{name}`"),
            );
        }
    }
}
