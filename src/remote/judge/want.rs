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

impl Want<'_> {
    /// Whether the label may stay as it is with this value.
    pub(super) fn keeps(&self, value: &[u8]) -> bool {
        match &self.how {
            How::Reject | How::Drop => false,
            How::Verify(admit, _) => admit.admits(value),
            How::Set(one) => one.as_bytes() == value,
        }
    }

    /// Whether a series must have the label.
    pub(super) fn is_needed(&self) -> bool {
        match self.how {
            How::Reject | How::Drop | How::Verify(_, Absent::Allow) => false,
            How::Verify(_, Absent::Refuse) | How::Set(_) => true,
        }
    }
}

impl Admit<'_> {
    pub(super) fn admits(&self, value: &[u8]) -> bool {
        match self {
            Self::One(one) => one.as_bytes() == value,
            Self::Any(enforced) => std::str::from_utf8(value).is_ok_and(|v| enforced.admits(v)),
        }
    }
}
