//! Judges the labels of series, whatever protocol they came by.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::error::{Fault, WriteError};
use super::labels::{Rule, Ruling};
use super::policy::Counts;
use super::rewrite::Rewrite;
use crate::config::write::{Absent, WriteLimits};
use crate::scope::Enforced;
use crate::tenant::LabelName;

/// What is enforced on one label by one request.
#[derive(Clone, Debug)]
pub(super) struct Want<'p> {
    /// The label.
    pub(super) label: &'p str,
    /// What is enforced.
    pub(super) how: How<'p>,
}

/// What is enforced on a label.
#[derive(Clone, Debug)]
pub(super) enum How<'p> {
    /// It must not be there.
    Reject,
    /// It is removed.
    Drop,
    /// It must have the value.
    Verify(Admit<'p>, Absent),
    /// It is set to the value.
    Set(&'p str),
}

/// The values that a caller may write.
#[derive(Clone, Debug)]
pub(super) enum Admit<'p> {
    /// This one.
    One(&'p str),
    /// These.
    Any(&'p Enforced),
}

impl Admit<'_> {
    fn admits(&self, value: &[u8]) -> bool {
        match self {
            Self::One(one) => one.as_bytes() == value,
            Self::Any(enforced) => std::str::from_utf8(value).is_ok_and(|v| enforced.admits(v)),
        }
    }
}

/// What a label's name means to the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class {
    /// Its role.
    pub(super) kind: Kind,
    /// Which required label it is.
    pub(super) required: Option<u8>,
}

/// The role of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// None.
    Free,
    /// The metric's name.
    Metric,
    /// The enforced label of this index.
    Enforced(usize),
    /// The label of the rule of this index.
    Governed(usize),
}

/// A label of a series or exemplar.
#[derive(Clone, Debug)]
pub(super) struct Label<'a> {
    /// What its name means.
    pub(super) class: Class,
    /// Its name as sent.
    pub(super) name: &'a [u8],
    /// Its value, or nothing where it is not text.
    pub(super) value: Option<Cow<'a, [u8]>>,
    /// Where it begins in the body.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) end: usize,
}

/// What must change in a list of labels.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes<'p> {
    /// By index in the list, ascending: the new value, or nothing for removal.
    pub(super) edits: Vec<(usize, Option<String>)>,
    /// Names and values to add.
    pub(super) adds: Vec<(&'p str, &'p str)>,
}

impl Changes<'_> {
    /// Whether nothing must change.
    pub(super) fn is_empty(&self) -> bool {
        self.edits.is_empty() && self.adds.is_empty()
    }

    fn clear(&mut self) {
        self.edits.clear();
        self.adds.clear();
    }
}

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
    /// What has been counted so far.
    pub(super) counts: Counts,
    seen: Vec<Seen>,
    known: BTreeMap<Vec<u8>, Class>,
}

impl<'p> Judge<'p> {
    pub(super) fn new(
        wants: Vec<Want<'p>>,
        rules: Vec<&'p Rule>,
        required: &'p [LabelName],
        limits: &'p WriteLimits,
    ) -> Self {
        Self {
            seen: vec![Seen::default(); wants.len()],
            wants,
            rules,
            required,
            limits,
            counts: Counts::default(),
            known: BTreeMap::new(),
        }
    }

    /// What a stored label name means.
    pub(super) fn class(&mut self, name: &[u8]) -> Class {
        if self.rules.is_empty() && self.required.is_empty() {
            return self.plain_class(name);
        }
        if let Some(class) = self.known.get(name) {
            return *class;
        }
        let class = self.full_class(name);
        // Senders repeat the same few names.
        if self.known.len() < 1024 && name.len() <= 256 {
            self.known.insert(name.to_vec(), class);
        }
        class
    }

    #[inline]
    fn plain_class(&self, name: &[u8]) -> Class {
        let wanted = self.wants.iter().position(|w| w.label.as_bytes() == name);
        let kind = match wanted {
            Some(index) => Kind::Enforced(index),
            None if name == b"__name__" => Kind::Metric,
            None => Kind::Free,
        };
        Class {
            kind,
            required: None,
        }
    }

    /// What a label means that may be stored under any of several names: the strictest of what
    /// they mean.
    pub(super) fn class_of_any(&self, names: &[Cow<'_, str>]) -> Class {
        let mut strictest = Class {
            kind: Kind::Free,
            required: None,
        };
        for name in names {
            let class = self.full_class(name.as_bytes());
            strictest.required = strictest.required.or(class.required);
            strictest.kind = match (strictest.kind, class.kind) {
                (Kind::Enforced(_), _) | (Kind::Governed(_), Kind::Governed(_)) => strictest.kind,
                (_, Kind::Free | Kind::Metric) => strictest.kind,
                (_, Kind::Enforced(_) | Kind::Governed(_)) => class.kind,
            };
        }
        strictest
    }

    /// What a stored label name means, computed anew.
    fn full_class(&self, name: &[u8]) -> Class {
        let mut class = self.plain_class(name);
        let text = std::str::from_utf8(name).ok();
        if class.kind == Kind::Free {
            let rule = text.and_then(|n| self.rules.iter().position(|r| r.fits(n)));
            if let Some(rule) = rule {
                class.kind = Kind::Governed(rule);
            }
        }
        class.required = self
            .required
            .iter()
            .position(|r| r.as_str().as_bytes() == name)
            .and_then(|i| u8::try_from(i).ok());
        class
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

    fn check_lengths(&self, labels: &[Label<'_>], label: &Label<'_>) -> Result<(), WriteError> {
        let limits = self.limits;
        if limits
            .label_name
            .is_some_and(|most| label.name.len() > most.bytes())
        {
            return Err(refuse(labels, label.name, Fault::NameTooLong));
        }
        let len = label.value.as_ref().map_or(0, |v| v.len());
        if limits.label_value.is_some_and(|most| len > most.bytes()) {
            return Err(refuse(labels, label.name, Fault::ValueTooLong));
        }
        Ok(())
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

    /// Counts one label of a series: lists are bounded while they are gathered.
    pub(super) fn check_label_count(&self, count: usize) -> Result<(), WriteError> {
        let most = self.limits.labels_per_series.get();
        if count <= most {
            return Ok(());
        }
        Err(WriteError::TooLarge {
            limit: "labels_per_series",
            most: most as u64,
            found: count as u64,
        })
    }

    /// Compares what has been counted so far with the limits.
    pub(super) fn check_counts(&self) -> Result<(), WriteError> {
        let Counts {
            series,
            samples,
            exemplars,
        } = self.counts;
        for (limit, most, found) in [
            ("series", self.limits.series, series),
            ("samples", self.limits.samples, samples),
            ("exemplars", self.limits.exemplars, exemplars),
        ] {
            if let Some(most) = most.map(|m| m.get() as u64)
                && found > most
            {
                return Err(WriteError::TooLarge { limit, most, found });
            }
        }
        Ok(())
    }

    /// Holds the size of the changed body against the limit: additions are bounded as well.
    pub(super) fn check_size(&self, src: &[u8], rewrite: &Rewrite) -> Result<(), WriteError> {
        let most = self.limits.decoded.bytes() as u64;
        let found = rewrite.len_of(src);
        if found > most {
            return Err(WriteError::TooLarge {
                limit: "decoded",
                most,
                found,
            });
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
