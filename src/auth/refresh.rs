//! Fetched keys: when to fetch, how long to use what was fetched, and whom to let wait.

use std::sync::Arc;

use super::error::AuthError;
use super::fetch::{Fetch, FetchAnswer, FetchFailure, FetchId, Fetched, Target};
use super::keys::{BadKey, KeySet, Origin};
use crate::config::auth as config;
use crate::http::UnixTime;

mod bucket;
mod compile;
mod discovery;

use bucket::Bucket;

/// The largest answer of a key server, in bytes.
pub(super) const MAX_BODY: usize = 1 << 20;
/// How long what discovery found is used before it is asked again, in seconds.
const REDISCOVER: f64 = 3600.0;
/// Keys younger than this are not fetched again for an unknown `kid`: whoever has one waits until
/// they are as old, in seconds.
const FRESH: f64 = 1.0;
/// Over how long the first fetches of workers that share their keys are spread, in seconds.
const SPREAD: f64 = 0.3;

/// The keys of one issuer, and where they are fetched from.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) issuer: String,
    pub(super) first: Target,
    scheme: config::Scheme,
    discovery: Option<config::Discovery>,
    found: Option<(Target, f64)>,
    refresh: f64,
    timeout: f64,
    max_stale: f64,
    pub(super) keys: Option<Stored>,
    next: f64,
    failures: u32,
    flight: Option<Flight>,
    bucket: Bucket,
    seed: u64,
}

/// Keys with the text they came from.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) set: Arc<KeySet>,
    pub(super) body: Vec<u8>,
    /// When their fetch began, in whichever worker: they are no older.
    pub(super) at: f64,
    /// After how long they are to be fetched again.
    pub(super) interval: f64,
}

#[derive(Debug)]
struct Flight {
    id: FetchId,
    target: Target,
    discovers: bool,
    /// It does not start before.
    after: f64,
    started: Option<f64>,
}

impl Remote {
    /// Sets this worker apart from others that share their keys: one of them fetches first, and the
    /// others find what it fetched.
    pub(super) fn spread(&mut self, seed: u64, now: UnixTime) {
        self.seed = seed;
        self.next = now.secs() + SPREAD * self.jitter(now.secs());
    }

    /// The keys, while they may be used, and when that ends.
    pub(super) fn usable(&self, now: UnixTime) -> Option<(Arc<KeySet>, UnixTime)> {
        let keys = self.keys.as_ref()?;
        let end = keys.at + keys.interval + self.max_stale;
        let end = UnixTime::from_secs(0).plus(end);
        (now < end).then(|| (Arc::clone(&keys.set), end))
    }

    /// For a request that came at `since` and has no key: the fetch to wait for, if one is under
    /// way or may be made. `unknown` if there are keys, but not this one.
    pub(super) fn want(
        &mut self,
        unknown: bool,
        id: FetchId,
        since: UnixTime,
        now: UnixTime,
    ) -> Option<FetchId> {
        let now = now.secs();
        if let Some(flight) = &self.flight {
            return Some(flight.id);
        }
        self.set_back(now);
        if self.failures > 0 && now < self.next {
            return None;
        }
        let mut after = now;
        if unknown {
            let at = self.keys.as_ref().map_or(f64::MIN, |k| k.at);
            // A set that was asked for after the request came has the last word.
            if at >= since.secs() || !self.bucket.take(now) {
                return None;
            }
            if (now - at).abs() < FRESH {
                after = at + FRESH;
            }
        }
        self.fly(id, now, after);
        Some(id)
    }

