//! Limits on labels, counts and sizes of one request.

use super::super::error::{Fault, WriteError};
use super::super::rewrite::Rewrite;
use super::{Judge, Label, refuse};

impl Judge<'_> {
    pub(in crate::remote) fn check_lengths(
        &self,
        labels: &[Label<'_>],
        label: &Label<'_>,
    ) -> Result<(), WriteError> {
        if label.name.len() > self.longest_name {
            return Err(refuse(labels, label.name, Fault::NameTooLong));
        }
        let len = label.value.as_ref().map_or(0, |v| v.len());
        if len > self.longest_value {
            return Err(refuse(labels, label.name, Fault::ValueTooLong));
        }
        Ok(())
    }

    /// Counts one label of a series: lists are bounded while they are gathered.
    pub(in crate::remote) fn check_label_count(&self, count: usize) -> Result<(), WriteError> {
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
    #[inline]
    pub(in crate::remote) fn check_counts(&self) -> Result<(), WriteError> {
        let (most, found) = (&self.most, &self.counts);
        if found.series <= most.series
            && found.samples <= most.samples
            && found.exemplars <= most.exemplars
        {
            return Ok(());
        }
        Err(self.over())
    }

    fn over(&self) -> WriteError {
        let (most, found) = (&self.most, &self.counts);
        let (limit, most, found) = if found.series > most.series {
            ("series", most.series, found.series)
        } else if found.samples > most.samples {
            ("samples", most.samples, found.samples)
        } else {
            ("exemplars", most.exemplars, found.exemplars)
        };
        WriteError::TooLarge { limit, most, found }
    }

    /// Holds the size of the changed body against the limit: additions are bounded as well.
    pub(in crate::remote) fn check_size(
        &self,
        src: &[u8],
        rewrite: &Rewrite,
    ) -> Result<(), WriteError> {
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
}
