//! A body as it comes, in parts: one buffer that grows would leave holes of its own size behind,
//! and the memory of a module never gets smaller.

/// The parts of a body that is not whole yet.
#[derive(Debug, Default)]
pub(super) struct Parts {
    list: Vec<Vec<u8>>,
    len: usize,
}

/// Pieces are joined up to this length, so that a sender of single bytes fills no lists.
const PART: usize = 64 * 1024;

impl Parts {
    /// Adds a piece.
    pub(super) fn push(&mut self, piece: &[u8]) {
        match self.list.last_mut() {
            Some(last) if last.len() + piece.len() <= PART => last.extend_from_slice(piece),
            Some(_) | None => self.list.push(piece.to_vec()),
        }
        self.len += piece.len();
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The whole body.
    pub(super) fn join(mut self) -> Vec<u8> {
        if self.list.len() > 1 {
            self.list.concat()
        } else {
            self.list.pop().unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_of_any_length_are_joined_in_order(lens in prop::collection::vec(0usize..100_000, 0..6)) {
            let (mut parts, mut whole) = (Parts::default(), Vec::new());
            for (i, len) in lens.iter().enumerate() {
                let piece = vec![u8::try_from(i).unwrap(); *len];
                parts.push(&piece);
                whole.extend_from_slice(&piece);
                prop_assert_eq!(parts.len(), whole.len());
            }
            prop_assert_eq!(parts.join(), whole);
        }
    }

    #[test]
    fn small_pieces_fill_few_parts() {
        let mut parts = Parts::default();
        for _ in 0..200_000 {
            parts.push(b"a");
        }
        assert_eq!(parts.list.len(), 4);
        assert!(parts.list.iter().all(|p| p.capacity() <= PART));
    }
}
