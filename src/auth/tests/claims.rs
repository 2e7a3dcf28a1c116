use super::tokens::{c0, raw, read, verdict};
use super::*;

#[test]
fn a_tenant_claim_of_another_type_or_name_gives_nothing() {
    for (claims, reason) in [
        (json!({"tenants": null}), Reason::NoTenant),
        (json!({"tenants": []}), Reason::NoTenant),
        (json!({"tenant": {"a": 1}}), Reason::TenantType),
        (json!({"tenant": 7}), Reason::TenantType),
        (json!({"tenant": true}), Reason::TenantType),
        (json!({"tenant": [["tenant-a"]]}), Reason::TenantType),
        (
            json!({"tenant": "tenant-a", "tenants": 1}),
            Reason::TenantType,
        ),
        (json!({"tenants": ["tenant-a", null]}), Reason::TenantType),
        (json!({"tenant": ""}), Reason::TenantName),
        (json!({"tenant": [""]}), Reason::TenantName),
        (json!({"tenants": ["tenant-a", ""]}), Reason::TenantName),
    ] {
        assert_eq!(
            verdict(json!({}), claims.clone()),
            Err(AuthError::Forbidden(reason)),
            "{claims}"
        );
    }
    for name in [
        ".",
        "/",
        "../x",
        "a\\b",
        "a\r\nX-Evil: 1",
        "a\0b",
        "a b",
        "tenant-a ",
        "a,b",
        "té",
        "\u{ff54}a",
        "a:x",
        &"x".repeat(129),
    ] {
        assert_eq!(
            verdict(json!({}), json!({"tenant": name})),
            Err(AuthError::Forbidden(Reason::TenantName)),
            "{name:?}"
        );
    }
    let null = raw(
        r#"{"alg":"HS256"}"#,
        &format!(
            r#"{{"iss":"https://idp.example","aud":"thanos","exp":{},"tenant":null}}"#,
            NOW + 9
        ),
    );
    assert_eq!(
        ask(&mut c0(json!({})), &bearer(&null)),
        Err(AuthError::Forbidden(Reason::TenantType))
    );
    assert_eq!(read(json!({}), json!({"tenant": "TENANT-A"})), ["TENANT-A"]);
    assert_eq!(
        read(json!({}), json!({"tenant": "b", "tenants": ["a", "b"]})),
        ["a", "b"]
    );
    let many: Vec<String> = (0..300).map(|n| format!("t{n}")).collect();
    assert_eq!(
        verdict(json!({}), json!({"tenants": many})),
        Err(AuthError::Forbidden(Reason::TooManyTenants))
    );
}

#[test]
fn claims_are_found_by_pointer_and_cut_to_the_tenant() {
    let from = |source: Value, claims: Value| {
        verdict(json!({"tenants": [source]}), claims).map(|g| names(&g.read).join(" "))
    };
    let namespace = json!({"kubernetes.io": {"namespace": "team-a"}});
    assert_eq!(
        from(json!({"claim": "/kubernetes.io/namespace"}), namespace).unwrap(),
        "team-a"
    );
    assert_eq!(
        from(json!({"claim": "/a~1b~0"}), json!({"a/b~": "x"})).unwrap(),
        "x"
    );
    assert_eq!(
        from(
            json!({"claim": "/realm/tenant"}),
            json!({"realm.tenant": "b"})
        ),
        Err(AuthError::Forbidden(Reason::NoTenant))
    );
    assert_eq!(
        from(json!({"claim": "/t", "split": " "}), json!({"t": " a  b"})).unwrap(),
        "a b"
    );
    let groups = json!({"groups": ["metrics-a", "vpn", "/metrics-b", "metrics-c/x"]});
    assert_eq!(
        from(
            json!({"claim": "/groups", "strip_prefix": "metrics-"}),
            groups.clone()
        ),
        Err(AuthError::Forbidden(Reason::TenantName))
    );
    assert_eq!(
        from(
            json!({"claim": "/groups", "capture": "metrics-([a-z]+)"}),
            groups
        )
        .unwrap(),
        "a"
    );
    assert_eq!(
        from(
            json!({"claim": "/g", "capture": "a|b(x)"}),
            json!({"g": ["a", "bx", "bx\n"]})
        )
        .unwrap(),
        "x"
    );
}

