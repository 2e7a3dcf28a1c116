//! What is told of a request.

use std::sync::Arc;

use crate::remote::Counts;
use crate::scope::Scope;

/// What is known of a request, for log lines, metrics and properties.
#[derive(Clone, Debug)]
pub struct Audit {
    /// The endpoint, or `unknown`.
    pub endpoint: &'static str,
    /// The tenants, joined by `|`; empty if none was found out.
    pub tenant: Arc<str>,
    /// Who calls; empty if nobody was recognised.
    pub subject: Arc<str>,
    /// Whether the caller reads all tenants.
    pub admin: bool,
    /// The query, if the policy logs it.
    pub query: Option<String>,
    /// What the caller may see, or write, once it is known.
    pub scope: Option<Scope>,
    /// What is written, once it is known for whom; its counts once the body is judged.
    pub write: Option<Counts>,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            endpoint: "unknown",
            tenant: Arc::default(),
            subject: Arc::default(),
            admin: false,
            query: None,
            scope: None,
            write: None,
        }
    }
}
