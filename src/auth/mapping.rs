//! From verified claims to a grant.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::claims::{self, Claims};
use super::error::Reason;
use super::labels::Labels;
use super::rights::{Rights, reached};
use crate::config::auth as config;
use crate::config::error::Problems;
use crate::grant::{Grant, Source, Tenants};
use crate::tenant::TenantId;

/// The most tenants that a token may name.
const MAX_TENANTS: usize = 256;

/// How an issuer's claims become a grant.
#[derive(Debug, Default)]
pub(super) struct Mapping {
    tenants: Vec<TenantClaim>,
    labels: Labels,
    admins: Option<(String, Vec<String>, Rights)>,
    words: Option<config::Rights>,
    subject: String,
}

#[derive(Debug)]
struct TenantClaim {
    claim: String,
    split: Option<String>,
    prefix: Option<String>,
    capture: Option<Regex>,
    map: Option<BTreeMap<String, Rights>>,
}

impl Mapping {
    /// Of a configured issuer.
    pub(super) fn compile(doc: &config::Issuer, path: &str, problems: &mut Problems) -> Self {
        let tenants = doc
            .tenants
            .iter()
            .enumerate()
            .map(|(i, t)| TenantClaim::compile(t, &format!("{path}.tenants[{i}]"), problems))
            .collect();
        if doc.tenants.is_empty() && doc.admins.is_none() {
            problems.add(format!("{path}.tenants"), "no claim gives a tenant");
        }
        pointer(&doc.subject, &format!("{path}.subject"), problems);
        Self {
            tenants,
            labels: Labels::compile(doc, path, problems),
            admins: doc.admins.as_ref().map(|a| admins(a, path, problems)),
            words: doc.rights.as_ref().map(|r| rights(r, path, problems)),
            subject: doc.subject.clone(),
        }
    }

    /// The grant that claims give, or why they give none.
    pub(super) fn grant(&self, found: &Claims, source: Source) -> Result<Grant, Reason> {
        let mut rights = Rights::nothing();
        for claim in &self.tenants {
            claim.collect(found, &mut rights)?;
        }
        if let Some((claim, any_of, more)) = &self.admins
            && let Some(value) = claims::lookup(found, claim)
        {
            let values = claims::strings(Some(value)).ok_or(Reason::TenantType)?;
            if values.iter().any(|v| any_of.iter().any(|w| w == v)) {
                rights.join(more);
            }
        }
        if rights.is_nothing() {
            return Err(Reason::NoTenant);
        }
        if let Some(words) = &self.words {
            allow(words, found, &mut rights)?;
        }
        for right in [&rights.read, &rights.write] {
            if matches!(right, Tenants::Some(set) if set.len() > MAX_TENANTS) {
                return Err(Reason::TooManyTenants);
            }
        }
        let subject = claims::lookup(found, &self.subject).and_then(Value::as_str);
        let mut grant = rights.grant(subject.unwrap_or_default(), source);
        grant.labels = self.labels.find(found)?;
        Ok(grant)
    }
}

impl TenantClaim {
    fn compile(doc: &config::TenantSource, path: &str, problems: &mut Problems) -> Self {
        pointer(&doc.claim, &format!("{path}.claim"), problems);
        not_empty(doc.split.as_deref(), &format!("{path}.split"), problems);
        not_empty(
            doc.strip_prefix.as_deref(),
            &format!("{path}.strip_prefix"),
            problems,
        );
        let capture = doc
            .capture
            .as_ref()
            .and_then(|c| problems.take(&format!("{path}.capture"), one_group(c)));
        if doc.map.is_some() && (doc.capture.is_some() || doc.strip_prefix.is_some()) {
            problems.add(
                format!("{path}.map"),
                "cannot be combined with `capture` or `strip_prefix`",
            );
        }
        let map = doc.map.as_ref().map(|map| {
            map.iter()
                .enumerate()
                .map(|(i, (value, grant))| {
                    (
                        value.clone(),
                        Rights::compile(grant, &format!("{path}.map[{i}]"), problems),
                    )
                })
                .collect()
        });
        Self {
            claim: doc.claim.clone(),
            split: doc.split.clone(),
            prefix: doc.strip_prefix.clone(),
            capture,
            map,
        }
    }

