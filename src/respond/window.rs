//! The part of a text that is in memory while it is read and cut.

use super::AnswerError;
use super::blocks::Blocks;
use super::json::Cursor;

/// A window of a text: before its start lies what has left, after its end what has not been taken
/// in yet. Places are counted from the start of the text, and of the output, not of the window.
///
/// INVARIANT: `settled <= write <= flushed <= pos <= valid <= bytes.len()`, within the window. The
/// bytes before `write` are output, those before `settled` such that nothing can change any more.
/// Those from `flushed` to `pos` were read and will be output, unless they are cut. Those before
/// `valid` are UTF-8.
#[derive(Debug)]
pub(super) struct Window {
    bytes: Vec<u8>,
    settled: usize,
    write: usize,
    flushed: usize,
    pos: usize,
    valid: usize,
    /// What has left the window, of the text and of the output.
    read_before: usize,
    written_before: usize,
    /// The block that is being taken in, how much of it has been, and those behind it.
    block: Vec<u8>,
    taken: usize,
    rest: std::vec::IntoIter<Vec<u8>>,
    /// How many bytes have not been taken in.
    left: usize,
    out: Blocks,
}

/// The least that is taken in at once. Tests have small texts, and let go of their windows as well.
const STEP: usize = if cfg!(any(test, fuzzing)) {
    16
} else {
    64 * 1024
};

impl Window {
    /// The window of a text that must be UTF-8. One of a single block is taken in as it is.
    pub(super) fn new(text: Blocks) -> Result<Self, AnswerError> {
        let mut rest = text.into_iter();
        let single = (rest.len() == 1).then(|| rest.next()).flatten();
        let left = rest.as_slice().iter().map(Vec::len).sum();
        let mut window = Self {
            bytes: single.unwrap_or_default(),
            settled: 0,
            write: 0,
            flushed: 0,
            pos: 0,
            valid: 0,
            read_before: 0,
            written_before: 0,
            block: Vec::new(),
            taken: 0,
            rest,
            left,
            out: Blocks::default(),
        };
        window.validate()?;
        Ok(window)
    }

    /// All output: nothing more is read.
    pub(super) fn finish(mut self) -> Result<Blocks, AnswerError> {
        self.keep_to(self.pos())?;
        self.bytes.truncate(self.write);
        if self.out.is_empty() {
            return Ok(self.bytes.into());
        }
        self.out.push(&self.bytes);
        Ok(self.out)
    }

