//! Istio's two ways of loading the filter: `EnvoyFilter` and `WasmPlugin`.

use super::environment::Environment;
use super::finding::{Findings, Severity};
use super::heads;
use super::known::{Anchor, ROUTER, anchor};
use super::node::Node;
use super::plugin::Plugin;
use super::wasm::{Filter, Home};

/// Whether a manifest is one of Istio's or of Kubernetes'.
pub(super) fn kind<'a>(document: &Node<'a>) -> Option<&'a str> {
    document.get("apiVersion")?;
    document.text("kind")
}

/// Checks the patches of an `EnvoyFilter`; returns the configurations of the filter.
pub(super) fn envoy_filter<'a>(
    document: &Node<'a>,
    given: &Environment,
    findings: &mut Findings,
) -> Vec<Plugin<'a>> {
    let patches = document
        .get("spec")
        .map(|s| s.list("config_patches"))
        .unwrap_or_default();
    let mut plugins = Vec::new();
    for patch in patches {
        let Some(entry) = patch.at(&["patch", "value"]) else {
            continue;
        };
        let Some(filter) = Filter::recognise(&entry) else {
            continue;
        };
        filter.settings(Home::Istio, findings);
        let plugin = filter.plugin(given, findings);
        if let Some(plugin) = &plugin {
            plugin.compile(findings);
            heads::stopped(plugin, filter.stops_at_heads(), findings);
            heads::unseen(plugin, findings);
            certificates(plugin, findings);
        }
        applied(&patch, plugin.as_ref(), findings);
        plugins.extend(plugin);
    }
    plugins
}

/// A patch must be applied, and at the right place.
fn applied(patch: &Node<'_>, plugin: Option<&Plugin<'_>>, findings: &mut Findings) {
    match patch.text("apply_to") {
        Some("HTTP_FILTER") => {}
        // The resource is named by a filter elsewhere, whose place is not known here.
        Some("EXTENSION_CONFIG") => {
            findings.note(
                patch,
                "the filter that names this resource is not looked at",
            );
            return;
        }
        other => {
            let other = other.unwrap_or_default();
            findings.error(
                patch,
                format!("`applyTo: {other}` is not for HTTP filters: it must be `HTTP_FILTER`"),
            );
            return;
        }
    }
    context(patch, findings);
    let filter = patch.at(&["match", "listener", "filter_chain", "filter"]);
    let manager = "envoy.filters.network.http_connection_manager";
    let name = filter.as_ref().and_then(|f| f.text("name"));
    if name.is_some_and(|n| n != manager) {
        let name = name.unwrap_or_default();
        findings.error(patch, format!("no network filter is called `{name}`; the patch is left out in silence: it must be `{manager}`"));
    }
    let sub = filter
        .as_ref()
        .and_then(|f| f.text_at(&["sub_filter", "name"]));
    let operation = patch.text_at(&["patch", "operation"]).unwrap_or_default();
    let early = match (operation, sub) {
        ("INSERT_BEFORE", Some(sub)) => {
            anchored(patch, sub, findings);
            // Istio puts the filters of its own before those that anchor at the router.
            sub != ROUTER
        }
        ("INSERT_AFTER", Some(ROUTER)) => {
            findings.error(patch, "stands after the router: it never runs");
            false
        }
        ("INSERT_AFTER", Some(sub)) => {
            anchored(patch, sub, findings);
            sub != "envoy.filters.http.jwt_authn"
        }
        ("INSERT_FIRST" | "INSERT_BEFORE", None) => true,
        ("INSERT_FIRST", Some(_)) => true,
        ("INSERT_AFTER" | "ADD", None) => {
            findings.error(patch, "stands after the router, where it never runs: insert it before `envoy.filters.http.router`");
            false
        }
        ("ADD" | "MERGE" | "REMOVE" | "REPLACE" | "", _) => {
            findings.error(
                patch,
                "the operation must be `INSERT_BEFORE` with the anchor `envoy.filters.http.router`",
            );
            false
        }
        (other, _) => {
            findings.error(
                patch,
                format!("unknown operation `{other}`: the patch is left out in silence"),
            );
            false
        }
    };
    if early
        && let Some(plugin) = plugin
        && let Some(verified) = plugin.verified_elsewhere()
    {
        let reason = "the filter stands before `jwt_authn`, whose payload it is to read: insert it before `envoy.filters.http.router`";
        plugin.find(findings, Severity::Error, &verified, reason);
    }
}

fn anchored(patch: &Node<'_>, sub: &str, findings: &mut Findings) {
    let place = patch.follow("match.listener.filterChain.filter.subFilter.name");
    match anchor(sub) {
        Anchor::Always => {}
        Anchor::Usual => findings.warn(
            &place,
            format!("the anchor `{sub}` may be absent in another release, and the patch is then left out in silence: use `{ROUTER}`"),
        ),
        Anchor::Optional => findings.error(
            &place,
            format!("the anchor `{sub}` is there only where something asks for it, and the patch is else left out in silence: use `INSERT_BEFORE` `{ROUTER}`"),
        ),
        Anchor::Unknown => findings.error(
            &place,
            format!("no HTTP filter is called `{sub}`; the patch is left out in silence: use `{ROUTER}`"),
        ),
    }
}

fn context(patch: &Node<'_>, findings: &mut Findings) {
    match patch.text_at(&["match", "context"]) {
        Some("GATEWAY" | "SIDECAR_INBOUND") => {}
        Some("SIDECAR_OUTBOUND") => {
            findings.error(patch, "`SIDECAR_OUTBOUND` judges what a workload sends, not what reaches it");
        }
        Some("ANY") | None => findings.warn(
            patch,
            "applies to every listener, outbound ones too: name the context (`GATEWAY` or `SIDECAR_INBOUND`)",
        ),
        Some(other) => findings.error(patch, format!("unknown context `{other}`")),
    }
}

