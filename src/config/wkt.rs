//! A `google.protobuf.Struct` as Envoy hands it over: the message's bytes, not JSON.

use serde_json::{Map, Number, Value};

/// How deep values may nest: as deep as `serde_json` lets JSON.
const MAX_DEPTH: u32 = 120;

/// Reads a whole message; `None` where the bytes are none, or a name stands twice.
///
/// A message begins with the byte 10, which in JSON is a newline: try this first.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Value> {
    (!bytes.is_empty())
        .then(|| object(bytes, MAX_DEPTH))?
        .map(Value::Object)
}

/// One field of a message.
enum Field<'a> {
    Varint(u64),
    Fixed(u64),
    Bytes(&'a [u8]),
}

fn object(mut bytes: &[u8], depth: u32) -> Option<Map<String, Value>> {
    let depth = depth.checked_sub(1)?;
    let mut map = Map::new();
    while !bytes.is_empty() {
        let (1, Field::Bytes(entry)) = field(&mut bytes)? else {
            return None;
        };
        let (name, value) = member(entry, depth)?;
        if map.insert(name, value).is_some() {
            return None;
        }
    }
    Some(map)
}

fn member(mut entry: &[u8], depth: u32) -> Option<(String, Value)> {
    let (mut name, mut found) = (None, None);
    while !entry.is_empty() {
        match field(&mut entry)? {
            (1, Field::Bytes(text)) if name.is_none() => name = Some(utf8(text)?),
            (2, Field::Bytes(inner)) if found.is_none() => found = Some(value(inner, depth)?),
            _ => return None,
        }
    }
    Some((name.unwrap_or_default(), found?))
}

/// A value is one field of those below.
fn value(mut bytes: &[u8], depth: u32) -> Option<Value> {
    let read = match field(&mut bytes)? {
        (1, Field::Varint(0)) => Value::Null,
        (2, Field::Fixed(bits)) => Value::Number(Number::from_f64(f64::from_bits(bits))?),
        (3, Field::Bytes(text)) => Value::String(utf8(text)?),
        (4, Field::Varint(flag @ (0 | 1))) => Value::Bool(flag == 1),
        (5, Field::Bytes(inner)) => Value::Object(object(inner, depth)?),
        (6, Field::Bytes(inner)) => Value::Array(list(inner, depth)?),
        _ => return None,
    };
    bytes.is_empty().then_some(read)
}

fn list(mut bytes: &[u8], depth: u32) -> Option<Vec<Value>> {
    let depth = depth.checked_sub(1)?;
    let mut values = Vec::new();
    while !bytes.is_empty() {
        let (1, Field::Bytes(inner)) = field(&mut bytes)? else {
            return None;
        };
        values.push(value(inner, depth)?);
    }
    Some(values)
}

fn utf8(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

/// Takes the next field, with its number, off the front.
fn field<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let tag = varint(bytes)?;
    let read = match tag & 7 {
        0 => Field::Varint(varint(bytes)?),
        1 => {
            let (bits, rest) = bytes.split_first_chunk::<8>()?;
            *bytes = rest;
            Field::Fixed(u64::from_le_bytes(*bits))
        }
        2 => {
            let length = usize::try_from(varint(bytes)?).ok()?;
            let (text, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            Field::Bytes(text)
        }
        _ => return None,
    };
    Some((tag >> 3, read))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if shift == 63 && *byte > 1 {
            return None;
        }
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bytes(tag: u8, inner: &[u8]) -> Vec<u8> {
        let mut out = vec![(tag << 3) | 2];
        let mut n = inner.len();
        while n >= 0x80 {
            out.push((n & 0x7f) as u8 | 0x80);
            n >>= 7;
        }
        out.push(n as u8);
        out.extend_from_slice(inner);
        out
    }

    fn message(value: &Value) -> Vec<u8> {
        match value {
            Value::Null => vec![8, 0],
            Value::Bool(b) => vec![0x20, u8::from(*b)],
            Value::Number(n) => {
                let mut out = vec![0x11];
                out.extend(n.as_f64().unwrap().to_le_bytes());
                out
            }
            Value::String(s) => bytes(3, s.as_bytes()),
            Value::Array(a) => bytes(
                6,
                &a.iter()
                    .flat_map(|v| bytes(1, &message(v)))
                    .collect::<Vec<_>>(),
            ),
            Value::Object(o) => bytes(5, &fields(o)),
        }
    }

    fn fields(map: &Map<String, Value>) -> Vec<u8> {
        map.iter()
            .flat_map(|(k, v)| bytes(1, &[bytes(1, k.as_bytes()), bytes(2, &message(v))].concat()))
            .collect()
    }

    fn document() -> Value {
        let long = "x".repeat(300);
        json!({"a": null, "b": [true, 1.0, "s", {"c": []}], "": {"d": -2.5}, "long": long})
    }

    #[test]
    fn what_envoy_sends_is_read() {
        // Recorded from Envoy 1.40: `seal: { header: x-promfence-seal }`.
        let sent = b"\n(\n\x04seal\x12 *\x1e\n\x1c\n\x06header\x12\x12\x1a\x10x-promfence-seal";
        assert_eq!(
            parse(sent),
            Some(json!({"seal": {"header": "x-promfence-seal"}}))
        );
    }

    #[test]
    fn every_kind_of_value_comes_back() {
        let doc = document();
        assert_eq!(parse(&fields(doc.as_object().unwrap())), Some(doc));
    }

    #[test]
    fn json_is_not_mistaken_for_it() {
        for text in [
            "",
            "{}",
            "\n{}",
            "\n{\"a\":1}",
            "\n\n{\"tenancy\": {}}",
            " {}",
            "\n(1)",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn broken_bytes_are_refused_and_never_half_read() {
        let whole = fields(document().as_object().unwrap());
        for end in 1..whole.len() {
            // Only a cut between two members leaves a message, with members less.
            if let Some(read) = parse(&whole[..end]) {
                assert!(read.as_object().unwrap().len() < 4);
            }
        }
        let twice = [
            fields(json!({"a": 1.0}).as_object().unwrap()),
            fields(json!({"a": 2.0}).as_object().unwrap()),
        ]
        .concat();
        assert_eq!(parse(&twice), None);
        assert_eq!(
            parse(b"\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
            None
        );
        let nan = bytes(
            1,
            &[
                bytes(1, b"a"),
                bytes(2, &[&[0x11][..], &f64::NAN.to_le_bytes()].concat()),
            ]
            .concat(),
        );
        assert_eq!(parse(&nan), None);
    }

    #[test]
    fn nesting_is_bounded() {
        let mut deep = json!({});
        for _ in 0..200 {
            deep = json!({ "a": deep });
        }
        assert_eq!(parse(&fields(deep.as_object().unwrap())), None);
    }
}
