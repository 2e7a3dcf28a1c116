//! The policy for bodies, compiled once.

use super::error::{Fault, WriteError};
use super::judge::{Admit, How, Judge, Want};
use super::labels::Rule;
use super::protocol::Protocol;
use crate::config::error::Problems;
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

    pub(super) fn limits_of(&self, tenant: &TenantId) -> &WriteLimits {
        self.tenant_limits
            .iter()
            .find(|l| l.tenants.iter().any(|p| p.matches(tenant.as_str())))
            .map_or(&self.limits, |l| &l.limits)
    }

    pub(super) fn judge<'p>(
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
