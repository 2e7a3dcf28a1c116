//! Parameters of query strings and forms: read strictly, confined, and written anew in one place.
//!
//! [`Params::read`] takes the caller's own parameters out (the narrowing one and the token), so that
//! a scope can be made; [`rewrite`] then holds the rest against the endpoint's closed list. What is
//! forwarded is written here from values that were understood; the client's own text never is.

mod error;
mod filter;
mod pairs;
mod rewrite;
mod table;
#[cfg(test)]
mod tests;
mod value;

pub use error::{ParamError, RewriteError};
pub use rewrite::{Confine, Rewritten, rewrite};
pub use table::is_known;

pub use pairs::append;

use std::borrow::Cow;

use pairs::{Pair, Place};

use crate::scope::OnConflict;

/// Bounds of what a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Pairs in query string and form together, empty ones included.
    pub pairs: usize,
    /// Bytes of query string and form together, as they come.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pairs: 64,
            bytes: 1 << 20,
        }
    }
}

/// The names of parameters that are for the filter itself. None may be [known](is_known).
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'a> {
    /// Narrows a caller's tenants.
    pub tenant: Option<&'a str>,
    /// Carries the token; stands in the URL alone.
    pub token: Option<&'a str>,
}

/// What the policy says about parameters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// Names that pass as free text besides the known ones. A known name in it has no effect.
    pub allow: &'a [String],
    /// Whether Thanos may answer in part.
    pub partial_response: bool,
    /// The most points of a range query.
    pub max_points: Option<usize>,
    /// What becomes of a user's Alertmanager filter on an enforced label.
    pub on_conflict: OnConflict,
    /// Whether rules outside the scope may be shown (active alerts, unlabelled): then `match[]` of
    /// rules is not confined, and pages are not asked for, since their tokens would tell of groups
    /// that the answer hides.
    pub wide_rules: bool,
}

/// What a value that must be confined is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// A PromQL expression.
    Query,
    /// One selector: a `match[]`.
    Selector,
    /// A PromQL expression that is formatted or parsed, never executed: it passes as it is, if it
    /// is within limits.
    Text,
    /// A `match[]` of rules whose answer is filtered: it passes as it is, if it is a selector.
    RuleSelector,
}

/// Decoded parameters, in order, with duplicates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params<'a> {
    pairs: Vec<Pair<'a>>,
    tenant: Option<Cow<'a, str>>,
    token: Option<Cow<'a, str>>,
}

impl<'a> Params<'a> {
    /// Reads a query string (without `?`) and a form.
    ///
    /// Nothing is guessed: an escape that is none, a `;`, bytes that are not UTF-8, a control
    /// character, a pair without a name, or a pair too many refuses the whole.
    pub fn read(
        url: Option<&'a [u8]>,
        form: Option<&'a [u8]>,
        names: Names<'_>,
        limits: Limits,
    ) -> Result<Self, ParamError> {
        let (url, form) = (url.unwrap_or_default(), form.unwrap_or_default());
        if url.len().saturating_add(form.len()) > limits.bytes {
            return Err(ParamError::TooLong);
        }
        let mut params = Self {
            pairs: Vec::with_capacity(8),
            ..Self::default()
        };
        let left = pairs::parse(url, Place::Url, limits.pairs, &mut params.pairs)?;
        pairs::parse(form, Place::Form, left, &mut params.pairs)?;
        if let Some(name) = names.tenant {
            params.tenant = take(&mut params.pairs, name)?.map(|pair| pair.value);
        }
        if let Some(name) = names.token {
            params.token = match take(&mut params.pairs, name)? {
                Some(pair) if pair.place == Place::Form => {
                    return Err(ParamError::InForm(error::shorten(&pair.name)));
                }
                other => other.map(|pair| pair.value),
            };
        }
        Ok(params)
    }

    /// The narrowing parameter. It may be empty, which narrows to nothing.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// The token in the URL. A secret.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The first value of a name, as the client sent it, for audit lines.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&str> {
        let pair = self.pairs.iter().find(|p| p.name == name)?;
        Some(&pair.value)
    }

    /// Whether nothing is left besides the caller's own parameters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

/// Takes the pair of a name out, if it stands once.
fn take<'a>(pairs: &mut Vec<Pair<'a>>, name: &str) -> Result<Option<Pair<'a>>, ParamError> {
    let Some(at) = pairs.iter().position(|p| p.name == name) else {
        return Ok(None);
    };
    let pair = pairs.remove(at);
    if pairs.iter().any(|p| p.name == name) {
        return Err(ParamError::Twice(error::shorten(name)));
    }
    Ok(Some(pair))
}
