//! One gzip member, decoded within a limit and encoded again.

use miniz_oxide::deflate;
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush, MZStatus};

/// Why a body is not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GzipError {
    /// It has more than the limit.
    TooLarge,
    /// It is not exactly one gzip member of the plain form.
    Corrupt,
}

/// Magic number, deflate, and no optional part: what exporters send.
const HEAD: [u8; 4] = [0x1f, 0x8b, 8, 0];

/// Decodes a member to at most `limit` bytes, and holds its checksum and length against it.
///
/// Go reads members one after another; what stands behind the first is refused here.
pub(super) fn decode(member: &[u8], limit: usize) -> Result<Vec<u8>, GzipError> {
    let rest = member
        .strip_prefix(&HEAD)
        .and_then(|r| r.get(6..))
        .ok_or(GzipError::Corrupt)?;
    let (out, trailer) = inflate_raw(rest, limit)?;
    let mut expected = [0; 8];
    let (crc, len) = expected.split_at_mut(4);
    crc.copy_from_slice(&crc32(&out).to_le_bytes());
    #[expect(clippy::cast_possible_truncation, reason = "the length modulo 2^32")]
    len.copy_from_slice(&(out.len() as u32).to_le_bytes());
    if trailer == expected {
        Ok(out)
    } else {
        Err(GzipError::Corrupt)
    }
}

fn inflate_raw(mut input: &[u8], limit: usize) -> Result<(Vec<u8>, &[u8]), GzipError> {
    let mut state = InflateState::new_boxed(DataFormat::Raw);
    let mut out = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        let step = inflate(&mut state, input, &mut piece, MZFlush::None);
        input = input.get(step.bytes_consumed..).unwrap_or_default();
        let written = piece.get(..step.bytes_written).unwrap_or_default();
        if out.len() + written.len() > limit {
            return Err(GzipError::TooLarge);
        }
        out.extend_from_slice(written);
        match step.status {
            Ok(MZStatus::StreamEnd) => return Ok((out, input)),
            Ok(MZStatus::Ok) if step.bytes_consumed + step.bytes_written > 0 => {}
            Ok(MZStatus::Ok | MZStatus::NeedDict) | Err(_) => return Err(GzipError::Corrupt),
        }
    }
}

/// Encodes a member. The receiver is near, so speed counts more than size.
pub(super) fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut member = HEAD.to_vec();
    // No time, fastest, unknown system.
    member.extend_from_slice(&[0, 0, 0, 0, 4, 255]);
    member.append(&mut deflate::compress_to_vec(bytes, 1));
    member.extend_from_slice(&crc32(bytes).to_le_bytes());
    #[expect(clippy::cast_possible_truncation, reason = "the length modulo 2^32")]
    member.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    member
}

/// The checksum of gzip.
fn crc32(bytes: &[u8]) -> u32 {
    let table: [u32; 256] = std::array::from_fn(|i| {
        (0..8).fold(u32::try_from(i).unwrap_or(0), |c, _| {
            if c & 1 == 1 {
                0xedb8_8320 ^ (c >> 1)
            } else {
                c >> 1
            }
        })
    });
    let crc = bytes.iter().fold(u32::MAX, |c, b| {
        let [low, ..] = c.to_le_bytes();
        (c >> 8) ^ table.get(usize::from(low ^ b)).copied().unwrap_or(0)
    });
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_gzip() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_member_is_read_back_within_its_limit() {
        for len in [0, 1, 70_000, 200_000] {
            let bytes: Vec<u8> = (0..len)
                .map(|i: u32| (i.wrapping_mul(i) >> 7) as u8)
                .collect();
            let member = encode(&bytes);
            assert_eq!(decode(&member, bytes.len()).as_ref(), Ok(&bytes));
            if len > 0 {
                let e = decode(&member, bytes.len() - 1);
                assert_eq!(e, Err(GzipError::TooLarge));
            }
        }
    }

    #[test]
    fn a_second_member_a_wrong_checksum_and_a_cut_are_refused() {
        let member = encode(b"hello");
        assert!(decode(&member.repeat(2), 100).is_err());
        for cut in 0..member.len() {
            assert!(decode(&member[..cut], 100).is_err(), "{cut}");
        }
        for at in [0, 3, member.len() - 8, member.len() - 1] {
            let mut wrong = member.clone();
            wrong[at] ^= 1;
            assert!(decode(&wrong, 100).is_err(), "{at}");
        }
    }
}
