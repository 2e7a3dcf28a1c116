//! The policy for the bodies of writes, as an operator writes it.

use serde::Deserialize;

use super::leaf::{Count, Secret, Size};
use crate::tenant::{LabelName, TenantPattern};

/// What is done with the bodies of writes. The default does nothing: bodies are streamed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct WriteBody {
    /// What the upstream takes; everything if empty. A receiver that knows remote-write 1.0 alone
    /// (Thanos Receive 0.42) answers 200 to a body of 2.0 and stores nothing of it.
    pub protocols: Vec<WriteProtocol>,
    /// What is done with the enforced labels of series: the tenant's and those of the caller.
    pub series_label: Option<SeriesLabel>,
    /// Whether `verify` takes series without the label.
    pub absent: Absent,
    /// Rules for other labels; the first that fits a label holds.
    pub labels: Vec<LabelRule>,
    /// Labels that each series must have, with a value.
    pub required: Vec<LabelName>,
    /// Limits per request, for every tenant.
    pub limits: WriteLimits,
    /// Limits for some tenants; the first entry that fits a tenant replaces those above.
    pub tenant_limits: Vec<TenantLimits>,
}

/// A protocol of writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
pub enum WriteProtocol {
    /// Remote-write 1.0.
    #[serde(rename = "remote_write_1")]
    RemoteWrite1,
    /// Remote-write 2.0.
    #[serde(rename = "remote_write_2")]
    RemoteWrite2,
    /// OTLP metrics.
    #[serde(rename = "otlp")]
    Otlp,
}

/// What is done with an enforced label inside the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SeriesLabel {
    /// It must have the caller's value.
    Verify,
    /// It is set to the caller's value.
    Overwrite,
    /// It is removed.
    Drop,
    /// It must not be there.
    Reject,
}

/// Whether a series may lack an enforced label under `verify`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Absent {
    /// It may: the upstream adds the label by itself (Thanos Receive does).
    Allow,
    /// It may not.
    #[default]
    Refuse,
}

/// A rule for labels of series and exemplars.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LabelRule {
    /// The label; either this or `pattern`.
    #[serde(default)]
    pub name: Option<String>,
    /// A regular expression that the whole name must fit.
    #[serde(default)]
    pub pattern: Option<String>,
    /// What is done.
    pub action: LabelAction,
    /// For which tenants; for all if empty.
    #[serde(default)]
    pub tenants: Vec<TenantPattern>,
}

/// What is done with a governed label.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LabelAction {
    /// The label is removed.
    Drop,
    /// The request is refused.
    Refuse,
    /// The value becomes a keyed hash of itself.
    Hash(HashValue),
    /// The value is rewritten where it fits.
    Rewrite(RewriteValue),
}

/// How a value is hashed: HMAC-SHA-256 in lower-case hex.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HashValue {
    /// The key, at least 16 bytes.
    pub key: Secret,
    /// How many hex digits are kept, 8 to 64.
    #[serde(default = "hash_length")]
    pub length: Count,
}

fn hash_length() -> Count {
    Count::new(32)
}

/// How a value is rewritten.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RewriteValue {
    /// A regular expression that the whole value must fit; other values stay.
    pub regex: String,
    /// The new value, with `$1` or `${name}` for groups. An empty result removes the label.
    pub replacement: String,
}

/// Limits for one request. An absent one of the counts is no limit.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct WriteLimits {
    /// Bytes as sent.
    pub compressed: Size,
    /// Bytes as the body declares them, and as they are decoded.
    pub decoded: Size,
    /// Series (OTLP: series that the data points become).
    pub series: Option<Count>,
    /// Samples, native histograms among them (OTLP: data points).
    pub samples: Option<Count>,
    /// Exemplars.
    pub exemplars: Option<Count>,
    /// Labels of one series, at most 4096.
    pub labels_per_series: Count,
    /// Bytes of a label's name.
    pub label_name: Option<Size>,
    /// Bytes of a label's value.
    pub label_value: Option<Size>,
}

impl Default for WriteLimits {
    fn default() -> Self {
        Self {
            compressed: Size::from_bytes(16 << 20),
            decoded: Size::from_bytes(32 << 20),
            series: None,
            samples: None,
            exemplars: None,
            labels_per_series: Count::new(512),
            label_name: None,
            label_value: None,
        }
    }
}

/// Limits for some tenants.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "command", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TenantLimits {
    /// For these.
    pub tenants: Vec<TenantPattern>,
    /// The limits; what is not named has its default.
    pub limits: WriteLimits,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_from_json() {
        let policy: WriteBody = serde_json::from_str(
            r#"{"series_label":"verify","absent":"allow","required":["job"],
                "limits":{"decoded":"8MiB","series":5000.0},
                "labels":[{"name":"email","action":"drop"},
                          {"pattern":"user_.*","action":{"hash":{"key":"0123456789abcdef"}},"tenants":["team-*"]},
                          {"name":"path","action":{"rewrite":{"regex":"/users/[^/]+","replacement":"/users/ID"}}}]}"#,
        )
        .unwrap();
        assert_eq!(policy.series_label, Some(SeriesLabel::Verify));
        assert_eq!(policy.limits.decoded.bytes(), 8 << 20);
        assert_eq!(policy.limits.labels_per_series.get(), 512);
        assert_eq!(policy.labels.len(), 3);
    }

    #[test]
    fn unknown_fields_are_errors() {
        for text in [
            r#"{"series_labels":"verify"}"#,
            r#"{"series_label":"ignore"}"#,
            r#"{"limits":{"bytes":1}}"#,
            r#"{"labels":[{"name":"a"}]}"#,
            r#"{"labels":[{"name":"a","action":{"hash":{}}}]}"#,
        ] {
            assert!(serde_json::from_str::<WriteBody>(text).is_err(), "{text}");
        }
    }
}
