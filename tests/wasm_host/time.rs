//! The clock goes on, back and forth: no verdict depends on its going forward.

use serde_json::json;

use super::keys::{bearer, key_set, remote, start};
use super::mint;
use super::run::QUERY;
use super::vm::Vm;

fn inline() -> String {
    json!({"auth": mint::auth(), "upstreams": [{"prometheus": {"hosts": ["metrics.example"]}}]})
        .to_string()
}

fn status(vm: &mut Vm, root: u32, token: &str) -> u16 {
    vm.get(root, QUERY, token).client.status()
}

#[test]
fn a_token_that_was_verified_expires() {
    let (mut vm, root) = start(&inline());
    let token = bearer(&vm, 1, "team-a");
    for _ in 0..11 {
        assert_eq!(status(&mut vm, root, &token), 200);
        vm.pass(327);
    }
    vm.pass(65);
    assert_eq!(status(&mut vm, root, &token), 401);
    assert_eq!(status(&mut vm, root, &token), 401);
    let fresh = bearer(&vm, 1, "team-a");
    assert_eq!(status(&mut vm, root, &fresh), 200);
}

/// J-115.
#[test]
fn a_clock_that_is_set_back_after_caching_changes_no_verdict() {
    let (mut vm, root) = start(&inline());
    let token = bearer(&vm, 1, "team-a");
    assert_eq!(status(&mut vm, root, &token), 200);
    vm.pass(-3600);
    assert_eq!(status(&mut vm, root, &token), 200);
    assert_eq!(status(&mut vm, root, "Bearer x"), 401);
    vm.pass(3600);
    assert_eq!(status(&mut vm, root, &token), 200);
    vm.pass(3700);
    assert_eq!(status(&mut vm, root, &token), 401);
}

#[test]
fn a_clock_that_jumps_forward_and_back_does_not_revive_or_kill_a_token() {
    let (mut vm, root) = start(&inline());
    let token = bearer(&vm, 1, "team-a");
    vm.pass(3700);
    assert_eq!(status(&mut vm, root, &token), 401);
    vm.pass(-3700);
    assert_eq!(status(&mut vm, root, &token), 200);
}

#[test]
fn fetched_keys_survive_a_clock_that_is_set_back_and_are_fetched_again() {
    let (mut vm, root) = start(&remote(&json!({"refresh": "300s"})));
    vm.tick();
    vm.answer_all(|_| key_set(&[1]));
    vm.pass(-3600);
    let token = bearer(&vm, 1, "team-a");
    assert_eq!(status(&mut vm, root, &token), 200);
    let mut fetches = 0;
    for _ in 0..8 {
        vm.pass(60);
        vm.tick();
        vm.answer_all(|_| {
            fetches += 1;
            key_set(&[1])
        });
    }
    assert!(
        (1..=8).contains(&fetches),
        "{fetches} fetches in 8 minutes after the clock was set back"
    );
    assert_eq!(status(&mut vm, root, &token), 200);
}
