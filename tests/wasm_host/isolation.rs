//! Configurations in one VM, and VMs that share data with strangers: nothing crosses over.

use serde_json::{Value, json};

use super::keys::{bearer, key_set};
use super::mint;
use super::run::{PLAIN, QUERY, head};
use super::state::Answer;
use super::vm::Vm;

fn query(vm: &mut Vm, root: u32, authorization: &str) -> (u16, Option<String>) {
    let outcome = vm.get(root, QUERY, authorization);
    (outcome.client.status(), outcome.upstream.header(":path"))
}

/// The configuration of one listener: the tenant of the secret `team-a`, the label, the issuer's
/// audience.
fn listener(tenant: &str, label: &str, audience: &str) -> String {
    let mut auth = mint::auth();
    auth["static"][0]["grant"] = json!({"tenants": [tenant]});
    auth["issuers"][0]["audiences"] = json!([audience]);
    json!({
        "tenancy": {"label": label},
        "auth": auth,
        "upstreams": [{"prometheus": {"hosts": ["metrics.example"]}}],
    })
    .to_string()
}

#[test]
fn two_listeners_with_conflicting_policies_in_one_vm_never_share_a_verdict() {
    let mut vm = Vm::start(|_| {});
    let one = vm
        .configure(&listener("team-a", "tenant_id", "thanos"))
        .unwrap();
    let other = vm
        .configure(&listener("team-z", "team", "grafana"))
        .unwrap();
    let token = bearer(&vm, 1, "team-a");
    let secret = mint::bearer("team-a");
    let path = |matcher: &str| Some(format!("/api/v1/query?query=up%7B{matcher}%7D"));
    for _ in 0..3 {
        assert_eq!(
            query(&mut vm, one, &secret),
            (200, path("tenant_id%3D%22team-a%22"))
        );
        assert_eq!(
            query(&mut vm, other, &secret),
            (200, path("team%3D%22team-z%22"))
        );
        assert_eq!(
            query(&mut vm, one, &token),
            (200, path("tenant_id%3D%22team-a%22"))
        );
        assert_eq!(query(&mut vm, other, &token), (401, None));
    }
}

