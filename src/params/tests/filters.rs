use super::*;

#[test]
fn alertmanager_filters_are_enforced_and_written_anew() {
    let am = |url: &str, on_conflict| {
        let options = Options {
            on_conflict,
            ..Options::default()
        };
        run(
            Kind::Alertmanager,
            Endpoint::AlertmanagerAlerts,
            url,
            "",
            &options,
        )
    };
    let own = ("filter", r#"tenant_id="a""#);
    assert_eq!(am("", OnConflict::Intersect).unwrap(), pairs(&[own]));
    let url =
        "filter=tenant_id=b&filter=%22tenant_id%22!~%22x%22&filter=job%3D~%22a.%2B%22&active=true";
    assert_eq!(
        am(url, OnConflict::Intersect).unwrap(),
        pairs(&[
            own,
            ("filter", r#"tenant_id="b""#),
            ("filter", r#"tenant_id!~"x""#),
            ("filter", r#"job=~"a.+""#),
            ("active", "true"),
        ])
    );
    assert_eq!(
        am(url, OnConflict::Replace).unwrap(),
        pairs(&[own, ("filter", r#"job=~"a.+""#), ("active", "true")])
    );
    assert!(
        am(url, OnConflict::Reject)
            .unwrap_err()
            .contains("`tenant_id`")
    );
}

#[test]
fn matchers_are_read_where_the_grammars_agree() {
    for (text, written) in [
        ("a=b", r#"a="b""#),
        (" a =~ b|c\t", r#"a=~"b|c""#),
        ("a=", r#"a="""#),
        (r#"a="x \"y\" \\ z""#, r#"a="x \"y\" \\ z""#),
        (r#"a=~"\d+""#, r#"a=~"\\d+""#),
        ("a=\"x\ny\"", r#"a="x\ny""#),
        (r#""a.b"="c""#, r#""a.b"="c""#),
        (r#""0"="c""#, r#""0"="c""#),
    ] {
        let read = filter::Matcher::parse(text).unwrap();
        assert_eq!(read.text(), written);
        assert_eq!(filter::Matcher::parse(written).unwrap(), read);
    }
    for bad in [
        "",
        "a",
        "=b",
        "0a=b",
        "{a=b}",
        "a=b,",
        "a=b c",
        "a=b=c",
        r#"a="b"#,
        r#"a="b"c"#,
        r#"a="\t""#,
        r#"a="\x41""#,
        r#"a="\u0041""#,
        "a='b'",
        "a=`b`",
        "a=b,c=d",
        "a=\"b\u{0}\"",
        "a\u{a0}=b",
        "a=~b\\d",
        "\u{e9}=b",
        r#"""="b""#,
    ] {
        assert!(filter::Matcher::parse(bad).is_err(), "{bad:?}");
    }
}