    /// A cursor at the present position.
    pub(super) fn cursor(&self) -> Cursor<'_> {
        Cursor::resume(self.bytes.get(..self.valid).unwrap_or_default(), self.pos)
    }

    /// Whether there are so many bytes of the text from a cursor's position on.
    pub(super) fn holds(&self, pos: usize, bytes: usize) -> bool {
        pos.saturating_add(bytes) <= self.valid
    }

    /// Goes to a cursor's position.
    pub(super) fn step_to(&mut self, pos: usize) {
        self.pos = pos.clamp(self.pos, self.valid);
    }

    /// The present position in the text.
    pub(super) fn pos(&self) -> usize {
        self.read_before + self.pos
    }

    /// The length of the output.
    pub(super) fn written(&self) -> usize {
        self.written_before + self.write
    }

    /// Goes back to a position after which nothing has been output or cut.
    pub(super) fn rewind(&mut self, pos: usize) -> Result<(), AnswerError> {
        self.pos = pos
            .checked_sub(self.read_before)
            .filter(|at| (self.flushed..=self.pos).contains(at))
            .ok_or(AnswerError::Shape)?;
        Ok(())
    }

    /// Puts into the output what was read up to a position.
    pub(super) fn keep_to(&mut self, pos: usize) -> Result<(), AnswerError> {
        let to = pos
            .checked_sub(self.read_before)
            .filter(|at| (self.flushed..=self.pos).contains(at))
            .ok_or(AnswerError::Shape)?;
        if self.write != self.flushed {
            self.bytes.copy_within(self.flushed..to, self.write);
        }
        self.write += to - self.flushed;
        self.flushed = to;
        Ok(())
    }

    /// Leaves out what was read and has not been output.
    pub(super) fn cut(&mut self) {
        self.flushed = self.pos;
    }

    /// Leaves out what was read, and of the output what follows a place.
    pub(super) fn cut_back(&mut self, written: usize) -> Result<(), AnswerError> {
        self.write = written
            .checked_sub(self.written_before)
            .filter(|at| (self.settled..=self.write).contains(at))
            .ok_or(AnswerError::Shape)?;
        self.cut();
        Ok(())
    }

    /// The output so far can leave: it is neither cut nor replaced from now on.
    pub(super) fn settle(&mut self) {
        self.settled = self.write;
    }

    /// Where in the output a byte will stand that was read and has not been output.
    pub(super) fn place_in_output(&self, pos: usize) -> usize {
        let after = pos.saturating_sub(self.read_before + self.flushed);
        self.written() + after
    }

    /// Puts other bytes in the place of some of the output, which may grow by no more than was cut
    /// behind it.
    pub(super) fn replace(
        &mut self,
        (start, end): (usize, usize),
        text: &[u8],
    ) -> Result<(), AnswerError> {
        self.keep_to(self.pos())?;
        let within = |place: usize| {
            place
                .checked_sub(self.written_before)
                .filter(|at| (self.settled..=self.write).contains(at))
        };
        let (start, end) = within(start)
            .zip(within(end))
            .filter(|(start, end)| start <= end)
            .ok_or(AnswerError::Shape)?;
        let new_end = start + text.len();
        let new_write = (self.write + text.len()) - (end - start);
        if new_write > self.flushed {
            return Err(AnswerError::Shape);
        }
        self.bytes.copy_within(end..self.write, new_end);
        if let Some(place) = self.bytes.get_mut(start..new_end) {
            place.copy_from_slice(text);
        }
        self.write = new_write;
        Ok(())
    }

    /// Takes in as much more of the text as has not been output yet, at least a step and a part of
    /// what the window has, so that it is not copied too often. Says whether there was any.
    pub(super) fn widen(&mut self) -> Result<bool, AnswerError> {
        if self.left == 0 {
            // Where the text has ended, its last character must be whole.
            let whole = self.valid == self.bytes.len();
            return whole.then_some(false).ok_or(AnswerError::Json);
        }
        self.release();
        let has = self.bytes.len();
        let unread = has - self.flushed;
        let mut wanted = unread.max(has / 4).max(STEP).min(self.left);
        self.left -= wanted;
        self.bytes.reserve_exact(wanted);
        while wanted > 0 {
            let left = self.block.get(self.taken..).unwrap_or_default();
            if left.is_empty() {
                (self.block, self.taken) = match self.rest.next() {
                    Some(block) => (block, 0),
                    None => break,
                };
                continue;
            }
            let part = left.get(..wanted).unwrap_or(left);
            self.bytes.extend_from_slice(part);
            self.taken += part.len();
            wanted -= part.len();
        }
        self.validate()?;
        Ok(true)
    }

    /// Lets go of the output that is settled, and of what was cut.
    fn release(&mut self) {
        self.out
            .push(self.bytes.get(..self.settled).unwrap_or_default());
        let kept = self.write - self.settled;
        if self.settled > 0 {
            self.bytes.copy_within(self.settled..self.write, 0);
        }
        let moved = self.flushed - kept;
        if moved > 0 {
            self.bytes.copy_within(self.flushed.., kept);
            self.bytes.truncate(self.bytes.len() - moved);
        }
        self.written_before += self.settled;
        self.read_before += moved;
        self.pos -= moved;
        self.valid -= moved;
        (self.settled, self.write, self.flushed) = (0, kept, kept);
    }

    /// Sees how far the window is UTF-8. A character at its end may not be whole yet.
    fn validate(&mut self) -> Result<(), AnswerError> {
        let new = self.bytes.get(self.valid..).unwrap_or_default();
        let more = match std::str::from_utf8(new) {
            Ok(text) => text.len(),
            Err(e) if e.error_len().is_none() => e.valid_up_to(),
            Err(_) => return Err(AnswerError::Json),
        };
        self.valid += more;
        Ok(())
    }
}

#[cfg(test)]
impl Window {
    /// The bytes that are allocated for it.
    pub(super) fn size(&self) -> usize {
        self.bytes.capacity()
    }
}
