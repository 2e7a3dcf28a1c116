//! Remote-write 2.0: `io.prometheus.write.v2.Request`, with its table of symbols.

mod symbols;

use std::borrow::Cow;

use super::apply::Counts;
use super::error::WriteError;
use super::judge::{Changes, Judge, Label};
use super::rewrite::Rewrite;
use super::wire::{self, Field, Fields, Malformed, Value, short};
use symbols::Symbols;

/// Walks a request: counts, judges, and collects what must change.
pub(super) fn walk(src: &[u8], judge: &mut Judge<'_>) -> Result<Rewrite, WriteError> {
    // The table may stand behind the series that refer to it.
    let mut walker = Walker {
        symbols: Symbols::read(src, judge)?,
        src,
        judge,
        rewrite: Rewrite::default(),
        refs: Vec::new(),
        fields: Vec::new(),
        labels: Vec::new(),
        changes: Changes::default(),
        packed: Vec::new(),
    };
    for field in Fields::from(src, walker.symbols.first_series) {
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
    /// The references that take their place.
    packed: Vec<u8>,
}

impl<'a> Walker<'_, 'a, '_> {
    fn series(&mut self, series: &Field<'a>) -> Result<(), WriteError> {
        if let Some(counts) = self.skim(series.bytes()?) {
            self.judge.counts.add(counts);
            return self.judge.check_counts();
        }
        let open = self.rewrite.open(series);
        self.count(series)?;
        self.gather(series)?;
        self.judge.series(&self.labels, &mut self.changes)?;
        self.put_changes(series)?;
        self.rewrite.close(open, series);
        self.check_size()
    }

    /// Counts what a series has, if it is written as usual and passes as it is.
    fn skim(&mut self, mut rest: &'a [u8]) -> Option<Counts> {
        let mut counts = Counts {
            series: 1,
            ..Counts::default()
        };
        let mut labels = 0;
        self.judge.begin();
        while !rest.is_empty() {
            let (key, mut piece) = short::take(&mut rest)?;
            match key {
                0x0a => {
                    while !piece.is_empty() {
                        let name = short::number(&mut piece)?;
                        let value = short::number(&mut piece)?;
                        if !self.symbols.are_plain(name, value) {
                            self.symbols.keep(name, value, self.judge)?;
                        }
                        labels += 1;
                    }
                }
                0x12 | 0x1a => counts.samples += 1,
                0x22 if !self.judge.governs() => counts.exemplars += 1,
                0x2a => {}
                _ => return None,
            }
        }
        let passes = self.judge.check_label_count(labels).is_ok() && self.judge.is_complete();
        passes.then_some(counts)
    }

    /// Counts what a series has, and judges its exemplars.
    fn count(&mut self, series: &Field<'a>) -> Result<(), WriteError> {
        for field in series.nested(self.src)? {
            let field = field?;
            match field.number {
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
        self.judge.check_counts()
    }

    fn exemplar(&mut self, exemplar: &Field<'a>) -> Result<(), WriteError> {
        let open = self.rewrite.open(exemplar);
        self.gather(exemplar)?;
        self.judge.exemplar(&self.labels, &mut self.changes)?;
        self.put_changes(exemplar)?;
        self.rewrite.close(open, exemplar);
        Ok(())
    }

    /// Gathers the labels of a series or exemplar.
    fn gather(&mut self, message: &Field<'a>) -> Result<(), WriteError> {
        self.refs.clear();
        self.fields.clear();
        self.labels.clear();
        let (refs, judge) = (&mut self.refs, &*self.judge);
        let mut each = |reference| {
            refs.push(reference);
            judge.check_label_count(refs.len() / 2)
        };
        // One empty piece after another must not fill the memory.
        let most = judge.limits.labels_per_series.get() * 2 + 1;
        // Packed or single, in as many pieces as the sender likes.
        for field in message.nested(self.src)? {
            let field = field?;
            if field.number != 1 {
                continue;
            }
            self.fields.push((field.start, field.end));
            if self.fields.len() > most {
                return Err(WriteError::Malformed("label references in too many pieces"));
            }
            match field.value {
                Value::Varint(v) => each(u32::try_from(v).map_err(|_| Malformed::Varint)?)?,
                Value::Bytes(packed) => wire::packed_u32(packed, &mut each)?,
                Value::Fixed64 | Value::Fixed32 => return Err(Malformed::FieldType.into()),
            }
        }
        self.resolve()
    }

    fn resolve(&mut self) -> Result<(), WriteError> {
        let mut refs = self.refs.iter();
        while let Some(name) = refs.next() {
            let value = refs.next().ok_or(ODD)?;
            let name = self.symbols.text(*name)?;
            let value = self.symbols.text(*value)?;
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
        self.packed.clear();
        let packed = &mut self.packed;
        let mut put = |name: u32, value: u32| {
            wire::put_varint(u64::from(name), packed);
            wire::put_varint(u64::from(value), packed);
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
                let name = self.symbols.reference(name)?;
                put(name, self.symbols.reference(value)?);
            }
            let &[name, value] = pair else { continue };
            match edits.next_if(|(i, _)| *i == index) {
                Some((_, Some(new))) => put(name, self.symbols.reference(new)?),
                Some((_, None)) => {}
                None => put(name, value),
            }
        }
        for (name, value) in adds {
            let name = self.symbols.reference(name)?;
            put(name, self.symbols.reference(value)?);
        }
        let mut pieces = self.fields.iter();
        let first = pieces.next().copied();
        let start = message.end - message.bytes()?.len();
        let (from, to) = first.unwrap_or((start, start));
        self.rewrite
            .replace(from, to, |out| wire::put_bytes(1, &self.packed, out));
        for (from, to) in pieces {
            self.rewrite.replace(*from, *to, |_| {});
        }
        Ok(())
    }

    fn check_size(&self) -> Result<(), WriteError> {
        self.judge.check_size(self.src, &self.rewrite)
    }
}

const ODD: WriteError = WriteError::Malformed("a series has an odd number of label references");

#[cfg(test)]
mod tests;
