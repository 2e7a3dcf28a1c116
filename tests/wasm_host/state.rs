//! What the host knows: streams, call-outs, shared data, metrics, the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use super::stream::Stream;

pub(crate) use super::case::Fields;

/// Makes fields of texts.
pub(crate) fn fields(list: &[(&str, &str)]) -> Fields {
    list.iter()
        .map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec()))
        .collect()
}

/// The host of one VM.
pub(crate) struct State {
    /// Nanoseconds since 1970.
    pub(crate) now: u64,
    pub(crate) env: Vec<(String, String)>,
    /// The clusters that exist.
    pub(crate) clusters: BTreeSet<String>,
    /// Whether the foreign function `verify_signature` exists.
    pub(crate) verifies: bool,
    pub(crate) verified: u64,
    /// What a pause may keep of a body, in bytes.
    pub(crate) buffer_limit: usize,
    pub(crate) roots: BTreeMap<u32, Root>,
    pub(crate) streams: BTreeMap<u32, Stream>,
    /// Call-outs under way.
    pub(crate) calls: BTreeMap<u32, Call>,
    /// The answer that the callback under way may read.
    pub(crate) answer: Option<Answer>,
    pub(crate) shared: Arc<Mutex<SharedData>>,
    pub(crate) metrics: Metrics,
    /// Level and text.
    pub(crate) logs: Vec<(u32, String)>,
    /// The context that host calls are about.
    pub(crate) effective: u32,
    /// What is done when the callback has returned.
    pub(crate) deferred: Vec<(u32, Deferred)>,
    /// What no module may do, in words.
    pub(crate) faults: Vec<String>,
    next_call: u32,
    random: u64,
}

/// A root context: one configuration.
#[derive(Default)]
pub(crate) struct Root {
    pub(crate) configuration: Vec<u8>,
    /// Milliseconds between ticks; 0 for none.
    pub(crate) tick: u32,
}

/// A call-out.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) token: u32,
    pub(crate) root: u32,
    pub(crate) cluster: String,
    pub(crate) head: Fields,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout: u32,
}

impl Call {
    /// A header of the request.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        value(&self.head, name)
    }
}

/// The first value of a name, as text.
pub(crate) fn value(fields: &Fields, name: &str) -> Option<String> {
    let (_, value) = fields.iter().find(|(n, _)| n == name)?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// The answer to a call-out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) head: Fields,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// An answer with a status and a body.
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            head: fields(&[(":status", &status.to_string())]),
            body: body.into(),
        }
    }

    /// The call was reset: the callback comes without anything.
    pub(crate) fn reset() -> Self {
        Self::default()
    }
}

/// What a callback asks for and the host does afterwards.
pub(crate) enum Deferred {
    Resume { request: bool },
    Reset,
    Reply { head: Fields, body: Vec<u8> },
}

/// Key-value data of all VMs with one id.
#[derive(Default)]
pub(crate) struct SharedData {
    pub(crate) entries: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    last: u32,
}

impl SharedData {
    /// Sets an entry as Envoy does: `u32::MAX` only creates, 0 does not compare.
    pub(crate) fn set(&mut self, key: Vec<u8>, value: Vec<u8>, cas: u32) -> bool {
        let known = self.entries.get(&key).map(|(_, cas)| *cas);
        let fits = match (known, cas) {
            (_, 0) => true,
            (Some(_), u32::MAX) => false,
            (Some(now), cas) => now == cas,
            (None, _) => true,
        };
        if fits {
            self.last += 1;
            self.entries.insert(key, (value, self.last));
        }
        fits
    }
}

/// Counters and gauges by name.
#[derive(Default)]
pub(crate) struct Metrics {
    names: Vec<String>,
    pub(crate) values: BTreeMap<String, i64>,
}

impl Metrics {
    pub(crate) fn define(&mut self, name: String) -> u32 {
        self.values.entry(name.clone()).or_default();
        self.names.push(name);
        u32::try_from(self.names.len()).unwrap()
    }

    pub(crate) fn value(&mut self, id: u32) -> Option<&mut i64> {
        let name = self
            .names
            .get(usize::try_from(id).unwrap().checked_sub(1)?)?;
        self.values.get_mut(name)
    }

    /// How often a metric was defined: their number must be bounded.
    pub(crate) fn defined(&self) -> usize {
        self.names.len()
    }
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            now: 1_750_000_000_000_000_000,
            env: Vec::new(),
            clusters: BTreeSet::new(),
            verifies: false,
            verified: 0,
            buffer_limit: 1 << 20,
            roots: BTreeMap::new(),
            streams: BTreeMap::new(),
            calls: BTreeMap::new(),
            answer: None,
            shared: Arc::default(),
            metrics: Metrics::default(),
            logs: Vec::new(),
            effective: 0,
            deferred: Vec::new(),
            faults: Vec::new(),
            next_call: 0,
            random: 0x9e37_79b9_7f4a_7c15,
        }
    }

    pub(crate) fn stream(&mut self) -> Option<&mut Stream> {
        self.streams.get_mut(&self.effective)
    }

    pub(crate) fn root_of(&self, context: u32) -> u32 {
        self.streams.get(&context).map_or(context, |s| s.root)
    }

    pub(crate) fn start_call(
        &mut self,
        cluster: String,
        head: Fields,
        body: Vec<u8>,
        timeout: u32,
    ) -> Option<u32> {
        let complete = [":method", ":path", ":authority"]
            .iter()
            .all(|n| head.iter().any(|(h, _)| h == n));
        if !self.clusters.contains(&cluster) || !complete {
            return None;
        }
        self.next_call += 1;
        let token = self.next_call;
        let root = self.root_of(self.effective);
        self.calls.insert(
            token,
            Call {
                token,
                root,
                cluster,
                head,
                body,
                timeout,
            },
        );
        Some(token)
    }

    /// Bytes that only look random: a test repeats.
    pub(crate) fn random(&mut self, n: usize) -> Vec<u8> {
        (0..n)
            .map(|_| {
                self.random ^= self.random << 13;
                self.random ^= self.random >> 7;
                self.random ^= self.random << 17;
                self.random.to_le_bytes()[3]
            })
            .collect()
    }
}
