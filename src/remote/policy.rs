//! The policy for bodies, compiled once, and applied to one body at a time.

use super::error::{Fault, WriteError};
use super::gzip::{self, GzipError};
use super::judge::{Admit, How, Judge, Want};
use super::labels::Rule;
use super::protocol::Protocol;
use super::rewrite::Rewrite;
use super::snappy::{self, SnappyError};
use super::{otlp, write1, write2};
use crate::config::error::Problems;
use crate::config::leaf::Size;
use crate::config::write::{
    Absent, SeriesLabel, TenantLimits, WriteBody, WriteLimits, WriteProtocol,
};
use crate::scope::{Enforced, Scope};
use crate::tenant::{LabelName, TenantId};

/// What is done with the bodies of writes.
#[derive(Clone, Debug)]
pub struct BodyPolicy {
    label: LabelName,
    protocols: Vec<WriteProtocol>,
    series_label: Option<SeriesLabel>,
    absent: Absent,
    rules: Vec<Rule>,
    required: Vec<LabelName>,
    limits: WriteLimits,
    tenant_limits: Vec<TenantLimits>,
}

/// A body that may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the body holds.
    pub counts: Counts,
    /// What is sent on.
    pub body: Body,
}

/// What is sent on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The bytes as they came.
    Unchanged,
    /// These bytes, in the same protocol and encoding.
    Changed(Vec<u8>),
}

/// What a body holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Series; for OTLP, those that the data points become.
    pub series: u64,
    /// Samples and native histograms; for OTLP, data points.
    pub samples: u64,
    /// Exemplars.
    pub exemplars: u64,
}

impl BodyPolicy {
    /// Compiles a policy for the tenant label `label`. `env` looks up variables of secrets; `path`
    /// is where `config` stands in the document.
    pub fn compile(
        config: &WriteBody,
        label: &LabelName,
        env: &dyn Fn(&str) -> Option<String>,
        path: &str,
        problems: &mut Problems,
    ) -> Option<Self> {
        let mut rules = Vec::new();
        for (i, rule) in config.labels.iter().enumerate() {
            let at = format!("{path}.labels[{i}]");
            if rule.name.as_deref() == Some(label.as_str()) {
                problems.add(
                    format!("{at}.name"),
                    "the tenant label is governed by `series_label`",
                );
            }
            rules.extend(Rule::compile(rule, env, &at, problems));
        }
        if rules.len() > 256 {
            problems.add(format!("{path}.labels"), "more than 256 rules");
        }
        if config.required.len() > 64 {
            problems.add(format!("{path}.required"), "more than 64 labels");
        }
        check_limits(&config.limits, &format!("{path}.limits"), problems);
        for (i, entry) in config.tenant_limits.iter().enumerate() {
            let at = format!("{path}.tenant_limits[{i}]");
            if entry.tenants.is_empty() {
                problems.add(format!("{at}.tenants"), "names no tenant");
            }
            check_limits(&entry.limits, &format!("{at}.limits"), problems);
        }
        problems.is_empty().then(|| Self {
            label: label.clone(),
            protocols: config.protocols.clone(),
            series_label: config.series_label,
            absent: config.absent,
            rules,
            required: config.required.clone(),
            limits: config.limits.clone(),
            tenant_limits: config.tenant_limits.clone(),
        })
    }

    /// Whether bodies must be gathered and walked. If not, they are streamed; only
    /// [`Self::compressed_limit`] may still be held against their length.
    #[must_use]
    pub fn needs_body(&self) -> bool {
        self.series_label.is_some()
            || !self.rules.is_empty()
            || !self.required.is_empty()
            || looks_inside(&self.limits)
            || self.tenant_limits.iter().any(|l| looks_inside(&l.limits))
    }

    /// Whether a series that passes carries the tenant's label with the tenant's value: where an
    /// upstream has no tenant header, nothing else is safe.
    #[must_use]
    pub fn confines(&self) -> bool {
        match self.series_label {
            Some(SeriesLabel::Overwrite) => true,
            Some(SeriesLabel::Verify) => self.absent == Absent::Refuse,
            Some(SeriesLabel::Drop | SeriesLabel::Reject) | None => false,
        }
    }

    /// Refuses a protocol that the upstream does not take.
    pub fn take(&self, protocol: Protocol) -> Result<(), WriteError> {
        let (family, text) = match protocol {
            Protocol::WriteV1 => (
                WriteProtocol::RemoteWrite1,
                "remote-write 1.0 is not taken here: set `protobuf_message: io.prometheus.write.v2.Request`",
            ),
            Protocol::WriteV2 => (
                WriteProtocol::RemoteWrite2,
                "remote-write 2.0 is not taken here: set `protobuf_message: prometheus.WriteRequest`",
            ),
            Protocol::Otlp | Protocol::OtlpGzip => (
                WriteProtocol::Otlp,
                "OTLP is not taken here: send remote-write",
            ),
        };
        if self.protocols.is_empty() || self.protocols.contains(&family) {
            Ok(())
        } else {
            Err(WriteError::Unsupported(text))
        }
    }

    /// The most bytes of a tenant's body as sent.
    #[must_use]
    pub fn compressed_limit(&self, tenant: &TenantId) -> usize {
        self.limits_of(tenant).compressed.bytes()
    }

