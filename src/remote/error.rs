//! Why a write is refused, in words that its sender can act on.

use std::fmt;

use super::wire::Malformed;

/// Why a write is refused. A retry of the same body never helps.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// The body is not what its headers say: 400.
    Malformed(&'static str),
    /// More than a limit allows: 413.
    TooLarge {
        /// The limit's name in the configuration.
        limit: &'static str,
        /// Its value.
        most: u64,
        /// What the body has, or has at least.
        found: u64,
    },
    /// The protocol, the encoding or the form of the body is not taken here: 415.
    Unsupported(&'static str),
    /// A series has a label that the policy refuses: 400.
    Label {
        /// The metric's name, bounded; empty where the series has none.
        series: String,
        /// The label, bounded.
        label: String,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// What is wrong with a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It must not be there.
    Forbidden,
    /// It must be there.
    Missing,
    /// Its value is not the caller's.
    Foreign,
    /// It stands more than once.
    Repeated,
    /// Its name is longer than allowed.
    NameTooLong,
    /// Its value is longer than allowed.
    ValueTooLong,
    /// Its value is not text, so it cannot be compared or rewritten.
    NotText,
    /// The upstream makes it of other fields, or stores it under another name.
    Unconfinable,
}

impl WriteError {
    /// The status that the sender gets.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Label { .. } => 400,
            Self::TooLarge { .. } => 413,
            Self::Unsupported(_) => 415,
        }
    }

    /// An error about a label of a series, with both names bounded.
    pub(super) fn label(series: &[u8], label: &[u8], fault: Fault) -> Self {
        Self::Label {
            series: bounded(series),
            label: bounded(label),
            fault,
        }
    }
}

/// At most 64 characters of a name, without control characters and backticks.
pub(super) fn bounded(name: &[u8]) -> String {
    let (head, _) = name.split_at_checked(256).unwrap_or((name, &[]));
    String::from_utf8_lossy(head)
        .chars()
        .take(64)
        .map(|c| if c.is_control() || c == '`' { '_' } else { c })
        .collect()
}

impl From<Malformed> for WriteError {
    fn from(e: Malformed) -> Self {
        Self::Malformed(e.text())
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "the body cannot be read: {why}"),
            Self::TooLarge { limit, most, found } => write!(
                f,
                "the request is over the limit `{limit}` of {most} (it has {found}): send smaller batches"
            ),
            Self::Unsupported(why) => f.write_str(why),
            Self::Label {
                series,
                label,
                fault,
            } => {
                let name = if series.is_empty() {
                    "(no name)"
                } else {
                    series
                };
                write!(f, "series `{name}`: label `{label}` {}", fault.text())
            }
        }
    }
}

impl std::error::Error for WriteError {}

impl Fault {
    fn text(self) -> &'static str {
        match self {
            Self::Forbidden => "must not be sent: remove it by relabelling",
            Self::Missing => "is missing: add it by relabelling",
            Self::Foreign => "has a value that this caller may not write: remove or correct it",
            Self::Repeated => "stands more than once: send it once",
            Self::NameTooLong => "has a name longer than allowed: shorten it",
            Self::ValueTooLong => "has a value longer than allowed: shorten it",
            Self::NotText => "has a value that is not text: send a string",
            Self::Unconfinable => "cannot be enforced in OTLP: write by remote-write instead",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_an_error_are_bounded_and_printable() {
        let e = WriteError::label(&[b'm'; 5000], b"a`b\n\xff", Fault::Forbidden);
        let text = e.to_string();
        assert!(text.len() < 200, "{text}");
        assert!(text.contains("`a_b_\u{fffd}`"), "{text}");
        assert_eq!(e.status(), 400);
    }
}
