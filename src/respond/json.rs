//! A strict cursor over JSON bytes: it reads what it is asked for and keeps no tree.

mod raw;

use super::AnswerError;
pub(super) use raw::{Raw, quote};

/// The deepest nesting of a value that is skipped.
const MAX_DEPTH: u32 = 64;

/// A position in a JSON text. Every step fails on anything that RFC 8259 does not allow.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    pos: usize,
}

/// What kind of value begins at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    String,
    Null,
    /// A number, `true` or `false`.
    Plain,
}

impl Kind {
    pub(super) fn is_scalar(self) -> bool {
        matches!(self, Self::String | Self::Null | Self::Plain)
    }
}

impl<'a> Cursor<'a> {
    /// How far from its position a cursor looks at most: an error with as many bytes before the end
    /// of the text is none that more text could mend.
    pub(super) const AHEAD: usize = 8;

    /// A cursor at the start of a text that must be UTF-8.
    pub(super) fn new(text: &'a [u8]) -> Result<Self, AnswerError> {
        std::str::from_utf8(text).map_err(|_| AnswerError::Json)?;
        Ok(Self { text, pos: 0 })
    }

    /// A cursor inside a text that is known to be UTF-8 from `pos` on.
    pub(super) fn resume(text: &'a [u8], pos: usize) -> Self {
        Self { text, pos }
    }

    pub(super) fn pos(&self) -> usize {
        self.pos
    }

