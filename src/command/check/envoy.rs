//! Envoy's own configuration: bootstraps, and files of listeners, clusters and routes.

use super::environment::Environment;
use super::finding::{Findings, Severity};
use super::known::ROUTER;
use super::node::Node;
use super::plugin::Plugin;
use super::wasm::{Filter, Home};
use super::{heads, properties, routes, tls};

/// All resources of Envoy in the files.
#[derive(Default)]
pub(super) struct Envoy<'a> {
    pub(super) listeners: Vec<Node<'a>>,
    pub(super) clusters: Vec<Node<'a>>,
    pub(super) routes: Vec<Node<'a>>,
    pub(super) secrets: Vec<Node<'a>>,
    /// Whether clusters come from elsewhere too.
    pub(super) dynamic_clusters: bool,
}

/// A connection manager for HTTP, and the chain that it is in.
pub(super) struct Manager<'a> {
    pub(super) node: Node<'a>,
    pub(super) chain: Node<'a>,
}

impl<'a> Envoy<'a> {
    /// Takes the resources of a document. `false`: it is no configuration of Envoy.
    pub(super) fn take(&mut self, document: &Node<'a>) -> bool {
        if ["static_resources", "dynamic_resources"]
            .iter()
            .any(|n| document.get(n).is_some())
        {
            if let Some(fixed) = document.get("static_resources") {
                self.listeners.extend(fixed.list("listeners"));
                self.clusters.extend(fixed.list("clusters"));
                self.secrets.extend(fixed.list("secrets"));
            }
            if let Some(dynamic) = document.get("dynamic_resources") {
                self.dynamic_clusters |=
                    dynamic.get("cds_config").is_some() || dynamic.get("ads_config").is_some();
            }
            return true;
        }
        let resources = document.list("resources");
        let mut any = false;
        for resource in resources.iter().chain([document]) {
            let to = match resource.type_name() {
                Some("envoy.config.listener.v3.Listener") => &mut self.listeners,
                Some("envoy.config.cluster.v3.Cluster") => &mut self.clusters,
                Some("envoy.config.route.v3.RouteConfiguration") => &mut self.routes,
                Some("envoy.extensions.transport_sockets.tls.v3.Secret") => &mut self.secrets,
                Some(_) | None => continue,
            };
            to.push(resource.clone());
            any = true;
        }
        any
    }

    /// Checks everything; returns the configurations of the filter.
    pub(super) fn check(&self, given: &Environment, findings: &mut Findings) -> Vec<Plugin<'a>> {
        let managers = self.managers();
        let mut plugins = Vec::new();
        for manager in &managers {
            plugins.extend(self.chain(manager, given, findings));
        }
        let upstreams: Vec<_> = plugins.iter().flat_map(Plugin::upstreams).collect();
        for plugin in &plugins {
            tls::clusters(self, plugin, findings);
        }
        for manager in &managers {
            routes::check(self, manager, &upstreams, findings);
        }
        routes::unreached(self, &managers, &upstreams, findings);
        routes::tcp(self, &upstreams, findings);
        plugins
    }

    /// All connection managers for HTTP.
    fn managers(&self) -> Vec<Manager<'a>> {
        let mut managers = Vec::new();
        for chain in self.chains() {
            for filter in chain.list("filters") {
                let Some(config) = filter.get("typed_config") else {
                    continue;
                };
                if config
                    .type_name()
                    .is_some_and(|t| t.ends_with(".HttpConnectionManager"))
                {
                    managers.push(Manager {
                        node: config,
                        chain: chain.clone(),
                    });
                }
            }
        }
        managers
    }

    /// All filter chains of all listeners.
    pub(super) fn chains(&self) -> Vec<Node<'a>> {
        let mut chains = Vec::new();
        for listener in &self.listeners {
            chains.extend(listener.list("filter_chains"));
            chains.extend(listener.get("default_filter_chain"));
        }
        chains
    }

    /// The filters of one connection manager.
    fn chain(
        &self,
        manager: &Manager<'a>,
        given: &Environment,
        findings: &mut Findings,
    ) -> Vec<Plugin<'a>> {
        let entries = manager.node.list("http_filters");
        let mut plugins = Vec::new();
        for (i, entry) in entries.iter().enumerate() {
            let Some(filter) = Filter::recognise(entry) else {
                continue;
            };
            filter.settings(Home::Envoy, findings);
            let (before, after) = entries.split_at(i);
            let plugin = filter.plugin(given, findings);
            place(entry, before, after, plugin.as_ref(), findings);
            let Some(plugin) = plugin else { continue };
            plugin.compile(findings);
            heads::stopped(&plugin, filter.stops_at_heads(), findings);
            heads::room(self, manager, &plugin, findings);
            if plugin.certificates().is_some() {
                tls::certificates(self, &manager.chain, &plugin, findings);
            }
            plugins.push(plugin);
        }
        if !plugins.is_empty() {
            times(&manager.node, findings);
            for log in manager.node.list("access_log") {
                properties::read(&log, &plugins, findings);
            }
            for entry in entries.iter().filter(|e| Filter::recognise(e).is_none()) {
                properties::read(entry, &plugins, findings);
            }
        }
        plugins
    }
}

