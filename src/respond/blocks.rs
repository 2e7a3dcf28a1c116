//! Bytes in blocks: a body that came in pieces and leaves in pieces, in no more memory than it is.

use std::borrow::Cow;

/// A body in blocks. One vector that grows would lie beside its larger copy each time.
#[derive(Debug, Default)]
pub struct Blocks {
    blocks: Vec<Vec<u8>>,
    len: usize,
}

impl Blocks {
    /// The largest block that is made before its bytes have come.
    const LARGEST: usize = 256 * 1024;
    /// The smallest piece that becomes a block by itself.
    const LEAST: usize = 4 * 1024;

    /// The bytes that have come.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no byte has come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes by pieces of no more than a block.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.blocks.iter().flat_map(|b| b.chunks(Self::LARGEST))
    }

    /// Takes a piece. One that is large and the caller's own becomes a block without being copied.
    pub fn push<'a>(&mut self, piece: impl Into<Cow<'a, [u8]>>) {
        let piece = piece.into();
        let room = self.blocks.last().map_or(0, |b| b.capacity() - b.len());
        self.len = self.len.saturating_add(piece.len());
        match piece {
            Cow::Owned(block) if block.len() >= Self::LEAST.max(room) => {
                if let Some(last) = self.blocks.last_mut() {
                    last.shrink_to_fit();
                }
                self.blocks.push(block);
            }
            Cow::Owned(_) | Cow::Borrowed(_) => self.copy(&piece, room),
        }
    }

    /// Copies a piece into the room of the last block, and what does not fit into a new one.
    fn copy(&mut self, piece: &[u8], room: usize) {
        let (now, later) = piece.split_at_checked(room).unwrap_or((piece, &[]));
        if let Some(last) = self.blocks.last_mut() {
            last.extend_from_slice(now);
        }
        if !later.is_empty() {
            let mut block = Vec::with_capacity(later.len().max(self.len.min(Self::LARGEST)));
            block.extend_from_slice(later);
            self.blocks.push(block);
        }
    }

    /// All bytes as one.
    #[must_use]
    pub fn join(self) -> Vec<u8> {
        let mut blocks = self.blocks.into_iter();
        match blocks.next() {
            Some(first) if first.len() == self.len => first,
            first => {
                let mut whole = Vec::with_capacity(self.len);
                for block in first.into_iter().chain(blocks) {
                    whole.extend_from_slice(&block);
                }
                whole
            }
        }
    }
}

impl From<Vec<u8>> for Blocks {
    fn from(block: Vec<u8>) -> Self {
        let len = block.len();
        Self {
            blocks: vec![block],
            len,
        }
    }
}

impl FromIterator<Vec<u8>> for Blocks {
    fn from_iter<I: IntoIterator<Item = Vec<u8>>>(blocks: I) -> Self {
        let blocks: Vec<_> = blocks.into_iter().collect();
        let len = blocks.iter().map(Vec::len).sum();
        Self { blocks, len }
    }
}

impl IntoIterator for Blocks {
    type Item = Vec<u8>;
    type IntoIter = std::vec::IntoIter<Vec<u8>>;

    fn into_iter(self) -> Self::IntoIter {
        self.blocks.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl From<&str> for Blocks {
        fn from(text: &str) -> Self {
            text.as_bytes().to_vec().into()
        }
    }

    impl From<String> for Blocks {
        fn from(text: String) -> Self {
            text.into_bytes().into()
        }
    }

    #[test]
    fn pieces_of_any_size_become_what_they_were() {
        let whole: Vec<u8> = (0..u8::MAX).cycle().take(1_000_000).collect();
        let sizes = [
            &[1][..],
            &[999],
            &[65_536],
            &[2_000_000],
            &[1, 5_000],
            &[100, 300_000],
        ];
        for (sizes, owned) in sizes.iter().flat_map(|s| [(s, false), (s, true)]) {
            let (mut blocks, mut rest) = (Blocks::default(), whole.as_slice());
            for size in sizes.iter().cycle() {
                let (piece, after) = rest.split_at((*size).min(rest.len()));
                if owned {
                    blocks.push(piece.to_vec());
                } else {
                    blocks.push(piece);
                }
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            assert_eq!(blocks.len(), whole.len());
            assert!(blocks.pieces().flatten().eq(&whole), "{sizes:?}");
            let made: usize = blocks.blocks.iter().map(Vec::capacity).sum();
            assert!(made <= whole.len() + Blocks::LARGEST, "{sizes:?}: {made}");
            assert!(blocks.join() == whole, "{sizes:?}");
        }
    }
}
