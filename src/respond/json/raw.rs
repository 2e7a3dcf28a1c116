//! Strings of a JSON text as they stand in it.

use std::borrow::Cow;

use crate::respond::AnswerError;

/// The bytes between the quotes of a string, whose escapes have been checked.
#[derive(Clone, Copy, Debug)]
pub(in crate::respond) struct Raw<'a> {
    pub(in crate::respond) bytes: &'a [u8],
    pub(in crate::respond) escaped: bool,
}

impl<'a> Raw<'a> {
    /// Whether the string, unescaped, is `text`.
    #[inline]
    pub(in crate::respond) fn is(self, text: &str) -> bool {
        if self.escaped {
            self.text().is_ok_and(|own| own == text)
        } else {
            self.bytes == text.as_bytes()
        }
    }

    /// The unescaped string. A lone surrogate is an error: readers disagree about it.
    pub(in crate::respond) fn text(self) -> Result<Cow<'a, str>, AnswerError> {
        let whole = std::str::from_utf8(self.bytes).map_err(|_| AnswerError::Json)?;
        if !self.escaped {
            return Ok(Cow::Borrowed(whole));
        }
        let mut text = String::with_capacity(whole.len());
        let mut chars = whole.chars();
        while let Some(c) = chars.next() {
            if c == '\\' {
                text.push(unescape(&mut chars).ok_or(AnswerError::Json)?);
            } else {
                text.push(c);
            }
        }
        Ok(Cow::Owned(text))
    }
}

fn unescape(chars: &mut std::str::Chars<'_>) -> Option<char> {
    Some(match chars.next()? {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let high = hex4(chars)?;
            if (0xd800..0xdc00).contains(&high) {
                if chars.next()? != '\\' || chars.next()? != 'u' {
                    return None;
                }
                let low = hex4(chars)?.checked_sub(0xdc00).filter(|l| *l < 0x400)?;
                char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + low)?
            } else {
                char::from_u32(high)?
            }
        }
        c @ ('"' | '\\' | '/') => c,
        _ => return None,
    })
}

fn hex4(chars: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |n, _| Some(n * 16 + chars.next()?.to_digit(16)?))
}

/// Writes a JSON string.
pub(in crate::respond) fn quote(text: &str, to: &mut Vec<u8>) {
    to.push(b'"');
    for b in text.bytes() {
        match b {
            b'"' | b'\\' => to.extend([b'\\', b]),
            0..=0x1f | 0x7f => to.extend(format!("\\u{b:04x}").bytes()),
            b => to.push(b),
        }
    }
    to.push(b'"');
}
