//! One request and its answer: every callback of the host goes to the exchange, and what it says
//! is applied.
//!
//! Bodies are taken piece by piece and emptied, and the callbacks return `Continue`: the one way
//! that works whatever the host's buffer limits are. A pause is only for a call-out, and for the head
//! of an answer where the policy says that the host can.

use std::cell::RefCell;
use std::rc::Rc;

use log::{info, warn};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType, MapType};

use super::io::{self, Failed, Properties};
use super::meter::{ALLOWED, ANSWERS, DENIED, EXEMPLARS, SAMPLES, SERIES, WRITES, WRITES_REFUSED};
use super::root::{Shared, Waiting};
use crate::deny::Denial;
use crate::exchange::{Exchange, Host, Overdue, Piece, Reply, ReplyPiece, Step};
use crate::http::{RequestHead, ResponseHead};

/// The context of one stream.
pub(super) struct Stream {
    context: u32,
    shared: Rc<Shared>,
    flow: Rc<RefCell<Flow>>,
}

/// What of a stream outlives a callback: the root wakes it after a fetch of keys.
#[derive(Default)]
pub(super) struct Flow {
    exchange: Exchange,
    /// The host has said that the request's body is whole.
    ended: bool,
    /// Bytes of the body that were taken out of the stream.
    taken: usize,
    /// Bytes of the body that the host holds while the request waits.
    buffered: usize,
    /// The body that goes on once a look-up allows it is with the host already.
    emitted: bool,
    /// Trailers came while the request waited.
    trailers: bool,
    /// The head of the answer waits for its body, which is paused.
    head_waits: bool,
    /// Bytes of the answer's body that the host keeps while the head waits. The exchange has them.
    kept: usize,
    /// A denial or an answer of ours was sent: nothing may pass or be resumed any more.
    closed: bool,
    /// The stream has ended.
    pub(super) gone: bool,
    lookup: Option<u32>,
}

impl Stream {
    pub(super) fn new(context: u32, shared: Rc<Shared>) -> Self {
        Self {
            context,
            shared,
            flow: Rc::default(),
        }
    }

    /// Sees to it that a body that is held from now on does not take for ever.
    fn watch(&self) {
        if self.flow.borrow().gathers() {
            self.shared.gather(self.context, &self.flow);
        }
    }

    fn step(&self, step: Step) -> Action {
        let mut flow = self.flow.borrow_mut();
        match step {
            Step::WaitForKeys(fetch) => {
                let entry = Waiting {
                    context: self.context,
                    fetch,
                    flow: self.flow.clone(),
                };
                self.shared.waiting.borrow_mut().push(entry);
                Action::Pause
            }
            Step::Ask(lookup) => match io::ask(&lookup) {
                Ok(token) => {
                    flow.lookup = Some(token);
                    Action::Pause
                }
                Err(Failed) => {
                    let step = flow.exchange.looked_up(
                        &mut self.shared.worker.borrow_mut(),
                        0,
                        &[],
                        io::now(),
                    );
                    flow.settle(&self.shared, step)
                }
            },
            Step::Edit(_) | Step::Answer(_) | Step::Refuse(_) => flow.settle(&self.shared, step),
        }
    }

    fn request_piece(&self, size: usize, ends: bool) -> Result<Action, Failed> {
        let mut flow = self.flow.borrow_mut();
        let bytes = io::body(BufferType::HttpRequestBody, size)?;
        let piece = flow
            .exchange
            .request_piece(&mut self.shared.worker.borrow_mut(), &bytes, ends);
        match piece {
            Piece::Pass => Ok(Action::Continue),
            Piece::Take => {
                io::replace(BufferType::HttpRequestBody, size, &[])?;
                flow.taken = flow.taken.saturating_add(size);
                // Only a paused body can still be emitted when trailers end it, and only small ones
                // may be paused, whatever the host's buffer limit is.
                Ok(if flow.taken <= PAUSED {
                    Action::Pause
                } else {
                    Action::Continue
                })
            }
            Piece::Emit(whole) => {
                io::replace(BufferType::HttpRequestBody, size, &whole)?;
                flow.count_written(&self.shared);
                Ok(Action::Continue)
            }
            Piece::Ask(lookup, whole) => {
                io::replace(BufferType::HttpRequestBody, size, &whole)?;
                flow.emitted = true;
                match io::ask(&lookup) {
                    Ok(token) => flow.lookup = Some(token),
                    Err(Failed) => {
                        let step = flow.exchange.looked_up(
                            &mut self.shared.worker.borrow_mut(),
                            0,
                            &[],
                            io::now(),
                        );
                        return Ok(flow.settle(&self.shared, step));
                    }
                }
                Ok(Action::Pause)
            }
            Piece::Refuse(denial) => {
                // Not a byte of a refused body stays in the stream.
                let _gone = io::replace(BufferType::HttpRequestBody, size, &[]);
                flow.refuse(&self.shared, &denial);
                Ok(Action::Pause)
            }
        }
    }

