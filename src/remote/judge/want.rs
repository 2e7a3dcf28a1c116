//! What one request enforces on labels.

use crate::config::write::Absent;
use crate::scope::Enforced;

/// What is enforced on one label by one request.
#[derive(Clone, Debug)]
pub(in crate::remote) struct Want<'p> {
    /// The label.
    pub(in crate::remote) label: &'p str,
    /// What is enforced.
    pub(in crate::remote) how: How<'p>,
}

/// What is enforced on a label.
#[derive(Clone, Debug)]
pub(in crate::remote) enum How<'p> {
    /// It must not be there.
    Reject,
    /// It is removed.
    Drop,
    /// It must have the value.
    Verify(Admit<'p>, Absent),
    /// It is set to the value.
    Set(&'p str),
}

/// The values that a caller may write.
#[derive(Clone, Debug)]
pub(in crate::remote) enum Admit<'p> {
    /// This one.
    One(&'p str),
    /// These.
    Any(&'p Enforced),
}

impl Admit<'_> {
    pub(super) fn admits(&self, value: &[u8]) -> bool {
        match self {
            Self::One(one) => one.as_bytes() == value,
            Self::Any(enforced) => std::str::from_utf8(value).is_ok_and(|v| enforced.admits(v)),
        }
    }
}
