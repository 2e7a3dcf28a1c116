//! A JSON scanner that takes a document in chunks and lets a visitor hold back, cut or replace
//! what stands near its top.
//!
//! The upper levels that the visitor walks are read strictly. What it passes is only told apart
//! from strings and counted in brackets, eight bytes at a time inside strings: a long answer
//! streams at the cost of one look at each byte.

use super::AnswerError;
use super::json::{Cursor, plain_run};

mod visitor;

pub(super) use visitor::{Taken, Visitor, Want};

/// The most levels that are walked.
const MAX_LEVELS: usize = 8;

/// The longest name of a member that is walked over, in bytes.
const MAX_KEY: usize = 64 * 1024;

/// Where in the text the scanner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before a value.
    Value,
    /// After `{` or `[`.
    First,
    /// After a comma in an object.
    NextKey,
    /// In a name.
    Key,
    KeyEscape,
    /// After a name.
    Colon,
    /// In a string, and after a backslash in it.
    Text,
    TextEscape,
    /// In a number, `true`, `false` or `null`.
    Word,
    /// In a container that is not walked, in a string in it, and after a backslash there.
    Deep,
    DeepText,
    DeepEscape,
    /// After a value.
    After,
    /// After the document.
    Done,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    object: bool,
    first: bool,
    kept: bool,
}

/// The scanner.
#[derive(Debug)]
pub(super) struct Push<V> {
    visitor: V,
    state: State,
    levels: Vec<Level>,
    deep: usize,
    /// What was read and is not yet given out.
    out: Vec<u8>,
    /// Places in `out`: of the item that may still be cut, of its name, of its value, and of what
    /// is held back.
    item: Option<usize>,
    key: (usize, usize),
    value: usize,
    take: bool,
    hold: Option<(usize, usize)>,
    limit: usize,
}

impl<V: Visitor> Push<V> {
    /// A scanner that holds back at most `limit` bytes.
    pub(super) fn new(visitor: V, limit: usize) -> Self {
        Self {
            visitor,
            state: State::Value,
            levels: Vec::new(),
            deep: 0,
            out: Vec::new(),
            item: None,
            key: (0, 0),
            value: 0,
            take: false,
            hold: None,
            limit,
        }
    }

    /// Reads a chunk and gives out what may leave.
    pub(super) fn feed(&mut self, chunk: &[u8]) -> Result<Vec<u8>, AnswerError> {
        self.out.reserve(chunk.len());
        let mut rest = chunk;
        while let Some(&b) = rest.first() {
            let run = self.run(rest);
            if run > 0 {
                let (plain, after) = rest.split_at_checked(run).ok_or(AnswerError::Json)?;
                self.out.extend_from_slice(plain);
                rest = after;
                continue;
            }
            if self.step(b)? {
                self.out.push(b);
                rest = rest.get(1..).unwrap_or_default();
                self.stepped(b)?;
            }
        }
        self.release()
    }

    /// Ends the document and gives out the rest.
    pub(super) fn finish(self) -> Result<Vec<u8>, AnswerError> {
        if self.state == State::Done && self.item.is_none() && self.hold.is_none() {
            self.visitor.end()?;
            Ok(self.out)
        } else {
            Err(AnswerError::Json)
        }
    }

    fn release(&mut self) -> Result<Vec<u8>, AnswerError> {
        let held = self.hold.map(|(at, _)| at);
        // A number is only known to be one when it is whole.
        let word = (self.state == State::Word).then_some(self.value);
        let held = held.into_iter().chain(self.item).chain(word);
        let safe = held.min().unwrap_or(self.out.len());
        let kept = self.out.split_off(safe);
        if kept.len() > self.limit {
            return Err(AnswerError::Limit);
        }
        let given = std::mem::replace(&mut self.out, kept);
        let shift = |at: usize| at.saturating_sub(safe);
        self.item = self.item.map(shift);
        self.hold = self.hold.map(|(at, level)| (shift(at), level));
        self.key = (shift(self.key.0), shift(self.key.1));
        self.value = shift(self.value);
        Ok(given)
    }

    /// How many of the next bytes need no closer look.
    fn run(&mut self, bytes: &[u8]) -> usize {
        match self.state {
            State::Text | State::Key => plain_run(bytes),
            State::Deep | State::DeepText | State::DeepEscape => self.deep_run(bytes),
            State::Value
            | State::First
            | State::NextKey
            | State::KeyEscape
            | State::Colon
            | State::TextEscape
            | State::Word
            | State::After
            | State::Done => 0,
        }
    }

