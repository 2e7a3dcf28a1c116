//! Bodies that are held until they are whole, and what becomes of them then.

use std::sync::Arc;

use super::parts::Parts;
use crate::deny::Denial;
use crate::exchange::read::Reader;
use crate::exchange::step::Piece;
use crate::exchange::worker::Worker;
use crate::exchange::{Exchange, Pending, Purpose, State, deny, silences};
use crate::remote::{self, Protocol};
use crate::respond;
use crate::scope::Scope;
use crate::tenant::TenantId;

/// What becomes of the request's body.
#[derive(Debug, Default)]
pub(in crate::exchange) enum Request {
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
pub(in crate::exchange) struct Held {
    parts: Parts,
    limit: usize,
    holder: Arc<str>,
    /// What of it the budget has counted.
    counted: usize,
    what: What,
}

/// What a held body is.
#[derive(Debug)]
pub(super) enum What {
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
    pub(in crate::exchange) fn form(reader: Reader, url: Option<Vec<u8>>, limit: usize) -> Self {
        let holder = reader.holder.clone();
        Self::hold(What::Form(reader, url), limit, holder)
    }

    pub(super) fn hold(what: What, limit: usize, holder: Arc<str>) -> Self {
        Self::Held(Box::new(Held {
            parts: Parts::default(),
            limit,
            holder,
            counted: 0,
            what,
        }))
    }

    /// Whether pieces of the body are judged.
    pub(in crate::exchange) fn is_read(&self) -> bool {
        match self {
            Self::Unread => false,
            Self::Counted { .. } | Self::Held(_) => true,
        }
    }

    /// Whether the body is held until it is whole.
    pub(in crate::exchange) fn is_held(&self) -> bool {
        match self {
            Self::Unread | Self::Counted { .. } => false,
            Self::Held(_) => true,
        }
    }

    /// Gives back what is held.
    pub(in crate::exchange) fn release(&mut self, worker: &mut Worker) {
        if let Self::Held(held) = std::mem::take(self) {
            worker.budget.release(&held.holder, held.counted);
        }
    }
}

/// Judges a piece of a body.
pub(in crate::exchange) fn piece(
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
            let (counts, body) = super::body_policy(upstream(index)?)?
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
                    exchange.state = State::Lookup(Box::new(Pending {
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

fn bad_body(e: &impl std::fmt::Display) -> Denial {
    Denial::new(400, "body", e.to_string())
}