    fn collect(&self, found: &Claims, rights: &mut Rights) -> Result<(), Reason> {
        let Some(value) = claims::lookup(found, &self.claim) else {
            return Ok(());
        };
        let values = claims::strings(Some(value)).ok_or(Reason::TenantType)?;
        for value in values
            .into_iter()
            .flat_map(|v| parts(v, self.split.as_deref()))
        {
            if let Some(map) = &self.map {
                if let Some(more) = map.get(value) {
                    rights.join(more);
                }
                continue;
            }
            if let Some(name) = self.name(value) {
                let tenant = TenantId::parse(name).map_err(|_| Reason::TenantName)?;
                rights.join(&Rights::of_tenant(tenant, true, true));
            }
        }
        Ok(())
    }

    /// The tenant's name in a value; nothing if the value is not meant.
    fn name<'a>(&self, value: &'a str) -> Option<&'a str> {
        let value = match &self.prefix {
            Some(prefix) => value.strip_prefix(prefix.as_str())?,
            None => value,
        };
        match &self.capture {
            Some(regex) => regex.captures(value)?.get(1).map(|m| m.as_str()),
            None => Some(value),
        }
    }
}

/// A regular expression with just one group, for whole values.
fn one_group(pattern: &str) -> Result<Regex, &'static str> {
    if pattern.len() > 512 {
        return Err("longer than 512 bytes");
    }
    // Compiled alone first, so that no `)` in it escapes the anchors.
    let build = |text: &str| {
        RegexBuilder::new(text)
            .size_limit(64 << 10)
            .dfa_size_limit(256 << 10)
            .nest_limit(16)
            .build()
            .map_err(|_| "not a regular expression of the supported kind and size")
    };
    build(pattern)?;
    let regex = build(&format!("^(?:{pattern})$"))?;
    if regex.captures_len() != 2 {
        return Err("must have exactly one group, around the tenant's name");
    }
    Ok(regex)
}

fn admins(
    doc: &config::Admins,
    path: &str,
    problems: &mut Problems,
) -> (String, Vec<String>, Rights) {
    let path = format!("{path}.admins");
    pointer(&doc.claim, &format!("{path}.claim"), problems);
    if doc.any_of.is_empty() {
        problems.add(format!("{path}.any_of"), "names nobody");
    }
    let rights = Rights {
        read: reached(&doc.read),
        write: reached(&doc.write),
    };
    (doc.claim.clone(), doc.any_of.clone(), rights)
}

fn rights(doc: &config::Rights, path: &str, problems: &mut Problems) -> config::Rights {
    let path = format!("{path}.rights");
    pointer(&doc.claim, &format!("{path}.claim"), problems);
    if doc.read.0.is_empty() && doc.write.0.is_empty() {
        problems.add(path, "gives no right: name words for `read` or `write`");
    }
    doc.clone()
}

/// Takes away the rights for which a token has no word.
fn allow(doc: &config::Rights, found: &Claims, rights: &mut Rights) -> Result<(), Reason> {
    let value = claims::lookup(found, &doc.claim).ok_or(Reason::NoRights)?;
    let words: Vec<&str> = match value {
        Value::String(text) => text.split(' ').collect(),
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            claims::strings(Some(value)).ok_or(Reason::NoRights)?
        }
    };
    let has = |list: &config::Words| list.0.iter().any(|w| words.contains(&w.as_str()));
    if !has(&doc.read) {
        rights.read = Tenants::None;
    }
    if !has(&doc.write) {
        rights.write = Tenants::None;
    }
    if rights.is_nothing() {
        return Err(Reason::NoRights);
    }
    Ok(())
}

/// The values of a text.
pub(super) fn parts<'a>(value: &'a str, split: Option<&'a str>) -> Vec<&'a str> {
    match split {
        Some(at) => value.split(at).filter(|p| !p.is_empty()).collect(),
        None => vec![value],
    }
}

/// Tells of a text that is no JSON Pointer.
pub(super) fn pointer(text: &str, path: &str, problems: &mut Problems) {
    if !claims::is_pointer(text) {
        problems.add(path, "not a JSON Pointer such as `/tenants`");
    }
}

/// Tells of an option that is empty.
pub(super) fn not_empty(text: Option<&str>, path: &str, problems: &mut Problems) {
    if text == Some("") {
        problems.add(path, "is empty: leave it out");
    }
}
