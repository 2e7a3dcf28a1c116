//! The labels of a list, and what must change in it.

use std::borrow::Cow;

use super::Class;

/// A label of a series or exemplar.
#[derive(Clone, Debug)]
pub(in crate::remote) struct Label<'a> {
    /// What its name means.
    pub(in crate::remote) class: Class,
    /// Its name as sent.
    pub(in crate::remote) name: &'a [u8],
    /// Its value, or nothing where it is not text.
    pub(in crate::remote) value: Option<Cow<'a, [u8]>>,
    /// Where it begins in the body.
    pub(in crate::remote) start: usize,
    /// Where it ends.
    pub(in crate::remote) end: usize,
}

/// What must change in a list of labels.
#[derive(Clone, Debug, Default)]
pub(in crate::remote) struct Changes<'p> {
    /// By index in the list, ascending: the new value, or nothing for removal.
    pub(in crate::remote) edits: Vec<(usize, Option<String>)>,
    /// Names and values to add.
    pub(in crate::remote) adds: Vec<(&'p str, &'p str)>,
}

impl Changes<'_> {
    /// Whether nothing must change.
    pub(in crate::remote) fn is_empty(&self) -> bool {
        self.edits.is_empty() && self.adds.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.edits.clear();
        self.adds.clear();
    }
}
