//! Collects the changes to a body and writes it anew once, with the lengths around them corrected.

use super::wire::{self, Field, Fields, Malformed};

/// The changes to a body. They never overlap.
#[derive(Debug, Default)]
pub(super) struct Rewrite {
    patches: Vec<Patch>,
    bytes: Vec<u8>,
    delta: i64,
    unsorted: bool,
}

/// `start..end` of the source becomes `len` bytes of the store from `at` on.
#[derive(Clone, Copy, Debug)]
struct Patch {
    start: u32,
    end: u32,
    at: u32,
    len: u32,
}

/// A nested message in which changes may follow.
#[must_use]
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    index: usize,
    delta: i64,
}

impl Rewrite {
    /// The longest body, in bytes.
    pub(super) const MAX_LEN: usize = 1 << 30;

    /// Inserts what `write` appends; several insertions at one position keep their order.
    pub(super) fn insert(&mut self, position: usize, write: impl FnOnce(&mut Vec<u8>)) {
        self.replace(position, position, write);
    }

    /// Replaces `start..end` by what `write` appends.
    pub(super) fn replace(&mut self, start: usize, end: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let at = self.bytes.len();
        write(&mut self.bytes);
        let len = self.bytes.len() - at;
        let patch = Patch {
            start: narrow(start),
            end: narrow(end),
            at: narrow(at),
            len: narrow(len),
        };
        self.unsorted |= self.patches.last().is_some_and(|p| p.start > patch.start);
        self.patches.push(patch);
        self.delta += len as i64 - (end - start) as i64;
    }

    /// Begins the message that a field of wire type 2 holds.
    pub(super) fn open(&mut self, field: &Field<'_>) -> Open {
        let open = Open {
            index: self.patches.len(),
            delta: self.delta,
        };
        let payload = field.bytes().map_or(0, <[u8]>::len);
        self.patches.push(Patch {
            start: narrow(field.at),
            end: narrow(field.end - payload),
            at: 0,
            len: 0,
        });
        open
    }

    /// Ends it: if anything changed inside, its length is written anew.
    pub(super) fn close(&mut self, open: Open, field: &Field<'_>) {
        if self.patches.len() == open.index + 1 {
            self.patches.pop();
            return;
        }
        let old = field.bytes().map_or(0, <[u8]>::len);
        let new = (old as i64 + self.delta - open.delta).max(0).unsigned_abs();
        let at = self.bytes.len();
        wire::put_varint(new, &mut self.bytes);
        let len = self.bytes.len() - at;
        if let Some(patch) = self.patches.get_mut(open.index) {
            patch.at = narrow(at);
            patch.len = narrow(len);
            self.delta += len as i64 - i64::from(patch.end - patch.start);
        }
    }

    /// Whether nothing has changed.
    pub(super) fn is_empty(&self) -> bool {
        self.patches.is_empty()
    }

    /// The length of the changed body.
    pub(super) fn len_of(&self, src: &[u8]) -> u64 {
        (src.len() as i64 + self.delta).max(0).unsigned_abs()
    }

    /// The changed body, or nothing if nothing has changed.
    pub(super) fn finish(self, src: &[u8]) -> Option<Vec<u8>> {
        if self.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(usize::try_from(self.len_of(src)).ok()?);
        self.write(src, |piece| {
            out.extend_from_slice(piece);
            Some(())
        })?;
        Some(out)
    }

    /// Gives the changed body piece by piece.
    pub(super) fn write(
        mut self,
        src: &[u8],
        mut put: impl FnMut(&[u8]) -> Option<()>,
    ) -> Option<()> {
        if self.unsorted {
            self.patches
                .sort_unstable_by_key(|p| (p.start, p.end, p.at));
        }
        let mut done = 0;
        for patch in &self.patches {
            put(src.get(done..patch.start as usize)?)?;
            let at = patch.at as usize;
            put(self.bytes.get(at..at + patch.len as usize)?)?;
            done = patch.end as usize;
        }
        put(src.get(done..)?)
    }
}

/// Positions fit 32 bits: no limit allows a body above [`Rewrite::MAX_LEN`].
fn narrow(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// Copies a message without the fields of one number.
pub(super) fn copy_without(message: &[u8], number: u32, to: &mut Vec<u8>) -> Result<(), Malformed> {
    for field in Fields::of(message) {
        let field = field?;
        if field.number != number {
            to.extend_from_slice(message.get(field.start..field.end).unwrap_or_default());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(body: &[u8]) -> Vec<u8> {
        let (mut inner, mut outer) = (Vec::new(), Vec::new());
        wire::put_bytes(3, body, &mut inner);
        wire::put_bytes(2, &inner, &mut outer);
        outer.extend_from_slice(&[0x08, 1]);
        outer
    }

    fn swap(src: &[u8], body: &[u8]) -> Option<Vec<u8>> {
        let mut rewrite = Rewrite::default();
        for outer in Fields::of(src) {
            let outer = outer.unwrap();
            if outer.number != 2 {
                continue;
            }
            let open = rewrite.open(&outer);
            for inner in outer.nested(src).unwrap() {
                let inner = inner.unwrap();
                if inner.bytes() != Ok(body) {
                    rewrite.replace(inner.start, inner.end, |to| wire::put_bytes(3, body, to));
                }
            }
            rewrite.close(open, &outer);
        }
        rewrite.finish(src)
    }

    #[test]
    fn the_lengths_around_a_change_are_corrected() {
        for from in [0, 1, 100, 124, 125, 126, 127, 128, 129, 16_384] {
            for to in [0, 1, 100, 124, 125, 126, 127, 128, 129, 16_384] {
                let (a, b) = (vec![1; from], vec![2; to]);
                let expected = (a != b).then(|| nested(&b));
                assert_eq!(swap(&nested(&a), &b), expected, "{from} {to}");
                assert_eq!(swap(&nested(&a), &a), None);
            }
        }
    }

    #[test]
    fn a_change_that_comes_late_takes_its_place() {
        let mut rewrite = Rewrite::default();
        rewrite.replace(4, 6, |to| to.push(b'x'));
        rewrite.insert(2, |to| to.push(b'1'));
        rewrite.insert(2, |to| to.push(b'2'));
        assert_eq!(rewrite.len_of(b"abcdefg"), 8);
        assert_eq!(rewrite.finish(b"abcdefg"), Some(b"ab12cdxg".to_vec()));
    }
}
