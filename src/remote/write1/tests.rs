use super::super::{Body, BodyPolicy, Protocol, WriteError, snappy, wire};
use crate::config::error::Problems;
use crate::scope::{Enforced, Scope};
use crate::tenant::{LabelName, TenantId};
use proptest::prelude::*;

pub(crate) type Labels = Vec<(String, String)>;

/// The policy of a JSON text for the tenant label `tenant_id`.
pub(crate) fn policy(json: &str) -> BodyPolicy {
    let mut problems = Problems::default();
    BodyPolicy::compile(
        &serde_json::from_str(json).unwrap(),
        &LabelName::parse("tenant_id").unwrap(),
        &|_| None,
        "write",
        &mut problems,
    )
    .unwrap_or_else(|| panic!("{problems}"))
}

pub(crate) fn scope() -> Scope {
    let label = LabelName::parse("tenant_id").unwrap();
    Scope::new(vec![Enforced::values(label, ["tenant-a"]).unwrap()])
}

pub(crate) fn tenant() -> TenantId {
    TenantId::parse("tenant-a").unwrap()
}

/// Applies a policy to decoded bytes; what is sent on, decoded.
pub(crate) fn run(
    policy: &BodyPolicy,
    protocol: Protocol,
    src: &[u8],
) -> Result<Vec<u8>, WriteError> {
    let body = snappy::encode(src).unwrap();
    let outcome = policy.apply(protocol, &body, &scope(), &tenant())?;
    Ok(match outcome.body {
        Body::Unchanged => src.to_vec(),
        Body::Changed(new) => {
            let new = snappy::decode(&new, 1 << 30).unwrap();
            assert_ne!(new, src, "unchanged bytes were written anew");
            new
        }
    })
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(text.get(2 * i..2 * i + 2).unwrap(), 16).unwrap())
        .collect()
}

pub(crate) fn encode(series: &[Labels]) -> Vec<u8> {
    encode_with(series, &[])
}

/// With more behind each series' sample: what is unknown goes the long way.
fn encode_with(series: &[Labels], more: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for labels in series {
        let mut ts = Vec::new();
        for (name, value) in labels {
            let mut label = Vec::new();
            wire::put_bytes(1, name.as_bytes(), &mut label);
            wire::put_bytes(2, value.as_bytes(), &mut label);
            wire::put_bytes(1, &label, &mut ts);
        }
        wire::put_bytes(2, &[9, 0, 0, 0, 0, 0, 0, 240, 63, 16, 1], &mut ts);
        ts.extend_from_slice(more);
        wire::put_bytes(1, &ts, &mut out);
    }
    out
}

fn labels(list: &[(&str, &str)]) -> Labels {
    list.iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect()
}

fn v1(json: &str, list: &[(&str, &str)]) -> Result<Vec<u8>, WriteError> {
    run(&policy(json), Protocol::WriteV1, &encode(&[labels(list)]))
}

#[test]
fn a_forged_label_is_rejected_with_the_metrics_name() {
    let list = [("__name__", "up"), ("tenant_id", "tenant-b")];
    for json in [
        r#"{"series_label":"reject"}"#,
        r#"{"series_label":"verify"}"#,
    ] {
        let e = v1(json, &list).unwrap_err();
        assert_eq!(e.status(), 400);
        assert!(e.to_string().contains("series `up`"), "{e}");
        assert!(!e.to_string().contains("tenant-b"), "{e}");
    }
}

#[test]
fn verify_takes_the_callers_value_once() {
    let verify = r#"{"series_label":"verify"}"#;
    let own = [("__name__", "up"), ("tenant_id", "tenant-a")];
    assert_eq!(v1(verify, &own), Ok(encode(&[labels(&own)])));
    let twice = [own[0], own[1], own[1]];
    assert!(v1(verify, &twice).is_err());
    assert!(v1(verify, &[("__name__", "up"), ("tenant_id", "")]).is_err());
    let absent = [("__name__", "up")];
    assert!(v1(verify, &absent).is_err());
    let allow = r#"{"series_label":"verify","absent":"allow"}"#;
    assert_eq!(v1(allow, &absent), Ok(encode(&[labels(&absent)])));
}

