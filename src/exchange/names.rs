//! The metric names of a scope, asked for to cut metadata down to them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::step::{Lookup, Step};
use super::worker::Worker;
use super::{Call, Exchange, Pending, Purpose, deny};
use crate::deny::Denial;
use crate::http::UnixTime;
use crate::params;
use crate::scope::Scope;

/// Asks for the metric names of a scope, unless they are known.
pub(super) fn ask(
    exchange: &mut Exchange,
    worker: &Worker,
    scope: Scope,
    call: Call<'_>,
    now: UnixTime,
) -> Result<Step, Denial> {
    if scope.is_unlimited() {
        return Ok(Step::Edit(call.edits));
    }
    if let Some(known) = worker.names.find(call.upstream.index, scope.text(), now) {
        exchange.answer.show_names(known);
        return Ok(Step::Edit(call.edits));
    }
    let policy = &worker.policy;
    let mut only = String::new();
    params::append("match[]", &format!("{{{}}}", scope.text()), &mut only);
    let path = format!(
        "{}/api/v1/label/__name__/values?{only}",
        call.upstream.upstream_prefix
    );
    let lookup = Lookup {
        cluster: call.upstream.cluster.clone().ok_or_else(deny::internal)?,
        authority: call.upstream.authority.clone(),
        path,
        headers: vec![("accept".into(), "application/json".into())],
        timeout: policy.lookup_timeout,
    };
    exchange.state = super::State::Lookup(Box::new(Pending {
        upstream: call.upstream.index,
        purpose: Purpose::Names,
        scope,
        edits: Some(call.edits),
    }));
    Ok(Step::Ask(lookup))
}

/// Reads the metric names of a look-up's answer.
pub(super) fn found(status: u16, answer: &[u8]) -> Result<Arc<BTreeSet<String>>, Denial> {
    #[derive(serde::Deserialize)]
    struct Values {
        status: String,
        data: BTreeSet<String>,
    }
    match (status, serde_json::from_slice::<Values>(answer)) {
        (200, Ok(values)) if values.status == "success" => Ok(Arc::new(values.data)),
        _ => Err(Denial::busy(
            "lookup",
            "the metric names could not be looked up",
            2,
        )),
    }
}
