//! The scope: what one caller may see of one upstream, as one value (invariant I11).
//!
//! A scope is the list of enforced matchers. Requests carry its text, answers are held against
//! [`Scope::admits`], and every cache that depends on a caller has the whole of it in its key.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::tenant::{LabelName, TenantPattern};

/// One enforced matcher: a label and what its value may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enforced {
    label: LabelName,
    allow: Allow,
    text: Arc<str>,
    regex: Arc<str>,
}

/// The values that an enforced label may have. Never empty, and never the empty value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Allow {
    /// One of these values, sorted, without repetition.
    Values(Vec<Arc<str>>),
    /// Any of these patterns, sorted, without repetition.
    Patterns(Vec<TenantPattern>),
}

impl Allow {
    fn single(&self) -> Option<&Arc<str>> {
        match self {
            Self::Values(list) => match list.as_slice() {
                [one] => Some(one),
                _ => None,
            },
            Self::Patterns(_) => None,
        }
    }

    fn regex(&self) -> String {
        let mut regex = String::new();
        let mut next = |part: &str| {
            if !regex.is_empty() {
                regex.push('|');
            }
            quote_meta(part, &mut regex);
        };
        match self {
            Self::Values(list) => {
                list.iter().for_each(|v| next(v));
                regex
            }
            Self::Patterns(list) => {
                // `quote_meta` escapes the stars, and nothing else in a pattern gives `\\*`.
                for p in list {
                    next(if p.as_str() == "*" { "**" } else { p.as_str() });
                }
                regex
                    .replace("\\*\\*", "[A-Za-z0-9_.-]+")
                    .replace("\\*", "[A-Za-z0-9_.-]*")
            }
        }
    }
}

/// Why a matcher cannot be enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidScope {
    /// No value is left: nothing could be seen.
    Empty,
    /// A value is empty, longer than 256 bytes, or has control characters.
    Value,
    /// More values than the limit, or a longer text.
    TooLong,
}

impl std::fmt::Display for InvalidScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Empty => "no value is left",
            Self::Value => "a value is empty, longer than 256 bytes, or has control characters",
            Self::TooLong => "too many values",
        })
    }
}

impl std::error::Error for InvalidScope {}

impl Enforced {
    /// The longest matcher, in bytes of PromQL.
    pub const MAX_TEXT: usize = 8 * 1024;

    /// A matcher for one of `values`.
    pub fn values<I, S>(label: LabelName, values: I) -> Result<Self, InvalidScope>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<str>,
    {
        let mut list: Vec<Arc<str>> = Vec::new();
        for value in values {
            let value = value.as_ref();
            if value.is_empty() || value.len() > 256 || value.chars().any(char::is_control) {
                return Err(InvalidScope::Value);
            }
            list.push(value.into());
        }
        list.sort();
        list.dedup();
        Self::build(label, Allow::Values(list))
    }

    /// A matcher for any of `patterns`; plain names among them are kept as they are.
    pub fn patterns<I>(label: LabelName, patterns: I) -> Result<Self, InvalidScope>
    where
        I: IntoIterator<Item = TenantPattern>,
    {
        let mut list: Vec<TenantPattern> = patterns.into_iter().collect();
        list.sort();
        list.dedup();
        if list.iter().all(TenantPattern::is_literal) {
            return Self::values(label, list.iter().map(TenantPattern::as_str));
        }
        Self::build(label, Allow::Patterns(list))
    }

    fn build(label: LabelName, allow: Allow) -> Result<Self, InvalidScope> {
        let regex = allow.regex();
        if regex.is_empty() {
            return Err(InvalidScope::Empty);
        }
        let regex_text = matcher(label.as_str(), "=~", &regex);
        let text = match allow.single() {
            Some(value) => matcher(label.as_str(), "=", value),
            None => regex_text.clone(),
        };
        if regex_text.len() > Self::MAX_TEXT {
            return Err(InvalidScope::TooLong);
        }
        Ok(Self {
            label,
            allow,
            text: text.into(),
            regex: regex.into(),
        })
    }

    /// The enforced label.
    #[must_use]
    pub fn label(&self) -> &LabelName {
        &self.label
    }

    /// The matcher as PromQL: `label="v"` or `label=~"v|w"`.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The only value, if there is just one.
    #[must_use]
    pub fn single(&self) -> Option<&Arc<str>> {
        self.allow.single()
    }

    /// The regular expression (RE2, to be anchored at both ends) that fits exactly the allowed
    /// values. Remote read uses it even for one value: Prometheus turns an equality with its own
    /// external label into "absent".
    #[must_use]
    pub fn regex(&self) -> &str {
        &self.regex
    }

    /// Whether a label's value is allowed. The empty value never is.
    #[must_use]
    pub fn admits(&self, value: &str) -> bool {
        match &self.allow {
            Allow::Values(list) => list.binary_search_by(|v| (**v).cmp(value)).is_ok(),
            Allow::Patterns(list) => list.iter().any(|p| p.matches(value)),
        }
    }
}

