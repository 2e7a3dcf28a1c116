use super::*;

fn kinds(text: &str) -> Option<Vec<Kind>> {
    let mut lexer = Lexer::new(text);
    let mut kinds = Vec::new();
    loop {
        let kind = lexer.next_token().ok()?.kind;
        if kind == Kind::End {
            return Some(kinds);
        }
        kinds.push(kind);
    }
}

#[test]
fn a_word_is_a_keyword_in_any_case_but_not_inside_braces() {
    assert_eq!(kinds("SUM"), Some(vec![Kind::Word(Word::Aggregation)]));
    assert_eq!(
        kinds("{sum}"),
        Some(vec![Kind::LeftBrace, Kind::Label, Kind::RightBrace])
    );
    assert_eq!(kinds("InF"), Some(vec![Kind::Number]));
    assert_eq!(kinds("infinity"), Some(vec![Kind::Word(Word::Name)]));
}

#[test]
fn fill_is_a_keyword_only_right_before_a_parenthesis() {
    assert_eq!(kinds("fill \n(").unwrap()[0], Kind::Word(Word::Fill));
    for text in ["fill", "fill # c\n(", "fill{"] {
        assert_eq!(kinds(text).unwrap()[0], Kind::Word(Word::Name), "{text}");
    }
}

#[test]
fn a_raw_string_has_no_escapes_and_a_comment_ends_with_the_line() {
    assert_eq!(kinds(r"`\`"), Some(vec![Kind::Text]));
    assert_eq!(kinds("'}' #'\n 1"), Some(vec![Kind::Text, Kind::Number]));
    for broken in [
        "'a\n'",
        "`a",
        r"'\'",
        r#""\'""#,
        r"'\400'",
        r"'\ud800'",
        "'\u{fffd}'",
        "!",
        "a;",
    ] {
        assert_eq!(kinds(broken), None, "{broken}");
    }
}

#[test]
fn numbers_end_where_prometheus_ends_them() {
    for (text, value) in [
        ("0x1F", Some(31.0)),
        ("1_000", Some(1000.0)),
        ("1e-3", Some(0.001)),
        (".5", Some(0.5)),
        ("017", Some(15.0)),
        ("08", Some(8.0)),
    ] {
        assert_eq!(kinds(text), Some(vec![Kind::Number]), "{text}");
        assert_eq!(number_value(text), value, "{text}");
    }
    // Prometheus 2.45 reads `0x1e + a` here, and so a selector.
    for text in [
        "0x1e+a", "0x1e+5", "1__0", "1.2.3", "0x", "1x", "1e", "1m1h", "1y1y",
    ] {
        assert_eq!(kinds(text), None, "{text}");
    }
    assert_eq!(duration_secs("1h30m5ms"), Some(5400.005));
    assert_eq!(duration_secs("300y"), None);
}

#[test]
fn no_comment_stands_between_a_bracket_and_its_first_number() {
    assert!(kinds("a[5m # c\n]").is_some());
    assert_eq!(kinds("a[ # c\n5m]"), None);
}

#[test]
fn a_keyword_before_a_dot_is_refused_since_releases_differ() {
    assert_eq!(kinds("a == bool.5"), None);
    assert!(kinds("caf\u{e9}.x").is_some());
}

#[test]
fn strings_stand_for_the_bytes_that_go_gives() {
    for (token, bytes) in [
        (r#""tenant\u005fid""#, &b"tenant_id"[..]),
        (r"'\xff\377\'\a'", b"\xff\xff'\x07"),
        (r"`\n`", b"\\n"),
        (r"'\U0001F600'", "\u{1f600}".as_bytes()),
        ("''", b""),
    ] {
        assert_eq!(&*unquote(token), bytes, "{token}");
    }
}
