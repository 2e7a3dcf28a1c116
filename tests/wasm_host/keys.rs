//! Keys that are fetched: on tick, again when due, once more for an unknown `kid`, and what
//! happens when that fails.

use serde_json::{Value, json};

use super::mint;
use super::run::{PLAIN, QUERY, Script, head};
use super::state::Answer;
use super::vm::{Outcome, Vm};

/// A configuration whose keys come from the cluster `idp`.
pub(crate) fn remote(more: &Value) -> String {
    let mut remote = json!({"cluster": "idp", "authority": "idp.example", "path": "/certs"});
    remote
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({
        "auth": {"issuers": [mint::issuer(json!({"remote": remote}))]},
        "upstreams": [{"prometheus": {"hosts": ["metrics.example"]}}],
    })
    .to_string()
}

/// The answer of a key server with the keys of these seeds.
pub(crate) fn key_set(seeds: &[u8]) -> Answer {
    let keys: Vec<Value> = seeds.iter().map(|s| mint::jwk(*s)).collect();
    Answer::new(200, json!({"keys": keys}).to_string())
}

pub(crate) fn start(configuration: &str) -> (Vm, u32) {
    let mut vm = Vm::start(|state| {
        state.clusters.insert("idp".to_owned());
    });
    let root = vm.configure(configuration).unwrap();
    (vm, root)
}

/// Fetches keys until nothing is due.
fn fetch(vm: &mut Vm, seeds: &[u8]) -> usize {
    let mut fetches = 0;
    vm.tick();
    vm.answer_all(|call| {
        assert_eq!(call.cluster, "idp");
        assert_eq!(call.header(":path").as_deref(), Some("/certs"));
        assert_eq!(call.header(":authority").as_deref(), Some("idp.example"));
        assert!(call.timeout > 0 && call.body.is_empty());
        fetches += 1;
        key_set(seeds)
    });
    fetches
}

pub(crate) fn bearer(vm: &Vm, seed: u8, tenant: &str) -> String {
    format!(
        "Bearer {}",
        mint::token(seed, &mint::claims(vm.now(), &json!({"tenants": [tenant]})))
    )
}

#[track_caller]
fn allowed(outcome: &Outcome) {
    assert_eq!(outcome.client.status(), 200, "{outcome:?}");
    assert!(
        outcome
            .upstream
            .header(":path")
            .unwrap()
            .contains("tenant_id"),
        "{outcome:?}"
    );
}

#[track_caller]
fn refused(outcome: &Outcome, status: u16) {
    assert_eq!(
        (outcome.replied, outcome.client.status()),
        (true, status),
        "{outcome:?}"
    );
    assert_eq!(outcome.upstream.head, None);
}

#[test]
fn keys_are_fetched_on_the_first_tick_and_again_when_due() {
    let (mut vm, root) = start(&remote(&json!({"refresh": "300s"})));
    assert_eq!(fetch(&mut vm, &[1]), 1);
    let token = bearer(&vm, 1, "team-a");
    allowed(&vm.get(root, QUERY, &token));
    vm.pass(100);
    assert_eq!(fetch(&mut vm, &[1]), 0);
    vm.pass(250);
    assert_eq!(fetch(&mut vm, &[1]), 1);
    allowed(&vm.get(root, QUERY, &token));
}

#[test]
fn a_key_set_is_taken_by_both_of_its_types() {
    let (mut vm, _) = start(&remote(&json!({})));
    vm.tick();
    vm.answer_all(|call| {
        let accept = call.header("accept").unwrap_or_default();
        let types: Vec<&str> = accept.split(',').map(str::trim).collect();
        // Kubernetes answers 406 without the second.
        assert_eq!(types, ["application/json", "application/jwk-set+json"]);
        key_set(&[1])
    });
}

#[test]
fn a_request_that_comes_before_the_keys_waits_for_them() {
    let (mut vm, root) = start(&remote(&json!({})));
    let token = bearer(&vm, 1, "team-a");
    let ids: Vec<u32> = (0..3)
        .map(|_| vm.send(root, &head("GET", QUERY, &token), None, PLAIN))
        .collect();
    assert_eq!(fetch(&mut vm, &[1]), 1);
    for id in ids {
        vm.respond(id, &Script::empty(), PLAIN);
        allowed(&vm.close(id));
    }
}

#[test]
fn a_form_that_comes_before_the_keys_waits_for_them_whatever_the_setting() {
    let form = "query=up&time=1700000000";
    for manner in super::run::MANNERS {
        let (mut vm, root) = start(&remote(&json!({})));
        let mut head = head("POST", "/api/v1/query", &bearer(&vm, 1, "team-a"));
        head.push((
            "content-type".to_owned(),
            b"application/x-www-form-urlencoded".to_vec(),
        ));
        let id = vm.send(root, &head, Some(form.as_bytes()), manner);
        assert_eq!(fetch(&mut vm, &[1]), 1);
        vm.respond(id, &Script::empty(), manner);
        let outcome = vm.close(id);
        assert_eq!(outcome.client.status(), 200, "{manner:?}: {outcome:?}");
        assert_eq!(
            outcome.upstream.header(":path").as_deref(),
            Some("/api/v1/query")
        );
        assert_eq!(
            outcome.upstream.text(),
            "query=up%7Btenant_id%3D%22team-a%22%7D&time=1700000000",
            "{manner:?}"
        );
    }
}

