//! The table of symbols of a remote-write 2.0 request.

use std::collections::BTreeMap;

use super::super::error::WriteError;
use super::super::judge::Judge;
use super::super::wire::{self, Fields, Malformed};

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
    /// Where the first series begins, or the body ends.
    pub(super) first_series: usize,
    src: &'a [u8],
}

impl<'a> Symbols<'a> {
    pub(super) fn read(src: &'a [u8]) -> Result<Self, WriteError> {
        let (mut count, mut end, mut first_series) = (0, 0, src.len());
        for field in Fields::of(src) {
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
        let mut symbols = Self {
            positions: Vec::with_capacity(count),
            end,
            added: Vec::new(),
            known: BTreeMap::new(),
            next: 0,
            marks: vec![0; count],
            first_series,
            src,
        };
        for field in Fields::of(src.get(..end).unwrap_or_default()) {
            let field = field?;
            if field.number == 4 {
                field.bytes()?;
                let at = u32::try_from(field.at).map_err(|_| Malformed::Truncated)?;
                symbols.positions.push(at);
            }
        }
        symbols.next = u32::try_from(count).map_err(|_| Malformed::Truncated)?;
        Ok(symbols)
    }

    pub(super) fn text(&self, reference: u32) -> Result<&'a [u8], WriteError> {
        usize::try_from(reference)
            .ok()
            .and_then(|r| self.positions.get(r))
            .and_then(|at| wire::prefixed(self.src, *at as usize))
            .ok_or(OUTSIDE)
    }

    /// Whether a name and a value are known to ask nothing of a series.
    #[inline]
    pub(super) fn are_plain(&self, name: u32, value: u32) -> bool {
        let mark = |reference: u32| self.marks.get(reference as usize).copied().unwrap_or(0);
        mark(name) & PLAIN_NAME != 0 && mark(value) & PLAIN_VALUE != 0
    }

    /// Looks at a label, and remembers what its symbols mean. `None`: it may not pass as it is.
    pub(super) fn keep(&mut self, name: u32, value: u32, judge: &mut Judge<'_>) -> Option<()> {
        let name_text = self.text(name).ok()?;
        let value_text = self.text(value).ok()?;
        let class = judge.class(name_text);
        let keeps = judge.keeps(class, name_text, value_text);
        if keeps {
            if class.is_plain() {
                *self.marks.get_mut(name as usize)? |= PLAIN_NAME;
            }
            *self.marks.get_mut(value as usize)? |= PLAIN_VALUE;
        }
        keeps.then_some(())
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

/// As a name, the symbol asks nothing of a series; as a value, it is not too long.
const PLAIN_NAME: u8 = 1;
const PLAIN_VALUE: u8 = 2;

/// How many texts are looked for in the whole table. It holds the enforced names and values; what
/// rules make of values would search in vain, and the table for each of them.
const SEARCHES: usize = 16;
