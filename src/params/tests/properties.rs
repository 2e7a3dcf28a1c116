use proptest::prelude::*;

use super::*;

fn wild() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            Just("&"),
            Just("="),
            Just(";"),
            Just("%"),
            Just("%zz"),
            Just("%26"),
            Just("%3D"),
            Just("+"),
            Just("query"),
            Just("%71uery"),
            Just("time"),
            Just("match[]"),
            Just("match%5b%5d"),
            Just("1"),
            Just("up"),
            Just("%C3%A9"),
            Just("é"),
            Just("%ff"),
            Just("#"),
            Just("&&"),
            Just("limit"),
            Just("x"),
        ],
        0..20,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn what_is_read_is_what_go_reads(text in wild()) {
        if let Ok(params) = read(&text, "") {
            let read: Vec<_> = params.pairs.into_iter().map(|p| (p.name.into_owned(), p.value.into_owned())).collect();
            prop_assert_eq!(read, go(text.as_bytes()));
        }
    }

    #[test]
    fn what_is_written_is_read_back(list in proptest::collection::vec(("[^\\p{C}\u{fffd}]{1,8}", "[^\\p{C}\u{fffd}]{0,12}"), 0..8)) {
        let mut text = String::new();
        list.iter().for_each(|(n, v)| pairs::append(n, v, &mut text));
        prop_assert_eq!(go(text.as_bytes()), list.clone());
        let params = Params::read(Some(text.as_bytes()), None, Names::default(), Limits::default()).unwrap();
        let read: Vec<_> = params.pairs.into_iter().map(|p| (p.name.into_owned(), p.value.into_owned())).collect();
        prop_assert_eq!(read, list);
    }

    #[test]
    fn whatever_comes_the_upstream_reads_one_confined_query(url in wild(), form in wild()) {
        if let Ok(got) = prometheus(Endpoint::Query, &url, &form) {
            let queries: Vec<_> = got.iter().filter(|(n, _)| n == "query").collect();
            prop_assert_eq!(queries.len(), 1);
            prop_assert!(queries[0].1.starts_with("Query("));
            let mut names: Vec<_> = got.iter().map(|(n, _)| n).collect();
            names.sort();
            names.dedup();
            prop_assert_eq!(names.len(), got.len());
        }
        if let Ok(got) = prometheus(Endpoint::Series, &url, &form) {
            let confined = |v: &str| v.starts_with("Selector(") || v == r#"{tenant_id="a"}"#;
            prop_assert!(got.iter().any(|(n, _)| n == "match[]"));
            prop_assert!(got.iter().filter(|(n, _)| n == "match[]").all(|(_, v)| confined(v)));
        }
    }

    #[test]
    fn a_written_matcher_is_read_back(text in "[a\"\\\\=~!,{} nb.|']{0,16}") {
        if let Ok(read) = filter::Matcher::parse(&text) {
            prop_assert_eq!(filter::Matcher::parse(&read.text()).unwrap(), read);
        }
    }
}
