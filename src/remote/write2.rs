//! Remote-write 2.0: `io.prometheus.write.v2.Request`, with its table of symbols.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::error::WriteError;
use super::judge::{Changes, Judge, Label};
use super::rewrite::Rewrite;
use super::wire::{self, Field, Fields, Malformed, Value};

/// Walks a request: counts, judges, and collects what must change.
pub(super) fn walk(src: &[u8], judge: &mut Judge<'_>) -> Result<Rewrite, WriteError> {
    // The table may stand behind the series that refer to it.
    let mut walker = Walker {
        symbols: Symbols::read(src)?,
        src,
        judge,
        rewrite: Rewrite::default(),
        refs: Vec::new(),
        fields: Vec::new(),
        labels: Vec::new(),
        changes: Changes::default(),
    };
    for field in Fields::of(src) {
        let field = field?;
        if field.number == 5 {
            walker.series(&field)?;
        }
    }
    let Walker {
        symbols,
        mut rewrite,
        judge,
        ..
    } = walker;
    if !symbols.added.is_empty() {
        rewrite.insert(symbols.end, |to| to.extend_from_slice(&symbols.added));
        judge.check_size(src, &rewrite)?;
    }
    Ok(rewrite)
}

struct Walker<'w, 'a, 'p> {
    src: &'a [u8],
    symbols: Symbols<'a>,
    judge: &'w mut Judge<'p>,
    rewrite: Rewrite,
    /// The references of the list at hand, the fields that held them, and what they mean.
    refs: Vec<u32>,
    fields: Vec<(usize, usize)>,
    labels: Vec<Label<'a>>,
    changes: Changes<'p>,
}

impl<'a> Walker<'_, 'a, '_> {
    fn series(&mut self, series: &Field<'a>) -> Result<(), WriteError> {
        let open = self.rewrite.open(series);
        for field in series.nested(self.src)? {
            let field = field?;
            match field.number {
                1 => {}
                2 | 3 => {
                    field.bytes()?;
                    self.judge.counts.samples += 1;
                }
                4 => {
                    field.bytes()?;
                    self.judge.counts.exemplars += 1;
                    if self.judge.governs() {
                        self.exemplar(&field)?;
                    }
                }
                5 => {
                    field.bytes()?;
                }
                _ => {}
            }
        }
        self.judge.counts.series += 1;
        self.judge.check_counts()?;
        self.gather(series)?;
        self.judge.series(&self.labels, &mut self.changes)?;
        self.put_changes(series)?;
        self.rewrite.close(open, series);
        self.check_size()
    }

    fn exemplar(&mut self, exemplar: &Field<'a>) -> Result<(), WriteError> {
        let open = self.rewrite.open(exemplar);
        self.gather(exemplar)?;
        self.judge.exemplar(&self.labels, &mut self.changes)?;
        self.put_changes(exemplar)?;
        self.rewrite.close(open, exemplar);
        Ok(())
    }

    /// Gathers the labels of a series or exemplar: in both, field 1 holds the references, packed
    /// or single, in as many pieces as the sender likes.
    fn gather(&mut self, message: &Field<'a>) -> Result<(), WriteError> {
        self.refs.clear();
        self.fields.clear();
        self.labels.clear();
        let (refs, judge) = (&mut self.refs, &*self.judge);
        let mut take = |reference: u32| {
            refs.push(reference);
            judge.check_label_count(refs.len() / 2)
        };
        for field in message.nested(self.src)? {
            let field = field?;
            if field.number != 1 {
                continue;
            }
            match field.value {
                Value::Varint(v) => take(u32::try_from(v).map_err(|_| Malformed::Varint)?)?,
                Value::Bytes(packed) => wire::packed_u32(packed, &mut take)?,
                Value::Fixed64 | Value::Fixed32 => return Err(Malformed::FieldType.into()),
            }
            // One empty piece after another must not fill the memory.
            if self.fields.len() < refs_pieces(judge) {
                self.fields.push((field.start, field.end));
            } else {
                return Err(WriteError::Malformed("label references in too many pieces"));
            }
        }
        self.resolve()
    }

    fn resolve(&mut self) -> Result<(), WriteError> {
        let mut refs = self.refs.iter();
        while let Some(name) = refs.next() {
            let Some(value) = refs.next() else {
                return Err(WriteError::Malformed(
                    "a series has an odd number of label references",
                ));
            };
            let name = self.symbols.text(self.src, *name)?;
            let value = self.symbols.text(self.src, *value)?;
            self.labels.push(Label {
                class: self.judge.class(name),
                name,
                value: Some(Cow::Borrowed(value)),
                start: 0,
                end: 0,
            });
        }
        Ok(())
    }

