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

/// Encodes a block whose bytes come piece by piece: neither they nor what they become need one
/// large buffer until the end.
pub(super) struct Packer {
    encoder: snap::raw::Encoder,
    part: Vec<u8>,
    scratch: Vec<u8>,
    /// The parts, encoded.
    done: Vec<Vec<u8>>,
}

/// Encoders look no further back than to the start of such a part, so nothing is lost by parts.
const PART: usize = 1 << 16;

impl Packer {
    /// An empty block that declares `len` bytes.
    pub(super) fn new(len: u64) -> Self {
        let mut head = Vec::new();
        super::wire::put_varint(len, &mut head);
        Self {
            encoder: snap::raw::Encoder::new(),
            part: Vec::with_capacity(PART),
            scratch: vec![0; snap::raw::max_compress_len(PART)],
            done: vec![head],
        }
    }

    /// Adds bytes.
    pub(super) fn put(&mut self, mut bytes: &[u8]) -> Option<()> {
        while self.part.len() + bytes.len() >= PART {
            let (head, rest) = bytes.split_at_checked(PART - self.part.len())?;
            self.part.extend_from_slice(head);
            self.flush()?;
            bytes = rest;
        }
        self.part.extend_from_slice(bytes);
        Some(())
    }

    fn flush(&mut self) -> Option<()> {
        let len = self.encoder.compress(&self.part, &mut self.scratch).ok()?;
        // The length of the part stands first; that of the whole is there already.
        let (_, at) = super::wire::varint(&self.scratch, 0).ok()?;
        self.done.push(self.scratch.get(at..len)?.to_vec());
        self.part.clear();
        Some(())
    }

    /// The block.
    pub(super) fn finish(mut self) -> Option<Vec<u8>> {
        if !self.part.is_empty() {
            self.flush()?;
        }
        Some(self.done.concat())
    }
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
    fn a_block_of_pieces_is_that_of_the_whole() {
        let text = |i: usize| (i * i % 251).to_le_bytes();
        let bytes: Vec<u8> = (0..60_000).flat_map(text).collect();
        for len in [0, 1, PART - 1, PART, PART + 1, 3 * PART, bytes.len()] {
            let whole = &bytes[..len];
            for piece in [1000, PART, 1 << 20] {
                let mut packer = Packer::new(len as u64);
                whole.chunks(piece).for_each(|p| packer.put(p).unwrap());
                assert_eq!(packer.finish(), encode(whole), "{len} {piece}");
            }
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
