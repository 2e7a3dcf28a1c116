use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::respond::tests::{hostile, in_blocks, is_subsequence, scope, tenant_a};

fn rules(
    body: impl Into<Vec<u8>>,
    scope: &Scope,
    options: RuleOptions,
) -> Result<Vec<u8>, AnswerError> {
    in_blocks(body, |body| super::rules(body, scope, options))
}

fn alerts(body: impl Into<Vec<u8>>, scope: &Scope) -> Result<Vec<u8>, AnswerError> {
    in_blocks(body, |body| super::alerts(body, scope))
}

fn filter(text: &str, options: RuleOptions) -> String {
    String::from_utf8(rules(text, &tenant_a(), options).unwrap()).unwrap()
}

fn document(rules: &str) -> String {
    format!(
        r#"{{"status":"success","data":{{"groups":[{{"name":"g","file":"f","rules":[{rules}],"interval":10}}]}}}}"#
    )
}

const ACTIVE: RuleOptions = RuleOptions {
    active_alerts: true,
    unlabelled: false,
};
const UNLABELLED: RuleOptions = RuleOptions {
    active_alerts: false,
    unlabelled: true,
};

#[test]
fn the_hostile_answers_are_filtered_as_expected() {
    for case in hostile("R-") {
        let path = case["request"]["path"].as_str().unwrap();
        let Some(body) = case["upstream_response"]["body"].as_str() else {
            continue;
        };
        let options = RuleOptions {
            active_alerts: case["config"] == "C-rules-active-alerts",
            unlabelled: false,
        };
        let out = match path.split('?').next() {
            Some("/api/v1/rules") => rules(body, &tenant_a(), options),
            Some("/api/v1/alerts") => alerts(body, &tenant_a()),
            _ => continue,
        };
        let Ok(out) = out else {
            let statuses = &case["expect"]["status"];
            assert!(
                statuses.as_array().is_some_and(|s| s.contains(&502.into())),
                "{}",
                case["id"]
            );
            continue;
        };
        let out = String::from_utf8(out).unwrap();
        for absent in case["expect"]["body_must_not_contain"]
            .as_array()
            .into_iter()
            .flatten()
        {
            assert!(
                !out.contains(absent.as_str().unwrap()),
                "{}: {absent}",
                case["id"]
            );
        }
        let out: Value = serde_json::from_str(&out).unwrap();
        if let Some(expected) = case["expect"].get("body_json") {
            assert_eq!(&out, expected, "{}", case["id"]);
        }
    }
}

#[test]
fn a_rule_stays_with_every_byte_of_it_and_groups_left_empty_go() {
    let text = r#" {"status" : "success", "data":{ "groups" : [ {"name":"b","rules":[{"labels":{"tenant_id":"tenant-b"}}]},
  {"x":1.0e+2,"rules":[ {"labels":{},"name":"none"}, {"labels":{"tenant_id":"tenant-a"},"value":1E400,"new":[1]} ],"name":"\u00e9"}, {"rules":[]} ],
  "groupNextToken":"t","groupErrors":["tenant-b"]}, "n":1,"list":["tenant-b"]}
"#;
    assert_eq!(
        filter(text, RuleOptions::default()),
        r#" {"status" : "success", "data":{ "groups" : [
  {"x":1.0e+2,"rules":[ {"labels":{"tenant_id":"tenant-a"},"value":1E400,"new":[1]} ],"name":"\u00e9"} ],
  "groupNextToken":"t"}, "n":1}
"#
    );
}

