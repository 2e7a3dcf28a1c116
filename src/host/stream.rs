//! One request and its answer: every callback of the host goes to the exchange, and what it says
//! is applied.
//!
//! Bodies are taken piece by piece and emptied, and the callbacks return `Continue`: the one way
//! that works whatever the host's buffer limits are. A pause is only for a call-out, and for the head
//! of an answer where the policy says that the host can.

mod flow;
mod pieces;

use std::cell::RefCell;
use std::rc::Rc;

use log::warn;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, MapType};

pub(super) use flow::Flow;
use flow::failed;
use pieces::Came;

use super::io::{self, Failed, Properties};
use super::meter::ANSWERS;
use super::shared::{Shared, Waiting};
use crate::deny::Denial;
use crate::exchange::{Host, Reply, Step};
use crate::http::{RequestHead, ResponseHead};

/// The context of one stream.
pub(super) struct Stream {
    context: u32,
    shared: Rc<Shared>,
    flow: Rc<RefCell<Flow>>,
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
        let came = if ends { Came::Last } else { Came::Piece };
        self.response_piece(size, came).unwrap_or_else(|Failed| {
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
                .and_then(|()| self.response_piece(kept, Came::Trailers));
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
