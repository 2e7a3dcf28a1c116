//! The shared corpus, with the verdicts of Prometheus' own parser.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::*;

fn corpus() -> Option<Vec<Value>> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::var_os("PROMFENCE_SHARED")
        .map(PathBuf::from)
        .into_iter()
        .chain([here.join("../shared"), here.join("../../shared")])
        .map(|shared| shared.join("corpus/promql"))
        .find(|folder| folder.is_dir());
    let Some(folder) = folder else {
        eprintln!("SKIPPED: the shared PromQL corpus is not there (PROMFENCE_SHARED, ../shared)");
        return None;
    };
    let mut cases = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|e| e == "jsonl") {
            let text = fs::read_to_string(path).unwrap();
            cases.extend(
                text.lines()
                    .map(|l| serde_json::from_str::<Value>(l).unwrap()),
            );
        }
    }
    assert!(
        cases.len() > 2000,
        "the corpus is not whole: {}",
        cases.len()
    );
    Some(cases)
}

#[test]
fn each_accepted_query_becomes_the_expected_text() {
    let mut wrong = Vec::new();
    for case in corpus().unwrap_or_default() {
        let query = case["query"].as_str().unwrap();
        let got = confine(query);
        if !case["go_accepts"].as_bool().unwrap() {
            // What Go refuses may be forwarded, if Go still refuses it: the differential test says.
            continue;
        }
        match (&got, case["golden_append"].as_str()) {
            (Ok(text), Some(golden)) if text == golden => {}
            (Err(_), None) => {}
            (Err(e), Some(_)) if e.contains("guards.max_") && over_limit(query) => {}
            _ => wrong.push(format!(
                "{query:.200}\n  got {got:?}\n  not {}",
                case["golden_append"]
            )),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The three kinds of queries that are made to exceed a limit.
fn over_limit(query: &str) -> bool {
    ["((((((((((", "----------", "a+a+a+a+a+", "sum(sum(sum(sum("]
        .iter()
        .any(|start| query.starts_with(start))
}

/// The queries that Prometheus accepts.
pub(super) fn accepted() -> Vec<String> {
    corpus()
        .unwrap_or_default()
        .iter()
        .filter(|case| case["go_accepts"] == true)
        .map(|case| case["query"].as_str().unwrap().to_owned())
        .collect()
}