    fn response_piece(&self, size: usize, ends: bool) -> Result<Action, Failed> {
        let mut flow = self.flow.borrow_mut();
        let bytes = response_body(flow.kept, size)?;
        let piece =
            flow.exchange
                .response_piece(&mut self.shared.worker.borrow_mut(), &bytes, ends);
        match piece {
            ReplyPiece::Pass => Ok(Action::Continue),
            // The host keeps it: what takes its place in the end is then never larger than what the
            // host's buffer has had room for. Of a body over its limit Envoy would die.
            ReplyPiece::Take => {
                flow.kept = size;
                Ok(Action::Pause)
            }
            ReplyPiece::Emit(bytes) => {
                // A body that trailers end before it began has no buffer.
                if size > 0 || !bytes.is_empty() {
                    io::replace(BufferType::HttpResponseBody, size, &bytes)?;
                }
                (flow.head_waits, flow.kept) = (false, 0);
                Ok(Action::Continue)
            }
            ReplyPiece::Refuse(denial) => {
                let _gone = io::replace(BufferType::HttpResponseBody, size, &[]);
                flow.refuse_answer(&self.shared, &denial);
                Ok(Action::Pause)
            }
            ReplyPiece::Cut(denial) => {
                io::replace(BufferType::HttpResponseBody, size, &[])?;
                flow.cut(&self.shared, &denial);
                Ok(Action::Pause)
            }
        }
    }
}

impl Flow {
    /// Whether a body is held until it is whole.
    pub(super) fn gathers(&self) -> bool {
        !self.closed && self.exchange.gathers()
    }

