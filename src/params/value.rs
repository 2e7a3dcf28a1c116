//! Forms of values. Only what every supported server reads alike is accepted.

/// A time as seconds since 1970: a decimal number, or RFC 3339.
pub(super) fn time(text: &str) -> Option<f64> {
    // What clients of Prometheus send for "ever": its own bounds, too large for RFC 3339.
    match text {
        "-292273086-05-16T16:47:06Z" => return Some(-9.223_309_901_257_974e15),
        "292277025-08-18T07:12:54.999999999Z" => return Some(9.223_309_901_257_974e15),
        _ => {}
    }
    number(text)
        .or_else(|| rfc3339(text))
        .filter(|t| t.abs() <= 1e16)
}

/// A duration in seconds: a decimal number, or Prometheus' own form (`1h30m`).
pub(super) fn duration(text: &str) -> Option<f64> {
    number(text)
        .or_else(|| prometheus_duration(text))
        .filter(|d| d.abs() < 9.2e9)
}

/// A count.
pub(super) fn count(text: &str) -> bool {
    (1..=18).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// A truth value, as Go's `strconv.ParseBool` reads it.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A short word.
pub(super) fn word(text: &str) -> bool {
    text.len() <= 64
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}

/// `[+-]digits[.digits][e[+-]digits]`, finite. Not `inf`, `nan`, hexadecimal or with underscores.
fn number(text: &str) -> Option<f64> {
    let fits = text.len() <= 40
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    text.parse::<f64>().ok().filter(|n| fits && n.is_finite())
}

fn prometheus_duration(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 7] = [
        ("y", 31_536_000.0),
        ("w", 604_800.0),
        ("d", 86_400.0),
        ("h", 3_600.0),
        ("m", 60.0),
        ("s", 1.0),
        ("ms", 0.001),
    ];
    if text.is_empty() || text.len() > 64 {
        return None;
    }
    let mut units = UNITS.iter();
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let (digits, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let end = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        // Units may only get smaller, so each is looked for after the last one found.
        let (_, size) = units.find(|(name, _)| *name == unit)?;
        let n: u32 = digits.parse().ok()?;
        seconds += f64::from(n) * size;
        rest = next;
    }
    Some(seconds)
}

fn rfc3339(text: &str) -> Option<f64> {
    let (date, clock) = text.split_once('T')?;
    let (year, month, day) = fields(date, '-', 4)?;
    let (clock, offset) = match clock.strip_suffix('Z') {
        Some(clock) => (clock, 0.0),
        None => {
            let (clock, offset) = clock.split_at_checked(clock.rfind(['+', '-'])?)?;
            let sign = if offset.starts_with('-') { -1.0 } else { 1.0 };
            let (hours, minutes) = offset.get(1..)?.split_once(':')?;
            let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            (clock, sign * f64::from(hours * 3600 + minutes * 60))
        }
    };
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) if (1..=9).contains(&fraction.len()) => {
            digits(fraction, fraction.len())?;
            (clock, format!("0.{fraction}").parse::<f64>().ok()?)
        }
        Some(_) => return None,
        None => (clock, 0.0),
    };
    let (hour, minute, second) = fields(clock, ':', 2)?;
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days_of_month = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if day == 0 || day > days_of_month || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = f64::from(hour * 3600 + minute * 60 + second);
    Some(days(year, month, day) * 86_400.0 + seconds - offset + fraction)
}

/// Days from 1970-01-01, counted in years that begin in March.
fn days(year: u32, month: u32, day: u32) -> f64 {
    let (y, m) = if month > 2 {
        (i64::from(year), i64::from(month) - 3)
    } else {
        (i64::from(year) - 1, i64::from(month) + 9)
    };
    let days = 365 * y + y.div_euclid(4) - y.div_euclid(100)
        + y.div_euclid(400)
        + (153 * m + 2) / 5
        + i64::from(day)
        - 1
        - 719_468;
    i32::try_from(days).map_or(f64::MAX, f64::from)
}

/// Three numbers with `separator` between: the first `width` digits long, the others two.
fn fields(text: &str, separator: char, width: usize) -> Option<(u32, u32, u32)> {
    let mut parts = text.split(separator);
    let all = (
        digits(parts.next()?, width)?,
        digits(parts.next()?, 2)?,
        digits(parts.next()?, 2)?,
    );
    parts.next().is_none().then_some(all)
}

fn digits(text: &str, width: usize) -> Option<u32> {
    (text.len() == width && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_that_clients_send() {
        for (text, seconds) in [
            ("0", 0.0),
            ("1700000000.123", 1_700_000_000.123),
            ("-1e3", -1000.0),
            ("1970-01-01T00:00:00Z", 0.0),
            ("2000-02-29T12:00:00.5+01:00", 951_822_000.5),
            ("1969-12-31T23:59:59Z", -1.0),
            ("2026-11-25T02:11:09Z", 1_795_572_669.0),
        ] {
            assert_eq!(time(text), Some(seconds), "{text}");
        }
        for bad in [
            "",
            "now",
            "inf",
            "NaN",
            "0x10",
            "1_000",
            " 1",
            "1e999",
            "2026-11-25",
            "2026-02-30T00:00:00Z",
            "2026-11-25t00:00:00z",
            "2026-11-25T24:00:00Z",
            "2026-11-25T00:00:00",
            "2026-11-25T00:00:00.Z",
            "2026-11-25T00:00:00+1:00",
            "+026-11-25T00:00:00Z",
            "2026-11-25T00:00:00\u{2212}01:00",
        ] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations_are_numbers_or_prometheus_own() {
        for (text, seconds) in [
            ("15", 15.0),
            ("0.5", 0.5),
            ("5m", 300.0),
            ("1m0s", 60.0),
            ("1d12h", 129_600.0),
            ("250ms", 0.25),
        ] {
            assert_eq!(duration(text), Some(seconds), "{text}");
        }
        for bad in [
            "",
            "m",
            "5x",
            "1s1m",
            "1m1m",
            "1.5s",
            "5 m",
            "inf",
            "1e10",
            "99999999999s",
        ] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
