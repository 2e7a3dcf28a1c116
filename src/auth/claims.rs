//! What a token's registered claims must say before it counts.

use serde_json::{Map, Value};

use super::error::Reason;
use crate::http::UnixTime;

/// Claims of a token.
pub(super) type Claims = Map<String, Value>;

/// The last second of the year 9999: no time lies beyond.
const LATEST: f64 = 253_402_300_799.0;

/// What an issuer's tokens must say.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) issuer: String,
    pub(super) audiences: Vec<String>,
    pub(super) leeway: f64,
    pub(super) max_lifetime: Option<f64>,
    pub(super) max_age: Option<f64>,
    pub(super) parties: Vec<String>,
    /// Accepted types in lower case without `application/`; `None` for the usual ones, or none.
    pub(super) types: Option<Vec<String>>,
    pub(super) required: Vec<(String, Vec<String>)>,
}

impl Rules {
    /// Holds claims against the rules; answers with the time at which they end to count.
    pub(super) fn check(&self, claims: &Claims, now: UnixTime) -> Result<UnixTime, Reason> {
        for name in ["sub", "jti", "nonce"] {
            if claims.get(name).is_some_and(|v| !v.is_string()) {
                return Err(Reason::ClaimType);
            }
        }
        self.audience(claims)?;
        let ends = self.times(claims, now.secs())?;
        self.party(claims)?;
        for (pointer, any_of) in &self.required {
            let found = strings(lookup(claims, pointer)).ok_or(Reason::Required)?;
            if !found.iter().any(|v| any_of.iter().any(|w| w == v)) {
                return Err(Reason::Required);
            }
        }
        Ok(ends)
    }

    /// Holds a header's `typ` against the rules.
    pub(super) fn check_type(&self, typ: Option<&str>) -> Result<(), Reason> {
        let typ = typ.map(normal_type);
        let fits = match (&self.types, typ.as_deref()) {
            (None, None) => true,
            (None, Some(t)) => matches!(t, "jwt" | "at+jwt" | "jose"),
            (Some(_), None) => false,
            (Some(list), Some(t)) => list.iter().any(|l| l == t),
        };
        fits.then_some(()).ok_or(Reason::Type)
    }

    fn audience(&self, claims: &Claims) -> Result<(), Reason> {
        strings(claims.get("aud"))
            .filter(|found| found.iter().any(|a| self.audiences.iter().any(|b| a == b)))
            .map(|_| ())
            .ok_or(Reason::Audience)
    }

    fn times(&self, claims: &Claims, now: f64) -> Result<UnixTime, Reason> {
        let exp = time(claims, "exp", Reason::Expiry)?
            .filter(|t| *t > 0.0)
            .ok_or(Reason::Expiry)?;
        let ends = exp + self.leeway;
        if now >= ends {
            return Err(Reason::Expired);
        }
        let iat = time(claims, "iat", Reason::NotYet)?;
        let nbf = time(claims, "nbf", Reason::NotYet)?;
        if [iat, nbf]
            .into_iter()
            .flatten()
            .any(|t| t > now + self.leeway)
        {
            return Err(Reason::NotYet);
        }
        let mut until = ends;
        if let Some(most) = self.max_lifetime {
            let iat = iat.ok_or(Reason::Age)?;
            if exp - iat > most {
                return Err(Reason::Age);
            }
        }
        if let Some(most) = self.max_age {
            let end = iat.ok_or(Reason::Age)? + most + self.leeway;
            if now >= end {
                return Err(Reason::Age);
            }
            until = until.min(end);
        }
        Ok(UnixTime::from_secs(0).plus(until))
    }

    fn party(&self, claims: &Claims) -> Result<(), Reason> {
        if self.parties.is_empty() {
            return Ok(());
        }
        let mut any = false;
        for name in ["azp", "client_id"] {
            if let Some(value) = claims.get(name) {
                let party = value.as_str().ok_or(Reason::Party)?;
                if !self.parties.iter().any(|p| p == party) {
                    return Err(Reason::Party);
                }
                any = true;
            }
        }
        any.then_some(()).ok_or(Reason::Party)
    }
}

/// A type as types are compared: RFC 7515, 4.1.9.
pub(super) fn normal_type(typ: &str) -> String {
    let typ = typ.to_ascii_lowercase();
    match typ.strip_prefix("application/") {
        Some(short) => short.to_owned(),
        None => typ,
    }
}

/// The claim that a JSON Pointer names.
pub(super) fn lookup<'a>(claims: &'a Claims, pointer: &str) -> Option<&'a Value> {
    let (first, rest) = split(pointer)?;
    let value = claims.get(&first)?;
    if rest.is_empty() {
        Some(value)
    } else {
        value.pointer(rest)
    }
}

/// Whether a text is a JSON Pointer to something inside.
pub(super) fn is_pointer(text: &str) -> bool {
    text.len() > 1
        && text.len() <= 256
        && text.starts_with('/')
        && text
            .split('~')
            .skip(1)
            .all(|after| after.starts_with(['0', '1']))
}

fn split(pointer: &str) -> Option<(String, &str)> {
    let body = pointer.strip_prefix('/')?;
    let (first, rest) = body.split_at(body.find('/').unwrap_or(body.len()));
    Some((first.replace("~1", "/").replace("~0", "~"), rest))
}

/// The texts of a string or an array of strings. `None` for anything else.
pub(super) fn strings(value: Option<&Value>) -> Option<Vec<&str>> {
    match value? {
        Value::String(text) => Some(vec![text]),
        Value::Array(list) => list.iter().map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

fn time(claims: &Claims, name: &str, reason: Reason) -> Result<Option<f64>, Reason> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    match value.as_f64() {
        Some(t) if (0.0..=LATEST).contains(&t) => Ok(Some(t)),
        Some(_) | None => Err(reason),
    }
}
