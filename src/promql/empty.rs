//! Whether a regular expression matches the empty value.

/// Whether an anchored RE2 expression matches the empty value; `None` where that is not certain.
///
/// Only `{a=~".*"}` and its like depend on it, which Prometheus refuses: an error in either
/// direction forwards or refuses a confined query, and leaks nothing.
pub(super) fn matches_empty(regex: &[u8]) -> Option<bool> {
    // Per open group: whether an earlier alternative matched, and whether this one does so far.
    let mut groups = vec![(false, true)];
    // Whether the last item matches, which a quantifier may change.
    let mut item = None;
    let mut at = 0;
    while let Some(b) = regex.get(at).copied() {
        at += 1;
        let settle = |groups: &mut Vec<(bool, bool)>, item: &mut Option<bool>| {
            if let (Some(group), Some(matched)) = (groups.last_mut(), item.take()) {
                group.1 &= matched;
            }
        };
        match b {
            b'*' | b'?' => {
                item = item.map(|_| true);
                at += lazy(regex.get(at..)?);
            }
            b'+' => at += lazy(regex.get(at..)?),
            b'{' => match repetition(regex.get(at..)?) {
                Some((least, len)) => {
                    at += len;
                    item = item.map(|matched| matched || least == 0);
                    at += lazy(regex.get(at..)?);
                }
                None => {
                    settle(&mut groups, &mut item);
                    item = Some(false);
                }
            },
            b'|' => {
                settle(&mut groups, &mut item);
                let (earlier, this) = groups.pop()?;
                groups.push((earlier || this, true));
            }
            b'(' => {
                settle(&mut groups, &mut item);
                let (len, opens) = group_head(regex.get(at..)?)?;
                at += len;
                if opens {
                    groups.push((false, true));
                }
            }
            b')' => {
                settle(&mut groups, &mut item);
                let (earlier, this) = groups.pop()?;
                if groups.is_empty() {
                    return None;
                }
                item = Some(earlier || this);
            }
            _ => {
                settle(&mut groups, &mut item);
                let (len, matched) = atom(b, regex.get(at..)?)?;
                at += len;
                item = Some(matched);
            }
        }
    }
    let (earlier, this) = groups.pop()?;
    groups
        .is_empty()
        .then_some(earlier || (this && item.unwrap_or(true)))
}

/// The `?` after a quantifier, which changes nothing here.
fn lazy(rest: &[u8]) -> usize {
    usize::from(rest.first() == Some(&b'?'))
}

/// One atom that begins with `b`: how many bytes follow, and whether it matches nothing.
fn atom(b: u8, rest: &[u8]) -> Option<(usize, bool)> {
    Some(match b {
        b'^' | b'$' => (0, true),
        b'[' => (class(rest)?, false),
        b'\\' => match rest.first()? {
            b'A' | b'z' | b'B' => (1, true),
            b'Q' => {
                let end = rest.windows(2).position(|w| w == b"\\E");
                let literal = end.unwrap_or(rest.len()).checked_sub(1)?;
                (end.map_or(rest.len(), |e| e + 2), literal == 0)
            }
            b'p' | b'P' | b'x' if rest.get(1) == Some(&b'{') => {
                (rest.iter().position(|b| *b == b'}')? + 1, false)
            }
            b'p' | b'P' => (2, false),
            _ => (1, false),
        },
        _ => (0, false),
    })
}

/// The bytes of a class after its `[`.
fn class(rest: &[u8]) -> Option<usize> {
    let mut at = usize::from(rest.first() == Some(&b'^'));
    let first = at;
    loop {
        match rest.get(at)? {
            b']' if at > first => return Some(at + 1),
            b'\\' => at += 2,
            b'[' if rest.get(at + 1) == Some(&b':') => {
                let tail = rest.get(at + 2..)?;
                match tail.windows(2).position(|w| w == b":]") {
                    Some(end) => at += end + 4,
                    None => at += 1,
                }
            }
            _ => at += 1,
        }
    }
}

/// The least count of `{n}`, `{n,}` or `{n,m}` after its brace, and its bytes.
fn repetition(rest: &[u8]) -> Option<(usize, usize)> {
    let end = rest.iter().take(16).position(|b| *b == b'}')?;
    let inside = std::str::from_utf8(rest.get(..end)?).ok()?;
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if least.is_empty() || !digits(least) || !digits(most) {
        return None;
    }
    Some((least.parse().ok()?, end + 1))
}

/// The bytes of a group's head after `(`, and whether a group opens; `(?i)` opens none.
fn group_head(rest: &[u8]) -> Option<(usize, bool)> {
    if rest.first() != Some(&b'?') {
        return Some((0, true));
    }
    let end = rest
        .iter()
        .take(256)
        .position(|b| matches!(b, b':' | b')' | b'>'))?;
    Some((end + 1, rest.get(end) != Some(&b')')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn expressions_that_match_the_empty_value_are_known() {
        for (regex, empty) in [
            ("", true),
            (".*", true),
            (".+", false),
            ("a|", true),
            ("|a", true),
            ("a|b", false),
            ("(a|b*)", true),
            ("(?i)a?", true),
            ("(?i:a)?", true),
            ("(?P<x>a)", false),
            ("a{0,3}", true),
            ("a{1,3}", false),
            ("a{,3}", false),
            ("(a*)+", true),
            ("^$", true),
            (r"\b", false),
            (r"\Q\E", true),
            (r"\Qa*\E", false),
            ("[]a]*", true),
            ("[[:alpha:]]", false),
            ("()", true),
            (".*?", true),
        ] {
            assert_eq!(matches_empty(regex.as_bytes()), Some(empty), "{regex}");
        }
        for broken in ["(", ")", "[a", "(?", "a)b"] {
            assert_eq!(matches_empty(broken.as_bytes()), None, "{broken}");
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_an_engine_where_both_know_the_syntax(
            regex in r"([ab.]|[*+?|]|\(|\)|\[a\]|\{0,2\}|\{2\}|\^|\$){0,12}"
        ) {
            if let (Some(own), Ok(_), Ok(engine)) = (
                matches_empty(regex.as_bytes()),
                regex::Regex::new(&regex),
                regex::Regex::new(&format!("^(?s:{regex})$")),
            ) {
                prop_assert_eq!(own, engine.is_match(""), "{}", regex);
            }
        }
    }
}
