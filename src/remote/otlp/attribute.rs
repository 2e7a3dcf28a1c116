//! One attribute of OTLP: its key, and its value as upstreams print it.

use std::borrow::Cow;

use super::super::error::WriteError;
use super::super::wire::{self, Field, Fields, Malformed, Value};

/// Reads the key of a `KeyValue`: of a field that stands twice, the last holds.
pub(super) fn key<'a>(src: &'a [u8], field: &Field<'a>) -> Result<&'a str, WriteError> {
    let mut key: &[u8] = &[];
    for inner in field.nested(src)? {
        let inner = inner?;
        match inner.number {
            1 => key = inner.bytes()?,
            2 => {
                inner.bytes()?;
            }
            3 => {
                return Err(WriteError::Malformed(
                    "an attribute's key is an index, not a text",
                ));
            }
            _ => {}
        }
    }
    std::str::from_utf8(key).map_err(|_| WriteError::Malformed("an attribute's key is not UTF-8"))
}

/// The value of a `KeyValue`, where it is one text, number or truth value; else nothing.
pub(super) fn value<'a>(field: &Field<'a>) -> Result<Option<Cow<'a, [u8]>>, Malformed> {
    let mut any: Option<&'a [u8]> = None;
    for inner in Fields::of(field.bytes()?) {
        let inner = inner?;
        if inner.number == 2 && any.replace(inner.bytes()?).is_some() {
            return Ok(None);
        }
    }
    let mut fields = Fields::of(any.unwrap_or_default());
    let Some(one) = fields.next().transpose()? else {
        return Ok(Some(Cow::Borrowed(&[])));
    };
    if fields.next().is_some() {
        return Ok(None);
    }
    Ok(match (one.number, one.value) {
        (1, Value::Bytes(text)) => Some(Cow::Borrowed(text)),
        (2, Value::Varint(v)) => Some(Cow::Borrowed(if v == 0 { b"false" } else { b"true" })),
        (3, Value::Varint(v)) => Some(Cow::Owned(v.cast_signed().to_string().into_bytes())),
        _ => None,
    })
}

/// Writes a `KeyValue` with a text as its value.
pub(super) fn put(number: u32, key: &str, value: &str, to: &mut Vec<u8>) {
    let mut message = Vec::with_capacity(key.len() + value.len() + 12);
    wire::put_bytes(1, key.as_bytes(), &mut message);
    put_value(value, &mut message);
    wire::put_bytes(number, &message, to);
}

/// Writes the value of a `KeyValue`.
pub(super) fn put_value(value: &str, to: &mut Vec<u8>) {
    let mut any = Vec::with_capacity(value.len() + 6);
    wire::put_bytes(1, value.as_bytes(), &mut any);
    wire::put_bytes(2, &any, to);
}
