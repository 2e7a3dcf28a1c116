//! Answers whose heads wait (`limits.hold_head`): Envoy must stop at heads, and have room.

use serde::Deserialize;

use super::envoy::{Envoy, Manager};
use super::finding::{Findings, Severity};
use super::node::Node;
use super::plugin::Plugin;
use crate::config::leaf::Size;

/// The field, and its bytes if they are not zero.
fn hold_head<'a>(plugin: &Plugin<'a>) -> Option<(Node<'a>, usize)> {
    let node = plugin.config.at(&["limits", "hold_head"])?;
    let size = Size::deserialize(node.value).ok()?.bytes();
    (size > 0).then_some((node, size))
}

/// Envoy hands no body to a filter that has stopped at a head, unless the option says so.
pub(super) fn stopped(plugin: &Plugin<'_>, stops: bool, findings: &mut Findings) {
    if let Some((node, _)) = hold_head(plugin)
        && !stops
    {
        let reason = "needs `allow_on_headers_stop_iteration: true` (Envoy 1.35 and later; a WasmPlugin cannot say it): without it every answer that is held ends as a 504";
        plugin.find(findings, Severity::Error, &node, reason);
    }
}

/// What is not seen of a gateway of Istio's.
pub(super) fn unseen(plugin: &Plugin<'_>, findings: &mut Findings) {
    if let Some((node, _)) = hold_head(plugin) {
        let reason = "the listener's `per_connection_buffer_limit_bytes` (1 MiB where nothing is said) must be larger by that of the clusters and 128 KiB, and is not looked at";
        plugin.find(findings, Severity::Note, &node, reason);
    }
}

/// A stopped answer is in the listener's buffer, and so is the piece that comes next.
pub(super) fn room(
    envoy: &Envoy<'_>,
    manager: &Manager<'_>,
    plugin: &Plugin<'_>,
    findings: &mut Findings,
) {
    let Some((node, held)) = hold_head(plugin) else {
        return;
    };
    let listener = envoy.listeners.iter().find(|l| l.contains(&manager.chain));
    let Some(room) = listener.map(limit) else {
        return;
    };
    for upstream in plugin.upstreams() {
        let named = |c: &&Node<'_>| c.text("name") == upstream.cluster;
        let piece = envoy.clusters.iter().find(named).map_or(0, limit);
        let needed = held.saturating_add(piece).saturating_add(READ);
        if needed > room {
            let reason = format!(
                "with the cluster of {} it needs {needed} bytes of the listener's `per_connection_buffer_limit_bytes`, which is {room}: larger answers may end as a 500",
                upstream.name
            );
            plugin.find(findings, Severity::Error, &node, reason);
        }
    }
}

/// The limit of a listener's or cluster's buffers.
fn limit(node: &Node<'_>) -> usize {
    node.get("per_connection_buffer_limit_bytes")
        .and_then(|n| n.value.as_u64())
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(DEFAULT)
}

/// What Envoy takes where nothing is said.
const DEFAULT: usize = 1 << 20;

/// By so much one read of Envoy's may exceed the limit of a connection.
const READ: usize = 128 << 10;
