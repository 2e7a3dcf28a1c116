use proptest::prelude::*;

use super::*;
use crate::respond::tests::{in_blocks, scope, tenant_a};

/// The verdict on a whole answer, which stays as it is.
fn verify(text: &[u8], series: SeriesIn, scope: &Scope) -> Result<(), AnswerError> {
    let out = in_blocks(text, |body| super::verify(body, series, scope, false))?;
    assert_eq!(out, text);
    Ok(())
}

fn chunked(
    text: &str,
    series: SeriesIn,
    scope: &Scope,
    size: usize,
) -> Result<Vec<u8>, AnswerError> {
    let mut verifier = Verifier::new(series, scope.clone());
    let mut out = Vec::new();
    for chunk in text.as_bytes().chunks(size) {
        out.extend(verifier.feed(chunk)?);
    }
    out.extend(verifier.finish()?);
    Ok(out)
}

/// The verdict, which must not depend on the way the answer comes.
fn verdict(text: &str, series: SeriesIn, scope: &Scope) -> Result<(), AnswerError> {
    let whole = verify(text.as_bytes(), series, scope);
    for size in [1, 2, 3, 7, 4096] {
        let streamed = chunked(text, series, scope, size);
        if let Ok(out) = &streamed {
            assert_eq!(out, text.as_bytes());
        }
        assert_eq!(streamed.map(|_| ()), whole, "{text} by {size}");
    }
    whole
}

const A: &str = r#"{"__name__":"up","tenant_id":"tenant-a"}"#;
const B: &str = r#"{"__name__":"canary","tenant_id":"tenant-b"}"#;

