//! What a scanner in chunks asks and is told.

use crate::respond::AnswerError;
use crate::respond::json::Kind;

/// What to do with a value that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::respond) enum Want {
    /// Let it through.
    Pass,
    /// Gather it, and hand it over when it ends.
    Take,
    /// Go into it and ask at each of its items.
    Walk,
    /// Go into it, and hold all of it back until [`Visitor::took`] releases it.
    Hold,
}

/// What becomes of a value that was gathered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::respond) enum Taken {
    /// It stays, and what is held back is released.
    Release,
    /// This stands in its place.
    Replace(Vec<u8>),
    /// Its item goes, with its comma.
    Cut,
}

/// Decides over the upper levels of a document.
pub(in crate::respond) trait Visitor {
    /// A value begins: `level` containers are around it; `key` is the text between the quotes of
    /// its name, or empty in an array.
    fn begin(&mut self, level: usize, key: &[u8], kind: Kind) -> Result<Want, AnswerError>;

    /// A value that was asked for with [`Want::Take`] is whole.
    fn took(&mut self, level: usize, text: &[u8]) -> Result<Taken, AnswerError>;

    /// The document has ended.
    fn end(&self) -> Result<(), AnswerError>;
}
