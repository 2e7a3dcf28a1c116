//! Numbers and durations.

use super::super::refusal::Fault;
use super::{Kind, Lexer, is_name_byte};

impl Lexer<'_> {
    /// Reads a number or a duration; its first byte has been seen.
    pub(super) fn number_or_duration(&mut self) -> Result<Kind, Fault> {
        let start = self.pos;
        if self.scan_number() {
            // Old releases end a hexadecimal number before `e+`: what is no number for Go is
            // refused, so that nothing can be a selector for one release and a digit for another.
            return match number_value(self.span(start)) {
                Some(_) => Ok(Kind::Number),
                None => Err(self.bad(start, "number")),
            };
        }
        if self.scan_duration() && duration_secs(self.span(start)).is_some() {
            return Ok(Kind::Duration);
        }
        Err(self.bad(start, "number or duration"))
    }

    fn bad(&self, start: usize, what: &str) -> Fault {
        let text: String = self.span(start).chars().take(32).collect();
        Fault::syntax(start, format!("bad {what} syntax: `{text}`"))
    }

    /// Follows Prometheus' scanner step by step, since where it stops decides what comes next.
    fn scan_number(&mut self) -> bool {
        let start = self.pos;
        let hex = self.accept(|b| b == b'0') && self.accept(|b| matches!(b, b'x' | b'X'));
        if hex {
            self.accept(|b| b == b'_');
        }
        let digit = |b: u8| b.is_ascii_digit() || (hex && b.is_ascii_hexdigit());
        let exponent = |b: u8| matches!(b, b'e' | b'E');
        let (mut dots, mut exponents) = (false, false);
        self.accept(|b| b == b'.');
        self.accept(digit);
        while let Some(b) = self.peek() {
            if b == b'.' {
                self.pos += 1;
                if dots || hex || self.accept(|b| matches!(b, b'_' | b'.')) {
                    return false;
                }
                dots = true;
            } else if exponent(b) {
                self.pos += 1;
                if exponents {
                    return false;
                }
                exponents = true;
                self.accept(|b| matches!(b, b'+' | b'-'));
                if self
                    .peek()
                    .is_none_or(|b| matches!(b, b'.' | b'_') || exponent(b))
                {
                    return false;
                }
            } else if b == b'_' {
                self.pos += 1;
                if self
                    .peek()
                    .is_none_or(|b| matches!(b, b'.' | b'_') || exponent(b))
                {
                    return false;
                }
            } else if digit(b) {
                self.accept_run(digit);
            } else {
                break;
            }
        }
        self.pos > start && !self.peek().is_some_and(is_name_byte)
    }

    /// Goes on where [`Self::scan_number`] stopped.
    fn scan_duration(&mut self) -> bool {
        if !self.accept(|b| b"smhdwy".contains(&b)) {
            return false;
        }
        self.accept(|b| b == b's');
        while self.accept(|b| b.is_ascii_digit()) {
            self.accept_run(|b| b.is_ascii_digit());
            if !self.accept(|b| b"smhdw".contains(&b)) {
                return false;
            }
            self.accept(|b| b == b's');
        }
        !self.peek().is_some_and(is_name_byte)
    }
}

/// The value of a number as Go reads it, or `None` for what Go refuses.
#[must_use]
pub fn number_value(text: &str) -> Option<f64> {
    if text.eq_ignore_ascii_case("inf") {
        return Some(f64::INFINITY);
    }
    if text.eq_ignore_ascii_case("nan") {
        return Some(f64::NAN);
    }
    let digits: std::borrow::Cow<'_, str> = if text.contains('_') {
        text.replace('_', "").into()
    } else {
        text.into()
    };
    if let Some(hex) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        // `from_str_radix` takes a sign, and Go does not.
        let plain = hex.bytes().all(|b| b.is_ascii_hexdigit());
        return i64::from_str_radix(hex, 16)
            .ok()
            .filter(|_| plain)
            .map(whole);
    }
    let octal = digits.len() > 1 && digits.starts_with('0');
    if octal && let Ok(n) = i64::from_str_radix(&digits, 8) {
        return Some(whole(n));
    }
    let value: f64 = digits.parse().ok()?;
    // Go reports a number beyond the range as an error.
    value.is_finite().then_some(value)
}

fn whole(n: i64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "Go converts in the same way, to the nearest"
    )]
    {
        n as f64
    }
}

/// The seconds of a duration such as `1h30m`, or `None` for what Prometheus refuses.
#[must_use]
pub fn duration_secs(text: &str) -> Option<f64> {
    let mut rest = text;
    let (mut total, mut last) = (0_u64, 0);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(end)?;
        let end = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(end)?;
        let (order, millis) = match unit {
            "y" => (1, 365 * 86_400_000),
            "w" => (2, 7 * 86_400_000),
            "d" => (3, 86_400_000),
            "h" => (4, 3_600_000),
            "m" => (5, 60_000),
            "s" => (6, 1000),
            "ms" => (7, 1),
            _ => return None,
        };
        if order <= last {
            return None;
        }
        last = order;
        let part = number.parse::<u64>().ok()?.checked_mul(millis)?;
        total = total.checked_add(part)?;
        rest = tail;
    }
    // Go counts nanoseconds in 63 bits.
    (total <= (1 << 63) / 1_000_000).then(|| {
        #[expect(clippy::cast_precision_loss, reason = "below 2^44")]
        let millis = total as f64;
        millis / 1000.0
    })
}
