//! `application/x-www-form-urlencoded`, read in the one way that every server agrees with.

use std::borrow::Cow;

use super::error::ParamError;
use crate::http::Bytes;

/// A decoded pair; what has no escapes is a part of the text that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: Cow<'a, str>,
    pub(super) place: Place,
}

/// Where a pair stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Url,
    Form,
}

/// Adds the pairs of `text` to `to`, and returns how many more may follow.
///
/// Nothing between two `&` is skipped as servers skip it, but counts: they count it too, and drop
/// *all* parameters over their own limit.
pub(super) fn parse<'a>(
    text: &'a [u8],
    place: Place,
    mut left: usize,
    to: &mut Vec<Pair<'a>>,
) -> Result<usize, ParamError> {
    if text.is_empty() {
        return Ok(left);
    }
    for pair in text.split(|b| *b == b'&') {
        left = left.checked_sub(1).ok_or(ParamError::TooMany)?;
        if pair.is_empty() {
            continue;
        }
        let mut halves = pair.splitn(2, |b| *b == b'=');
        let name = decode(halves.next().unwrap_or_default(), place)?;
        let value = decode(halves.next().unwrap_or_default(), place)?;
        if name.is_empty() {
            return Err(ParamError::Syntax("a value without a name"));
        }
        to.push(Pair { name, value, place });
    }
    Ok(left)
}

fn decode(text: &[u8], place: Place) -> Result<Cow<'_, str>, ParamError> {
    // Most names and numbers are what they look like.
    if text.iter().all(|b| UNRESERVED.has(*b)) {
        return match std::str::from_utf8(text) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(_) => Err(NOT_UTF8),
        };
    }
    unescape(text, place).map(Cow::Owned)
}

fn unescape(text: &[u8], place: Place) -> Result<String, ParamError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match *byte {
            b'+' => b' ',
            b'%' => {
                let (byte, tail) = escaped(rest.as_slice())
                    .ok_or(ParamError::Syntax("a `%` without two hexadecimal digits"))?;
                rest = tail.iter();
                byte
            }
            // Servers drop such a pair, and take a later one in its place.
            b';' => return Err(ParamError::Syntax("a `;`: write `%3B`")),
            b'#' if place == Place::Url => {
                return Err(ParamError::Syntax("a `#` in the URL: write `%23`"));
            }
            other => other,
        });
    }
    let text = String::from_utf8(bytes).map_err(|_| NOT_UTF8)?;
    // Most texts are plain, and their bytes say so.
    let plain = text
        .bytes()
        .all(|b| (b' '..0x7f).contains(&b) || matches!(b, b'\t' | b'\n' | b'\r'));
    // U+FFFD stands for what somebody else could not read.
    if !plain
        && text
            .chars()
            .any(|c| c == '\u{fffd}' || (c.is_control() && !matches!(c, '\t' | '\n' | '\r')))
    {
        return Err(ParamError::Syntax("a control or replacement character"));
    }
    Ok(text)
}

const NOT_UTF8: ParamError = ParamError::Syntax("bytes that are not UTF-8");

/// The byte of two hexadecimal digits, and what follows them.
fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let ([high, low], tail) = text.split_first_chunk::<2>()?;
    Some((hex(*high)? << 4 | hex(*low)?, tail))
}

fn hex(b: u8) -> Option<u8> {
    match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    }
}

/// Appends a pair, with everything but RFC 3986's unreserved characters escaped.
pub fn append(name: &str, value: &str, to: &mut String) {
    if !to.is_empty() {
        to.push('&');
    }
    escape(name, to);
    to.push('=');
    escape(value, to);
}

fn escape(text: &str, to: &mut String) {
    to.reserve(text.len());
    let mut rest = text;
    loop {
        // A run of unreserved characters begins and ends between characters.
        let run = rest.bytes().take_while(|b| UNRESERVED.has(*b)).count();
        let Some((plain, more)) = rest.split_at_checked(run) else {
            return;
        };
        to.push_str(plain);
        let Some(c) = more.chars().next() else {
            return;
        };
        let mut buffer = [0; 4];
        for byte in c.encode_utf8(&mut buffer).bytes() {
            to.push('%');
            to.push(digit(byte >> 4));
            to.push(digit(byte & 15));
        }
        rest = more.get(c.len_utf8()..).unwrap_or_default();
    }
}

fn digit(half: u8) -> char {
    char::from(if half < 10 {
        b'0' + half
    } else {
        b'A' + half - 10
    })
}

/// RFC 3986's unreserved characters.
static UNRESERVED: Bytes =
    Bytes::of(b"-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_is_escaped_and_read_back_as_it_was() {
        let mut all: String = (0u8..128).map(char::from).collect();
        all.push_str("äö€\u{fffe}\u{10ffff}a€b€€c");
        let mut written = String::new();
        escape(&all, &mut written);
        for (at, b) in all.bytes().enumerate() {
            let plain = b.is_ascii_alphanumeric() || b"-._~".contains(&b);
            let one = if plain {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            };
            assert!(written.contains(&one), "{at}");
        }
        let readable: String = all.chars().filter(|c| !c.is_control()).collect();
        let mut written = String::new();
        escape(&readable, &mut written);
        assert_eq!(
            decode(written.as_bytes(), Place::Url).as_deref(),
            Ok(readable.as_str())
        );
        assert!(
            written
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b))
        );
    }

    #[test]
    fn an_escape_needs_two_digits_of_either_case() {
        assert_eq!(decode(b"%4a%4A+%2b", Place::Url).as_deref(), Ok("JJ +"));
        for bad in [&b"%"[..], b"%4", b"%4g", b"%g4", b"a%%41"] {
            assert!(decode(bad, Place::Url).is_err(), "{bad:?}");
        }
        assert_eq!(decode(b"a#b", Place::Form).as_deref(), Ok("a#b"));
        assert!(decode(b"a#b", Place::Url).is_err());
        assert!(
            decode(b"%C2%85", Place::Url).is_err(),
            "a control character"
        );
        assert!(
            decode(b"%EF%BF%BD", Place::Url).is_err(),
            "a replacement character"
        );
    }
}
