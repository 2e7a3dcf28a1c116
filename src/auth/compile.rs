//! The `auth` block of a configuration, compiled.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::cache::Cache;
use super::claims::{Rules, is_pointer, normal_type};
use super::credential::Places;
use super::fixed::Fixed;
use super::keys::{KeySet, Origin};
use super::mapping::Mapping;
use super::peer::Certificates;
use super::refresh::Remote;
use super::rights::Rights;
use super::{Algorithm, Authenticator, Issuer, Keys};
use crate::config::auth as config;
use crate::config::error::Problems;
use crate::grant::Source;

type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Compiles the block; problems are added with their paths.
pub(super) fn authenticator(
    doc: &config::Auth,
    env: Env<'_>,
    problems: &mut Problems,
) -> Authenticator {
    let fixed = Fixed::compile(&doc.fixed, env, problems);
    let places = Places::compile(&doc.token, fixed.has_basic(), problems);
    let certificates =
        Certificates::compile(&doc.mtls, doc.forwarded_certificate.as_ref(), problems);
    let anonymous = doc.anonymous.as_ref().map(|grant| {
        let rights = Rights::compile(grant, "auth.anonymous", problems);
        Arc::new(rights.grant("anonymous", Source::Anonymous))
    });
    let mut by_name = BTreeMap::new();
    let mut issuers = Vec::new();
    for (i, issuer) in doc.issuers.iter().enumerate() {
        let path = format!("auth.issuers[{i}]");
        if by_name
            .insert(issuer.issuer.clone(), issuers.len())
            .is_some()
        {
            problems.add(format!("{path}.issuer"), "is configured twice");
        }
        issuers.extend(self::issuer(issuer, &doc.unknown_kid, &path, env, problems));
    }
    if doc.issuers.is_empty()
        && doc.fixed.is_empty()
        && certificates.is_empty()
        && anonymous.is_none()
    {
        problems.add(
            "auth",
            "nobody can be recognised: give `issuers`, `static`, `mtls` or `anonymous`",
        );
    }
    if !(1.0..=3600.0).contains(&doc.cache.max_age.secs()) {
        problems.add("auth.cache.max_age", "must be 1s to 1h");
    }
    if doc.unknown_kid.interval.secs() < 1.0 {
        problems.add("auth.unknown_kid.interval", "must be 1s at least");
    }
    Authenticator {
        issuers,
        by_name,
        places,
        fixed,
        certificates,
        anonymous,
        cache: Cache::new(doc.cache.size.bytes(), doc.cache.max_age.secs()),
        secret: shared_secret(doc, env, problems),
        next_id: 0,
        purge_at: 0.0,
    }
}

fn shared_secret(doc: &config::Auth, env: Env<'_>, problems: &mut Problems) -> Option<Vec<u8>> {
    const PATH: &str = "auth.shared_keys.secret";
    let secret = problems.take(PATH, doc.shared_keys.as_ref()?.secret.resolve(env))?;
    if secret.len() < 32 {
        problems.add(PATH, "is shorter than 32 bytes");
    }
    Some(secret.into_bytes())
}

fn issuer(
    doc: &config::Issuer,
    unknown: &config::UnknownKid,
    path: &str,
    env: Env<'_>,
    problems: &mut Problems,
) -> Option<Issuer> {
    let rules = rules(doc, path, problems);
    let mapping = Mapping::compile(doc, path, problems);
    let algorithms = algorithms(doc, path, problems);
    let keys = match (&doc.keys, &doc.verified_by) {
        (Some(keys), None) => {
            self::keys(keys, doc, unknown, &format!("{path}.keys"), env, problems)
        }
        (None, Some(config::VerifiedBy::Metadata(place))) => {
            if place.namespace.is_empty() || place.key.is_empty() {
                problems.add(
                    format!("{path}.verified_by.metadata"),
                    "`namespace` or `key` is empty",
                );
            }
            if doc.algorithms.is_some() || doc.types.is_some() {
                problems.add(
                    format!("{path}.verified_by"),
                    "`algorithms` and `types` are for the filter that verifies: they cannot be seen here",
                );
            }
            Some(Keys::Metadata(place.clone()))
        }
        (Some(_), Some(_)) | (None, None) => {
            problems.add(path, "needs exactly one of `keys` and `verified_by`");
            None
        }
    };
    let keys = keys?;
    if let Keys::Configured(set) = &keys
        && !set.serves(&algorithms)
    {
        problems.add(
            format!("{path}.keys"),
            "no key serves any of the `algorithms`",
        );
    }
    Some(Issuer {
        rules,
        algorithms,
        keys,
        mapping,
    })
}

