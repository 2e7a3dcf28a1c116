//! What is remembered between queries: confined texts by scope, and shapes that passed.

mod share;

use std::collections::HashMap;
use std::hash::{BuildHasher, DefaultHasher, Hasher};
use std::sync::Arc;

use super::recognise::Outline;
use share::Share;

/// Remembered queries and shapes of one worker, bounded in bytes.
///
/// Each scope has a share of its own. What is over the budget is taken from the largest share, the
/// entry that was not used for longest first, so that a caller with ever new queries displaces
/// mainly its own.
#[derive(Debug)]
pub struct QueryCache {
    domains: Vec<Domain>,
    budget: usize,
    bytes: usize,
    shapes: Share<()>,
    shape_budget: usize,
    seed: Seed,
    counts: Counts,
    pub(super) scratch: Scratch,
}

/// What a cache did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Queries that were remembered.
    pub hits: u64,
    /// Queries that were not.
    pub misses: u64,
    /// Shapes that were remembered, among the misses.
    pub shape_hits: u64,
    /// Shapes that the second parser had to read.
    pub shape_misses: u64,
    /// Entries that had to go.
    pub evictions: u64,
}

/// Buffers that are used again for each query.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) before: Outline,
    pub(super) after: Outline,
    pub(super) text: String,
}

/// The shares of one confiner and one kind of text.
#[derive(Debug)]
struct Domain {
    identity: Arc<str>,
    selector_only: bool,
    shares: HashMap<Arc<str>, Share<Arc<str>>, Seed>,
}

/// The hash function's seed. The maps hold texts that callers choose.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seed(u64);

impl BuildHasher for Seed {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher
    }
}

/// The bytes counted for a share besides its entries.
const SHARE_COST: usize = 512;

impl QueryCache {
    /// A cache that holds at most `bytes` bytes, an eighth of them shapes; 0 remembers nothing.
    /// `seed` should be hard to guess: callers choose the texts that are hashed.
    #[must_use]
    pub fn new(bytes: usize, seed: u64) -> Self {
        let seed = Seed(seed);
        Self {
            domains: Vec::new(),
            budget: bytes - bytes / 8,
            bytes: 0,
            shapes: Share::new(seed),
            shape_budget: bytes / 8,
            seed,
            counts: Counts::default(),
            scratch: Scratch::default(),
        }
    }

    /// What the cache did so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The bytes held, with an estimate of what the maps need.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes + self.shapes.bytes()
    }

    /// Looks a confined text up.
    pub(super) fn find(&mut self, key: Key<'_>) -> Option<Arc<str>> {
        let found = self
            .domain(key)
            .and_then(|at| self.domains.get_mut(at))
            .and_then(|domain| domain.shares.get_mut(key.scope))
            .and_then(|share| share.find(key.query))
            .cloned();
        match found {
            Some(_) => self.counts.hits += 1,
            None => self.counts.misses += 1,
        }
        found
    }

    /// Remembers a confined text.
    pub(super) fn keep(&mut self, key: Key<'_>, confined: &Arc<str>) {
        let cost = share::cost(key.query.len()) + confined.len();
        if cost + SHARE_COST > self.budget / 8 {
            return;
        }
        let seed = self.seed;
        let at = self.domain(key).unwrap_or_else(|| {
            self.domains.push(Domain {
                identity: key.identity.clone(),
                selector_only: key.selector_only,
                shares: HashMap::with_hasher(seed),
            });
            self.domains.len() - 1
        });
        let Some(domain) = self.domains.get_mut(at) else {
            return;
        };
        let share = match domain.shares.get_mut(key.scope) {
            Some(share) => share,
            None => {
                self.bytes += SHARE_COST + key.scope.len();
                domain
                    .shares
                    .entry(key.scope.into())
                    .or_insert_with(|| Share::new(seed))
            }
        };
        if share.keep(key.query, confined.clone(), cost) {
            self.bytes += cost;
        }
        while self.bytes > self.budget && self.evict() {}
    }

    /// Whether a shape passed before.
    pub(super) fn passed(&mut self, shape: &str) -> bool {
        let passed = self.shapes.find(shape).is_some();
        if passed {
            self.counts.shape_hits += 1;
        } else {
            self.counts.shape_misses += 1;
        }
        passed
    }

    /// Remembers that a shape passed.
    pub(super) fn pass(&mut self, shape: &str) {
        let cost = share::cost(shape.len());
        if cost > self.shape_budget / 8 {
            return;
        }
        self.shapes.keep(shape, (), cost);
        while self.shapes.bytes() > self.shape_budget && self.shapes.evict().is_some() {
            self.counts.evictions += 1;
        }
    }

    fn domain(&self, key: Key<'_>) -> Option<usize> {
        self.domains.iter().position(|d| {
            d.selector_only == key.selector_only
                && (Arc::ptr_eq(&d.identity, key.identity) || d.identity == *key.identity)
        })
    }

    /// Takes one entry from the largest share, or an empty share as a whole.
    fn evict(&mut self) -> bool {
        let largest = self
            .domains
            .iter_mut()
            .flat_map(|d| d.shares.values_mut())
            .max_by_key(|share| share.bytes());
        if let Some(freed) = largest.and_then(Share::evict) {
            self.bytes -= freed;
            self.counts.evictions += 1;
            return true;
        }
        // Only empty shares are left, too many of them.
        self.domains.clear();
        self.bytes = 0;
        false
    }
}

/// What a confined text depends on, compared as a whole.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    pub(super) identity: &'a Arc<str>,
    pub(super) selector_only: bool,
    pub(super) scope: &'a str,
    pub(super) query: &'a str,
}

#[cfg(test)]
mod tests;
