//! One request and its answer as a state machine, and the worker that it belongs to.
//!
//! Only this module composes routes, identity, parameters, PromQL, bodies and answers, and only it
//! turns an error into a [`Denial`](crate::deny::Denial). There is no way through it that goes on after an error.

mod answer;
mod audit;
mod body;
mod deny;
mod given;
mod headers;
mod judge;
mod names;
mod proof;
mod read;
mod select;
mod silences;
mod step;
mod worker;

use std::borrow::Cow;
use std::sync::Arc;

pub use self::answer::Answer;
pub use self::audit::Audit;
use self::body::Request;
pub use self::step::{Edit, Edits, Lookup, Overdue, Piece, Reply, ReplyPiece, Step};
pub use self::worker::Worker;
use crate::auth::{Peer, Verifier};
use crate::deny::Form;
use crate::http::{RequestHead, ResponseHead, UnixTime};
use crate::policy::Upstream;
use crate::route::Route;
use crate::scope::Scope;

/// What the host knows at the time of a call.
pub struct Host<'a> {
    /// Connection properties and metadata.
    pub peer: &'a dyn Peer,
    /// The host's own signature check.
    pub verifier: &'a dyn Verifier,
    /// The time.
    pub now: UnixTime,
}

/// One request and its answer.
#[derive(Debug, Default)]
pub struct Exchange {
    state: State,
    request: Request,
    answer: Answer,
    audit: Audit,
    form: Form,
    /// When the request came.
    came: Option<UnixTime>,
    /// How often it has waited for keys.
    waits: u8,
    /// Whose share of the worker's memory is used.
    holder: Arc<str>,
    /// Whether the request counts among those of the holder that are under way.
    begun: bool,
}

/// The fetch that is under way when a request comes may have begun before, so a request waits for
/// one more; then its caller tries again.
const MAX_WAITS: u8 = 2;

/// Where the request stands.
#[derive(Debug, Default)]
enum State {
    /// Nothing decided.
    #[default]
    New,
    /// Waits for keys, with all it needs to begin anew.
    Keys(Box<RequestHead>, bool),
    /// Waits for a look-up.
    Lookup(Box<Pending>),
    /// Decided: its body, if any, is under way.
    Going,
    /// Refused: nothing more may pass.
    Refused,
}

/// A request that waits for a look-up.
#[derive(Debug)]
struct Pending {
    upstream: usize,
    purpose: Purpose,
    scope: Scope,
    /// What happens to the head once the look-up allows it; none if it has gone already.
    edits: Option<Edits>,
}

/// Why a look-up is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Whether a silence is the caller's.
    Silence,
    /// Which metric names the caller has.
    Names,
}

/// What the head of an authorised request says, for the parts that build the upstream's request.
struct Call<'a> {
    head: &'a RequestHead,
    ends: bool,
    upstream: &'a Upstream,
    route: &'a Route<'a>,
    query: Option<&'a [u8]>,
    edits: Edits,
}

impl Exchange {
    /// Judges a request by its head. `ends`: no body follows.
    pub fn request_headers(
        &mut self,
        worker: &mut Worker,
        head: &RequestHead,
        ends: bool,
        host: &Host<'_>,
    ) -> Step {
        let step = self
            .judge(worker, head, ends, host)
            .unwrap_or_else(Step::Refuse);
        self.settle(&step);
        step
    }

    /// Goes on after a fetch of keys has ended, well or badly. Only after [`Step::WaitForKeys`].
    pub fn keys_fetched(&mut self, worker: &mut Worker, host: &Host<'_>) -> Step {
        match std::mem::take(&mut self.state) {
            State::Keys(head, ends) => {
                self.waits = self.waits.saturating_add(1);
                self.request_headers(worker, &head, ends, host)
            }
            State::New | State::Lookup(_) | State::Going | State::Refused => {
                self.state = State::Refused;
                Step::Refuse(deny::internal())
            }
        }
    }

