mod corpus;
mod own;
mod properties;
mod shapes;
mod speed;

use super::*;
use crate::scope::Enforced;
use crate::tenant::LabelName;

fn scope() -> Scope {
    Scope::new(vec![
        Enforced::values(LabelName::parse("tenant_id").unwrap(), ["a"]).unwrap(),
    ])
}

fn confiner(on_conflict: OnConflict) -> Confiner {
    Confiner::new::<&str>(&[], on_conflict, Guards::default())
}

fn confine(text: &str) -> Result<String, String> {
    under(OnConflict::Intersect, text)
}

fn under(on_conflict: OnConflict, text: &str) -> Result<String, String> {
    let mut cache = QueryCache::new(0, 0);
    confiner(on_conflict)
        .query(&mut cache, text, &scope())
        .map(|t| t.to_string())
        .map_err(|e| e.to_string())
}

#[test]
fn a_selector_gets_the_matcher_first_and_nothing_else_changes() {
    for (query, confined) in [
        ("up", r#"up{tenant_id="a"}"#),
        ("{a=\"b\"}", r#"{tenant_id="a",a="b"}"#),
        ("up{ # c\n}", "up{tenant_id=\"a\" # c\n}"),
        ("up {a='}'}", r#"up {tenant_id="a",a='}'}"#),
        (
            "by + offset offset 5m",
            r#"by{tenant_id="a"} + offset{tenant_id="a"} offset 5m"#,
        ),
        ("sum by (by) (by)", r#"sum by (by) (by{tenant_id="a"})"#),
        (
            "topk(scalar(s), up)",
            r#"topk(scalar(s{tenant_id="a"}), up{tenant_id="a"})"#,
        ),
        (
            "fill + fill(1) fill",
            r#"fill{tenant_id="a"} + fill(1) fill{tenant_id="a"}"#,
        ),
        ("service.name", r#"service.name{tenant_id="a"}"#),
    ] {
        assert_eq!(confine(query).as_deref(), Ok(confined), "{query}");
    }
}

#[test]
fn a_selector_that_selects_nothing_in_particular_is_refused_before_it_is_confined() {
    for query in [
        "{}",
        "{a=\"\"}",
        "{a=~\".*\"}",
        "{a!=\"x\"}",
        "{\"\"}",
        "{a!~\"x\"}",
        "sum({})",
        "{,}",
    ] {
        assert!(confine(query).is_err(), "{query}");
    }
    for query in [
        "{a=~\".+\"}",
        "{a!=\"\"}",
        "{a!~\"\"}",
        "{tenant_id=\"b\"}",
        "{\"up\"}",
        "up{}",
    ] {
        assert!(confine(query).is_ok(), "{query}");
    }
    assert_eq!(
        confine("sum(\n  {})").unwrap_err(),
        "2:3: parse error: vector selector must contain at least one non-empty matcher"
    );
}

#[test]
fn a_callers_own_matcher_is_kept_left_out_or_refused() {
    let replaced = |query| under(OnConflict::Replace, query);
    for (query, confined) in [
        (r#"up{tenant_id="b"}"#, r#"up{tenant_id="a"}"#),
        (
            r#"up{x="1",tenant_id!~"b" , y="2"}"#,
            r#"up{tenant_id="a",x="1",y="2"}"#,
        ),
        (
            r#"up{x="1", "tenant\u005fid"="b",}"#,
            r#"up{tenant_id="a",x="1", }"#,
        ),
        (
            r#"{"up", `tenant_id`=~".*", tenant_id="c"}"#,
            r#"{tenant_id="a","up", }"#,
        ),
    ] {
        assert_eq!(replaced(query).as_deref(), Ok(confined), "{query}");
    }
    let rejected = |query| under(OnConflict::Reject, query);
    assert!(rejected(r#"up{tenant_id="a"}"#).is_ok());
    assert!(rejected(r#"up{tenant_id=~"(a)"}"#).is_ok());
    for query in [
        r#"up{tenant_id="b"}"#,
        r#"up{tenant_id!="a"}"#,
        r#"up{'tenant\x5fid'=~"a|b"}"#,
    ] {
        assert_eq!(
            rejected(query).unwrap_err(),
            "1:4: the label `tenant_id` is set by the gateway: leave its matcher out"
        );
    }
}

#[test]
fn what_is_rejected_is_compared_with_all_values() {
    let label = LabelName::parse("t").unwrap();
    let scope = Scope::new(vec![Enforced::values(label, ["a.b", "c"]).unwrap()]);
    let mut cache = QueryCache::new(0, 0);
    let confiner = confiner(OnConflict::Reject);
    let mut ok = |query| confiner.query(&mut cache, query, &scope).is_ok();
    assert!(ok(r#"up{t=~"c|a\\.b"}"#));
    assert!(ok(r#"up{t=~"(a\\.b|c)"}"#));
    assert!(!ok(r#"up{t=~"c"}"#));
    assert!(!ok(r#"up{t=~"c|a.b"}"#));
    assert!(!ok(r#"up{t="c"}"#));
}

#[test]
fn a_match_parameter_is_exactly_one_selector() {
    let mut cache = QueryCache::new(0, 0);
    let confiner = confiner(OnConflict::Intersect);
    let mut selector = |text| {
        confiner
            .selector(&mut cache, text, &scope())
            .map(|t| t.to_string())
            .map_err(|e| e.to_string())
    };
    assert_eq!(selector("sum").as_deref(), Ok(r#"sum{tenant_id="a"}"#));
    assert_eq!(
        selector("{a='b'}").as_deref(),
        Ok(r#"{tenant_id="a",a='b'}"#)
    );
    for bad in [
        "",
        "up or up",
        "up[5m]",
        "(up)",
        "up offset 5m",
        "up up",
        "{}",
        "{a=~'.*'}",
        "1",
        "inf",
    ] {
        assert!(selector(bad).is_err(), "{bad}");
    }
}

#[test]
fn info_is_confined_with_a_second_argument_and_refused_without() {
    assert_eq!(
        confine("info(up, {k=~\".+\"})").as_deref(),
        Ok(r#"info(up{tenant_id="a"}, {tenant_id="a",k=~".+"})"#)
    );
    for query in [
        "info(up)",
        "info()",
        "info((up))",
        "info(up, up)",
        "info(up, ({a='b'}))",
        "info(up, {a='b'}, {})",
    ] {
        assert!(confine(query).is_err(), "{query}");
    }
}

#[test]
fn an_unlimited_scope_forwards_the_text_and_refuses_the_same() {
    let mut cache = QueryCache::new(0, 0);
    let scope = Scope::new(Vec::new());
    let confiner = confiner(OnConflict::Intersect);
    assert_eq!(
        &*confiner.query(&mut cache, "up # c", &scope).unwrap(),
        "up # c"
    );
    for query in ["{}", "info(up)", "up up", "nope(up)"] {
        assert!(
            confiner.query(&mut cache, query, &scope).is_err(),
            "{query}"
        );
    }
}

#[test]
fn guards_name_their_option() {
    let guards: Guards = serde_json::from_str(
        r#"{"max_bytes": 100, "max_selectors": 2, "max_regex": 4, "max_range": "1h", "max_tokens": 18, "max_confined": 60, "need_specific": true}"#,
    )
    .unwrap();
    let confiner = Confiner::new::<&str>(&[], OnConflict::Intersect, guards);
    let mut cache = QueryCache::new(0, 0);
    let mut refusal = |query: &str| {
        confiner
            .query(&mut cache, query, &scope())
            .map_err(|e| e.to_string())
    };
    for (query, option) in [
        ("a+a+a".to_owned(), "max_selectors"),
        ("a".repeat(101), "max_bytes"),
        ("a{b=~'abcde'}".to_owned(), "max_regex"),
        (format!("a{}", "@1".repeat(9)), "max_tokens"),
        ("rate(a[61m])".to_owned(), "max_range"),
        ("rate(a[step()*2])".to_owned(), "max_range"),
        ("rate(a[2h:1m])".to_owned(), "max_range"),
        ("a".repeat(50), "max_confined"),
        ("{tenant_id='a'}".to_owned(), "metric name"),
    ] {
        let text = refusal(&query).unwrap_err();
        assert!(text.contains(option), "{query}: {text}");
    }
    for query in ["rate(a[1h])", "rate(a[3600])", "{b='c'}", "a{b=~'abcd'}"] {
        assert!(refusal(query).is_ok(), "{query}");
    }
}

#[test]
fn refusals_say_where_and_why() {
    for (query, text) in [
        ("", "1:1: parse error: no expression found in input"),
        (
            "up up",
            "1:4: parse error: unexpected `up`, expected an operator or the end of input",
        ),
        ("sum(up", "1:7: parse error: unclosed left parenthesis"),
        (
            "up{a=1}",
            "1:6: parse error: unexpected character inside braces: '1'",
        ),
        (
            "up{a=}",
            "1:6: parse error: unexpected `}` in label matching, expected a string",
        ),
        (
            "nope(up)",
            "1:1: parse error: unknown function with name `nope`",
        ),
        (
            "rate(up[5m)",
            "1:11: parse error: unexpected `)` in subquery or range, expected `]`",
        ),
        (
            "\n\n up{",
            "3:5: parse error: unexpected end of input in label matching, expected identifier or `}`",
        ),
    ] {
        assert_eq!(confine(query).unwrap_err(), text, "{query}");
    }
}

#[test]
fn a_selector_alone_is_told_from_other_queries() {
    let mut cache = QueryCache::new(0, 0);
    let confiner = confiner(OnConflict::Intersect);
    let mut is = |query| confiner.is_selector(&mut cache, query, &scope());
    for query in ["up", "up{a='b'}", "{a=~'b'} # all", r#"{"up"}"#] {
        assert!(is(query), "{query}");
    }
    for query in ["up + up", "sum(up)", "up == 1", "-up", "1", "{}", ""] {
        assert!(!is(query), "{query}");
    }
}

#[test]
fn only_plain_names_are_added_to_the_functions() {
    assert!(Confiner::may_allow("my_function"));
    for name in [
        "", "a b", "sum", "fill", "offset", "a.b", "on", "a:b", "NaN",
    ] {
        assert!(!Confiner::may_allow(name), "{name}");
    }
}

#[test]
fn several_enforced_labels_are_all_put_in() {
    let enforced = |label, values: &[&str]| {
        Enforced::values(LabelName::parse(label).unwrap(), values).unwrap()
    };
    let scope = Scope::new(vec![
        enforced("tenant_id", &["a.b", "c"]),
        enforced("team", &["x\"}y"]),
    ]);
    let mut cache = QueryCache::new(0, 0);
    let mut under = |policy, query| {
        confiner(policy)
            .query(&mut cache, query, &scope)
            .map(|t| t.to_string())
            .map_err(|e| e.to_string())
    };
    let text = r#"tenant_id=~"a\\.b|c",team="x\"}y""#;
    assert_eq!(
        under(OnConflict::Intersect, "up + {a='b'}"),
        Ok(format!("up{{{text}}} + {{{text},a='b'}}"))
    );
    assert_eq!(
        under(OnConflict::Replace, "up{team='z', a='b', tenant_id='d'}"),
        Ok(format!("up{{{text},a='b', }}"))
    );
    assert!(
        under(OnConflict::Reject, "up{team='z'}")
            .unwrap_err()
            .contains("`team`")
    );
    assert!(under(OnConflict::Reject, "up{team='x\"}y'}").is_ok());
}