    /// Gives up a body that is late. The host's effective context is its stream.
    pub(super) fn overdue(&mut self, shared: &Shared) {
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
    fn refuse_answer(&mut self, shared: &Shared, denial: &Denial) {
        shared.meter.borrow_mut().count(ANSWERS, denial.reason);
        self.refuse(shared, denial);
    }

    /// Resets an answer whose head has gone.
    fn cut(&self, shared: &Shared, denial: &Denial) {
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
    pub(super) fn keys_fetched(this: &Rc<RefCell<Self>>, context: u32, shared: &Shared) {
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
    fn resume(&mut self, shared: &Shared, step: Step) {
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
    fn pass_buffered(&mut self, shared: &Shared) -> Result<(), Failed> {
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
    fn settle(&mut self, shared: &Shared, step: Step) -> Action {
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
    fn count_written(&self, shared: &Shared) {
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

    fn refuse(&mut self, shared: &Shared, denial: &Denial) {
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
        io::refuse(denial, self.exchange.form());
    }
}

impl Context for Stream {
    fn on_http_call_response(
        &mut self,
        token: u32,
        _headers: usize,
        size: usize,
        _trailers: usize,
    ) {
        let mut flow = self.flow.borrow_mut();
        if flow.lookup.take() != Some(token) || flow.closed || flow.gone {
            return;
        }
        let (status, _, body) = io::answered(size, 8 << 20);
        let (status, body) = body.map_or((0, Vec::new()), |b| (status, b));
        let step = flow.exchange.looked_up(
            &mut self.shared.worker.borrow_mut(),
            status,
            &body,
            io::now(),
        );
        flow.resume(&self.shared, step);
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, ends: bool) -> Action {
        let Ok(headers) = io::head(MapType::HttpRequestHeaders) else {
            self.flow.borrow_mut().refuse(&self.shared, &failed());
            return Action::Pause;
        };
        let head = RequestHead { headers };
        let host = Host {
            peer: &Properties,
            verifier: &self.shared.verifier,
            now: io::now(),
        };
        let step = {
            let mut flow = self.flow.borrow_mut();
            flow.exchange
                .request_headers(&mut self.shared.worker.borrow_mut(), &head, ends, &host)
        };
        let action = self.step(step);
        self.watch();
        action
    }

    fn on_http_request_body(&mut self, size: usize, ends: bool) -> Action {
        {
            let mut flow = self.flow.borrow_mut();
            if flow.closed {
                return Action::Pause;
            }
            if flow.exchange.is_waiting() {
                flow.buffered = size;
                flow.ended = ends;
                return Action::Pause;
            }
            if !flow.exchange.reads_request_body() {
                return Action::Continue;
            }
        }
        self.request_piece(size, ends).unwrap_or_else(|Failed| {
            self.flow.borrow_mut().refuse(&self.shared, &failed());
            Action::Pause
        })
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        {
            let mut flow = self.flow.borrow_mut();
            if flow.closed {
                return Action::Pause;
            }
            if flow.exchange.is_waiting() {
                flow.trailers = true;
                return Action::Pause;
            }
        }
        let judged = io::strip(MapType::HttpRequestTrailers).and_then(|()| {
            let (reads, taken) = {
                let flow = self.flow.borrow();
                (flow.exchange.holds_request_body(), flow.taken)
            };
            match (reads, taken) {
                (true, 1..=PAUSED) => self.request_piece(0, true),
                // The host has no buffer any more into which the body could be put.
                (true, _) => {
                    let denial =
                        Denial::new(400, "trailers", "trailers are not taken after this body");
                    self.flow.borrow_mut().refuse(&self.shared, &denial);
                    Ok(Action::Pause)
                }
                (false, _) => Ok(Action::Continue),
            }
        });
        judged.unwrap_or_else(|Failed| {
            self.flow.borrow_mut().refuse(&self.shared, &failed());
            Action::Pause
        })
    }

    fn on_http_response_headers(&mut self, _: usize, ends: bool) -> Action {
        let mut flow = self.flow.borrow_mut();
        if flow.closed || !flow.exchange.reads_response_body() {
            return Action::Continue;
        }
        let reply = match io::head(MapType::HttpResponseHeaders) {
            Ok(headers) => {
                let worker = &mut self.shared.worker.borrow_mut();
                flow.exchange
                    .response_headers(worker, &ResponseHead { headers }, ends)
            }
            Err(Failed) => Reply::Refuse(failed()),
        };
        let (edits, action) = match reply {
            Reply::Pass => return Action::Continue,
            Reply::Edit(edits) => (edits, Action::Continue),
            Reply::Hold(edits) => {
                flow.head_waits = true;
                (edits, Action::Pause)
            }
            Reply::Refuse(denial) => {
                flow.refuse_answer(&self.shared, &denial);
                return Action::Pause;
            }
        };
        if io::apply(MapType::HttpResponseHeaders, &edits).is_err() {
            flow.refuse_answer(&self.shared, &failed());
            return Action::Pause;
        }
        drop(flow);
        self.watch();
        action
    }

    fn on_http_response_body(&mut self, size: usize, ends: bool) -> Action {
        {
            let flow = self.flow.borrow();
            if flow.closed || !flow.exchange.reads_response_body() {
                return Action::Continue;
            }
        }
        self.response_piece(size, ends).unwrap_or_else(|Failed| {
            let _gone = hostcalls::reset_http_response();
            Action::Pause
        })
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        let head_waits = {
            let flow = self.flow.borrow();
            if flow.closed || !flow.exchange.reads_response_body() {
                return Action::Continue;
            }
            flow.head_waits
        };
        if head_waits {
            let kept = self.flow.borrow().kept;
            let judged = io::strip(MapType::HttpResponseTrailers)
                .and_then(|()| self.response_piece(kept, true));
            return judged.unwrap_or_else(|Failed| {
                let _gone = hostcalls::reset_http_response();
                Action::Pause
            });
        }
        // The head of the answer has gone, and at trailers the host has no buffer into which a body
        // could be put: what is held cannot be shown any more.
        warn!(
            "promfence cut endpoint={} reason=trailers",
            self.flow.borrow().exchange.audit().endpoint
        );
        self.shared.meter.borrow_mut().count(ANSWERS, "trailers");
        let _gone = hostcalls::reset_http_response();
        Action::Pause
    }

    fn on_log(&mut self) {
        self.shared.gathering.borrow_mut().remove(&self.context);
        let mut flow = self.flow.borrow_mut();
        flow.gone = true;
        flow.exchange.end(&mut self.shared.worker.borrow_mut());
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // A stream that ends without a log callback gives back what it holds as well.
        if let Ok(mut gathering) = self.shared.gathering.try_borrow_mut() {
            gathering.remove(&self.context);
        }
        if let (Ok(mut flow), Ok(mut worker)) = (
            self.flow.try_borrow_mut(),
            self.shared.worker.try_borrow_mut(),
        ) {
            flow.gone = true;
            flow.exchange.end(&mut worker);
        }
    }
}

/// The most bytes of a body that are paused.
const PAUSED: usize = 16 * 1024;

/// The bytes of an answer's body from `start` to `end`.
fn response_body(start: usize, end: usize) -> Result<Vec<u8>, Failed> {
    let size = end.checked_sub(start).ok_or(Failed)?;
    if size == 0 {
        return Ok(Vec::new());
    }
    match hostcalls::get_buffer(BufferType::HttpResponseBody, start, size) {
        Ok(Some(bytes)) if bytes.len() == size => Ok(bytes),
        Ok(_) | Err(_) => Err(Failed),
    }
}

fn failed() -> Denial {
    Denial::new(500, "host", "the proxy could not apply the decision")
}
