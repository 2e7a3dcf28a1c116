use std::convert::Infallible;

mod filters;
mod properties;

use super::*;
use crate::route::{Endpoint, Kind};
use crate::scope::{Enforced, Scope};
use crate::tenant::LabelName;

fn scope(tenants: &[&str]) -> Scope {
    let label = LabelName::parse("tenant_id").unwrap();
    Scope::new(vec![Enforced::values(label, tenants).unwrap()])
}

fn read<'a>(url: &'a str, form: &'a str) -> Result<Params<'a>, ParamError> {
    let names = Names {
        tenant: Some("tenant"),
        token: Some("access_token"),
    };
    Params::read(
        Some(url.as_bytes()),
        Some(form.as_bytes()),
        names,
        Limits::default(),
    )
}

/// What is forwarded, decoded; values that are confined are put between brackets.
fn run(
    kind: Kind,
    endpoint: Endpoint,
    url: &str,
    form: &str,
    options: &Options<'_>,
) -> Result<Vec<(String, String)>, String> {
    let params = read(url, form).map_err(|e| e.to_string())?;
    let out = rewrite(
        kind,
        endpoint,
        &params,
        options,
        &scope(&["a"]),
        &mut |u, q| Ok::<_, Infallible>(format!("{u:?}({q})").into()),
    )
    .map_err(|e| e.to_string())?;
    Ok(go(out.encoded.as_bytes()))
}

fn prometheus(endpoint: Endpoint, url: &str, form: &str) -> Result<Vec<(String, String)>, String> {
    run(Kind::Prometheus, endpoint, url, form, &Options::default())
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect()
}

/// Go's `url.ParseQuery`, which goes on after errors: what a server makes of any bytes.
fn go(text: &[u8]) -> Vec<(String, String)> {
    fn unescape(text: &[u8]) -> Option<String> {
        let mut out = Vec::new();
        let mut i = 0;
        while i < text.len() {
            match text[i] {
                b'%' => {
                    let digits = std::str::from_utf8(text.get(i + 1..i + 3)?).ok()?;
                    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                        return None;
                    }
                    out.push(u8::from_str_radix(digits, 16).ok()?);
                    i += 2;
                }
                b'+' => out.push(b' '),
                b => out.push(b),
            }
            i += 1;
        }
        Some(String::from_utf8_lossy(&out).into_owned())
    }
    if text.iter().filter(|b| **b == b'&').count() >= 10_000 {
        return Vec::new();
    }
    text.split(|b| *b == b'&')
        .filter(|pair| !pair.is_empty() && !pair.contains(&b';'))
        .filter_map(|pair| {
            let at = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
            let value = pair.get(at + 1..).unwrap_or_default();
            Some((unescape(&pair[..at])?, unescape(value)?))
        })
        .collect()
}

#[test]
fn what_a_server_reads_otherwise_is_refused() {
    for url in [
        "query=up%zz&query=secret",
        "x=%zz&query=up",
        "query=up%",
        "query=up%4",
        "query=up;x=1&query=secret",
        "query=%ff",
        "query=%00",
        "query=a%EF%BF%BDb",
        "query=a%1b",
        "=x",
        "query=up#x",
        "%=x",
        "query=\u{0}",
    ] {
        assert!(
            matches!(read(url, ""), Err(ParamError::Syntax(_))),
            "{url:?}"
        );
    }
    assert!(Params::read(Some(b"q=\xff"), None, Names::default(), Limits::default()).is_err());
    assert_eq!(read(&"&".repeat(10_001), ""), Err(ParamError::TooMany));
    assert_eq!(
        read(&"&".repeat(40), &"&".repeat(40)),
        Err(ParamError::TooMany)
    );
    assert_eq!(read("", &"a".repeat(1 << 21)), Err(ParamError::TooLong));
    assert!(read("&&query=up&", "").is_ok());
}

