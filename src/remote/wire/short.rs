//! The encodings that nearly every sender chooses, read in few steps.
//!
//! `None` means no error: it is written in another way, or wrongly, and the long way tells which.

/// Takes a field off the front of a message: its key, of one byte, and what it holds, of less than
/// 16 KiB. That the key is of wire type 2 is for the caller to see.
#[inline]
pub(in crate::remote) fn take<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (key, len, tail) = match *rest {
        [key, len @ 0..0x80, tail @ ..] => (*key, usize::from(*len), tail),
        [key, low, high @ 0..0x80, tail @ ..] => (
            *key,
            usize::from(*low & 0x7f) | usize::from(*high) << 7,
            tail,
        ),
        _ => return None,
    };
    let (piece, tail) = tail.split_at_checked(len)?;
    *rest = tail;
    Some((key, piece))
}

/// The name and the value of a `Label` that has these two and no more.
#[inline]
pub(in crate::remote) fn label(mut message: &[u8]) -> Option<(&[u8], &[u8])> {
    let (0x0a, name) = take(&mut message)? else {
        return None;
    };
    let (0x12, value) = take(&mut message)? else {
        return None;
    };
    message.is_empty().then_some((name, value))
}

/// Takes a number of at most 21 bits off the front of a packed field.
#[inline]
pub(in crate::remote) fn number(packed: &mut &[u8]) -> Option<u32> {
    let (number, tail) = match *packed {
        [a @ 0..0x80, tail @ ..] => (u32::from(*a), tail),
        [a, b @ 0..0x80, tail @ ..] => (u32::from(*a & 0x7f) | u32::from(*b) << 7, tail),
        [a, b, c @ 0..0x80, tail @ ..] => (
            u32::from(*a & 0x7f) | u32::from(*b & 0x7f) << 7 | u32::from(*c) << 14,
            tail,
        ),
        _ => return None,
    };
    *packed = tail;
    Some(number)
}

/// Walks the fields at the front of a message that have one key and less than 128 bytes. `each` gets
/// where their lengths stand; the result is how many there are, and where they end.
#[inline]
pub(in crate::remote) fn run(message: &[u8], key: u8, mut each: impl FnMut(u32)) -> (usize, usize) {
    let (mut count, mut end, mut rest) = (0, 0u32, message);
    while let [first, len @ 0..0x80, tail @ ..] = rest
        && *first == key
        && let Some(next) = tail.get(usize::from(*len)..)
    {
        each(end + 1);
        end += 2 + u32::from(*len);
        count += 1;
        rest = next;
    }
    (count, end as usize)
}

#[cfg(test)]
mod tests {
    use super::super::{Fields, put_bytes, put_varint, varint};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_taken_is_what_the_long_way_reads(bytes in prop::collection::vec(
            prop_oneof![Just(0x0a), Just(0x12), Just(2), any::<u8>()], 0..12)) {
            let mut rest = bytes.as_slice();
            if let Some((key, piece)) = take(&mut rest) && key & 7 == 2 && (8..0x80).contains(&key) {
                let field = Fields::of(&bytes).next().unwrap().unwrap();
                prop_assert_eq!(field.number, u32::from(key >> 3));
                prop_assert_eq!(field.bytes(), Ok(piece));
                prop_assert_eq!(field.end, bytes.len() - rest.len());
            }
            if let Some(pair) = label(&bytes) {
                prop_assert_eq!(super::super::label(&bytes), Ok(pair));
            }
            let mut rest = bytes.as_slice();
            if let Some(n) = number(&mut rest) {
                prop_assert_eq!(varint(&bytes, 0), Ok((u64::from(n), bytes.len() - rest.len())));
            }
        }

        #[test]
        fn a_run_is_what_the_long_way_reads_first(lens in prop::collection::vec(0usize..150, 0..9), cut: prop::sample::Index) {
            let mut bytes = Vec::new();
            lens.iter().for_each(|len| put_bytes(4, &vec![7; *len], &mut bytes));
            put_bytes(5, b"", &mut bytes);
            bytes.truncate(cut.index(bytes.len() + 1));
            let mut found = Vec::new();
            let (count, end) = run(&bytes, 0x22, |at| found.push(at as usize));
            let fields: Vec<_> = Fields::of(&bytes).map_while(|f| f.ok().filter(|f| f.number == 4 && f.end - f.start < 130)).collect();
            prop_assert_eq!(count, fields.len());
            prop_assert_eq!(end, fields.last().map_or(0, |f| f.end));
            prop_assert_eq!(found, fields.iter().map(|f| f.at).collect::<Vec<_>>());
        }

        #[test]
        fn what_senders_write_is_taken(len in 0usize..20_000, n in 0u32..3_000_000) {
            let (mut field, mut packed) = (Vec::new(), Vec::new());
            put_bytes(1, &vec![7; len], &mut field);
            let mut rest = field.as_slice();
            prop_assert_eq!(take(&mut rest).is_some(), len < 1 << 14);
            put_varint(u64::from(n), &mut packed);
            prop_assert_eq!(number(&mut packed.as_slice()), (n < 1 << 21).then_some(n));
        }
    }
}
