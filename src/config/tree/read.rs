//! Hands a tree's values to serde, and tells where it stopped.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::{Kind, Node};

/// A value that is read.
#[derive(Clone, Copy)]
pub(super) struct At<'a>(pub(super) &'a Node);

/// A step of a path.
#[derive(Debug)]
pub(super) enum Step {
    /// An element of a list.
    Item(usize),
    /// A member of a map.
    Member(String),
}

/// Why serde stopped.
#[derive(Debug)]
pub(super) enum Cause {
    /// A field that must be there is not.
    Missing(&'static str),
    /// What stood here has been set aside.
    Told,
    /// Anything else, in words.
    Other(String),
}

/// Why serde stopped, and where.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) cause: Cause,
    /// From the value to the root.
    pub(super) steps: Vec<Step>,
}

impl Stop {
    fn under(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "missing field `{name}`"),
            Self::Told => f.write_str("told already"),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl std::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self {
            cause: Cause::Other(reason.to_string()),
            steps: Vec::new(),
        }
    }

    fn missing_field(name: &'static str) -> Self {
        Self {
            cause: Cause::Missing(name),
            steps: Vec::new(),
        }
    }
}

impl<'de> Deserializer<'de> for At<'de> {
    type Error = Stop;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match &self.0.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(b) => visitor.visit_bool(*b),
            Kind::Number(n) => match (n.as_u64(), n.as_i64(), n.as_f64()) {
                (Some(n), _, _) => visitor.visit_u64(n),
                (None, Some(n), _) => visitor.visit_i64(n),
                (None, None, n) => visitor.visit_f64(n.unwrap_or(f64::NAN)),
            },
            Kind::Text(text) => visitor.visit_borrowed_str(text),
            Kind::List(items) => visitor.visit_seq(Items(items.iter().enumerate())),
            Kind::Map(members) => {
                once(members)?;
                visitor.visit_map(Members {
                    rest: members.iter(),
                    now: None,
                })
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        if let Kind::Null = self.0.kind {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        match &self.0.kind {
            Kind::Text(name) => visitor.visit_enum(Variant { name, inner: None }),
            Kind::Map(members) => {
                once(members)?;
                let mut left = members.iter().filter(|(_, node)| !node.aside.get());
                match (left.next(), left.next()) {
                    (Some((name, inner)), None) => visitor.visit_enum(Variant {
                        name,
                        inner: Some(inner),
                    }),
                    (None, _) if !members.is_empty() => Err(Stop {
                        cause: Cause::Told,
                        steps: Vec::new(),
                    }),
                    _ => Err(de::Error::invalid_value(
                        Unexpected::Map,
                        &"an object with exactly one member",
                    )),
                }
            }
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::List(_) => Err(de::Error::custom(
                "expected a word, or an object with one member",
            )),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_unit()
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let Kind::Map(members) = &self.0.kind else {
            return Err(self.wrong(&visitor));
        };
        once(members)?;
        visitor.visit_map(Members {
            rest: members.iter(),
            now: None,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.deserialize_map(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let Kind::List(items) = &self.0.kind else {
            return Err(self.wrong(&visitor));
        };
        visitor.visit_seq(Items(items.iter().enumerate()))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let Kind::Text(text) = &self.0.kind else {
            return Err(self.wrong(&visitor));
        };
        visitor.visit_borrowed_str(text)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let Kind::Bool(b) = self.0.kind else {
            return Err(self.wrong(&visitor));
        };
        visitor.visit_bool(b)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf
        unit unit_struct tuple tuple_struct identifier
    }
}

impl At<'_> {
    /// What stands here is of another kind. Only what serde asks for is tried, so that each
    /// visitor is built for one kind of value and not for all.
    fn wrong(self, wanted: &dyn Expected) -> Stop {
        let found = match &self.0.kind {
            Kind::Null => Unexpected::Unit,
            Kind::Bool(b) => Unexpected::Bool(*b),
            Kind::Number(n) => Unexpected::Float(n.as_f64().unwrap_or(f64::NAN)),
            Kind::Text(text) => Unexpected::Str(text),
            Kind::List(_) => Unexpected::Seq,
            Kind::Map(_) => Unexpected::Map,
        };
        de::Error::invalid_type(found, wanted)
    }
}

/// Refuses a name that stands twice.
fn once(members: &[(String, Node)]) -> Result<(), Stop> {
    let mut seen = BTreeSet::new();
    for (name, node) in members {
        if !node.aside.get() && !seen.insert(name) {
            return Err(
                <Stop as de::Error>::custom("stands twice").under(Step::Member(name.clone()))
            );
        }
    }
    Ok(())
}

struct Items<'a>(std::iter::Enumerate<std::slice::Iter<'a, Node>>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Stop> {
        match self.0.find(|(_, node)| !node.aside.get()) {
            Some((i, node)) => seed
                .deserialize(At(node))
                .map(Some)
                .map_err(|e| e.under(Step::Item(i))),
            None => Ok(None),
        }
    }
}

struct Members<'a> {
    rest: std::slice::Iter<'a, (String, Node)>,
    now: Option<&'a (String, Node)>,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Stop> {
        self.now = self.rest.find(|(_, node)| !node.aside.get());
        let Some((name, _)) = self.now else {
            return Ok(None);
        };
        let name: de::value::BorrowedStrDeserializer<'_, Stop> =
            de::value::BorrowedStrDeserializer::new(name);
        seed.deserialize(name).map(Some).map_err(|e| self.place(e))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Stop> {
        let Some((_, node)) = self.now else {
            return Err(de::Error::custom("a value without a name"));
        };
        seed.deserialize(At(node)).map_err(|e| self.place(e))
    }
}

impl Members<'_> {
    fn place(&self, stop: Stop) -> Stop {
        match self.now {
            Some((name, _)) => stop.under(Step::Member(name.clone())),
            None => stop,
        }
    }
}

/// A variant's name, and what it holds.
struct Variant<'a> {
    name: &'a str,
    inner: Option<&'a Node>,
}

impl Variant<'_> {
    /// An error inside of the variant is under its name, if the name is one of a map.
    fn place(&self, stop: Stop) -> Stop {
        match self.inner {
            Some(_) => stop.under(Step::Member(self.name.to_owned())),
            None => stop,
        }
    }

    fn bare(&self) -> Stop {
        de::Error::custom(format_args!("`{}` needs a value", self.name))
    }
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Stop;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Stop> {
        match seed.deserialize(self.name.into_deserializer()) {
            Ok(variant) => Ok((variant, self)),
            Err(stop) => Err(self.place(stop)),
        }
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Stop;

    fn unit_variant(self) -> Result<(), Stop> {
        match self.inner {
            None => Ok(()),
            Some(Node {
                kind: Kind::Null, ..
            }) => Ok(()),
            Some(_) => Err(self.place(de::Error::custom("takes no value"))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Stop> {
        let inner = self.inner.ok_or_else(|| self.bare())?;
        seed.deserialize(At(inner)).map_err(|e| self.place(e))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Stop> {
        let inner = self.inner.ok_or_else(|| self.bare())?;
        At(inner)
            .deserialize_any(visitor)
            .map_err(|e| self.place(e))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let inner = self.inner.ok_or_else(|| self.bare())?;
        At(inner)
            .deserialize_any(visitor)
            .map_err(|e| self.place(e))
    }
}