    /// Why a request without a key is refused.
    pub(super) fn refusal(&self, unknown: bool, now: UnixTime) -> Option<AuthError> {
        // The last fetch failed: the key may be good, so the caller is asked to come back.
        (!unknown || self.failures > 0).then(|| {
            let wait = (self.next - now.secs()).clamp(1.0, 60.0).ceil();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped to 1..=60"
            )]
            AuthError::NoKeys {
                retry_after: wait as u32,
            }
        })
    }

    /// Whether [`Self::due`] has a fetch to start.
    pub(super) fn is_due(&self, now: UnixTime) -> bool {
        match &self.flight {
            Some(flight) => flight.is_ready(now.secs()),
            None => now.secs() >= self.next,
        }
    }

    /// The fetch to start now.
    pub(super) fn due(&mut self, id: FetchId, now: UnixTime) -> Option<Fetch> {
        let at = now.secs();
        self.set_back(at);
        // The host always answers; if it did not, nobody shall wait for ever.
        let lost = |f: &Flight| {
            f.started
                .is_some_and(|s| (at - s).abs() > self.timeout + 5.0)
        };
        if self.flight.as_ref().is_some_and(lost) {
            self.fail(at);
        }
        if self.flight.is_none() && at >= self.next {
            self.fly(id, at, at);
        }
        let flight = self.flight.as_mut().filter(|f| f.is_ready(at))?;
        flight.started = Some(at);
        Some(Fetch {
            id: flight.id,
            cluster: flight.target.cluster.clone(),
            authority: flight.target.authority.clone(),
            scheme: self.scheme.as_str(),
            path: flight.target.path.clone(),
            timeout: self.timeout,
        })
    }

    /// Whether this fetch is under way here.
    pub(super) fn awaits(&self, id: FetchId) -> bool {
        self.flight.as_ref().is_some_and(|f| f.id == id)
    }

    /// Takes the answer to a fetch.
    pub(super) fn fetched(
        &mut self,
        answer: Result<&FetchAnswer, FetchFailure>,
        now: UnixTime,
    ) -> Fetched {
        let at = now.secs();
        let discovers = self.flight.as_ref().is_some_and(|f| f.discovers);
        let began = self.flight.as_ref().and_then(|f| f.started).unwrap_or(at);
        match answer.and_then(|a| a.usable().map(|()| a)) {
            Ok(answer) if discovers => match self.discovered(&answer.body) {
                Some(target) => {
                    self.found = Some((target.clone(), at));
                    if let Some(flight) = self.flight.as_mut() {
                        *flight = Flight {
                            id: flight.id,
                            target,
                            discovers: false,
                            after: at,
                            started: None,
                        };
                    }
                    Fetched::Continue
                }
                None => self.failed(FetchFailure::Discovery, at),
            },
            Ok(answer) => match read(&answer.body) {
                Ok((set, left_out)) => {
                    let interval = answer.max_age().unwrap_or(self.refresh);
                    let interval = interval.clamp(self.refresh.min(30.0), self.refresh);
                    let (keys, changed) = self.store(set, answer.body.clone(), began, interval);
                    self.next = self.next.max(at + interval.min(1.0));
                    Fetched::Keys {
                        keys,
                        left_out,
                        changed,
                    }
                }
                Err(failure) => self.failed(failure, at),
            },
            Err(failure) => self.failed(failure, at),
        }
    }

    /// Stores keys; tells how many there are and whether they differ from the ones before.
    pub(super) fn store(
        &mut self,
        set: KeySet,
        body: Vec<u8>,
        at: f64,
        interval: f64,
    ) -> (usize, bool) {
        let changed = self.keys.as_ref().is_none_or(|k| *k.set != set);
        let count = set.len();
        self.next = at + interval * (1.0 - 0.1 * self.jitter(at));
        self.failures = 0;
        self.flight = None;
        self.keys = Some(Stored {
            set: Arc::new(set),
            body,
            at,
            interval,
        });
        (count, changed)
    }

    /// Takes keys that another worker fetched, unless they are too old. A fetch under way goes on;
    /// one that has not begun is not needed any more, unless it is to find newer keys.
    pub(super) fn adopt(
        &mut self,
        set: KeySet,
        body: Vec<u8>,
        at: f64,
        interval: f64,
        now: UnixTime,
    ) -> Option<(usize, bool)> {
        let interval = interval.clamp(1.0, self.refresh);
        if now.secs() >= at + interval + self.max_stale {
            return None;
        }
        let first = self.keys.is_none();
        let needed = |f: &Flight| f.started.is_some() || !(first || at >= f.after);
        let flight = self.flight.take().filter(needed);
        let stored = self.store(set, body, at, interval);
        self.flight = flight;
        Some(stored)
    }

    fn failed(&mut self, failure: FetchFailure, at: f64) -> Fetched {
        self.fail(at);
        Fetched::Failed(failure)
    }

    fn fail(&mut self, at: f64) {
        self.flight = None;
        self.found = None;
        self.failures = self.failures.saturating_add(1);
        let wait = f64::from(1u32 << self.failures.saturating_sub(1).min(5)).min(30.0);
        let wait = wait.min(self.refresh);
        self.next = at + wait * (1.0 - 0.2 * self.jitter(at));
    }

    fn fly(&mut self, id: FetchId, now: f64, after: f64) {
        let known = self
            .found
            .as_ref()
            .filter(|(_, at)| (now - at).abs() < REDISCOVER);
        let (target, discovers) = match (&self.discovery, known) {
            (Some(_), Some((target, _))) => (target.clone(), false),
            (Some(_), None) => (self.first.clone(), true),
            (None, _) => (self.first.clone(), false),
        };
        self.flight = Some(Flight {
            id,
            target,
            discovers,
            after,
            started: None,
        });
    }

    /// After the clock was set back, no fetch waits for a time that is far away.
    fn set_back(&mut self, now: f64) {
        if self.next - now > self.refresh.max(30.0) {
            self.next = now;
        }
    }

    /// A number from 0 to 1 that differs among workers, which ask at different times.
    fn jitter(&self, at: f64) -> f64 {
        let numbers = [at.to_bits().to_le_bytes(), self.seed.to_le_bytes()];
        let bytes = self.issuer.bytes().chain(numbers.into_iter().flatten());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
        });
        f64::from(u16::try_from((hash >> 24) & 0xffff).unwrap_or(0)) / 65_536.0
    }
}

impl Flight {
    fn is_ready(&self, now: f64) -> bool {
        // It lies further ahead than that only if the clock was set back.
        self.started.is_none() && (now >= self.after || self.after - now > FRESH)
    }
}

/// Reads the keys of an answer; tells how many were left out.
pub(super) fn read(body: &[u8]) -> Result<(KeySet, usize), FetchFailure> {
    match KeySet::from_jwks(body, Origin::Server) {
        Ok((set, _)) if set.is_empty() => Err(FetchFailure::NoUsableKey),
        Ok((set, bad)) => Ok((set, bad.len())),
        Err(BadKey::TooMany) => Err(FetchFailure::TooManyKeys),
        Err(_) => Err(FetchFailure::Garbage),
    }
}