/// What becomes of a user's own matcher on an enforced label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// It stays beside the enforced one, and can only narrow.
    #[default]
    Intersect,
    /// The enforced one stands in its place.
    Replace,
    /// The request is refused.
    Reject,
}

/// All enforced matchers of one caller on one upstream: each must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    matchers: Arc<[Enforced]>,
    text: Arc<str>,
}

impl Scope {
    /// The scope of these matchers. An empty list confines nothing: only an explicitly unlimited
    /// ceiling leads there.
    #[must_use]
    pub fn new(matchers: Vec<Enforced>) -> Self {
        let mut text = String::new();
        for m in &matchers {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(m.text());
        }
        Self {
            matchers: matchers.into(),
            text: text.into(),
        }
    }

    /// The matchers, the tenant's first.
    #[must_use]
    pub fn matchers(&self) -> &[Enforced] {
        &self.matchers
    }

    /// The matchers as PromQL, joined by commas: what is put first between the braces of each
    /// selector. It identifies the scope and serves as its key in caches.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether nothing is confined.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.matchers.is_empty()
    }

    /// The enforced matcher of a label.
    #[must_use]
    pub fn of(&self, label: &str) -> Option<&Enforced> {
        self.matchers.iter().find(|m| m.label().as_str() == label)
    }

    /// Whether a set of labels is inside: every enforced label is there with an allowed value.
    pub fn admits<'a>(&self, mut value_of: impl FnMut(&str) -> Option<&'a str>) -> bool {
        self.matchers
            .iter()
            .all(|m| value_of(m.label().as_str()).is_some_and(|v| m.admits(v)))
    }
}

/// `label OP "value"` with the value as a PromQL string.
#[must_use]
pub fn matcher(label: &str, op: &str, value: &str) -> String {
    let mut text = String::with_capacity(label.len() + op.len() + value.len() + 2);
    text.push_str(label);
    text.push_str(op);
    quote(value, &mut text);
    text
}

/// Writes a PromQL string in double quotes, with Go's escapes.
pub fn quote(value: &str, to: &mut String) {
    to.push('"');
    for c in value.chars() {
        match c {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(to, "\\u{:04x}", u32::from(c));
            }
            c => to.push(c),
        }
    }
    to.push('"');
}

/// Escapes every character that RE2 gives a meaning.
pub fn quote_meta(text: &str, to: &mut String) {
    for c in text.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            to.push('\\');
        }
        to.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(name: &str) -> LabelName {
        LabelName::parse(name).unwrap()
    }

    #[test]
    fn one_value_is_an_equality_and_several_a_regex() {
        let one = Enforced::values(label("t"), ["a.b"]).unwrap();
        assert_eq!(one.text(), r#"t="a.b""#);
        assert_eq!(one.regex(), r"a\.b");
        let two = Enforced::values(label("t"), ["c", "a.b", "c"]).unwrap();
        assert_eq!(two.text(), r#"t=~"a\\.b|c""#);
        assert!(two.admits("c") && two.admits("a.b"));
        assert!(!two.admits("axb") && !two.admits(""));
    }

    #[test]
    fn nothing_that_matches_the_empty_value_is_enforced() {
        assert_eq!(
            Enforced::values(label("t"), ["a", ""]),
            Err(InvalidScope::Value)
        );
        assert_eq!(
            Enforced::values::<_, &str>(label("t"), []),
            Err(InvalidScope::Empty)
        );
        let any = Enforced::patterns(label("t"), [TenantPattern::parse("*").unwrap()]).unwrap();
        assert!(!any.admits(""));
        assert_eq!(any.text(), r#"t=~"[A-Za-z0-9_.-]+""#);
    }

    #[test]
    fn a_pattern_means_the_same_in_request_and_answer() {
        let p = Enforced::patterns(
            label("t"),
            [
                TenantPattern::parse("team-*").unwrap(),
                TenantPattern::parse("a.b").unwrap(),
            ],
        )
        .unwrap();
        assert_eq!(p.text(), r#"t=~"a\\.b|team-[A-Za-z0-9_.-]*""#);
        let re = regex::Regex::new(&format!("^(?:{})$", p.regex())).unwrap();
        for v in ["team-", "team-x", "a.b", "axb", "team- x", "", "team-é"] {
            assert_eq!(re.is_match(v), p.admits(v), "{v}");
        }
    }

    #[test]
    fn all_enforced_labels_must_hold() {
        let scope = Scope::new(vec![
            Enforced::values(label("t"), ["a"]).unwrap(),
            Enforced::values(label("team"), ["x y\""]).unwrap(),
        ]);
        assert_eq!(scope.text(), r#"t="a",team="x y\"""#);
        assert!(scope.admits(|l| Some(if l == "t" { "a" } else { "x y\"" })));
        assert!(!scope.admits(|l| (l == "t").then_some("a")));
    }
}
