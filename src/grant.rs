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
}
