//! Answers of upstreams, cut down to a scope without loss, and bodies that write to Alertmanager.
//!
//! A filter takes the whole body, in blocks, and gives back what of it the caller may see: each byte
//! is one that the upstream sent, in the same order, but for the state of a rule, which follows from
//! the alerts that are shown. Beside the body it needs as much memory as the longest part that is
//! read as one. An answer that is not understood is an error, and nothing of it may leave. The
//! scanners that work on a stream take it in chunks.

use std::fmt;

mod blocks;
mod edit;
mod envelope;
mod federate;
mod gzip;
mod json;
mod labels;
mod lists;
mod post;
mod push;
mod reword;
mod rules;
mod silence;
mod verify;
mod warnings;
mod window;

pub use blocks::Blocks;
pub use gzip::{decode, is_decodable};
pub use lists::{am_alerts, am_groups, exemplars, metadata, targets};
pub use post::{BodyError, Rewritten, is_uuid, post_alerts, post_silences};
pub use reword::{ErrorForm, reword_error};
pub use rules::{RuleOptions, alerts, rules};
pub use silence::{silence_in_scope, silences};
pub use verify::{SeriesIn, Verifier, verify};
pub use warnings::WarningCutter;

/// Why an answer cannot be passed on. The text never repeats any of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerError {
    /// Not JSON, or ended before its time.
    Json,
    /// JSON of another shape than this endpoint's.
    Shape,
    /// Not a success.
    Status,
    /// Too deep, or a part of it is longer than what is held at once.
    Limit,
    /// A series that is not in scope.
    Foreign,
    /// An encoding that cannot be undone.
    Encoding,
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "the upstream's answer is not valid",
            Self::Shape => "the upstream's answer has an unknown shape",
            Self::Status => "the upstream's answer is not a success",
            Self::Limit => "the upstream's answer is too large or too deep",
            Self::Foreign => "the upstream's answer goes beyond what was asked for",
            Self::Encoding => "the upstream's answer has an encoding that cannot be undone",
        })
    }
}

impl std::error::Error for AnswerError {}

#[cfg(test)]
mod tests {
    use super::{AnswerError, Blocks};
    use crate::scope::{Enforced, Scope};
    use crate::tenant::LabelName;

    /// What a filter makes of a body, which must not depend on the blocks that it comes in.
    pub(super) fn in_blocks(
        body: impl Into<Vec<u8>>,
        filter: impl Fn(Blocks) -> Result<Blocks, AnswerError>,
    ) -> Result<Vec<u8>, AnswerError> {
        let body = body.into();
        let whole = filter(body.clone().into()).map(Blocks::join);
        for size in [1, 2, 3, 7, 50, 1000] {
            let blocks = body.chunks(size).map(<[u8]>::to_vec).collect();
            let made = filter(blocks).map(Blocks::join);
            assert_eq!(
                made.as_ref().ok(),
                whole.as_ref().ok(),
                "in blocks of {size}"
            );
        }
        whole
    }

    pub(super) fn scope(labels: &[(&str, &[&str])]) -> Scope {
        let matchers = labels.iter().map(|(name, values)| {
            Enforced::values(LabelName::parse(name).unwrap(), *values).unwrap()
        });
        Scope::new(matchers.collect())
    }

    pub(super) fn tenant_a() -> Scope {
        scope(&[("tenant_id", &["tenant-a"])])
    }

    /// Whether `part` is `whole` with some bytes left out.
    pub(super) fn is_subsequence(part: &[u8], whole: &[u8]) -> bool {
        let mut whole = whole.iter();
        part.iter().all(|b| whole.any(|w| w == b))
    }

    /// The cases of the shared corpus whose number begins with `family`, where it is present.
    pub(super) fn hostile(family: &str) -> Vec<serde_json::Value> {
        std::fs::read_to_string("/work/shared/cases/hostile.jsonl")
            .unwrap_or_default()
            .lines()
            .filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok())
            .filter(|c| c["id"].as_str().is_some_and(|id| id.starts_with(family)))
            .collect()
    }
}
