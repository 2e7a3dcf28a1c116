//! Answers that are given without asking the upstream.

use crate::config::upstream::{Metadata, Status, Targets};
use crate::policy::Upstream;
use crate::route::Endpoint;

/// The answer that is given without asking the upstream.
pub(super) fn answer(upstream: &Upstream, endpoint: Endpoint) -> Option<&'static str> {
    if endpoint == Endpoint::Metadata && upstream.metadata == Metadata::Empty {
        Some(r#"{"status":"success","data":{}}"#)
    } else if endpoint == Endpoint::Targets && upstream.targets == Targets::Empty {
        Some(r#"{"status":"success","data":{"activeTargets":[],"droppedTargets":[]}}"#)
    } else if endpoint == Endpoint::AlertmanagerStatus && upstream.status == Status::Empty {
        Some(ALERTMANAGER_STATUS)
    } else if endpoint == Endpoint::Receivers && upstream.status == Status::Empty {
        Some("[]")
    } else {
        None
    }
}

/// The status of an Alertmanager of which nothing is told: no version, no peers, and the smallest
/// configuration that clients can read.
const ALERTMANAGER_STATUS: &str = concat!(
    r#"{"cluster":{"status":"disabled","peers":[]},"#,
    r#""config":{"original":"route:\n  receiver: none\nreceivers:\n- name: none\n"},"#,
    r#""uptime":"1970-01-01T00:00:00.000Z","#,
    r#""versionInfo":{"branch":"","buildDate":"","buildUser":"","goVersion":"","revision":"","version":""}}"#,
);
