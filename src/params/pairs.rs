//! `application/x-www-form-urlencoded`, read in the one way that every server agrees with.

use super::error::ParamError;

/// A decoded pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) value: String,
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
pub(super) fn parse(
    text: &[u8],
    place: Place,
    mut left: usize,
    to: &mut Vec<Pair>,
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

fn decode(text: &[u8], place: Place) -> Result<String, ParamError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        let plain = rest
            .iter()
            .position(|b| matches!(*b, b'+' | b'%' | b';' | b'#'))
            .unwrap_or(rest.len());
        let (run, special) = rest.split_at_checked(plain).unwrap_or((rest, &[]));
        bytes.extend_from_slice(run);
        rest = match special {
            [] => break,
            [b'+', tail @ ..] => {
                bytes.push(b' ');
                tail
            }
            [b'%', tail @ ..] => {
                let (byte, tail) = escaped(tail)
                    .ok_or(ParamError::Syntax("a `%` without two hexadecimal digits"))?;
                bytes.push(byte);
                tail
            }
            // Servers drop such a pair, and take a later one in its place.
            [b';', ..] => return Err(ParamError::Syntax("a `;`: write `%3B`")),
            [b'#', ..] if place == Place::Url => {
                return Err(ParamError::Syntax("a `#` in the URL: write `%23`"));
            }
            [other, tail @ ..] => {
                bytes.push(*other);
                tail
            }
        };
    }
    let text =
        String::from_utf8(bytes).map_err(|_| ParamError::Syntax("bytes that are not UTF-8"))?;
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
    let mut from = 0;
    for (at, b) in text.bytes().enumerate() {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~') {
            continue;
        }
        // A run of unreserved characters begins and ends between characters.
        to.push_str(text.get(from..at).unwrap_or_default());
        from = at + 1;
        to.push('%');
        for digit in [b >> 4, b & 15] {
            to.push(char::from(if digit < 10 {
                b'0' + digit
            } else {
                b'A' + digit - 10
            }));
        }
    }
    to.push_str(text.get(from..).unwrap_or_default());
}

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
            decode(written.as_bytes(), Place::Url).as_ref(),
            Ok(&readable)
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
