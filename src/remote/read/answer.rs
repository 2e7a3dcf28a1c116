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

/// Reads `ChunkedReadResponse` frames while they stream, and gives out only whole frames whose series
/// are all in scope. After an error the stream must be reset.
#[derive(Debug)]
pub struct ChunkVerifier {
    scope: Scope,
    partial: Vec<u8>,
}

/// The longest frame that is held, in bytes. Prometheus makes them of 1 MiB, or of one series' chunks.
const MAX_FRAME: u64 = 8 << 20;

impl ChunkVerifier {
    /// A reader before the first byte.
    #[must_use]
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            partial: Vec::new(),
        }
    }

    /// Reads a piece and gives out what may leave.
    pub fn feed(&mut self, piece: &[u8]) -> Result<Vec<u8>, AnswerError> {
        self.partial.extend_from_slice(piece);
        let mut whole = 0;
        while let Some(end) = frame_end(&self.partial, whole)? {
            whole = end;
        }
        if whole == 0 {
            return Ok(Vec::new());
        }
        let rest = self.partial.split_off(whole);
        let out = std::mem::replace(&mut self.partial, rest);
        verify_chunks(&out, &self.scope)?;
        Ok(out)
    }

    /// The bytes that are held back.
    #[must_use]
    pub fn held(&self) -> usize {
        self.partial.len()
    }

    /// Ends the answer: it must end with a whole frame.
    pub fn finish(self) -> Result<(), AnswerError> {
        if self.partial.is_empty() {
            Ok(())
        } else {
            Err(Malformed::Truncated.into())
        }
    }
}

/// Where the frame that begins at `pos` ends, if all of it is there.
fn frame_end(bytes: &[u8], pos: usize) -> Result<Option<usize>, AnswerError> {
    let (len, at) = match wire::varint(bytes, pos) {
        Ok(found) => found,
        Err(Malformed::Truncated) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    if len > MAX_FRAME {
        return Err(AnswerError::TooLarge);
    }
    let len = usize::try_from(len).map_err(|_| AnswerError::TooLarge)?;
    let end = at.saturating_add(4).saturating_add(len);
    Ok((end <= bytes.len()).then_some(end))
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
