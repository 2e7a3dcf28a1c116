//! Writing the JSON objects of a confined body.

use super::read::Texts;
use crate::respond::json::quote;

/// Writes one JSON object.
pub(super) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    next: u8,
}

impl<'o> Writer<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out, next: b'{' }
    }

    pub(super) fn raw(&mut self, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
        self.out.push(self.next);
        self.next = b',';
        quote(name, self.out);
        self.out.push(b':');
        value(self.out);
    }

    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.raw(name, |out| quote(value, out));
    }

    pub(super) fn end(self) {
        if self.next == b'{' {
            self.out.push(b'{');
        }
        self.out.push(b'}');
    }
}

/// Writes an object of texts.
pub(super) fn write_texts(list: &Texts<'_>, out: &mut Vec<u8>) {
    let mut object = Writer::new(out);
    for (name, value) in list {
        object.text(name, value);
    }
    object.end();
}
