//! Silences of Alertmanager: whose they are.

use std::borrow::Cow;

use super::AnswerError;
use super::blocks::Blocks;
use super::json::{Cursor, Kind};
use super::lists::top_list;
use crate::scope::{Enforced, Scope};

/// Filters the answer of Alertmanager's `GET /api/v2/silences`.
///
/// A silence is the caller's if its matchers confine it to the scope.
///
/// # Errors
/// The answer is not what such an endpoint sends; nothing of it may be passed on.
pub fn silences(body: Blocks, scope: &Scope) -> Result<Blocks, AnswerError> {
    top_list(body, scope, &mut |e| e.scan(|c| is_confined(c, scope)))
}

/// Whether the silence that a look-up (`GET /api/v2/silence/<id>`) found is the caller's.
///
/// # Errors
/// The answer is not one silence.
pub fn silence_in_scope(body: &[u8], scope: &Scope) -> Result<bool, AnswerError> {
    let mut c = Cursor::new(body)?;
    let confined = is_confined(&mut c, scope)?;
    c.end()?;
    Ok(confined)
}

/// A matcher of a silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Matcher<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: Cow<'a, str>,
    pub(super) is_regex: bool,
    pub(super) is_equal: bool,
}

/// What a matcher on an enforced label makes of the scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// What it matches is inside the scope.
    Confines,
    /// Nothing that it matches is inside.
    Contradicts,
    /// Neither, or nobody can say.
    Open,
}

impl Matcher<'_> {
    pub(super) fn effect(&self, enforced: &Enforced) -> Effect {
        let values = match (self.is_equal, self.is_regex) {
            (true, false) => vec![self.value.to_string()],
            (true, true) if self.value == enforced.regex() => return Effect::Confines,
            (true, true) => match alternatives(&self.value) {
                Some(values) => values,
                None => return Effect::Open,
            },
            (false, _) => return Effect::Open,
        };
        if values.iter().all(|v| enforced.admits(v)) {
            Effect::Confines
        } else if values.iter().any(|v| enforced.admits(v)) {
            Effect::Open
        } else {
            Effect::Contradicts
        }
    }
}

fn is_confined(c: &mut Cursor<'_>, scope: &Scope) -> Result<bool, AnswerError> {
    let mut found = None;
    c.members(|c, key| {
        if !key.is("matchers") || c.kind()? != Kind::Array {
            return c.skip();
        }
        let own = confine(c, scope)?;
        // Which of two lists counts is for the reader to choose: such a silence is nobody's.
        found = Some(own && found.is_none());
        Ok(())
    })?;
    Ok(scope.is_unlimited() || found == Some(true))
}

/// Whether the matchers in the array that begins here confine to every enforced label.
fn confine(c: &mut Cursor<'_>, scope: &Scope) -> Result<bool, AnswerError> {
    let mut confined = vec![false; scope.matchers().len()];
    c.elements(|c| {
        let Some(matcher) = matcher(c)? else {
            return Ok(());
        };
        for (enforced, done) in scope.matchers().iter().zip(&mut confined) {
            if matcher.name == enforced.label().as_str() {
                *done |= matcher.effect(enforced) == Effect::Confines;
            }
        }
        Ok(())
    })?;
    Ok(confined.iter().all(|c| *c))
}

/// Reads a matcher; none if it is not plain what it says.
fn matcher<'a>(c: &mut Cursor<'a>) -> Result<Option<Matcher<'a>>, AnswerError> {
    let (mut name, mut value, mut is_regex, mut is_equal) = (None, None, None, None);
    let mut plain = true;
    c.members(|c, key| {
        let twice = match c.kind()? {
            Kind::String if key.is("name") => name.replace(c.string()?.text()?).is_some(),
            Kind::String if key.is("value") => value.replace(c.string()?.text()?).is_some(),
            Kind::Plain if key.is("isRegex") => is_regex.replace(c.boolean()?).is_some(),
            Kind::Plain if key.is("isEqual") => is_equal.replace(c.boolean()?).is_some(),
            Kind::Object | Kind::Array | Kind::String | Kind::Null | Kind::Plain => {
                c.skip()?;
                true
            }
        };
        plain &= !twice;
        Ok(())
    })?;
    Ok(name
        .zip(value)
        .filter(|_| plain)
        .map(|(name, value)| Matcher {
            name,
            value,
            is_regex: is_regex.unwrap_or(false),
            is_equal: is_equal.unwrap_or(true),
        }))
}

