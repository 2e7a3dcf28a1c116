//! The project's own queries, with what becomes of each.

use serde_json::Value;

use super::*;

#[test]
fn each_own_query_becomes_what_its_line_says() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in include_str!("../../../tests/promql/own.jsonl").lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let query = case["query"].as_str().unwrap();
        let got = confine(query);
        let right = match (&got, case["confined"].as_str(), case["refused"].as_str()) {
            (Ok(text), Some(confined), None) => text == confined,
            (Err(text), None, Some(part)) => text.contains(part),
            _ => false,
        };
        if !right {
            wrong.push(format!("{query}\n  got {got:?}"));
        }
        count += 1;
    }
    assert!(count > 50, "the corpus is not whole: {count}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
