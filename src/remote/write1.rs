//! Remote-write 1.0: `prometheus.WriteRequest`.

use std::borrow::Cow;

use super::apply::Counts;
use super::error::WriteError;
use super::judge::{Changes, Class, Judge, Label};
use super::rewrite::{self, Rewrite};
use super::wire::{self, Field, Fields, short};

/// Walks a request: counts, judges, and collects what must change.
pub(super) fn walk(src: &[u8], judge: &mut Judge<'_>) -> Result<Rewrite, WriteError> {
    let mut walker = Walker {
        src,
        judge,
        rewrite: Rewrite::default(),
        labels: Vec::new(),
        exemplar: Vec::new(),
        changes: Changes::default(),
        recent: [None; RECENT],
    };
    for field in Fields::of(src) {
        let field = field?;
        match field.number {
            1 => walker.series(&field)?,
            // Receivers differ in which header they believe, and Receive believes none: a body
            // that also says something in the other version is not passed.
            4 | 5 => {
                return Err(WriteError::Malformed(
                    "it has fields of remote-write 2.0, but its headers say 1.0",
                ));
            }
            _ => {}
        }
    }
    Ok(walker.rewrite)
}

struct Walker<'w, 'a, 'p> {
    src: &'a [u8],
    judge: &'w mut Judge<'p>,
    rewrite: Rewrite,
    /// The labels of the series at hand, and of the exemplar at hand.
    labels: Vec<Label<'a>>,
    exemplar: Vec<Label<'a>>,
    changes: Changes<'p>,
    /// What names mean that were seen last.
    recent: [Option<(&'a [u8], Class)>; RECENT],
}

const RECENT: usize = 64;

impl<'a> Walker<'_, 'a, '_> {
    fn series(&mut self, series: &Field<'a>) -> Result<(), WriteError> {
        if let Some(counts) = self.skim(series.bytes()?) {
            self.judge.counts.add(counts);
            return self.judge.check_counts();
        }
        let open = self.rewrite.open(series);
        self.count(series)?;
        self.labels(series)?;
        self.rewrite.close(open, series);
        self.judge.check_size(self.src, &self.rewrite)
    }

    /// Counts what a series has, if it is written as usual and passes as it is.
    fn skim(&mut self, mut rest: &'a [u8]) -> Option<Counts> {
        let mut counts = Counts {
            series: 1,
            ..Counts::default()
        };
        let mut labels = 0usize;
        self.judge.begin();
        while !rest.is_empty() {
            let (key, piece) = short::take(&mut rest)?;
            match key {
                0x0a => {
                    let (name, value) = short::label(piece)?;
                    let class = self.class(name);
                    if !self.judge.keeps(class, name, value) {
                        return None;
                    }
                    labels += 1;
                }
                0x12 | 0x22 => counts.samples += 1,
                0x1a if !self.judge.governs() => counts.exemplars += 1,
                _ => return None,
            }
        }
        let passes = self.judge.check_label_count(labels).is_ok() && self.judge.is_complete();
        passes.then_some(counts)
    }

    /// What a name means; senders repeat the same few.
    #[inline]
    fn class(&mut self, name: &'a [u8]) -> Class {
        if self.judge.is_simple() {
            return if self.judge.may_bind(name) {
                self.judge.class(name)
            } else {
                Class::PLAIN
            };
        }
        let place = match name {
            [first, .., last] => name.len() ^ usize::from(*first) ^ usize::from(*last) << 1,
            _ => name.len(),
        };
        let Some(recent) = self.recent.get_mut(place % RECENT) else {
            return self.judge.class(name);
        };
        match recent {
            Some((known, class)) if *known == name => *class,
            Some(_) | None => {
                let class = self.judge.class(name);
                *recent = Some((name, class));
                class
            }
        }
    }

    /// Counts what a series has, and judges its exemplars.
    fn count(&mut self, series: &Field<'a>) -> Result<(), WriteError> {
        let mut labels = 0;
        for field in series.nested(self.src)? {
            let field = field?;
            match field.number {
                1 => labels += 1,
                2 | 4 => {
                    field.bytes()?;
                    self.judge.counts.samples += 1;
                }
                3 => {
                    field.bytes()?;
                    self.judge.counts.exemplars += 1;
                    if self.judge.governs() {
                        self.exemplar(&field)?;
                    }
                }
                _ => {}
            }
        }
        self.judge.counts.series += 1;
        self.judge.check_counts()?;
        self.judge.check_label_count(labels)
    }

    fn labels(&mut self, series: &Field<'a>) -> Result<(), WriteError> {
        self.labels.clear();
        for field in series.nested(self.src)? {
            let field = field?;
            if field.number == 1 {
                self.labels.push(label(&field, self.judge)?);
            }
        }
        self.judge.series(&self.labels, &mut self.changes)?;
        let start = series.end - series.bytes()?.len();
        put_changes(
            self.src,
            &self.labels,
            &self.changes,
            start,
            &mut self.rewrite,
        )
    }

    fn exemplar(&mut self, exemplar: &Field<'a>) -> Result<(), WriteError> {
        let open = self.rewrite.open(exemplar);
        self.exemplar.clear();
        for field in exemplar.nested(self.src)? {
            let field = field?;
            if field.number == 1 {
                self.exemplar.push(label(&field, self.judge)?);
                self.judge.check_label_count(self.exemplar.len())?;
            }
        }
        self.judge.exemplar(&self.exemplar, &mut self.changes)?;
        put_changes(
            self.src,
            &self.exemplar,
            &self.changes,
            exemplar.end,
            &mut self.rewrite,
        )?;
        self.rewrite.close(open, exemplar);
        Ok(())
    }
}

fn label<'a>(field: &Field<'a>, judge: &mut Judge<'_>) -> Result<Label<'a>, WriteError> {
    let (name, value) = wire::label(field.bytes()?)?;
    Ok(Label {
        class: judge.class(name),
        name,
        value: Some(Cow::Borrowed(value)),
        start: field.start,
        end: field.end,
    })
}

/// Writes the changes to a list of labels. What is added stands before the first greater name,
/// or behind the last label, or at `start` where there is none.
fn put_changes(
    src: &[u8],
    labels: &[Label<'_>],
    changes: &Changes<'_>,
    start: usize,
    rewrite: &mut Rewrite,
) -> Result<(), WriteError> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut edits = changes.edits.iter().peekable();
    let mut adds = changes.adds.iter().peekable();
    for (index, label) in labels.iter().enumerate() {
        while let Some((name, value)) = adds.next_if(|(n, _)| n.as_bytes() < label.name) {
            rewrite.insert(label.start, |to| put_label(name, value, to));
        }
        match edits.next_if(|(i, _)| *i == index) {
            Some((_, Some(value))) => {
                let new = changed(src, label, value)?;
                rewrite.replace(label.start, label.end, |to| wire::put_bytes(1, &new, to));
            }
            Some((_, None)) => rewrite.replace(label.start, label.end, |_| {}),
            None => {}
        }
    }
    let end = labels.last().map_or(start, |l| l.end);
    for (name, value) in adds {
        rewrite.insert(end, |to| put_label(name, value, to));
    }
    Ok(())
}

fn put_label(name: &str, value: &str, to: &mut Vec<u8>) {
    let mut label = Vec::with_capacity(name.len() + value.len() + 8);
    wire::put_bytes(1, name.as_bytes(), &mut label);
    wire::put_bytes(2, value.as_bytes(), &mut label);
    wire::put_bytes(1, &label, to);
}

/// A label with another value, and whatever else it has.
fn changed(src: &[u8], label: &Label<'_>, value: &str) -> Result<Vec<u8>, WriteError> {
    let mut new = Vec::new();
    let field = src.get(label.start..label.end).unwrap_or_default();
    for message in Fields::of(field) {
        rewrite::copy_without(message?.bytes()?, 2, &mut new)?;
    }
    wire::put_bytes(2, value.as_bytes(), &mut new);
    Ok(new)
}

#[cfg(test)]
pub(super) mod tests;
