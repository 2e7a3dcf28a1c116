//! Alertmanager's matchers in `filter=`: read where its two grammars agree, and written so that
//! they do.

use super::error::{ParamError, shorten};
use crate::scope::{Enforced, OnConflict, Scope};

/// The longest matcher, in bytes.
const MAX_LEN: usize = 4096;

/// The filters that a scope enforces. Alertmanager holds alerts against all filters.
pub(super) fn enforced(scope: &Scope) -> impl Iterator<Item = &str> {
    scope.matchers().iter().map(Enforced::text)
}

/// A matcher of Alertmanager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Matcher {
    name: String,
    op: &'static str,
    value: String,
}

impl Matcher {
    /// Parses a matcher: a name, an operator, and a value that is quoted unless it is plain.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_LEN {
            return Err("the matcher is too long");
        }
        let text = trim(text);
        let (name, rest) = match text.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = text
                    .find(|c: char| !(c.is_ascii_alphanumeric() || "_:".contains(c)))
                    .unwrap_or(text.len());
                let (name, rest) = text.split_at(end);
                if name.starts_with(|c: char| c.is_ascii_digit()) {
                    return Err("a label name must not begin with a digit");
                }
                (name.to_owned(), rest)
            }
        };
        if name.is_empty() {
            return Err("a matcher begins with a label name");
        }
        let rest = trim(rest);
        let (op, rest) = ["=~", "!~", "!=", "="]
            .into_iter()
            .find_map(|op| Some((op, rest.strip_prefix(op)?)))
            .ok_or("the label name is followed by `=`, `!=`, `=~` or `!~`")?;
        let rest = trim(rest);
        let value = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (value, after) = unquote(quoted)?;
                if !after.is_empty() {
                    return Err("there is text after the value");
                }
                value
            }
            None if rest.contains(is_reserved) => {
                return Err("put the value between double quotes");
            }
            None => rest.to_owned(),
        };
        Ok(Self { name, op, value })
    }

    /// Whether the matcher is forwarded beside those of the scope.
    pub(super) fn stays(&self, scope: &Scope, on_conflict: OnConflict) -> Result<bool, ParamError> {
        match on_conflict {
            OnConflict::Intersect => Ok(true),
            OnConflict::Replace => Ok(scope.of(&self.name).is_none()),
            OnConflict::Reject if scope.of(&self.name).is_none() => Ok(true),
            OnConflict::Reject => Err(ParamError::Conflict(shorten(&self.name))),
        }
    }

    /// The matcher in the spelling that both grammars read alike.
    pub(super) fn text(&self) -> String {
        let mut text = String::with_capacity(self.name.len() + self.value.len() + 8);
        let plain = self
            .name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_:".contains(&b))
            && !self.name.starts_with(|c: char| c.is_ascii_digit());
        if plain {
            text.push_str(&self.name);
        } else {
            quote(&self.name, &mut text);
        }
        text.push_str(self.op);
        quote(&self.value, &mut text);
        text
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// What an unquoted value must not contain for both grammars to read it, and alike.
fn is_reserved(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "{}!=~,\\\"'`".contains(c)
}

/// Reads up to the closing quote. An escape that the grammars read differently is an error; one
/// that only the classic grammar takes is what that makes of it, a backslash.
fn unquote(text: &str) -> Result<(String, &str), &'static str> {
    let mut value = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok((value, chars.as_str())),
            '\\' => match chars.next() {
                Some('\\') => value.push('\\'),
                Some('"') => value.push('"'),
                Some('n') => value.push('\n'),
                Some('a' | 'b' | 'f' | 'r' | 't' | 'v' | 'x' | 'u' | 'U' | '0'..='7') => {
                    return Err("an escape of Go's that Alertmanager reads in two ways");
                }
                Some(c) if c.is_control() => return Err("a control character"),
                Some(c) => {
                    value.push('\\');
                    value.push(c);
                }
                None => break,
            },
            c if c.is_control() && !matches!(c, '\t' | '\n') => return Err("a control character"),
            c => value.push(c),
        }
    }
    Err("a double quote is not closed")
}

fn quote(value: &str, to: &mut String) {
    to.push('"');
    for c in value.chars() {
        match c {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            c => to.push(c),
        }
    }
    to.push('"');
}