#[test]
fn alerts_of_thanos_rule_are_in_a_list_of_another_name() {
    let own = r#"{"labels":{"tenant_id":"tenant-a"},"state":"firing"}"#;
    let other = r#"{"labels":{"tenant_id":"tenant-b"},"state":"firing"}"#;
    let text = |list: &str| format!(r#"{{"status":"success","data":{{"Alerts":[{list}]}}}}"#);
    let body = text(&format!("{other},{own}"));
    assert_eq!(alerts(body, &tenant_a()), Ok(text(own).into_bytes()));
}

#[test]
fn alerts_inside_a_rule_that_stays_are_held_against_the_scope_too() {
    let rule = r#"{"state":"firing","labels":{"tenant_id":"tenant-a"},"alerts":[{"labels":{"tenant_id":"tenant-b"},"state":"firing"},{"labels":{"tenant_id":"tenant-a"},"state":"pending"}],"lastError":"own"}"#;
    assert_eq!(
        filter(&document(rule), RuleOptions::default()),
        document(
            r#"{"state":"pending","labels":{"tenant_id":"tenant-a"},"alerts":[{"labels":{"tenant_id":"tenant-a"},"state":"pending"}],"lastError":"own"}"#
        )
    );
    let rule = r#"{"alerts":[{"labels":{},"state":"firing"}],"labels":{"tenant_id":"tenant-a"},"state":"firing"}"#;
    assert_eq!(
        filter(&document(rule), RuleOptions::default()),
        document(r#"{"alerts":[],"labels":{"tenant_id":"tenant-a"},"state":"inactive"}"#)
    );
}

#[test]
fn a_shared_rule_shows_the_callers_active_alerts_and_not_its_last_error() {
    let rule = |alerts: &str| {
        format!(
            r#"{{"state":"firing","lastError":"series of tenant-b","labels":{{"x":"y"}},"alerts":[{alerts}]}}"#
        )
    };
    let own = r#"{"labels":{"tenant_id":"tenant-a"},"state":"pending"}"#;
    let other = r#"{"labels":{"tenant_id":"tenant-b"},"state":"firing"}"#;
    let resolved = r#"{"labels":{"tenant_id":"tenant-a"},"state":"inactive"}"#;
    let shown = document(&format!(
        r#"{{"state":"pending","labels":{{"x":"y"}},"alerts":[{own}]}}"#
    ));
    assert_eq!(
        filter(&document(&rule(&format!("{own},{other}"))), ACTIVE),
        shown
    );
    assert_eq!(
        filter(&document(&rule(&format!("{other},{own}"))), ACTIVE),
        shown
    );
    let nothing = r#"{"status":"success","data":{"groups":[]}}"#;
    for hidden in [rule(other), rule(resolved), rule("")] {
        assert_eq!(filter(&document(&hidden), ACTIVE), nothing);
    }
    assert_eq!(
        filter(&document(&rule(own)), RuleOptions::default()),
        nothing
    );
    // A template is a value like any other: such a rule is not known to be shared.
    let template = r#"{"labels":{"tenant_id":"{{ $labels.t }}"},"alerts":[{"labels":{"tenant_id":"tenant-a"},"state":"firing"}]}"#;
    assert_eq!(filter(&document(template), ACTIVE), nothing);
}

#[test]
fn rules_without_the_labels_are_shown_by_option_with_nobody_elses_alerts() {
    let rule = r#"{"state":"firing","labels":{},"alerts":[{"labels":{"a":"b"},"state":"pending"},{"labels":{"tenant_id":"tenant-b"},"state":"firing"}],"lastError":"tenant-b"}"#;
    let recording = r#"{"name":"r","labels":{}}"#;
    let other = r#"{"name":"r","labels":{"tenant_id":"tenant-b"}}"#;
    assert_eq!(
        filter(
            &document(&format!("{other},{rule},{recording}")),
            UNLABELLED
        ),
        document(&format!(
            r#"{{"state":"pending","labels":{{}},"alerts":[{{"labels":{{"a":"b"}},"state":"pending"}}]}},{recording}"#
        ))
    );
}

#[test]
fn what_is_not_a_successful_answer_of_this_shape_is_refused() {
    let a = tenant_a();
    for bad in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"data":{"groups":[]}}"#,
        r#"{"status":"error","error":"tenant-b","errorType":"internal"}"#,
        r#"{"status":"success","data":{"groups":[]},"error":"tenant-b"}"#,
        r#"{"status":"success","data":[]}"#,
        r#"{"status":"success","data":{"groups":{}}}"#,
        r#"{"status":"success","data":{"groups":[1]}}"#,
        r#"{"status":"success","data":{"groups":[{"rules":[1]}]}}"#,
        r#"{"status":"success","data":{"groups":[{"rules":[{"labels":{"tenant_id":"tenant-a"},"alerts":[1]}]}]}}"#,
        r#"{"status":"success","data":{"groups":[{"rules":[{"state":"firing","state":"x"}]}]}}"#,
        r#"{"status":"success","data":{"groups":[]}}x"#,
        r#"{"status":"success","data":{"groups":[]}"#,
    ] {
        assert!(rules(bad, &a, ACTIVE).is_err(), "{bad}");
    }
    let latin = b"{\"status\":\"success\",\"data\":{\"groups\":[]},\"x\":\"\xff\"}";
    assert!(rules(latin.to_vec(), &a, ACTIVE).is_err());
}

