//! Verified tokens, remembered: exact, bounded in bytes, with a fair share for each grant.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use crate::grant::{Grant, Tenants};
use crate::http::UnixTime;

/// The last bytes of a token: its signature, which no caller chooses.
type Tag = [u8; 16];

/// Verified tokens with their grants.
///
/// A share is what callers with the same rights have in it. Over the limit, the largest share
/// gives up its oldest token: whoever brings many tokens pushes out his own.
#[derive(Debug)]
pub(super) struct Cache {
    entries: BTreeMap<Tag, Entry>,
    shares: BTreeMap<Arc<str>, Share>,
    by_size: BTreeSet<(usize, Arc<str>)>,
    limit: usize,
    max_age: f64,
    bytes: usize,
    next: u64,
}

#[derive(Debug)]
struct Entry {
    token: Box<str>,
    grant: Arc<Grant>,
    issuer: usize,
    until: f64,
    order: u64,
    bytes: usize,
    share: Arc<str>,
}

#[derive(Debug, Default)]
struct Share {
    bytes: usize,
    oldest: BTreeMap<u64, Tag>,
}

impl Cache {
    pub(super) fn new(limit: usize, max_age: f64) -> Self {
        Self {
            entries: BTreeMap::new(),
            shares: BTreeMap::new(),
            by_size: BTreeSet::new(),
            limit,
            max_age,
            bytes: 0,
            next: 0,
        }
    }

    /// The grant of exactly this token, while it counts.
    pub(super) fn find(&mut self, token: &[u8], now: UnixTime) -> Option<Arc<Grant>> {
        let tag = tag(token)?;
        let same = |e: &&Entry| equal(e.token.as_bytes(), token);
        let entry = self.entries.get(&tag).filter(same)?;
        if now.secs() < entry.until {
            return Some(Arc::clone(&entry.grant));
        }
        self.remove(&tag);
        None
    }

    /// Remembers a token that counts until `ends`.
    pub(super) fn insert(
        &mut self,
        token: &str,
        grant: &Arc<Grant>,
        issuer: usize,
        ends: UnixTime,
        now: UnixTime,
    ) {
        let Some(tag) = tag(token.as_bytes()) else {
            return;
        };
        let until = ends.secs().min(now.secs() + self.max_age);
        let share = rights(grant);
        let bytes = token.len() + cost(grant) + 2 * share.len().min(64) + 256;
        if bytes > self.limit || until <= now.secs() {
            return;
        }
        self.remove(&tag);
        while self.bytes + bytes > self.limit {
            if !self.drop_one() {
                return;
            }
        }
        let share = match self.shares.get_key_value(&share) {
            Some((known, _)) => Arc::clone(known),
            None => share,
        };
        let order = self.next;
        self.next += 1;
        self.resize(&share, |s| {
            s.bytes += bytes;
            s.oldest.insert(order, tag);
        });
        self.bytes += bytes;
        let entry = Entry {
            token: token.into(),
            grant: Arc::clone(grant),
            issuer,
            until,
            order,
            bytes,
            share,
        };
        self.entries.insert(tag, entry);
    }

    /// Forgets all tokens of an issuer whose keys have changed.
    pub(super) fn forget(&mut self, issuer: usize) {
        self.retain(|e| e.issuer != issuer);
    }

    /// Forgets tokens that have ended.
    pub(super) fn purge(&mut self, now: UnixTime) {
        self.retain(|e| now.secs() < e.until);
    }

    /// How many tokens are remembered, and their memory in bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes)
    }

    fn retain(&mut self, keep: impl Fn(&Entry) -> bool) {
        let gone: Vec<Tag> = self
            .entries
            .iter()
            .filter(|(_, e)| !keep(e))
            .map(|(tag, _)| *tag)
            .collect();
        for tag in gone {
            self.remove(&tag);
        }
    }

    fn remove(&mut self, tag: &Tag) {
        let Some(entry) = self.entries.remove(tag) else {
            return;
        };
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        self.resize(&entry.share, |s| {
            s.bytes = s.bytes.saturating_sub(entry.bytes);
            s.oldest.remove(&entry.order);
        });
    }

    /// Drops the oldest token of the largest share.
    fn drop_one(&mut self) -> bool {
        let tag = self
            .by_size
            .last()
            .and_then(|(_, name)| self.shares.get(name))
            .and_then(|s| s.oldest.first_key_value())
            .map(|(_, tag)| *tag);
        match tag {
            Some(tag) => {
                self.remove(&tag);
                true
            }
            None => false,
        }
    }

    fn resize(&mut self, name: &Arc<str>, change: impl FnOnce(&mut Share)) {
        let mut share = self.shares.remove(name).unwrap_or_default();
        self.by_size.remove(&(share.bytes, Arc::clone(name)));
        change(&mut share);
        if !share.oldest.is_empty() {
            self.by_size.insert((share.bytes, Arc::clone(name)));
            self.shares.insert(Arc::clone(name), share);
        }
    }
}

fn tag(token: &[u8]) -> Option<Tag> {
    token.last_chunk::<16>().copied()
}

/// Whether two texts are the same, eight bytes at a time: in wasm the library compares single ones.
fn equal(a: &[u8], b: &[u8]) -> bool {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    a.len() == b.len()
        && a_rest == b_rest
        && a.iter()
            .zip(b)
            .all(|(a, b)| u64::from_le_bytes(*a) == u64::from_le_bytes(*b))
}

/// The rights of a grant, whoever has them, as a key.
fn rights(grant: &Grant) -> Arc<str> {
    let mut key = String::new();
    for right in [&grant.read, &grant.write] {
        match right {
            Tenants::None => key.push('-'),
            Tenants::All => key.push('*'),
            Tenants::Some(set) => {
                for tenant in set {
                    key.push_str(tenant.as_str());
                    key.push(',');
                }
            }
        }
        key.push('\n');
    }
    for (name, values) in &grant.labels {
        let _ = writeln!(key, "{name}{values:?}");
    }
    key.into()
}

/// About how many bytes a grant takes.
fn cost(grant: &Grant) -> usize {
    let tenants = |t: &Tenants| match t {
        Tenants::None | Tenants::All => 0,
        Tenants::Some(set) => set.iter().map(|t| t.as_str().len() + 48).sum(),
    };
    let labels = grant.labels.iter().flat_map(|(_, values)| values);
    tenants(&grant.read)
        + tenants(&grant.write)
        + grant.subject.len()
        + labels.map(|v| v.len() + 48).sum::<usize>()
}

#[cfg(test)]
mod tests;
