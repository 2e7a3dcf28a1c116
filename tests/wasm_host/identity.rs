//! What the host knows besides headers: certificates, earlier filters, the environment; and what
//! the filter leaves behind for others.

use serde_json::json;

use super::lifecycle::ready;
use super::mint;
use super::run::{PLAIN, QUERY, Script, head};
use super::vm::{Outcome, Vm};

/// A GET on a connection with a property.
fn with_property(
    vm: &mut Vm,
    root: u32,
    authorization: &str,
    path: &[&str],
    value: &[u8],
) -> Outcome {
    let id = vm.open(root, false);
    let path = path.join("\0").into_bytes();
    vm.stream(id).properties.insert(path, value.to_vec());
    vm.request_headers(id, head("GET", QUERY, authorization), true);
    vm.respond(id, &Script::empty(), PLAIN);
    vm.close(id)
}

#[test]
fn a_certificate_names_the_tenant() {
    let config = json!({
        "auth": {"mtls": [{"uri_san": "spiffe://cluster.local/ns/{tenant}/sa/*"}]},
        "upstreams": [{"prometheus": {"hosts": ["metrics.example"]}}],
    });
    let mut vm = Vm::start(|_| {});
    let root = vm.configure(&config.to_string()).unwrap();
    let san = ["connection", "uri_san_peer_certificate"];
    let outcome = with_property(
        &mut vm,
        root,
        "",
        &san,
        b"spiffe://cluster.local/ns/team-a/sa/agent",
    );
    assert_eq!(
        outcome.upstream.header("thanos-tenant").as_deref(),
        Some("team-a")
    );
    for other in [
        &b"spiffe://cluster.local/ns/team-a/sa/agent/x"[..],
        b"spiffe://evil/ns/team-a/sa/x",
        b"\xff",
        b"",
    ] {
        let outcome = with_property(&mut vm, root, "", &san, other);
        assert!(
            outcome.replied && outcome.upstream.head.is_none(),
            "{outcome:?}"
        );
    }
    let outcome = vm.get(root, QUERY, "");
    assert_eq!(outcome.client.status(), 401);
}

/// Envoy's message `Metadata`: namespace, then a struct whose key `payload` is the claims.
fn metadata(tenant: &str, issuer: &str) -> Vec<u8> {
    let field = |tag: u8, bytes: &[u8]| {
        let mut out = vec![tag << 3 | 2];
        if bytes.len() >= 128 {
            out.push(u8::try_from(bytes.len() & 0x7f).unwrap() | 0x80);
        }
        out.push(
            u8::try_from(if bytes.len() >= 128 {
                bytes.len() >> 7
            } else {
                bytes.len()
            })
            .unwrap(),
        );
        out.extend_from_slice(bytes);
        out
    };
    let text = |value: &str| field(3, value.as_bytes());
    let entry =
        |key: &str, value: &[u8]| field(1, &[field(1, key.as_bytes()), field(2, value)].concat());
    let claims = [
        entry("iss", &text(issuer)),
        entry("aud", &text("thanos")),
        entry("sub", &text("somebody")),
        entry("exp", &[&[0x11][..], &4e9f64.to_le_bytes()].concat()),
        entry("tenants", &text(tenant)),
    ]
    .concat();
    let payload = entry("payload", &field(5, &claims));
    entry("envoy.filters.http.jwt_authn", &payload)
}

