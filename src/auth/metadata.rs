//! Claims out of dynamic metadata, as the host serialises it.

use serde_json::{Map, Number, Value};

use super::json::MAX_DEPTH;
use super::peer::Peer;

/// The claims that an earlier filter put into dynamic metadata.
///
/// Protobuf keeps what a claim is: text, number, list, object.
pub(super) fn claims(
    peer: &dyn Peer,
    namespace: &str,
    key: &str,
) -> Option<Result<Map<String, Value>, ()>> {
    let message = peer.property(&["metadata"]).filter(|m| !m.is_empty())?;
    let claims = entry(&message, namespace)
        .and_then(|space| space.map_or(Ok(None), |s| entry(s, key)))
        .and_then(|found| found.map_or(Ok(None), |v| value(v, MAX_DEPTH).map(Some)));
    match claims {
        Ok(None) => None,
        Ok(Some(Value::Object(claims))) => Some(Ok(claims)),
        Ok(Some(_)) | Err(()) => Some(Err(())),
    }
}

/// The value under a key of field 1, a map. Keys of a map stand once; twice is an error.
fn entry<'a>(message: &'a [u8], key: &str) -> Result<Option<&'a [u8]>, ()> {
    let mut found = None;
    for pair in fields(message) {
        if let (1, Field::Bytes(pair)) = pair? {
            let (name, value) = pair_of(pair)?;
            if name == key.as_bytes() && found.replace(value).is_some() {
                return Err(());
            }
        }
    }
    Ok(found)
}

fn pair_of(pair: &[u8]) -> Result<(&[u8], &[u8]), ()> {
    let (mut name, mut value): (&[u8], &[u8]) = (&[], &[]);
    for field in fields(pair) {
        match field? {
            (1, Field::Bytes(b)) => name = b,
            (2, Field::Bytes(b)) => value = b,
            _ => return Err(()),
        }
    }
    Ok((name, value))
}

/// A `google.protobuf.Value`.
fn value(message: &[u8], depth: u8) -> Result<Value, ()> {
    let depth = depth.checked_sub(1).ok_or(())?;
    let mut all = fields(message);
    let (Some(only), None) = (all.next(), all.next()) else {
        return Err(());
    };
    Ok(match only? {
        (1, Field::Varint(_)) => Value::Null,
        (2, Field::Fixed64(bits)) => {
            Value::Number(Number::from_f64(f64::from_bits(bits)).ok_or(())?)
        }
        (3, Field::Bytes(text)) => {
            Value::String(std::str::from_utf8(text).map_err(|_| ())?.to_owned())
        }
        (4, Field::Varint(b)) => Value::Bool(b != 0),
        (5, Field::Bytes(object)) => {
            let mut map = Map::new();
            for field in fields(object) {
                let (1, Field::Bytes(pair)) = field? else {
                    return Err(());
                };
                let (name, inner) = pair_of(pair)?;
                let name = std::str::from_utf8(name).map_err(|_| ())?.to_owned();
                if map.insert(name, value(inner, depth)?).is_some() {
                    return Err(());
                }
            }
            Value::Object(map)
        }
        (6, Field::Bytes(list)) => {
            let mut items = Vec::new();
            for field in fields(list) {
                let (1, Field::Bytes(item)) = field? else {
                    return Err(());
                };
                items.push(value(item, depth)?);
            }
            Value::Array(items)
        }
        _ => return Err(()),
    })
}

enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message; an error ends them.
fn fields(mut rest: &[u8]) -> impl Iterator<Item = Result<(u64, Field<'_>), ()>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = next(&mut rest);
        if field.is_none() {
            rest = &[];
        }
        Some(field.ok_or(()))
    })
}

fn next<'a>(rest: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let key = varint(rest)?;
    let field = match key & 7 {
        0 => Field::Varint(varint(rest)?),
        1 => {
            let (bytes, after) = rest.split_first_chunk::<8>()?;
            *rest = after;
            Field::Fixed64(u64::from_le_bytes(*bytes))
        }
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            let (bytes, after) = rest.split_at_checked(length)?;
            *rest = after;
            Field::Bytes(bytes)
        }
        _ => return None,
    };
    Some((key >> 3, field))
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (b, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(*b & 0x7f).checked_shl(shift)?;
        if *b < 0x80 {
            return Some(value);
        }
    }
    None
}
