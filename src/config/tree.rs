//! A configuration as a tree that knows the path of each value, and reads on after a problem.
//!
//! Deserialising stops at the first error. Here the value it stopped at is set aside and the
//! tree is read again, until nothing is wrong any more: so that an operator sees all problems at
//! once, each with its path.

mod read;

use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use self::read::{At, Cause, Step};
use super::error::Problems;

/// The most problems that one reading tells.
const MAX_PROBLEMS: usize = 64;

/// A value, with what it holds.
pub(super) struct Node {
    kind: Kind,
    /// Whether a problem has been told about it.
    aside: Cell<bool>,
}

enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    /// In order, and with the names that stand twice.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Reads what the tree describes, or tells everything that is wrong with it.
    pub(super) fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Problems> {
        let mut problems = Problems::default();
        while !self.aside.get() && problems.iter().count() < MAX_PROBLEMS {
            match T::deserialize(At(self)) {
                Ok(read) if problems.is_empty() => return Ok(read),
                Ok(_) => break,
                Err(error) => {
                    let steps: Vec<Step> = error.steps.into_iter().rev().collect();
                    if self.set_aside(&steps, &error.cause) {
                        problems.add(path(&steps), error.cause);
                    }
                }
            }
        }
        Err(problems)
    }

    /// Sets the value at the end of a path aside, or the last one on the way that there is; says
    /// whether that is news, or follows from what was told already.
    fn set_aside(&self, steps: &[Step], cause: &Cause) -> bool {
        let mut node = self;
        for step in steps {
            match node.below(step) {
                Some(next) => node = next,
                None => break,
            }
        }
        node.aside.set(true);
        match cause {
            Cause::Missing(name) => !node.lost(name),
            Cause::Told => false,
            Cause::Other(_) => true,
        }
    }

    fn below(&self, step: &Step) -> Option<&Self> {
        match (&self.kind, step) {
            (Kind::List(items), Step::Item(i)) => items.get(*i),
            // Of a name that stands twice, the last one is too many.
            (Kind::Map(members), Step::Member(name)) => members
                .iter()
                .rev()
                .find(|(n, node)| n == name && !node.aside.get())
                .map(|(_, node)| node),
            _ => None,
        }
    }

    /// Whether a member of this name has been set aside.
    fn lost(&self, name: &str) -> bool {
        matches!(&self.kind, Kind::Map(members)
            if members.iter().any(|(n, node)| n == name && node.aside.get()))
    }
}

/// As operators write it: `auth.issuers[1].keys`.
fn path(steps: &[Step]) -> String {
    let mut out = String::new();
    for step in steps {
        match step {
            Step::Item(i) => out.push_str(&format!("[{i}]")),
            Step::Member(name) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(name);
            }
        }
    }
    out
}

impl From<Kind> for Node {
    fn from(kind: Kind) -> Self {
        Self {
            kind,
            aside: Cell::new(false),
        }
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        Self::from(match value {
            Value::Null => Kind::Null,
            Value::Bool(b) => Kind::Bool(b),
            Value::Number(n) => Kind::Number(n),
            Value::String(text) => Kind::Text(text),
            Value::Array(items) => Kind::List(items.into_iter().map(Self::from).collect()),
            Value::Object(members) => Kind::Map(
                members
                    .into_iter()
                    .map(|(name, value)| (name, Self::from(value)))
                    .collect(),
            ),
        })
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Build).map(Self::from)
    }
}

/// Builds a tree from JSON.
struct Build;

impl<'de> Visitor<'de> for Build {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Kind, E> {
        Ok(Kind::Number(n.into()))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Kind, E> {
        Ok(Kind::Number(n.into()))
    }

    fn visit_f64<E: de::Error>(self, n: f64) -> Result<Kind, E> {
        Number::from_f64(n)
            .map(Kind::Number)
            .ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Kind, E> {
        Ok(Kind::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Kind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Kind::Map(members))
    }
}

#[cfg(test)]
mod tests;
