//! Whole files: a good one has no finding, and each mistake has its own.

mod around;
mod envoy;
mod heads;
mod istio;
mod properties;
mod security;
mod shipped;

use super::*;

const CONFIG: &str = include_str!("tests/config.yaml");

/// The findings of files, as they are printed, without notes.
fn findings(files: &[(&str, &str)]) -> Vec<String> {
    let texts = files
        .iter()
        .map(|(n, t)| ((*n).to_owned(), t.as_bytes().to_vec()))
        .collect();
    let report = check(texts, &BTreeMap::new());
    let list = report.findings.list().iter();
    list.filter(|f| f.severity != Severity::Note)
        .map(Finding::to_string)
        .collect()
}

/// One mistake: what is replaced by what, and what is then said.
type Mistake = (&'static str, &'static str, &'static str);

/// Each mistake, made in a good file, gives a finding that contains its text; the good file gives
/// none.
fn each_is_found(name: &str, good: &str, others: &[(&str, &str)], mistakes: &[Mistake]) {
    let with = |text: &str| {
        let mut files = vec![(name, text)];
        files.extend_from_slice(others);
        findings(&files)
    };
    assert_eq!(with(good), Vec::<String>::new(), "the good file");
    for (from, to, expected) in mistakes {
        assert!(good.contains(from), "`{from}` is not in the file");
        let found = with(&good.replacen(from, to, 1));
        assert!(
            found.iter().any(|f| f.contains(expected)),
            "`{from}` -> `{to}`: expected `{expected}` in {found:#?}",
        );
    }
}

#[test]
fn a_configuration_is_read_as_yaml_and_as_json() {
    assert_eq!(findings(&[("config.yaml", CONFIG)]), Vec::<String>::new());
    let value: serde_json::Value = yaml_serde::from_str(CONFIG).unwrap();
    assert_eq!(
        findings(&[("config.json", &value.to_string())]),
        Vec::<String>::new()
    );
}

#[test]
fn a_problem_names_file_line_and_path() {
    let text = CONFIG.replace("valid: [", "valid: [\"a b\", ");
    let found = findings(&[("c.yaml", &text)]);
    assert!(
        found[0].starts_with("c.yaml:2: error: tenancy.valid[0]: "),
        "{found:?}"
    );
    let text = CONFIG.replace("audiences:", "audience:");
    let found = findings(&[("c.yaml", &text)]);
    assert!(
        found[0].contains("error: auth.issuers[0].audience: unknown field"),
        "{found:?}"
    );
}

#[test]
fn every_problem_of_the_policy_is_told() {
    let text = CONFIG
        .replace("max_tenants: 50", "max_tenants: 0")
        .replace("valid: [", "valid: [] #");
    let found = findings(&[("c.yaml", &text)]);
    assert!(
        found.iter().any(|f| f.contains("tenancy.max_tenants: ")),
        "{found:?}"
    );
    assert!(
        found.iter().any(|f| f.contains("tenancy.valid: ")),
        "{found:?}"
    );
}

#[test]
fn an_upstream_without_a_seal_is_a_warning() {
    let text = CONFIG.replace("    seal: seal-of-query-0123456789\n", "");
    let found = findings(&[("c.yaml", &text)]);
    assert!(
        found[0].contains("error: upstreams[1].thanos.seal: "),
        "{found:?}"
    );
    let lines: Vec<&str> = CONFIG.lines().filter(|l| !l.contains("seal")).collect();
    let found = findings(&[("c.yaml", &lines.join("\n"))]);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("c.yaml:1: warning: seal: is missing"),
        "{found:?}"
    );
}

#[test]
fn what_is_no_configuration_is_said_so() {
    for (text, expected) in [
        ("", "no configuration of promfence"),
        ("a: 1\n", "neither a configuration"),
        ("a: [\n", "not JSON or YAML"),
        ("{\"upstreams\": []", "not JSON or YAML"),
        ("upstreams: []\nupstreams: []\n", "duplicate"),
        (
            "apiVersion: v1\nkind: Service\n",
            "no configuration of promfence",
        ),
    ] {
        let found = findings(&[("f", text)]);
        assert_eq!(
            found.len(),
            if expected.starts_with("neither") {
                2
            } else {
                1
            },
            "{text}: {found:?}"
        );
        assert!(found[0].contains(expected), "{text}: {found:?}");
    }
}

#[test]
fn secrets_are_never_printed() {
    let text = CONFIG.replace("seal: seal-of-query-0123456789", "seal: \"hunter2\\u0000\"");
    assert!(
        findings(&[("c.yaml", &text)])
            .iter()
            .all(|f| !f.contains("hunter2"))
    );
}
