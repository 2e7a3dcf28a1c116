//! What the host knows about the connection and from earlier filters.

use std::sync::Arc;

use super::forwarded;
use super::rights::Rights;
use crate::config::auth as config;
use crate::config::error::Problems;
use crate::grant::{Grant, Source};
use crate::http::RequestHead;
use crate::tenant::TenantId;
use regex::{Regex, RegexBuilder};

/// Properties of the request's connection and stream, read only where the policy needs them.
///
/// These are asked for: `connection` with `uri_san_peer_certificate`,
/// `dns_san_peer_certificate` or `subject_peer_certificate`, each raw text; and `metadata` alone,
/// which the host hands over as the serialised message `envoy.config.core.v3.Metadata`. A deeper
/// path would give leaves in which a number and a text of eight bytes cannot be told apart.
pub trait Peer {
    /// The property's bytes, or nothing if there is none.
    fn property(&self, path: &[&str]) -> Option<Vec<u8>>;
}

/// A peer of whom nothing is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPeer;

impl Peer for NoPeer {
    fn property(&self, _: &[&str]) -> Option<Vec<u8>> {
        None
    }
}

/// Rules for client certificates, in order, and the proxies that may show those of others.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    rules: Vec<Rule>,
    hops: Vec<Regex>,
}

#[derive(Debug)]
struct Rule {
    name: Name,
    pattern: Regex,
    right: Right,
}

/// A name in a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Uri,
    Dns,
    Subject,
}

impl Name {
    fn property(self) -> &'static str {
        match self {
            Self::Uri => "uri_san_peer_certificate",
            Self::Dns => "dns_san_peer_certificate",
            Self::Subject => "subject_peer_certificate",
        }
    }

    /// What `*` may stand for.
    fn part(self) -> &'static str {
        match self {
            Self::Uri => "[^/]",
            Self::Dns => "[^.]",
            Self::Subject => "[^,+=\\\\]",
        }
    }
}

#[derive(Debug)]
enum Right {
    Captured { read: bool, write: bool },
    Fixed(Rights),
}

/// What a certificate gives.
pub(super) enum Presented {
    /// No certificate, or none with a name that a rule reads.
    Nothing,
    /// A certificate that fits no rule.
    Other,
    /// The first rule that fits.
    Grant(Arc<Grant>),
}

