//! Requests whose bodies are read: forms, writes, remote reads, silences and alerts.

mod held;
mod parts;

use std::sync::Arc;

use self::held::What;
pub(super) use self::held::{Request, piece};
use super::answer::Answer;
use super::read;
use super::silences;
use super::step::Step;
use super::worker::Worker;
use super::{Call, Exchange, deny, select};
use crate::deny::Denial;
use crate::grant::Grant;
use crate::policy::Upstream;
use crate::remote::{self, BodyPolicy, Counts};
use crate::route::Endpoint;

/// A write to a receiver: the header is set, and the body is read only if the policy says so.
pub(super) fn write(
    exchange: &mut Exchange,
    worker: &mut Worker,
    grant: &Arc<Grant>,
    mut call: Call<'_>,
) -> Result<Step, Denial> {
    let policy = worker.policy.clone();
    let upstream = call.upstream;
    if call.query.is_some_and(|q| !q.is_empty()) {
        return Err(Denial::new(400, "parameter", "a write takes no parameters"));
    }
    let (tenant, scope) = select::write(&policy, grant, upstream, call.head, &mut exchange.audit)?;
    exchange.audit.write = Some(Counts::default());
    let one = |name| call.head.headers.one(name).map_err(|_| repeated(name));
    let endpoint = if call.route.endpoint == Endpoint::Otlp {
        remote::Endpoint::Otlp
    } else {
        remote::Endpoint::RemoteWrite
    };
    let protocol = remote::protocol(
        one("content-type")?,
        one("content-encoding")?,
        one("x-prometheus-remote-write-version")?,
        endpoint,
    )
    .map_err(|e| deny::write(&e))?;
    let policy_of_body = body_policy(upstream)?;
    policy_of_body.take(protocol).map_err(|e| deny::write(&e))?;
    call.edits.set(":path", upstream.path_of(call.route));
    if upstream.kind == crate::route::Kind::Receive {
        call.edits.set(&upstream.header, tenant.as_str().as_bytes());
    }
    let inspects = policy_of_body.needs_body();
    let compressed = policy_of_body.compressed_limit(&tenant);
    let limit = match (upstream.max_body, inspects) {
        (Some(limit), true) => Some(limit.min(compressed)),
        (Some(limit), false) => Some(limit),
        (None, true) => Some(compressed),
        (None, false) => None,
    };
    if let Some(limit) = limit {
        refuse_declared(&call, limit)?;
    }
    let holder = exchange.holder.clone();
    exchange.request = match (limit, inspects) {
        (Some(limit), true) => {
            call.edits.remove("content-length");
            let what = What::Write {
                upstream: upstream.index,
                protocol,
                tenant,
                scope,
            };
            Request::hold(what, limit, holder)
        }
        (Some(limit), false) => Request::Counted { left: limit, limit },
        (None, _) => Request::Unread,
    };
    exchange.answer = Answer::default();
    if call.ends && inspects {
        return Err(Denial::new(400, "body", "the body is empty"));
    }
    Ok(Step::Edit(call.edits))
}

/// Remote read: the matchers of each query are confined in the body.
pub(super) fn remote_read(
    exchange: &mut Exchange,
    worker: &mut Worker,
    grant: &Arc<Grant>,
    mut call: Call<'_>,
) -> Result<Step, Denial> {
    let policy = worker.policy.clone();
    if call.query.is_some_and(|q| !q.is_empty()) {
        return Err(Denial::new(
            400,
            "parameter",
            "remote read takes no parameters",
        ));
    }
    let scope = select::read(
        worker,
        grant,
        call.upstream,
        call.head,
        None,
        &mut exchange.audit,
    )?;
    let one = |name| call.head.headers.one(name).map_err(|_| repeated(name));
    let protobuf = matches!(one("content-type")?, None | Some(b"application/x-protobuf"));
    if !protobuf || !matches!(one("content-encoding")?, None | Some(b"snappy")) {
        return Err(deny::media(
            "remote read is snappy-compressed `application/x-protobuf`",
        ));
    }
    read::tenant_header(&policy, &scope, &mut call);
    exchange.answer = Answer::of(call.upstream, Endpoint::RemoteRead, &scope, worker);
    if exchange.answer.is_read() {
        call.edits.remove("accept-encoding");
    }
    let what = What::RemoteRead {
        upstream: call.upstream.index,
        scope,
    };
    hold_whole(exchange, call, what)
}

/// Silences and alerts that a tenant posts.
pub(super) fn alertmanager(
    exchange: &mut Exchange,
    worker: &mut Worker,
    grant: &Arc<Grant>,
    mut call: Call<'_>,
) -> Result<Step, Denial> {
    let policy = worker.policy.clone();
    if call.query.is_some_and(|q| !q.is_empty()) {
        return Err(Denial::new(
            400,
            "parameter",
            "this endpoint takes no parameters",
        ));
    }
    let json = call
        .head
        .headers
        .one("content-type")
        .map_err(|_| repeated("content-type"))?;
    if !json.is_some_and(is_json) {
        return Err(deny::media("the body must be `application/json`"));
    }
    if call.head.headers.all("content-encoding").next().is_some() {
        return Err(deny::media("the body is taken without content encoding"));
    }
    let what = if call.route.endpoint == Endpoint::PostAlerts {
        let (_, scope) = select::write(
            &policy,
            grant,
            call.upstream,
            call.head,
            &mut exchange.audit,
        )?;
        What::Alerts { scope }
    } else {
        let scope = silences::scope_of(worker, grant, &call, true, exchange)?;
        What::Silence {
            upstream: call.upstream.index,
            scope,
        }
    };
    let scope = match &what {
        What::Alerts { scope } | What::Silence { scope, .. } => scope.clone(),
        What::Form(..) | What::Write { .. } | What::RemoteRead { .. } => {
            return Err(deny::internal());
        }
    };
    read::tenant_header(&policy, &scope, &mut call);
    call.edits.set("content-type", "application/json");
    exchange.answer = Answer::of(call.upstream, call.route.endpoint, &scope, worker);
    hold_whole(exchange, call, what)
}

fn hold_whole(exchange: &mut Exchange, mut call: Call<'_>, what: What) -> Result<Step, Denial> {
    if call.ends {
        return Err(Denial::new(400, "body", "the body is empty"));
    }
    let limit = call.upstream.max_form;
    refuse_declared(&call, limit)?;
    call.edits.remove("content-length");
    call.edits.set(":path", call.head.path_and_query().0);
    exchange.request = Request::hold(what, limit, exchange.holder.clone());
    Ok(Step::Edit(call.edits))
}

/// A body that declares more than the limit is refused before its first byte.
fn refuse_declared(call: &Call<'_>, limit: usize) -> Result<(), Denial> {
    let declared = call
        .head
        .headers
        .all("content-length")
        .next()
        .and_then(|v| std::str::from_utf8(v).ok())
        .and_then(|v| v.parse::<u64>().ok());
    match declared {
        Some(n) if usize::try_from(n).is_ok_and(|n| n <= limit) => Ok(()),
        Some(_) => Err(deny::too_large("body", limit)),
        None => Ok(()),
    }
}

fn body_policy(upstream: &Upstream) -> Result<&BodyPolicy, Denial> {
    upstream.body.as_ref().ok_or_else(deny::internal)
}

fn repeated(name: &str) -> Denial {
    Denial::new(400, "header", format!("the header `{name}` is given twice"))
}

fn is_json(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| {
        let kind = text.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("application/json")
    })
}
