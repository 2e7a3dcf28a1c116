//! What the streams of one configuration share on one worker.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use proxy_wasm::hostcalls;

use super::crypto::HostVerifier;
use super::io;
use super::meter::Meter;
use super::stream::Flow;
use crate::auth::{Authenticator, FetchId};
use crate::exchange::Worker;
use crate::http::UnixTime;
use crate::policy::Policy;

/// What the streams of one configuration share.
pub(super) struct Shared {
    /// The worker's, to be read while the worker is borrowed.
    pub(super) policy: Arc<Policy>,
    pub(super) worker: RefCell<Worker>,
    pub(super) meter: RefCell<Meter>,
    pub(super) verifier: HostVerifier,
    pub(super) waiting: RefCell<Vec<Waiting>>,
    /// Streams of whom a body is held until it is whole, by their context.
    pub(super) gathering: RefCell<HashMap<u32, Gathering>>,
}

/// A stream of whom a body is held.
pub(super) struct Gathering {
    until: UnixTime,
    flow: Rc<RefCell<Flow>>,
}

impl Shared {
    /// Gives a stream the policy's time for a body that has just begun.
    pub(super) fn gather(&self, context: u32, flow: &Rc<RefCell<Flow>>) {
        let until = io::now().plus(self.policy.gather_timeout);
        let flow = flow.clone();
        self.gathering
            .borrow_mut()
            .insert(context, Gathering { until, flow });
    }

    /// Gives up the bodies whose time is over.
    pub(super) fn give_up_late(&self) {
        let now = io::now();
        let late: Vec<(u32, Gathering)> = self
            .gathering
            .borrow_mut()
            .extract_if(|_, gathering| gathering.until <= now)
            .collect();
        for (context, Gathering { flow, .. }) in late {
            // The stream may have ended meanwhile.
            if !flow.borrow().gone && hostcalls::set_effective_context(context).is_ok() {
                flow.borrow_mut().overdue(self);
            }
        }
    }
}

/// A stream that waits for a fetch of keys.
pub(super) struct Waiting {
    pub(super) context: u32,
    pub(super) fetch: FetchId,
    pub(super) flow: Rc<RefCell<Flow>>,
}

/// Tells the state of keys and caches. Of several workers the one that changed last is seen.
pub(super) fn measure(shared: &Shared) {
    let worker = shared.worker.borrow();
    let mut meter = shared.meter.borrow_mut();
    let (tokens, bytes) = worker.auth.cache_size();
    meter.gauge("promfence.cached_tokens", tokens as u64);
    meter.gauge("promfence.cached_token_bytes", bytes as u64);
    let (mut oldest, mut stale) = (0.0_f64, 0);
    for keys in worker.auth.key_status(io::now()) {
        oldest = oldest.max(keys.age);
        stale += u64::from(keys.stale);
    }
    meter.gauge("promfence.oldest_keys_seconds", oldest as u64);
    meter.gauge("promfence.issuers_with_stale_keys", stale);
    let missing = worker.auth.keys_missing() as u64;
    meter.gauge("promfence.issuers_without_keys", missing);
    meter.tell(worker.queries.counts(), worker.queries.bytes());
}

/// Wakes the streams that wait for a fetch which has ended.
pub(super) fn wake(shared: &Shared, ended: impl Fn(&Authenticator, FetchId) -> bool) {
    let all = shared.waiting.take();
    let (now, later): (Vec<_>, Vec<_>) = {
        let auth = &shared.worker.borrow().auth;
        all.into_iter().partition(|w| ended(auth, w.fetch))
    };
    shared.waiting.borrow_mut().extend(later);
    for Waiting { context, flow, .. } in now {
        // The stream may have ended while it waited.
        if !flow.borrow().gone && hostcalls::set_effective_context(context).is_ok() {
            Flow::keys_fetched(&flow, context, shared);
            if flow.borrow().gathers() {
                shared.gather(context, &flow);
            }
        }
    }
}
