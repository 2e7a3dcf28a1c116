//! Streams that end early, budgets that must be given back, and a VM that must live on.

use serde_json::json;

use super::keys::{bearer, key_set, remote, start};
use super::mint;
use super::run::{MANNERS, PLAIN, QUERY, Script, head};
use super::state::{Answer, Fields, fields};
use super::vm::Vm;

const SILENCE: &str = "/api/v2/silence/00000000-0000-4000-8000-00000000000a";

fn config(more: &serde_json::Value) -> String {
    let mut config = json!({
        "auth": mint::auth(),
        "upstreams": [
            {"prometheus": {"hosts": ["metrics.example"]}},
            {"alertmanager": {"hosts": ["metrics.example"], "cluster": "upstream"}},
        ],
    });
    config
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    config.to_string()
}

pub(crate) fn ready(more: &serde_json::Value) -> (Vm, u32) {
    let mut vm = Vm::start(|state| {
        state.clusters.insert("upstream".to_owned());
    });
    let root = vm.configure(&config(more)).unwrap();
    (vm, root)
}

pub(crate) fn form() -> Fields {
    let mut head = head("POST", "/api/v1/query", &mint::bearer("team-a"));
    head.push((
        "content-type".to_owned(),
        b"application/x-www-form-urlencoded".to_vec(),
    ));
    head
}

#[track_caller]
pub(crate) fn serves(vm: &mut Vm, root: u32) {
    let outcome = vm.get(root, QUERY, &mint::bearer("team-a"));
    assert_eq!(outcome.client.status(), 200, "{outcome:?}");
}

/// F-005, F-018: the answer to a call-out comes to a context that has gone.
#[test]
fn a_client_may_leave_at_every_phase() {
    let (mut vm, root) = ready(&json!({}));
    let rules = head("GET", "/api/v1/rules", &mint::bearer("team-a"));
    let answer = fields(&[(":status", "200"), ("content-type", "application/json")]);
    for phase in 0..9 {
        let id = vm.open(root, phase % 2 == 0);
        match phase {
            0 => {}
            1 => vm.request_headers(id, form(), false),
            2 => {
                vm.request_headers(id, form(), false);
                vm.request_data(id, b"query=u", false);
            }
            3 => {
                vm.request_headers(id, form(), false);
                vm.request_data(id, b"query=up", true);
            }
            4 => vm.request_headers(id, head("DELETE", SILENCE, &mint::bearer("team-a")), true),
            5 => vm.request_headers(id, rules.clone(), true),
            6 => {
                vm.request_headers(id, rules.clone(), true);
                vm.response_headers(id, answer.clone(), false);
            }
            7 => {
                vm.request_headers(id, rules.clone(), true);
                vm.response_headers(id, answer.clone(), false);
                vm.response_data(id, b"{\"status\":", false);
            }
            _ => vm.request_headers(id, head("GET", "/nowhere", ""), true),
        }
        vm.close(id);
        vm.answer_all(|_| Answer::new(200, "{}"));
        serves(&mut vm, root);
    }
}

#[test]
fn a_client_that_leaves_while_keys_are_fetched_leaves_the_others_waiting() {
    let (mut vm, root) = start(&remote(&json!({})));
    let token = bearer(&vm, 1, "team-a");
    let ids: Vec<u32> = (0..3)
        .map(|_| vm.send(root, &head("GET", QUERY, &token), None, PLAIN))
        .collect();
    vm.tick();
    vm.close(ids[1]);
    vm.answer_all(|_| key_set(&[1]));
    for id in [ids[0], ids[2]] {
        vm.respond(id, &Script::empty(), PLAIN);
        assert_eq!(vm.close(id).client.status(), 200);
    }
}

#[test]
fn held_bytes_are_bounded_and_given_back_however_a_stream_ends() {
    let (mut vm, root) = ready(&json!({"limits": {"worker_memory": "64KiB", "grant_share": 100}}));
    let half = "query=".to_owned() + &"u".repeat(40 << 10);
    for _ in 0..20 {
        let holds = vm.open(root, false);
        vm.request_headers(holds, form(), false);
        vm.request_data(holds, half.as_bytes(), false);
        let refused = vm.send(root, &form(), Some(half.as_bytes()), PLAIN);
        let outcome = vm.close(refused);
        assert_eq!(outcome.client.status(), 503);
        assert!(outcome.client.header("retry-after").is_some());
        serves(&mut vm, root);
        vm.close(holds);
    }
    let outcome = vm.exchange(
        root,
        (&form(), Some(half.as_bytes())),
        &Script::empty(),
        PLAIN,
        |_| Answer::reset(),
    );
    assert_eq!(outcome.client.status(), 200);
}

#[test]
fn one_grant_cannot_take_what_is_kept_for_the_others() {
    let (mut vm, root) = ready(&json!({"limits": {"worker_memory": "64KiB", "grant_share": 50}}));
    let body = "query=".to_owned() + &"u".repeat(30 << 10);
    let holds = vm.open(root, false);
    vm.request_headers(holds, form(), false);
    vm.request_data(holds, body.as_bytes(), false);
    let own = vm.send(root, &form(), Some(body.as_bytes()), PLAIN);
    assert_eq!(vm.close(own).client.status(), 503);
    let mut other = form();
    other
        .iter_mut()
        .find(|(n, _)| n == "authorization")
        .unwrap()
        .1 = mint::bearer("team-b").into_bytes();
    let outcome = vm.exchange(
        root,
        (&other, Some(body.as_bytes())),
        &Script::empty(),
        PLAIN,
        |_| Answer::reset(),
    );
    assert_eq!(outcome.client.status(), 200);
    vm.close(holds);
}

