//! A generated answer of an upstream that holds another tenant's data beside the caller's.

use super::super::choices::Choices;
use super::super::invariants::{CANARY, Message};
use super::request::mutated;
use super::setting::Setting;

/// An answer, and whether its foreign parts are marked and must go.
pub fn choose(
    c: &mut Choices<'_>,
    setting: &Setting,
    path: &str,
    unlimited: bool,
) -> (Message, bool) {
    let status = c.one_of(&["200", "200", "200", "400", "503", "204", "500"]);
    let ok = status == "200";
    let (text, filtered) = body(setting, path, ok);
    let body = mutated(c, text.as_bytes());
    let kind = c.one_of(&[
        "application/json",
        "application/json",
        "text/plain",
        "application/json; charset=utf-8",
    ]);
    let mut head = vec![
        (":status".to_owned(), status.as_bytes().to_vec()),
        ("content-type".to_owned(), kind.as_bytes().to_vec()),
    ];
    if c.once_in(2) {
        head.push((
            "content-length".to_owned(),
            body.len().to_string().into_bytes(),
        ));
    }
    let marked = filtered && !unlimited && body == text.as_bytes();
    (Message { head, body }, marked)
}

/// An answer's text, and whether the canary must not leave.
fn body(setting: &Setting, path: &str, ok: bool) -> (String, bool) {
    let a = r#""labels":{"tenant_id":"team-a","cluster":"eu","team":"x"}"#;
    let b = format!(r#""labels":{{"tenant_id":"team-b","cluster":"eu","x":"{CANARY}"}}"#);
    let thanos = setting.kind == "thanos";
    if !ok {
        let text = format!(
            r#"{{"status":"error","errorType":"x","error":"store {{tenant_id=\"team-b\"}} {CANARY}"}}"#
        );
        return (text, thanos || always(setting, path));
    }
    let success = |data: String| format!(r#"{{"status":"success","data":{data}}}"#);
    let alert = |l: &str| {
        format!(r#"{{{l},"annotations":{{}},"state":"firing","activeAt":"x","value":"1"}}"#)
    };
    let rule = |l: &str| {
        let alerts = alert(l);
        format!(
            r#"{{"state":"firing","name":"r","query":"up","duration":0,{l},"annotations":{{}},"alerts":[{alerts}],"health":"ok","type":"alerting"}}"#
        )
    };
    let text = if path.ends_with("/api/v1/rules") {
        success(format!(
            r#"{{"groups":[{{"name":"g","file":"f","rules":[{},{}],"interval":60}}]}}"#,
            rule(a),
            rule(&b)
        ))
    } else if path.ends_with("/api/v1/alerts") {
        success(format!(r#"{{"alerts":[{},{}]}}"#, alert(a), alert(&b)))
    } else if path.ends_with("/api/v1/targets") {
        success(format!(
            r#"{{"activeTargets":[{{"discoveredLabels":{{}},{a},"scrapePool":"p"}},{{"discoveredLabels":{{}},{b}}}],"droppedTargets":[]}}"#
        ))
    } else if path.ends_with("/api/v1/metadata") {
        success(format!(
            r#"{{"up":[{{"type":"gauge","help":"","unit":""}}],"{CANARY}":[{{"type":"gauge","help":"","unit":""}}]}}"#
        ))
    } else if path.ends_with("/query_exemplars") {
        let l = |l: &str| l.replace("\"labels\"", "\"seriesLabels\"");
        success(format!(
            r#"[{{{},"exemplars":[]}},{{{},"exemplars":[]}}]"#,
            l(a),
            l(&b)
        ))
    } else if path.ends_with("/api/v2/alerts/groups") {
        format!(r#"[{{"labels":{{}},"receiver":{{"name":"r"}},"alerts":[{{{a}}},{{{b}}}]}}]"#)
    } else if path.ends_with("/api/v2/alerts") {
        format!(r#"[{{{a},"annotations":{{}}}},{{{b}}}]"#)
    } else if path.ends_with("/api/v2/silences") {
        let m = |t: &str, c: &str| {
            format!(
                r#"{{"id":"x","status":{{"state":"active"}},"matchers":[{{"name":"tenant_id","value":"{t}","isRegex":false,"isEqual":true}},{{"name":"cluster","value":"eu","isRegex":false,"isEqual":true}},{{"name":"team","value":"x","isRegex":false,"isEqual":true}}],"comment":"{c}"}}"#
            )
        };
        format!("[{},{}]", m("team-a", "own"), m("team-b", CANARY))
    } else if path.ends_with("/series") {
        let l = |l: &str| l.replace("\"labels\":", "");
        return (success(format!("[{},{}]", l(a), l(&b))), setting.verifies);
    } else if path.ends_with("/federate") {
        return (
            format!(
                "up{{tenant_id=\"team-a\",cluster=\"eu\",team=\"x\"}} 1\nup{{tenant_id=\"team-b\",x=\"{CANARY}\"}} 1\n"
            ),
            setting.verifies,
        );
    } else {
        let text = format!(r#"{{"status":"success","data":[],"warnings":["store {CANARY}"]}}"#);
        let warned = [
            "/query",
            "/query_range",
            "/labels",
            "/values",
            "/query_explain",
        ];
        return (text, thanos && warned.iter().any(|w| path.ends_with(w)));
    };
    (text, always(setting, path))
}

/// Whether an endpoint's answer is always cut down.
fn always(setting: &Setting, path: &str) -> bool {
    let list = [
        "/rules",
        "/alerts",
        "/query_exemplars",
        "/groups",
        "/silences",
    ];
    list.iter().any(|p| path.ends_with(p))
        || setting.names && path.ends_with("/metadata")
        || setting.targets && path.ends_with("/targets")
}
