//! Metrics and their data points, of every type.

use super::super::error::WriteError;
use super::super::wire::{Field, Value};
use super::{Owner, Walker};

/// Where a type of data points keeps what is looked at.
struct Shape {
    attributes: u32,
    exemplars: Option<u32>,
    /// The repeated field that gives a series each, besides the sum and the count: buckets of
    /// eight bytes, or quantiles.
    series: Option<u32>,
}

/// The type of data points by the field of the metric that holds them.
fn shape(number: u32) -> Option<Shape> {
    Some(match number {
        // Gauge and sum.
        5 | 7 => Shape {
            attributes: 7,
            exemplars: Some(5),
            series: None,
        },
        // Histogram.
        9 => Shape {
            attributes: 9,
            exemplars: Some(8),
            series: Some(6),
        },
        // Exponential histogram.
        10 => Shape {
            attributes: 1,
            exemplars: Some(11),
            series: None,
        },
        // Summary.
        11 => Shape {
            attributes: 7,
            exemplars: None,
            series: Some(6),
        },
        _ => return None,
    })
}

impl<'a> Walker<'_, 'a, '_> {
    pub(super) fn metric(&mut self, metric: &Field<'a>) -> Result<(), WriteError> {
        let open = self.rewrite.open(metric);
        self.metric = &[];
        for field in metric.nested(self.src)? {
            let field = field?;
            if field.number == 1 {
                self.metric = field.bytes()?;
            }
        }
        for field in metric.nested(self.src)? {
            let field = field?;
            if let Some(shape) = shape(field.number) {
                self.points(&field, &shape)?;
            } else if matches!(field.number, 4 | 6 | 8) {
                return Err(OLD);
            }
        }
        self.rewrite.close(open, metric);
        Ok(())
    }

    /// The data points of a metric: in every type they are field 1.
    fn points(&mut self, points: &Field<'a>, shape: &Shape) -> Result<(), WriteError> {
        let open = self.rewrite.open(points);
        for field in points.nested(self.src)? {
            let field = field?;
            if field.number == 1 {
                self.point(&field, shape)?;
            }
        }
        self.rewrite.close(open, points);
        Ok(())
    }

    fn point(&mut self, point: &Field<'a>, shape: &Shape) -> Result<(), WriteError> {
        let open = self.rewrite.open(point);
        let mut series = 0;
        for field in point.nested(self.src)? {
            let field = field?;
            if Some(field.number) == shape.exemplars {
                self.exemplar(&field)?;
            } else if Some(field.number) == shape.series {
                series += match field.value {
                    // Buckets are packed or single, quantiles are messages.
                    Value::Bytes(packed) if shape.exemplars.is_some() => packed.len() as u64 / 8,
                    Value::Bytes(_) | Value::Fixed64 | Value::Varint(_) | Value::Fixed32 => 1,
                };
            } else if field.number == 1 && shape.attributes != 1 {
                return Err(OLD);
            }
        }
        self.judge.counts.series += match (shape.series, shape.exemplars) {
            (None, _) => 1,
            // A histogram has the bucket `+Inf` even if it says nothing of buckets.
            (Some(_), Some(_)) => series.max(1) + 2,
            (Some(_), None) => series + 2,
        };
        self.judge.counts.samples += 1;
        self.judge.check_counts()?;
        self.gather(point, shape.attributes, Owner::Point)?;
        let present = self.judge.list(&self.labels, &mut self.changes)? | self.present;
        self.judge.settle(&self.labels, &mut self.changes)?;
        self.judge
            .check_required(&self.labels, &self.changes, present)?;
        self.put_changes(point, shape.attributes)?;
        self.rewrite.close(open, point);
        self.judge.check_size(self.src, &self.rewrite)
    }

    fn exemplar(&mut self, exemplar: &Field<'a>) -> Result<(), WriteError> {
        exemplar.bytes()?;
        self.judge.counts.exemplars += 1;
        if !self.judge.governs() {
            return Ok(());
        }
        let open = self.rewrite.open(exemplar);
        self.gather(exemplar, 7, Owner::Exemplar)?;
        self.judge.exemplar(&self.labels, &mut self.changes)?;
        self.put_changes(exemplar, 7)?;
        self.rewrite.close(open, exemplar);
        Ok(())
    }
}

const OLD: WriteError = WriteError::Malformed("it has fields that OTLP has given up");
