//! What an endpoint's answers are for: which of them are filtered, proven, cut, or passed.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::upstream::{Metadata, Rules, Targets};
use crate::exchange::proof;
use crate::exchange::worker::Worker;
use crate::policy::Upstream;
use crate::route::{Endpoint, Kind};
use crate::scope::Scope;

/// What becomes of the answers to one request.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) kind: Kind,
    pub(super) endpoint: Endpoint,
    pub(super) scope: Scope,
    /// Whose share of the worker's memory is used.
    pub(super) holder: Arc<str>,
    /// The largest answer that is held.
    pub(super) limit: usize,
    /// Up to so many bytes of the body the head of an answer that is held waits; 0: it never does.
    pub(super) hold_head: usize,
    pub(super) rules: Rules,
    pub(super) success: Success,
    /// Whether errors of the upstream are put into our own words.
    pub(super) rewords: bool,
    /// The metric names that a metadata answer is cut down to.
    pub(super) names: Option<Arc<BTreeSet<String>>>,
}

/// What becomes of a 2xx answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exchange) enum Success {
    /// It passes.
    Pass,
    /// It is held, and cut down to the scope.
    Filter,
    /// It is held, and each series must be in scope.
    Verify,
    /// It is read as it passes, and each series must be in scope.
    VerifyStream,
    /// It is read as it passes, and the warnings of stores are cut.
    CutWarnings,
}

impl Plan {
    /// The plan for an endpoint's answers; none: they pass.
    pub(super) fn of(
        upstream: &Upstream,
        endpoint: Endpoint,
        scope: &Scope,
        worker: &mut Worker,
    ) -> Option<Self> {
        let success = if scope.is_unlimited() {
            Success::Pass
        } else if is_filtered(upstream, endpoint) {
            Success::Filter
        } else {
            proof::of(upstream.verify, endpoint, worker)
                .unwrap_or_else(|| unproven(upstream.kind, endpoint))
        };
        let rewords =
            !scope.is_unlimited() && (success == Success::Filter || upstream.kind == Kind::Thanos);
        if success == Success::Pass && !rewords {
            return None;
        }
        Some(Self {
            kind: upstream.kind,
            endpoint,
            scope: scope.clone(),
            holder: Arc::default(),
            limit: upstream.max_response,
            hold_head: worker.policy.hold_head,
            rules: upstream.rules,
            success,
            rewords,
            names: None,
        })
    }

    /// Whether series are to be proven.
    pub(super) fn proves(&self) -> bool {
        matches!(self.success, Success::Verify | Success::VerifyStream)
    }

    /// The plan for the answers to a query that is not one selector alone.
    pub(super) fn without_proof(mut self) -> Option<Self> {
        self.success = unproven(self.kind, self.endpoint);
        (self.success != Success::Pass || self.rewords).then_some(self)
    }

    /// Whether the warnings of stores are cut from what is proven.
    pub(super) fn cuts_warnings(&self) -> bool {
        unproven(self.kind, self.endpoint) == Success::CutWarnings
    }
}

fn is_filtered(upstream: &Upstream, endpoint: Endpoint) -> bool {
    match endpoint {
        Endpoint::Rules
        | Endpoint::Alerts
        | Endpoint::Silences
        | Endpoint::Silence
        | Endpoint::QueryExemplars
        | Endpoint::AlertmanagerAlerts
        | Endpoint::AlertGroups => true,
        Endpoint::Metadata => upstream.metadata == Metadata::Filtered,
        Endpoint::Targets => upstream.targets == Targets::Filtered,
        Endpoint::Query
        | Endpoint::QueryRange
        | Endpoint::QueryExplain
        | Endpoint::QueryRangeExplain
        | Endpoint::Series
        | Endpoint::Labels
        | Endpoint::LabelValues
        | Endpoint::FormatQuery
        | Endpoint::ParseQuery
        | Endpoint::Federate
        | Endpoint::RemoteRead
        | Endpoint::BuildInfo
        | Endpoint::Features
        | Endpoint::RemoteWrite
        | Endpoint::Receive
        | Endpoint::Otlp
        | Endpoint::PostSilences
        | Endpoint::DeleteSilence
        | Endpoint::PostAlerts
        | Endpoint::AlertmanagerStatus
        | Endpoint::Receivers
        | Endpoint::Healthy
        | Endpoint::Ready => false,
    }
}

/// Whether Thanos puts store warnings into the answers of an endpoint.
fn has_warnings(endpoint: Endpoint) -> bool {
    matches!(
        endpoint,
        Endpoint::Query
            | Endpoint::QueryRange
            | Endpoint::QueryExplain
            | Endpoint::QueryRangeExplain
            | Endpoint::Series
            | Endpoint::Labels
            | Endpoint::LabelValues
    )
}

/// What becomes of an answer whose series are not proven.
fn unproven(kind: Kind, endpoint: Endpoint) -> Success {
    if kind == Kind::Thanos && has_warnings(endpoint) {
        Success::CutWarnings
    } else {
        Success::Pass
    }
}
