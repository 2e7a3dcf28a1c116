//! Selectors and their matchers.

use super::super::OnConflict;
use super::super::empty::matches_empty;
use super::super::lex::unquote;
use super::super::refusal::{Fault, Reason};
use super::{Form, Kind, Recogniser, Selector, Token};
use crate::scope::Enforced;

/// One matcher as it stands in the text. A bare string, which names the metric, has no operator.
struct Matcher {
    label: Token,
    op: Kind,
    value: Token,
}

/// What is known of a selector while its matchers are read.
#[derive(Default)]
struct Found {
    count: usize,
    kept: usize,
    /// Whether a matcher does not match the empty value.
    specific: bool,
    /// Whether one such matcher, or a name, is on a label that is not enforced.
    own: bool,
    /// Where the last matcher was left out, if it was.
    cut: Option<usize>,
}

impl Recogniser<'_> {
    /// Reads a selector, of which the name has been read; the token after it decides.
    pub(super) fn selector(&mut self, name: Option<Token>) -> Result<(), Fault> {
        let start = name.map_or(self.tok.start, |t| t.start);
        let count = self.out.selectors.len() + 1;
        let most = self.rules.guards.max_selectors.get();
        self.bound(count, most, "too many selectors", "max_selectors")?;
        if self.tok.kind != Kind::LeftBrace {
            // Only a name gets here without braces.
            let insert = name.map_or(start, |t| t.end);
            return self.found(Selector {
                insert,
                form: Form::Bare,
                kept: 0,
            });
        }
        let insert = self.tok.end;
        self.advance()?;
        let mut found = Found {
            own: name.is_some(),
            specific: name.is_some(),
            ..Found::default()
        };
        self.matchers(name, &mut found)?;
        self.judge(start, &found)?;
        self.found(Selector {
            insert,
            form: if found.kept > 0 {
                Form::Matchers
            } else {
                Form::Empty
            },
            kept: found.kept,
        })
    }

    /// Takes a selector in, and holds that of a confined text against the scope.
    fn found(&mut self, selector: Selector) -> Result<(), Fault> {
        if self.rules.confined {
            let scope = self.rules.scope.text();
            let tail = self.text.get(selector.insert..).unwrap_or_default();
            let first = selector.form == Form::Matchers
                && tail
                    .strip_prefix(scope)
                    .is_some_and(|rest| rest.starts_with([',', '}', ' ', '\t', '\r', '\n', '#']));
            if !first {
                return Err(Fault::whole(Reason::Doubt("a selector is not confined")));
            }
            self.out
                .shape
                .push_str(if selector.kept > self.rules.scope.matchers().len() {
                    r#"m{e="t",l="s"}"#
                } else {
                    r#"m{e="t"}"#
                });
        }
        self.out.selectors.push(selector);
        Ok(())
    }

    /// Reads matchers up to and with the closing brace.
    fn matchers(&mut self, name: Option<Token>, found: &mut Found) -> Result<(), Fault> {
        loop {
            if self.tok.kind == Kind::RightBrace && found.count == 0 {
                break;
            }
            let matcher = self.matcher()?;
            found.count += 1;
            let most = self.rules.guards.max_matchers.get();
            let most = if self.rules.confined {
                most + self.rules.scope.matchers().len()
            } else {
                most
            };
            self.bound(
                found.count,
                most,
                "too many matchers in a selector",
                "max_matchers",
            )?;
            self.take(name, &matcher, found)?;
            match self.tok.kind {
                Kind::Comma => {
                    self.advance()?;
                    if self.tok.kind == Kind::RightBrace {
                        break;
                    }
                }
                Kind::RightBrace => break,
                _ => return Err(self.unexpected("in label matching", "`,` or `}`")),
            }
        }
        if let Some(from) = found.cut.take() {
            self.out.cuts.push((from, self.tok.start));
        }
        self.advance()
    }

    /// Reads one matcher.
    fn matcher(&mut self) -> Result<Matcher, Fault> {
        let label = self.tok;
        match label.kind {
            Kind::Label | Kind::Text => self.advance()?,
            _ => return Err(self.unexpected("in label matching", "identifier or `}`")),
        }
        let op = self.tok.kind;
        match op {
            Kind::Assign | Kind::NotEqual | Kind::Regex | Kind::NotRegex => self.advance()?,
            _ if label.kind == Kind::Text => {
                return Ok(Matcher {
                    label,
                    op: Kind::Assign,
                    value: label,
                });
            }
            _ => return Err(self.unexpected("in label matching", "label matching operator")),
        }
        let value = self.tok;
        self.expect(Kind::Text, "in label matching", "a string")?;
        Ok(Matcher { label, op, value })
    }

    /// Holds one matcher against the rules. A bare string is a matcher whose label is its value.
    fn take(&mut self, name: Option<Token>, m: &Matcher, found: &mut Found) -> Result<(), Fault> {
        if let Some(from) = found.cut.take() {
            self.out.cuts.push((from, m.label.start));
        }
        found.kept += 1;
        if self.rules.confined {
            return Ok(());
        }
        let bare = m.label == m.value;
        let quoted = unquote_label(self.span(m.label), m.label.kind);
        let label: &[u8] = if bare { b"__name__" } else { &quoted };
        if name.is_some() && !self.rules.selector_only && label == b"__name__" {
            return Err(Fault::syntax(
                m.label.start,
                "metric name must not be set twice".to_owned(),
            ));
        }
        let most = self.rules.guards.max_regex.bytes();
        if matches!(m.op, Kind::Regex | Kind::NotRegex) {
            let length = m.value.end - m.value.start;
            self.bound(
                length,
                most.saturating_add(2),
                "a regular expression is too long",
                "max_regex",
            )?;
        }
        let enforced = std::str::from_utf8(label)
            .ok()
            .and_then(|l| self.rules.scope.of(l));
        // With a name, nothing more needs to be known of the other matchers.
        let unknown = !found.specific || (!found.own && enforced.is_none());
        if unknown && self.excludes_empty(m) {
            found.specific = true;
            found.own |= enforced.is_none();
        }
        let Some(enforced) = enforced else {
            return Ok(());
        };
        match self.rules.on_conflict {
            OnConflict::Intersect => Ok(()),
            OnConflict::Replace => {
                found.kept -= 1;
                found.cut = Some(m.label.start);
                Ok(())
            }
            OnConflict::Reject if self.asks_for_the_scope(m, enforced) => Ok(()),
            OnConflict::Reject => Err(Fault::at(
                m.label.start,
                Reason::Conflict(enforced.label().clone()),
            )),
        }
    }

    /// Whether a matcher does not match the empty value. In doubt it does not.
    fn excludes_empty(&self, m: &Matcher) -> bool {
        let value = unquote(self.span(m.value));
        match m.op {
            Kind::Assign => !value.is_empty(),
            Kind::NotEqual => value.is_empty(),
            Kind::Regex => matches_empty(&value) != Some(true),
            _ => matches_empty(&value) != Some(false),
        }
    }

    /// Whether a matcher selects exactly what the scope enforces on its label.
    fn asks_for_the_scope(&self, m: &Matcher, enforced: &Enforced) -> bool {
        let value = unquote(self.span(m.value));
        match m.op {
            Kind::Assign => enforced.single().map(|v| v.as_bytes()) == Some(&*value),
            Kind::Regex => std::str::from_utf8(&value)
                .is_ok_and(|regex| same_alternatives(regex, enforced.regex())),
            _ => false,
        }
    }

    /// Refuses a selector that selects nothing in particular, as Prometheus does: before the
    /// enforced matcher makes it look particular.
    fn judge(&self, start: usize, found: &Found) -> Result<(), Fault> {
        if self.rules.confined || self.in_info() {
            return Ok(());
        }
        let refuse = |text| Err(Fault::at(start, Reason::Unspecific(text)));
        if !found.specific {
            return refuse(if self.rules.selector_only {
                "match[] must contain at least one non-empty matcher"
            } else {
                "vector selector must contain at least one non-empty matcher"
            });
        }
        if self.rules.guards.need_specific && !found.own {
            return refuse("a selector needs a metric name or another non-empty matcher");
        }
        Ok(())
    }
}

fn unquote_label(text: &str, kind: Kind) -> std::borrow::Cow<'_, [u8]> {
    match kind {
        Kind::Text => unquote(text),
        _ => text.as_bytes().into(),
    }
}

/// Whether two regular expressions have the same alternatives at their top, in any order. Both
/// are compared as text, so equal means equal.
fn same_alternatives(own: &str, enforced: &str) -> bool {
    let own = own
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .unwrap_or(own);
    let split = |regex| {
        let mut parts: Vec<&str> = alternatives(regex).collect();
        parts.sort_unstable();
        parts.dedup();
        parts
    };
    split(own) == split(enforced)
}

/// Splits at each `|` that no backslash escapes.
fn alternatives(regex: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    regex.split(move |c| {
        let bar = c == '|' && !escaped;
        escaped = c == '\\' && !escaped;
        bar
    })
}