#[test]
fn each_parameter_stands_once_and_in_one_place() {
    let e = |url, form| prometheus(Endpoint::Query, url, form).unwrap_err();
    assert_eq!(e("query=&query=up", ""), "parameter `query` is given twice");
    assert_eq!(
        e("query=up", "query=up"),
        "parameter `query` is given twice"
    );
    assert_eq!(
        e("query=up&time=1", "time="),
        "parameter `time` is given twice"
    );
    assert_eq!(e("time=1", ""), "parameter `query` is missing");
    assert_eq!(e("query=up&Query=x", ""), "unknown parameter `Query`");
    assert_eq!(
        e("query=up&time=now", ""),
        "parameter `time` must be a time: seconds since 1970, or RFC 3339"
    );
    assert_eq!(
        prometheus(Endpoint::Query, "%71uery=up%2B1", "time=1").unwrap(),
        pairs(&[("query", "Query(up+1)"), ("time", "1")])
    );
    assert_eq!(
        prometheus(Endpoint::Series, "match[]=b", "match%5B%5D=a+b&start=1").unwrap(),
        pairs(&[
            ("match[]", "Selector(b)"),
            ("match[]", "Selector(a b)"),
            ("start", "1")
        ])
    );
}

#[test]
fn the_scope_is_inserted_where_no_selector_is_given() {
    for endpoint in [
        Endpoint::Series,
        Endpoint::Labels,
        Endpoint::LabelValues,
        Endpoint::Federate,
        Endpoint::Rules,
    ] {
        assert_eq!(
            prometheus(endpoint, "", "").unwrap(),
            pairs(&[("match[]", r#"{tenant_id="a"}"#)])
        );
        for misspelt in ["Match[]=x", "match=x", "match[0]=x", "MATCH[]=x"] {
            assert!(prometheus(endpoint, misspelt, "").is_err());
        }
    }
    let none = rewrite(
        Kind::Prometheus,
        Endpoint::Labels,
        &Params::default(),
        &Options::default(),
        &Scope::new(Vec::new()),
        &mut |_, q| Ok::<_, Infallible>(q.into()),
    );
    assert_eq!(none.unwrap().encoded, "");
}

#[test]
fn thanos_gets_no_store_addresses_and_no_partial_answers() {
    let t = |url: &str, options: &Options<'_>| run(Kind::Thanos, Endpoint::Query, url, "", options);
    let options = Options::default();
    for bad in [
        "analyze=true",
        "analyze=x",
        "shard_info={}",
        "storeMatch%5B%5D=x",
        "replicaLabels[]=x",
        "engine=x",
        "partial_response=maybe",
    ] {
        assert!(t(&format!("query=up&{bad}"), &options).is_err(), "{bad}");
    }
    // What Thanos Rule sends.
    let ruler = "analyze=false&dedup=true&engine=&explain=false&partial_response=true&query=up&time=2026-11-25T02%3A11%3A09.5Z";
    let sent = |partial| {
        pairs(&[
            ("query", "Query(up)"),
            ("time", "2026-11-25T02:11:09.5Z"),
            ("dedup", "true"),
            ("partial_response", partial),
        ])
    };
    assert_eq!(t(ruler, &options).unwrap(), sent("false"));
    let partial = Options {
        partial_response: true,
        ..options
    };
    assert_eq!(t(ruler, &partial).unwrap(), sent("true"));
    assert_eq!(
        t("query=up", &partial).unwrap(),
        pairs(&[("query", "Query(up)"), ("partial_response", "false")])
    );
    assert_eq!(
        prometheus(Endpoint::Query, ruler, "").unwrap(),
        sent("").get(..2).unwrap()
    );
}

#[test]
fn what_grafana_and_promtool_send_passes() {
    for (endpoint, url, form) in [
        (Endpoint::Query, "", "query=1%2B1&time=4"),
        (
            Endpoint::QueryRange,
            "",
            "end=1700000000&query=up&start=1699990000.5&step=15&timeout=60s",
        ),
        (
            Endpoint::Labels,
            "",
            "start=1&end=2&match%5B%5D=up&limit=40000",
        ),
        (
            Endpoint::LabelValues,
            "match[]=%7Bjob%3D%22x%22%7D&start=1&end=2",
            "",
        ),
        (Endpoint::QueryExemplars, "", "query=up&start=1&end=2"),
        (Endpoint::Metadata, "limit=1000&limit_per_metric=1", ""),
        (
            Endpoint::Rules,
            "type=alert&exclude_alerts=true&group_limit=10&group_next_token=abc0",
            "",
        ),
        (
            Endpoint::Series,
            "",
            "match[]=up&start=-292273086-05-16T16%3A47%3A06Z&end=292277025-08-18T07%3A12%3A54.999999999Z",
        ),
        (Endpoint::BuildInfo, "_=17", ""),
        (
            Endpoint::Query,
            "query=up&lookback_delta=5m&timeout=10s&limit=5&time=1&stats=all",
            "",
        ),
    ] {
        if let Err(e) = prometheus(endpoint, url, form) {
            panic!("{endpoint:?}: {e}");
        }
    }
}

#[test]
fn the_callers_own_parameters_are_taken_out() {
    let params = read("query=up&tenant=b&access_token=s", "").unwrap();
    assert_eq!((params.tenant(), params.token()), (Some("b"), Some("s")));
    assert_eq!(params.first("query"), Some("up"));
    assert_eq!(params.first("tenant"), None);
    assert_eq!(
        read("tenant=b", "tenant=c"),
        Err(ParamError::Twice("tenant".into()))
    );
    assert!(matches!(
        read("", "access_token=s"),
        Err(ParamError::InForm(_))
    ));
}

#[test]
fn allowed_names_pass_as_text_but_never_known_ones() {
    let allow = [
        "x-lane".to_owned(),
        "storeMatch[]".to_owned(),
        "analyze".to_owned(),
    ];
    let options = Options {
        allow: &allow,
        ..Options::default()
    };
    let t = |url: &str| run(Kind::Thanos, Endpoint::Labels, url, "", &options);
    assert!(
        t("x-lane=a%26b")
            .unwrap()
            .contains(&("x-lane".into(), "a&b".into()))
    );
    for bad in [
        "x-lane=a&x-lane=b",
        "x-lane=%0a",
        "storeMatch[]=x",
        "analyze=true",
    ] {
        assert!(t(bad).is_err(), "{bad}");
    }
    assert!(
        run(
            Kind::Prometheus,
            Endpoint::Labels,
            "storeMatch[]=x",
            "",
            &options
        )
        .is_err()
    );
    for name in [
        "query",
        "Match[]",
        "filter",
        "shard_info",
        "_",
        "STOREMATCH[]",
    ] {
        assert!(is_known(name), "{name}");
    }
    assert!(!is_known("tenant") && !is_known("access_token"));
}

#[test]
fn a_range_has_at_most_the_allowed_points() {
    let options = Options {
        max_points: Some(11),
        ..Options::default()
    };
    let range = |end: &str| {
        let url = format!("query=up&start=0&end={end}&step=1");
        run(Kind::Prometheus, Endpoint::QueryRange, &url, "", &options)
    };
    assert!(range("10").is_ok());
    assert!(range("10.5").is_ok());
    assert!(range("11").is_err());
    assert!(
        range("1970-01-01T00:01:00Z")
            .unwrap_err()
            .contains("more than 11 points")
    );
}

#[test]
fn wide_rules_are_neither_confined_nor_paged() {
    let options = Options {
        wide_rules: true,
        ..Options::default()
    };
    let got = run(
        Kind::Thanos,
        Endpoint::Rules,
        "match[]=x&group_limit=1&rule_name[]=",
        "",
        &options,
    );
    assert_eq!(
        got.unwrap(),
        pairs(&[("match[]", "RuleSelector(x)"), ("rule_name[]", "")])
    );
}