    /// Goes on after a look-up: its status (0 if there was no answer) and body. Only after
    /// [`Step::Ask`] or [`Piece::Ask`]; the edits are empty after the latter.
    pub fn looked_up(
        &mut self,
        worker: &mut Worker,
        status: u16,
        answer: &[u8],
        now: UnixTime,
    ) -> Step {
        let step = match std::mem::take(&mut self.state) {
            State::Lookup(pending) => self
                .after_lookup(worker, *pending, status, answer, now)
                .unwrap_or_else(Step::Refuse),
            State::New | State::Keys(..) | State::Going | State::Refused => {
                Step::Refuse(deny::internal())
            }
        };
        self.settle(&step);
        step
    }

    /// Judges a piece of the request's body. `ends`: it is the last (or trailers follow).
    pub fn request_piece(&mut self, worker: &mut Worker, piece: &[u8], ends: bool) -> Piece {
        let piece = match self.state {
            State::Going => body::piece(self, worker, piece, ends),
            // While a call-out is pending the host holds the body back.
            State::New | State::Keys(..) | State::Lookup(_) | State::Refused => {
                Piece::Refuse(deny::internal())
            }
        };
        if let Piece::Refuse(_) = piece {
            self.state = State::Refused;
        }
        piece
    }

    /// Judges an answer by its head. `ends`: no body follows.
    pub fn response_headers(
        &mut self,
        worker: &mut Worker,
        head: &ResponseHead,
        ends: bool,
    ) -> Reply {
        match self.state {
            State::Going => self.answer.head(worker, head, ends),
            // An answer to a request that never went on is one of our own or the host's.
            State::New | State::Keys(..) | State::Lookup(_) | State::Refused => Reply::Pass,
        }
    }

    /// Judges a piece of the answer's body. `ends`: it is the last (or trailers follow). One that
    /// the caller gives away is held without being copied.
    pub fn response_piece<'a>(
        &mut self,
        worker: &mut Worker,
        piece: impl Into<Cow<'a, [u8]>>,
        ends: bool,
    ) -> ReplyPiece {
        self.answer.piece(worker, piece.into(), ends)
    }

    /// Whether pieces of the request's body are judged.
    #[must_use]
    pub fn reads_request_body(&self) -> bool {
        self.request.is_read()
    }

    /// Whether pieces of the request's body are held until it is whole.
    #[must_use]
    pub fn holds_request_body(&self) -> bool {
        self.request.is_held()
    }

    /// Whether pieces of the answer's body are judged.
    #[must_use]
    pub fn reads_response_body(&self) -> bool {
        self.answer.is_read()
    }

    /// Whether a body, of the request or of the answer, is held until it is whole.
    #[must_use]
    pub fn gathers(&self) -> bool {
        let request = matches!(self.state, State::Going) && self.request.is_held();
        request || self.answer.is_held()
    }

    /// Gives up a body that did not come whole in time. The host calls it when the policy's
    /// `gather_timeout` has passed since it saw the body's head; none: no body is waited for.
    pub fn overdue(&mut self, worker: &mut Worker) -> Option<Overdue> {
        if self.answer.is_held() {
            return Some(self.answer.overdue(worker));
        }
        if !self.gathers() {
            return None;
        }
        self.request.release(worker);
        self.state = State::Refused;
        Some(Overdue::Refuse(deny::late_request()))
    }

    /// Whether the host must hold the request's body back: a call-out is pending.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        matches!(self.state, State::Keys(..) | State::Lookup(_))
    }

    /// Whether the request was refused: nothing of it may pass any more.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self.state, State::Refused)
    }

    /// What is known of the request.
    #[must_use]
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// How a denial's body is written.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// Gives back what is held. The host calls it when the stream ends.
    pub fn end(&mut self, worker: &mut Worker) {
        self.request.release(worker);
        self.answer.release(worker);
        if std::mem::take(&mut self.begun) {
            worker.budget.end(&self.holder);
        }
    }

    fn settle(&mut self, step: &Step) {
        match step {
            Step::Edit(_) => self.state = State::Going,
            Step::Answer(_) | Step::Refuse(_) => self.state = State::Refused,
            Step::WaitForKeys(_) | Step::Ask(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
