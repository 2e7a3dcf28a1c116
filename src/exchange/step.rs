//! What the host does next: the whole vocabulary between the core and the host.

use std::sync::Arc;

use crate::auth::FetchId;
use crate::deny::Denial;
use crate::respond::Blocks;

/// Changes of a head, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits(Vec<Edit>);

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// The header has this value, once.
    Set(Text, Bytes),
    /// The header is gone.
    Remove(Text),
}

/// A header's name: a constant, one of the policy's, or one that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// A constant.
    Static(&'static str),
    /// The policy's.
    Shared(Arc<str>),
    /// The request's.
    Owned(String),
}

/// A header's value: a constant, one of the policy's, or one made for the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bytes {
    /// A constant.
    Static(&'static str),
    /// The policy's.
    Shared(Arc<str>),
    /// The request's.
    Owned(Vec<u8>),
}

impl Text {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Static(text) => text,
            Self::Shared(text) => text,
            Self::Owned(text) => text,
        }
    }
}

impl Bytes {
    /// The value.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Static(text) => text.as_bytes(),
            Self::Shared(text) => text.as_bytes(),
            Self::Owned(bytes) => bytes,
        }
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Self::Static(text)
    }
}

impl From<&Arc<str>> for Text {
    fn from(text: &Arc<str>) -> Self {
        Self::Shared(Arc::clone(text))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Owned(text)
    }
}

impl From<&'static str> for Bytes {
    fn from(text: &'static str) -> Self {
        Self::Static(text)
    }
}

impl From<&Arc<str>> for Bytes {
    fn from(text: &Arc<str>) -> Self {
        Self::Shared(Arc::clone(text))
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Owned(bytes)
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self::Owned(bytes.to_vec())
    }
}

impl Edits {
    /// No change yet, with room for those of an ordinary request.
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(12))
    }

    /// Sets a header.
    pub fn set(&mut self, name: impl Into<Text>, value: impl Into<Bytes>) {
        self.0.push(Edit::Set(name.into(), value.into()));
    }

    /// Removes a header.
    pub fn remove(&mut self, name: impl Into<Text>) {
        self.0.push(Edit::Remove(name.into()));
    }

    /// The changes in order.
    pub fn iter(&self) -> impl Iterator<Item = &Edit> {
        self.0.iter()
    }

    /// Makes the changes in a list of fields as the host makes them: a header that is set stands
    /// once, where its first one stood.
    pub fn apply(&self, fields: &mut Vec<(String, Vec<u8>)>) {
        for edit in &self.0 {
            match edit {
                Edit::Remove(name) => fields.retain(|(n, _)| n != name.as_str()),
                Edit::Set(name, value) => {
                    let mut value = Some(value.as_bytes().to_vec());
                    fields.retain_mut(|(n, old)| {
                        if n != name.as_str() {
                            return true;
                        }
                        let first = value.take();
                        first.is_some_and(|new| {
                            *old = new;
                            true
                        })
                    });
                    fields.extend(value.map(|v| (name.as_str().to_owned(), v)));
                }
            }
        }
    }
}

/// What becomes of a request after its head.
#[must_use]
#[derive(Debug)]
pub enum Step {
    /// It goes on, changed.
    Edit(Edits),
    /// It waits until this fetch of keys has ended; then [`super::Exchange::keys_fetched`].
    WaitForKeys(FetchId),
    /// It waits for an answer of the upstream; then [`super::Exchange::looked_up`].
    Ask(Lookup),
    /// It is answered with this JSON, status 200, without asking the upstream.
    Answer(&'static str),
    /// It is answered with a denial.
    Refuse(Denial),
}

/// What becomes of a piece of a request's body.
#[must_use]
#[derive(Debug)]
pub enum Piece {
    /// It passes as it is.
    Pass,
    /// It is taken out of the stream; the exchange holds it.
    Take,
    /// This passes in its place.
    Emit(Vec<u8>),
    /// The request waits for an answer of the upstream; this is its body so far.
    Ask(Lookup, Vec<u8>),
    /// The request ends here.
    Refuse(Denial),
}

/// What becomes of an answer after its head.
#[must_use]
#[derive(Debug)]
pub enum Reply {
    /// It passes as it is.
    Pass,
    /// It goes on, changed; its body comes to [`super::Exchange::response_piece`].
    Edit(Edits),
    /// It is changed and waits for its body, which comes to [`super::Exchange::response_piece`].
    Hold(Edits),
    /// It is replaced by a denial.
    Refuse(Denial),
}

/// What becomes of a piece of an answer's body.
#[must_use]
#[derive(Debug)]
pub enum ReplyPiece {
    /// It passes as it is.
    Pass,
    /// The exchange has it, and the head waits on.
    Take,
    /// This passes in its place; if the head has waited, after that and in place of all pieces so far.
    Emit(Blocks),
    /// The answer cannot be shown, and its head has waited: a denial takes its place.
    Refuse(Denial),
    /// The answer cannot be shown, and its head has gone: the stream is reset. The denial is for
    /// the log.
    Cut(Denial),
}

/// What becomes of a body that did not come whole in time.
#[must_use]
#[derive(Debug)]
pub enum Overdue {
    /// The request is answered with a denial: no head of an answer has gone.
    Refuse(Denial),
    /// The answer is cut: its head has gone. The denial is for the log.
    Cut(Denial),
}

/// A question to an upstream that a request waits for.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    /// The Envoy cluster.
    pub cluster: String,
    /// The authority that the upstream sees.
    pub authority: String,
    /// Path and query string.
    pub path: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// Seconds.
    pub timeout: f64,
}
