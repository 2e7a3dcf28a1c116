//! Holds the series of a remote-read answer against the scope.

use std::fmt;

use super::super::snappy::{self, SnappyError};
use super::super::wire::{self, Field, Fields, Malformed};
use crate::scope::Scope;

/// Why an answer must not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnswerError {
    /// It cannot be read, so it cannot be checked.
    Malformed(&'static str),
    /// It has more decoded bytes than the limit.
    TooLarge,
    /// A series is outside of the scope, or has a label twice.
    Foreign,
}

impl From<Malformed> for AnswerError {
    fn from(e: Malformed) -> Self {
        Self::Malformed(e.text())
    }
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "the answer cannot be read: {why}"),
            Self::TooLarge => f.write_str("the answer is larger than can be checked"),
            Self::Foreign => f.write_str("the answer has a series that was not asked for"),
        }
    }
}

impl std::error::Error for AnswerError {}

/// Checks a `ReadResponse` in a snappy block of at most `limit` decoded bytes; the number of its
/// series.
pub fn verify_samples(body: &[u8], scope: &Scope, limit: usize) -> Result<u64, AnswerError> {
    let src = snappy::decode(body, limit).map_err(|e| match e {
        SnappyError::TooLarge { .. } => AnswerError::TooLarge,
        SnappyError::Corrupt => AnswerError::Malformed("it is not a snappy block"),
    })?;
    let mut check = Check::new(scope);
    for result in Fields::of(&src) {
        let result = result?;
        if result.number != 1 {
            return Err(UNKNOWN);
        }
        for series in result.nested(&src)? {
            let series = series?;
            if series.number != 1 {
                return Err(UNKNOWN);
            }
            check.series(&src, &series)?;
        }
    }
    Ok(check.count)
}

/// Checks a whole stream of `ChunkedReadResponse` frames; the number of their series.
///
/// Each frame is a length, a checksum of four bytes that the caller checks, and the message.
pub fn verify_chunks(body: &[u8], scope: &Scope) -> Result<u64, AnswerError> {
    let mut check = Check::new(scope);
    let mut pos = 0;
    while pos < body.len() {
        let (len, at) = wire::varint(body, pos)?;
        let start = at.checked_add(4).ok_or(Malformed::Truncated)?;
        let len = usize::try_from(len).map_err(|_| Malformed::Truncated)?;
        let end = start.checked_add(len).ok_or(Malformed::Truncated)?;
        let frame = body.get(start..end).ok_or(Malformed::Truncated)?;
        for field in Fields::of(frame) {
            let field = field?;
            match field.number {
                1 => check.series(frame, &field)?,
                2 => {}
                _ => return Err(UNKNOWN),
            }
        }
        pos = end;
    }
    Ok(check.count)
}

const UNKNOWN: AnswerError = AnswerError::Malformed("it has a field that is not known");

struct Check<'s> {
    scope: &'s Scope,
    count: u64,
}

impl<'s> Check<'s> {
    fn new(scope: &'s Scope) -> Self {
        Self { scope, count: 0 }
    }

    /// Checks a series, whose labels are its field 1 in both forms of answers.
    fn series(&mut self, src: &[u8], series: &Field<'_>) -> Result<(), AnswerError> {
        self.count += 1;
        let matchers = self.scope.matchers();
        // Which enforced labels have been seen: scopes of more than 64 labels are not checked.
        if matchers.len() > 64 {
            return Err(AnswerError::Foreign);
        }
        let mut seen = 0u64;
        for field in series.nested(src)? {
            let field = field?;
            if field.number != 1 {
                continue;
            }
            let (name, value) = wire::label(field.bytes()?)?;
            let enforced = matchers
                .iter()
                .enumerate()
                .find(|(_, m)| m.label().as_str().as_bytes() == name);
            if let Some((bit, enforced)) = enforced {
                let inside = std::str::from_utf8(value).is_ok_and(|v| enforced.admits(v));
                if !inside || seen >> bit & 1 == 1 {
                    return Err(AnswerError::Foreign);
                }
                seen |= 1 << bit;
            }
        }
        if seen.count_ones() as usize == matchers.len() {
            Ok(())
        } else {
            Err(AnswerError::Foreign)
        }
    }
}
