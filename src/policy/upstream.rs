//! One upstream, compiled: what it serves, to whom, and how.

mod compile;
mod refuse;

use std::sync::Arc;

pub(super) use self::compile::refuse_overlaps;
use super::Bound;
use crate::config::upstream::{Metadata, Rules, Status, Targets, Verify};
use crate::promql::Confiner;
use crate::remote::BodyPolicy;
use crate::route::{self, Endpoint, Kind, Route, RouteError};
use crate::scope::{Enforced, OnConflict};

/// One upstream.
#[derive(Debug)]
pub struct Upstream {
    /// Its place in the configuration.
    pub index: usize,
    /// Its kind.
    pub kind: Kind,
    /// The path under which it is served.
    pub prefix: String,
    /// The path under which it lives, for look-ups.
    pub upstream_prefix: String,
    /// The cluster for look-ups.
    pub cluster: Option<String>,
    /// The authority of look-ups.
    pub authority: String,
    /// The seal's value.
    pub seal: Option<Arc<str>>,
    /// The header that tells it the tenant.
    pub header: Arc<str>,
    /// Its own ceiling.
    pub(crate) ceiling: Option<Bound>,
    /// Matchers enforced for everyone.
    pub matchers: Vec<Enforced>,
    /// Whether the health endpoints are public.
    pub healthy: bool,
    /// Whether the readiness endpoint is public.
    pub ready: bool,
    /// Confines PromQL.
    pub confiner: Confiner,
    /// A user's own matcher on an enforced label.
    pub on_conflict: OnConflict,
    /// The most points of a range query.
    pub max_points: Option<usize>,
    /// Parameters that pass besides the known ones.
    pub parameters: Vec<String>,
    /// Whether Thanos may answer in part.
    pub partial_response: bool,
    /// What is done with written bodies. There is none only while problems are being collected.
    pub body: Option<BodyPolicy>,
    /// The largest written body.
    pub max_body: Option<usize>,
    /// The largest form.
    pub max_form: usize,
    /// The largest answer that is held.
    pub max_response: usize,
    /// Which rules are shown.
    pub rules: Rules,
    /// What metadata answers.
    pub metadata: Metadata,
    /// What targets answers.
    pub targets: Targets,
    /// What the status of Alertmanager answers.
    pub status: Status,
    /// Proof on the answer.
    pub verify: Verify,
    hosts: Vec<String>,
    federate: bool,
    remote_read: bool,
    post_alerts: bool,
    writes: bool,
    write_path: Option<String>,
}

impl Upstream {
    /// Whether it is served under a host (in any case, without port).
    #[must_use]
    pub fn serves(&self, host: &[u8]) -> bool {
        self.hosts
            .iter()
            .any(|h| h == "*" || h.as_bytes().eq_ignore_ascii_case(host))
    }

    /// Resolves a path without prefix. An endpoint that is not enabled is as if it did not exist.
    pub fn resolve<'r>(&self, method: &[u8], path: &'r [u8]) -> Result<Route<'r>, RouteError> {
        let path = match &self.write_path {
            Some(other) if path == other.as_bytes() => b"/api/v1/receive".as_slice(),
            Some(_) | None => path,
        };
        match route::resolve(self.kind, method, path) {
            Ok(route) if !self.serves_endpoint(route.endpoint) => Err(RouteError::NotFound),
            other => other,
        }
    }

    /// The path of an endpoint under the upstream's prefix.
    #[must_use]
    pub fn path_of(&self, route: &Route<'_>) -> Vec<u8> {
        match (&self.write_path, route.endpoint) {
            (Some(path), Endpoint::Receive) => [self.prefix.as_bytes(), path.as_bytes()].concat(),
            _ => [self.prefix.as_bytes(), route.upstream_path.as_bytes()].concat(),
        }
    }

    /// Whether an endpoint is enabled.
    #[must_use]
    pub fn serves_endpoint(&self, endpoint: Endpoint) -> bool {
        match endpoint {
            Endpoint::Federate => self.federate,
            Endpoint::RemoteRead => self.remote_read,
            Endpoint::Metadata => self.metadata != Metadata::Deny,
            Endpoint::Targets => self.targets != Targets::Deny,
            Endpoint::PostAlerts => self.post_alerts,
            Endpoint::AlertmanagerStatus | Endpoint::Receivers => self.status != Status::Deny,
            Endpoint::Healthy => self.healthy,
            Endpoint::Ready => self.ready,
            Endpoint::RemoteWrite => self.writes,
            Endpoint::Otlp => self.kind == Kind::Receive || self.writes,
            Endpoint::Query
            | Endpoint::QueryRange
            | Endpoint::QueryExemplars
            | Endpoint::QueryExplain
            | Endpoint::QueryRangeExplain
            | Endpoint::Series
            | Endpoint::Labels
            | Endpoint::LabelValues
            | Endpoint::FormatQuery
            | Endpoint::ParseQuery
            | Endpoint::Rules
            | Endpoint::Alerts
            | Endpoint::BuildInfo
            | Endpoint::Features
            | Endpoint::Receive
            | Endpoint::AlertmanagerAlerts
            | Endpoint::AlertGroups
            | Endpoint::Silences
            | Endpoint::PostSilences
            | Endpoint::Silence
            | Endpoint::DeleteSilence => true,
        }
    }
}
