//! The snappy block format, with the declared length checked before anything is allocated.

/// Why a body is not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SnappyError {
    /// It declares more than the limit.
    TooLarge {
        /// The declared length.
        declared: u64,
    },
    /// It is no snappy block.
    Corrupt,
}

/// The most that one byte of a block can stand for: a copy of 64 bytes takes three.
const MOST_PER_BYTE: u64 = 22;

/// Decodes a block that declares at most `limit` bytes.
pub(super) fn decode(block: &[u8], limit: usize) -> Result<Vec<u8>, SnappyError> {
    let declared = declared_len(block).ok_or(SnappyError::Corrupt)?;
    if declared > limit as u64 {
        return Err(SnappyError::TooLarge { declared });
    }
    // A few bytes cannot stand for many: what cannot be true costs nothing either.
    if declared > (block.len() as u64).saturating_mul(MOST_PER_BYTE) {
        return Err(SnappyError::Corrupt);
    }
    snap::raw::Decoder::new()
        .decompress_vec(block)
        .map_err(|_| SnappyError::Corrupt)
}

/// Encodes a block. `None` only above 4 GiB, which no limit allows.
pub(super) fn encode(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut block = snap::raw::Encoder::new().compress_vec(bytes).ok()?;
    block.shrink_to_fit();
    Some(block)
}

/// The length in front of a block: a varint of at most 32 bits.
fn declared_len(block: &[u8]) -> Option<u64> {
    let (len, _) = super::wire::varint(block, 0).ok()?;
    u32::try_from(len).ok().map(u64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_back() {
        for bytes in [vec![], vec![1], vec![7; 100_000]] {
            let block = encode(&bytes).unwrap();
            assert_eq!(decode(&block, 100_000), Ok(bytes));
        }
    }

    #[test]
    fn a_declared_length_over_the_limit_is_named() {
        let mut block = Vec::new();
        super::super::wire::put_varint(33 << 20, &mut block);
        block.extend_from_slice(&[0xf0, 0x0f]);
        assert_eq!(
            decode(&block, 32 << 20),
            Err(SnappyError::TooLarge { declared: 33 << 20 })
        );
    }

    #[test]
    fn a_huge_length_in_a_few_bytes_is_refused_before_anything_is_allocated() {
        let mut block = Vec::new();
        super::super::wire::put_varint(u64::from(u32::MAX), &mut block);
        block.extend_from_slice(&[0; 15]);
        assert_eq!(decode(&block, usize::MAX), Err(SnappyError::Corrupt));
    }

    #[test]
    fn the_bound_on_expansion_holds_for_what_compresses_best() {
        let bytes = vec![0; 1 << 20];
        let block = encode(&bytes).unwrap();
        assert!(bytes.len() as u64 <= block.len() as u64 * MOST_PER_BYTE);
    }

    #[test]
    fn truncated_and_empty_blocks_are_refused() {
        let block = encode(&[7; 1000]).unwrap();
        for len in 0..block.len() {
            assert!(decode(&block[..len], 1 << 20).is_err(), "{len}");
        }
    }
}
