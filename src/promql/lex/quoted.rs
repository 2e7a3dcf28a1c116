//! Strings in their three quotes, and what they stand for.

use std::borrow::Cow;

use super::super::refusal::Fault;
use super::{Kind, Lexer};

impl Lexer<'_> {
    /// Reads a string; its quote has been seen.
    pub(super) fn quoted(&mut self, quote: u8) -> Result<Kind, Fault> {
        let start = self.pos;
        self.pos += 1;
        let raw = quote == b'`';
        loop {
            self.accept_run(|b| b != quote && !matches!(b, b'\\' | b'\n' | 0xef));
            match self.peek() {
                Some(b) if b == quote => {
                    self.pos += 1;
                    return Ok(Kind::Text);
                }
                // Go's lexer takes the replacement character for a broken one.
                Some(0xef)
                    if self
                        .text
                        .get(self.pos..)
                        .is_some_and(|t| t.starts_with('\u{fffd}')) =>
                {
                    return Err(Fault::syntax(start, "invalid UTF-8 rune".to_owned()));
                }
                Some(b'\\') if !raw => self.escape(start, quote)?,
                Some(b'\n') if !raw => break,
                Some(_) => self.pos += 1,
                None => break,
            }
        }
        let what = if raw { "raw" } else { "quoted" };
        Err(Fault::syntax(start, format!("unterminated {what} string")))
    }

    fn escape(&mut self, start: usize, quote: u8) -> Result<(), Fault> {
        let rest = self.text.as_bytes().get(self.pos..).unwrap_or_default();
        match decode(rest, quote) {
            Some((_, len)) => {
                self.pos += len;
                Ok(())
            }
            None => Err(Fault::syntax(
                start,
                "unknown or broken escape sequence".to_owned(),
            )),
        }
    }
}

/// What an escape sequence stands for.
enum Escaped {
    Byte(u8),
    Char(char),
}

/// Decodes the escape sequence at the start of `bytes`, and says how long it is.
fn decode(bytes: &[u8], quote: u8) -> Option<(Escaped, usize)> {
    let plain = |b| Some((Escaped::Byte(b), 2));
    match *bytes.get(1)? {
        b'a' => plain(7),
        b'b' => plain(8),
        b'f' => plain(12),
        b'n' => plain(b'\n'),
        b'r' => plain(b'\r'),
        b't' => plain(b'\t'),
        b'v' => plain(11),
        b'\\' => plain(b'\\'),
        b if b == quote => plain(b),
        b'0'..=b'7' => {
            let value = digits(bytes.get(1..4)?, 8)?;
            Some((Escaped::Byte(u8::try_from(value).ok()?), 4))
        }
        b'x' => {
            let value = digits(bytes.get(2..4)?, 16)?;
            Some((Escaped::Byte(u8::try_from(value).ok()?), 4))
        }
        b'u' => {
            let value = digits(bytes.get(2..6)?, 16)?;
            Some((Escaped::Char(char::from_u32(value)?), 6))
        }
        b'U' => {
            let value = digits(bytes.get(2..10)?, 16)?;
            Some((Escaped::Char(char::from_u32(value)?), 10))
        }
        _ => None,
    }
}

fn digits(bytes: &[u8], base: u32) -> Option<u32> {
    bytes.iter().try_fold(0_u32, |value, b| {
        let digit = char::from(*b).to_digit(base)?;
        value.checked_mul(base)?.checked_add(digit)
    })
}

/// The bytes that a string token stands for. Escapes may give bytes that are not UTF-8.
#[must_use]
pub fn unquote(token: &str) -> Cow<'_, [u8]> {
    let bytes = token.as_bytes();
    let quote = bytes.first().copied().unwrap_or_default();
    let inner = bytes
        .get(1..bytes.len().saturating_sub(1))
        .unwrap_or_default();
    if quote == b'`' || !inner.contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    let mut text = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(first) = rest.first() {
        let len = match decode(rest, quote).filter(|_| *first == b'\\') {
            Some((Escaped::Byte(b), len)) => {
                text.push(b);
                len
            }
            Some((Escaped::Char(c), len)) => {
                text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                len
            }
            None => {
                text.push(*first);
                1
            }
        };
        rest = rest.get(len..).unwrap_or_default();
    }
    Cow::Owned(text)
}