#[test]
fn a_map_gives_tenants_and_rights() {
    let map = json!({"tenants": [{"claim": "/groups", "map": {
        "admins": {"all": true}, "sre": {"tenants": ["a", "b"], "write": "a"}, "dev": {"read": ["c"]}}}]});
    let of = |groups: Value| {
        verdict(map.clone(), json!({ "groups": groups }))
            .map(|g| (names(&g.read).join(" "), names(&g.write).join(" ")))
    };
    assert_eq!(
        of(json!(["sre", "other"])).unwrap(),
        ("a b".into(), "a".into())
    );
    assert_eq!(
        of(json!(["sre", "dev"])).unwrap(),
        ("a b c".into(), "a".into())
    );
    assert_eq!(of(json!("admins")).unwrap(), ("*".into(), String::new()));
    assert_eq!(
        of(json!(["other"])),
        Err(AuthError::Forbidden(Reason::NoTenant))
    );
    assert_eq!(
        of(json!([1])),
        Err(AuthError::Forbidden(Reason::TenantType))
    );
}

#[test]
fn admins_read_all_and_write_nothing_unless_said() {
    let admins = json!({"admins": {"claim": "/groups", "any_of": ["ops"]}, "tenants": []});
    let grant = verdict(admins.clone(), json!({"groups": ["x", "ops"]})).unwrap();
    assert_eq!(
        (names(&grant.read), names(&grant.write)),
        (vec!["*"], vec![])
    );
    assert_eq!(
        verdict(admins.clone(), json!({"groups": ["x"]})),
        Err(AuthError::Forbidden(Reason::NoTenant))
    );
    assert_eq!(
        verdict(admins, json!({"groups": {"ops": 1}})),
        Err(AuthError::Forbidden(Reason::TenantType))
    );
}

#[test]
fn rights_are_words_of_a_claim() {
    let rights = json!({"rights": {"claim": "/scope", "read": "metrics:read", "write": ["metrics:write", "w"]}});
    let of = |scope: Value| {
        verdict(rights.clone(), json!({ "scope": scope }))
            .map(|g| (names(&g.read).len(), names(&g.write).len()))
    };
    assert_eq!(of(json!("openid metrics:read")), Ok((1, 0)));
    assert_eq!(of(json!("metrics:write")), Ok((0, 1)));
    assert_eq!(of(json!(["w", "metrics:read"])), Ok((1, 1)));
    for scope in [
        json!(""),
        json!("metrics:readx"),
        json!("METRICS:READ"),
        json!([]),
        json!(1),
        json!(null),
        json!(["metrics:read", 1]),
    ] {
        assert_eq!(
            of(scope.clone()),
            Err(AuthError::Forbidden(Reason::NoRights)),
            "{scope}"
        );
    }
}

#[test]
fn labels_are_enforced_or_nobody_is_let_in() {
    let more = json!({"labels": {"team": {"claim": "/teams", "strip_prefix": "t-"}}, "labels_from": "/labels"});
    let of = |claims: Value| {
        verdict(more.clone(), claims).map(|g| {
            let show =
                |(n, v): &(crate::tenant::LabelName, Vec<Arc<str>>)| format!("{n}={}", v.join("|"));
            g.labels.iter().map(show).collect::<Vec<_>>().join(" ")
        })
    };
    let good = json!({"teams": ["t-b", "t-a", "x"], "labels": {"pod": ["POD"]}});
    assert_eq!(of(good).unwrap(), "pod=POD team=a|b");
    let narrowed = json!({"teams": ["t-b", "t-a"], "labels": {"team": ["a", "c"]}});
    assert_eq!(of(narrowed).unwrap(), "team=a");
    for claims in [
        json!({"labels": {"pod": "p"}}),
        json!({"teams": "t-a"}),
        json!({"teams": [], "labels": {"pod": "p"}}),
        json!({"teams": ["x"], "labels": {"pod": "p"}}),
        json!({"teams": ["t-"], "labels": {"pod": "p"}}),
        json!({"teams": 1, "labels": {"pod": "p"}}),
        json!({"teams": "t-a", "labels": {}}),
        json!({"teams": "t-a", "labels": {"pod": []}}),
        json!({"teams": "t-a", "labels": {"pod": [""]}}),
        json!({"teams": "t-a", "labels": {"a-b": ["x"]}}),
        json!({"teams": "t-a", "labels": ["pod"]}),
        json!({"teams": "t-a", "labels": {"pod": {"x": "y"}}}),
        json!({"teams": "t-a", "labels": {"team": ["b"]}}),
    ] {
        assert_eq!(
            of(claims.clone()),
            Err(AuthError::Forbidden(Reason::Labels)),
            "{claims}"
        );
    }
}