#[test]
fn a_bad_configuration_is_refused_with_its_field_and_the_old_one_serves_on() {
    let mut vm = Vm::start(|_| {});
    let root = vm
        .configure(&listener("team-a", "tenant_id", "thanos"))
        .unwrap();
    for (bad, field) in [
        ("", "empty"),
        ("{", ""),
        (r#"{"auth":{},"upstreams":[]}"#, "upstreams"),
        (
            r#"{"auth":{},"upstreams":[{"prometheus":{"hosts":["x"],"fedrate":true}}]}"#,
            "upstreams",
        ),
    ] {
        let error = vm.configure(bad).unwrap_err();
        assert!(error.contains(field), "{error}");
        assert_eq!(query(&mut vm, root, &mint::bearer("team-a")).0, 200);
    }
}

/// F-018.
#[test]
fn a_new_configuration_leaves_requests_that_wait_to_the_old_one() {
    let mut vm = Vm::start(|state| {
        state.clusters.insert("idp".to_owned());
    });
    let old = vm.configure(&super::keys::remote(&json!({}))).unwrap();
    vm.tick();
    let token = bearer(&vm, 1, "team-a");
    let waits = vm.send(old, &head("GET", QUERY, &token), None, PLAIN);
    let new = vm
        .configure(&listener("team-a", "tenant_id", "thanos"))
        .unwrap();
    assert_eq!(query(&mut vm, new, &mint::bearer("team-a")).0, 200);
    vm.answer_all(|_| key_set(&[1]));
    vm.respond(waits, &super::run::Script::empty(), PLAIN);
    assert_eq!(vm.close(waits).client.status(), 200);
    vm.unload(old);
    assert_eq!(query(&mut vm, new, &mint::bearer("team-a")).0, 200);
}

#[test]
fn a_configuration_that_is_unloaded_while_a_request_waits_traps_nothing() {
    let mut vm = Vm::start(|state| {
        state.clusters.insert("idp".to_owned());
    });
    let old = vm.configure(&super::keys::remote(&json!({}))).unwrap();
    vm.tick();
    let token = bearer(&vm, 1, "team-a");
    let waits = vm.send(old, &head("GET", QUERY, &token), None, PLAIN);
    let new = vm
        .configure(&listener("team-a", "tenant_id", "thanos"))
        .unwrap();
    vm.unload(old);
    assert_eq!(vm.close(waits).upstream.head, None);
    assert_eq!(query(&mut vm, new, &mint::bearer("team-a")).0, 200);
}

fn sharing(secret: Option<&str>) -> String {
    let remote =
        json!({"remote": {"cluster": "idp", "authority": "idp.example", "path": "/certs"}});
    let mut auth = json!({"issuers": [mint::issuer(remote)]});
    if let Some(secret) = secret {
        auth["shared_keys"] = json!({"secret": secret});
    }
    json!({"auth": auth, "upstreams": [{"prometheus": {"hosts": ["metrics.example"]}}]}).to_string()
}

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A worker whose shared data are those of another.
fn worker(configuration: &str, like: Option<&mut Vm>) -> (Vm, u32) {
    let shared = like.map(Vm::shared);
    let mut vm = Vm::start(|state| {
        state.clusters.insert("idp".to_owned());
        if let Some(shared) = shared {
            state.shared = shared;
        }
    });
    let root = vm.configure(configuration).unwrap();
    (vm, root)
}

fn fetches(vm: &mut Vm, seeds: &[u8]) -> usize {
    let mut n = 0;
    // Workers that share keys take turns, within a second.
    vm.pass(1);
    // Shared data are looked at now and then.
    for _ in 0..25 {
        vm.tick();
        vm.answer_all(|_| {
            n += 1;
            key_set(seeds)
        });
    }
    n
}

#[test]
fn without_a_secret_nothing_is_shared() {
    let (mut vm, _) = worker(&sharing(None), None);
    assert_eq!(fetches(&mut vm, &[1]), 1);
    assert!(vm.shared().lock().unwrap().entries.is_empty());
}

/// What a stranger makes of an entry.
type Poison<'a> = dyn Fn(&[u8]) -> Vec<u8> + 'a;

/// F-024.
#[test]
fn a_stranger_who_overwrites_all_shared_data_changes_no_decision() {
    let (mut first, root) = worker(&sharing(Some(SECRET)), None);
    assert_eq!(fetches(&mut first, &[1]), 1);
    let good = bearer(&first, 1, "team-a");
    let forged = bearer(&first, 9, "team-b");
    let honest = first.shared().lock().unwrap().entries.clone();
    let forged_set = json!({"keys": [mint::jwk(9)]}).to_string().into_bytes();
    let poisons: [&Poison<'_>; 6] = [
        &|_| Vec::new(),
        &|_| vec![0xff; 4096],
        &|v| v.iter().map(|b| b ^ 1).collect(),
        &|v| v[..v.len() / 2].to_vec(),
        &|v| [v, b"x"].concat(),
        &|v| replace_keys(v, &forged_set),
    ];
    for poison in poisons {
        let shared = first.shared();
        for (key, (value, _)) in &honest {
            shared.lock().unwrap().set(key.clone(), poison(value), 0);
        }
        let (mut fresh, fresh_root) = worker(&sharing(Some(SECRET)), Some(&mut first));
        fetches(&mut fresh, &[1]);
        fetches(&mut first, &[1]);
        for (vm, root) in [(&mut first, root), (&mut fresh, fresh_root)] {
            assert_eq!(query(vm, root, &good).0, 200);
            let id = vm.send(root, &head("GET", QUERY, &forged), None, PLAIN);
            fetches(vm, &[1]);
            let outcome = vm.close(id);
            assert!(
                outcome.replied && outcome.upstream.head.is_none(),
                "{outcome:?}"
            );
        }
    }
}

/// What someone without the secret would write: the entry with other keys in it.
fn replace_keys(entry: &[u8], keys: &[u8]) -> Vec<u8> {
    match entry.iter().position(|b| *b == b'{') {
        Some(at) => [&entry[..at], keys].concat(),
        None => keys.to_vec(),
    }
}

#[test]
fn keys_of_another_secret_are_not_taken() {
    let (mut first, _) = worker(&sharing(Some(SECRET)), None);
    assert_eq!(fetches(&mut first, &[1]), 1);
    let (mut other, _) = worker(
        &sharing(Some("ffffffffffffffffffffffffffffffff")),
        Some(&mut first),
    );
    assert_eq!(fetches(&mut other, &[1]), 1);
}

#[test]
fn a_second_worker_takes_the_keys_that_the_first_fetched() {
    let (mut first, _) = worker(&sharing(Some(SECRET)), None);
    assert_eq!(fetches(&mut first, &[1]), 1);
    let (mut second, root) = worker(&sharing(Some(SECRET)), Some(&mut first));
    second.tick();
    second.answer_all(|_| Answer::reset());
    let token = bearer(&second, 1, "team-a");
    let id = second.send(root, &head("GET", QUERY, &token), None, PLAIN);
    second.tick();
    second.answer_all(|_| Answer::reset());
    second.respond(id, &super::run::Script::empty(), PLAIN);
    assert_eq!(second.close(id).client.status(), 200);
    let _none: Value = Value::Null;
}
