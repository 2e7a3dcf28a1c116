//! Limits name themselves, their value and what was found; and what an upstream takes.

use super::model::Labels;
use super::{Series, apply, compile, v1, v2};
use promfence::remote::{Protocol, WriteError};

fn many(n: usize) -> Vec<Series> {
    let labels = |i| -> Labels {
        vec![
            ("__name__".into(), "m".into()),
            ("job".into(), "j".into()),
            ("n".into(), format!("{i:04}")),
        ]
    };
    let one = |i| Series {
        labels: labels(i),
        samples: vec![(1.0, 1), (2.0, 2)],
        exemplars: vec![(vec![("trace_id".into(), "x".into())], 1.0, 1)],
        histograms: vec![],
        metadata: (1, "help".into(), String::new()),
    };
    (0..n).map(one).collect()
}

/// A body of each version with that many series.
fn both(n: usize) -> [(Protocol, Vec<u8>); 2] {
    [
        (Protocol::WriteV1, v1::encode(&many(n))),
        (Protocol::WriteV2, v2::encode(&many(n))),
    ]
}

#[test]
fn a_limit_of_each_kind_is_named_with_what_was_found() {
    for (limit, json) in [
        ("series", r#"{"limits":{"series":9}}"#),
        ("samples", r#"{"limits":{"samples":19}}"#),
        ("exemplars", r#"{"limits":{"exemplars":9}}"#),
        (
            "labels_per_series",
            r#"{"limits":{"labels_per_series":2,"series":100}}"#,
        ),
        ("decoded", r#"{"limits":{"decoded":"100","series":100}}"#),
        (
            "compressed",
            r#"{"limits":{"compressed":"100","series":100}}"#,
        ),
    ] {
        for (protocol, body) in both(10) {
            let error = apply(&compile(json), protocol, &body).expect_err(limit);
            assert_eq!(error.status(), 413, "{limit}");
            let WriteError::TooLarge {
                limit: named,
                most,
                found,
            } = error
            else {
                panic!("{limit}: {error}");
            };
            assert_eq!(named, limit);
            assert!(found > most, "{limit} {found} {most}");
        }
    }
}

#[test]
fn a_limit_that_is_reached_but_not_passed_lets_pass() {
    let policy =
        compile(r#"{"limits":{"series":10,"samples":20,"exemplars":10,"labels_per_series":3}}"#);
    for (protocol, body) in both(10) {
        assert_eq!(apply(&policy, protocol, &body).expect("within").1, None);
    }
}

#[test]
fn a_tenant_may_have_limits_of_its_own() {
    let json = |tenants: &str| {
        format!(
            r#"{{"limits":{{"series":5}},"tenant_limits":[{{"tenants":["{tenants}"],"limits":{{"series":10}}}}]}}"#
        )
    };
    let body = v1::encode(&many(10));
    assert!(apply(&compile(&json("team-*")), Protocol::WriteV1, &body).is_ok());
    assert!(apply(&compile(&json("other-*")), Protocol::WriteV1, &body).is_err());
}

#[test]
fn lengths_of_names_and_values_are_bounded() {
    for (json, part) in [
        (
            r#"{"limits":{"label_name":"7"}}"#,
            "label `__name__` has a name longer",
        ),
        (
            r#"{"limits":{"label_value":"3"}}"#,
            "label `n` has a value longer",
        ),
    ] {
        for (protocol, body) in both(1) {
            let error = apply(&compile(json), protocol, &body).expect_err(json);
            assert_eq!(error.status(), 400);
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}

#[test]
fn an_upstream_takes_the_protocols_that_the_policy_names() {
    let all = [
        Protocol::WriteV1,
        Protocol::WriteV2,
        Protocol::Otlp,
        Protocol::OtlpGzip,
    ];
    for (json, taken) in [
        ("{}", [true; 4]),
        (
            r#"{"protocols":["remote_write_1"]}"#,
            [true, false, false, false],
        ),
        (
            r#"{"protocols":["remote_write_2","otlp"]}"#,
            [false, true, true, true],
        ),
    ] {
        let policy = compile(json);
        assert!(!policy.needs_body());
        for (protocol, is_taken) in all.into_iter().zip(taken) {
            assert_eq!(
                policy.take(protocol).map_err(|e| e.status()),
                if is_taken { Ok(()) } else { Err(415) }
            );
        }
    }
}
