//! Requests whose bodies are read: forms, writes, remote reads, silences and alerts.

mod parts;

use std::sync::Arc;

use self::parts::Parts;
use super::answer::Answer;
use super::read::{self, Reader};
use super::silences;
use super::step::{Piece, Step};
use super::worker::Worker;
use super::{Call, Exchange, Pending, Purpose, deny, select};
use crate::deny::Denial;
use crate::grant::Grant;
use crate::policy::Upstream;
use crate::remote::{self, BodyPolicy, Counts, Protocol};
use crate::respond;
use crate::route::Endpoint;
use crate::scope::Scope;
use crate::tenant::TenantId;

/// What becomes of the request's body.
#[derive(Debug, Default)]
pub(super) enum Request {
    /// It passes unread, or there is none.
    #[default]
    Unread,
    /// Its bytes are counted against a limit, and pass.
    Counted {
        /// Bytes that may still pass.
        left: usize,
        /// The limit.
        limit: usize,
    },
    /// It is held until it is whole.
    Held(Box<Held>),
}

/// A body that is held until it is whole.
#[derive(Debug)]
pub(super) struct Held {
    parts: Parts,
    limit: usize,
    holder: Arc<str>,
    /// What of it the budget has counted.
    counted: usize,
    what: What,
}

/// What a held body is.
#[derive(Debug)]
enum What {
    Form(Reader, Option<Vec<u8>>),
    Write {
        upstream: usize,
        protocol: Protocol,
        tenant: TenantId,
        scope: Scope,
    },
    RemoteRead {
        upstream: usize,
        scope: Scope,
    },
    Silence {
        upstream: usize,
        scope: Scope,
    },
    Alerts {
        scope: Scope,
    },
}

impl Request {
    /// A form of a read.
    pub(super) fn form(reader: Reader, url: Option<Vec<u8>>, limit: usize) -> Self {
        let holder = reader.holder.clone();
        Self::hold(What::Form(reader, url), limit, holder)
    }

    fn hold(what: What, limit: usize, holder: Arc<str>) -> Self {
        Self::Held(Box::new(Held {
            parts: Parts::default(),
            limit,
            holder,
            counted: 0,
            what,
        }))
    }

    /// Whether pieces of the body are judged.
    pub(super) fn is_read(&self) -> bool {
        match self {
            Self::Unread => false,
            Self::Counted { .. } | Self::Held(_) => true,
        }
    }

    /// Whether the body is held until it is whole.
    pub(super) fn is_held(&self) -> bool {
        match self {
            Self::Unread | Self::Counted { .. } => false,
            Self::Held(_) => true,
        }
    }

    /// Gives back what is held.
    pub(super) fn release(&mut self, worker: &mut Worker) {
        if let Self::Held(held) = std::mem::take(self) {
            worker.budget.release(&held.holder, held.counted);
        }
    }
}

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

/// Judges a piece of a body.
pub(super) fn piece(
    exchange: &mut Exchange,
    worker: &mut Worker,
    piece: &[u8],
    ends: bool,
) -> Piece {
    match &mut exchange.request {
        Request::Unread => Piece::Pass,
        Request::Counted { left, limit } => match left.checked_sub(piece.len()) {
            Some(rest) => {
                *left = rest;
                Piece::Pass
            }
            None => Piece::Refuse(deny::too_large("body", *limit)),
        },
        Request::Held(held) => {
            if let Err(denial) = held.take(worker, piece) {
                return Piece::Refuse(denial);
            }
            if !ends {
                return Piece::Take;
            }
            let Request::Held(held) = std::mem::take(&mut exchange.request) else {
                return Piece::Refuse(deny::internal());
            };
            worker.budget.release(&held.holder, held.counted);
            whole(exchange, worker, *held).unwrap_or_else(Piece::Refuse)
        }
    }
}

impl Held {
    fn take(&mut self, worker: &mut Worker, piece: &[u8]) -> Result<(), Denial> {
        if self.parts.len().saturating_add(piece.len()) > self.limit {
            let what = match self.what {
                What::Form(..) => "form",
                What::Write { .. }
                | What::RemoteRead { .. }
                | What::Silence { .. }
                | What::Alerts { .. } => "body",
            };
            return Err(deny::too_large(what, self.limit));
        }
        worker
            .budget
            .hold(&self.holder, piece.len())
            .map_err(|_| deny::held())?;
        self.counted = self.counted.saturating_add(piece.len());
        self.parts.push(piece);
        Ok(())
    }
}

/// Judges a whole body.
fn whole(exchange: &mut Exchange, worker: &mut Worker, held: Held) -> Result<Piece, Denial> {
    let policy = worker.policy.clone();
    let upstream = |index: usize| policy.upstreams.get(index).ok_or_else(deny::internal);
    let body = held.parts.join();
    match held.what {
        What::Form(reader, url) => {
            let text = reader.rewrite_form(
                worker,
                url.as_deref(),
                &body,
                &mut exchange.audit,
                &mut exchange.answer,
            )?;
            Ok(Piece::Emit(text.into_bytes()))
        }
        What::Write {
            upstream: index,
            protocol,
            tenant,
            scope,
        } => {
            // The decoded body is held as well while it is judged.
            let (counts, body) = body_policy(upstream(index)?)?
                .apply_to(protocol, body, &scope, &tenant)
                .map_err(|e| deny::write(&e))?;
            exchange.audit.write = Some(counts);
            Ok(Piece::Emit(body))
        }
        What::RemoteRead {
            upstream: index,
            scope,
        } => {
            let conflict = upstream(index)?.on_conflict;
            let confined = remote::read::confine(&body, &scope, conflict, DECODED)
                .map_err(|e| deny::read(&e))?;
            Ok(Piece::Emit(confined))
        }
        What::Alerts { scope } => {
            let body = respond::post_alerts(&body, &scope).map_err(|e| bad_body(&e))?;
            Ok(Piece::Emit(body))
        }
        What::Silence {
            upstream: index,
            scope,
        } => {
            let upstream = upstream(index)?;
            let rewritten = respond::post_silences(&body, &scope, upstream.on_conflict)
                .map_err(|e| bad_body(&e))?;
            match rewritten.id {
                Some(id) if !scope.is_unlimited() => {
                    let lookup = silences::lookup(&policy, upstream, &id)?;
                    exchange.state = super::State::Lookup(Box::new(Pending {
                        upstream: index,
                        purpose: Purpose::Silence,
                        scope,
                        edits: None,
                    }));
                    Ok(Piece::Ask(lookup, rewritten.body))
                }
                Some(_) | None => Ok(Piece::Emit(rewritten.body)),
            }
        }
    }
}

/// The most bytes of a decoded remote read.
const DECODED: usize = 1 << 20;

fn body_policy(upstream: &Upstream) -> Result<&BodyPolicy, Denial> {
    upstream.body.as_ref().ok_or_else(deny::internal)
}

fn bad_body(e: &impl std::fmt::Display) -> Denial {
    Denial::new(400, "body", e.to_string())
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
