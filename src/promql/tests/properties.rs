//! What holds for any text.

use proptest::prelude::*;

use super::*;

const MATCHER: &str = r#"tenant_id="a""#;

/// Takes the inserted matchers out again.
fn without(confined: &str) -> String {
    confined
        .replace(&format!("{{{MATCHER}}}"), "\u{1}")
        .replace(&format!("{MATCHER},"), "")
        .replace(MATCHER, "")
}

fn token() -> impl Strategy<Value = String> {
    prop_oneof![
        r"[a-z]{1,3}",
        r#""[a-z}{#,']{0,4}""#,
        r"[0-9]{1,3}[smh]?",
        prop::sample::select(vec![
            "{",
            "}",
            "(",
            ")",
            "[",
            "]",
            ",",
            "=",
            "=~",
            "!=",
            "!~",
            "+",
            "-",
            "==",
            "sum",
            "by",
            "(up)",
            "rate(up[5m])",
            "{a=\"b\"}",
            "topk(1, up)",
            "offset",
            "5m",
            "@",
            "start()",
            " ",
            "# c\n",
            "and",
            "on(a)",
            "group_left",
            "bool",
            "`\\`",
            "'\\''",
            "fill(1)",
            "step()",
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn any_text_is_confined_or_refused(text in any::<String>()) {
        let _ = confine(&text);
    }

    #[test]
    fn each_selector_of_the_result_begins_with_the_matcher(parts in prop::collection::vec(token(), 1..12)) {
        let text = parts.join(" ");
        if let Ok(confined) = confine(&text) {
            let guards = Guards::default();
            let functions = Functions::new::<&str>(&[]);
            let scope = scope();
            let rules = Rules {
                functions: &functions,
                guards: &guards,
                on_conflict: OnConflict::Intersect,
                scope: &scope,
                selector_only: false,
                confined: false,
            };
            let mut outline = recognise::Outline::default();
            recognise(&confined, rules, &mut outline).unwrap();
            for selector in &outline.selectors {
                prop_assert!(confined.get(selector.insert..).unwrap().starts_with(MATCHER), "{}", confined);
            }
            prop_assert_eq!(confined.matches(MATCHER).count(), outline.selectors.len());
        }
    }

    #[test]
    fn the_result_without_the_matchers_is_the_query(parts in prop::collection::vec(token(), 1..12)) {
        let text = parts.join(" ");
        if let Ok(confined) = confine(&text) {
            prop_assert_eq!(without(&confined).replace('\u{1}', ""), text);
        }
    }

    #[test]
    fn confining_again_where_matchers_are_replaced_changes_nothing(parts in prop::collection::vec(token(), 1..12)) {
        let text = parts.join(" ");
        if let Ok(confined) = under(OnConflict::Replace, &text) {
            let once = without(&confined);
            let again = under(OnConflict::Replace, &confined).unwrap();
            prop_assert_eq!(without(&again).replace('\u{1}', ""), once.replace('\u{1}', ""));
        }
    }

    #[test]
    fn a_cached_answer_is_the_fresh_one(parts in prop::collection::vec(token(), 1..8)) {
        let text = parts.join(" ");
        let mut cache = QueryCache::new(1 << 20, 0);
        let confiner = confiner(OnConflict::Intersect);
        let scope = scope();
        let fresh = confiner.query(&mut cache, &text, &scope);
        prop_assert_eq!(fresh, confiner.query(&mut cache, &text, &scope));
    }
}
