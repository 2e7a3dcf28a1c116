use super::*;
use crate::respond::tests::{in_blocks, tenant_a};

const A: &str = r#"{"tenant_id":"tenant-a"}"#;
const B: &str = r#"{"tenant_id":"tenant-b"}"#;

fn text(out: Result<Vec<u8>, AnswerError>) -> String {
    String::from_utf8(out.unwrap()).unwrap()
}

fn of_a(
    filter: fn(Blocks, &Scope) -> Result<Blocks, AnswerError>,
    body: &str,
) -> Result<Vec<u8>, AnswerError> {
    in_blocks(body, |body| filter(body, &tenant_a()))
}

fn metadata(body: impl Into<Vec<u8>>, names: &BTreeSet<String>) -> Result<Vec<u8>, AnswerError> {
    in_blocks(body, |body| super::metadata(body, names))
}

#[test]
fn exemplars_are_held_by_the_labels_of_their_series() {
    let body = format!(
        r#"{{"status":"success","data":[{{"seriesLabels":{B},"exemplars":[{{"labels":{A}}}]}},{{"exemplars":[],"seriesLabels":{A}}},{{"exemplars":[{{"labels":{A}}}]}}]}}"#
    );
    assert_eq!(
        text(of_a(exemplars, &body)),
        format!(r#"{{"status":"success","data":[{{"exemplars":[],"seriesLabels":{A}}}]}}"#)
    );
    let shape = r#"{"status":"success","data":{"seriesLabels":{}}}"#;
    assert_eq!(of_a(exemplars, shape), Err(AnswerError::Shape));
}

#[test]
fn dropped_targets_are_nobodys() {
    let body = format!(
        r#"{{"status":"success","data":{{"activeTargets":[{{"discoveredLabels":{A},"labels":{B}}},{{"labels":{A},"scrapeUrl":"u"}}],"droppedTargets":[{{"discoveredLabels":{A}}}],"droppedTargetCounts":{{"job-b":1}},"n":1}}}}"#
    );
    assert_eq!(
        text(of_a(targets, &body)),
        format!(
            r#"{{"status":"success","data":{{"activeTargets":[{{"labels":{A},"scrapeUrl":"u"}}],"droppedTargets":[],"droppedTargetCounts":{{}},"n":1}}}}"#
        )
    );
}

#[test]
fn metadata_is_cut_down_to_known_names() {
    let names = BTreeSet::from(["up".to_string()]);
    let body = r#"{"status":"success","data":{"canary":[{"help":"x"}],"\u0075p":[{"type":"gauge","help":"h","unit":""}],"upx":[]}}"#;
    assert_eq!(
        text(metadata(body, &names)),
        r#"{"status":"success","data":{"\u0075p":[{"type":"gauge","help":"h","unit":""}]}}"#
    );
}

#[test]
fn metadata_of_a_family_is_known_by_the_series_that_its_type_makes() {
    let names = BTreeSet::from(["requests_total".to_string(), "wait_bucket".into()]);
    let counter = r#""requests":[{"type":"counter","help":"own"}]"#;
    let histogram = r#""wait":[{"help":"own","type":"histogram"}]"#;
    let body = format!(
        r#"{{"status":"success","data":{{"request":[{{"type":"counter"}}],{counter},"requests_total_x":[],"wait":[{{"type":"summary","help":"canary"}},{{"help":"own","type":"histogram"}},{{"help":"canary"}}]}}}}"#
    );
    assert_eq!(
        text(metadata(body, &names)),
        format!(r#"{{"status":"success","data":{{{counter},{histogram}}}}}"#)
    );
    let body = r#"{"status":"success","data":{"requests":[{"type":"gauge","help":"canary"}],"wait":{"type":"histogram"}}}"#;
    assert_eq!(
        text(metadata(body, &names)),
        r#"{"status":"success","data":{}}"#
    );
}

#[test]
fn alerts_of_an_alertmanager_are_cut_alone_and_in_groups() {
    let alerts = format!(r#"[{{"labels":{B}}},{{"labels":{A},"status":{{"state":"active"}}}}]"#);
    assert_eq!(
        text(of_a(am_alerts, &alerts)),
        format!(r#"[{{"labels":{A},"status":{{"state":"active"}}}}]"#)
    );
    let groups = format!(
        r#"[{{"alerts":[{{"labels":{B}}}],"labels":{B}}},{{"alerts":{alerts},"labels":{{}}}}]"#
    );
    assert_eq!(
        text(of_a(am_groups, &groups)),
        format!(r#"[{{"alerts":[{{"labels":{A},"status":{{"state":"active"}}}}],"labels":{{}}}}]"#)
    );
    assert!(of_a(am_alerts, "{}").is_err());
}

#[test]
fn one_large_group_needs_no_window_of_its_size() {
    let alert = format!(r#"{{"labels":{A},"x":"{}"}}"#, "x".repeat(500));
    let list = vec![alert.as_str(); 4000].join(",");
    let body = format!(r#"[{{"labels":{{}},"alerts":[{list}]}}]"#);
    let blocks: Blocks = body.as_bytes().chunks(4096).map(<[u8]>::to_vec).collect();
    let out = am_groups(blocks, &tenant_a()).unwrap();
    // What stays has left block by block; of one window it would be one block.
    let blocks: Vec<Vec<u8>> = out.into_iter().collect();
    assert!(blocks.len() > 4, "{}", blocks.len());
    assert!(blocks.concat() == body.as_bytes());
}
