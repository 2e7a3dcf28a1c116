//! Whose data a caller may see and change, by the configuration's words.

use std::collections::BTreeSet;

use super::super::invariants::UNIVERSE;
use super::request::Request;
use super::setting::{Ceiling, Setting};
use super::words::VALUES;

/// The tenants that the caller may read here, and whether nothing binds it.
pub fn reads(setting: &Setting, request: &Request) -> (BTreeSet<&'static str>, bool) {
    let Some(rights) = request.caller.rights else {
        return (BTreeSet::new(), false);
    };
    let all = rights.read == ["*"];
    // Who may read all may narrow it to a tenant that has no data.
    let others = VALUES.iter().copied().filter(|w| all && names(request, w));
    let granted = UNIVERSE.into_iter().chain(others).filter(|t| {
        let own = all || rights.read.contains(t) || setting.shared && *t == "infra";
        own && setting.ceiling.admits(t) && exists(setting, t) && narrowed(request, t)
    });
    let unlimited = all && setting.ceiling == Ceiling::Unlimited && request.narrowed.is_none();
    (granted.collect(), unlimited)
}

/// The tenants that the caller may write here.
pub fn writes(setting: &Setting, request: &Request) -> BTreeSet<&'static str> {
    let rights = request.caller.rights.unwrap_or_default();
    let granted = UNIVERSE.into_iter().filter(|t| {
        rights.write.contains(t)
            && setting.ceiling.admits(t)
            && exists(setting, t)
            && narrowed(request, t)
    });
    granted.collect()
}

fn exists(setting: &Setting, tenant: &str) -> bool {
    !setting.valid || tenant.starts_with("team-") || tenant == "infra"
}

/// Whether a parameter, in the query string or in a form, narrows to a tenant.
fn names(request: &Request, tenant: &str) -> bool {
    let (_, query) = request.message.target();
    let form = String::from_utf8_lossy(&request.message.body);
    let mut pairs = query.split('&').chain(form.split('&'));
    pairs.any(|p| p.strip_prefix("tenant=") == Some(tenant))
}

/// Narrowing is by header; the same by parameter is one too many or is judged by the program alone.
fn narrowed(request: &Request, tenant: &str) -> bool {
    let by_header = request
        .narrowed
        .is_none_or(|names| names.split('|').any(|n| n == tenant));
    let (_, query) = request.message.target();
    let by_parameter = query
        .split('&')
        .find_map(|p| p.strip_prefix("tenant="))
        .is_none_or(|name| name == tenant);
    by_header && by_parameter
}
