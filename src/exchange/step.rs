//! What the host does next: the whole vocabulary between the core and the host.

use std::borrow::Cow;

use crate::auth::FetchId;
use crate::deny::Denial;

/// Changes of a head, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits(Vec<Edit>);

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// The header has this value, once.
    Set(Cow<'static, str>, Vec<u8>),
    /// The header is gone.
    Remove(Cow<'static, str>),
}

impl Edits {
    /// Sets a header.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Vec<u8>>) {
        self.0.push(Edit::Set(name.into(), value.into()));
    }

    /// Removes a header.
    pub fn remove(&mut self, name: impl Into<Cow<'static, str>>) {
        self.0.push(Edit::Remove(name.into()));
    }

    /// The changes in order.
    pub fn iter(&self) -> impl Iterator<Item = &Edit> {
        self.0.iter()
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
    /// It is replaced by a denial.
    Refuse(Denial),
}

/// What becomes of a piece of an answer's body.
#[must_use]
#[derive(Debug)]
pub enum ReplyPiece {
    /// It passes as it is.
    Pass,
    /// This passes in its place.
    Emit(Vec<u8>),
    /// The answer cannot be shown, and its head has gone: the stream is reset. The denial is for
    /// the log.
    Cut(Denial),
}

/// What becomes of a body that did not come whole in time.
#[must_use]
#[derive(Debug)]
pub enum Overdue {
    /// The request is answered with a denial.
    Request(Denial),
    /// The answer is cut: its head has gone. The denial is for the log.
    Answer(Denial),
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
