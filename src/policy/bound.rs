//! Bounds of grants.

use crate::config::Ceiling;
use crate::config::error::Problems;
use crate::tenant::{TenantId, TenantPattern};

/// A bound of every grant.
#[derive(Clone, Debug)]
pub(crate) enum Bound {
    /// None at all, and that on purpose.
    Unlimited,
    /// These tenants.
    Tenants(Vec<TenantPattern>),
}

impl Bound {
    pub(crate) fn admits(&self, tenant: &TenantId) -> bool {
        match self {
            Self::Unlimited => true,
            Self::Tenants(list) => list.iter().any(|p| p.matches(tenant.as_str())),
        }
    }

    pub(crate) fn compile(
        doc: Option<&Ceiling>,
        path: &str,
        problems: &mut Problems,
    ) -> Option<Self> {
        match doc? {
            Ceiling::Unlimited => Some(Self::Unlimited),
            Ceiling::Tenants(list) if list.is_empty() => {
                problems.add(path, "names no tenant, so nobody could pass");
                None
            }
            Ceiling::Tenants(list) => Some(Self::Tenants(list.clone())),
        }
    }
}
