//! What of a stream outlives a callback: how it stands, and how a step is applied to it.

use std::cell::RefCell;
use std::rc::Rc;

use log::{info, warn};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{Action, BufferType, MapType};

use crate::deny::Denial;
use crate::exchange::{Exchange, Host, Overdue, Piece, Step};
use crate::host::io::{self, Failed, Properties};
use crate::host::meter::{
    ALLOWED, ANSWERS, DENIED, EXEMPLARS, SAMPLES, SERIES, WRITES, WRITES_REFUSED,
};
use crate::host::shared::{Shared, Waiting};

/// What of a stream outlives a callback: the root wakes it after a fetch of keys.
#[derive(Default)]
pub(in crate::host) struct Flow {
    pub(super) exchange: Exchange,
    /// The host has said that the request's body is whole.
    pub(super) ended: bool,
    /// Bytes of the body that were taken out of the stream.
    pub(super) taken: usize,
    /// Bytes of the body that the host holds while the request waits.
    pub(super) buffered: usize,
    /// The body that goes on once a look-up allows it is with the host already.
    pub(super) emitted: bool,
    /// Trailers came while the request waited.
    pub(super) trailers: bool,
    /// The head of the answer waits for its body, which is paused.
    pub(super) head_waits: bool,
    /// Bytes of the answer's body that the host keeps while the head waits. The exchange has them.
    pub(super) kept: usize,
    /// A denial or an answer of ours was sent: nothing may pass or be resumed any more.
    pub(super) closed: bool,
    /// The stream has ended.
    pub(in crate::host) gone: bool,
    pub(super) lookup: Option<u32>,
}

impl Flow {
    /// Whether a body is held until it is whole.
    pub(in crate::host) fn gathers(&self) -> bool {
        !self.closed && self.exchange.gathers()
    }

    /// Gives up a body that is late. The host's effective context is its stream.
    pub(in crate::host) fn overdue(&mut self, shared: &Shared) {
        if self.closed {
            return;
        }
        match self.exchange.overdue(&mut shared.worker.borrow_mut()) {
            None => {}
            Some(Overdue::Refuse(denial)) => self.refuse(shared, &denial),
            Some(Overdue::Cut(denial)) => self.cut(shared, &denial),
        }
    }

    /// Puts a denial in the place of an answer whose head has not gone.
    pub(super) fn refuse_answer(&mut self, shared: &Shared, denial: &Denial) {
        shared.meter.borrow_mut().count(ANSWERS, denial.reason);
        self.refuse(shared, denial);
    }

    /// Resets an answer whose head has gone.
    pub(super) fn cut(&self, shared: &Shared, denial: &Denial) {
        warn!(
            "promfence cut endpoint={} reason={} text=\"{}\"",
            self.exchange.audit().endpoint,
            denial.reason,
            denial.text
        );
        shared.meter.borrow_mut().count(ANSWERS, denial.reason);
        let _gone = hostcalls::reset_http_response();
    }

    /// Goes on with a request that waited for keys. The host's effective context is its stream.
    pub(in crate::host) fn keys_fetched(this: &Rc<RefCell<Self>>, context: u32, shared: &Shared) {
        let mut flow = this.borrow_mut();
        if flow.closed {
            return;
        }
        let host = Host {
            peer: &Properties,
            verifier: &shared.verifier,
            now: io::now(),
        };
        let step = flow
            .exchange
            .keys_fetched(&mut shared.worker.borrow_mut(), &host);
        match step {
            // It stays paused.
            Step::WaitForKeys(fetch) => shared.waiting.borrow_mut().push(Waiting {
                context,
                fetch,
                flow: this.clone(),
            }),
            Step::Ask(_) | Step::Edit(_) | Step::Answer(_) | Step::Refuse(_) => {
                flow.resume(shared, step);
            }
        }
    }

    /// Applies what a call-out's end brought, and lets the stream go on.
    pub(super) fn resume(&mut self, shared: &Shared, step: Step) {
        let step = match step {
            // A second call-out of one request would have to be waited for in this callback's
            // stream, which the host does not promise; the caller tries again.
            Step::WaitForKeys(_) | Step::Ask(_) => Step::Refuse(Denial::busy(
                "no_keys",
                "the request must be sent once more",
                1,
            )),
            Step::Edit(_) | Step::Answer(_) | Step::Refuse(_) => step,
        };
        if self.settle(shared, step) == Action::Pause {
            return;
        }
        if self.pass_buffered(shared).is_err() {
            self.refuse(shared, &failed());
        }
        if !self.closed {
            let _gone = hostcalls::resume_http_request();
        }
    }