#[test]
fn overwrite_sets_the_label_in_its_place() {
    let overwrite = r#"{"series_label":"overwrite"}"#;
    let expected = encode(&[labels(&[
        ("__name__", "up"),
        ("tenant_id", "tenant-a"),
        ("zone", "z"),
    ])]);
    for list in [
        &[("__name__", "up"), ("zone", "z")][..],
        &[("__name__", "up"), ("tenant_id", "tenant-b"), ("zone", "z")],
        &[
            ("__name__", "up"),
            ("tenant_id", "tenant-b"),
            ("tenant_id", "tenant-a"),
            ("zone", "z"),
        ],
        &[
            ("__name__", "up"),
            ("tenant_id", "tenant-a"),
            ("tenant_id", "tenant-a"),
            ("zone", "z"),
        ],
        &[("__name__", "up"), ("tenant_id", "tenant-a"), ("zone", "z")],
    ] {
        assert_eq!(v1(overwrite, list), Ok(expected.clone()), "{list:?}");
    }
    let first = encode(&[labels(&[("tenant_id", "tenant-a"), ("zone", "z")])]);
    assert_eq!(v1(overwrite, &[("zone", "z")]), Ok(first));
}

#[test]
fn a_name_given_twice_counts_as_its_last() {
    let mut body = hex(
        "0a3e0a0d0a085f5f6e616d655f5f12016d0a1b0a047a6f6e650a0974656e616e745f6964120874656e616e742d62121009000000000000f03f1080d095ffbc31",
    );
    assert!(snappy::decode(&body, 100).is_err());
    let reject = policy(r#"{"series_label":"reject"}"#);
    assert_eq!(
        run(&reject, Protocol::WriteV1, &body).unwrap_err().status(),
        400
    );
    let drop = policy(r#"{"series_label":"drop"}"#);
    let dropped = run(&drop, Protocol::WriteV1, &body).unwrap();
    assert_eq!(
        dropped,
        hex("0a210a0d0a085f5f6e616d655f5f12016d121009000000000000f03f1080d095ffbc31")
    );
    // Hidden the other way round: decoders read `zone`.
    body.splice(19..36, hex("0a0974656e616e745f69640a047a6f6e65"));
    assert_eq!(run(&reject, Protocol::WriteV1, &body), Ok(body));
}

#[test]
fn exemplar_labels_are_left_alone_by_the_tenants_policy() {
    let body = hex(
        "0a4a0a0d0a085f5f6e616d655f5f12016d121009000000000000f03f1080d095ffbc311a270a150a0974656e616e745f6964120874656e616e742d6211000000000000f03f1880d095ffbc31",
    );
    for json in [r#"{"series_label":"reject"}"#, r#"{"series_label":"drop"}"#] {
        assert_eq!(
            run(&policy(json), Protocol::WriteV1, &body),
            Ok(body.clone())
        );
    }
}

#[test]
fn rules_hold_for_exemplars_too() {
    let body = hex(
        "0a4a0a0d0a085f5f6e616d655f5f12016d121009000000000000f03f1080d095ffbc311a270a150a0974656e616e745f6964120874656e616e742d6211000000000000f03f1880d095ffbc31",
    );
    let mut renamed = body.clone();
    renamed[41..50].copy_from_slice(b"user_name");
    let drop = policy(r#"{"labels":[{"pattern":"user_.*","action":"drop"}]}"#);
    assert_eq!(
        run(&drop, Protocol::WriteV1, &renamed),
        Ok(hex(
            "0a330a0d0a085f5f6e616d655f5f12016d121009000000000000f03f1080d095ffbc311a1011000000000000f03f1880d095ffbc31"
        ))
    );
    assert_eq!(run(&drop, Protocol::WriteV1, &body), Ok(body));
}

#[test]
fn a_body_of_the_other_version_is_refused() {
    let v2 = hex("220022085f5f6e616d655f5f22016d2a160a020102121009000000000000f03f1080d095ffbc31");
    let reject = policy(r#"{"series_label":"reject"}"#);
    assert_eq!(
        run(&reject, Protocol::WriteV1, &v2).unwrap_err().status(),
        400
    );
    let v1 = encode(&[labels(&[("tenant_id", "tenant-b")])]);
    assert_eq!(
        run(&reject, Protocol::WriteV2, &v1).unwrap_err().status(),
        400
    );
}

#[test]
fn limits_are_named_with_the_count() {
    let json = r#"{"limits":{"series":1,"labels_per_series":2,"label_value":"3B"}}"#;
    let one = labels(&[("__name__", "up")]);
    let e = run(
        &policy(json),
        Protocol::WriteV1,
        &encode(&[one.clone(), one]),
    )
    .unwrap_err();
    assert_eq!(
        e,
        WriteError::TooLarge {
            limit: "series",
            most: 1,
            found: 2
        }
    );
    assert_eq!(
        v1(json, &[("a", "1"), ("b", "1"), ("c", "1")])
            .unwrap_err()
            .status(),
        413
    );
    assert_eq!(v1(json, &[("a", "1234")]).unwrap_err().status(), 400);
    let declared = hex("8080c010f00f6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d");
    let e = policy(r#"{"series_label":"reject"}"#)
        .apply(Protocol::WriteV1, &declared, &scope(), &tenant())
        .unwrap_err();
    assert_eq!(e.status(), 413);
}

#[test]
fn additions_do_not_grow_a_body_over_its_limit() {
    let json = r#"{"series_label":"overwrite","limits":{"decoded":"64KiB"}}"#;
    let empty: Vec<u8> = [0x0a, 0].repeat(20_000);
    let e = run(&policy(json), Protocol::WriteV1, &empty).unwrap_err();
    assert_eq!(e.status(), 413);
}

#[test]
fn other_labels_of_the_scope_are_enforced() {
    let team = Enforced::values(LabelName::parse("team").unwrap(), ["x", "y"]).unwrap();
    let scope = Scope::new(vec![scope().matchers()[0].clone(), team]);
    let apply = |json: &str, list: &[(&str, &str)]| {
        let body = snappy::encode(&encode(&[labels(list)])).unwrap();
        policy(json).apply(Protocol::WriteV1, &body, &scope, &tenant())
    };
    let overwrite = r#"{"series_label":"overwrite"}"#;
    assert!(apply(overwrite, &[("team", "x")]).is_ok());
    assert!(apply(overwrite, &[("team", "z")]).is_err());
    assert!(apply(overwrite, &[("a", "b")]).is_err());
}

#[test]
fn required_labels_are_demanded_with_a_value() {
    let json = r#"{"required":["job"],"labels":[{"name":"x","action":"refuse"}]}"#;
    assert!(v1(json, &[("job", "a")]).is_ok());
    assert!(v1(json, &[("job", "")]).is_err());
    assert!(v1(json, &[]).is_err());
    assert!(v1(json, &[("job", "a"), ("x", "")]).is_err());
}

/// What a policy must make of labels, in other words.
pub(crate) fn model(kind: &str, list: &Labels) -> Option<Labels> {
    let has = list.iter().filter(|(n, _)| n == "tenant_id").count();
    let own = list
        .iter()
        .any(|(n, v)| n == "tenant_id" && v == "tenant-a");
    let mut rest: Labels = list
        .iter()
        .filter(|(n, _)| n != "tenant_id")
        .cloned()
        .collect();
    match kind {
        "reject" => (has == 0).then_some(rest),
        "verify" => (has == 1 && own).then(|| list.clone()),
        "drop" => Some(rest),
        _ => {
            rest.push(("tenant_id".into(), "tenant-a".into()));
            rest.sort_by(|a, b| a.0.cmp(&b.0));
            Some(rest)
        }
    }
}

/// Nothing, or a field that no receiver knows.
pub(crate) fn more() -> impl Strategy<Value = &'static [u8]> {
    prop::sample::select(vec![&[][..], &[0x78, 0]])
}

pub(crate) fn series() -> impl Strategy<Value = Vec<Labels>> {
    let name = prop::sample::select(vec![
        "__name__",
        "a",
        "job",
        "tenant_i",
        "tenant_id",
        "tenant_idx",
        "z",
    ]);
    let value = prop::sample::select(vec!["", "tenant-a", "tenant-b", "v"]);
    let labels = prop::collection::btree_map(name, value, 0..6).prop_map(|m| {
        m.into_iter()
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect()
    });
    prop::collection::vec(labels, 0..5)
}

proptest! {
    #[test]
    fn decoded_bytes_are_the_policy_applied_to_the_labels(
        series in series(),
        kind in prop::sample::select(vec!["reject", "verify", "drop", "overwrite"]),
        more in more(),
    ) {
        let policy = policy(&format!(r#"{{"series_label":"{kind}"}}"#));
        let expected: Option<Vec<Labels>> = series.iter().map(|s| model(kind, s)).collect();
        let result = run(&policy, Protocol::WriteV1, &encode_with(&series, more));
        prop_assert_eq!(result.ok(), expected.map(|e| encode_with(&e, more)));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let policy = policy(r#"{"series_label":"overwrite","labels":[{"pattern":".*","action":"drop"}]}"#);
        for protocol in [Protocol::WriteV1, Protocol::WriteV2] {
            let _ = run(&policy, protocol, &bytes);
            let _ = policy.apply(protocol, &bytes, &scope(), &tenant());
        }
    }
}
