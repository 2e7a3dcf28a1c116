use serde::Deserialize;
use serde_json::json;

use super::Node;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Top {
    name: String,
    #[serde(default)]
    numbers: Vec<u8>,
    inner: Option<Inner>,
    #[serde(default)]
    choices: Vec<Choice>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Inner {
    flag: bool,
    size: f64,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Choice {
    Plain,
    With(Inner),
}

fn read(text: &str) -> Result<Top, Vec<String>> {
    let node: Node = serde_json::from_str(text).unwrap();
    node.read()
        .map_err(|p| p.iter().map(ToString::to_string).collect())
}

#[test]
fn a_right_tree_is_read_whole() {
    let top = read(
        r#"{"name":"x","numbers":[1,2],"inner":{"flag":true,"size":2},
            "choices":["plain",{"with":{"flag":false,"size":0.5}}]}"#,
    )
    .unwrap();
    assert_eq!(top.numbers, [1, 2]);
    assert_eq!(top.inner.unwrap().size, 2.0);
    assert_eq!(top.choices.len(), 2);
}

#[test]
fn every_problem_is_told_with_its_path() {
    let problems = read(
        r#"{"nam":"x","numbers":[1,"two",3,444],"inner":{"flag":"yes","size":2},
            "choices":["plain","other",{"with":{"flag":true}}]}"#,
    )
    .unwrap_err();
    let starts = [
        "nam: unknown field `nam`",
        "numbers[1]: invalid type",
        "numbers[3]: invalid value",
        "inner.flag: invalid type",
        "choices[1]: unknown variant `other`",
        "choices[2].with: missing field `size`",
        "missing field `name`",
    ];
    assert_eq!(problems.len(), starts.len(), "{problems:#?}");
    for (problem, start) in problems.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem}");
    }
}

#[test]
fn what_follows_from_a_told_problem_is_not_told() {
    assert_eq!(
        read(r#"{"name":"x","inner":{"flag":1,"size":1}}"#)
            .unwrap_err()
            .len(),
        1
    );
}

#[test]
fn a_name_that_stands_twice_is_refused() {
    assert_eq!(
        read(r#"{"name":"x","name":"y"}"#).unwrap_err(),
        ["name: stands twice"]
    );
}

#[test]
fn a_variant_with_too_many_members_or_a_needless_value_is_refused() {
    for choice in [
        r#"{"plain":1}"#,
        r#"{}"#,
        r#""with""#,
        r#"{"plain":null,"with":null}"#,
        "7",
    ] {
        let text = format!(r#"{{"name":"x","choices":[{choice}]}}"#);
        assert!(read(&text).is_err(), "{choice}");
    }
}

#[test]
fn a_value_of_serde_json_reads_alike() {
    let node = Node::from(json!({"name": "x", "inner": null}));
    let top: Top = node.read().unwrap();
    assert_eq!(top.name, "x");
    assert!(top.inner.is_none());
}
