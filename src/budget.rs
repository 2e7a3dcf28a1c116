//! The bytes that all streams of one worker hold together (invariant I10).

use std::collections::HashMap;
use std::sync::Arc;

/// A bound on held bytes, with a share for each holder.
#[derive(Debug)]
pub struct Budget {
    most: usize,
    share: usize,
    held: usize,
    by_holder: HashMap<Arc<str>, usize>,
}

/// The budget, or the holder's share of it, is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

impl Budget {
    /// `most` bytes in all, `percent` of them for one holder.
    #[must_use]
    pub fn new(most: usize, percent: usize) -> Self {
        Self {
            most,
            share: (most / 100).saturating_mul(percent.min(100)),
            held: 0,
            by_holder: HashMap::new(),
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
        let mut budget = Budget::new(1000, 50);
        assert_eq!(budget.hold(&a, 500), Ok(()));
        assert_eq!(budget.hold(&a, 1), Err(Exhausted));
        assert_eq!(budget.hold(&b, 400), Ok(()));
        budget.release(&a, 500);
        assert_eq!(budget.held(), 400);
        assert_eq!(budget.hold(&b, 101), Err(Exhausted));
        budget.release(&b, 400);
        assert!(budget.by_holder.is_empty());
    }
}