fn algorithms(doc: &config::Issuer, path: &str, problems: &mut Problems) -> Vec<Algorithm> {
    let list = doc
        .algorithms
        .clone()
        .unwrap_or_else(|| Algorithm::ASYMMETRIC.to_vec());
    let path = format!("{path}.algorithms");
    if list.is_empty() {
        problems.add(path.clone(), "no algorithm is accepted");
    }
    let configured = matches!(doc.keys, Some(config::Keys::Inline(_)));
    if list.iter().any(|a| a.is_symmetric()) && !configured {
        problems.add(
            path,
            "a shared secret (HS256, HS384, HS512) needs `keys.inline`",
        );
    }
    list
}

fn rules(doc: &config::Issuer, path: &str, problems: &mut Problems) -> Rules {
    if doc.issuer.is_empty() {
        problems.add(format!("{path}.issuer"), "is empty");
    }
    if doc.audiences.is_empty() || doc.audiences.iter().any(String::is_empty) {
        problems.add(
            format!("{path}.audiences"),
            "is empty, or has an empty text",
        );
    }
    if doc.leeway.secs() > 600.0 {
        problems.add(format!("{path}.leeway"), "must be 10m at most");
    }
    for (i, r) in doc.required.iter().enumerate() {
        if !is_pointer(&r.claim) || r.any_of.is_empty() {
            problems.add(
                format!("{path}.required[{i}]"),
                "needs a JSON Pointer as `claim`, and values in `any_of`",
            );
        }
    }
    let types = doc.types.as_ref().map(|types| {
        let types: Vec<String> = types.iter().map(|t| normal_type(t)).collect();
        let other = ["logout+jwt", "secevent+jwt", "dpop+jwt", ""];
        if types.is_empty() || types.iter().any(|t| other.contains(&t.as_str())) {
            problems.add(
                format!("{path}.types"),
                "is empty, or has a type that is no access token",
            );
        }
        types
    });
    Rules {
        issuer: doc.issuer.clone(),
        audiences: doc.audiences.clone(),
        leeway: doc.leeway.secs(),
        max_lifetime: doc.max_lifetime.map(|d| d.secs()),
        max_age: doc.max_age.map(|d| d.secs()),
        parties: doc.authorized_parties.clone(),
        types,
        required: doc
            .required
            .iter()
            .map(|r| (r.claim.clone(), r.any_of.clone()))
            .collect(),
    }
}

fn keys(
    doc: &config::Keys,
    issuer: &config::Issuer,
    unknown: &config::UnknownKid,
    path: &str,
    env: Env<'_>,
    problems: &mut Problems,
) -> Option<Keys> {
    match doc {
        config::Keys::Inline(value) => {
            let path = format!("{path}.inline");
            let text = problems.take(&path, inline(value, env))?;
            let (set, bad) = problems.take(
                &path,
                KeySet::from_jwks(text.as_bytes(), Origin::Configuration),
            )?;
            for (i, why) in bad {
                problems.add(format!("{path}.keys[{i}]"), why);
            }
            Some(Keys::Configured(Arc::new(set)))
        }
        config::Keys::Pem(text) => {
            let set = problems.take(&format!("{path}.pem"), KeySet::from_pem(text))?;
            Some(Keys::Configured(Arc::new(set)))
        }
        config::Keys::Remote(remote) => {
            let path = format!("{path}.remote");
            let remote = Remote::compile(remote, &issuer.issuer, unknown, &path, problems);
            Some(Keys::Remote(Box::new(remote)))
        }
    }
}

/// The text of an inline set: an object, its text, or a variable with its text.
fn inline(value: &Value, env: Env<'_>) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Object(map) => match map.get("env").and_then(Value::as_str) {
            Some(name) if map.len() == 1 => {
                env(name).filter(|text| !text.is_empty()).ok_or_else(|| {
                    format!("the environment variable `{name}` is not set in the VM, or is empty")
                })
            }
            Some(_) | None => Ok(value.to_string()),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            Err("must be a JSON Web Key Set, its text, or `{env: NAME}`".to_owned())
        }
    }
}
