//! OTLP metrics: `ExportMetricsServiceRequest`.
//!
//! An attribute is compared by every name under which an upstream may store it. Attributes of
//! resources become labels of `target_info` and, where promoted, of all series; those of scopes
//! get a prefix where promoted; those of data points are labels.

mod attribute;
mod names;
mod point;

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::error::{Fault, WriteError};
use super::judge::{Changes, Class, How, Judge, Kind, Label};
use super::rewrite::{self, Rewrite};
use super::wire::{self, Field, Fields};

/// Walks a request: counts, judges, and collects what must change.
pub(super) fn walk(src: &[u8], judge: &mut Judge<'_>) -> Result<Rewrite, WriteError> {
    check_wants(judge)?;
    let mut walker = Walker {
        src,
        judge,
        rewrite: Rewrite::default(),
        labels: Vec::new(),
        changes: Changes::default(),
        known: Default::default(),
        present: 0,
        metric: &[],
    };
    for field in Fields::of(src) {
        let field = field?;
        if field.number == 1 {
            walker.resource_metrics(&field)?;
        }
    }
    Ok(walker.rewrite)
}

/// Refuses to enforce what an upstream makes of other fields, or stores under another name.
fn check_wants(judge: &Judge<'_>) -> Result<(), WriteError> {
    for want in &judge.wants {
        let by_name = match want.how {
            How::Reject | How::Drop => true,
            How::Verify(..) | How::Set(_) => names::is_stable(want.label),
        };
        if !by_name || names::is_derived(want.label) {
            let label = want.label.as_bytes();
            return Err(WriteError::label(b"", label, Fault::Unconfinable));
        }
    }
    Ok(())
}

/// Whose attributes a list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Resource,
    Scope,
    Point,
    Exemplar,
}

struct Walker<'w, 'a, 'p> {
    src: &'a [u8],
    judge: &'w mut Judge<'p>,
    rewrite: Rewrite,
    labels: Vec<Label<'a>>,
    changes: Changes<'p>,
    /// What keys mean, by owner.
    known: [BTreeMap<&'a str, Class>; 3],
    /// The required labels that the resource at hand gives to every series.
    present: u64,
    /// The name of the metric at hand.
    metric: &'a [u8],
}

impl<'a> Walker<'_, 'a, '_> {
    fn resource_metrics(&mut self, metrics: &Field<'a>) -> Result<(), WriteError> {
        let open = self.rewrite.open(metrics);
        self.present = 0;
        // The resource first, wherever it stands: its attributes hold for all that follows.
        let mut resources = 0;
        for field in metrics.nested(self.src)? {
            let field = field?;
            if field.number == 1 {
                resources += 1;
                self.resource(&field)?;
            }
        }
        if resources > 1 {
            return Err(WriteError::Malformed("a resource stands twice"));
        }
        for field in metrics.nested(self.src)? {
            let field = field?;
            // 1000 is the old name of 2, and receivers read it where 2 is absent.
            if matches!(field.number, 2 | 1000) {
                self.scope_metrics(&field)?;
            }
        }
        self.rewrite.close(open, metrics);
        Ok(())
    }

    fn resource(&mut self, resource: &Field<'a>) -> Result<(), WriteError> {
        let open = self.rewrite.open(resource);
        self.metric = b"target_info";
        self.gather(resource, 1, Owner::Resource)?;
        self.present = self.judge.list(&self.labels, &mut self.changes)? & self.derived();
        // Without an attribute of its own there is no `target_info`, and none must come to be.
        let dropped = |index: usize| {
            let mut edits = self.changes.edits.iter();
            edits.any(|(i, value)| *i == index && value.is_none())
        };
        let own = self.labels.iter().enumerate().any(|(i, l)| {
            l.class.kind != Kind::Metric && !IDENTIFYING.contains(&l.name) && !dropped(i)
        });
        if own {
            self.judge.settle(&self.labels, &mut self.changes)?;
        }
        self.put_changes(resource, 1)?;
        self.rewrite.close(open, resource);
        Ok(())
    }

    /// The required labels that upstreams make of the resource's identity.
    fn derived(&self) -> u64 {
        let identity = self.labels.iter().filter(|l| IDENTIFYING.contains(&l.name));
        identity
            .filter_map(|l| l.class.required)
            .fold(0, |bits, bit| bits | 1 << bit)
    }

