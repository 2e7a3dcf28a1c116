//! The host itself: what it does not know it refuses, and its buffers are Envoy's.

use super::state::{SharedData, fields};
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
