//! Whether a set of labels, as JSON, is inside a scope.

use super::AnswerError;
use super::json::{Cursor, Kind};
use crate::scope::Scope;

/// What the enforced labels say about the thing that carries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Each is there with an allowed value.
    Inside,
    /// None is there.
    Bare,
    /// Some are there, each with an allowed value.
    Partly,
    /// One has another value, is no string or stands twice; or these are no labels.
    Foreign,
}

/// Reads the labels that begin here.
pub(super) fn standing(c: &mut Cursor<'_>, scope: &Scope) -> Result<Standing, AnswerError> {
    if c.kind()? != Kind::Object {
        c.skip()?;
        return Ok(Standing::Foreign);
    }
    let mut tally = Tally::new(scope);
    c.members(|c, key| {
        let place = scope
            .matchers()
            .iter()
            .position(|m| key.is(m.label().as_str()));
        let Some(place) = place else {
            return c.skip();
        };
        if c.kind()? == Kind::String {
            let value = c.string()?.text().ok();
            tally.note(place, value.as_deref());
            Ok(())
        } else {
            tally.note(place, None);
            c.skip()
        }
    })?;
    Ok(tally.standing())
}

/// Which enforced labels have been seen, each by its place in the scope.
#[derive(Debug)]
pub(super) struct Tally<'a> {
    scope: &'a Scope,
    seen: u64,
    foreign: bool,
}

impl<'a> Tally<'a> {
    pub(super) fn new(scope: &'a Scope) -> Self {
        Self {
            scope,
            seen: 0,
            // One bit stands for each label: a longer scope admits nothing.
            foreign: scope.matchers().len() > 64,
        }
    }

    /// Notes a label by its name.
    pub(super) fn label(&mut self, name: &str, value: &str) {
        let mut matchers = self.scope.matchers().iter();
        if let Some(place) = matchers.position(|m| m.label().as_str() == name) {
            self.note(place, Some(value));
        }
    }

    fn note(&mut self, place: usize, value: Option<&str>) {
        let admitted = self
            .scope
            .matchers()
            .get(place)
            .is_some_and(|m| value.is_some_and(|v| m.admits(v)));
        let bit = 1u64 << (place % 64);
        self.foreign |= !admitted || self.seen & bit != 0;
        self.seen |= bit;
    }

    pub(super) fn standing(&self) -> Standing {
        if self.foreign {
            Standing::Foreign
        } else if self.seen.count_ones() as usize == self.scope.matchers().len() {
            Standing::Inside
        } else if self.seen == 0 {
            Standing::Bare
        } else {
            Standing::Partly
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::respond::tests::scope;

    #[test]
    fn labels_are_inside_only_if_each_enforced_one_is_there_once_with_an_allowed_value() {
        let two = scope(&[("tenant_id", &["a", "b"]), ("pod", &["x"])]);
        let of = |t: &str| standing(&mut Cursor::new(t.as_bytes()).unwrap(), &two).unwrap();
        for (text, expected) in [
            (r#"{"tenant_id":"a","pod":"x"}"#, Standing::Inside),
            (r#"{"z":1,"pod":"x","tenant_id":"b"}"#, Standing::Inside),
            (r#"{"t\u0065nant_id":"\u0061","pod":"x"}"#, Standing::Inside),
            ("{}", Standing::Bare),
            (r#"{"TENANT_ID":"b"}"#, Standing::Bare),
            (r#"{"tenant_id":"a"}"#, Standing::Partly),
            (r#"{"tenant_id":"c","pod":"x"}"#, Standing::Foreign),
            (r#"{"tenant_id":"","pod":"x"}"#, Standing::Foreign),
            (r#"{"tenant_id":"c"}"#, Standing::Foreign),
            (r#"{"tenant_id":["a"],"pod":"x"}"#, Standing::Foreign),
            (r#"{"tenant_id":null,"pod":"x"}"#, Standing::Foreign),
            (
                r#"{"tenant_id":"a","tenant_id":"a","pod":"x"}"#,
                Standing::Foreign,
            ),
            (
                r#"{"tenant_id":"a","t\u0065nant_id":"b","pod":"x"}"#,
                Standing::Foreign,
            ),
            (r#"{"tenant_id":"\ud800","pod":"x"}"#, Standing::Foreign),
            ("null", Standing::Foreign),
            (r#"["tenant_id","a"]"#, Standing::Foreign),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn a_scope_of_more_labels_than_bits_admits_nothing() {
        let names: Vec<String> = (0..65).map(|i| format!("l{i}")).collect();
        let labels: Vec<(&str, &[&str])> = names.iter().map(|n| (n.as_str(), &["v"][..])).collect();
        let text = format!(
            "{{{}}}",
            names
                .iter()
                .map(|n| format!("\"{n}\":\"v\""))
                .collect::<Vec<_>>()
                .join(",")
        );
        let mut c = Cursor::new(text.as_bytes()).unwrap();
        assert_eq!(
            standing(&mut c, &scope(&labels)).unwrap(),
            Standing::Foreign
        );
    }
}
