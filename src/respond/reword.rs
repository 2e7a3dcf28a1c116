//! Errors of upstreams in our own words: theirs may name stores, rules and series of anybody.

use super::AnswerError;
use super::json::{Cursor, Kind, quote};

/// In what form an upstream's clients expect an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorForm {
    /// Prometheus, Thanos Query and Thanos Rule: an object with `status`, `errorType`, `error`.
    Prometheus,
    /// Alertmanager: a string.
    Alertmanager,
}

/// A body that says what kind of thing failed, without a word of the upstream's.
///
/// Of the upstream's body only the error type, if it is a known one, and which of a few known
/// errors it is count.
#[must_use]
pub fn reword_error(status: u16, body: &[u8], form: ErrorForm) -> Vec<u8> {
    let (kind, text) = read(body).unwrap_or_default();
    let kind = KINDS.iter().find(|(name, _)| *name == kind);
    let known = KNOWN.iter().find(|(sign, _)| text.contains(sign));
    let (name, general) = kind.copied().unwrap_or_else(|| by_status(status));
    let words = known.map_or(general, |(_, words)| *words);
    let mut out = Vec::with_capacity(160);
    match form {
        ErrorForm::Prometheus => {
            out.extend(br#"{"status":"error","errorType":"#);
            quote(name, &mut out);
            out.extend(br#","error":"#);
            quote(words, &mut out);
            out.push(b'}');
        }
        ErrorForm::Alertmanager => quote(words, &mut out),
    }
    out.push(b'\n');
    out
}

/// The error types that Prometheus and Thanos know, and what each says by itself.
const KINDS: &[(&str, &str)] = &[
    ("timeout", "the upstream ran out of time"),
    ("canceled", "the query was canceled"),
    ("execution", "the upstream could not execute the query"),
    ("bad_data", "the upstream refused the request as invalid"),
    ("internal", "the upstream failed"),
    ("unavailable", "the upstream is not available"),
    ("not_found", "the upstream has found nothing"),
    (
        "not_acceptable",
        "the upstream cannot answer in an acceptable form",
    ),
    ("cost_limit", "the query is too costly"),
];

/// Signs of errors that a user can do something about, and what is said in their place. The first
/// that fits counts. No text of the upstream's is repeated.
const KNOWN: &[(&str, &str)] = &[
    ("query timed out", "query timed out"),
    ("context deadline exceeded", "query timed out"),
    ("query was canceled", "query was canceled"),
    ("context canceled", "query was canceled"),
    (
        "exceeded maximum resolution of 11,000 points",
        "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
    ),
    (
        "would load too many samples",
        "query processing would load too many samples into memory",
    ),
    (
        "zero or negative query resolution step",
        "zero or negative query resolution step widths are not accepted. Try a positive integer",
    ),
    (
        "end timestamp must not be before start",
        "end timestamp must not be before start time",
    ),
    (
        "many-to-many matching not allowed",
        "many-to-many matching not allowed: matching labels must be unique on one side",
    ),
    (
        "many-to-one matching must be explicit",
        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
    ),
    (
        "multiple matches for labels",
        "multiple matches for labels: grouping labels must ensure unique matches",
    ),
    (
        "same labelset",
        "vector cannot contain metrics with the same labelset",
    ),
    ("too many queries", "too many queries are running"),
    ("exceeded series limit", "the query selects too many series"),
    ("exceeded chunks limit", "the query selects too many chunks"),
    (
        "exceeded samples limit",
        "the query selects too many samples",
    ),
    ("exceeded bytes limit", "the query selects too many bytes"),
    ("parse error", "the query could not be parsed"),
    (
        "unknown function",
        "the query could not be parsed: unknown function",
    ),
];

fn by_status(status: u16) -> (&'static str, &'static str) {
    match status {
        400 => ("bad_data", "the upstream refused the request as invalid"),
        401 | 403 => ("unavailable", "the upstream refused access"),
        404 => ("not_found", "the upstream has found nothing"),
        408 | 504 => ("timeout", "the upstream ran out of time"),
        422 => ("execution", "the upstream could not execute the query"),
        429 => ("unavailable", "the upstream is asked too much at once"),
        499 => ("canceled", "the query was canceled"),
        503 => ("unavailable", "the upstream is not available"),
        _ => ("internal", "the upstream failed"),
    }
}

/// The error type and the text of an error, as far as they can be read.
fn read(body: &[u8]) -> Result<(String, String), AnswerError> {
    let mut c = Cursor::new(body)?;
    let (mut kind, mut text) = (String::new(), String::new());
    if c.kind()? == Kind::String {
        return Ok((kind, c.string()?.text()?.into_owned()));
    }
    c.members(|c, key| {
        if c.kind()? == Kind::String {
            let value = c.string()?;
            if key.is("errorType") {
                kind = value.text()?.into_owned();
            } else if key.is("error") || key.is("message") {
                text = value.text()?.into_owned();
            }
            return Ok(());
        }
        c.skip()
    })?;
    Ok((kind, text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn reword(status: u16, body: &str) -> Value {
        serde_json::from_slice(&reword_error(
            status,
            body.as_bytes(),
            ErrorForm::Prometheus,
        ))
        .unwrap()
    }

    #[test]
    fn a_known_error_is_told_in_our_words() {
        let body = r#"{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation of {tenant_id=\"canary\"}"}"#;
        assert_eq!(
            reword(503, body),
            json!({"status": "error", "errorType": "timeout", "error": "query timed out"})
        );
        let body = r#"{"status":"error","errorType":"execution","error":"expanding series: canary 10.0.0.1"}"#;
        assert_eq!(
            reword(422, body),
            json!({"status": "error", "errorType": "execution", "error": "the upstream could not execute the query"})
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_status() {
        for body in [
            "",
            "<html>canary</html>",
            "no healthy upstream",
            "[1]",
            r#"{"errorType":"canary"}"#,
            "\"canary\"",
            "{\"error\":",
        ] {
            let out = reword(503, body);
            assert_eq!(out["errorType"], "unavailable", "{body}");
            assert!(!out.to_string().contains("canary"));
        }
        assert_eq!(
            reword_error(404, b"", ErrorForm::Alertmanager),
            b"\"the upstream has found nothing\"\n"
        );
    }

    proptest! {
        #[test]
        fn no_word_of_the_upstream_is_repeated(
            status in any::<u16>(), kind in "[a-z_]{0,12}|internal", text in "(canary|query timed out|x|parse error| |é)*"
        ) {
            let body = json!({"status": "error", "errorType": kind, "error": format!("canary {text}")}).to_string();
            for form in [ErrorForm::Prometheus, ErrorForm::Alertmanager] {
                let out = String::from_utf8(reword_error(status, body.as_bytes(), form)).unwrap();
                prop_assert!(!out.contains("canary"));
                prop_assert!(serde_json::from_str::<Value>(&out).is_ok());
            }
        }
    }
}
