//! A request or an answer as it is on the wire.

/// A head in order, names in lower case, and a body.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Header fields, pseudo headers among them.
    pub head: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Message {
    /// All values of a field.
    pub fn all(&self, name: &str) -> Vec<&[u8]> {
        let found = self.head.iter().filter(|(n, _)| n == name);
        found.map(|(_, v)| v.as_slice()).collect()
    }

    /// The first value of a field as text, or nothing.
    pub fn text(&self, name: &str) -> String {
        let first = self.all(name).first().copied().unwrap_or_default();
        String::from_utf8_lossy(first).into_owned()
    }

    /// Path and query string.
    pub fn target(&self) -> (String, String) {
        let target = self.text(":path");
        match target.split_once('?') {
            Some((path, query)) => (path.to_owned(), query.to_owned()),
            None => (target, String::new()),
        }
    }
}