    /// Applies the policy to a whole body that `tenant` writes within `scope`.
    pub fn apply(
        &self,
        protocol: Protocol,
        body: &[u8],
        scope: &Scope,
        tenant: &TenantId,
    ) -> Result<Outcome, WriteError> {
        let limits = self.limits_of(tenant);
        within("compressed", limits.compressed, body.len() as u64)?;
        let mut judge = self.judge(scope, tenant)?;
        let changed = match protocol {
            Protocol::WriteV1 | Protocol::WriteV2 => {
                let decoded = unpack(body, limits)?;
                let rewrite = if protocol == Protocol::WriteV1 {
                    write1::walk(&decoded, &mut judge)?
                } else {
                    write2::walk(&decoded, &mut judge)?
                };
                finish(rewrite, decoded)?
                    .map(|new| snappy::encode(&new).ok_or(TOO_LONG))
                    .transpose()?
            }
            Protocol::Otlp => {
                within("decoded", limits.decoded, body.len() as u64)?;
                otlp::walk(body, &mut judge)?.finish(body)
            }
            Protocol::OtlpGzip => {
                let decoded = gunzip(body, limits)?;
                let rewrite = otlp::walk(&decoded, &mut judge)?;
                finish(rewrite, decoded)?.map(|new| gzip::encode(&new))
            }
        };
        Ok(Outcome {
            counts: judge.counts,
            body: changed.map_or(Body::Unchanged, Body::Changed),
        })
    }

    fn limits_of(&self, tenant: &TenantId) -> &WriteLimits {
        self.tenant_limits
            .iter()
            .find(|l| l.tenants.iter().any(|p| p.matches(tenant.as_str())))
            .map_or(&self.limits, |l| &l.limits)
    }

    fn judge<'p>(
        &'p self,
        scope: &'p Scope,
        tenant: &'p TenantId,
    ) -> Result<Judge<'p>, WriteError> {
        let mut wants = Vec::new();
        if let Some(policy) = self.series_label {
            let label = self.label.as_str();
            let outside = scope.of(label).is_some_and(|e| !e.admits(tenant.as_str()));
            if outside {
                return Err(WriteError::label(b"", label.as_bytes(), Fault::Foreign));
            }
            let how = match policy {
                SeriesLabel::Reject => How::Reject,
                SeriesLabel::Drop => How::Drop,
                SeriesLabel::Verify => How::Verify(Admit::One(tenant.as_str()), self.absent),
                SeriesLabel::Overwrite => How::Set(tenant.as_str()),
            };
            wants.push(Want { label, how });
            let others = scope.matchers().iter();
            wants.extend(
                others
                    .filter(|e| e.label() != &self.label)
                    .map(|e| self.want(policy, e)),
            );
        }
        let rules = self.rules.iter().filter(|r| r.is_for(tenant)).collect();
        let limits = self.limits_of(tenant);
        Ok(Judge::new(wants, rules, &self.required, limits))
    }

    fn want<'p>(&self, policy: SeriesLabel, enforced: &'p Enforced) -> Want<'p> {
        let how = match (policy, enforced.single()) {
            (SeriesLabel::Reject, _) => How::Reject,
            (SeriesLabel::Drop, _) => How::Drop,
            (SeriesLabel::Verify, _) => How::Verify(Admit::Any(enforced), self.absent),
            (SeriesLabel::Overwrite, Some(value)) => How::Set(value),
            // Which of several values is meant only the sender knows.
            (SeriesLabel::Overwrite, None) => How::Verify(Admit::Any(enforced), Absent::Refuse),
        };
        Want {
            label: enforced.label().as_str(),
            how,
        }
    }
}

const TOO_LONG: WriteError = WriteError::Malformed("it is too long");

fn unpack(body: &[u8], limits: &WriteLimits) -> Result<Vec<u8>, WriteError> {
    let most = limits.decoded.bytes().min(Rewrite::MAX_LEN);
    snappy::decode(body, most).map_err(|e| match e {
        SnappyError::TooLarge { declared } => WriteError::TooLarge {
            limit: "decoded",
            most: most as u64,
            found: declared,
        },
        SnappyError::Corrupt => WriteError::Malformed("it is not a snappy block"),
    })
}

fn gunzip(body: &[u8], limits: &WriteLimits) -> Result<Vec<u8>, WriteError> {
    let most = limits.decoded.bytes().min(Rewrite::MAX_LEN);
    gzip::decode(body, most).map_err(|e| match e {
        GzipError::TooLarge => WriteError::TooLarge {
            limit: "decoded",
            most: most as u64,
            found: most as u64 + 1,
        },
        GzipError::Corrupt => WriteError::Malformed("it is not one plain gzip member"),
    })
}

/// Writes the changed body, and lets go of the old one before it is compressed.
fn finish(rewrite: Rewrite, decoded: Vec<u8>) -> Result<Option<Vec<u8>>, WriteError> {
    if rewrite.is_empty() {
        return Ok(None);
    }
    rewrite.finish(&decoded).map(Some).ok_or(TOO_LONG)
}

fn within(limit: &'static str, most: Size, found: u64) -> Result<(), WriteError> {
    let most = most.bytes() as u64;
    if found > most {
        return Err(WriteError::TooLarge { limit, most, found });
    }
    Ok(())
}

/// Whether limits say anything about what is inside a body.
fn looks_inside(limits: &WriteLimits) -> bool {
    let outside = WriteLimits {
        compressed: limits.compressed,
        ..WriteLimits::default()
    };
    *limits != outside
}

fn check_limits(limits: &WriteLimits, path: &str, problems: &mut Problems) {
    if !(1..=4096).contains(&limits.labels_per_series.get()) {
        problems.add(format!("{path}.labels_per_series"), "not within 1 to 4096");
    }
    for (name, size) in [
        ("compressed", limits.compressed),
        ("decoded", limits.decoded),
    ] {
        if size.bytes() == 0 {
            problems.add(format!("{path}.{name}"), "0 lets nothing pass");
        }
    }
}
