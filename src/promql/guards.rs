//! The limits of one query.

use serde::Deserialize;

use crate::config::leaf::{Count, Duration, Size};

/// The limits of one query. What exceeds one is refused with the name of its option.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Guards {
    /// The longest query, in bytes; all queries and selectors of a request together are no longer.
    /// Default 64KiB.
    pub max_bytes: Size,
    /// The most tokens: names, operators, brackets, values. Default 16384.
    pub max_tokens: Count,
    /// The deepest nesting of parentheses, calls and aggregations. Default 64, at most 100.
    pub max_depth: Count,
    /// The most operators, signs and argument separators. Default 512, at most 1000.
    pub max_operators: Count,
    /// The most selectors. Default 1000.
    pub max_selectors: Count,
    /// The most matchers of one selector. Default 256.
    pub max_matchers: Count,
    /// The longest regular expression of a matcher, in bytes as written. Default 8KiB.
    pub max_regex: Size,
    /// The longest range or subquery range. Unlimited by default; with a limit, a range must be
    /// written as one number or duration.
    pub max_range: Option<Duration>,
    /// The longest confined text, in bytes. Default 512KiB.
    pub max_confined: Size,
    /// Whether a selector needs a metric name, or a matcher on a label that is not enforced and
    /// that does not match the empty value. Default false.
    pub need_specific: bool,
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            max_bytes: Size::from_bytes(64 * 1024),
            max_tokens: Count::new(16 * 1024),
            max_depth: Count::new(64),
            max_operators: Count::new(512),
            max_selectors: Count::new(1000),
            max_matchers: Count::new(256),
            max_regex: Size::from_bytes(8 * 1024),
            max_range: None,
            max_confined: Size::from_bytes(512 * 1024),
            need_specific: false,
        }
    }
}

impl Guards {
    /// The nesting in force: the second check recurses, and the stack of the VM is small.
    pub(super) fn depth(&self) -> usize {
        self.max_depth.get().min(100)
    }

    /// The operators in force, bounded for the same reason.
    pub(super) fn operators(&self) -> usize {
        self.max_operators.get().min(1000)
    }
}
