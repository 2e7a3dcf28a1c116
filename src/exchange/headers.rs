//! Request headers towards an upstream: an allow-list, the tenant header and the seal.

use super::step::Edits;
use crate::deny::Denial;
use crate::http::RequestHead;
use crate::policy::{Policy, Upstream};

/// The changes that every request to an upstream gets: what is not allowed goes, the seal is set.
/// The tenant header is set by whoever knows the tenant; the client's copies go here.
pub(super) fn towards(policy: &Policy, upstream: &Upstream, head: &RequestHead) -> Edits {
    let mut edits = Edits::new();
    let mut last = "";
    for (name, _) in head.headers.iter() {
        if name != last && !policy.allowed.contains(name) {
            edits.remove(name.to_owned());
        }
        last = name;
    }
    if let (Some(header), Some(value)) = (&policy.seal_header, &upstream.seal) {
        edits.set(header, value);
    }
    edits
}

/// The changes of a request for another host that passes unjudged: no tenancy header and no seal
/// of the client may reach an upstream of ours by a route of theirs.
pub(super) fn cleaned(policy: &Policy, head: &RequestHead) -> Edits {
    let mut edits = Edits::default();
    for (name, _) in head.headers.iter() {
        if policy.never.contains(name) {
            edits.remove(name.to_owned());
        }
    }
    edits
}

/// Upgrades would carry bytes that nobody judges.
pub(super) fn refuse_upgrade(head: &RequestHead) -> Result<(), Denial> {
    match head.headers.all("upgrade").next() {
        Some(_) => Err(Denial::new(400, "upgrade", "upgrades are not served here")),
        None => Ok(()),
    }
}
