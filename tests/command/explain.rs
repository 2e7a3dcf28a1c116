//! `promfence explain`: what the filter makes of a request.

use crate::{Scratch, config, run, token};

#[test]
fn a_request_is_explained() {
    let scratch = Scratch::new("explain");
    let file = config(&scratch);
    let token = token(&scratch, &["--claim", r#"tenants=["team-a","team-b"]"#]);
    let explain = |more: &[&str]| run(&[&["explain", "--token", &token, &file], more].concat());

    let url = "https://metrics.example/api/v1/query?query=up";
    let (status, out, error) = explain(&["GET", url]);
    assert_eq!(status, 0, "{out}{error}");
    for expected in [
        "upstream   upstreams[1].thanos (cluster query)",
        "endpoint   query",
        "caller     alice (a verified token)",
        "scope      {tenant_id=~\"team-a|team-b\"}",
        "GET /api/v1/query?query=up%7Btenant_id%3D~%22team-a%7Cteam-b%22%7D",
        "x-promfence-seal: (the seal of the upstream)",
    ] {
        assert!(out.contains(expected), "{expected} in {out}");
    }
    assert!(
        !out.contains("authorization") && !out.contains("seal-of-"),
        "{out}"
    );

    let narrowed = ["-H", "x-promfence-tenant: team-a", "POST", "/api/v1/query"];
    let (status, out, _) = explain(&[&narrowed[..], &["--data", "query=up"]].concat());
    assert_eq!(status, 0, "{out}");
    assert!(out.contains("thanos-tenant: team-a\n"), "{out}");
    assert!(
        out.contains("\nquery=up%7Btenant_id%3D%22team-a%22%7D"),
        "{out}"
    );
}

#[test]
fn a_denial_is_explained() {
    let scratch = Scratch::new("denial");
    let file = config(&scratch);
    let token = token(&scratch, &["--claim", r#"tenants=["team-a","team-b"]"#]);
    let denied = |more: &[&str], expected: &str| {
        let (status, out, _) = run(&[&["explain", &file], more].concat());
        assert_eq!(status, 1, "{out}");
        assert!(out.contains(expected), "{expected} in {out}");
    };
    let get = ["GET", "/api/v1/query?query=up"];
    let foreign = ["--token", &token, "-H", "x-promfence-tenant: team-c"];
    denied(&[&foreign[..], &get].concat(), "denied with 403 (tenant)");
    denied(
        &["--token", &token, "POST", "/api/v1/admin/tsdb/snapshot"],
        "denied with 404",
    );
    denied(
        &[&["--token", &token, "--at", "4000000000"], &get[..]].concat(),
        "denied with 401",
    );
    denied(&get, "www-authenticate: Bearer");
}

#[test]
fn an_answer_is_shown_as_the_caller_gets_it() {
    let scratch = Scratch::new("answer");
    let file = config(&scratch);
    let token = token(&scratch, &["--claim", "tenants=team-a"]);
    let rule = |tenant: &str| {
        serde_json::json!({"name": tenant, "query": "up", "type": "recording", "health": "ok",
            "labels": {"tenant_id": tenant}, "lastEvaluation": "x", "evaluationTime": 0})
    };
    let answer = serde_json::json!({"status": "success", "data": {"groups": [
        {"name": "g", "file": "f", "interval": 1, "rules": [rule("team-a"), rule("team-b")]}]}});
    let answer = scratch.with("answer.json", &answer.to_string());
    let args = [
        "explain",
        "--token",
        &token,
        "--answer",
        &answer,
        &file,
        "GET",
        "/api/v1/rules",
    ];
    let (status, out, error) = run(&args);
    assert_eq!(status, 0, "{out}{error}");
    assert!(out.contains("answer 200"), "{out}");
    assert!(
        out.contains("\"name\":\"team-a\"") && !out.contains("team-b"),
        "{out}"
    );
}

#[test]
fn fetched_keys_are_given_by_hand() {
    let scratch = Scratch::new("fetched");
    let text = std::fs::read_to_string(config(&scratch)).unwrap();
    let keys = text.lines().find(|l| l.contains("inline")).unwrap();
    let remote = "    keys: { remote: { cluster: idp, authority: idp.example, path: /keys } }";
    let file = scratch.with("remote.yaml", &text.replace(keys, remote));
    let token = token(&scratch, &["--claim", "tenants=team-a"]);
    let args = [
        "explain",
        "--token",
        &token,
        &file,
        "GET",
        "/api/v1/query?query=up",
    ];
    let (status, _, error) = run(&args);
    assert_eq!(status, 2);
    assert!(
        error.contains("idp.example/keys") && error.contains("--jwks"),
        "{error}"
    );
    let jwks = scratch.file("jwks.json");
    let (status, out, error) = run(&[&args[..], &["--jwks", &jwks]].concat());
    assert_eq!(status, 0, "{out}{error}");
}

#[test]
fn a_payload_that_an_earlier_filter_verified_is_given_by_hand() {
    let scratch = Scratch::new("payload");
    let text = std::fs::read_to_string(config(&scratch)).unwrap();
    let keys = text.lines().find(|l| l.contains("inline")).unwrap();
    let verified = "    verified_by: { metadata: { key: payload } }";
    let file = scratch.with("verified.yaml", &text.replace(keys, verified));
    let claims = serde_json::json!({"iss": "https://idp.example", "aud": ["x", "thanos"],
        "sub": "bob", "exp": 4e9, "iat": 1, "admin": false, "none": null, "tenants": ["team-a"]});
    let payload = scratch.with("payload.json", &claims.to_string());
    let get = ["GET", "/api/v1/query?query=up"];
    let (status, out, error) =
        run(&[&["explain", "--payload", &payload, &file], &get[..]].concat());
    assert_eq!(status, 0, "{out}{error}");
    assert!(
        out.contains("caller     bob (a token that an earlier filter verified)"),
        "{out}"
    );
    assert_eq!(run(&[&["explain", &file], &get[..]].concat()).0, 1);
}

#[test]
fn a_certificate_is_given_by_hand() {
    let scratch = Scratch::new("certificate");
    let text = std::fs::read_to_string(config(&scratch)).unwrap();
    let rule = "auth:\n  mtls: [{ uri_san: \"spiffe://cluster.local/ns/{tenant}/sa/*\" }]\n";
    let file = scratch.with("mtls.yaml", &text.replace("auth:\n", rule));
    let san = "connection.uri_san_peer_certificate=spiffe://cluster.local/ns/team-a/sa/agent";
    let args = [
        "explain",
        "--property",
        san,
        &file,
        "GET",
        "/api/v1/query?query=up",
    ];
    let (status, out, error) = run(&args);
    assert_eq!(status, 0, "{out}{error}");
    assert!(
        out.contains("(a client certificate)") && out.contains("tenants    team-a\n"),
        "{out}"
    );
}

#[test]
fn discovery_is_answered_too() {
    let scratch = Scratch::new("discovery");
    let text = std::fs::read_to_string(config(&scratch)).unwrap();
    let keys = text.lines().find(|l| l.contains("inline")).unwrap();
    let remote = "    keys: { remote: { cluster: idp, authority: idp.example, discovery: {} } }";
    let file = scratch.with("discovery.yaml", &text.replace(keys, remote));
    let token = token(&scratch, &["--claim", "tenants=team-a"]);
    let jwks = scratch.file("jwks.json");
    let args = ["explain", "--token", &token, "--jwks", &jwks, &file];
    let (status, out, error) = run(&[&args[..], &["GET", "/api/v1/query?query=up"]].concat());
    assert_eq!(status, 0, "{out}{error}");
}
