use proptest::prelude::*;

use super::*;

fn accepts(text: &[u8]) -> bool {
    Cursor::new(text)
        .and_then(|mut c| {
            c.skip()?;
            c.end()
        })
        .is_ok()
}

#[test]
fn only_rfc_8259_is_read() {
    for good in [
        "0",
        "-0",
        "1.5e+3",
        "1E9",
        "\"\"",
        "\"\\u00e9\\n\"",
        "[]",
        "{}",
        " [ 1 , {\"a\" : null} ] ",
        "true",
        "false",
        "[[],{}]",
        "\"\u{7f}é\"",
        "{\"a\":{\"b\":[1]}}",
    ] {
        assert!(accepts(good.as_bytes()), "{good}");
    }
    for bad in [
        "",
        " ",
        "01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "nul",
        "truex",
        "[1,]",
        "[,1]",
        "{,}",
        "{\"a\"}",
        "{\"a\":1,}",
        "{a:1}",
        "'a'",
        "\"\n\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"",
        "[",
        "{",
        "[}",
        "{]",
        "[1}",
        "{\"a\":1]",
        "1 2",
        "NaN",
        "\u{feff}1",
        "[1 2]",
        "{\"a\" 1}",
        "/**/1",
        "\"\0\"",
    ] {
        assert!(!accepts(bad.as_bytes()), "{bad:?}");
    }
    assert!(!accepts(b"\"\xff\"") && !accepts(b"\"\xed\xa0\x80\""));
}

#[test]
fn depth_is_bounded_without_recursion() {
    let nest = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(accepts(nest(64).as_bytes()));
    assert!(!accepts(nest(65).as_bytes()));
    assert!(!accepts("[".repeat(1_000_000).as_bytes()));
}

#[test]
fn strings_are_compared_after_unescaping() {
    let raw = |t: &'static str| Cursor::new(t.as_bytes()).unwrap().string().unwrap();
    assert!(raw(r#""t\u0065n\u0041nt""#).is("tenAnt"));
    assert!(raw(r#""\ud83d\ude00\/""#).is("😀/"));
    for lone in [
        r#""\ud83d""#,
        r#""\ude00""#,
        r#""\ud83dx""#,
        r#""\ud83d\u0041""#,
    ] {
        assert!(raw(lone).text().is_err(), "{lone}");
    }
}

proptest! {
    #[test]
    fn agrees_with_another_reader(text in "[\\[\\]{}:,\" \\\\a0-9.eE+\\-ntrufls\n\u{e9}]{0,24}") {
        let other = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        prop_assert_eq!(accepts(text.as_bytes()), other, "{}", text);
    }

    #[test]
    fn a_written_string_reads_back(text in any::<String>()) {
        let mut json = Vec::new();
        quote(&text, &mut json);
        prop_assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text.clone());
        let own = Cursor::new(&json).unwrap().string().unwrap().text().unwrap().into_owned();
        prop_assert_eq!(own, text);
    }

    #[test]
    fn a_plain_run_ends_where_it_must(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let slow = bytes.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f));
        prop_assert_eq!(plain_run(&bytes), slow.unwrap_or(bytes.len()));
    }
}