impl Certificates {
    /// Of the configuration.
    pub(super) fn compile(
        doc: &[config::Mtls],
        forwarded: Option<&config::ForwardedCertificate>,
        problems: &mut Problems,
    ) -> Self {
        let hops = forwarded.map_or_else(Vec::new, |f| hops(f, doc.is_empty(), problems));
        let mut rules = Vec::new();
        for (i, m) in doc.iter().enumerate() {
            let path = format!("auth.mtls[{i}]");
            let (field, name, text) = match (&m.uri_san, &m.dns_san, &m.subject) {
                (Some(t), None, None) => ("uri_san", Name::Uri, t),
                (None, Some(t), None) => ("dns_san", Name::Dns, t),
                (None, None, Some(t)) => ("subject", Name::Subject, t),
                _ => {
                    problems.add(
                        path,
                        "needs exactly one of `uri_san`, `dns_san` and `subject`",
                    );
                    continue;
                }
            };
            let Some(pattern) = problems.take(&format!("{path}.{field}"), pattern(text, name))
            else {
                continue;
            };
            let right = match (&m.grant, pattern.captures_len() == 2) {
                (None, true) if m.read || m.write => Right::Captured {
                    read: m.read,
                    write: m.write,
                },
                (Some(grant), false) if m.read && m.write => {
                    Right::Fixed(Rights::compile(grant, &format!("{path}.grant"), problems))
                }
                _ => {
                    problems.add(
                        path,
                        "needs `{tenant}` with `read` or `write`, or a `grant` without them",
                    );
                    continue;
                }
            };
            rules.push(Rule {
                name,
                pattern,
                right,
            });
        }
        Self { rules, hops }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What the caller's certificate gives: that of the connection, or the one that a trusted hop
    /// says it was shown.
    pub(super) fn find(&self, head: &RequestHead, peer: &dyn Peer) -> Presented {
        let own = |name: Name| text(peer.property(&["connection", name.property()])?);
        if self.rules.is_empty() {
            return Presented::Nothing;
        }
        let is_hop =
            |uri: Option<&str>| uri.is_some_and(|u| self.hops.iter().any(|h| h.is_match(u)));
        if self.hops.is_empty() || !is_hop(own(Name::Uri).as_deref()) {
            return self.of_names(own);
        }
        match forwarded::caller(head, is_hop) {
            Ok(Some(shown)) => match self.of_names(|name| shown.get(name).map(str::to_owned)) {
                Presented::Nothing | Presented::Other => Presented::Other,
                Presented::Grant(grant) => Presented::Grant(grant),
            },
            // A hop is no caller: whoever stands behind it has shown nothing.
            Ok(None) => Presented::Nothing,
            Err(forwarded::Unreadable) => Presented::Other,
        }
    }

    fn of_names(&self, name_of: impl Fn(Name) -> Option<String>) -> Presented {
        let mut any = false;
        for rule in &self.rules {
            let name = name_of(rule.name);
            any |= name.is_some();
            let Some(name) = name.filter(|n| n.len() <= 2048 && !n.contains('\0')) else {
                continue;
            };
            let Some(found) = rule.pattern.captures(&name) else {
                continue;
            };
            let rights = match &rule.right {
                Right::Fixed(rights) => rights.clone(),
                Right::Captured { read, write } => {
                    let tenant = found.get(1).and_then(|m| TenantId::parse(m.as_str()).ok());
                    match tenant {
                        Some(tenant) => Rights::of_tenant(tenant, *read, *write),
                        None => continue,
                    }
                }
            };
            return Presented::Grant(Arc::new(rights.grant(&name, Source::Certificate)));
        }
        if any {
            Presented::Other
        } else {
            Presented::Nothing
        }
    }
}

/// A name's text. One that is no text is there, and fits nothing.
fn text(name: Vec<u8>) -> Option<String> {
    (!name.is_empty()).then(|| String::from_utf8(name).unwrap_or_else(|_| "\0".to_owned()))
}

fn hops(doc: &config::ForwardedCertificate, no_rules: bool, problems: &mut Problems) -> Vec<Regex> {
    const PATH: &str = "auth.forwarded_certificate";
    if doc.hops.is_empty() {
        problems.add(format!("{PATH}.hops"), "no proxy is named");
    }
    if no_rules {
        problems.add(PATH, "needs rules under `auth.mtls`");
    }
    let mut hops = Vec::new();
    for (i, hop) in doc.hops.iter().enumerate() {
        let path = format!("{PATH}.hops[{i}]");
        if let Some(regex) = problems.take(&path, pattern(hop, Name::Uri)) {
            if regex.captures_len() > 1 {
                problems.add(path, "a hop is no tenant: `{tenant}` has no meaning here");
            }
            hops.push(regex);
        }
    }
    hops
}

/// A pattern as a regular expression for whole names.
fn pattern(text: &str, name: Name) -> Result<Regex, &'static str> {
    if text.is_empty() || text.len() > 512 || text.chars().any(char::is_control) {
        return Err("is empty, longer than 512 bytes, or has control characters");
    }
    if text.matches("{tenant}").count() > 1 {
        return Err("has `{tenant}` twice");
    }
    let mut regex = String::from("^");
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("{tenant}") {
            // A tenant's characters, as far as one part of the name goes.
            regex.push_str(match name {
                Name::Dns => "([A-Za-z0-9_-]+)",
                Name::Uri | Name::Subject => "([A-Za-z0-9_.-]+)",
            });
            rest = after;
            continue;
        }
        if c == '*' {
            regex.push_str(name.part());
            regex.push('*');
        } else if c == '{' || c == '}' {
            return Err("the only placeholder is `{tenant}`");
        } else {
            crate::scope::quote_meta(c.encode_utf8(&mut [0; 4]), &mut regex);
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    regex.push('$');
    RegexBuilder::new(&regex)
        .size_limit(256 << 10)
        .build()
        .map_err(|_| "is too long")
}
