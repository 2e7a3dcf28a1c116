//! Files in JSON or YAML as values, with the line of every node.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// One file: its name, text, and the documents in it.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) file: String,
    pub(super) text: String,
    pub(super) documents: Vec<Value>,
}

/// A step from a node to one below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Key(String),
    Index(usize),
}

/// Why a file has no documents: the reason, and its line.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) reason: String,
    pub(super) line: Option<usize>,
}

/// The deepest nesting that is read.
const DEPTH: usize = 100;

impl Source {
    /// Parses a file. YAML includes JSON.
    pub(super) fn parse(file: String, text: String) -> Result<Self, Unreadable> {
        let mut documents = Vec::new();
        for document in yaml_serde::Deserializer::from_str(&text) {
            let value: yaml_serde::Value =
                serde::Deserialize::deserialize(document).map_err(|e| Unreadable {
                    line: e.location().map(|l| l.line()),
                    reason: format!("not JSON or YAML: {e}"),
                })?;
            let value = json(value, DEPTH).map_err(|reason| Unreadable { reason, line: None })?;
            // A document without content (only comments) is none.
            if !value.is_null() {
                documents.push(value);
            }
        }
        Ok(Self {
            file,
            text,
            documents,
        })
    }

    /// The line of a node, or of the last of its parents that exists.
    pub(super) fn line(&self, document: usize, path: &[Segment]) -> Option<usize> {
        let mut at = None;
        let documents = yaml_serde::Deserializer::from_str(&self.text)
            .filter_map(|d| Locate { path }.deserialize(d).err())
            // A document that is null is no document: see `parse`.
            .filter(|e| !e.to_string().starts_with(NULL));
        for (i, found) in documents.enumerate() {
            if i == document {
                at = found.location().map(|l| l.line());
            }
        }
        at
    }
}

/// YAML as JSON. Keys become text, as in every consumer of these files.
fn json(value: yaml_serde::Value, depth: usize) -> Result<Value, String> {
    use yaml_serde::Value as Yaml;
    let Some(depth) = depth.checked_sub(1) else {
        return Err(format!("nested deeper than {DEPTH}"));
    };
    Ok(match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(b) => b.into(),
        Yaml::Number(n) => match (n.as_u64(), n.as_i64(), n.as_f64()) {
            (Some(n), _, _) => n.into(),
            (None, Some(n), _) => n.into(),
            (None, None, Some(n)) => n.into(),
            (None, None, None) => Value::Null,
        },
        Yaml::String(text) => text.into(),
        Yaml::Sequence(list) => list
            .into_iter()
            .map(|v| json(v, depth))
            .collect::<Result<Vec<_>, _>>()?
            .into(),
        Yaml::Mapping(map) => {
            let mut object = Map::new();
            for (key, value) in map {
                let key = match json(key, depth)? {
                    Value::String(text) => text,
                    scalar @ (Value::Bool(_) | Value::Number(_) | Value::Null) => {
                        scalar.to_string()
                    }
                    Value::Array(_) | Value::Object(_) => {
                        return Err("a key that is a list or a map".to_owned());
                    }
                };
                object.insert(key, json(value, depth)?);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tagged) => json(tagged.value, depth)?,
    })
}

const FOUND: &str = "found";
const NULL: &str = "null document";

/// Walks to a node and stops there with an error, since an error knows its line.
struct Locate<'p> {
    path: &'p [Segment],
}

impl Locate<'_> {
    fn here<E: de::Error>(&self) -> E {
        E::custom(FOUND)
    }
}

impl<'de> DeserializeSeed<'de> for Locate<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Locate<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a node")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Segment::Key(key), rest)) = self.path.split_first() else {
            return Err(self.here());
        };
        while let Some(name) = map.next_key::<yaml_serde::Value>()? {
            if name.as_str() == Some(key) {
                return map.next_value_seed(Locate { path: rest });
            }
            map.next_value::<IgnoredAny>()?;
        }
        Err(self.here())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some((Segment::Index(index), rest)) = self.path.split_first() else {
            return Err(self.here());
        };
        for _ in 0..*index {
            if list.next_element::<IgnoredAny>()?.is_none() {
                return Err(self.here());
            }
        }
        match list.next_element_seed(Locate { path: rest })? {
            Some(()) => Ok(()),
            None => Err(self.here()),
        }
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Err(self.here())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        Err(self.here())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        Err(self.here())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        Err(self.here())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Err(self.here())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Err(E::custom(NULL))
    }

    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        Err(E::custom(NULL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Segment {
        Segment::Key(name.to_owned())
    }

    #[test]
    fn every_node_has_its_line() {
        let text = "# comment\n---\n# nothing\n---\na: 1\nb:\n- x: 1\n- y:\n    z: [1, 2]\n---\nc: {d: 5}\n";
        let source = Source::parse("f".to_owned(), text.to_owned()).unwrap();
        assert_eq!(source.documents.len(), 2);
        assert_eq!(source.line(0, &[key("a")]), Some(5));
        assert_eq!(
            source.line(0, &[key("b"), Segment::Index(1), key("y"), key("z")]),
            Some(9)
        );
        assert_eq!(
            source.line(0, &[key("b"), Segment::Index(1), key("missing")]),
            Some(8)
        );
        assert_eq!(source.line(1, &[key("c"), key("d")]), Some(11));
    }

    #[test]
    fn json_is_read_and_its_lines_are_known() {
        let text = "{\n \"a\": [\n  {\"b\": true}\n ]\n}";
        let source = Source::parse("f".to_owned(), text.to_owned()).unwrap();
        assert_eq!(source.documents[0]["a"][0]["b"], true);
        assert_eq!(
            source.line(0, &[key("a"), Segment::Index(0), key("b")]),
            Some(3)
        );
    }

    #[test]
    fn a_repeated_key_is_an_error_with_a_line() {
        let e = Source::parse("f".to_owned(), "a: 1\nb: 1\na: 2\n".to_owned()).unwrap_err();
        assert!(e.reason.contains("duplicate"), "{}", e.reason);
    }

    #[test]
    fn aliases_are_followed() {
        let text = "a: &x {k: 1}\nb: *x\n";
        let source = Source::parse("f".to_owned(), text.to_owned()).unwrap();
        assert_eq!(source.documents[0]["b"]["k"], 1);
    }
}
