//! The short way: whether a list of labels may pass as it is, told label by label.
//!
//! It says yes only where the long way would neither change nor refuse anything. What it cannot
//! tell it leaves to the long way.

use super::{Class, Judge, Kind, Seen};

impl Judge<'_> {
    /// Begins a list.
    #[inline]
    pub(in crate::remote) fn begin(&mut self) {
        self.seen.fill(Seen::default());
        self.present = 0;
    }

    /// Whether a label of the list may stay as it is.
    #[inline(always)]
    pub(in crate::remote) fn keeps(&mut self, class: Class, name: &[u8], value: &[u8]) -> bool {
        if name.len() > self.longest_name || value.len() > self.longest_value {
            return false;
        }
        class.is_plain() || self.keeps_bound(class, value)
    }

    /// Whether a name may be an enforced label's: of most its length tells that it is not.
    #[inline]
    pub(in crate::remote) fn may_bind(&self, name: &[u8]) -> bool {
        self.lengths >> name.len().min(63) & 1 == 1
    }

    /// Whether an enforced label that is as it must be may stay.
    #[inline]
    pub(in crate::remote) fn keeps_right(&mut self, want: usize) -> bool {
        self.seen
            .get_mut(want)
            .is_some_and(|seen| !std::mem::replace(&mut seen.right, true))
    }

    #[inline(never)]
    fn keeps_bound(&mut self, class: Class, value: &[u8]) -> bool {
        let keeps = match class.kind {
            Kind::Free | Kind::Metric => true,
            Kind::Governed(_) => false,
            Kind::Enforced(index) => {
                let right = self.wants.get(index).is_some_and(|w| w.keeps(value));
                right && self.keeps_right(index)
            }
        };
        if let Some(bit) = class.required
            && !value.is_empty()
        {
            self.present |= 1 << bit;
        }
        keeps
    }

    /// Whether the list, now at its end, lacks nothing.
    #[inline]
    pub(in crate::remote) fn is_complete(&self) -> bool {
        self.present.count_ones() as usize == self.required.len()
            && self
                .wants
                .iter()
                .zip(&self.seen)
                .all(|(want, seen)| seen.right || !want.is_needed())
    }
}
