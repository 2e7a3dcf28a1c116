//! The bytes that all streams of one worker hold together, and the requests under way (invariant I10).

use std::collections::HashMap;
use std::sync::Arc;

/// A bound on held bytes, with a share for each holder, and on each holder's requests under way: a
/// request that stalls takes a connection to the upstream, whose number is bounded for all.
#[derive(Debug)]
pub struct Budget {
    most: usize,
    share: usize,
    held: usize,
    by_holder: HashMap<Arc<str>, usize>,
    requests: usize,
    under_way: HashMap<Arc<str>, usize>,
}

/// The budget, or the holder's share of it, is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

impl Budget {
    /// `most` bytes in all, `percent` of them for one holder, and `requests` of it at one time.
    #[must_use]
    pub fn new(most: usize, percent: usize, requests: usize) -> Self {
        Self {
            most,
            share: (most / 100).saturating_mul(percent.min(100)),
            held: 0,
            by_holder: HashMap::new(),
            requests,
            under_way: HashMap::new(),
        }
    }

    /// Counts a request of a holder until it [ends](Self::end), or refuses it.
    pub fn begin(&mut self, holder: &Arc<str>) -> Result<(), Exhausted> {
        match self.under_way.get_mut(holder) {
            Some(own) if *own >= self.requests => return Err(Exhausted),
            Some(own) => *own = own.saturating_add(1),
            None if self.requests == 0 => return Err(Exhausted),
            None => {
                self.under_way.insert(holder.clone(), 1);
            }
        }
        Ok(())
    }

    /// A request that had begun has ended.
    pub fn end(&mut self, holder: &Arc<str>) {
        if let Some(own) = self.under_way.get_mut(holder) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                self.under_way.remove(holder);
            }
        }
    }

    /// Counts `bytes` for a holder, or refuses them.
    pub fn hold(&mut self, holder: &Arc<str>, bytes: usize) -> Result<(), Exhausted> {
        let own = self.by_holder.get(holder).copied().unwrap_or_default();
        let own = own.saturating_add(bytes);
        let held = self.held.saturating_add(bytes);
        if held > self.most || own > self.share {
            return Err(Exhausted);
        }
        self.held = held;
        self.by_holder.insert(holder.clone(), own);
        Ok(())
    }

    /// Gives `bytes` of a holder back.
    pub fn release(&mut self, holder: &Arc<str>, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
        if let Some(own) = self.by_holder.get_mut(holder) {
            *own = own.saturating_sub(bytes);
            if *own == 0 {
                self.by_holder.remove(holder);
            }
        }
    }

    /// The bytes held now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_cannot_use_up_the_others_part() {
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let mut budget = Budget::new(1000, 50, 1);
        assert_eq!(budget.hold(&a, 500), Ok(()));
        assert_eq!(budget.hold(&a, 1), Err(Exhausted));
        assert_eq!(budget.hold(&b, 400), Ok(()));
        budget.release(&a, 500);
        assert_eq!(budget.held(), 400);
        assert_eq!(budget.hold(&b, 101), Err(Exhausted));
        budget.release(&b, 400);
        assert!(budget.by_holder.is_empty());
    }

    #[test]
    fn the_requests_of_one_holder_do_not_count_for_another() {
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let mut budget = Budget::new(0, 50, 2);
        assert_eq!((budget.begin(&a), budget.begin(&a)), (Ok(()), Ok(())));
        assert_eq!(budget.begin(&a), Err(Exhausted));
        assert_eq!(budget.begin(&b), Ok(()));
        budget.end(&a);
        assert_eq!(budget.begin(&a), Ok(()));
        for holder in [&a, &a, &b] {
            budget.end(holder);
        }
        assert!(budget.under_way.is_empty());
    }
}
