//! Silences by their id: each is looked up first, and only its tenant sees or ends it.

use std::sync::Arc;

use super::answer::Answer;
use super::read::{no_body, tenant_header};
use super::step::{Lookup, Step};
use super::worker::Worker;
use super::{Call, Exchange, Pending, Purpose, deny, select};
use crate::deny::Denial;
use crate::grant::Grant;
use crate::policy::{Policy, Upstream};
use crate::respond;
use crate::route::Endpoint;
use crate::scope::Scope;

/// A silence by its id: it is looked up, and only its tenant sees or ends it.
pub(super) fn by_id(
    exchange: &mut Exchange,
    worker: &mut Worker,
    grant: &Arc<Grant>,
    mut call: Call<'_>,
) -> Result<Step, Denial> {
    no_body(&call)?;
    if call.query.is_some_and(|q| !q.is_empty()) {
        return Err(Denial::new(
            400,
            "parameter",
            "a silence takes no parameters",
        ));
    }
    let policy = worker.policy.clone();
    let changes = call.route.endpoint == Endpoint::DeleteSilence;
    let scope = scope_of(worker, grant, &call, changes, exchange)?;
    tenant_header(&policy, &scope, &mut call);
    let id = call.route.argument.ok_or_else(deny::internal)?;
    exchange.answer = Answer::of(call.upstream, call.route.endpoint, &scope, worker);
    call.edits.remove("accept-encoding");
    call.edits.set(":path", call.head.path_and_query().0);
    if scope.is_unlimited() {
        return Ok(Step::Edit(call.edits));
    }
    let lookup = lookup(&policy, call.upstream, id)?;
    exchange.state = super::State::Lookup(Box::new(Pending {
        upstream: call.upstream.index,
        purpose: Purpose::Silence,
        scope,
        edits: Some(call.edits),
    }));
    Ok(Step::Ask(lookup))
}

/// The scope of an Alertmanager request: reading rights to see, writing rights to change.
pub(super) fn scope_of(
    worker: &mut Worker,
    grant: &Arc<Grant>,
    call: &Call<'_>,
    changes: bool,
    exchange: &mut Exchange,
) -> Result<Scope, Denial> {
    if changes {
        let policy = worker.policy.clone();
        return select::change(
            &policy,
            grant,
            call.upstream,
            call.head,
            &mut exchange.audit,
        );
    }
    select::read(
        worker,
        grant,
        call.upstream,
        call.head,
        None,
        &mut exchange.audit,
    )
}

/// The question whose silence an id is.
pub(super) fn lookup(policy: &Policy, upstream: &Upstream, id: &str) -> Result<Lookup, Denial> {
    Ok(Lookup {
        cluster: upstream.cluster.clone().ok_or_else(deny::internal)?,
        authority: upstream.authority.clone(),
        path: format!("{}/api/v2/silence/{id}", upstream.upstream_prefix),
        headers: vec![("accept".into(), "application/json".into())],
        timeout: policy.lookup_timeout,
    })
}

/// Judges the answer of a silence's look-up.
pub(super) fn found(scope: &Scope, status: u16, answer: &[u8]) -> Result<(), Denial> {
    match status {
        200 => match respond::silence_in_scope(answer, scope) {
            Ok(true) => Ok(()),
            Ok(false) => Err(no_silence()),
            Err(e) => Err(deny::answer(&e)),
        },
        404 | 400 => Err(no_silence()),
        _ => Err(Denial::busy(
            "lookup",
            "the silence could not be looked up",
            2,
        )),
    }
}

fn no_silence() -> Denial {
    Denial::new(404, "silence", "there is no such silence")
}
