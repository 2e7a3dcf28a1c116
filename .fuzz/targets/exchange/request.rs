//! A generated request: mostly one that a client could send, with something hostile in it.

use super::super::choices::Choices;
use super::super::invariants::Message;
use super::caller::{self, Caller};
use super::setting::Setting;
use super::words::{HEADERS, NAMES, PATHS, QUERIES, VALUES};

/// A request.
#[derive(Debug)]
pub struct Request {
    /// Head and body.
    pub message: Message,
    /// Who sends it.
    pub caller: Caller,
    /// What it narrows its tenants to, if it does so in one place.
    pub narrowed: Option<&'static str>,
}

/// Chooses one.
pub fn choose(c: &mut Choices<'_>, setting: &Setting) -> Request {
    let path = c.one_of(PATHS);
    let method = c.one_of(&["GET", "POST", "GET", "POST", "HEAD", "DELETE", "PUT"]);
    let caller = caller::choose(c);
    let mut target = format!("{}{path}", setting.prefix);
    if c.once_in(8) {
        let at = c.below(target.len() + 1);
        let trick = c.one_of(&["%", "/", "/./", "//", ";", "%2e", "\\", "\0", "\u{e9}", "?"]);
        target.insert_str(at, trick);
    }
    let form = method == "POST" && c.once_in(2);
    let pairs = parameters(c);
    if !pairs.is_empty() && (!form || c.once_in(4)) {
        target = format!("{target}?{pairs}");
    }
    let host = if c.once_in(16) {
        "other.example"
    } else {
        "metrics.example"
    };
    let mut head: Vec<(String, Vec<u8>)> = [
        (":method", method),
        (":scheme", "https"),
        (":authority", host),
        (":path", &target),
    ]
    .iter()
    .map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec()))
    .collect();
    head.extend(caller.fields.clone());
    if form {
        push(
            &mut head,
            "content-type",
            "application/x-www-form-urlencoded",
        );
    }
    while c.once_in(3) {
        let (name, value) = c.one_of(HEADERS);
        push(&mut head, name, value);
    }
    let narrowed = c
        .once_in(4)
        .then(|| c.one_of(&["team-a", "team-b", "infra", "team-a|team-b"]));
    if let Some(names) = narrowed {
        push(&mut head, "x-promfence-tenant", names);
    }
    let body = body(c, method, path, form, &pairs);
    if !form && !body.is_empty() {
        typed(&mut head, path);
    }
    if !body.is_empty() && c.once_in(2) {
        push(&mut head, "content-length", &body.len().to_string());
    }
    Request {
        message: Message { head, body },
        caller,
        narrowed,
    }
}

fn push(head: &mut Vec<(String, Vec<u8>)>, name: &str, value: &str) {
    head.push((name.to_owned(), value.as_bytes().to_vec()));
}

/// The content type that a client of an endpoint sends, unless another is there.
fn typed(head: &mut Vec<(String, Vec<u8>)>, path: &str) {
    let has = |name: &str, head: &[(String, Vec<u8>)]| head.iter().any(|(n, _)| n == name);
    let kind = if path.starts_with("/api/v2") {
        "application/json"
    } else {
        "application/x-protobuf"
    };
    if !has("content-type", head) {
        push(head, "content-type", kind);
    }
    if !path.starts_with("/api/v2") && !path.contains("otlp") && !has("content-encoding", head) {
        push(head, "content-encoding", "snappy");
    }
}

fn parameters(c: &mut Choices<'_>) -> String {
    let mut pairs = String::new();
    let mut add = |name: &str, value: &str| {
        if !pairs.is_empty() {
            pairs.push('&');
        }
        pairs.push_str(&format!("{name}={value}"));
    };
    if !c.once_in(4) {
        let query = if c.once_in(4) {
            String::from_utf8_lossy(c.bytes()).into_owned()
        } else {
            c.one_of(QUERIES).to_owned()
        };
        let name = c.one_of(&["query", "query", "match[]", "filter"]);
        add(name, &escaped(&query));
    }
    while c.once_in(2) {
        add(c.one_of(NAMES), c.one_of(VALUES));
    }
    pairs
}

fn escaped(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

fn body(c: &mut Choices<'_>, method: &str, path: &str, form: bool, pairs: &str) -> Vec<u8> {
    if form {
        return pairs.as_bytes().to_vec();
    }
    if method == "GET" || method == "HEAD" {
        return if c.once_in(8) {
            b"query=up".to_vec()
        } else {
            Vec::new()
        };
    }
    if path.starts_with("/api/v2") {
        let text = c.one_of(&[
            r#"{"matchers":[{"name":"a","value":"b","isRegex":false}],"startsAt":"2025-06-15T15:06:40Z","endsAt":"2025-06-16T15:06:40Z","createdBy":"x","comment":"y"}"#,
            r#"{"id":"01234567-89ab-cdef-0123-456789abcdef","matchers":[{"name":"tenant_id","value":"team-b","isRegex":false}],"startsAt":"2025-06-15T15:06:40Z","endsAt":"2025-06-16T15:06:40Z","createdBy":"x","comment":"y"}"#,
            r#"[{"labels":{"alertname":"x","tenant_id":"team-b"}},{"labels":{"alertname":"y"}}]"#,
            r#"[{"labels":{"alertname":"x","cluster":"eu","team":"x"}}]"#,
        ]);
        return mutated(c, text.as_bytes());
    }
    if path.contains("otlp") {
        return c.bytes().to_vec();
    }
    let message = if c.once_in(3) {
        c.bytes().to_vec()
    } else {
        protobuf(c, path.ends_with("read"))
    };
    if c.once_in(8) {
        return message;
    }
    snap::raw::Encoder::new().compress_vec(&message).unwrap()
}

/// A remote-write or remote-read request of a few labels or matchers.
fn protobuf(c: &mut Choices<'_>, read: bool) -> Vec<u8> {
    let mut message = Vec::new();
    for _ in 0..1 + c.below(3) {
        let mut series = if read {
            vec![0x08, 1, 0x10, 2]
        } else {
            Vec::new()
        };
        for _ in 0..c.below(4) {
            let name = c.one_of(&["__name__", "tenant_id", "job", "cluster"]);
            let value = c.one_of(&["team-b", "team-a", "x", ""]);
            let (at, first) = if read {
                (3, vec![0x08, c.byte() % 4])
            } else {
                (1, Vec::new())
            };
            let shift = u8::from(read);
            let label = [
                first,
                field(1 + shift, name.as_bytes()),
                field(2 + shift, value.as_bytes()),
            ];
            series.extend(field(at, &label.concat()));
        }
        if !read {
            series.extend(field(
                2,
                &[&[0x09][..], &1f64.to_le_bytes(), &[0x10, 0x01]].concat(),
            ));
        }
        message.extend(field(1, &series));
    }
    message
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

/// A text with, sometimes, other bytes at some place.
pub fn mutated(c: &mut Choices<'_>, text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    if c.once_in(4) {
        let at = (c.below(256) << 8 | c.below(256)) % (out.len() + 1);
        let other = c.bytes().to_vec();
        let end = (at + c.below(4)).min(out.len());
        out.splice(at..end, other);
    }
    out
}
