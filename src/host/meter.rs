//! Envoy's counters, defined when they are first needed: their names are constants of the core and
//! a hundred tenants, so their number is bounded.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;

use super::io;
use crate::promql::Counts;
use crate::tally::Tally;

/// The counters and gauges of one VM. What every request changes is told to the host once a second.
#[derive(Debug, Default)]
pub(super) struct Meter {
    words: HashMap<(&'static str, &'static str), Counter>,
    gauges: HashMap<&'static str, u64>,
    tenants: HashMap<String, HashMap<&'static str, Counter>>,
    tally: Tally,
    /// What the host has been told of the cache of queries.
    told: Counts,
    told_bytes: usize,
}

/// One metric of the host, and what it has not been told yet.
#[derive(Debug)]
struct Counter {
    id: u32,
    pending: i64,
}

impl Counter {
    fn define(kind: MetricType, name: &str) -> Option<Self> {
        let id = hostcalls::define_metric(kind, name).ok()?;
        Some(Self { id, pending: 0 })
    }

    fn tell(&mut self) {
        let more = std::mem::take(&mut self.pending);
        if more != 0 {
            let _lost = hostcalls::increment_metric(self.id, more);
        }
    }
}

/// A request that went on, by endpoint.
pub(super) const ALLOWED: &str = "promfence.allowed.endpoint";
/// A request that was refused, by reason.
pub(super) const DENIED: &str = "promfence.denied.reason";
/// An answer that was refused or cut, by reason.
pub(super) const ANSWERS: &str = "promfence.answers_refused.reason";
/// A write that went on to the upstream or to the judgement of its body, by tenant.
pub(super) const WRITES: &str = "promfence.writes.tenant";
/// A write that was refused after it was known whose it is, by tenant.
pub(super) const WRITES_REFUSED: &str = "promfence.writes_refused.tenant";
/// What judged bodies held, by tenant.
pub(super) const SERIES: &str = "promfence.written_series.tenant";
/// The same for samples.
pub(super) const SAMPLES: &str = "promfence.written_samples.tenant";
/// The same for exemplars.
pub(super) const EXEMPLARS: &str = "promfence.written_exemplars.tenant";
/// A fetch of keys, by outcome.
pub(super) const KEYS: &str = "promfence.key_fetches.outcome";
/// A look into the cache of queries, by outcome.
const QUERIES: &str = "promfence.query_cache.outcome";
/// A look for the shape of a query that was not in the cache, by outcome.
const SHAPES: &str = "promfence.query_shapes.outcome";
/// An entry that had to go.
const EVICTIONS: &str = "promfence.query_cache_evictions";
/// The bytes that the caches of queries hold in all workers.
const QUERY_BYTES: &str = "promfence.query_cache_bytes";

/// Where workers agree which tenants have counters of their own.
const TALLY: &str = "promfence.tally";

impl Meter {
    /// Counts one, at once: what is refused shows when it happens.
    pub(super) fn count(&mut self, group: &'static str, word: &'static str) {
        if let Some(counter) = self.word(MetricType::Counter, group, word) {
            counter.pending = counter.pending.saturating_add(1);
            counter.tell();
        }
    }

    /// Counts one, to be told later.
    pub(super) fn note(&mut self, group: &'static str, word: &'static str) {
        self.add(MetricType::Counter, group, word, 1);
    }

    /// Tells the host what was noted, and what the cache of queries did since the last time. The
    /// gauge is of all workers: each adds its own changes.
    pub(super) fn tell(&mut self, counts: Counts, bytes: usize) {
        let told = std::mem::replace(&mut self.told, counts);
        for (name, word, now, before) in [
            (QUERIES, "hit", counts.hits, told.hits),
            (QUERIES, "miss", counts.misses, told.misses),
            (SHAPES, "hit", counts.shape_hits, told.shape_hits),
            (SHAPES, "miss", counts.shape_misses, told.shape_misses),
            (EVICTIONS, "", counts.evictions, told.evictions),
        ] {
            self.add(MetricType::Counter, name, word, difference(now, before));
        }
        let before = std::mem::replace(&mut self.told_bytes, bytes);
        let more = difference(bytes as u64, before as u64);
        self.add(MetricType::Gauge, QUERY_BYTES, "", more);
        let tenants = self.tenants.values_mut().flat_map(HashMap::values_mut);
        self.words
            .values_mut()
            .chain(tenants)
            .for_each(Counter::tell);
    }

    /// Tells what is left, and takes back what this configuration added to gauges.
    pub(super) fn end(&mut self, counts: Counts) {
        self.tell(counts, 0);
    }

    fn add(&mut self, kind: MetricType, group: &'static str, word: &'static str, more: i64) {
        if more != 0
            && let Some(counter) = self.word(kind, group, word)
        {
            counter.pending = counter.pending.saturating_add(more);
        }
    }

    /// Counts for a tenant, under its own name or that of all others, to be told later.
    pub(super) fn tenant(&mut self, group: &'static str, tenant: &str, n: u64) {
        let name = if self.has_own(tenant) {
            tenant
        } else {
            Tally::OTHERS
        };
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        let known = self.tenants.get_mut(name).and_then(|of| of.get_mut(group));
        if let Some(counter) = known {
            counter.pending = counter.pending.saturating_add(n);
        } else if let Some(mut counter) =
            Counter::define(MetricType::Counter, &format!("{group}.{name}"))
        {
            counter.pending = n;
            let of = self.tenants.entry(name.to_owned()).or_default();
            of.insert(group, counter);
        }
    }

    /// Whether a tenant has counters of its own. Workers agree by the host's shared data, so that a
    /// tenant is counted under one name.
    fn has_own(&mut self, tenant: &str) -> bool {
        if self.tally.has(tenant) || self.tally.is_full() {
            return self.tally.has(tenant);
        }
        for _ in 0..4 {
            let (text, cas) = io::shared_versioned(TALLY);
            self.tally.merge(&text.unwrap_or_default());
            if self.tally.has(tenant) || self.tally.is_full() {
                break;
            }
            let mut with = self.tally.clone();
            with.add(tenant);
            if io::share_if(TALLY, with.text().as_bytes(), cas) {
                self.tally = with;
                break;
            }
        }
        self.tally.has(tenant)
    }

    /// Sets a gauge, if it has changed here: all workers set the same one.
    pub(super) fn gauge(&mut self, name: &'static str, value: u64) {
        if self.gauges.insert(name, value) == Some(value) {
            return;
        }
        if let Some(counter) = self.word(MetricType::Gauge, name, "") {
            let _lost = hostcalls::record_metric(counter.id, value);
        }
    }

    fn word(
        &mut self,
        kind: MetricType,
        group: &'static str,
        word: &'static str,
    ) -> Option<&mut Counter> {
        match self.words.entry((group, word)) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(new) => {
                let counter = if word.is_empty() {
                    Counter::define(kind, group)
                } else {
                    Counter::define(kind, &format!("{group}.{word}"))
                };
                counter.map(|counter| new.insert(counter))
            }
        }
    }
}

fn difference(now: u64, before: u64) -> i64 {
    let magnitude = i64::try_from(now.abs_diff(before)).unwrap_or(i64::MAX);
    if now < before { -magnitude } else { magnitude }
}
