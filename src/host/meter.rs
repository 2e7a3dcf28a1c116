//! Envoy's counters, defined when they are first needed: their names are constants of the core, so
//! their number is bounded.

use std::collections::HashMap;

use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;

/// The counters and gauges of one VM.
#[derive(Debug, Default)]
pub(super) struct Meter {
    ids: HashMap<(&'static str, &'static str), u32>,
    gauges: HashMap<&'static str, u64>,
}

/// A request that went on, by endpoint.
pub(super) const ALLOWED: &str = "promfence.allowed.endpoint";
/// A request that was refused, by reason.
pub(super) const DENIED: &str = "promfence.denied.reason";
/// An answer that was refused or cut, by reason.
pub(super) const ANSWERS: &str = "promfence.answers_refused.reason";
/// A fetch of keys, by outcome.
pub(super) const KEYS: &str = "promfence.key_fetches.outcome";

impl Meter {
    /// Counts one.
    pub(super) fn count(&mut self, group: &'static str, word: &'static str) {
        if let Some(id) = self.id(MetricType::Counter, group, word) {
            let _lost = hostcalls::increment_metric(id, 1);
        }
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