#[test]
fn claims_that_an_earlier_filter_verified_are_held_against_our_issuer() {
    let mut issuer = mint::issuer(json!({}));
    issuer.as_object_mut().unwrap().remove("keys");
    issuer["verified_by"] = json!({"metadata": {}});
    let config = json!({
        "auth": {"issuers": [issuer]},
        "upstreams": [{"prometheus": {"hosts": ["metrics.example"]}}],
    });
    let mut vm = Vm::start(|_| {});
    let root = vm.configure(&config.to_string()).unwrap();
    let good = metadata("team-a", mint::ISSUER);
    let outcome = with_property(&mut vm, root, "", &["metadata"], &good);
    assert_eq!(
        outcome.upstream.header("thanos-tenant").as_deref(),
        Some("team-a"),
        "{outcome:?}"
    );
    let half = good[..good.len() / 2].to_vec();
    for bad in [
        metadata("team-a", "https://other.example"),
        metadata("../x", mint::ISSUER),
        half,
        b"\xff".repeat(64),
    ] {
        let outcome = with_property(&mut vm, root, "", &["metadata"], &bad);
        assert!(
            outcome.replied && outcome.upstream.head.is_none(),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_secret_comes_from_the_environment_or_the_configuration_is_refused() {
    let config = json!({
        "auth": mint::auth(),
        "seal": {"header": "x-seal"},
        "upstreams": [{"prometheus": {"hosts": ["metrics.example"], "seal": {"env": "SEAL"}}}],
    })
    .to_string();
    let mut vm = Vm::start(|state| {
        state.env = vec![
            ("OTHER".to_owned(), "x".to_owned()),
            ("SEAL".to_owned(), "the-seal-0123456789".to_owned()),
        ];
    });
    let root = vm.configure(&config).unwrap();
    let outcome = vm.get(root, QUERY, &mint::bearer("team-a"));
    assert_eq!(
        outcome.upstream.header("x-seal").as_deref(),
        Some("the-seal-0123456789")
    );
    let error = Vm::start(|_| {}).configure(&config).unwrap_err();
    assert!(
        error.contains("seal") && error.contains("`SEAL`"),
        "{error}"
    );
}

#[test]
fn only_the_properties_that_are_asked_for_are_left() {
    let (mut vm, root) = ready(&json!({"log": {"properties": ["decision"]}}));
    let allowed = vm.get(root, QUERY, &mint::bearer("team-a"));
    let names: Vec<_> = allowed.properties.keys().collect();
    assert_eq!(names, ["promfence.decision"]);
}

#[test]
fn what_came_of_a_request_is_left_in_properties_and_counters() {
    let all = json!({"log": {"properties": ["tenant", "subject", "endpoint", "decision"]}});
    let (mut vm, root) = ready(&all);
    let allowed = vm.get(root, QUERY, &mint::bearer("team-ab"));
    assert_eq!(allowed.properties["promfence.tenant"], "team-a|team-b");
    assert_eq!(allowed.properties["promfence.subject"], "team-ab");
    assert_eq!(allowed.properties["promfence.endpoint"], "query");
    assert_eq!(allowed.properties["promfence.decision"], "allowed");
    let denied = vm.get(root, "/nowhere", &mint::bearer("team-ab"));
    assert_eq!(denied.properties["promfence.tenant"], "");
    assert_eq!(denied.properties["promfence.decision"], "endpoint");
    assert_eq!(vm.metric("promfence.denied.reason.endpoint"), 1);
    vm.second();
    assert_eq!(vm.metric("promfence.allowed.endpoint.query"), 1);
}

#[test]
fn no_line_of_the_log_tells_a_secret_or_the_text_of_a_query() {
    let (mut vm, root) = ready(&json!({}));
    let secret = mint::bearer("nobody");
    let token = super::keys::bearer(&vm, 9, "team-a");
    for authorization in [&secret, &token, &mint::bearer("team-a")] {
        vm.get(root, "/api/v1/query?query=confidential{", authorization);
    }
    let lines: Vec<String> = vm
        .state()
        .logs
        .iter()
        .map(|(_, line)| line.clone())
        .collect();
    assert!(
        lines.iter().filter(|l| l.contains("denied")).count() >= 3,
        "{lines:#?}"
    );
    for line in lines {
        for told in [
            "confidential",
            "the-generated-secret",
            token.rsplit('.').next().unwrap(),
        ] {
            assert!(!line.contains(told), "{line}");
        }
    }
}
