//! TLS on both sides: certificates of callers, and the way to key servers.

use super::envoy::Envoy;
use super::finding::{Findings, Severity};
use super::node::Node;
use super::plugin::Plugin;

/// A listener whose certificates are an identity must verify them: the host tells the filter that
/// one was presented, not that it is good.
pub(super) fn certificates(
    envoy: &Envoy<'_>,
    chain: &Node<'_>,
    plugin: &Plugin<'_>,
    findings: &mut Findings,
) {
    let context = chain.at(&["transport_socket", "typed_config"]);
    let Some(context) = context.filter(|c| {
        c.type_name()
            .is_some_and(|t| t.ends_with(".DownstreamTlsContext"))
    }) else {
        if let Some(rules) = plugin.certificates() {
            plugin.find(
                findings,
                Severity::Error,
                &rules,
                "the listener has no TLS, so nobody presents a certificate",
            );
        }
        return;
    };
    if !context.is_true("require_client_certificate") {
        findings.warn(
            &context,
            "certificates are an identity here, but `require_client_certificate` is not set",
        );
    }
    let common = context
        .get("common_tls_context")
        .unwrap_or_else(|| context.clone());
    let combined = common.get("combined_validation_context");
    let secret = common
        .get("validation_context_sds_secret_config")
        .or_else(|| {
            combined
                .as_ref()?
                .get("validation_context_sds_secret_config")
        });
    let fixed = common
        .get("validation_context")
        .or_else(|| combined.as_ref()?.get("default_validation_context"));
    let from_secret = secret.as_ref().and_then(|s| {
        let name = s.text("name")?;
        let secret = envoy
            .secrets
            .iter()
            .find(|s| s.text("name") == Some(name))?;
        secret.get("validation_context")
    });
    let contexts: Vec<&Node<'_>> = fixed.iter().chain(&from_secret).collect();
    for context in &contexts {
        verifies(context, findings);
    }
    if contexts.iter().any(|c| c.get("trusted_ca").is_some()) {
        return;
    }
    match secret {
        Some(secret) if from_secret.is_none() => {
            findings.note(&secret, "the validation context comes from elsewhere: it must have a `trusted_ca`");
        }
        Some(_) | None => findings.error(
            &common,
            "certificates are an identity here, but no `trusted_ca` verifies them: any self-signed one would do",
        ),
    }
}

fn verifies(context: &Node<'_>, findings: &mut Findings) {
    if context.text("trust_chain_verification") == Some("ACCEPT_UNTRUSTED") {
        findings.error(
            context,
            "`ACCEPT_UNTRUSTED` lets any certificate pass as an identity",
        );
    }
    if context.is_true("allow_expired_certificate") {
        findings.error(
            context,
            "`allow_expired_certificate` lets expired certificates pass as an identity",
        );
    }
}

/// The clusters that the filter itself asks: they must exist, and keys must come by TLS.
pub(super) fn clusters(envoy: &Envoy<'_>, plugin: &Plugin<'_>, findings: &mut Findings) {
    for (place, name) in plugin.key_clusters() {
        match find(envoy, name) {
            Some(cluster) => keys_by_tls(plugin, &place, &cluster, findings),
            None => absent(envoy, plugin, &place, name, findings),
        }
    }
    for upstream in plugin.upstreams() {
        if let (Some(name), Some(place)) = (upstream.cluster, upstream.options.get("cluster"))
            && find(envoy, name).is_none()
        {
            absent(envoy, plugin, &place, name, findings);
        }
    }
}

fn find<'a>(envoy: &Envoy<'a>, name: &str) -> Option<Node<'a>> {
    envoy
        .clusters
        .iter()
        .find(|c| c.text("name") == Some(name))
        .cloned()
}

fn absent(
    envoy: &Envoy<'_>,
    plugin: &Plugin<'_>,
    place: &Node<'_>,
    name: &str,
    findings: &mut Findings,
) {
    if envoy.dynamic_clusters {
        let reason = format!("the cluster `{name}` must come from elsewhere: it is not here");
        plugin.find(findings, Severity::Note, place, reason);
    } else if !envoy.clusters.is_empty() {
        plugin.find(
            findings,
            Severity::Error,
            place,
            format!("there is no cluster `{name}`"),
        );
    }
}

fn keys_by_tls(plugin: &Plugin<'_>, place: &Node<'_>, cluster: &Node<'_>, findings: &mut Findings) {
    let name = cluster.text("name").unwrap_or_default();
    let context = cluster
        .at(&["transport_socket", "typed_config"])
        .filter(|c| {
            c.type_name()
                .is_some_and(|t| t.ends_with(".UpstreamTlsContext"))
        });
    let Some(context) = context else {
        if !is_local(cluster) {
            let reason = format!(
                "keys come from the cluster `{name}` without TLS: whoever is between can put in keys of their own"
            );
            plugin.find(findings, Severity::Warning, place, reason);
        }
        return;
    };
    let common = context.get("common_tls_context");
    let trusts = common.is_some_and(|c| {
        let direct = c.get("validation_context");
        let combined = c.at(&["combined_validation_context", "default_validation_context"]);
        let secret = c.get("validation_context_sds_secret_config").is_some()
            || c.at(&[
                "combined_validation_context",
                "validation_context_sds_secret_config",
            ])
            .is_some();
        let roots =
            |v: &Node<'_>| v.get("trusted_ca").is_some() || v.get("system_root_certs").is_some();
        secret || direct.iter().chain(&combined).any(roots)
    });
    if !trusts {
        let reason = format!(
            "the cluster `{name}` does not verify the key server's certificate: it has no `trusted_ca`"
        );
        plugin.find(findings, Severity::Warning, place, reason);
    }
}

/// Whether all endpoints are on the same machine.
fn is_local(cluster: &Node<'_>) -> bool {
    let endpoints: Vec<Node<'_>> = cluster
        .get("load_assignment")
        .map(|a| a.list("endpoints"))
        .unwrap_or_default()
        .iter()
        .flat_map(|e| e.list("lb_endpoints"))
        .collect();
    !endpoints.is_empty()
        && endpoints.iter().all(|e| {
            let address = e.at(&["endpoint", "address"]);
            let socket = address
                .as_ref()
                .and_then(|a| a.text_at(&["socket_address", "address"]));
            match socket {
                Some("localhost") => true,
                Some(ip) => ip
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|ip| ip.is_loopback()),
                None => address.is_some_and(|a| a.get("pipe").is_some()),
            }
        })
}