    /// Runs through a container that is not walked, up to its last bracket.
    fn deep_run(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            at += if self.state == State::DeepText {
                plain_run(rest)
            } else if self.state == State::Deep {
                rest.iter()
                    .position(|b| matches!(b, b'"' | b'{' | b'}' | b'[' | b']'))
                    .unwrap_or(rest.len())
            } else {
                0
            };
            let Some(&b) = bytes.get(at) else {
                return at;
            };
            match (self.state, b) {
                (State::DeepText, b'"') => self.state = State::Deep,
                (State::DeepText, b'\\') => self.state = State::DeepEscape,
                (State::DeepEscape, _) => self.state = State::DeepText,
                (State::Deep, b'"') => self.state = State::DeepText,
                (State::Deep, b'{' | b'[') => self.deep += 1,
                (State::Deep, _) if self.deep > 1 => self.deep -= 1,
                _ => return at,
            }
            at += 1;
        }
    }

    /// Looks at a byte before it is put out. `false` asks to look at it once more.
    fn step(&mut self, b: u8) -> Result<bool, AnswerError> {
        let space = matches!(b, b' ' | b'\n' | b'\r' | b'\t');
        match self.state {
            State::Word if space || matches!(b, b',' | b']' | b'}') => {
                self.end_value()?;
                return Ok(false);
            }
            State::First if b == b']' || b == b'}' => self.state = State::After,
            State::First if !space => {
                let object = self.levels.last().is_some_and(|l| l.object);
                self.item = Some(self.out.len());
                self.state = if object { State::NextKey } else { State::Value };
                return Ok(false);
            }
            State::After if b == b',' && !self.levels.is_empty() => {
                self.item = Some(self.out.len());
            }
            State::Value if !space => self.begin(b)?,
            State::NextKey if b == b'"' => self.key.0 = self.out.len() + 1,
            State::Value
            | State::First
            | State::NextKey
            | State::Key
            | State::KeyEscape
            | State::Colon
            | State::Text
            | State::TextEscape
            | State::Word
            | State::Deep
            | State::DeepText
            | State::DeepEscape
            | State::After
            | State::Done => {}
        }
        Ok(true)
    }

    /// Moves on after a byte.
    fn stepped(&mut self, b: u8) -> Result<(), AnswerError> {
        let space = matches!(b, b' ' | b'\n' | b'\r' | b'\t');
        self.state = match (self.state, b) {
            (State::Value | State::First | State::NextKey | State::Colon | State::Done, _)
                if space =>
            {
                self.state
            }
            (State::After, _) if space => self.state,
            (State::Value, b'"') => State::Text,
            (State::Value, b'{' | b'[') => return self.opened(b),
            (State::Value, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => State::Word,
            (State::NextKey, b'"') => State::Key,
            (State::Key, b'"') => {
                self.key.1 = self.out.len().saturating_sub(1);
                State::Colon
            }
            (State::Key, b'\\') => State::KeyEscape,
            (State::KeyEscape, _) => State::Key,
            (State::Colon, b':') => State::Value,
            (State::Text, b'"') => return self.end_value(),
            (State::Text, b'\\') => State::TextEscape,
            (State::TextEscape, _) => State::Text,
            (State::Word, b'0'..=b'9' | b'a'..=b'z' | b'E' | b'+' | b'-' | b'.')
                if self.out.len() - self.value <= 64 =>
            {
                State::Word
            }
            (State::Deep, _) => return self.end_value(),
            (State::After, b',') => match self.levels.last() {
                Some(level) if level.object => State::NextKey,
                Some(_) => State::Value,
                None => return Err(AnswerError::Json),
            },
            (State::After, b'}' | b']') => return self.closed(b),
            _ => return Err(AnswerError::Json),
        };
        Ok(())
    }

    /// A value begins with `b`, which is not yet put out.
    fn begin(&mut self, b: u8) -> Result<(), AnswerError> {
        let kind = Cursor::resume(&[b], 0).kind()?;
        let key = match self.levels.last() {
            Some(level) if level.object => {
                let (from, to) = self.key;
                if to.saturating_sub(from) > MAX_KEY {
                    return Err(AnswerError::Limit);
                }
                self.out.get(from..to).unwrap_or_default()
            }
            Some(_) | None => &[],
        };
        let want = self.visitor.begin(self.levels.len(), key, kind)?;
        self.value = self.out.len();
        self.take = want == Want::Take;
        self.deep = 0;
        if !self.take {
            let at = self.commit();
            if want == Want::Hold {
                self.hold = Some((at, self.levels.len()));
            }
        }
        let walk = matches!(want, Want::Walk | Want::Hold) && !kind.is_scalar();
        if !walk && !kind.is_scalar() {
            self.deep = 1;
        }
        Ok(())
    }

    /// The item stays. Says where it begins.
    fn commit(&mut self) -> usize {
        let Some(at) = self.item.take() else {
            return self.out.len();
        };
        if let Some(level) = self.levels.last_mut() {
            if !level.first && !level.kept {
                // All before it was cut, and so its comma goes.
                self.out.remove(at);
                self.value = self.value.saturating_sub(1);
            }
            level.kept = true;
        }
        at
    }

    fn opened(&mut self, b: u8) -> Result<(), AnswerError> {
        if self.deep > 0 {
            self.state = State::Deep;
            return Ok(());
        }
        if self.levels.len() == MAX_LEVELS {
            return Err(AnswerError::Limit);
        }
        self.levels.push(Level {
            object: b == b'{',
            first: true,
            kept: false,
        });
        self.state = State::First;
        Ok(())
    }

    fn closed(&mut self, b: u8) -> Result<(), AnswerError> {
        match self.levels.pop() {
            Some(level) if level.object == (b == b'}') => {}
            Some(_) | None => return Err(AnswerError::Json),
        }
        if self
            .hold
            .is_some_and(|(_, level)| level == self.levels.len())
        {
            // It was held back for something that has not come.
            return Err(AnswerError::Shape);
        }
        self.ended();
        Ok(())
    }

    /// A value that was not walked has ended with the last byte put out.
    fn end_value(&mut self) -> Result<(), AnswerError> {
        let text = self.out.get(self.value..).unwrap_or_default();
        if self.state == State::Word {
            let mut word = Cursor::resume(text, 0);
            word.skip()?;
            word.end()?;
        }
        if std::mem::take(&mut self.take) {
            match self.visitor.took(self.levels.len(), text)? {
                Taken::Release => {
                    self.commit();
                    self.hold = None;
                }
                Taken::Replace(text) => {
                    self.out.truncate(self.value);
                    self.out.extend(text);
                    self.commit();
                }
                Taken::Cut => {
                    if let Some(at) = self.item.take() {
                        self.out.truncate(at);
                    }
                }
            }
        }
        self.ended();
        Ok(())
    }

    fn ended(&mut self) {
        self.state = match self.levels.last_mut() {
            Some(level) => {
                level.first = false;
                State::After
            }
            None => State::Done,
        };
    }
}
