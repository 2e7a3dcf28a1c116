//! The worst shapes of 64 KiB: refused or confined in little time and memory, never a trap.

use std::time::Duration;

use super::*;

fn filled(unit: &str) -> String {
    unit.repeat(64 * 1024 / unit.len())
}

#[test]
fn no_shape_of_64_kib_takes_long() {
    // A debug build is some thirty times slower than the module.
    let most = Duration::from_millis(if cfg!(debug_assertions) { 400 } else { 20 });
    let mut cache = QueryCache::new(1 << 20, 0);
    let confiner = confiner(OnConflict::Intersect);
    confiner.warm_up();
    for unit in [
        "(",
        ")",
        "{",
        "}",
        "[",
        "-",
        "a",
        "a+",
        "a,",
        "abs(",
        "sum(",
        "sum by (a) (",
        "\"",
        "'",
        "`",
        "\\",
        "#",
        "#\n",
        "1",
        "1.",
        "1_",
        "1e",
        "1m",
        "_",
        ":",
        "a:",
        " ",
        "\n",
        "\u{e9}",
        "fill ",
        "fill\t\t",
        "a{b=\"c\"}+",
        "{a=\"b\",",
        "a[",
        "a[1m",
        "[5m:",
        "@",
        "a@1+",
        "!",
        "=",
        "a offset ",
        "a offset -",
        "a[((((",
        "a by (b,",
        "\"\\",
        "'\\u0",
        "a.",
        "and ",
        "0x",
        "inf+",
        "topk(1,",
        "a{b=~\"(((((((",
        "{a=~\"[[:",
        "-1^",
        "a==bool ",
        "\u{0}",
        "info(a,{",
        "a[1+",
        "a[min_of(1,",
    ] {
        for head in [
            "",
            "a",
            "a{",
            "a{b=~\"",
            "sum by (",
            "a[",
            "\"",
            "a offset ",
            "{\"",
            "abs(",
        ] {
            let query = format!("{head}{}", filled(unit));
            let (query, _) = query.split_at(query.floor_char_boundary(64 * 1024));
            #[expect(clippy::disallowed_methods, reason = "a test of the time it takes")]
            let start = std::time::Instant::now();
            let _ = confiner.query(&mut cache, query, &scope());
            let took = start.elapsed();
            assert!(took < most, "{head} {unit}: {took:?}");
            assert!(cache.bytes() <= 1 << 20);
        }
    }
}

#[test]
fn what_just_keeps_the_limits_is_confined() {
    let deep = |n: usize| format!("{}up{}", "abs(".repeat(n), ")".repeat(n));
    assert!(confine(&deep(64)).is_ok());
    assert!(confine(&deep(65)).unwrap_err().contains("guards.max_depth"));
    let wide = |n: usize| format!("up{}", "+up".repeat(n));
    assert!(confine(&wide(512)).is_ok());
    assert!(
        confine(&wide(513))
            .unwrap_err()
            .contains("guards.max_operators")
    );
    // All limits at once, the deepest tree for the second parser.
    let mut query = "up".to_owned();
    for _ in 0..64 {
        query = format!("({query}){}", "+a".repeat(8));
    }
    assert!(confine(&query).is_ok());
    let matchers = |n: usize| {
        let list: Vec<String> = (0..n).map(|i| format!("a{i}=\"x\"")).collect();
        format!("up{{{}}}", list.join(","))
    };
    assert!(confine(&matchers(256)).is_ok());
    assert!(
        confine(&matchers(257))
            .unwrap_err()
            .contains("guards.max_matchers")
    );
}

#[test]
fn the_deepest_tree_fits_a_small_stack() {
    // The largest limits that take effect; a debug build needs more stack than the module does.
    let guards = serde_json::from_str(r#"{"max_depth": 1000, "max_operators": 9000}"#).unwrap();
    let confiner = Confiner::new::<&str>(&[], OnConflict::Intersect, guards);
    let mut nested = "up".to_owned();
    for _ in 0..100 {
        nested = format!("topk({nested},up{})", "+a".repeat(8));
    }
    let chain = format!("up{}", "^-up".repeat(500));
    let run = move || {
        let mut cache = QueryCache::new(0, 0);
        for query in [&nested, &chain] {
            confiner.query(&mut cache, query, &scope()).unwrap();
        }
    };
    let thread = std::thread::Builder::new()
        .stack_size(512 * 1024)
        .spawn(run);
    thread.unwrap().join().unwrap();
}
