//! What the host knows about the connection and from earlier filters.

use std::sync::Arc;

use super::rights::Rights;
use crate::config::auth as config;
use crate::config::error::Problems;
use crate::grant::{Grant, Source};
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

/// Rules for client certificates, in order.
#[derive(Debug, Default)]
pub(super) struct Certificates(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    property: &'static str,
    pattern: Regex,
    right: Right,
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
    pub(super) fn compile(doc: &[config::Mtls], problems: &mut Problems) -> Self {
        let mut rules = Vec::new();
        for (i, m) in doc.iter().enumerate() {
            let path = format!("auth.mtls[{i}]");
            let (field, property, part, text) = match (&m.uri_san, &m.dns_san, &m.subject) {
                (Some(t), None, None) => ("uri_san", "uri_san_peer_certificate", "[^/]", t),
                (None, Some(t), None) => ("dns_san", "dns_san_peer_certificate", "[^.]", t),
                (None, None, Some(t)) => ("subject", "subject_peer_certificate", "[^,+=\\\\]", t),
                _ => {
                    problems.add(
                        path,
                        "needs exactly one of `uri_san`, `dns_san` and `subject`",
                    );
                    continue;
                }
            };
            let Some(pattern) = problems.take(&format!("{path}.{field}"), pattern(text, part))
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
                property,
                pattern,
                right,
            });
        }
        Self(rules)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the certificate of the connection gives.
    pub(super) fn find(&self, peer: &dyn Peer) -> Presented {
        let mut any = false;
        for rule in &self.0 {
            let name = peer.property(&["connection", rule.property]);
            let name = name.filter(|n| !n.is_empty());
            any |= name.is_some();
            let Some(name) = name
                .filter(|n| n.len() <= 2048)
                .and_then(|n| String::from_utf8(n).ok())
            else {
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

/// A pattern as a regular expression for whole names. `part` is what `*` may stand for.
fn pattern(text: &str, part: &str) -> Result<Regex, &'static str> {
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
            regex.push_str(if part == "[^.]" {
                "([A-Za-z0-9_-]+)"
            } else {
                "([A-Za-z0-9_.-]+)"
            });
            rest = after;
            continue;
        }
        if c == '*' {
            regex.push_str(part);
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
