//! Why a query is refused, and where.

use std::fmt;

use crate::tenant::LabelName;

/// A refused query: where, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The place; `None` where the query as a whole is meant.
    pub position: Option<Position>,
    /// The reason.
    pub reason: Reason,
}

/// A place in a query, counted from 1; columns are bytes, as Prometheus counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// Why a query is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Prometheus would not parse it either.
    Syntax(String),
    /// A function that is not allowed here.
    Function(String),
    /// A selector that selects nothing in particular.
    Unspecific(&'static str),
    /// A limit: what was exceeded, the option that sets it, and its value.
    Limit(Limit),
    /// The caller's own matcher on an enforced label, where the policy rejects those.
    Conflict(LabelName),
    /// The checks of the confined text do not agree: it is not forwarded.
    Doubt(&'static str),
}

/// An exceeded limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What there is too much of.
    pub what: &'static str,
    /// The name of the option.
    pub option: &'static str,
    /// The value of the option, in its unit.
    pub most: usize,
}

impl Reason {
    /// A short word for counters: `syntax`, `function`, `unspecific`, `limit`, `conflict` or `doubt`.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "syntax",
            Self::Function(_) => "function",
            Self::Unspecific(_) => "unspecific",
            Self::Limit(_) => "limit",
            Self::Conflict(_) => "conflict",
            Self::Doubt(_) => "doubt",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(text) | Self::Function(text) => write!(f, "parse error: {text}"),
            Self::Unspecific(text) => write!(f, "parse error: {text}"),
            Self::Limit(Limit { what, option, most }) => {
                write!(f, "{what}: the limit is {most} (`guards.{option}`)")
            }
            Self::Conflict(label) => write!(
                f,
                "the label `{label}` is set by the gateway: leave its matcher out"
            ),
            Self::Doubt(check) => {
                write!(f, "the query cannot be confined with certainty ({check})")
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Position { line, column }) = self.position {
            write!(f, "{line}:{column}: ")?;
        }
        self.reason.fmt(f)
    }
}

impl std::error::Error for Refusal {}

/// A reason at an offset in bytes; it becomes a [`Refusal`] once the text is at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    at: Option<usize>,
    reason: Reason,
}

impl Fault {
    /// A reason at an offset.
    pub(super) fn at(at: usize, reason: Reason) -> Self {
        Self {
            at: Some(at),
            reason,
        }
    }

    /// A reason that concerns the whole text.
    pub(super) fn whole(reason: Reason) -> Self {
        Self { at: None, reason }
    }

    /// A syntax error at an offset.
    pub(super) fn syntax(at: usize, text: String) -> Self {
        Self::at(at, Reason::Syntax(text))
    }

    /// The refusal of `text`.
    #[must_use]
    pub fn in_text(self, text: &str) -> Refusal {
        let position = self.at.map(|at| {
            let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
            let line_start = before
                .iter()
                .rposition(|b| *b == b'\n')
                .map_or(0, |newline| newline + 1);
            Position {
                line: 1 + before.iter().filter(|b| **b == b'\n').count(),
                column: 1 + before.len() - line_start,
            }
        });
        Refusal {
            position,
            reason: self.reason,
        }
    }
}