/// The place of the filter in its chain.
fn place(
    entry: &Node<'_>,
    before: &[Node<'_>],
    after: &[Node<'_>],
    plugin: Option<&Plugin<'_>>,
    findings: &mut Findings,
) {
    let is = |entry: &Node<'_>, name: &str| {
        let full = format!("envoy.extensions.filters.http.{name}.v3");
        entry.text("name") == Some(&format!("envoy.filters.http.{name}"))
            || entry
                .get("typed_config")
                .and_then(|c| c.type_name())
                .is_some_and(|t| t.starts_with(&format!("{full}.")))
    };
    if before.iter().any(|e| is(e, "router")) {
        findings.error(entry, format!("stands after `{ROUTER}`: it never runs"));
    }
    for earlier in before {
        if is(earlier, "cache") || is(earlier, "cache_v2") {
            findings.error(
                earlier,
                "a cache before promfence answers one caller with what another was shown",
            );
        }
        if is(earlier, "grpc_json_transcoder") || is(earlier, "grpc_web") {
            findings.warn(earlier, "changes requests before promfence reads them");
        }
    }
    for later in after.iter().skip(1) {
        if is(later, "compressor") {
            findings.error(
                later,
                "compresses answers before promfence can read them: put it before promfence",
            );
        }
        if ["lua", "ext_proc", "header_mutation", "golang"]
            .iter()
            .any(|n| is(later, n))
        {
            findings.warn(later, "may change a request after promfence has judged it");
        }
    }
    if let Some(plugin) = plugin
        && let Some(verified) = plugin.verified_elsewhere()
        && !before.iter().any(|e| is(e, "jwt_authn"))
    {
        let reason = if after.iter().any(|e| is(e, "jwt_authn")) {
            "`envoy.filters.http.jwt_authn` stands after promfence, which then never sees its payload"
        } else {
            "no `envoy.filters.http.jwt_authn` stands before promfence"
        };
        plugin.find(findings, Severity::Error, &verified, reason);
    }
}

/// Times that end a request whose module has died while it was held.
fn times(manager: &Node<'_>, findings: &mut Findings) {
    let idle = manager.text("stream_idle_timeout");
    if idle.is_some_and(routes::is_zero) {
        findings.warn(
            manager,
            "`stream_idle_timeout` is switched off: a request that is held for ever is never ended",
        );
    }
    if manager
        .text("request_headers_timeout")
        .is_none_or(routes::is_zero)
    {
        findings.note(
            manager,
            "without `request_headers_timeout` a client may take for ever to send a head",
        );
    }
}
