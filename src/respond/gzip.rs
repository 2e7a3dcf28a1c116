//! Undoing the content encoding of an answer, within a bound.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

use super::AnswerError;

mod crc;

use crc::crc32;

/// The bytes of an answer whose `content-encoding` is `encoding` (empty or `identity` for none).
///
/// # Errors
/// [`AnswerError::Limit`] if they are more than `limit`; [`AnswerError::Encoding`] if the encoding
/// is neither of these nor gzip, or the bytes are not exactly one gzip member.
pub fn decode(encoding: &[u8], body: &[u8], limit: usize) -> Result<Vec<u8>, AnswerError> {
    if is(encoding, &["", "identity"]) {
        return if body.len() <= limit {
            Ok(body.to_vec())
        } else {
            Err(AnswerError::Limit)
        };
    }
    if is(encoding, &["gzip", "x-gzip"]) {
        return gunzip(body, limit);
    }
    Err(AnswerError::Encoding)
}

/// Whether [`decode`] knows an encoding, so that an answer can be refused before its first byte.
#[must_use]
pub fn is_decodable(encoding: &[u8]) -> bool {
    is(encoding, &["", "identity", "gzip", "x-gzip"])
}

fn is(encoding: &[u8], names: &[&str]) -> bool {
    let encoding = encoding.trim_ascii();
    names
        .iter()
        .any(|name| encoding.eq_ignore_ascii_case(name.as_bytes()))
}

/// Unpacks a gzip member (RFC 1952) that is all of `body`.
fn gunzip(body: &[u8], limit: usize) -> Result<Vec<u8>, AnswerError> {
    let packed = after_header(body).ok_or(AnswerError::Encoding)?;
    let (deflated, trailer) = packed
        .split_last_chunk::<8>()
        .ok_or(AnswerError::Encoding)?;
    let [c0, c1, c2, c3, s0, s1, s2, s3] = *trailer;
    let size = u32::from_le_bytes([s0, s1, s2, s3]) as usize;
    if size > limit {
        return Err(AnswerError::Limit);
    }
    // What deflate can make of so many bytes is bounded, and so is what is allocated for them.
    if size / 1032 > deflated.len() {
        return Err(AnswerError::Encoding);
    }
    let mut out = vec![0; size];
    let (status, read, written) = decompress(
        &mut Box::<DecompressorOxide>::default(),
        deflated,
        &mut out,
        0,
        inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
    );
    let whole = status == TINFLStatus::Done && read == deflated.len() && written == size;
    if whole && crc32(&out) == u32::from_le_bytes([c0, c1, c2, c3]) {
        Ok(out)
    } else {
        Err(AnswerError::Encoding)
    }
}

