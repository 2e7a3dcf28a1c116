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
    let mut rest = text.iter();
    while let Some(b) = rest.next() {
        bytes.push(match *b {
            b'+' => b' ',
            b'%' => {
                let digits = rest.next().zip(rest.next());
                digits
                    .and_then(|(high, low)| Some(hex(*high)? << 4 | hex(*low)?))
                    .ok_or(ParamError::Syntax("a `%` without two hexadecimal digits"))?
            }
            // Servers drop such a pair, and take a later one in its place.
            b';' => return Err(ParamError::Syntax("a `;`: write `%3B`")),
            b'#' if place == Place::Url => {
                return Err(ParamError::Syntax("a `#` in the URL: write `%23`"));
            }
            b => b,
        });
    }
    let text =
        String::from_utf8(bytes).map_err(|_| ParamError::Syntax("bytes that are not UTF-8"))?;
    // U+FFFD stands for what somebody else could not read.
    if text
        .chars()
        .any(|c| c == '\u{fffd}' || (c.is_control() && !matches!(c, '\t' | '\n' | '\r')))
    {
        return Err(ParamError::Syntax("a control or replacement character"));
    }
    Ok(text)
}

fn hex(b: u8) -> Option<u8> {
    char::from(b)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
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
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            to.push(char::from(b));
        } else {
            to.push('%');
            for digit in [b >> 4, b & 15] {
                let digit = char::from_digit(u32::from(digit), 16).unwrap_or('0');
                to.push(digit.to_ascii_uppercase());
            }
        }
    }
}
