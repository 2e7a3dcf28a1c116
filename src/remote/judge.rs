//! Judges the labels of series, whatever protocol they came by.

mod bounds;
mod class;
mod label;
mod skim;
mod want;

use std::collections::BTreeMap;

use super::apply::Counts;
use super::error::{Fault, WriteError};
use super::labels::{Rule, Ruling};
use crate::config::leaf::{Count, Size};
use crate::config::write::{Absent, WriteLimits};
use crate::tenant::LabelName;

pub(super) use self::class::{Class, Kind};
pub(super) use self::label::{Changes, Label};
pub(super) use self::want::{Admit, How, Want};

/// How often a list has an enforced label: under any spelling, and under its own with a right value.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    any: bool,
    right: bool,
}

/// The policy as it applies to one request.
#[derive(Debug)]
pub(super) struct Judge<'p> {
    pub(super) wants: Vec<Want<'p>>,
    pub(super) rules: Vec<&'p Rule>,
    pub(super) required: &'p [LabelName],
    pub(super) limits: &'p WriteLimits,
    /// What has been counted so far, and how far it may go.
    pub(super) counts: Counts,
    most: Counts,
    /// The longest name and value that a label may have.
    pub(super) longest_name: usize,
    pub(super) longest_value: usize,
    /// The lengths that names of enforced labels have, a bit each; the last is for longer ones.
    lengths: u64,
    seen: Vec<Seen>,
    /// The required labels of the list at hand.
    present: u64,
    known: BTreeMap<Vec<u8>, Class>,
}

impl<'p> Judge<'p> {
    pub(super) fn new(
        wants: Vec<Want<'p>>,
        rules: Vec<&'p Rule>,
        required: &'p [LabelName],
        limits: &'p WriteLimits,
    ) -> Self {
        let bytes = |limit: Option<Size>| limit.map_or(usize::MAX, Size::bytes);
        let count = |limit: Option<Count>| limit.map_or(u64::MAX, |most| most.get() as u64);
        Self {
            longest_name: bytes(limits.label_name),
            longest_value: bytes(limits.label_value),
            lengths: wants
                .iter()
                .fold(0, |bits, w| bits | 1 << w.label.len().min(63)),
            present: 0,
            seen: vec![Seen::default(); wants.len()],
            wants,
            rules,
            required,
            limits,
            counts: Counts::default(),
            most: Counts {
                series: count(limits.series),
                samples: count(limits.samples),
                exemplars: count(limits.exemplars),
            },
            known: BTreeMap::new(),
        }
    }

