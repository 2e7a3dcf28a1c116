//! What an authenticated caller may do.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::tenant::{LabelName, TenantId};

/// The tenants of a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tenants {
    /// No right.
    None,
    /// These, at least one.
    Some(BTreeSet<TenantId>),
    /// All under the ceiling (an administrator).
    All,
}

/// How a caller was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A verified JWT.
    Jwt,
    /// A JWT that an earlier filter verified.
    Metadata,
    /// A client certificate.
    Certificate,
    /// A static credential.
    Static,
    /// Nobody in particular, by an explicit grant.
    Anonymous,
}

/// A caller's rights, as the identity gives them: ceiling, valid tenants and narrowing come later.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant {
    /// Who it is, for audit lines: printable ASCII, at most 128 bytes, never a secret.
    pub subject: Arc<str>,
    /// How the caller was recognised.
    pub source: Source,
    /// Whose data may be read.
    pub read: Tenants,
    /// As whom may be written: one, or a choice that the request must make.
    pub write: Tenants,
    /// Labels enforced besides the tenant, each with the allowed values (at least one).
    pub labels: Vec<(LabelName, Vec<Arc<str>>)>,
    /// Whose share of a worker's memory the caller's bytes count against: the tenants of the grant,
    /// whoever of them calls, whether it reads or writes, and whatever the request narrows to.
    pub holder: Arc<str>,
}

impl Grant {
    /// A grant of these rights.
    #[must_use]
    pub fn new(
        subject: Arc<str>,
        source: Source,
        (read, write): (Tenants, Tenants),
        labels: Vec<(LabelName, Vec<Arc<str>>)>,
    ) -> Self {
        Self {
            holder: holder(&read, &write),
            subject,
            source,
            read,
            write,
            labels,
        }
    }
}

/// The tenants of both rights, sorted and joined by `|`.
fn holder(read: &Tenants, write: &Tenants) -> Arc<str> {
    let mut names = BTreeSet::new();
    for right in [read, write] {
        match right {
            Tenants::All => return "*".into(),
            Tenants::Some(set) => names.extend(set.iter().map(TenantId::as_str)),
            Tenants::None => {}
        }
    }
    names.into_iter().collect::<Vec<_>>().join("|").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(subject: &str, read: &[&str], write: &[&str]) -> Grant {
        let set = |names: &[&str]| {
            let set: BTreeSet<_> = names.iter().map(|n| TenantId::parse(n).unwrap()).collect();
            if set.is_empty() {
                Tenants::None
            } else {
                Tenants::Some(set)
            }
        };
        Grant::new(
            subject.into(),
            Source::Jwt,
            (set(read), set(write)),
            Vec::new(),
        )
    }

    #[test]
    fn all_callers_of_a_tenant_share_one_part_of_the_memory() {
        let reader = grant("grafana", &["a"], &[]).holder;
        assert_eq!(reader, grant("agent", &[], &["a"]).holder);
        assert_eq!(reader, grant("both", &["a"], &["a"]).holder);
        assert_ne!(reader, grant("grafana", &["b"], &[]).holder);
        assert_eq!(&*grant("x", &["b", "a"], &["c"]).holder, "a|b|c");
    }
}