    /// Writes the references anew in one packed field where the first piece was.
    fn put_changes(&mut self, message: &Field<'a>) -> Result<(), WriteError> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let mut packed = Vec::new();
        let mut put = |name: u32, value: u32| {
            wire::put_varint(u64::from(name), &mut packed);
            wire::put_varint(u64::from(value), &mut packed);
        };
        let mut edits = self.changes.edits.iter().peekable();
        let mut adds = self.changes.adds.iter().peekable();
        for (index, (label, pair)) in self
            .labels
            .iter()
            .zip(self.refs.chunks_exact(2))
            .enumerate()
        {
            while let Some((name, value)) = adds.next_if(|(n, _)| n.as_bytes() < label.name) {
                let name = self.symbols.reference(self.src, name)?;
                put(name, self.symbols.reference(self.src, value)?);
            }
            let &[name, value] = pair else { continue };
            match edits.next_if(|(i, _)| *i == index) {
                Some((_, Some(new))) => put(name, self.symbols.reference(self.src, new)?),
                Some((_, None)) => {}
                None => put(name, value),
            }
        }
        for (name, value) in adds {
            let name = self.symbols.reference(self.src, name)?;
            put(name, self.symbols.reference(self.src, value)?);
        }
        let mut pieces = self.fields.iter();
        let first = pieces.next().copied();
        let start = message.end - message.bytes()?.len();
        let (from, to) = first.unwrap_or((start, start));
        self.rewrite
            .replace(from, to, |out| wire::put_bytes(1, &packed, out));
        for (from, to) in pieces {
            self.rewrite.replace(*from, *to, |_| {});
        }
        Ok(())
    }

    fn check_size(&self) -> Result<(), WriteError> {
        self.judge.check_size(self.src, &self.rewrite)
    }
}

/// How many pieces the references of a list may come in: as many as there may be references.
fn refs_pieces(judge: &Judge<'_>) -> usize {
    judge.limits.labels_per_series.get() * 2 + 1
}

/// The table of symbols, as positions in the body, and what is added to it.
struct Symbols<'a> {
    /// Where each symbol's length begins.
    positions: Vec<u32>,
    /// Where the table ends in the body.
    end: usize,
    /// The fields to add there.
    added: Vec<u8>,
    /// The references of texts that were looked for.
    known: BTreeMap<Vec<u8>, u32>,
    next: u32,
    body: std::marker::PhantomData<&'a [u8]>,
}

impl<'a> Symbols<'a> {
    fn read(src: &'a [u8]) -> Result<Self, WriteError> {
        let mut count = 0;
        for field in Fields::of(src) {
            let field = field?;
            match field.number {
                4 => count += 1,
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
            end: 0,
            added: Vec::new(),
            known: BTreeMap::new(),
            next: 0,
            body: std::marker::PhantomData,
        };
        for field in Fields::of(src) {
            let field = field?;
            if field.number == 4 {
                field.bytes()?;
                let at = u32::try_from(field.at).map_err(|_| Malformed::Truncated)?;
                symbols.positions.push(at);
                symbols.end = field.end;
            }
        }
        symbols.next = u32::try_from(count).map_err(|_| Malformed::Truncated)?;
        Ok(symbols)
    }

    fn text(&self, src: &'a [u8], reference: u32) -> Result<&'a [u8], WriteError> {
        usize::try_from(reference)
            .ok()
            .and_then(|r| self.positions.get(r))
            .and_then(|at| wire::prefixed(src, *at as usize))
            .ok_or(WriteError::Malformed(
                "a label reference is outside of the symbol table",
            ))
    }

    /// The reference of a text, which is added if it is not in the table.
    fn reference(&mut self, src: &'a [u8], text: &str) -> Result<u32, WriteError> {
        if let Some(known) = self.known.get(text.as_bytes()) {
            return Ok(*known);
        }
        let found = if self.known.len() < SEARCHES {
            self.positions
                .iter()
                .position(|at| wire::prefixed(src, *at as usize) == Some(text.as_bytes()))
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

/// How many texts are looked for in the whole table. It holds the enforced names and values; what
/// rules make of values would search in vain, and the table for each of them.
const SEARCHES: usize = 16;

#[cfg(test)]
mod tests;