/// The values of a regular expression that is nothing but literals joined by `|`.
fn alternatives(regex: &str) -> Option<Vec<String>> {
    let mut values = vec![String::new()];
    let mut chars = regex.chars();
    while let Some(c) = chars.next() {
        let literal = match c {
            '|' => {
                values.push(String::new());
                continue;
            }
            '\\' => chars.next().filter(char::is_ascii_punctuation)?,
            c if "^$.*+?()[]{}".contains(c) => return None,
            c => c,
        };
        values.last_mut()?.push(literal);
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::respond::tests::{in_blocks, scope, tenant_a};
    use crate::tenant::{LabelName, TenantPattern};

    fn silence(matchers: &str) -> String {
        format!(r#"{{"id":"x","matchers":[{matchers}],"comment":"canary"}}"#)
    }

    #[test]
    fn a_silence_is_the_callers_if_its_matchers_confine_it() {
        let two = scope(&[("tenant_id", &["a.b", "c"])]);
        for (matchers, own) in [
            (
                r#"{"name":"tenant_id","value":"c","isRegex":false,"isEqual":true}"#,
                true,
            ),
            (r#"{"name":"tenant_id","value":"c","isRegex":false}"#, true),
            (
                r#"{"name":"x","value":"y","isRegex":false},{"name":"tenant_id","value":"c"}"#,
                true,
            ),
            (
                r#"{"name":"tenant_id","value":"a\\.b|c","isRegex":true}"#,
                true,
            ),
            (
                r#"{"name":"tenant_id","value":"c|a\\.b","isRegex":true}"#,
                true,
            ),
            (
                r#"{"name":"tenant_id","value":"c|a.b","isRegex":true}"#,
                false,
            ),
            (r#"{"name":"tenant_id","value":"c|","isRegex":true}"#, false),
            (
                r#"{"name":"tenant_id","value":"c|d","isRegex":true}"#,
                false,
            ),
            (
                r#"{"name":"tenant_id","value":"(c)","isRegex":true}"#,
                false,
            ),
            (r#"{"name":"tenant_id","value":"c?","isRegex":true}"#, false),
            (
                r#"{"name":"tenant_id","value":"\\c","isRegex":true}"#,
                false,
            ),
            (r#"{"name":"tenant_id","value":".*","isRegex":true}"#, false),
            (
                r#"{"name":"tenant_id","value":"c","isRegex":false,"isEqual":false}"#,
                false,
            ),
            (
                r#"{"name":"tenant_id","value":"d","isRegex":true,"isEqual":false}"#,
                false,
            ),
            (r#"{"name":"Tenant_id","value":"c"}"#, false),
            (r#"{"name":"tenant_id","value":"c","value":"d"}"#, false),
            (r#"{"name":"tenant_id","value":"c","Value":"d"}"#, false),
            (r#"{"name":"tenant_id","value":"c","isRegex":null}"#, false),
            ("", false),
        ] {
            let text = silence(matchers);
            assert_eq!(
                silence_in_scope(text.as_bytes(), &two),
                Ok(own),
                "{matchers}"
            );
            let list = format!("[{text}]");
            let left = in_blocks(list.as_str(), |body| silences(body, &two));
            assert_eq!(
                left.unwrap(),
                if own {
                    list.into_bytes()
                } else {
                    b"[]".to_vec()
                }
            );
        }
    }

    #[test]
    fn a_silence_with_two_lists_of_matchers_or_none_is_nobodys() {
        let own = r#"[{"name":"tenant_id","value":"tenant-a"}]"#;
        for text in [
            format!(r#"{{"matchers":{own},"matchers":{own}}}"#),
            r#"{"id":"x"}"#.into(),
            r#"{"matchers":null}"#.into(),
        ] {
            assert_eq!(
                silence_in_scope(text.as_bytes(), &tenant_a()),
                Ok(false),
                "{text}"
            );
        }
        for text in ["", "[]", "null", "{} x", r#"{"matchers":[1]}"#] {
            assert!(
                silence_in_scope(text.as_bytes(), &tenant_a()).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn the_matcher_that_a_pattern_is_enforced_by_confines() {
        let team = Enforced::patterns(
            LabelName::parse("tenant_id").unwrap(),
            [TenantPattern::parse("team-*").unwrap()],
        )
        .unwrap();
        let json = serde_json::json!({"matchers": [
            {"name": "tenant_id", "value": team.regex(), "isRegex": true, "isEqual": true}
        ]});
        let scope = Scope::new(vec![team]);
        assert_eq!(
            silence_in_scope(json.to_string().as_bytes(), &scope),
            Ok(true)
        );
    }
}
