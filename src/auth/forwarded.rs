//! `X-Forwarded-Client-Cert` as Envoy writes it: whose certificate a proxy in front was shown.

use super::peer::Name;
use crate::http::RequestHead;

const HEADER: &str = "x-forwarded-client-cert";
/// The longest header, in bytes.
const MAX_SIZE: usize = 16 << 10;
/// The most elements: one for each proxy on the way.
const MAX_ELEMENTS: usize = 16;

/// A header that is there and cannot be read in just one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// The names of one certificate, the first of each kind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shown<'a> {
    uri: Option<&'a str>,
    dns: Option<&'a str>,
    subject: Option<&'a str>,
}

impl<'a> Shown<'a> {
    pub(super) fn get(&self, name: Name) -> Option<&'a str> {
        match name {
            Name::Uri => self.uri,
            Name::Dns => self.dns,
            Name::Subject => self.subject,
        }
    }
}

/// The last element that is no hop: whoever has shown the proxies a certificate, if anybody has.
pub(super) fn caller(
    head: &RequestHead,
    is_hop: impl Fn(Option<&str>) -> bool,
) -> Result<Option<Shown<'_>>, Unreadable> {
    let Some(value) = head.headers.one(HEADER).map_err(|_| Unreadable)? else {
        return Ok(None);
    };
    if value.len() > MAX_SIZE {
        return Err(Unreadable);
    }
    let text = std::str::from_utf8(value).map_err(|_| Unreadable)?;
    let elements = parse(text)?;
    Ok(elements.into_iter().rev().find(|e| !is_hop(e.uri)))
}

/// Elements are joined by commas, their pairs by semicolons; a value may stand between quotes.
fn parse(text: &str) -> Result<Vec<Shown<'_>>, Unreadable> {
    let mut elements = vec![Shown::default()];
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once('=').ok_or(Unreadable)?;
        let (value, after) = value(after)?;
        let element = elements.last_mut().ok_or(Unreadable)?;
        let name = name.trim_start_matches(' ');
        let slot = match name.to_ascii_lowercase().as_str() {
            "uri" => Some(&mut element.uri),
            "dns" => Some(&mut element.dns),
            "subject" => Some(&mut element.subject),
            "by" | "hash" | "cert" | "chain" => None,
            _ => return Err(Unreadable),
        };
        if let Some(slot) = slot {
            slot.get_or_insert(value);
        }
        match after.split_at_checked(1) {
            None => break,
            Some((";", more)) => rest = more,
            Some((",", more)) if elements.len() < MAX_ELEMENTS => {
                elements.push(Shown::default());
                rest = more;
            }
            Some(_) => return Err(Unreadable),
        }
    }
    Ok(elements)
}

/// A value, and what stands after it.
fn value(text: &str) -> Result<(&str, &str), Unreadable> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',']).unwrap_or(text.len());
        let (value, after) = text.split_at(end);
        let plain = !value.contains(['"', '\\']) && value.trim() == value;
        return plain.then_some((value, after)).ok_or(Unreadable);
    };
    let (value, after) = quoted.split_once('"').ok_or(Unreadable)?;
    // A quote after a backslash may end the value or be part of it: writers do not agree.
    if value.ends_with('\\') {
        return Err(Unreadable);
    }
    Ok((value, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Headers;
    use proptest::prelude::*;

    fn names(text: &str) -> Option<Vec<[Option<String>; 3]>> {
        let own = |s: Option<&str>| s.map(str::to_owned);
        let all = parse(text).ok()?;
        Some(
            all.iter()
                .map(|e| [own(e.uri), own(e.dns), own(e.subject)])
                .collect(),
        )
    }

    fn found(text: &str) -> Result<Option<String>, Unreadable> {
        let head = RequestHead {
            headers: Headers::new(vec![(HEADER.to_owned(), text.as_bytes().to_vec())]),
        };
        let hop = |uri: Option<&str>| uri.is_some_and(|u| u.starts_with("spiffe://hop/"));
        caller(&head, hop).map(|c| c.and_then(|c| c.uri.map(str::to_owned)))
    }

    #[test]
    fn elements_and_values_are_read_as_envoy_writes_them() {
        let text = "By=spiffe://a/gw;Hash=ab01;Subject=\"CN=x,O=a;b\\, c\";URI=spiffe://a/1;URI=spiffe://a/2;DNS=x.example";
        let one = names(text).unwrap();
        assert_eq!(
            one,
            [[
                Some("spiffe://a/1".to_owned()),
                Some("x.example".to_owned()),
                Some("CN=x,O=a;b\\, c".to_owned())
            ]]
        );
        let two = names("Subject=\"\";URI=,By=x;URI=spiffe://b").unwrap();
        assert_eq!((two.len(), two[1][0].as_deref()), (2, Some("spiffe://b")));
        for bad in [
            "",
            "URI",
            "URI=a;",
            "URI=a,",
            "URI=\"a",
            "URI=\"a\"b",
            "Subject=\"CN=a\\\"\"",
            "Subject=\"CN=a\\\\\"",
            "X=1;URI=a",
            "URI=a b\"",
            "URI= a",
            "URI=a\\",
        ] {
            assert_eq!(names(bad), None, "{bad}");
        }
        assert!(
            names(&"URI=a,".repeat(16)).is_none()
                && names(&format!("{}URI=a", "URI=a,".repeat(16))).is_none()
        );
    }

    #[test]
    fn the_caller_is_the_last_element_that_is_no_hop() {
        for (text, caller) in [
            ("URI=spiffe://a", "spiffe://a"),
            ("URI=spiffe://forged,URI=spiffe://a", "spiffe://a"),
            (
                "URI=spiffe://forged,URI=spiffe://a,URI=spiffe://hop/1",
                "spiffe://a",
            ),
            (
                "URI=spiffe://a,URI=spiffe://hop/2,URI=spiffe://hop/1",
                "spiffe://a",
            ),
        ] {
            assert_eq!(found(text), Ok(Some(caller.to_owned())), "{text}");
        }
        assert_eq!(found("URI=spiffe://a,DNS=hop"), Ok(None));
        assert_eq!(found("URI=spiffe://hop/1"), Ok(None));
        assert_eq!(found("junk"), Err(Unreadable));
        assert_eq!(caller(&RequestHead::default(), |_| false), Ok(None));
    }

    proptest! {
        #[test]
        fn what_stands_before_the_last_comma_changes_no_later_element(before in "[A-Za-z=;,\"\\\\ ]{0,40}") {
            if let Ok(all) = parse(&format!("{before},URI=spiffe://a")) {
                // Unless it opened a quote that never ends, which is refused.
                prop_assert_eq!(all.last().and_then(|e| e.uri), Some("spiffe://a"));
            }
        }
    }
}
