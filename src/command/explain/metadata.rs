//! Claims as dynamic metadata: the message in which the host hands them over.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::config::Document;
use crate::config::auth::VerifiedBy;

/// The metadata in which the claims stand wherever the configuration looks for them.
pub(super) fn of(document: &Document, claims: &Map<String, Value>) -> Vec<u8> {
    // A key of a map stands once, so places with one namespace go together.
    let mut spaces: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for issuer in &document.auth.issuers {
        if let Some(VerifiedBy::Metadata(place)) = &issuer.verified_by {
            let space = spaces.entry(&place.namespace).or_default();
            space.insert(place.key.clone(), Value::Object(claims.clone()));
        }
    }
    let mut message = Vec::new();
    for (namespace, space) in spaces {
        entry(1, namespace, &structure(&space), &mut message);
    }
    message
}

/// `google.protobuf.Struct`.
fn structure(map: &Map<String, Value>) -> Vec<u8> {
    let mut message = Vec::new();
    for (key, member) in map {
        entry(1, key, &value(member), &mut message);
    }
    message
}

/// `google.protobuf.Value`.
fn value(json: &Value) -> Vec<u8> {
    let mut message = Vec::new();
    match json {
        Value::Null => message.extend([0x08, 0]),
        Value::Bool(b) => message.extend([0x20, u8::from(*b)]),
        Value::Number(n) => {
            message.push(0x11);
            message.extend(n.as_f64().unwrap_or_default().to_le_bytes());
        }
        Value::String(text) => field(3, text.as_bytes(), &mut message),
        Value::Object(map) => field(5, &structure(map), &mut message),
        Value::Array(list) => {
            let mut items = Vec::new();
            for item in list {
                field(1, &value(item), &mut items);
            }
            field(6, &items, &mut message);
        }
    }
    message
}

/// An entry of a map from text to a message.
fn entry(tag: u8, key: &str, message: &[u8], to: &mut Vec<u8>) {
    let mut pair = Vec::new();
    field(1, key.as_bytes(), &mut pair);
    field(2, message, &mut pair);
    field(tag, &pair, to);
}

/// A length-delimited field.
fn field(tag: u8, bytes: &[u8], to: &mut Vec<u8>) {
    to.push((tag << 3) | 2);
    let mut n = bytes.len();
    while n >= 0x80 {
        to.push(u8::try_from(n & 0x7f).unwrap_or_default() | 0x80);
        n >>= 7;
    }
    to.push(u8::try_from(n).unwrap_or_default());
    to.extend_from_slice(bytes);
}
