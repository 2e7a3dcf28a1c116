//! The table of symbols of a remote-write 2.0 request.

use std::collections::BTreeMap;

use super::super::error::WriteError;
use super::super::judge::{Judge, Kind};
use super::super::wire::{self, Fields, Malformed, short};

/// The table of symbols, as positions in the body, and what is added to it.
pub(super) struct Symbols<'a> {
    /// Where each symbol's length begins.
    positions: Vec<u32>,
    /// Where the table ends in the body.
    pub(super) end: usize,
    /// The fields to add there.
    pub(super) added: Vec<u8>,
    /// The references of texts that were looked for.
    known: BTreeMap<Vec<u8>, u32>,
    next: u32,
    /// What is known of each symbol.
    marks: Vec<u8>,
    /// A name and a value that are an enforced label as it must be, and which.
    right: Option<((u32, u32), usize)>,
    /// Where the first series begins, or the body ends.
    pub(super) first_series: usize,
    src: &'a [u8],
}

impl<'a> Symbols<'a> {
    pub(super) fn read(src: &'a [u8], judge: &Judge<'_>) -> Result<Self, WriteError> {
        // As a rule the table stands first, and its texts are short.
        let (mut count, mut end) = short::run(src, SYMBOL, |_| {});
        let mut first_series = src.len();
        for field in Fields::from(src, end) {
            let field = field?;
            match field.number {
                5 => first_series = first_series.min(field.start),
                4 => {
                    count += 1;
                    end = field.end;
                }
                // A receiver that takes everything for version 1.0 would find its series here.
                1..=3 => {
                    return Err(WriteError::Malformed(
                        "it has fields of remote-write 1.0, but its headers say 2.0",
                    ));
                }
                _ => {}
            }
        }
        let mut positions = Vec::with_capacity(count);
        let (_, run) = short::run(src, SYMBOL, |at| positions.push(at));
        for field in Fields::from(src.get(..end).unwrap_or_default(), run) {
            let field = field?;
            if field.number == 4 {
                field.bytes()?;
                positions.push(u32::try_from(field.at).map_err(|_| Malformed::Truncated)?);
            }
        }
        let mark = if judge.longest_value == usize::MAX {
            PLAIN_VALUE
        } else {
            0
        };
        Ok(Self {
            marks: vec![mark; count],
            positions,
            end,
            added: Vec::new(),
            known: BTreeMap::new(),
            next: u32::try_from(count).map_err(|_| Malformed::Truncated)?,
            right: None,
            first_series,
            src,
        })
    }

    pub(super) fn text(&self, reference: u32) -> Result<&'a [u8], WriteError> {
        match self.find(reference) {
            Some(text) => Ok(text),
            None => Err(OUTSIDE),
        }
    }

    #[inline]
    fn find(&self, reference: u32) -> Option<&'a [u8]> {
        let at = self.positions.get(reference as usize)?;
        wire::prefixed(self.src, *at as usize)
    }

    /// Whether a name and a value are known to ask nothing of a series.
    #[inline]
    pub(super) fn are_plain(&self, name: u32, value: u32) -> bool {
        let mark = |reference: u32| self.marks.get(reference as usize).copied().unwrap_or(0);
        mark(name) & PLAIN_NAME != 0 && mark(value) & PLAIN_VALUE != 0
    }

    /// Looks at a label, and remembers what its symbols mean. `None`: it may not pass as it is.
    pub(super) fn keep(&mut self, name: u32, value: u32, judge: &mut Judge<'_>) -> Option<()> {
        // The same label of the same tenant stands in every series.
        if let Some((known, want)) = self.right
            && known == (name, value)
        {
            return judge.keeps_right(want).then_some(());
        }
        let name_text = self.find(name)?;
        let value_text = self.find(value)?;
        let class = judge.class(name_text);
        if !judge.keeps(class, name_text, value_text) {
            return None;
        }
        if class.is_plain() {
            *self.marks.get_mut(name as usize)? |= PLAIN_NAME;
        } else if let (Kind::Enforced(want), None) = (class.kind, class.required) {
            self.right = Some(((name, value), want));
        }
        *self.marks.get_mut(value as usize)? |= PLAIN_VALUE;
        Some(())
    }

    /// The reference of a text, which is added if it is not in the table.
    pub(super) fn reference(&mut self, text: &str) -> Result<u32, WriteError> {
        if let Some(known) = self.known.get(text.as_bytes()) {
            return Ok(*known);
        }
        let found = if self.known.len() < SEARCHES {
            self.positions
                .iter()
                .position(|at| wire::prefixed(self.src, *at as usize) == Some(text.as_bytes()))
        } else {
            None
        };
        let reference = match found.and_then(|i| u32::try_from(i).ok()) {
            Some(reference) => reference,
            None => self.add(text)?,
        };
        self.known.insert(text.as_bytes().to_vec(), reference);
        Ok(reference)
    }

    fn add(&mut self, text: &str) -> Result<u32, WriteError> {
        // The first symbol must be empty: what does not refer to a symbol refers to it.
        if self.next == 0 {
            wire::put_bytes(4, b"", &mut self.added);
            self.next = 1;
        }
        let reference = self.next;
        self.next = reference
            .checked_add(1)
            .ok_or(WriteError::Malformed("it has too many symbols"))?;
        wire::put_bytes(4, text.as_bytes(), &mut self.added);
        Ok(reference)
    }
}

const OUTSIDE: WriteError =
    WriteError::Malformed("a label reference is outside of the symbol table");

/// The key of a symbol.
const SYMBOL: u8 = 0x22;

/// As a name, the symbol asks nothing of a series; as a value, it is not too long.
const PLAIN_NAME: u8 = 1;
const PLAIN_VALUE: u8 = 2;

/// How many texts are looked for in the whole table. It holds the enforced names and values; what
/// rules make of values would search in vain, and the table for each of them.
const SEARCHES: usize = 16;
