//! The largest and worst queries: what they cost in memory, and what the cache of queries tells.

use serde_json::json;

use super::lifecycle::{form, ready, serves};
use super::mint;
use super::run::{PLAIN, QUERY, Script};
use super::state::Answer;

const SIZE: usize = 64 * 1024;

fn filled(head: &str, unit: &str, tail: &str) -> String {
    let room = SIZE - head.len() - tail.len();
    format!("{head}{}{tail}", unit.repeat(room / unit.len()))
}

/// Queries up to the limits, and beyond those that count something else than bytes.
fn worst() -> Vec<(&'static str, String)> {
    vec![
        ("nesting", filled("", "(", "")),
        ("calls", filled("", "abs(", "")),
        ("signs", filled("", "-", "up")),
        ("operators", filled("", "a-", "a")),
        ("512 operators", vec!["a{b='c'}"; 513].join("+")),
        ("braces", filled("", "{", "")),
        ("quotes", filled("", "\"", "")),
        ("escapes", filled("up{a=\"", "\\\\", "\"}")),
        ("comments", filled("up", "#\n", "")),
        ("blanks", filled("up", " ", "")),
        ("numbers", filled("", "1", "")),
        ("matchers", filled("up{", "a='b',", "}")),
        ("subqueries", filled("up", "[1:]", "")),
        ("timestamps", filled("up", "@1", "")),
        ("labels", filled("sum by (a", ",a", ")(up)")),
        ("regexes", filled("{a=~\"", "(a|b*)", "\"}")),
        (
            "many regexes",
            vec![format!("{{a=~\"{}\"}}", "(a|b)".repeat(20)); 500].join("+"),
        ),
    ]
}

#[test]
fn no_query_takes_more_than_sixteen_times_its_size_in_memory() {
    for (name, query) in worst() {
        let (mut vm, root) = ready(&json!({}));
        serves(&mut vm, root);
        let pages = vm.pages();
        let body = format!("query={}", query.replace('%', "%25").replace('+', "%2B"));
        vm.exchange(
            root,
            (&form(), Some(body.as_bytes())),
            &Script::empty(),
            PLAIN,
            |_| Answer::reset(),
        );
        let grown = (vm.pages() - pages) * 64 * 1024;
        let most = 16 * u64::try_from(SIZE).unwrap();
        assert!(grown <= most, "{name}: {grown} bytes more");
        serves(&mut vm, root);
    }
}

#[test]
fn the_cache_of_queries_is_counted_and_its_bytes_go_with_its_configuration() {
    let (mut vm, root) = ready(&json!({}));
    let other = "/api/v1/query?query=down";
    for path in [QUERY, QUERY, QUERY, other] {
        vm.get(root, path, &mint::bearer("team-a"));
    }
    vm.second();
    let mut value = |name: &str| {
        let values = &vm.state().metrics.values;
        values
            .get(&format!("promfence.{name}"))
            .copied()
            .unwrap_or(0)
    };
    assert_eq!(value("query_cache.outcome.hit"), 2);
    assert_eq!(value("query_cache.outcome.miss"), 2);
    // `up` and `down` are alike.
    assert_eq!(value("query_shapes.outcome.hit"), 1);
    assert_eq!(value("query_shapes.outcome.miss"), 1);
    assert!(value("query_cache_bytes") > 0);
    vm.unload(root);
    assert_eq!(vm.state().metrics.values["promfence.query_cache_bytes"], 0);
}
