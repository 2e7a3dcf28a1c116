//! Bodies that an upstream gets: whose data a write is, and what a remote read asks for.

use promfence::scope::Scope;
use serde_json::Value;

use super::{Message, Run, table};

/// Asserts that a body keeps to the scope.
pub fn judge(run: &Run, scope: &Scope, upstream: &Message) {
    let (path, _) = upstream.target();
    let post = upstream.text(":method") == "POST";
    if path.ends_with("/api/v1/read") {
        remote_read(run, scope, &upstream.body);
    } else if post && path.ends_with("/api/v2/silences") {
        silence(scope, &upstream.body);
    } else if post && path.ends_with("/api/v2/alerts") {
        alerts(scope, &upstream.body);
    } else if table::is_write(&path) && is_v1(upstream) {
        write(run, scope, &upstream.body);
    }
}

fn is_v1(upstream: &Message) -> bool {
    let kind = upstream.text("content-type");
    kind.starts_with("application/x-protobuf")
        && !kind.contains("io.prometheus.write.v2")
        && !upstream.target().0.contains("otlp")
}

/// Every query has each enforced matcher, as a regular expression.
fn remote_read(run: &Run, scope: &Scope, body: &[u8]) {
    let message = unpacked(body);
    for (_, query) in fields(&message).into_iter().filter(|(n, _)| *n == 1) {
        let matchers: Vec<(u64, String, String)> = fields(&query)
            .into_iter()
            .filter(|(n, _)| *n == 3)
            .map(|(_, m)| {
                let (mut kind, mut name, mut value) = (0, String::new(), String::new());
                for (number, bytes) in fields(&m) {
                    match number {
                        1 => kind = varint(&mut &bytes[..]).unwrap(),
                        2 => name = String::from_utf8_lossy(&bytes).into_owned(),
                        3 => value = String::from_utf8_lossy(&bytes).into_owned(),
                        _ => {}
                    }
                }
                (kind, name, value)
            })
            .collect();
        for m in scope.matchers() {
            let found = matchers
                .iter()
                .any(|(k, n, v)| *k == 2 && n == m.label().as_str() && v == m.regex());
            assert!(found, "{matchers:?} lacks {} for {run:?}", m.text());
        }
    }
}

/// In a checked body no series has a label of another tenant.
fn write(run: &Run, scope: &Scope, body: &[u8]) {
    let Some(policy) = run.body_policy else {
        return;
    };
    for (_, series) in fields(&unpacked(body)).into_iter().filter(|(n, _)| *n == 1) {
        let values: Vec<String> = fields(&series)
            .into_iter()
            .filter(|(n, _)| *n == 1)
            .filter_map(|(_, label)| {
                let last = |n: u64| {
                    let all = fields(&label);
                    let found = all.into_iter().rev().find(|(f, _)| *f == n);
                    String::from_utf8(found.map(|(_, b)| b).unwrap_or_default()).unwrap()
                };
                (last(1) == run.label).then(|| last(2))
            })
            .collect();
        let own = |v: &String| scope.of(run.label).is_some_and(|m| m.admits(v));
        match policy {
            "drop" | "reject" => assert!(values.is_empty(), "{values:?}"),
            "overwrite" => assert!(values.len() == 1 && own(&values[0]), "{values:?}"),
            _ => assert!(values.iter().all(own), "{values:?}"),
        }
    }
}

/// The silence can only silence alerts in scope.
fn silence(scope: &Scope, body: &[u8]) {
    let json: Value = serde_json::from_slice(body).unwrap();
    let matchers = json["matchers"].as_array().unwrap();
    for m in scope.matchers() {
        let found = matchers.iter().any(|given| {
            let text = given["value"].as_str().unwrap_or_default();
            let regex = given["isRegex"].as_bool().unwrap_or(false);
            given["name"] == m.label().as_str()
                && given["isEqual"].as_bool().unwrap_or(true)
                && (if regex {
                    text == m.regex()
                } else {
                    m.admits(text)
                })
        });
        assert!(found, "{json} lacks {}", m.text());
    }
}

/// Each alert carries labels in scope.
fn alerts(scope: &Scope, body: &[u8]) {
    let json: Value = serde_json::from_slice(body).unwrap();
    for alert in json.as_array().unwrap() {
        for m in scope.matchers() {
            let value = alert["labels"][m.label().as_str()].as_str();
            assert!(value.is_some_and(|v| m.admits(v)), "{alert}");
        }
    }
}

fn unpacked(body: &[u8]) -> Vec<u8> {
    snap::raw::Decoder::new()
        .decompress_vec(body)
        .expect("the upstream can unpack the body")
}

/// The fields of a message in order; numbers as their bytes.
fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut all = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message).expect("a tag");
        let whole = message;
        let taken = match tag & 7 {
            0 => {
                varint(&mut message).expect("a number");
                whole.len() - message.len()
            }
            1 => 8,
            2 => {
                let n = usize::try_from(varint(&mut message).expect("a length")).unwrap();
                all.push((tag >> 3, message[..n].to_vec()));
                message = &message[n..];
                continue;
            }
            5 => 4,
            other => panic!("wire type {other}"),
        };
        all.push((tag >> 3, whole[..taken].to_vec()));
        message = &whole[taken..];
    }
    all
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