#[test]
fn an_unknown_kid_waits_for_one_fetch_and_then_for_none() {
    let (mut vm, root) = start(&remote(&json!({})));
    fetch(&mut vm, &[1]);
    vm.pass(30);
    let token = bearer(&vm, 2, "team-a");
    let ids: Vec<u32> = (0..2)
        .map(|_| vm.send(root, &head("GET", QUERY, &token), None, PLAIN))
        .collect();
    assert_eq!(fetch(&mut vm, &[1, 2]), 1);
    for id in ids {
        vm.respond(id, &Script::empty(), PLAIN);
        allowed(&vm.close(id));
    }
    allowed(&vm.get(root, QUERY, &token));
}

#[test]
fn made_up_kids_cause_few_fetches() {
    let (mut vm, root) = start(&remote(&json!({})));
    fetch(&mut vm, &[1]);
    let mut fetches = 0;
    for seed in 10..60 {
        vm.pass(1);
        let token = bearer(&vm, seed, "team-a");
        let id = vm.send(root, &head("GET", QUERY, &token), None, PLAIN);
        fetches += fetch(&mut vm, &[1]);
        let outcome = vm.close(id);
        assert!(
            outcome.replied && matches!(outcome.client.status(), 401 | 503),
            "{outcome:?}"
        );
    }
    assert!((1..=8).contains(&fetches), "{fetches} fetches");
    let good = bearer(&vm, 1, "team-a");
    allowed(&vm.get(root, QUERY, &good));
}

#[test]
fn without_keys_a_request_is_refused_with_503_and_the_next_fetch_heals() {
    let failures: [fn() -> Answer; 6] = [
        Answer::reset,
        || Answer::new(503, "no healthy upstream"),
        || Answer::new(504, ""),
        || Answer::new(200, "<html>"),
        || Answer::new(200, r#"{"keys":[]}"#),
        || Answer::new(200, vec![b' '; (1 << 20) + 1]),
    ];
    for failure in failures {
        let (mut vm, root) = start(&remote(&json!({})));
        let token = bearer(&vm, 1, "team-a");
        let id = vm.send(root, &head("GET", QUERY, &token), None, PLAIN);
        vm.tick();
        vm.answer_all(|_| failure());
        let outcome = vm.close(id);
        refused(&outcome, 503);
        assert!(outcome.client.header("retry-after").is_some());
        vm.pass(120);
        assert_eq!(fetch(&mut vm, &[1]), 1);
        allowed(&vm.get(root, QUERY, &token));
    }
}

#[test]
fn a_cluster_that_does_not_exist_is_a_503_and_no_trap() {
    let mut vm = Vm::start(|_| {});
    let root = vm.configure(&remote(&json!({}))).unwrap();
    vm.tick();
    let token = bearer(&vm, 1, "team-a");
    let id = vm.send(root, &head("GET", QUERY, &token), None, PLAIN);
    for _ in 0..3 {
        vm.pass(60);
        vm.tick();
    }
    refused(&vm.close(id), 503);
}

#[test]
fn stale_keys_serve_up_to_their_bound() {
    let (mut vm, root) = start(&remote(&json!({"refresh": "300s", "max_stale": "1h"})));
    fetch(&mut vm, &[1]);
    for minutes in (0..59).step_by(6) {
        vm.pass(360);
        vm.tick();
        vm.answer_all(|_| Answer::reset());
        let token = bearer(&vm, 1, "team-a");
        let outcome = vm.get(root, QUERY, &token);
        assert_eq!(outcome.client.status(), 200, "after {minutes} minutes");
    }
    vm.pass(3600);
    let token = bearer(&vm, 1, "team-a");
    let id = vm.send(root, &head("GET", QUERY, &token), None, PLAIN);
    vm.tick();
    vm.answer_all(|_| Answer::reset());
    refused(&vm.close(id), 503);
}

#[test]
fn a_key_that_is_withdrawn_ends_tokens_that_were_verified() {
    let (mut vm, root) = start(&remote(&json!({"refresh": "300s"})));
    fetch(&mut vm, &[1, 2]);
    let token = bearer(&vm, 2, "team-a");
    allowed(&vm.get(root, QUERY, &token));
    vm.pass(330);
    assert_eq!(fetch(&mut vm, &[1]), 1);
    let id = vm.send(root, &head("GET", QUERY, &token), None, PLAIN);
    fetch(&mut vm, &[1]);
    refused(&vm.close(id), 401);
}

#[test]
fn signatures_are_checked_alike_with_and_without_the_host() {
    for verifies in [false, true] {
        let mut vm = Vm::start(|state| {
            state.clusters.insert("idp".to_owned());
            state.verifies = verifies;
        });
        let root = vm.configure(&remote(&json!({}))).unwrap();
        fetch(&mut vm, &[1]);
        let before = vm.state().verified;
        let token = bearer(&vm, 1, "team-a");
        allowed(&vm.get(root, QUERY, &token));
        let forged = token.replace(
            token.rsplit('.').next().unwrap(),
            bearer(&vm, 3, "team-b").rsplit('.').next().unwrap(),
        );
        refused(&vm.get(root, QUERY, &forged), 401);
        assert_eq!(vm.state().verified > before, verifies);
        assert_eq!(vm.metric("promfence.host_signatures"), i64::from(verifies));
    }
}
