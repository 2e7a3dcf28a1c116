//! What a configured identity may do, as an operator writes it.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use crate::tenant::TenantId;

/// Rights: `{tenants: [a, b]}` to read and write both, `{tenants: [a, b], write: a}`,
/// `{read: all}`, `{read: [a], write: none}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Grant {
    /// Tenants that are read and written, where `read` and `write` say nothing else.
    pub tenants: Vec<TenantId>,
    /// What is read.
    pub read: Option<Reach>,
    /// What is written.
    pub write: Option<Reach>,
    /// The same as `read: all`.
    pub all: bool,
}

/// Some tenants: `all`, `none`, one name, or a list of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// No tenant.
    #[default]
    None,
    /// These.
    Some(BTreeSet<TenantId>),
    /// All under the ceiling.
    All,
}

struct ReachVisitor;

impl<'de> Visitor<'de> for ReachVisitor {
    type Value = Reach;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`all`, `none`, a tenant, or a list of tenants")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Reach, E> {
        match text {
            "all" => Ok(Reach::All),
            "none" => Ok(Reach::None),
            name => TenantId::parse(name)
                .map(|t| Reach::Some(BTreeSet::from([t])))
                .map_err(E::custom),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Reach, A::Error> {
        let mut set = BTreeSet::new();
        while let Some(tenant) = list.next_element::<TenantId>()? {
            set.insert(tenant);
        }
        if set.is_empty() {
            return Err(de::Error::custom("the list is empty: write `none`"));
        }
        Ok(Reach::Some(set))
    }
}

impl<'de> Deserialize<'de> for Reach {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(ReachVisitor)
    }
}

/// One word or a list of words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(pub Vec<String>);

struct WordsVisitor;

impl<'de> Visitor<'de> for WordsVisitor {
    type Value = Words;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word or a list of words")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Words, E> {
        Ok(Words(vec![text.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
        let mut words = Vec::new();
        while let Some(word) = list.next_element()? {
            words.push(word);
        }
        Ok(Words(words))
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(WordsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reach_is_a_word_a_name_or_a_list() {
        let reach = |t: &str| serde_json::from_str::<Reach>(t);
        assert_eq!(reach("\"all\"").unwrap(), Reach::All);
        assert_eq!(reach("\"none\"").unwrap(), Reach::None);
        let all = BTreeSet::from([TenantId::parse("all").unwrap()]);
        assert_eq!(reach("[\"all\"]").unwrap(), Reach::Some(all));
        for bad in ["\"\"", "[]", "true", "\"a b\"", "\"*\"", "[\"../x\"]"] {
            assert!(reach(bad).is_err(), "{bad}");
        }
    }
}
