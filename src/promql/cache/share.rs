//! One share: entries by exact text, and which was not used for longest, approximately.

use std::collections::HashMap;
use std::sync::Arc;

use super::Seed;

/// The bytes counted for an entry whose key has this many.
pub(super) fn cost(key: usize) -> usize {
    key + 160
}

/// Entries with a hand that goes round: an entry that was used since the hand's last visit is
/// spared once.
#[derive(Debug)]
pub(super) struct Share<T> {
    index: HashMap<Arc<str>, usize, Seed>,
    entries: Vec<Entry<T>>,
    hand: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Entry<T> {
    key: Arc<str>,
    value: T,
    cost: usize,
    used: bool,
}

impl<T> Share<T> {
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            index: HashMap::with_hasher(seed),
            entries: Vec::new(),
            hand: 0,
            bytes: 0,
        }
    }

    /// The bytes of all entries.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn find(&mut self, key: &str) -> Option<&T> {
        let at = *self.index.get(key)?;
        let entry = self.entries.get_mut(at)?;
        entry.used = true;
        Some(&entry.value)
    }

    /// Adds an entry; false if it was there.
    pub(super) fn keep(&mut self, key: &str, value: T, cost: usize) -> bool {
        if self.index.contains_key(key) {
            return false;
        }
        let key: Arc<str> = key.into();
        self.index.insert(key.clone(), self.entries.len());
        self.entries.push(Entry {
            key,
            value,
            cost,
            used: false,
        });
        self.bytes += cost;
        true
    }

    /// Removes one entry, and says how many bytes that frees.
    pub(super) fn evict(&mut self) -> Option<usize> {
        loop {
            if self.hand >= self.entries.len() {
                self.hand = 0;
            }
            let entry = self.entries.get_mut(self.hand)?;
            if !std::mem::take(&mut entry.used) {
                break;
            }
            self.hand += 1;
        }
        let entry = self.entries.swap_remove(self.hand);
        self.index.remove(&entry.key);
        if let Some(moved) = self.entries.get(self.hand) {
            self.index.insert(moved.key.clone(), self.hand);
        }
        self.bytes -= entry.cost;
        Some(entry.cost)
    }
}
