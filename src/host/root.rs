//! One configuration on one worker: configures, ticks, fetches keys, wakes who waits for them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use log::{error, info, warn};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType};

use super::crypto::HostVerifier;
use super::io;
use super::meter::{KEYS, Meter};
use super::shared::{Shared, measure, wake};
use super::stream::Stream;
use crate::auth::{FetchAnswer, FetchFailure, FetchId, Fetched, SourceId};
use crate::config::Document;
use crate::config::auth::Keys;
use crate::config::error::Problems;
use crate::exchange::{Lookup, Worker};

/// The root context.
#[derive(Default)]
pub(super) struct Root {
    shared: Option<Rc<Shared>>,
    fetches: HashMap<u32, FetchId>,
    ticks: u32,
    /// After how many ticks a second has passed.
    second: u32,
}

/// How often keys are looked after. A request that waits for keys waits up to this much longer.
const TICK: Duration = Duration::from_millis(50);

/// How often the rest is looked after, where no keys are fetched.
const SECOND: Duration = Duration::from_secs(1);

/// What key servers answer with. That of Kubernetes has key sets as nothing but `jwk-set+json`, and
/// says 406 to who does not take it.
const KEY_TYPES: &str = "application/json, application/jwk-set+json";

/// The largest key set that is read from the host.
const MAX_KEY_SET: usize = 1 << 20;

impl Root {
    fn configure(&mut self, size: usize) -> Result<(), Problems> {
        let bytes = io::body(BufferType::PluginConfiguration, size).unwrap_or_default();
        let doc = Document::from_json(&bytes)?;
        let seed = io::now().secs().to_bits();
        let mut worker = Worker::new(&doc, &|name| std::env::var(name).ok(), seed)?;
        worker.auth.spread(seed, io::now());
        take_shared(&mut worker);
        let verifier = HostVerifier::probe();
        info!(
            "promfence configured: {} upstreams, signatures by {}",
            worker.policy.upstreams.len(),
            if verifier.works() {
                "the host"
            } else {
                "the module"
            },
        );
        for upstream in &worker.policy.upstreams {
            upstream.confiner.warm_up();
        }
        let mut meter = Meter::default();
        meter.gauge("promfence.host_signatures", u64::from(verifier.works()));
        let (period, second) = if fetches_keys(&doc) {
            (TICK, 20)
        } else {
            (SECOND, 1)
        };
        self.second = second;
        let _no_ticks = hostcalls::set_tick_period(period);
        self.shared = Some(Rc::new(Shared {
            policy: worker.policy.clone(),
            worker: RefCell::new(worker),
            meter: RefCell::new(meter),
            verifier,
            waiting: RefCell::default(),
            gathering: RefCell::default(),
        }));
        Ok(())
    }

    /// Starts the fetches that are due. A cluster that does not exist fails at once.
    fn fetch(&mut self, shared: &Shared) {
        let due = shared.worker.borrow_mut().auth.due(io::now());
        for fetch in due {
            let lookup = Lookup {
                cluster: fetch.cluster,
                authority: fetch.authority,
                path: fetch.path,
                headers: vec![("accept".into(), KEY_TYPES.into())],
                timeout: fetch.timeout,
            };
            match io::call(&lookup, fetch.scheme) {
                Ok(token) => {
                    self.fetches.insert(token, fetch.id);
                }
                Err(io::Failed) => {
                    warn!(
                        "promfence keys: the cluster `{}` cannot be asked",
                        lookup.cluster
                    );
                    self.fetched(shared, fetch.id, Err(FetchFailure::Dispatch));
                }
            }
        }
    }

    fn fetched(
        &mut self,
        shared: &Shared,
        id: FetchId,
        answer: Result<&FetchAnswer, FetchFailure>,
    ) {
        let (fetched, entry) = {
            let mut worker = shared.worker.borrow_mut();
            let source = worker.auth.source_of(id);
            let fetched = worker.auth.fetched(id, answer, io::now());
            (
                fetched,
                source.and_then(|s| worker.auth.export(s).map(|e| (s, e))),
            )
        };
        let outcome = match fetched {
            Fetched::Keys { left_out, .. } => {
                if left_out > 0 {
                    info!("promfence keys: {left_out} keys of a set cannot be used");
                }
                if let Some((source, entry)) = entry {
                    self.share(shared, source, &entry);
                }
                "keys"
            }
            // One more step is due, and whoever waits goes on waiting.
            Fetched::Continue => return self.fetch(shared),
            Fetched::Failed(failure) => {
                warn!("promfence keys: a fetch failed: {}", failure.label());
                // Another worker may have had more luck.
                take_shared(&mut shared.worker.borrow_mut());
                failure.label()
            }
            Fetched::Unknown => return,
        };
        shared.meter.borrow_mut().count(KEYS, outcome);
        wake(shared, |_, ended| ended == id);
    }

    /// Puts fetched keys where the other workers find them.
    fn share(&self, shared: &Shared, source: SourceId, entry: &[u8]) {
        let names = shared.worker.borrow().auth.shared();
        if let Some((_, name)) = names.iter().find(|(s, _)| *s == source) {
            io::share(name, entry);
        }
    }
}

/// Takes keys that another worker, or the configuration before this one, has fetched. Entries are
/// authenticated; what another plugin of the VM wrote is ignored.
fn take_shared(worker: &mut Worker) {
    for (source, name) in worker.auth.shared() {
        if let Some(entry) = io::shared(&name) {
            worker.auth.import(source, &entry, io::now());
        }
    }
}

fn fetches_keys(doc: &Document) -> bool {
    doc.auth
        .issuers
        .iter()
        .any(|issuer| matches!(issuer.keys, Some(Keys::Remote(_))))
}

impl Context for Root {
    fn on_done(&mut self) -> bool {
        if let Some(shared) = &self.shared {
            let counts = shared.worker.borrow().queries.counts();
            shared.meter.borrow_mut().end(counts);
        }
        true
    }

    fn on_http_call_response(
        &mut self,
        token: u32,
        _headers: usize,
        size: usize,
        _trailers: usize,
    ) {
        let (Some(id), Some(shared)) = (self.fetches.remove(&token), self.shared.clone()) else {
            return;
        };
        let (status, headers, body) = io::answered(size, MAX_KEY_SET);
        match body {
            Some(body) => {
                let answer = FetchAnswer {
                    status,
                    headers,
                    body,
                };
                self.fetched(&shared, id, Ok(&answer));
            }
            None => self.fetched(&shared, id, Err(FetchFailure::TooLarge)),
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        match self.configure(size) {
            Ok(()) => true,
            Err(problems) => {
                for problem in problems.iter() {
                    error!("promfence configuration: {problem}");
                }
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(shared) = self.shared.clone() {
            self.ticks = self.ticks.wrapping_add(1);
            let second = self.ticks.is_multiple_of(self.second);
            if second || shared.worker.borrow().auth.is_due(io::now()) {
                take_shared(&mut shared.worker.borrow_mut());
            }
            self.fetch(&shared);
            wake(&shared, |auth, id| auth.source_of(id).is_none());
            if second {
                measure(&shared);
                // Last: it changes the context that host calls are for.
                shared.give_up_late();
            }
        }
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        let shared = self.shared.clone()?;
        Some(Box::new(Stream::new(context, shared)))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
