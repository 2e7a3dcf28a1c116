//! Why parameters are refused, in words that their sender can act on.

use std::fmt;

/// Why parameters are refused. All but [`ParamError::TooLong`] are a 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParamError {
    /// Query string or form cannot be read in one way only.
    Syntax(&'static str),
    /// More pairs than the limit.
    TooMany,
    /// More bytes than the limit (413 for a form).
    TooLong,
    /// The endpoint has no such parameter.
    Unknown(String),
    /// A parameter that may stand once stands twice.
    Twice(String),
    /// A parameter that may stand in the URL alone stands in the form.
    InForm(String),
    /// A required parameter is not there.
    Missing(&'static str),
    /// A value has another form than the parameter wants.
    Value(&'static str, &'static str),
    /// A value of a name that the policy allows is no short text.
    NoText(String),
    /// A parameter or value that tenants may not use.
    Denied(&'static str, &'static str),
    /// A range query has more points than the limit.
    TooManyPoints(usize),
    /// An Alertmanager matcher cannot be read in one way only.
    Filter(&'static str, &'static str),
    /// An Alertmanager matcher names an enforced label, and the policy rejects that.
    Conflict(String),
}

impl fmt::Display for ParamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(what) => write!(f, "the parameters have {what}"),
            Self::TooMany => f.write_str("there are too many parameters"),
            Self::TooLong => f.write_str("the parameters are too long"),
            Self::Unknown(name) => write!(f, "unknown parameter `{name}`"),
            Self::Twice(name) => write!(f, "parameter `{name}` is given twice"),
            Self::InForm(name) => {
                write!(f, "parameter `{name}` may not stand in the form")
            }
            Self::Missing(name) => write!(f, "parameter `{name}` is missing"),
            Self::Value(name, wants) => write!(f, "parameter `{name}` must be {wants}"),
            Self::NoText(name) => write!(f, "parameter `{name}` must be a short text"),
            Self::Denied(name, why) => write!(f, "parameter `{name}` is not allowed: {why}"),
            Self::TooManyPoints(most) => write!(
                f,
                "the range has more than {most} points: increase `step` or shorten the range"
            ),
            Self::Filter(name, what) => write!(f, "parameter `{name}`: {what}"),
            Self::Conflict(label) => {
                write!(
                    f,
                    "a matcher on the enforced label `{label}` is not allowed"
                )
            }
        }
    }
}

impl std::error::Error for ParamError {}

/// Why a rewriting failed: the parameters, or a value that could not be confined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RewriteError<E> {
    /// The parameters.
    Param(ParamError),
    /// The value of the named parameter.
    Confine(&'static str, E),
}

impl<E> From<ParamError> for RewriteError<E> {
    fn from(e: ParamError) -> Self {
        Self::Param(e)
    }
}

impl<E: fmt::Display> fmt::Display for RewriteError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Param(e) => e.fmt(f),
            Self::Confine(name, e) => write!(f, "parameter `{name}`: {e}"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for RewriteError<E> {}

/// A client's name for an error text: printable, at most 40 characters.
pub(super) fn shorten(name: &str) -> String {
    let mut short: String = name
        .chars()
        .take(40)
        .map(|c| {
            if c.is_ascii_graphic() && c != '`' {
                c
            } else {
                '?'
            }
        })
        .collect();
    if name.chars().nth(40).is_some() {
        short.push_str("..");
    }
    short
}