/// What stands behind the header of a gzip member.
fn after_header(body: &[u8]) -> Option<&[u8]> {
    let ([0x1f, 0x8b, 8, flags, ..], mut rest) = body.split_first_chunk::<10>()? else {
        return None;
    };
    if flags & 0xe0 != 0 {
        return None;
    }
    if flags & 4 != 0 {
        let (len, after) = rest.split_first_chunk::<2>()?;
        rest = after.get(usize::from(u16::from_le_bytes(*len))..)?;
    }
    for text in [8, 16] {
        if flags & text != 0 {
            let end = memchr::memchr(0, rest)?;
            rest = rest.get(end + 1..)?;
        }
    }
    if flags & 2 != 0 {
        let head = body.get(..body.len() - rest.len())?;
        let (sum, after) = rest.split_first_chunk::<2>()?;
        if crc32(head) & 0xffff != u32::from(u16::from_le_bytes(*sum)) {
            return None;
        }
        rest = after;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use miniz_oxide::deflate::compress_to_vec;
    use proptest::prelude::*;

    use super::*;

    /// Eighteen bytes, packed by another program.
    const HELLO: &[u8] = &[
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9,
        0x57, 0xc8, 0x40, 0x90, 0x5c, 0x00, 0x3b, 0x7c, 0x8a, 0xdf, 0x12, 0x00, 0x00, 0x00,
    ];

    fn gzip(text: &[u8], flags: u8, extra: &[u8]) -> Vec<u8> {
        let mut out = vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255];
        out.extend(extra);
        out.extend(compress_to_vec(text, 6));
        out.extend(crc32(text).to_le_bytes());
        out.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
        out
    }

    #[test]
    fn the_checksum_is_the_known_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(
            crc32(b"The quick brown fox jumps over the lazy dog"),
            0x414f_a339
        );
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn gzip_is_undone_and_other_encodings_are_refused() {
        assert_eq!(&*decode(b"gzip", &gzip(b"abc", 0, b""), 3).unwrap(), b"abc");
        assert_eq!(&*decode(b" X-GZIP ", &gzip(b"", 0, b""), 0).unwrap(), b"");
        assert_eq!(
            &*decode(b"gzip", HELLO, 18).unwrap(),
            b"hello hello hello\n"
        );
        assert_eq!(&*decode(b"", b"abc", 3).unwrap(), b"abc");
        assert_eq!(&*decode(b"identity", b"abc", 3).unwrap(), b"abc");
        for other in [
            "deflate",
            "br",
            "zstd",
            "snappy",
            "gzip, gzip",
            "identity, gzip",
            "gzip2",
        ] {
            assert!(!is_decodable(other.as_bytes()));
            assert_eq!(
                decode(other.as_bytes(), b"abc", 9),
                Err(AnswerError::Encoding),
                "{other}"
            );
        }
    }

    #[test]
    fn the_limit_holds_before_anything_is_unpacked() {
        let packed = gzip(&vec![b'x'; 1000], 0, b"");
        assert_eq!(decode(b"gzip", &packed, 999), Err(AnswerError::Limit));
        assert_eq!(decode(b"", b"abcd", 3), Err(AnswerError::Limit));
        // Sizes that are lies.
        for size in [0u32, 999, 1001, 900_000_000] {
            let mut lie = packed.clone();
            let at = lie.len() - 4;
            lie[at..].copy_from_slice(&size.to_le_bytes());
            assert_eq!(
                decode(b"gzip", &lie, 1 << 30),
                Err(AnswerError::Encoding),
                "{size}"
            );
        }
    }

    #[test]
    fn optional_fields_of_the_header_are_stepped_over() {
        let whole = |flags, extra: &[u8]| decode(b"gzip", &gzip(b"abc", flags, extra), 9).is_ok();
        assert!(whole(4, b"\x02\x00xy") && whole(8, b"name\0") && whole(16, b"note\0"));
        assert!(whole(28, b"\x00\x00name\0note\0") && whole(1, b""));
        assert!(!whole(8, b"") && !whole(4, b"\xff\xff") && !whole(32, b"") && !whole(2, b"xx"));
        let mut head = vec![0x1f, 0x8b, 8, 10, 0, 0, 0, 0, 0, 255, b'n', 0];
        let sum = (crc32(&head) & 0xffff) as u16;
        head.extend(sum.to_le_bytes());
        assert!(whole(10, &head[10..]));
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back_and_a_flipped_bit_does_not(
            text in prop::collection::vec(0u8..4, 0..2000), at in any::<prop::sample::Index>(), bit in 0u32..8
        ) {
            let mut packed = gzip(&text, 0, b"");
            prop_assert_eq!(&*decode(b"gzip", &packed, text.len()).unwrap(), &text[..]);
            let cut = &packed[..at.index(packed.len())];
            prop_assert!(decode(b"gzip", cut, 1 << 20).is_err());
            packed.push(0);
            prop_assert!(decode(b"gzip", &packed, 1 << 20).is_err());
            packed.pop();
            let i = at.index(packed.len());
            packed[i] ^= 1u8 << bit;
            if let Ok(other) = decode(b"gzip", &packed, 1 << 20) {
                prop_assert_eq!(&*other, &text[..]);
            }
        }
    }
}
