//! Remote read: every query is confined, every series of an answer held against the scope.

mod answer;

use std::fmt;

use crate::scope::{OnConflict, Scope, quote_meta};

use super::error::bounded;
use super::rewrite::Rewrite;
use super::snappy::{self, SnappyError};
use super::wire::{self, Field, Fields, Malformed, Value};

pub use answer::{AnswerError, ChunkVerifier, verify_chunks, verify_samples};

/// The most queries in one request, and the most matchers in one query.
const MAX_QUERIES: usize = 100;
const MAX_MATCHERS: usize = 1000;

/// Confines a `ReadRequest` in a snappy block: the enforced matchers stand first in every query,
/// always as a regular expression. `limit` bounds the decoded bytes before and after.
///
/// Prometheus turns an equality with its own external label into "label absent"; a caller's own
/// equality on an enforced label becomes a regular expression too, so that it keeps its meaning.
/// Unknown fields are refused: nothing is sent on that may select more.
pub fn confine(
    body: &[u8],
    scope: &Scope,
    on_conflict: OnConflict,
    limit: usize,
) -> Result<Vec<u8>, ReadError> {
    let limit = limit.min(Rewrite::MAX_LEN);
    let src = snappy::decode(body, limit).map_err(|e| match e {
        SnappyError::TooLarge { declared } => ReadError::TooLarge {
            limit: "decoded bytes",
            most: limit as u64,
            found: declared,
        },
        SnappyError::Corrupt => ReadError::Malformed("it is not a snappy block"),
    })?;
    let mut reader = Reader {
        src: &src,
        scope,
        on_conflict,
        rewrite: Rewrite::default(),
        prefix: prefix(scope),
    };
    let mut queries = 0;
    for field in Fields::of(&src) {
        let field = field?;
        match (field.number, field.value) {
            (1, Value::Bytes(_)) => {
                queries += 1;
                within("queries", MAX_QUERIES, queries)?;
                reader.query(&field)?;
                within("decoded bytes", limit, reader.rewrite.len_of(&src))?;
            }
            // The types of answer that the caller takes.
            (2, Value::Varint(_) | Value::Bytes(_)) => {}
            _ => return Err(UNKNOWN),
        }
    }
    if queries == 0 {
        return Err(ReadError::Malformed("it has no query"));
    }
    let rewrite = reader.rewrite;
    let confined = if rewrite.is_empty() {
        src
    } else {
        rewrite.finish(&src).ok_or(UNKNOWN)?
    };
    snappy::encode(&confined).ok_or(UNKNOWN)
}

const UNKNOWN: ReadError = ReadError::Malformed("it has a field that is not known");

struct Reader<'r> {
    src: &'r [u8],
    scope: &'r Scope,
    on_conflict: OnConflict,
    rewrite: Rewrite,
    /// The enforced matchers as fields of a query.
    prefix: Vec<u8>,
}

impl Reader<'_> {
    fn query(&mut self, query: &Field<'_>) -> Result<(), ReadError> {
        let open = self.rewrite.open(query);
        let start = query.end - query.bytes()?.len();
        self.rewrite
            .insert(start, |to| to.extend_from_slice(&self.prefix));
        let mut matchers = 0;
        for field in query.nested(self.src)? {
            let field = field?;
            match (field.number, field.value) {
                (1 | 2, Value::Varint(_)) | (4, Value::Bytes(_)) => {}
                (3, Value::Bytes(_)) => {
                    matchers += 1;
                    within("matchers", MAX_MATCHERS, matchers)?;
                    self.matcher(&field)?;
                }
                _ => return Err(UNKNOWN),
            }
        }
        if matchers == 0 {
            return Err(ReadError::Malformed("a query has no matcher"));
        }
        self.rewrite.close(open, query);
        Ok(())
    }

    fn matcher(&mut self, field: &Field<'_>) -> Result<(), ReadError> {
        let (mut kind, mut name, mut value): (u64, &[u8], &[u8]) = (0, &[], &[]);
        for inner in field.nested(self.src)? {
            let inner = inner?;
            match (inner.number, inner.value) {
                // A decoder cuts a larger number to 32 bits.
                (1, Value::Varint(v @ 0..=3)) => kind = v,
                (2, Value::Bytes(v)) => name = v,
                (3, Value::Bytes(v)) => value = v,
                _ => return Err(UNKNOWN),
            }
        }
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| NOT_TEXT);
        let (name, value) = (text(name)?, text(value)?);
        if self.scope.of(name).is_none() {
            return Ok(());
        }
        match self.on_conflict {
            OnConflict::Reject => return Err(ReadError::Conflict(bounded(name.as_bytes()))),
            OnConflict::Replace => self.rewrite.replace(field.start, field.end, |_| {}),
            OnConflict::Intersect if kind == EQUAL => {
                let mut regex = String::new();
                quote_meta(value, &mut regex);
                self.rewrite.replace(field.start, field.end, |to| {
                    put_matcher(name, &regex, to);
                });
            }
            OnConflict::Intersect => {}
        }
        Ok(())
    }
}

const NOT_TEXT: ReadError = ReadError::Malformed("a matcher is not UTF-8");
const EQUAL: u64 = 0;
const REGEX: u8 = 2;

fn prefix(scope: &Scope) -> Vec<u8> {
    let mut prefix = Vec::new();
    for enforced in scope.matchers() {
        put_matcher(enforced.label().as_str(), enforced.regex(), &mut prefix);
    }
    prefix
}

fn put_matcher(name: &str, regex: &str, to: &mut Vec<u8>) {
    let mut matcher = vec![0x08, REGEX];
    wire::put_bytes(2, name.as_bytes(), &mut matcher);
    wire::put_bytes(3, regex.as_bytes(), &mut matcher);
    wire::put_bytes(3, &matcher, to);
}

fn within(limit: &'static str, most: usize, found: impl TryInto<u64>) -> Result<(), ReadError> {
    let most = most as u64;
    let found = found.try_into().unwrap_or(u64::MAX);
    if found > most {
        return Err(ReadError::TooLarge { limit, most, found });
    }
    Ok(())
}

/// Why a remote read is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// The body is not what its headers say: 400.
    Malformed(&'static str),
    /// More than a limit allows: 413.
    TooLarge {
        /// What is limited.
        limit: &'static str,
        /// The limit.
        most: u64,
        /// What the body has, or has at least.
        found: u64,
    },
    /// A matcher on an enforced label, where they are refused: 400. Holds the label, bounded.
    Conflict(String),
}

impl ReadError {
    /// The status that the caller gets.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Conflict(_) => 400,
            Self::TooLarge { .. } => 413,
        }
    }
}

impl From<Malformed> for ReadError {
    fn from(e: Malformed) -> Self {
        Self::Malformed(e.text())
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "the read request cannot be read: {why}"),
            Self::TooLarge { limit, most, found } => {
                write!(f, "the read request has {found} {limit}, more than {most}")
            }
            Self::Conflict(label) => write!(f, "a matcher on label `{label}` is not allowed"),
        }
    }
}

impl std::error::Error for ReadError {}

#[cfg(test)]
mod tests;
