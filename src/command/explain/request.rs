//! The request of the command line, as the host would hand it over.

use super::super::output::{Failure, read, read_text};
use super::Args;
use crate::config::Document;
use crate::http::{Headers, RequestHead};

/// A request.
pub(super) struct Request {
    pub(super) head: RequestHead,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn new(args: &Args, document: &Document) -> Result<Self, Failure> {
        let mut own = Vec::new();
        let mut host = None;
        for header in &args.header {
            let (name, value) = header
                .split_once(':')
                .filter(|(name, _)| !name.is_empty())
                .ok_or_else(|| Failure::new("`--header` is `NAME: VALUE`"))?;
            let (name, value) = (
                name.trim().to_ascii_lowercase(),
                value.trim().as_bytes().to_vec(),
            );
            if name == "host" {
                host = Some(value);
            } else {
                own.push((name, value));
            }
        }
        let (authority, scheme, target) = split(&args.url)?;
        let authority = host
            .or(authority.map(|a| a.as_bytes().to_vec()))
            .unwrap_or_else(|| first_host(document).into_bytes());
        let mut fields = vec![
            (":method".to_owned(), args.method.as_bytes().to_vec()),
            (":scheme".to_owned(), scheme.as_bytes().to_vec()),
            (":authority".to_owned(), authority),
            (":path".to_owned(), target.as_bytes().to_vec()),
        ];
        if let Some(token) = &args.token {
            let token = match token.strip_prefix('@') {
                Some(file) => read_text(file)?.trim().to_owned(),
                None => token.clone(),
            };
            fields.push((
                "authorization".to_owned(),
                format!("Bearer {token}").into_bytes(),
            ));
        }
        let body = match args.data.as_deref().map(|d| (d, d.strip_prefix('@'))) {
            None => Vec::new(),
            Some((_, Some(file))) => read(file)?,
            Some((text, None)) => text.as_bytes().to_vec(),
        };
        if args.data.is_some() {
            if !own.iter().any(|(name, _)| name == "content-type") {
                fields.push((
                    "content-type".to_owned(),
                    b"application/x-www-form-urlencoded".to_vec(),
                ));
            }
            fields.push((
                "content-length".to_owned(),
                body.len().to_string().into_bytes(),
            ));
        }
        fields.extend(own);
        Ok(Self {
            head: RequestHead {
                headers: Headers::new(fields),
            },
            body,
        })
    }
}

/// Authority, scheme and target of a URL. The target stays as it is, byte for byte.
fn split(url: &str) -> Result<(Option<&str>, &str, &str), Failure> {
    if url.starts_with('/') {
        return Ok((None, "http", url));
    }
    let (scheme, rest) = url
        .split_once("://")
        .filter(|(scheme, _)| matches!(*scheme, "http" | "https"))
        .ok_or_else(|| Failure::new("the URL must begin with `http://`, `https://` or `/`"))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    // A fragment is never sent.
    let target = target.split('#').next().unwrap_or_default();
    if target.starts_with('?') {
        return Err(Failure::new("the URL needs a path before its `?`"));
    }
    Ok((
        Some(authority),
        scheme,
        if target.is_empty() { "/" } else { target },
    ))
}

fn first_host(document: &Document) -> String {
    let mut hosts = document.upstreams.iter().flat_map(|u| &u.parts().1.hosts);
    hosts
        .find(|h| *h != "*")
        .cloned()
        .unwrap_or_else(|| "localhost".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_stays_as_it_was_written() {
        assert_eq!(
            split("https://h:1/a%2f/../b?x=%zz#f").unwrap(),
            (Some("h:1"), "https", "/a%2f/../b?x=%zz")
        );
        assert_eq!(split("/a?b").unwrap(), (None, "http", "/a?b"));
        assert_eq!(split("http://h").unwrap(), (Some("h"), "http", "/"));
        assert!(split("ftp://h/").is_err());
        assert!(split("http://h?x").is_err());
    }
}