#[test]
fn two_callers_of_a_tenant_have_one_share_between_them() {
    let (mut vm, root) = ready(&json!({"limits": {"worker_memory": "64KiB", "grant_share": 50}}));
    let body = "query=".to_owned() + &"u".repeat(30 << 10);
    let holds = vm.open(root, false);
    vm.request_headers(holds, form(), false);
    vm.request_data(holds, body.as_bytes(), false);
    let mut other = form();
    other
        .iter_mut()
        .find(|(n, _)| n == "authorization")
        .unwrap()
        .1 = mint::bearer("reader-a").into_bytes();
    let refused = vm.send(root, &other, Some(body.as_bytes()), PLAIN);
    assert_eq!(vm.close(refused).client.status(), 503);
    vm.close(holds);
    let outcome = vm.exchange(
        root,
        (&other, Some(body.as_bytes())),
        &Script::empty(),
        PLAIN,
        |_| Answer::reset(),
    );
    assert_eq!(outcome.client.status(), 200);
}

#[test]
fn a_tenant_has_so_many_requests_under_way_and_no_more() {
    let (mut vm, root) = ready(&json!({"limits": {"requests": 2}}));
    let mut stalled = Vec::new();
    for _ in 0..2 {
        let holds = vm.open(root, false);
        vm.request_headers(holds, form(), false);
        stalled.push(holds);
    }
    let body = "query=up";
    let own = vm.send(root, &form(), Some(body.as_bytes()), PLAIN);
    let outcome = vm.close(own);
    assert_eq!(outcome.client.status(), 503);
    assert!(outcome.client.header("retry-after").is_some());
    let mut other = form();
    other
        .iter_mut()
        .find(|(n, _)| n == "authorization")
        .unwrap()
        .1 = mint::bearer("team-b").into_bytes();
    let send = |vm: &mut Vm, head: &Fields| {
        let script = Script::empty();
        vm.exchange(root, (head, Some(body.as_bytes())), &script, PLAIN, |_| {
            Answer::reset()
        })
    };
    assert_eq!(send(&mut vm, &other).client.status(), 200);
    vm.close(stalled.remove(0));
    for _ in 0..3 {
        assert_eq!(send(&mut vm, &form()).client.status(), 200);
    }
}

/// F-010: a second reply, a resume after one, or a header changed too late (F-011) fails in the
/// host itself.
#[test]
fn a_refused_body_is_answered_once_whatever_follows() {
    let (mut vm, root) = ready(&json!({}));
    for manner in MANNERS {
        let body = "query=sum(&query=up&".repeat(40);
        let outcome = vm.exchange(
            root,
            (&form(), Some(body.as_bytes())),
            &Script::empty(),
            manner,
            |_| Answer::reset(),
        );
        assert_eq!(
            (outcome.replied, outcome.client.status()),
            (true, 400),
            "{manner:?}"
        );
        assert!(!outcome.upstream.ended && outcome.upstream.body.is_empty());
        serves(&mut vm, root);
    }
}

#[test]
fn interleaved_streams_keep_to_themselves() {
    let (mut vm, root) = ready(&json!({}));
    let ids: Vec<u32> = (0..8).map(|_| vm.open(root, false)).collect();
    for (i, id) in ids.iter().enumerate() {
        let mut head = form();
        let name = if i % 2 == 0 { "team-a" } else { "team-b" };
        head.iter_mut()
            .find(|(n, _)| n == "authorization")
            .unwrap()
            .1 = mint::bearer(name).into_bytes();
        vm.request_headers(*id, head, false);
    }
    let bodies: Vec<String> = (0..8).map(|i| format!("query=metric_{i}")).collect();
    for at in 0..bodies[0].len() {
        for (id, body) in ids.iter().zip(&bodies) {
            vm.request_data(*id, &body.as_bytes()[at..=at], false);
        }
    }
    for (i, id) in ids.iter().enumerate() {
        vm.request_data(*id, b"", true);
        let name = if i % 2 == 0 { "team-a" } else { "team-b" };
        let outcome = vm.close(*id);
        assert_eq!(
            outcome.upstream.text(),
            format!("query=metric_{i}%7Btenant_id%3D%22{name}%22%7D")
        );
    }
}

/// F-026, in small: what is left behind by a request shows up as growth.
#[test]
fn memory_is_flat_over_many_requests() {
    let (mut vm, root) = ready(&json!({}));
    let token = bearer(&vm, 1, "team-a");
    let round = |vm: &mut Vm, i: usize| {
        let path = format!("/api/v1/query?query=metric_{}&time={i}", i % 500);
        let token = if i.is_multiple_of(3) {
            &token
        } else {
            &mint::bearer("team-b")
        };
        vm.get(root, &path, token);
        vm.get(root, &path, "");
        let body = format!("query=form_metric_{}", i % 500);
        vm.exchange(
            root,
            (&form(), Some(body.as_bytes())),
            &Script::empty(),
            PLAIN,
            |_| Answer::reset(),
        );
        vm.state().logs.clear();
    };
    for i in 0..WARM_UP {
        round(&mut vm, i);
    }
    let (pages, metrics) = (vm.pages(), vm.state().metrics.defined());
    let rounds = rounds();
    for i in 0..rounds {
        round(&mut vm, i);
    }
    let grown = (vm.pages() - pages) * 64;
    assert!(
        grown < 1024,
        "{grown} KiB more after {} requests",
        rounds * 3
    );
    assert_eq!(vm.state().metrics.defined(), metrics);
    assert!(pages * 64 < 32 << 10, "{} KiB when idle", pages * 64);
}

const WARM_UP: usize = 1_500;
/// `PROMFENCE_SOAK=333334` makes it a million requests, in ten minutes.
fn rounds() -> usize {
    std::env::var("PROMFENCE_SOAK").map_or(10_000, |n| n.parse().unwrap())
}
