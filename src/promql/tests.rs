mod corpus;

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