    /// The body that the host held back while the request waited goes the way of any body.
    pub(super) fn pass_buffered(&mut self, shared: &Shared) -> Result<(), Failed> {
        if self.trailers {
            io::strip(MapType::HttpRequestTrailers)?;
        }
        let whole = self.ended || self.trailers;
        if self.emitted || !self.exchange.reads_request_body() || (self.buffered == 0 && !whole) {
            return Ok(());
        }
        let size = self.buffered;
        let bytes = io::body(BufferType::HttpRequestBody, size)?;
        match self
            .exchange
            .request_piece(&mut shared.worker.borrow_mut(), &bytes, whole)
        {
            Piece::Pass => Ok(()),
            Piece::Take => io::replace(BufferType::HttpRequestBody, size, &[]),
            Piece::Emit(whole) => {
                io::replace(BufferType::HttpRequestBody, size, &whole)?;
                self.count_written(shared);
                Ok(())
            }
            Piece::Ask(..) => Err(Failed),
            Piece::Refuse(denial) => {
                self.refuse(shared, &denial);
                Ok(())
            }
        }
    }

    /// Applies a step that needs no waiting.
    pub(super) fn settle(&mut self, shared: &Shared, step: Step) -> Action {
        match step {
            Step::Edit(edits) => {
                if io::apply(MapType::HttpRequestHeaders, &edits).is_err() {
                    self.refuse(shared, &failed());
                    return Action::Pause;
                }
                let audit = self.exchange.audit();
                io::publish(&shared.policy, audit, "allowed");
                shared.meter.borrow_mut().note(ALLOWED, audit.endpoint);
                if audit.write.is_some() {
                    shared.meter.borrow_mut().tenant(WRITES, &audit.tenant, 1);
                }
                if audit.admin {
                    info!(
                        "promfence allowed endpoint={} subject=\"{}\" tenant=\"{}\"",
                        audit.endpoint, audit.subject, audit.tenant
                    );
                }
                Action::Continue
            }
            Step::Answer(body) => {
                let audit = self.exchange.audit();
                io::publish(&shared.policy, audit, "answered");
                shared.meter.borrow_mut().note(ALLOWED, audit.endpoint);
                self.closed = true;
                io::answer(body);
                Action::Pause
            }
            Step::Refuse(denial) => {
                self.refuse(shared, &denial);
                Action::Pause
            }
            Step::WaitForKeys(_) | Step::Ask(_) => {
                self.refuse(shared, &failed());
                Action::Pause
            }
        }
    }

    /// Counts what a judged body held.
    pub(super) fn count_written(&self, shared: &Shared) {
        let audit = self.exchange.audit();
        let Some(counts) = audit.write else {
            return;
        };
        let mut meter = shared.meter.borrow_mut();
        for (group, n) in [
            (SERIES, counts.series),
            (SAMPLES, counts.samples),
            (EXEMPLARS, counts.exemplars),
        ] {
            if n > 0 {
                meter.tenant(group, &audit.tenant, n);
            }
        }
    }

    pub(super) fn refuse(&mut self, shared: &Shared, denial: &Denial) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        let audit = self.exchange.audit();
        if audit.write.is_some() {
            let mut meter = shared.meter.borrow_mut();
            meter.tenant(WRITES_REFUSED, &audit.tenant, 1);
        }
        io::publish(&shared.policy, audit, denial.reason);
        shared.meter.borrow_mut().count(DENIED, denial.reason);
        match &audit.query {
            Some(query) => info!(
                "promfence denied status={} reason={} endpoint={} subject=\"{}\" tenant=\"{}\" query={query:?}",
                denial.status, denial.reason, audit.endpoint, audit.subject, audit.tenant
            ),
            None => info!(
                "promfence denied status={} reason={} endpoint={} subject=\"{}\" tenant=\"{}\"",
                denial.status, denial.reason, audit.endpoint, audit.subject, audit.tenant
            ),
        }
        // What was refused must not go on where the reply cannot be sent.
        if io::refuse(denial, self.exchange.form()).is_err() {
            let _gone = hostcalls::reset_http_request();
            let _gone = hostcalls::reset_http_response();
        }
    }
}

pub(super) fn failed() -> Denial {
    Denial::new(500, "host", "the proxy could not apply the decision")
}
