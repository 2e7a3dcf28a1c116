//! Reading answers: which tenants are in them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::client::Answer;

/// The values of `data` of an answer that is a list of texts.
pub(super) fn texts(answer: &Answer) -> Option<BTreeSet<String>> {
    let json: Value = serde_json::from_slice(&answer.body).ok()?;
    let list = json.get("data")?.as_array()?;
    Some(
        list.iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    )
}

/// Every value that a label has anywhere in an answer.
pub(super) fn values(answer: &Answer, label: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if let Ok(json) = serde_json::from_slice(&answer.body) {
        collect(&json, label, &mut found);
    }
    found
}

fn collect(value: &Value, label: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                match value.as_str() {
                    Some(text) if name == label => {
                        found.insert(text.to_owned());
                    }
                    Some(_) | None => collect(value, label, found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|v| collect(v, label, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Text as a part of a query string.
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 3);
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_found_wherever_it_stands() {
        let body = br#"{"data":{"result":[{"metric":{"t":"a","x":"t"},"value":[1,"2"]},{"metric":{"t":"b"}}]}}"#;
        let answer = Answer {
            status: 200,
            body: body.to_vec(),
        };
        assert_eq!(
            values(&answer, "t"),
            BTreeSet::from(["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(encode("up{a=\"b\"}"), "up%7Ba%3D%22b%22%7D");
    }
}
