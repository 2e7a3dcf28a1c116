//! Bodies as a case writes them.

use serde::Deserialize;
use serde_json::Value;

/// A body.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Body {
    /// These bytes.
    Text(String),
    /// JSON, compared as JSON.
    Json { json: Value },
    /// A text, so often.
    Repeat { repeat: (String, usize) },
    /// Remote-write 1.0: each series is a list of labels, with one sample.
    Write { rw1: Vec<Vec<(String, String)>> },
    /// The answer to a remote read: the labels of its series.
    Samples { samples: Vec<Vec<(String, String)>> },
    /// Remote-read: each query is a list of matchers: operator, label, value.
    Read {
        read: Vec<Vec<(String, String, String)>>,
    },
}

impl Default for Body {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Body {
    /// The bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Json { json } => json.to_string().into_bytes(),
            Self::Repeat { repeat: (text, n) } => text.repeat(*n).into_bytes(),
            Self::Write { .. } | Self::Samples { .. } | Self::Read { .. } => {
                snap::raw::Encoder::new()
                    .compress_vec(&self.message())
                    .unwrap()
            }
        }
    }

    /// Whether other bytes say the same.
    pub(crate) fn fits(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Text(_) | Self::Repeat { .. } => self.bytes() == bytes,
            Self::Json { json } => serde_json::from_slice::<Value>(bytes).is_ok_and(|v| v == *json),
            Self::Write { .. } | Self::Samples { .. } => {
                decompress(bytes).is_some_and(|m| m == self.message())
            }
            // The fields of a query may come in any order.
            Self::Read { .. } => {
                decompress(bytes).is_some_and(|m| queries(&m) == queries(&self.message()))
            }
        }
    }

    /// The protobuf message.
    fn message(&self) -> Vec<u8> {
        let mut message = Vec::new();
        match self {
            Self::Write { rw1 } => message = series(rw1),
            Self::Samples { samples } => message = field(1, &series(samples)),
            Self::Read { read } => {
                for matchers in read {
                    let mut query = vec![0x08, 1, 0x10, 2];
                    for (operator, name, value) in matchers {
                        let kind = ["=", "!=", "=~", "!~"]
                            .iter()
                            .position(|o| o == operator)
                            .unwrap();
                        let kind = u8::try_from(kind).unwrap();
                        let mut matcher = if kind == 0 {
                            Vec::new()
                        } else {
                            vec![0x08, kind]
                        };
                        matcher.extend(field(2, name.as_bytes()));
                        matcher.extend(field(3, value.as_bytes()));
                        query.extend(field(3, &matcher));
                    }
                    message.extend(field(1, &query));
                }
            }
            Self::Text(_) | Self::Json { .. } | Self::Repeat { .. } => {}
        }
        message
    }
}

/// Series with one sample each, as a write and the result of a read have them.
fn series(all: &[Vec<(String, String)>]) -> Vec<u8> {
    let mut message = Vec::new();
    for labels in all {
        let mut series = Vec::new();
        for (name, value) in labels {
            let label = [field(1, name.as_bytes()), field(2, value.as_bytes())].concat();
            series.extend(field(1, &label));
        }
        series.extend(field(
            2,
            &[&[0x09][..], &1f64.to_le_bytes(), &[0x10, 0x01]].concat(),
        ));
        message.extend(field(1, &series));
    }
    message
}

fn decompress(bytes: &[u8]) -> Option<Vec<u8>> {
    snap::raw::Decoder::new().decompress_vec(bytes).ok()
}

/// The queries of a remote read, each as its fields in order of their bytes.
fn queries(message: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let nested = |field: Vec<u8>| field[field.len() - usize::from(field[1])..].to_vec();
    let query = |field| {
        let mut parts = split(&nested(field));
        parts.sort();
        parts
    };
    split(message).into_iter().map(query).collect()
}

/// The fields of a message whose lengths and numbers are below 128.
fn split(mut message: &[u8]) -> Vec<Vec<u8>> {
    let mut fields = Vec::new();
    while let [tag, n, ..] = message {
        let size = 2 + if tag & 7 == 2 { usize::from(*n) } else { 0 };
        let (field, rest) = message.split_at(size);
        fields.push(field.to_vec());
        message = rest;
    }
    fields
}

fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![tag << 3 | 2];
    let mut n = bytes.len();
    while n >= 0x80 {
        out.push(u8::try_from(n & 0x7f).unwrap() | 0x80);
        n >>= 7;
    }
    out.push(u8::try_from(n).unwrap());
    out.extend_from_slice(bytes);
    out
}

/// The pairs of a query string or form.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|p| !p.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (unescape(name), unescape(value))
        })
        .collect()
}

/// Takes the escapes of a form out of a text.
pub(crate) fn unescape(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(b) = bytes.next() {
        out.push(match b {
            b'+' => b' ',
            b'%' => {
                let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(out).unwrap()
}
