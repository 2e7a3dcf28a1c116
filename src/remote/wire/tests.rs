use super::*;

fn all(message: &[u8]) -> Result<Vec<(u32, usize, usize)>, Malformed> {
    Fields::of(message)
        .map(|f| f.map(|f| (f.number, f.start, f.end)))
        .collect()
}

#[test]
fn fields_of_each_wire_type_are_walked() {
    let message = [
        0x08, 0x96, 0x01, 0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0x1a, 1, b'x', 0x25, 0, 0, 0, 0,
    ];
    assert_eq!(
        all(&message),
        Ok(vec![(1, 0, 3), (2, 3, 12), (3, 12, 15), (4, 15, 20)])
    );
}

#[test]
fn overlong_numbers_are_read_and_overflowing_ones_refused() {
    assert_eq!(varint(&[0x81, 0x80, 0x00], 0), Ok((1, 3)));
    let mut ten = vec![0xff; 9];
    ten.push(1);
    assert_eq!(varint(&ten, 0), Ok((u64::MAX, 10)));
    ten[9] = 2;
    assert_eq!(varint(&ten, 0), Err(Malformed::Varint));
    assert_eq!(varint(&[0x80; 11], 0), Err(Malformed::Varint));
    assert_eq!(varint(&[0x80], 0), Err(Malformed::Truncated));
}

#[test]
fn a_field_number_that_a_decoder_would_cut_is_refused() {
    let mut key = Vec::new();
    put_varint(((1u64 << 32) | 1) << 3 | 2, &mut key);
    key.push(0);
    assert_eq!(all(&key), Err(Malformed::FieldNumber));
    assert_eq!(all(&[0x02, 0]), Err(Malformed::FieldNumber));
}

#[test]
fn groups_and_unknown_wire_types_are_refused() {
    for key in [0x0b, 0x0c, 0x0e, 0x0f] {
        assert_eq!(all(&[key, 0]), Err(Malformed::WireType), "{key}");
    }
}

#[test]
fn a_length_beyond_the_message_is_refused() {
    assert_eq!(all(&[0x0a, 2, 0]), Err(Malformed::Truncated));
    let mut huge = vec![0x0a];
    put_varint(u64::MAX, &mut huge);
    assert_eq!(all(&huge), Err(Malformed::Truncated));
}

#[test]
fn a_packed_number_that_crosses_the_end_is_refused() {
    assert_eq!(
        packed_u32::<Malformed>(&[1, 0x80], |_| Ok(())),
        Err(Malformed::Truncated)
    );
    let mut wide = Vec::new();
    put_varint(1 << 32, &mut wide);
    assert_eq!(
        packed_u32::<Malformed>(&wide, |_| Ok(())),
        Err(Malformed::Varint)
    );
}

#[test]
fn a_label_is_read_as_a_decoder_reads_it() {
    for (message, name, value) in [
        (&b"\x0a\x01a\x12\x01b"[..], &b"a"[..], &b"b"[..]),
        (b"\x12\x01b\x0a\x01a", b"a", b"b"),
        (b"\x0a\x01x\x12\x01b\x0a\x01a", b"a", b"b"),
        (b"\x0a\x01a\x12\x01x\x12\x01b", b"a", b"b"),
        (b"\x0a\x81\x00a\x12\x01b", b"a", b"b"),
        (b"\x0a\x01a", b"a", b""),
        (b"\x0a\x01a\x12\x00\x18\x01", b"a", b""),
        (b"", b"", b""),
    ] {
        assert_eq!(label(message), Ok((name, value)), "{message:?}");
    }
    assert!(label(b"\x0a\x01a\x12\x02b").is_err());
    assert!(label(b"\x08\x01").is_err());
}

#[test]
fn what_is_written_is_read_back() {
    for len in [0, 1, 127, 128, 16_383, 16_384, 70_000] {
        let body = vec![7u8; len];
        let mut plain = Vec::new();
        put_bytes(5, &body, &mut plain);
        let field = Fields::of(&plain).next().unwrap().unwrap();
        assert_eq!((field.number, field.bytes()), (5, Ok(body.as_slice())));
    }
}
