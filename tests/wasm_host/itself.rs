//! The host itself: what it does not know it refuses, and its buffers are Envoy's.

use serde_json::json;

use super::lifecycle::ready;
use super::maps::{change, set_buffer};
use super::mint;
use super::run::{PLAIN, QUERY, head};
use super::state::{Deferred, SharedData, fields};
use super::stream::Side;
use super::vm::Vm;

/// A module with one import and an `_initialize` that calls it.
fn calls(import: &str) -> Vec<u8> {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    let mut section = |id: u8, content: Vec<u8>| {
        bytes.push(id);
        bytes.push(u8::try_from(content.len()).unwrap());
        bytes.extend(content);
    };
    section(1, b"\x01\x60\0\0".to_vec());
    let n = u8::try_from(import.len()).unwrap();
    section(
        2,
        [b"\x01\x03env", &[n][..], import.as_bytes(), b"\0\0"].concat(),
    );
    section(3, b"\x01\0".to_vec());
    section(5, b"\x01\0\x01".to_vec());
    section(7, b"\x02\x06memory\x02\0\x0b_initialize\0\x01".to_vec());
    section(10, b"\x01\x04\0\x10\0\x0b".to_vec());
    bytes
}

#[test]
#[should_panic(expected = "the import `env.proxy_new_call` is not modelled")]
fn an_import_that_is_not_modelled_names_itself() {
    let _vm = Vm::of(&calls("proxy_new_call"));
}

/// A stream that the filter has answered.
fn answered() -> (Vm, u32) {
    let (mut vm, root) = ready(&json!({}));
    let id = vm.send(root, &head("GET", "/nowhere", ""), None, PLAIN);
    assert!(vm.is_over(id));
    (vm, id)
}

#[test]
#[should_panic(expected = "is answered a second time")]
fn a_second_reply_fails() {
    let (mut vm, id) = answered();
    let (head, body) = (fields(&[(":status", "200")]), Vec::new());
    vm.apply(id, Deferred::Reply { head, body });
    vm.close(id);
}

#[test]
#[should_panic(expected = "is resumed after a reply or a reset")]
fn a_resume_after_a_reply_fails() {
    let (mut vm, id) = answered();
    vm.apply(id, Deferred::Resume { request: true });
    vm.close(id);
}

#[test]
#[should_panic(expected = "are put into buffer 0, which is not there")]
fn bytes_for_a_buffer_that_is_not_there_fail() {
    let (mut vm, root) = ready(&json!({}));
    let id = vm.send(
        root,
        &head("GET", QUERY, &mint::bearer("team-a")),
        None,
        PLAIN,
    );
    vm.state().effective = id;
    assert_ne!(set_buffer(vm.state(), 0, 0, 0, b"x"), 0);
    vm.close(id);
}

#[test]
#[should_panic(expected = "is changed when it has gone, or never was")]
fn a_header_that_is_changed_too_late_fails() {
    let (mut vm, root) = ready(&json!({}));
    let id = vm.send(
        root,
        &head("GET", QUERY, &mint::bearer("team-a")),
        None,
        PLAIN,
    );
    vm.state().effective = id;
    assert_ne!(change(vm.state(), 0, "x", Vec::clear), 0);
    vm.close(id);
}

#[test]
fn a_buffer_is_replaced_as_in_envoy() {
    let side = || Side {
        buffer: Some(b"abc".to_vec()),
        ..Side::default()
    };
    for (start, size, after) in [
        (0, 0, Some("xabc")),
        (0, 3, Some("x")),
        (0, 9, Some("x")),
        (3, 0, Some("abcx")),
        (0, 2, None),
        (1, 1, None),
    ] {
        let mut side = side();
        assert_eq!(side.replace(start, size, b"x"), after.is_some());
        assert_eq!(
            side.buffer.as_deref(),
            Some(after.unwrap_or("abc").as_bytes())
        );
    }
    assert!(!Side::default().replace(0, 0, b"x"));
}

#[test]
fn shared_data_is_compared_as_in_envoy() {
    let mut data = SharedData::default();
    let mut set = |cas| data.set(b"k".to_vec(), b"v".to_vec(), cas);
    assert!(set(u32::MAX));
    assert!(!set(u32::MAX));
    assert!(set(1));
    assert!(!set(1));
    assert!(set(0));
    assert_eq!(fields(&[("a", "b")])[0].1, b"b");
}