    /// Judges the labels of a series.
    pub(super) fn series(
        &mut self,
        labels: &[Label<'_>],
        changes: &mut Changes<'p>,
    ) -> Result<(), WriteError> {
        let present = self.list(labels, changes)?;
        self.settle(labels, changes)?;
        self.check_required(labels, changes, present)
    }

    /// Judges labels that are there, and says nothing about those that are not. The result is the
    /// set of required labels among them.
    pub(super) fn list(
        &mut self,
        labels: &[Label<'_>],
        changes: &mut Changes<'p>,
    ) -> Result<u64, WriteError> {
        changes.clear();
        self.seen.fill(Seen::default());
        let mut present = 0u64;
        for (index, label) in labels.iter().enumerate() {
            self.check_lengths(labels, label)?;
            let kept = match label.class.kind {
                Kind::Free | Kind::Metric => true,
                Kind::Enforced(want) => self.enforce(want, index, labels, changes)?,
                Kind::Governed(rule) => self.govern(rule, index, labels, changes)?,
            };
            let has_value = label.value.as_ref().is_none_or(|v| !v.is_empty());
            if let Some(bit) = label.class.required
                && kept
                && has_value
            {
                present |= 1 << bit;
            }
        }
        Ok(present)
    }

    /// Judges the labels of an exemplar: only rules apply, for an exemplar's label is no
    /// series label.
    pub(super) fn exemplar(
        &mut self,
        labels: &[Label<'_>],
        changes: &mut Changes<'p>,
    ) -> Result<(), WriteError> {
        changes.clear();
        for (index, label) in labels.iter().enumerate() {
            match label.class.kind {
                Kind::Free | Kind::Metric | Kind::Enforced(_) => {}
                Kind::Governed(rule) => {
                    self.govern(rule, index, labels, changes)?;
                }
            }
        }
        Ok(())
    }

    fn enforce(
        &mut self,
        want: usize,
        index: usize,
        labels: &[Label<'_>],
        changes: &mut Changes<'p>,
    ) -> Result<bool, WriteError> {
        let (Some((name, how)), Some(seen), Some(label)) = (
            self.wants.get(want).map(|w| (w.label.as_bytes(), &w.how)),
            self.seen.get_mut(want),
            labels.get(index),
        ) else {
            return Ok(true);
        };
        match how {
            How::Reject => Err(refuse(labels, label.name, Fault::Forbidden)),
            How::Drop => {
                changes.edits.push((index, None));
                Ok(false)
            }
            How::Verify(admit, _) => {
                if std::mem::replace(&mut seen.any, true) {
                    return Err(refuse(labels, label.name, Fault::Repeated));
                }
                seen.right = label.name == name;
                match &label.value {
                    Some(value) if admit.admits(value) => Ok(true),
                    Some(_) => Err(refuse(labels, label.name, Fault::Foreign)),
                    None => Err(refuse(labels, label.name, Fault::NotText)),
                }
            }
            How::Set(value) => {
                let right = label.name == name && label.value.as_deref() == Some(value.as_bytes());
                if right && !seen.right {
                    seen.right = true;
                } else {
                    changes.edits.push((index, None));
                }
                Ok(right)
            }
        }
    }

    /// What is enforced on labels that are not there.
    pub(super) fn settle(
        &self,
        labels: &[Label<'_>],
        changes: &mut Changes<'p>,
    ) -> Result<(), WriteError> {
        for (want, seen) in self.wants.iter().zip(&self.seen) {
            match &want.how {
                How::Reject | How::Drop | How::Verify(_, Absent::Allow) => {}
                How::Verify(_, Absent::Refuse) => {
                    if !seen.right {
                        return Err(refuse(labels, want.label.as_bytes(), Fault::Missing));
                    }
                }
                How::Set(value) => {
                    if !seen.right {
                        changes.adds.push((want.label, value));
                    }
                }
            }
        }
        changes.adds.sort_unstable();
        Ok(())
    }

    fn govern(
        &self,
        rule: usize,
        index: usize,
        labels: &[Label<'_>],
        changes: &mut Changes<'p>,
    ) -> Result<bool, WriteError> {
        let (Some(rule), Some(label)) = (self.rules.get(rule), labels.get(index)) else {
            return Ok(true);
        };
        let value = label
            .value
            .as_deref()
            .and_then(|v| std::str::from_utf8(v).ok());
        let ruling = match value {
            Some(value) => rule.rule(value),
            None if rule.needs_value() => {
                return Err(refuse(labels, label.name, Fault::NotText));
            }
            None => rule.rule(""),
        };
        match ruling {
            Ruling::Keep => Ok(true),
            Ruling::Drop => {
                changes.edits.push((index, None));
                Ok(false)
            }
            Ruling::Value(value) => {
                changes.edits.push((index, Some(value)));
                Ok(true)
            }
            Ruling::Refuse => Err(refuse(labels, label.name, Fault::Forbidden)),
        }
    }

    /// Demands each required label, among those present or added.
    pub(super) fn check_required(
        &self,
        labels: &[Label<'_>],
        changes: &Changes<'_>,
        present: u64,
    ) -> Result<(), WriteError> {
        for (bit, name) in self.required.iter().enumerate() {
            let name = name.as_str();
            let added = || changes.adds.iter().any(|(n, _)| *n == name);
            if present >> bit & 1 == 0 && !added() {
                return Err(refuse(labels, name.as_bytes(), Fault::Missing));
            }
        }
        Ok(())
    }

    /// Whether the labels of exemplars are of interest.
    pub(super) fn governs(&self) -> bool {
        !self.rules.is_empty()
    }
}

/// An error about a label of the series that `labels` belong to.
fn refuse(labels: &[Label<'_>], label: &[u8], fault: Fault) -> WriteError {
    let name = labels
        .iter()
        .find(|l| l.class.kind == Kind::Metric)
        .and_then(|l| l.value.as_deref())
        .unwrap_or_default();
    WriteError::label(name, label, fault)
}