    fn scope_metrics(&mut self, metrics: &Field<'a>) -> Result<(), WriteError> {
        let open = self.rewrite.open(metrics);
        let mut scopes = 0;
        for field in metrics.nested(self.src)? {
            let field = field?;
            match field.number {
                1 => {
                    scopes += 1;
                    if scopes > 1 {
                        return Err(WriteError::Malformed("a scope stands twice"));
                    }
                    self.metric = b"otel_scope_info";
                    let open = self.rewrite.open(&field);
                    self.gather(&field, 3, Owner::Scope)?;
                    self.judge.list(&self.labels, &mut self.changes)?;
                    self.put_changes(&field, 3)?;
                    self.rewrite.close(open, &field);
                }
                2 => self.metric(&field)?,
                _ => {}
            }
        }
        self.rewrite.close(open, metrics);
        Ok(())
    }

    /// Gathers the attributes of a message, which are its fields of a number.
    fn gather(&mut self, message: &Field<'a>, number: u32, owner: Owner) -> Result<(), WriteError> {
        self.labels.clear();
        self.labels.push(Label {
            class: Class {
                kind: Kind::Metric,
                required: None,
            },
            name: b"__name__",
            value: Some(Cow::Borrowed(self.metric)),
            start: 0,
            end: 0,
        });
        for field in message.nested(self.src)? {
            let field = field?;
            if field.number != number {
                continue;
            }
            let key = attribute::key(self.src, &field)?;
            let class = self.class(key, owner);
            let plain = class.kind == Kind::Free
                && class.required.is_none()
                && self.judge.limits.label_value.is_none();
            self.labels.push(Label {
                class,
                name: key.as_bytes(),
                value: if plain {
                    None
                } else {
                    attribute::value(&field)?
                },
                start: field.start,
                end: field.end,
            });
            self.judge.check_label_count(self.labels.len())?;
        }
        Ok(())
    }

    fn class(&mut self, key: &'a str, owner: Owner) -> Class {
        let map = match owner {
            Owner::Resource => 0,
            Owner::Scope => 1,
            Owner::Point | Owner::Exemplar => 2,
        };
        let known = self.known.get(map).and_then(|m| m.get(key));
        if let Some(class) = known {
            return *class;
        }
        let mut stored = names::stored_as(key);
        match owner {
            Owner::Resource => stored.extend(identity(key).map(Cow::Borrowed)),
            Owner::Scope => {
                let promoted = format!("otel_scope_{key}");
                let promoted = names::stored_as(&promoted).into_iter();
                stored.extend(promoted.map(|n| Cow::Owned(n.into_owned())));
            }
            Owner::Point | Owner::Exemplar => {}
        }
        let class = self.judge.class_of_any(&stored);
        if let Some(map) = self.known.get_mut(map)
            && map.len() < 1024
        {
            map.insert(key, class);
        }
        class
    }

    /// Writes the changes to the gathered attributes. Their order means nothing, so what is added
    /// stands at the end of the message.
    fn put_changes(&mut self, message: &Field<'a>, number: u32) -> Result<(), WriteError> {
        for (index, value) in &self.changes.edits {
            let Some(label) = self.labels.get(*index) else {
                continue;
            };
            let Some(value) = value else {
                self.rewrite.replace(label.start, label.end, |_| {});
                continue;
            };
            let mut new = Vec::new();
            let field = self.src.get(label.start..label.end).unwrap_or_default();
            for message in Fields::of(field) {
                rewrite::copy_without(message?.bytes()?, 2, &mut new)?;
            }
            attribute::put_value(value, &mut new);
            self.rewrite.replace(label.start, label.end, |to| {
                wire::put_bytes(number, &new, to);
            });
        }
        for (name, value) in &self.changes.adds {
            self.rewrite
                .insert(message.end, |to| attribute::put(number, name, value, to));
        }
        Ok(())
    }
}

/// The attributes that identify a resource.
const IDENTIFYING: [&[u8]; 3] = [
    b"service.name",
    b"service.namespace",
    b"service.instance.id",
];

/// The label that an identifying attribute becomes, or a part of it.
fn identity(key: &str) -> Option<&'static str> {
    match key {
        "service.name" | "service.namespace" => Some("job"),
        "service.instance.id" => Some("instance"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