#[test]
fn a_series_out_of_scope_is_found() {
    let a = tenant_a();
    for (data, verdict_) in [
        (format!("[{A},{A}]"), Ok(())),
        ("[]".into(), Ok(())),
        ("null".into(), Ok(())),
        (format!("[{A},{B}]"), Err(AnswerError::Foreign)),
        ("[{}]".into(), Err(AnswerError::Foreign)),
        ("[1]".into(), Err(AnswerError::Foreign)),
        (
            r#"[{"tenant_id":"tenant-a","tenant_id":"tenant-a"}]"#.into(),
            Err(AnswerError::Foreign),
        ),
    ] {
        let text = format!(r#"{{"status":"success","data":{data}}}"#);
        assert_eq!(verdict(&text, SeriesIn::Series, &a), verdict_, "{text}");
    }
    for (result, verdict_) in [
        (
            format!(
                r#"[{{"metric":{A},"value":[1,"2"]}},{{"metric":{A},"values":[[1,"]"],[2,"}}"]],"histograms":[[1,{{"a":[]}}]]}}]"#
            ),
            Ok(()),
        ),
        ("[]".into(), Ok(())),
        (r#"[1700000000.5,"1"]"#.into(), Ok(())),
        (
            format!(r#"[{{"metric":{A},"value":[1,"2"]}},{{"metric":{B}}}]"#),
            Err(AnswerError::Foreign),
        ),
        (r#"[{"metric":{}}]"#.into(), Err(AnswerError::Foreign)),
    ] {
        let text = format!(
            r#"{{"status":"success","data":{{"resultType":"matrix","result":{result},"stats":{{}}}}}}"#
        );
        assert_eq!(verdict(&text, SeriesIn::Query, &a), verdict_, "{text}");
    }
    for text in [
        "{}",
        "[]",
        "",
        r#"{"status":"error","error":"x"}"#,
        r#"{"status":"success","data":{}"#,
    ] {
        assert!(
            verify(text.as_bytes(), SeriesIn::Series, &a).is_err(),
            "{text}"
        );
        assert!(chunked(text, SeriesIn::Series, &a, 3).is_err(), "{text}");
    }
}

#[test]
fn nothing_of_a_series_leaves_before_its_labels_are_known() {
    let values_first = format!(
        r#"{{"status":"success","data":{{"result":[{{"value":[1,"canary"],"metric":{B}}}]}}}}"#
    );
    for size in [1, 5, 4096] {
        let mut verifier = Verifier::new(SeriesIn::Query, tenant_a());
        let mut out = Vec::new();
        let failed = values_first
            .as_bytes()
            .chunks(size)
            .any(|c| match verifier.feed(c) {
                Ok(part) => {
                    out.extend(part);
                    false
                }
                Err(_) => true,
            });
        assert!(failed && !String::from_utf8(out).unwrap().contains("canary"));
    }
    // A series that never says whose it is.
    let silent = r#"{"status":"success","data":{"result":[{"value":[1,"canary"]}]}}"#;
    assert_eq!(
        chunked(silent, SeriesIn::Query, &tenant_a(), 9),
        Err(AnswerError::Shape)
    );
    assert!(verify(silent.as_bytes(), SeriesIn::Query, &tenant_a()).is_err());
}

#[test]
fn a_second_metric_in_a_series_is_held_against_the_scope_too() {
    let text =
        format!(r#"{{"status":"success","data":{{"result":[{{"metric":{A},"metric":{B}}}]}}}}"#);
    assert!(verify(text.as_bytes(), SeriesIn::Query, &tenant_a()).is_err());
    assert!(chunked(&text, SeriesIn::Query, &tenant_a(), 8).is_err());
}

#[test]
fn lines_of_a_federation_are_read_as_prometheus_writes_them() {
    let two = scope(&[("tenant_id", &["tenant-a", "q\"\\"])]);
    for (text, inside) in [
        (
            "# TYPE up untyped\nup{job=\"x\",tenant_id=\"tenant-a\"} 1 1600000000000\n",
            true,
        ),
        ("", true),
        ("up{tenant_id=\"tenant-a\"} 1", true),
        ("up {a=\"}\",tenant_id=\"tenant-a\",} 1\n\n", true),
        ("{\"my.name\",\"tenant_id\"=\"tenant-a\"} 1\n", true),
        ("up{tenant_id=\"q\\\"\\\\\"} 1\n", true),
        ("up 1\n", false),
        ("up{} 1\n", false),
        ("up{a=\"tenant_id=\\\"tenant-a\\\"\"} 1\n", false),
        (
            "up{tenant_id=\"tenant-a\"} 1\nup{tenant_id=\"tenant-b\"} 1\n",
            false,
        ),
        (
            "up{tenant_id=\"tenant-a\",tenant_id=\"tenant-a\"} 1\n",
            false,
        ),
        ("up{tenant_id=\"tenant-a\" 1\n", false),
        ("up{tenant_id=tenant-a} 1\n", false),
        ("up{x=\"y\"} 1 # {tenant_id=\"tenant-a\"} 1\n", false),
    ] {
        assert_eq!(
            verdict(text, SeriesIn::Federate, &two).is_ok(),
            inside,
            "{text}"
        );
    }
    assert!(verify(&[b'a'; MAX_HELD * 2], SeriesIn::Federate, &two).is_err());
}

proptest! {
    #[test]
    fn chunks_make_no_difference(series in prop::collection::vec((0..6usize, 0..3usize), 0..6), query in any::<bool>()) {
        let texts: Vec<String> = series.iter().map(|(labels, values)| {
            let labels = if *labels == 0 { B } else { A };
            if query {
                let values = vec![r#"[1.5,"x\"}]"]"#; *values].join(", ");
                format!(r#"{{ "metric" : {labels},"values":[{values}]}}"#)
            } else {
                labels.to_string()
            }
        }).collect();
        let list = texts.join(" ,\n");
        let (text, kind) = if query {
            (format!(r#"{{"status":"success","data":{{"result":[{list}]}}}}"#), SeriesIn::Query)
        } else {
            (format!(r#"{{"status":"success","data":[{list}]}}"#), SeriesIn::Series)
        };
        let all_own = series.iter().all(|(labels, _)| *labels != 0);
        prop_assert_eq!(verdict(&text, kind, &tenant_a()).is_ok(), all_own);
    }
}
