//! A place in a document: its value and the way to it.

use serde_json::Value;

use super::source::{Segment, Source};

/// A value in a document, and where it is.
#[derive(Clone)]
pub(super) struct Node<'a> {
    pub(super) source: &'a Source,
    pub(super) document: usize,
    pub(super) path: Vec<Segment>,
    pub(super) value: &'a Value,
}

impl<'a> Node<'a> {
    /// All documents of a source, the items of a `List` for itself.
    pub(super) fn documents(source: &'a Source) -> Vec<Self> {
        let mut nodes = Vec::new();
        for (document, value) in source.documents.iter().enumerate() {
            let node = Self {
                source,
                document,
                path: Vec::new(),
                value,
            };
            if node.text("kind") == Some("List") {
                nodes.extend(node.list("items"));
            } else {
                nodes.push(node);
            }
        }
        nodes
    }

    /// The field of a map, by its name in snake case or in the camel case that protobuf's JSON
    /// knows as well.
    pub(super) fn get(&self, name: &str) -> Option<Self> {
        let map = self.value.as_object()?;
        let camel = camel(name);
        let (key, value) = map
            .get_key_value(name)
            .or_else(|| map.get_key_value(&camel))
            .filter(|(_, v)| !v.is_null())?;
        Some(self.step(Segment::Key(key.clone()), value))
    }

    /// The field at the end of several steps.
    pub(super) fn at(&self, names: &[&str]) -> Option<Self> {
        names
            .iter()
            .try_fold(self.clone(), |node, name| node.get(name))
    }

    /// The elements of a list that is a field; none if there is no such list.
    pub(super) fn list(&self, name: &str) -> Vec<Self> {
        self.get(name).map(|n| n.elements()).unwrap_or_default()
    }

    /// The elements of a list.
    pub(super) fn elements(&self) -> Vec<Self> {
        let list = self.value.as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter()
            .enumerate()
            .map(|(i, v)| self.step(Segment::Index(i), v))
            .collect()
    }

    /// The fields of a map.
    pub(super) fn fields(&self) -> Vec<(&'a str, Self)> {
        self.value
            .as_object()
            .into_iter()
            .flatten()
            .map(|(k, v)| (k.as_str(), self.step(Segment::Key(k.clone()), v)))
            .collect()
    }

    /// The text of a field.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.value.as_str()
    }

    /// The text at the end of several steps.
    pub(super) fn text_at(&self, names: &[&str]) -> Option<&'a str> {
        self.at(names)?.value.as_str()
    }

    /// Whether a field is true.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|n| n.value.as_bool() == Some(true))
    }

    /// The texts of a list that is a field.
    pub(super) fn texts(&self, name: &str) -> Vec<&'a str> {
        self.list(name)
            .iter()
            .filter_map(|n| n.value.as_str())
            .collect()
    }

    /// The message type of an `Any`, without the part before the slash.
    pub(super) fn type_name(&self) -> Option<&'a str> {
        let url = self.text("@type")?;
        Some(url.rsplit_once('/').map_or(url, |(_, name)| name))
    }

    /// The node at an own path such as `auth.issuers[1].keys`, or the last of its parents that
    /// exists.
    pub(super) fn follow(&self, path: &str) -> Self {
        let mut node = self.clone();
        for part in path.split(['.', '[']) {
            let next = match part.strip_suffix(']') {
                Some(index) => index
                    .parse()
                    .ok()
                    .and_then(|i: usize| node.elements().into_iter().nth(i)),
                None => node.get(part),
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }

    /// Whether another node is at or below this one.
    pub(super) fn contains(&self, other: &Self) -> bool {
        std::ptr::eq(self.source, other.source)
            && self.document == other.document
            && other.path.starts_with(&self.path)
    }

    /// The way to it as text: `a.b[1].c`.
    pub(super) fn way(&self) -> String {
        let mut text = String::new();
        for segment in &self.path {
            match segment {
                Segment::Key(key) => {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.push_str(key);
                }
                Segment::Index(i) => text.push_str(&format!("[{i}]")),
            }
        }
        text
    }

    /// Its line in the file.
    pub(super) fn line(&self) -> Option<usize> {
        self.source.line(self.document, &self.path)
    }

    fn step(&self, segment: Segment, value: &'a Value) -> Self {
        let mut path = self.path.clone();
        path.push(segment);
        Self {
            source: self.source,
            document: self.document,
            path,
            value,
        }
    }
}

/// `some_name` as `someName`.
fn camel(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        if c == '_' {
            upper = true;
        } else if upper {
            text.push(c.to_ascii_uppercase());
            upper = false;
        } else {
            text.push(c);
        }
    }
    text
}

/// `someName` as `some_name`.
pub(super) fn snake(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_two_spellings_and_a_way() {
        let text = "typedConfig: {a: [{vm_config: {x: 1}}]}";
        let source = Source::parse("f".to_owned(), text.to_owned()).unwrap();
        let node = Node::documents(&source).remove(0);
        let found = node
            .get("typed_config")
            .unwrap()
            .list("a")
            .remove(0)
            .at(&["vm_config", "x"])
            .unwrap();
        assert_eq!(found.way(), "typedConfig.a[0].vm_config.x");
        assert_eq!(
            node.follow("typedConfig.a[0].vm_config.missing").way(),
            "typedConfig.a[0].vm_config"
        );
        assert_eq!(snake("vmConfig"), "vm_config");
    }
}