#[test]
fn warnings_of_stores_go() {
    let text = r#"{"status":"success","data":{"alerts":[]},"warnings":["10.0.0.1 {tenant_id=\"tenant-b\"}","PromQL warning: x"],"infos":["store"]}"#;
    assert_eq!(
        String::from_utf8(alerts(text, &tenant_a()).unwrap()).unwrap(),
        r#"{"status":"success","data":{"alerts":[]},"warnings":["PromQL warning: x"]}"#
    );
}

/// A label set whose tenant is one of a few, `canary` only where it is another's.
fn labels() -> impl Strategy<Value = (Option<bool>, String)> {
    prop::sample::select(vec![
        (
            Some(true),
            r#"{"tenant_id":"tenant-a","n":"own"}"#.to_string(),
        ),
        (
            Some(true),
            r#"{ "n" : "é\n" ,"tenant\u005fid":"tenant-a"}"#.to_string(),
        ),
        (None, "{}".to_string()),
        (
            Some(false),
            r#"{"n":"canary","tenant_id":"tenant-b"}"#.to_string(),
        ),
        (
            Some(false),
            r#"{"n":"canary","tenant_id":"tenant-a","tenant_id":"tenant-b"}"#.to_string(),
        ),
    ])
}

fn alert_text() -> impl Strategy<Value = String> {
    (labels(), prop::sample::select(vec!["firing", "pending"])).prop_map(|((_, l), s)| {
        format!(r#"{{"labels":{l},"annotations":{{"a":"]}},{{"}},"state":"{s}","value":"1e+00"}}"#)
    })
}

fn rule_text() -> impl Strategy<Value = String> {
    (
        labels(),
        prop::collection::vec(alert_text(), 0..4),
        any::<bool>(),
    )
        .prop_map(|((own, l), alerts, labels_first)| {
            let query = if own == Some(true) { "up" } else { "canary" };
            let (alerts, labels) = (
                format!("\"alerts\": [{}]", alerts.join(" ,")),
                format!("\"labels\":{l}"),
            );
            let (a, b) = if labels_first {
                (labels, alerts)
            } else {
                (alerts, labels)
            };
            format!(r#"{{"state":"firing","query":"{query}",{a},{b},"duration":1.50}}"#)
        })
}

fn rules_text() -> impl Strategy<Value = String> {
    let group = prop::collection::vec(rule_text(), 0..4).prop_map(|r| {
        format!(
            "{{\"name\":\"g\", \"rules\":[\n{}\n],\"limit\":0}}",
            r.join(",\n")
        )
    });
    prop::collection::vec(group, 0..4).prop_map(|g| {
        format!(
            "{{\"status\":\"success\",\"data\":{{\"groups\":[{}]}}}}\n",
            g.join(", ")
        )
    })
}

/// The same filter, the slow way: on a tree.
fn expected(text: &str) -> Value {
    let mut tree: Value = serde_json::from_str(text).unwrap();
    let own = |v: &Value| v["labels"]["tenant_id"] == "tenant-a";
    let groups = tree["data"]["groups"].as_array_mut().unwrap();
    for group in groups.iter_mut() {
        let rules = group["rules"].as_array_mut().unwrap();
        rules.retain(own);
        for rule in rules {
            let alerts = rule["alerts"].as_array_mut().unwrap();
            let before = alerts.len();
            alerts.retain(own);
            if alerts.len() != before {
                let has = |s: &str| alerts.iter().any(|a| a["state"] == s);
                let state = if has("firing") {
                    "firing"
                } else if has("pending") {
                    "pending"
                } else {
                    "inactive"
                };
                rule["state"] = state.into();
            }
        }
    }
    groups.retain(|g| g["rules"].as_array().is_some_and(|r| !r.is_empty()));
    tree
}

proptest! {
    #[test]
    fn nothing_of_another_tenant_is_left_and_the_rest_is_what_a_tree_would_keep(text in rules_text()) {
        let out = filter(&text, RuleOptions::default());
        prop_assert!(!out.contains("canary") && !out.contains("tenant-b"), "{}", out);
        // A tree keeps the last of two labels; such alerts are cut.
        if !text.contains(r#""tenant-a","tenant_id""#) {
            prop_assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expected(&text));
        }
        for options in [ACTIVE, UNLABELLED] {
            let out = filter(&text, options);
            prop_assert!(!out.contains("tenant-b"), "{}", out);
            prop_assert!(serde_json::from_str::<Value>(&out).is_ok());
        }
    }

    #[test]
    fn what_is_kept_are_the_upstreams_own_bytes(text in rules_text()) {
        // Without a change of state, the output is the input with bytes left out.
        let still = text.replace("\"state\":\"pending\"", "\"state\":\"firing\"");
        let out = filter(&still, RuleOptions::default()).replace("inactive", "firing");
        prop_assert!(is_subsequence(out.as_bytes(), still.as_bytes()), "{}", out);
    }

    #[test]
    fn a_filter_that_admits_all_gives_the_input(text in rules_text()) {
        prop_assert_eq!(&rules(text.clone(), &Scope::new(Vec::new()), ACTIVE).unwrap(), text.as_bytes());
        let own = text.replace("{}", r#"{"tenant_id":"tenant-c"}"#).replace(r#""tenant-a","tenant_id":"#, r#""x","z":"#);
        let all = scope(&[("tenant_id", &["tenant-a", "tenant-b", "tenant-c", "x"])]);
        // Groups without rules go whatever the scope.
        if !own.contains("[\n\n]") {
            prop_assert_eq!(rules(own.clone(), &all, RuleOptions::default()).unwrap(), own.into_bytes());
        }
    }

    #[test]
    fn no_bytes_are_a_panic(mut text in rules_text().prop_map(String::into_bytes), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        if let Some(b) = { let i = at.index(text.len()); text.get_mut(i) } {
            *b = with;
        }
        for options in [ACTIVE, UNLABELLED] {
            if let Ok(out) = rules(text.clone(), &tenant_a(), options) {
                prop_assert!(serde_json::from_slice::<Value>(&out).is_ok());
            }
        }
    }
}

#[test]
fn filtering_needs_no_memory_besides_the_body() {
    let rule = |t: &str| format!(r#"{{"labels":{{"tenant_id":"{t}"}},"alerts":[]}}"#);
    let many = vec![format!("{},{}", rule("tenant-a"), rule("tenant-b")); 2000].join(",");
    let body = document(&many).into_bytes();
    let (at, capacity) = (body.as_ptr(), body.capacity());
    let out = super::rules(body.into(), &tenant_a(), RuleOptions::default());
    let out = out.unwrap().join();
    assert_eq!((out.as_ptr(), out.capacity()), (at, capacity));
    assert_eq!(
        out,
        document(&vec![rule("tenant-a"); 2000].join(",")).into_bytes()
    );
}

#[test]
fn what_was_cut_before_a_rule_makes_no_room_in_it() {
    let cut = r#"{"labels":{"tenant_id":"tenant-b"},"name":"bbbbbbbbbbbbbbbb"}"#;
    for (state, shown) in [
        ("", false),
        ("abcd", false),
        ("firing", true),
        ("inactive", true),
    ] {
        let rule = format!(
            r#"{{"query":"{}","state":"{state}","labels":{{"tenant_id":"tenant-a"}},"alerts":[{{}}]}}"#,
            "q".repeat(3000)
        );
        // `rules` reads it in blocks of many sizes.
        let out = rules(document(&format!("{cut},{rule}")), &tenant_a(), UNLABELLED);
        assert_eq!(out.is_ok(), shown, "{state}");
    }
}

#[test]
fn one_large_group_leaves_while_it_is_read() {
    let rule = format!(
        r#"{{"query":"{}","labels":{{"tenant_id":"tenant-a"}}}}"#,
        "q".repeat(500)
    );
    let text = document(&vec![rule.as_str(); 4000].join(","));
    let blocks = text.as_bytes().chunks(4096).map(<[u8]>::to_vec).collect();
    let out = super::rules(blocks, &tenant_a(), RuleOptions::default()).unwrap();
    let blocks: Vec<Vec<u8>> = out.into_iter().collect();
    assert!(blocks.len() > 4, "{}", blocks.len());
    assert!(blocks.concat() == text.as_bytes());
}
