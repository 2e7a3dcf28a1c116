//! Bytes that come in pieces and are needed as one, in no more memory than they are.

/// The bytes of a body so far. One vector that grows would lie beside its larger copy each time.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocks: Vec<Vec<u8>>,
    len: usize,
}

impl Blocks {
    /// Blocks for a body of that many bytes, as far as is known.
    pub(super) fn expect(len: usize) -> Self {
        Self {
            blocks: vec![Vec::with_capacity(len)],
            len: 0,
        }
    }

    /// The bytes that have come.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Takes a piece.
    pub(super) fn push(&mut self, piece: &[u8]) {
        let room = self.blocks.last().map_or(0, |b| b.capacity() - b.len());
        let (now, later) = piece.split_at_checked(room).unwrap_or((piece, &[]));
        if let Some(last) = self.blocks.last_mut() {
            last.extend_from_slice(now);
        }
        if !later.is_empty() {
            let mut block = Vec::with_capacity(later.len().max(self.len.min(BLOCK)));
            block.extend_from_slice(later);
            self.blocks.push(block);
        }
        self.len = self.len.saturating_add(piece.len());
    }

    /// All bytes as one.
    pub(super) fn join(&mut self) -> Vec<u8> {
        let (blocks, len) = (
            std::mem::take(&mut self.blocks),
            std::mem::take(&mut self.len),
        );
        let mut blocks = blocks.into_iter();
        match blocks.next() {
            Some(first) if first.len() == len => first,
            first => {
                let mut whole = Vec::with_capacity(len);
                for block in first.into_iter().chain(blocks) {
                    whole.extend_from_slice(&block);
                }
                whole
            }
        }
    }
}

/// The largest block that is made before its bytes have come.
const BLOCK: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_size_become_what_they_were() {
        let whole: Vec<u8> = (0..u8::MAX).cycle().take(1_000_000).collect();
        for expected in [0, 10, 1_000_000, 2_000_000] {
            for size in [1, 999, 65_536, 2_000_000] {
                let mut blocks = Blocks::expect(expected);
                for piece in whole.chunks(size) {
                    blocks.push(piece);
                }
                assert_eq!(blocks.len(), whole.len());
                let made: usize = blocks.blocks.iter().map(Vec::capacity).sum();
                assert!(made <= whole.len().max(expected) + BLOCK, "{made}");
                assert!(blocks.join() == whole, "{expected}, {size}");
                assert_eq!(blocks.join(), Vec::<u8>::new());
            }
        }
    }
}
