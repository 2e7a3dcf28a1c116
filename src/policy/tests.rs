use crate::config::Document;
use crate::exchange::Worker;

/// The paths of what is wrong with a configuration of one Prometheus, of whose options these are.
fn problems(options: &str, more: &str) -> Vec<String> {
    let text = format!(
        r#"{{"auth": {{"issuers": [{{"issuer": "i", "audiences": ["a"], "tenants": [{{"claim": "/t"}}],
            "keys": {{"inline": {{"keys": [{{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}]}}}}}}]{more},
            "upstreams": [{{"prometheus": {{"hosts": ["h"]{options}}}}}]}}"#
    );
    let document = Document::from_json(text.as_bytes()).unwrap();
    match Worker::new(&document, &|_| None, 1) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

fn assert_paths(problems: &[String], paths: &[&str]) {
    assert_eq!(problems.len(), paths.len(), "{problems:?}");
    for (problem, path) in problems.iter().zip(paths) {
        assert!(problem.starts_with(path), "{problem}");
    }
}

#[test]
fn a_function_that_can_never_be_allowed_is_named() {
    assert_paths(&problems("", "}"), &[]);
    let options = r#", "functions": {"allow": ["mine", "a-b", "sum"]}"#;
    assert_paths(
        &problems(options, "}"),
        &[
            "upstreams[0].prometheus.functions.allow[1]: ",
            "upstreams[0].prometheus.functions.allow[2]: ",
        ],
    );
}

#[test]
fn a_parameter_with_a_meaning_of_its_own_cannot_be_allowed() {
    let options =
        r#", "parameters": {"allow": ["nocache", "match[]", "Query", "tenant", "key", ""]}"#;
    assert_paths(
        &problems(options, r#", "token": {"query": "key"}}"#),
        &[
            "upstreams[0].prometheus.parameters.allow[1]: ",
            "upstreams[0].prometheus.parameters.allow[2]: ",
            "upstreams[0].prometheus.parameters.allow[3]: ",
            "upstreams[0].prometheus.parameters.allow[4]: ",
            "upstreams[0].prometheus.parameters.allow[5]: ",
        ],
    );
}

#[test]
fn narrowing_and_token_cannot_take_a_parameter_with_a_meaning_of_its_own() {
    let more = r#", "token": {"query": "time"}}, "tenancy": {"select": {"parameter": "match[]"}}"#;
    assert_paths(
        &problems("", more),
        &["tenancy.select.parameter: ", "auth.token.query: "],
    );
}

#[test]
fn what_may_carry_a_credential_cannot_be_allowed_to_an_upstream() {
    let allow = r#""headers": {"allow": ["x-token", "cookie", "authorization", "proxy-authorization", "x-other"]}"#;
    assert_paths(
        &problems("", &format!("}}, {allow}")),
        &["headers.allow[2]: ", "headers.allow[3]: "],
    );
    let token = r#""token": {"headers": [{"name": "X-Token"}], "cookie": {"name": "s", "origins": ["https://g"]}}"#;
    assert_paths(
        &problems("", &format!(", {token}}}, {allow}")),
        &[
            "headers.allow[0]: ",
            "headers.allow[1]: ",
            "headers.allow[2]: ",
            "headers.allow[3]: ",
        ],
    );
}

#[test]
fn a_header_that_carries_the_token_does_not_pass_though_it_would_otherwise() {
    let allows = |name: &str, token: &str| {
        let text = format!(
            r#"{{"auth": {{"static": [{{"name": "n", "bearer_sha256": "{}", "grant": {{"tenants": ["a"]}}}}]{token}}},
                "upstreams": [{{"prometheus": {{"hosts": ["h"]}}}}]}}"#,
            "ab".repeat(32)
        );
        let document = Document::from_json(text.as_bytes()).unwrap();
        let worker = Worker::new(&document, &|_| None, 1).unwrap();
        worker.policy.allowed.contains(name)
    };
    assert!(allows("baggage", ""));
    let token = r#", "token": {"headers": [{"name": "Baggage"}]}"#;
    assert!(!allows("baggage", token) && allows("b3", token));
}
