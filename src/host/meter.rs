//! Envoy's counters, defined when they are first needed: their names are constants of the core and
//! a hundred tenants, so their number is bounded.

use std::collections::HashMap;

use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;

use super::io;
use crate::promql::Counts;
use crate::tally::Tally;

/// The counters and gauges of one VM.
#[derive(Debug, Default)]
pub(super) struct Meter {
    words: HashMap<(&'static str, &'static str), u32>,
    gauges: HashMap<&'static str, u64>,
    tenants: HashMap<String, HashMap<&'static str, u32>>,
    tally: Tally,
    /// What the host has been told of the cache of queries.
    told: Counts,
    told_bytes: usize,
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
    /// Counts one.
    pub(super) fn count(&mut self, group: &'static str, word: &'static str) {
        self.add(MetricType::Counter, group, word, 1);
    }

    /// Tells what the cache of queries did since the last time. The gauge is of all workers: each
    /// adds its own changes.
    pub(super) fn queries(&mut self, counts: Counts, bytes: usize) {
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
    }

    /// Takes back what this configuration added to gauges.
    pub(super) fn end(&mut self) {
        self.queries(self.told, 0);
    }

    fn add(&mut self, kind: MetricType, group: &'static str, word: &'static str, more: i64) {
        if more != 0
            && let Some(id) = self.id(kind, group, word)
        {
            let _lost = hostcalls::increment_metric(id, more);
        }
    }

    /// Counts for a tenant, under its own name or that of all others.
    pub(super) fn tenant(&mut self, group: &'static str, tenant: &str, n: u64) {
        let name = if self.has_own(tenant) {
            tenant
        } else {
            Tally::OTHERS
        };
        let known = self.tenants.get(name).and_then(|ids| ids.get(group));
        let id = known.copied().or_else(|| {
            let full = format!("{group}.{name}");
            let id = hostcalls::define_metric(MetricType::Counter, &full).ok()?;
            let ids = self.tenants.entry(name.to_owned()).or_default();
            ids.insert(group, id);
            Some(id)
        });
        if let (Some(id), Ok(n)) = (id, i64::try_from(n)) {
            let _lost = hostcalls::increment_metric(id, n);
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
        if let Some(id) = self.id(MetricType::Gauge, name, "") {
            let _lost = hostcalls::record_metric(id, value);
        }
    }

    fn id(&mut self, kind: MetricType, group: &'static str, word: &'static str) -> Option<u32> {
        if let Some(id) = self.words.get(&(group, word)) {
            return Some(*id);
        }
        let name = if word.is_empty() {
            group.to_owned()
        } else {
            format!("{group}.{word}")
        };
        let id = hostcalls::define_metric(kind, &name).ok()?;
        self.words.insert((group, word), id);
        Some(id)
    }
}

fn difference(now: u64, before: u64) -> i64 {
    let magnitude = i64::try_from(now.abs_diff(before)).unwrap_or(i64::MAX);
    if now < before { -magnitude } else { magnitude }
}
