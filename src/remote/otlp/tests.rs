use proptest::prelude::*;

use super::super::write1::tests::{hex, policy, scope, tenant};
use super::super::{Body, Protocol, WriteError, gzip, wire};

type Attributes = Vec<(String, String)>;

fn put(number: u32, body: &[u8], to: &mut Vec<u8>) {
    wire::put_bytes(number, body, to);
}

fn attributes(number: u32, list: &Attributes, to: &mut Vec<u8>) {
    for (key, value) in list {
        let (mut any, mut kv) = (Vec::new(), Vec::new());
        put(1, value.as_bytes(), &mut any);
        put(1, key.as_bytes(), &mut kv);
        put(2, &any, &mut kv);
        put(number, &kv, to);
    }
}

/// A request of one metric of the type in field `kind` of the metric, one data point each.
fn request(kind: u32, resource: &Attributes, points: &[Attributes], scopes: u32) -> Vec<u8> {
    let (mut res, mut data, mut metric, mut sm, mut rm, mut out) = Default::default();
    attributes(1, resource, &mut res);
    for list in points {
        let mut point = Vec::new();
        point.extend_from_slice(&[0x19, 0, 0, 0, 0, 0, 0, 0, 1]);
        attributes(number(kind), list, &mut point);
        put(1, &point, &mut data);
    }
    put(1, b"m", &mut metric);
    put(kind, &data, &mut metric);
    put(2, &metric, &mut sm);
    put(1, &res, &mut rm);
    put(scopes, &sm, &mut rm);
    put(1, &rm, &mut out);
    out
}

fn number(kind: u32) -> u32 {
    match kind {
        9 => 9,
        10 => 1,
        _ => 7,
    }
}

fn list(pairs: &[(&str, &str)]) -> Attributes {
    let own = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
    pairs.iter().map(own).collect()
}

fn otlp(json: &str, body: &[u8]) -> Result<Vec<u8>, WriteError> {
    let plain = policy(json).apply(Protocol::Otlp, body, &scope(), &tenant());
    let zipped = gzip::encode(body);
    let zipped = policy(json).apply(Protocol::OtlpGzip, &zipped, &scope(), &tenant());
    let decoded = zipped.map(|o| match o.body {
        Body::Unchanged => body.to_vec(),
        Body::Changed(new) => gzip::decode(&new, 1 << 30).unwrap(),
    });
    let plain = plain.map(|o| match o.body {
        Body::Unchanged => body.to_vec(),
        Body::Changed(new) => new,
    });
    assert_eq!(plain, decoded);
    plain
}

const KINDS: [u32; 5] = [5, 7, 9, 10, 11];
const REJECT: &str = r#"{"series_label":"reject"}"#;
const VERIFY: &str = r#"{"series_label":"verify"}"#;
const OVERWRITE: &str = r#"{"series_label":"overwrite"}"#;

#[test]
fn every_spelling_is_rejected_in_every_place_and_type() {
    let forged = hex(
        "0a520a150a130a0c736572766963652e6e616d6512030a0173123912370a06666f726765642a2d0a2b1900002a36fe9c971721000000000000f03f3a170a0974656e616e742e6964120a0a0874656e616e742d62",
    );
    let e = otlp(REJECT, &forged).unwrap_err();
    assert_eq!(
        e.to_string(),
        "series `forged`: label `tenant.id` must not be sent: remove it by relabelling"
    );
    for kind in KINDS {
        for key in ["tenant_id", "tenant.id", "tenant-id", "tenant__id"] {
            for scopes in [2, 1000] {
                let forged = list(&[("a", "b"), (key, "tenant-b")]);
                let body = request(kind, &vec![], std::slice::from_ref(&forged), scopes);
                assert_eq!(
                    otlp(REJECT, &body).unwrap_err().status(),
                    400,
                    "{kind} {key}"
                );
                assert_eq!(
                    otlp(VERIFY, &body).unwrap_err().status(),
                    400,
                    "{kind} {key}"
                );
            }
            let body = request(kind, &list(&[(key, "tenant-b")]), &[vec![]], 2);
            assert!(otlp(REJECT, &body).is_err());
        }
        let body = request(
            kind,
            &list(&[("a", "b")]),
            &[list(&[("tenant.idx", "b")])],
            2,
        );
        assert_eq!(otlp(REJECT, &body), Ok(body));
    }
}

#[test]
fn overwrite_removes_all_spellings_and_sets_the_label_on_each_point() {
    let id = ("service.name", "s");
    let own = ("tenant_id", "tenant-a");
    for kind in KINDS {
        let points = [
            list(&[("tenant.id", "tenant-b"), ("x", "1")]),
            list(&[own]),
            vec![],
        ];
        let body = request(
            kind,
            &list(&[id, ("tenant-id", "b"), ("host", "h")]),
            &points,
            2,
        );
        let points = [list(&[("x", "1"), own]), list(&[own]), list(&[own])];
        let expected = request(kind, &list(&[id, ("host", "h"), own]), &points, 2);
        assert_eq!(otlp(OVERWRITE, &body), Ok(expected.clone()));
        assert_eq!(otlp(OVERWRITE, &expected), Ok(expected));
    }
}

#[test]
fn no_target_info_comes_to_be_by_the_label() {
    let id = list(&[("service.name", "s")]);
    let own = list(&[("tenant_id", "tenant-a")]);
    let body = request(5, &id, std::slice::from_ref(&own), 2);
    assert_eq!(otlp(OVERWRITE, &body), Ok(body.clone()));
    assert_eq!(otlp(VERIFY, &body), Ok(body));
    let with_host = request(5, &list(&[("host", "h")]), &[own], 2);
    assert!(
        otlp(VERIFY, &with_host).is_err(),
        "target_info would lack it"
    );
}

