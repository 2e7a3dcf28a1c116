//! Envoy's counters, defined when they are first needed: their names are constants of the core, so
//! their number is bounded.

use std::collections::HashMap;

use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;

use crate::promql::Counts;

/// The counters and gauges of one configuration in one VM.
#[derive(Debug, Default)]
pub(super) struct Meter {
    ids: HashMap<(&'static str, &'static str), u32>,
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

    /// Sets a gauge.
    pub(super) fn gauge(&mut self, name: &'static str, value: u64) {
        if let Some(id) = self.id(MetricType::Gauge, name, "") {
            let _lost = hostcalls::record_metric(id, value);
        }
    }

    fn id(&mut self, kind: MetricType, group: &'static str, word: &'static str) -> Option<u32> {
        if let Some(id) = self.ids.get(&(group, word)) {
            return Some(*id);
        }
        let name = if word.is_empty() {
            group.to_owned()
        } else {
            format!("{group}.{word}")
        };
        let id = hostcalls::define_metric(kind, &name).ok()?;
        self.ids.insert((group, word), id);
        Some(id)
    }
}

fn difference(now: u64, before: u64) -> i64 {
    let magnitude = i64::try_from(now.abs_diff(before)).unwrap_or(i64::MAX);
    if now < before { -magnitude } else { magnitude }
}
