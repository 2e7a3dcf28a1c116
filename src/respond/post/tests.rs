use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::respond::silence_in_scope;
use crate::respond::tests::{hostile, scope, tenant_a};
use crate::scope::OnConflict;

const REST: &str = r#""startsAt":"2026-01-01T00:00:00Z","endsAt":"2026-01-02T00:00:00Z","createdBy":"x","comment":"c""#;

fn silence(matchers: &str) -> String {
    format!(r#"{{"matchers":[{matchers}],{REST}}}"#)
}

fn post(text: &str, scope: &Scope, conflict: OnConflict) -> Result<Value, BodyError> {
    let out = post_silences(text.as_bytes(), scope, conflict)?;
    Ok(serde_json::from_slice(&out.body).unwrap())
}

#[test]
fn the_hostile_silences_are_confined_or_refused() {
    for case in hostile("A-") {
        if case["request"]["method"] != "POST" || case["request"]["path"] != "/api/v2/silences" {
            continue;
        }
        let body = case["request"]["body"].as_str().unwrap();
        let out = post_silences(body.as_bytes(), &tenant_a(), OnConflict::Intersect);
        if case["expect"]["status"] == 200 {
            let out: Value = serde_json::from_slice(&out.unwrap().body).unwrap();
            assert_eq!(
                out["matchers"][0],
                case["expect"]["upstream"]["json"]["matchers[0]"]
            );
        } else if case["expect"]["status"] == 400 {
            assert!(out.is_err(), "{}", case["id"]);
        } else {
            let looked_up = out.unwrap().id.unwrap();
            assert!(body.contains(&looked_up), "{}", case["id"]);
        }
    }
}

#[test]
fn the_enforced_matcher_stands_first_and_the_rest_is_kept() {
    let own = r#"{"name":"a","value":"b\"é","isRegex":false}"#;
    let out = post(&silence(own), &tenant_a(), OnConflict::Intersect).unwrap();
    assert_eq!(
        out,
        json!({
            "matchers": [
                {"name": "tenant_id", "value": "tenant-a", "isRegex": false, "isEqual": true},
                {"name": "a", "value": "b\"é", "isRegex": false, "isEqual": true},
            ],
            "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-02T00:00:00Z", "createdBy": "x", "comment": "c",
        })
    );
    let two = scope(&[("tenant_id", &["a.b", "c"]), ("pod", &["p"])]);
    let out = post(&silence(own), &two, OnConflict::Intersect).unwrap();
    assert_eq!(
        out["matchers"][0],
        json!({"name": "tenant_id", "value": "a\\.b|c", "isRegex": true, "isEqual": true})
    );
    assert_eq!(
        out["matchers"][1],
        json!({"name": "pod", "value": "p", "isRegex": false, "isEqual": true})
    );
    let already = r#"{"name":"a","value":"b","isRegex":false},{"name":"tenant_id","value":"tenant-a","isRegex":false}"#;
    let out = post(&silence(already), &tenant_a(), OnConflict::Reject).unwrap();
    assert_eq!(out["matchers"].as_array().unwrap().len(), 2);
}

#[test]
fn a_matcher_of_the_users_own_follows_the_policy() {
    let any = r#"{"name":"tenant_id","value":".*","isRegex":true}"#;
    let out = post(&silence(any), &tenant_a(), OnConflict::Intersect).unwrap();
    assert_eq!(out["matchers"].as_array().unwrap().len(), 2);
    let out = post(&silence(any), &tenant_a(), OnConflict::Replace).unwrap();
    assert_eq!(out["matchers"].as_array().unwrap().len(), 1);
    assert_eq!(
        post(&silence(any), &tenant_a(), OnConflict::Reject),
        Err(BodyError::Conflict)
    );
    for conflict in [
        OnConflict::Intersect,
        OnConflict::Replace,
        OnConflict::Reject,
    ] {
        for foreign in ["tenant-b", "", "tenant-b|tenant-c"] {
            let regex = foreign.contains('|');
            let m = format!(r#"{{"name":"tenant_id","value":"{foreign}","isRegex":{regex}}}"#);
            assert_eq!(
                post(&silence(&m), &tenant_a(), conflict),
                Err(BodyError::Foreign),
                "{foreign}"
            );
        }
    }
}

#[test]
fn what_alertmanager_might_read_otherwise_is_refused() {
    let a = tenant_a();
    let m = r#"{"name":"a","value":"b","isRegex":false}"#;
    let good = silence(m);
    assert!(post(&good, &a, OnConflict::Intersect).is_ok());
    for bad in [
        silence(""),
        good.replace(r#""matchers""#, r#""Matchers""#),
        good.replace('}', r#","x":1}"#),
        good.replace(r#""comment""#, r#""MATCHERS":[],"comment""#),
        good.replace(r#""comment""#, "\"matcher\u{17f}\":[],\"comment\""),
        good.replace(r#""comment""#, r#""matcher\u017f":[],"comment""#),
        good.replace(r#""comment""#, r#""matchers":[],"comment""#),
        good.replace(r#""comment""#, r#""m\u0061tchers":[],"comment""#),
        good.replace(
            r#""comment""#,
            r#""ID":"00000000-0000-4000-8000-00000000000b","comment""#,
        ),
        good.replace(
            r#""comment""#,
            r#""id":"00000000-0000-4000-8000-00000000000","comment""#,
        ),
        good.replace(r#""comment""#, r#""id":"../status/","comment""#),
        good.replace(r#""comment""#, r#""id":null,"comment""#),
        good.replace(r#""comment":"c""#, r#""comment":1"#),
        good.replace(r#""comment":"c""#, r#""comment":"\ud800""#),
        good.replace(r#","comment":"c""#, ""),
        good.replace(r#""name":"a""#, r#""name":"a","Name":"tenant_id""#),
        good.replace(r#""name":"a""#, r#""name":"a","name":"b""#),
        good.replace(r#""name":"a""#, r#""name":"a","isEqual":null"#),
        good.replace(r#","isRegex":false"#, ""),
        good.replace("false", "\"false\""),
        good.replace(&format!("[{m}]"), "null"),
        good.replace(&format!("[{m}]"), m),
        format!("{good}{good}"),
        format!("[{good}]"),
        format!("\u{feff}{good}"),
        String::new(),
    ] {
        assert!(post(&bad, &a, OnConflict::Intersect).is_err(), "{bad}");
    }
}

#[test]
fn an_id_is_given_back_to_be_looked_up() {
    let id = "00000000-0000-4000-8000-00000000000b";
    let text = silence(r#"{"name":"a","value":"b","isRegex":false}"#).replacen(
        '{',
        &format!(r#"{{"id":"{id}","#),
        1,
    );
    let out = post_silences(text.as_bytes(), &tenant_a(), OnConflict::Intersect).unwrap();
    assert_eq!(out.id.as_deref(), Some(id));
    assert_eq!(
        serde_json::from_slice::<Value>(&out.body).unwrap()["id"],
        id
    );
    let empty = text.replace(id, "");
    assert_eq!(
        post_silences(empty.as_bytes(), &tenant_a(), OnConflict::Intersect)
            .unwrap()
            .id,
        None
    );
}

#[test]
fn posted_alerts_get_the_label_or_are_refused() {
    let alerts = |text: &str, scope: &Scope| {
        post_alerts(text.as_bytes(), scope).map(|b| serde_json::from_slice::<Value>(&b).unwrap())
    };
    let text = r#"[{"labels":{"alertname":"x"},"annotations":{"a":"b"},"startsAt":"s","generatorURL":"g"},{"labels":{"tenant_id":"tenant-a"}}]"#;
    assert_eq!(
        alerts(text, &tenant_a()).unwrap(),
        json!([
            {"labels": {"alertname": "x", "tenant_id": "tenant-a"}, "annotations": {"a": "b"}, "startsAt": "s", "generatorURL": "g"},
            {"labels": {"tenant_id": "tenant-a"}},
        ])
    );
    assert_eq!(alerts("[]", &tenant_a()).unwrap(), json!([]));
    let two = scope(&[("tenant_id", &["tenant-a", "tenant-c"])]);
    assert_eq!(alerts(text, &two), Err(BodyError::Ambiguous));
    for bad in [
        r#"[{"labels":{"tenant_id":"tenant-b"}}]"#,
        r#"[{"labels":{"tenant_id":""}}]"#,
        r#"[{"labels":{"tenant_id":"tenant-a","tenant_id":"tenant-b"}}]"#,
        r#"[{"labels":{},"Labels":{"tenant_id":"tenant-b"}}]"#,
        r#"[{"labels":{},"labels":{"tenant_id":"tenant-b"}}]"#,
        r#"[{"labels":{"a":1}}]"#,
        r#"[{"labels":null}]"#,
        r#"[{}]"#,
        r#"[null]"#,
        r#"{"labels":{}}"#,
        r#"[{"labels":{}}] x"#,
    ] {
        assert!(alerts(bad, &tenant_a()).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn what_is_posted_is_the_callers_when_it_is_read_back(
        name in prop::sample::select(vec!["tenant_id", "a", "pod"]),
        value in prop::sample::select(vec!["tenant-a", "tenant-b", ".*", "x", "tenant-a|tenant-b", ""]),
        regex in any::<bool>(), equal in any::<bool>(),
        conflict in prop::sample::select(vec![OnConflict::Intersect, OnConflict::Replace, OnConflict::Reject]),
    ) {
        let two = scope(&[("tenant_id", &["tenant-a"]), ("pod", &["x", "y"])]);
        let text = silence(&json!({"name": name, "value": value, "isRegex": regex, "isEqual": equal}).to_string());
        if let Ok(out) = post_silences(text.as_bytes(), &two, conflict) {
            prop_assert_eq!(silence_in_scope(&out.body, &two), Ok(true));
        }
    }
}