#[test]
fn another_spelling_of_the_right_value_does_not_stand_for_the_label() {
    let body = request(5, &vec![], &[list(&[("tenant.id", "tenant-a")])], 2);
    assert!(otlp(VERIFY, &body).is_err());
    let allow = r#"{"series_label":"verify","absent":"allow"}"#;
    assert_eq!(otlp(allow, &body), Ok(body));
    let twice = list(&[("tenant.id", "tenant-a"), ("tenant_id", "tenant-a")]);
    assert!(otlp(allow, &request(5, &vec![], &[twice], 2)).is_err());
}

#[test]
fn scope_attributes_count_by_both_names() {
    let (mut scope, mut sm, mut rm, mut out) = Default::default();
    attributes(3, &list(&[("user.name", "bob"), ("x", "y")]), &mut scope);
    put(1, &scope, &mut sm);
    put(2, &sm, &mut rm);
    put(1, &rm, &mut out);
    for name in ["user_name", "otel_scope_user_name"] {
        let json = format!(r#"{{"labels":[{{"name":"{name}","action":"refuse"}}]}}"#);
        assert_eq!(otlp(&json, &out).unwrap_err().status(), 400);
    }
}

#[test]
fn rules_rewrite_values_of_every_plain_type() {
    let json = r#"{"labels":[{"name":"user_id","action":{"rewrite":{"regex":"[0-9-]+","replacement":"N"}}}]}"#;
    let point = |value: &[u8]| {
        let (mut kv, mut point, mut data, mut metric, mut sm, mut rm, mut out) = Default::default();
        put(1, b"user.id", &mut kv);
        put(2, value, &mut kv);
        put(7, &kv, &mut point);
        put(1, &point, &mut data);
        put(5, &data, &mut metric);
        put(2, &metric, &mut sm);
        put(2, &sm, &mut rm);
        put(1, &rm, &mut out);
        out
    };
    let expected = point(b"\x0a\x01N");
    for value in [
        &b"\x0a\x0242"[..],
        b"\x18\x2a",
        b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    ] {
        assert_eq!(otlp(json, &point(value)).as_ref(), Ok(&expected));
    }
    let double = point(b"\x21\0\0\0\0\0\0\0\0");
    assert_eq!(otlp(json, &double).unwrap_err().status(), 400);
    let two = point(b"\x0a\x0242\x0a\x0143");
    assert_eq!(otlp(json, &two).unwrap_err().status(), 400);
}

#[test]
fn what_receivers_might_read_differently_is_refused() {
    let (mut rm, mut out) = Default::default();
    put(1, &[], &mut rm);
    put(1, &[], &mut rm);
    put(1, &rm, &mut out);
    assert_eq!(otlp(REJECT, &out).unwrap_err().status(), 400);
    for body in [
        &[0x0a, 4, 0x12, 2, 0x12, 0, 0xff][..],
        &[0x0b],
        &[0x0a, 5, 0],
    ] {
        assert!(otlp(REJECT, body).is_err());
    }
}

#[test]
fn labels_that_an_upstream_derives_cannot_be_enforced() {
    let scope = crate::scope::Scope::new(vec![
        crate::scope::Enforced::values(crate::tenant::LabelName::parse("job").unwrap(), ["x"])
            .unwrap(),
    ]);
    let e = policy(VERIFY)
        .apply(Protocol::Otlp, &[], &scope, &tenant())
        .unwrap_err();
    assert!(e.to_string().contains("cannot be enforced in OTLP"), "{e}");
}

#[test]
fn a_required_job_comes_of_the_service_name() {
    let json = r#"{"required":["job"]}"#;
    let with = request(5, &list(&[("service.name", "s")]), &[vec![]], 2);
    assert_eq!(otlp(json, &with), Ok(with));
    assert!(otlp(json, &request(5, &list(&[("host", "s")]), &[vec![]], 2)).is_err());
}

proptest! {
    #[test]
    fn decoded_bytes_are_the_policy_applied_to_the_attributes(
        kind in prop::sample::select(KINDS.to_vec()),
        points in prop::collection::vec(prop::collection::btree_map(
            prop::sample::select(vec!["a", "b.c", "tenant_id", "tenant.id", "tenant id", "z"]),
            prop::sample::select(vec!["tenant-a", "tenant-b", ""]), 0..4), 0..4),
        overwrite: bool,
    ) {
        let points: Vec<Attributes> = points.into_iter()
            .map(|m| m.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
            .collect();
        let own = ("tenant_id".to_owned(), "tenant-a".to_owned());
        let expected: Vec<Attributes> = points.iter().map(|p| {
            let keep = |kv: &&(String, String)| !kv.0.starts_with("tenant") || overwrite && **kv == own;
            let mut list: Attributes = p.iter().filter(keep).cloned().collect();
            if overwrite && !list.contains(&own) {
                list.push(own.clone());
            }
            list
        }).collect();
        let json = if overwrite { OVERWRITE } else { r#"{"series_label":"drop"}"# };
        let result = otlp(json, &request(kind, &vec![], &points, 2));
        prop_assert_eq!(result, Ok(request(kind, &vec![], &expected, 2)));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for json in [OVERWRITE, r#"{"labels":[{"pattern":".*","action":"drop"}]}"#] {
            for protocol in [Protocol::Otlp, Protocol::OtlpGzip] {
                let _ = policy(json).apply(protocol, &bytes, &scope(), &tenant());
            }
        }
    }
}