    /// The bytes from `start` up to the cursor.
    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        self.text.get(start..self.pos).unwrap_or_default()
    }

    fn byte(&self) -> Option<u8> {
        self.text.get(self.pos).copied()
    }

    #[inline]
    pub(super) fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.pos += 1;
        }
    }

    /// The next byte that is no space, without stepping over it.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        self.space();
        self.byte()
    }

    fn eat(&mut self, wanted: u8) -> Result<(), AnswerError> {
        if self.peek() == Some(wanted) {
            self.pos += 1;
            Ok(())
        } else {
            Err(AnswerError::Json)
        }
    }

    /// The kind of the value that begins here.
    pub(super) fn kind(&mut self) -> Result<Kind, AnswerError> {
        match self.peek() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'n') => Ok(Kind::Null),
            Some(b't' | b'f' | b'-' | b'0'..=b'9') => Ok(Kind::Plain),
            Some(_) | None => Err(AnswerError::Json),
        }
    }

    /// Steps into an object or array.
    pub(super) fn open(&mut self, bracket: u8) -> Result<(), AnswerError> {
        self.eat(bracket).map_err(|_| AnswerError::Shape)
    }

    /// Steps to the next item of a list that ends with `close`, or out of the list (`false`).
    pub(super) fn next_item(&mut self, first: bool, close: u8) -> Result<bool, AnswerError> {
        match self.peek() {
            Some(b) if b == close => {
                self.pos += 1;
                Ok(false)
            }
            Some(_) if first => Ok(true),
            Some(b',') => {
                self.pos += 1;
                Ok(true)
            }
            Some(_) | None => Err(AnswerError::Json),
        }
    }

    /// Reads a member's name and its colon.
    pub(super) fn key(&mut self) -> Result<Raw<'a>, AnswerError> {
        let key = self.string()?;
        self.eat(b':')?;
        Ok(key)
    }

    /// Calls `each` at the value of every member of the object that begins here.
    pub(super) fn members(
        &mut self,
        mut each: impl FnMut(&mut Self, Raw<'a>) -> Result<(), AnswerError>,
    ) -> Result<(), AnswerError> {
        self.open(b'{')?;
        let mut first = true;
        while self.next_item(first, b'}')? {
            first = false;
            let key = self.key()?;
            each(self, key)?;
        }
        Ok(())
    }

    /// Calls `each` at every element of the array that begins here.
    pub(super) fn elements(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), AnswerError>,
    ) -> Result<(), AnswerError> {
        self.open(b'[')?;
        let mut first = true;
        while self.next_item(first, b']')? {
            first = false;
            each(self)?;
        }
        Ok(())
    }

    /// Reads a string.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Raw<'a>, AnswerError> {
        self.eat(b'"')?;
        let start = self.pos;
        let mut escaped = false;
        loop {
            self.pos += plain_run(self.text.get(self.pos..).unwrap_or_default());
            match self.byte() {
                Some(b'"') => {
                    let bytes = self.since(start);
                    self.pos += 1;
                    return Ok(Raw { bytes, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.pos += 1;
                    self.escape()?;
                }
                Some(_) | None => return Err(AnswerError::Json),
            }
        }
    }

    fn escape(&mut self) -> Result<(), AnswerError> {
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.pos += 1;
                Ok(())
            }
            Some(b'u') => {
                let digits = self.text.get(self.pos + 1..self.pos + 5);
                self.pos += 5;
                match digits {
                    Some(d) if d.iter().all(u8::is_ascii_hexdigit) => Ok(()),
                    Some(_) | None => Err(AnswerError::Json),
                }
            }
            Some(_) | None => Err(AnswerError::Json),
        }
    }

    /// Steps over a value of any kind, without recursion.
    pub(super) fn skip(&mut self) -> Result<(), AnswerError> {
        let (mut depth, mut kinds) = (0u32, 0u64);
        loop {
            let mut ended = true;
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    self.pos += 1;
                    if depth == MAX_DEPTH {
                        return Err(AnswerError::Limit);
                    }
                    depth += 1;
                    kinds = kinds << 1 | u64::from(open == b'{');
                    ended = self.peek() == Some(open + 2);
                    if !ended && open == b'{' {
                        self.key()?;
                    }
                }
                Some(b'"') => {
                    self.string()?;
                }
                Some(b't') => self.word(b"true")?,
                Some(b'f') => self.word(b"false")?,
                Some(b'n') => self.word(b"null")?,
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(_) | None => return Err(AnswerError::Json),
            }
            while ended {
                if depth == 0 {
                    return Ok(());
                }
                let object = kinds & 1 == 1;
                match self.peek() {
                    Some(b',') => {
                        self.pos += 1;
                        if object {
                            self.key()?;
                        }
                        ended = false;
                    }
                    Some(close @ (b'}' | b']')) if (close == b'}') == object => {
                        self.pos += 1;
                        depth -= 1;
                        kinds >>= 1;
                    }
                    Some(_) | None => return Err(AnswerError::Json),
                }
            }
        }
    }

    /// Reads `true` or `false`.
    pub(super) fn boolean(&mut self) -> Result<bool, AnswerError> {
        match self.peek() {
            Some(b't') => self.word(b"true").map(|()| true),
            Some(b'f') => self.word(b"false").map(|()| false),
            Some(_) | None => Err(AnswerError::Shape),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), AnswerError> {
        if self.text.get(self.pos..self.pos + word.len()) != Some(word) {
            return Err(AnswerError::Json);
        }
        self.pos += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), AnswerError> {
        if self.byte() == Some(b'-') {
            self.pos += 1;
        }
        if self.byte() == Some(b'0') {
            self.pos += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.pos += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.pos += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.pos += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), AnswerError> {
        let start = self.pos;
        while let Some(b'0'..=b'9') = self.byte() {
            self.pos += 1;
        }
        if self.pos == start {
            return Err(AnswerError::Json);
        }
        Ok(())
    }

    /// Succeeds where nothing but space is left.
    pub(super) fn end(&mut self) -> Result<(), AnswerError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(AnswerError::Json),
        }
    }
}

/// How many bytes from the start are neither `"` nor `\` nor a control character.
#[inline]
pub(super) fn plain_run(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let x = u64::from_le_bytes(*word);
        let quote = x ^ (ONES * b'"' as u64);
        let slash = x ^ (ONES * b'\\' as u64);
        // In each of the three the lowest bit that is set stands for a true match.
        let found = (x.wrapping_sub(ONES * 0x20) & !x
            | quote.wrapping_sub(ONES) & !quote
            | slash.wrapping_sub(ONES) & !slash)
            & HIGH;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + rest
        .iter()
        .position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f))
        .unwrap_or(rest.len())
}

#[cfg(test)]
mod tests;