const SPEC: &[&str] = &[
    "selector",
    "targetRef",
    "targetRefs",
    "url",
    "sha256",
    "imagePullPolicy",
    "imagePullSecret",
    "verificationKey",
    "pluginConfig",
    "pluginName",
    "failStrategy",
    "phase",
    "priority",
    "vmConfig",
    "match",
    "type",
];

/// Checks a `WasmPlugin`; returns its configuration if it is of the filter.
pub(super) fn wasm_plugin<'a>(
    document: &Node<'a>,
    given: &Environment,
    findings: &mut Findings,
) -> Option<Plugin<'a>> {
    let spec = document.get("spec")?;
    let config = spec.get("pluginConfig");
    let names = [
        document.text_at(&["metadata", "name"]),
        spec.text("url"),
        spec.text("pluginName"),
    ];
    let named = names
        .iter()
        .flatten()
        .any(|n| n.to_ascii_lowercase().contains("promfence"));
    if !named
        && !config
            .as_ref()
            .is_some_and(|c| super::plugin::is_config(c.value))
    {
        return None;
    }
    for (name, field) in spec.fields() {
        if !SPEC.contains(&name) {
            findings.error(&field, "unknown field");
        }
    }
    fails_closed(&spec, findings);
    pinned(&spec, findings);
    let early = phase(&spec, findings);
    let Some(config) = config else {
        findings.error(
            &spec,
            "has no `pluginConfig`: the filter does not start without",
        );
        return None;
    };
    let mut environment = given.clone();
    environment.close();
    for variable in spec
        .get("vmConfig")
        .map(|v| v.list("env"))
        .unwrap_or_default()
    {
        let Some(name) = variable.text("name") else {
            continue;
        };
        match (variable.text("valueFrom"), variable.text("value")) {
            (Some("HOST"), _) => environment.host(name),
            (Some("INLINE") | None, Some(value)) => environment.value(name, value),
            (Some("INLINE") | None, None) => findings.error(&variable, "has no `value`"),
            (Some(other), _) => findings.error(&variable, format!("unknown `valueFrom` `{other}`")),
        }
    }
    let plugin = Plugin::new(config, None, environment);
    plugin.compile(findings);
    heads::stopped(&plugin, false, findings);
    certificates(&plugin, findings);
    if early && let Some(verified) = plugin.verified_elsewhere() {
        let reason = "the phase `AUTHN` comes before `jwt_authn`, whose payload the filter is to read: use `phase: AUTHZ`";
        plugin.find(findings, Severity::Error, &verified, reason);
    }
    Some(plugin)
}

fn fails_closed(spec: &Node<'_>, findings: &mut Findings) {
    match spec.text("failStrategy") {
        Some("FAIL_CLOSE" | "FAIL_RELOAD") => {}
        None => findings.error(spec, "must say `failStrategy: FAIL_CLOSE`: what happens without the module is not left to a default"),
        Some("FAIL_OPEN") => findings.error(spec, "`failStrategy: FAIL_OPEN` lets every request pass when the module cannot be had or fails"),
        Some(other) => findings.error(spec, format!("unknown `failStrategy` `{other}`: it must be `FAIL_CLOSE`")),
    }
    match spec.text("type") {
        Some("HTTP" | "UNSPECIFIED_PLUGIN_TYPE") | None => {}
        Some(other) => findings.error(
            spec,
            format!("`type: {other}` does not see requests: it must be `HTTP`"),
        ),
    }
    let narrowed = spec.list("match");
    if let Some(first) = narrowed.first() {
        if narrowed.iter().any(|m| m.text("mode") == Some("CLIENT")) {
            findings.error(
                first,
                "`mode: CLIENT` judges what a workload sends, not what reaches it",
            );
        }
        if narrowed.iter().all(|m| m.get("ports").is_some()) {
            findings.note(first, "the filter is absent on all other ports");
        }
    }
}

/// What runs is decided by a digest, not by whoever can push to a registry.
fn pinned(spec: &Node<'_>, findings: &mut Findings) {
    let Some(url) = spec.text("url").filter(|u| !u.is_empty()) else {
        findings.error(spec, "has no `url`");
        return;
    };
    if url.starts_with("file://") || spec.text("sha256").is_some_and(is_digest) {
        return;
    }
    let digest = url
        .rsplit_once("@sha256:")
        .is_some_and(|(_, d)| is_digest(d));
    if !digest {
        let place = spec.follow("url");
        findings.error(&place, "the module has no digest (`oci://..@sha256:..`, or `sha256`): whoever can replace it decides who may read what");
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether the filter stands before `jwt_authn`.
fn phase(spec: &Node<'_>, findings: &mut Findings) -> bool {
    match spec.text("phase") {
        Some("AUTHZ") => false,
        Some("AUTHN") => true,
        Some("STATS" | "UNSPECIFIED_PHASE") | None => {
            findings.warn(spec, "without `phase: AUTHZ` the filter stands after AuthorizationPolicy, which then cannot ask for the seal");
            false
        }
        Some(other) => {
            findings.error(spec, format!("unknown `phase` `{other}`"));
            false
        }
    }
}

fn certificates(plugin: &Plugin<'_>, findings: &mut Findings) {
    if let Some(rules) = plugin.certificates() {
        let reason = "certificates are an identity here: the gateway's TLS must be `MUTUAL` or `ISTIO_MUTUAL`, or PeerAuthentication `STRICT`";
        plugin.find(findings, Severity::Note, &rules, reason);
    }
}
