//! From a grant to a scope: rights, valid tenants, ceilings, narrowing.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Audit;
use super::worker::Worker;
use crate::deny::Denial;
use crate::grant::{Grant, Tenants};
use crate::http::RequestHead;
use crate::policy::{Policy, Upstream};
use crate::scope::{Enforced, Scope};
use crate::tenant::TenantId;

/// The scope of a read. `parameter`: the narrowing parameter, if it was given.
pub(super) fn read(
    worker: &mut Worker,
    grant: &Arc<Grant>,
    upstream: &Upstream,
    head: &RequestHead,
    parameter: Option<&str>,
    audit: &mut Audit,
) -> Result<Scope, Denial> {
    let policy = worker.policy.clone();
    let chosen = chosen(&policy, head, parameter)?;
    audit.admin = grant.read == Tenants::All;
    if chosen.is_none()
        && let Some((scope, tenant)) = worker.scopes.find(grant, upstream.index)
    {
        audit.tenant = tenant;
        audit.scope = Some(scope.clone());
        return Ok(scope);
    }
    let readable = (&grant.read, &policy.shared, "read");
    let (matchers, names) = tenants(&policy, readable, upstream, chosen.as_ref())?;
    let scope = Scope::new(with_labels(matchers, &policy, grant, upstream)?);
    audit.tenant = names;
    audit.scope = Some(scope.clone());
    if chosen.is_none() {
        worker
            .scopes
            .insert(grant, upstream.index, &scope, &audit.tenant);
    }
    Ok(scope)
}

/// The scope of what changes the state of an upstream, as silences do: the tenants that the caller may
/// write, and no shared one.
pub(super) fn change(
    policy: &Policy,
    grant: &Grant,
    upstream: &Upstream,
    head: &RequestHead,
    audit: &mut Audit,
) -> Result<Scope, Denial> {
    let chosen = chosen(policy, head, None)?;
    audit.admin = grant.write == Tenants::All;
    let writable = (&grant.write, &BTreeSet::new(), "write");
    let (matchers, names) = tenants(policy, writable, upstream, chosen.as_ref())?;
    let scope = Scope::new(with_labels(matchers, policy, grant, upstream)?);
    audit.tenant = names;
    audit.scope = Some(scope.clone());
    Ok(scope)
}

/// The tenant of a write, and the scope that its body must keep to.
pub(super) fn write(
    policy: &Policy,
    grant: &Grant,
    upstream: &Upstream,
    head: &RequestHead,
    audit: &mut Audit,
) -> Result<(TenantId, Scope), Denial> {
    let chosen = chosen(policy, head, None)?;
    let tenant = match (&grant.write, chosen) {
        (Tenants::None, _) => return Err(no_right("write")),
        (Tenants::Some(_) | Tenants::All, Some(set)) => one(set)?,
        (Tenants::Some(set), None) => {
            if set.len() > 1 {
                return Err(must_choose(policy));
            }
            set.iter()
                .next()
                .cloned()
                .ok_or_else(|| no_right("write"))?
        }
        (Tenants::All, None) => return Err(must_choose(policy)),
    };
    match &grant.write {
        Tenants::Some(set) if !set.contains(&tenant) => return Err(not_granted()),
        Tenants::Some(_) | Tenants::All | Tenants::None => {}
    }
    if !policy.is_valid(&tenant) || !policy.under_ceiling(upstream, &tenant) {
        return Err(not_granted());
    }
    audit.tenant = tenant.as_str().into();
    audit.admin = grant.write == Tenants::All;
    let own =
        Enforced::values(policy.label.clone(), [tenant.as_str()]).map_err(|_| not_granted())?;
    let scope = Scope::new(with_labels(vec![own], policy, grant, upstream)?);
    audit.scope = Some(scope.clone());
    Ok((tenant, scope))
}

/// The matchers of the tenant label, and the tenants' names for audit lines.
fn tenants(
    policy: &Policy,
    (rights, shared, right): (&Tenants, &BTreeSet<TenantId>, &'static str),
    upstream: &Upstream,
    chosen: Option<&BTreeSet<TenantId>>,
) -> Result<(Vec<Enforced>, Arc<str>), Denial> {
    let set = match (rights, chosen) {
        (Tenants::None, _) => return Err(no_right(right)),
        (Tenants::All, None) => {
            let matchers = policy.all_tenants(upstream).map_err(|_| not_granted())?;
            return Ok((matchers, "*".into()));
        }
        (Tenants::All, Some(chosen)) => {
            refuse_invalid(policy, chosen)?;
            if !chosen.iter().all(|t| policy.under_ceiling(upstream, t)) {
                return Err(not_granted());
            }
            chosen.clone()
        }
        (Tenants::Some(own), chosen) => {
            if own.len() > policy.max_tenants {
                return Err(Denial::new(
                    403,
                    "too_many_tenants",
                    "the caller has more tenants than are allowed",
                ));
            }
            refuse_invalid(policy, own)?;
            let all: BTreeSet<TenantId> = own
                .iter()
                .chain(shared)
                .filter(|t| policy.under_ceiling(upstream, t))
                .cloned()
                .collect();
            match chosen {
                None => all,
                Some(chosen) if chosen.is_subset(&all) => chosen.clone(),
                Some(_) => return Err(not_granted()),
            }
        }
    };
    if set.is_empty() {
        return Err(not_granted());
    }
    let matcher = Enforced::values(policy.label.clone(), set.iter().map(TenantId::as_str))
        .map_err(|_| {
            Denial::new(
                403,
                "too_many_tenants",
                "the caller has more tenants than are allowed",
            )
        })?;
    let names: Vec<&str> = set.iter().map(TenantId::as_str).collect();
    Ok((vec![matcher], names.join("|").into()))
}

/// Adds the labels of the grant and of the upstream. A label that both name must fit both.
fn with_labels(
    mut matchers: Vec<Enforced>,
    policy: &Policy,
    grant: &Grant,
    upstream: &Upstream,
) -> Result<Vec<Enforced>, Denial> {
    for (label, values) in &grant.labels {
        if *label == policy.label {
            return Err(Denial::new(
                403,
                "label",
                "an enforced label cannot be the tenant label",
            ));
        }
        let matcher = Enforced::values(label.clone(), values)
            .map_err(|_| Denial::new(403, "label", "a label of the caller has no usable value"))?;
        matchers.push(matcher);
    }
    matchers.extend(upstream.matchers.iter().cloned());
    Ok(matchers)
}

/// The tenants that the request names, by header or parameter.
fn chosen(
    policy: &Policy,
    head: &RequestHead,
    parameter: Option<&str>,
) -> Result<Option<BTreeSet<TenantId>>, Denial> {
    let header = head
        .headers
        .one(&policy.select_header)
        .map_err(|_| bad_choice())?;
    let text = match (header, parameter) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(bad_choice()),
        (Some(bytes), None) => std::str::from_utf8(bytes).map_err(|_| bad_choice())?,
        (None, Some(text)) => text,
    };
    if text.is_empty() || text.len() > 8192 {
        return Err(bad_choice());
    }
    let mut set = BTreeSet::new();
    for name in text.split('|') {
        set.insert(TenantId::parse(name).map_err(|_| bad_choice())?);
    }
    if set.len() > policy.max_tenants {
        return Err(bad_choice());
    }
    Ok(Some(set))
}

fn one(set: BTreeSet<TenantId>) -> Result<TenantId, Denial> {
    let mut all = set.into_iter();
    match (all.next(), all.next()) {
        (Some(tenant), None) => Ok(tenant),
        (None | Some(_), _) => Err(Denial::new(
            400,
            "tenant_choice",
            "a write goes to one tenant",
        )),
    }
}

fn refuse_invalid(policy: &Policy, set: &BTreeSet<TenantId>) -> Result<(), Denial> {
    if set.iter().all(|t| policy.is_valid(t)) {
        Ok(())
    } else {
        Err(not_granted())
    }
}

fn bad_choice() -> Denial {
    Denial::new(
        400,
        "tenant_choice",
        "the choice of tenants must be given once, in one place, as names joined by `|`",
    )
}

fn must_choose(policy: &Policy) -> Denial {
    Denial::new(
        400,
        "tenant_choice",
        format!(
            "the caller may write for several tenants: name one in the header `{}`",
            policy.select_header
        ),
    )
}

fn not_granted() -> Denial {
    Denial::new(
        403,
        "tenant",
        "the caller has no access to this tenant here",
    )
}

fn no_right(what: &str) -> Denial {
    Denial::new(
        403,
        "right",
        format!("the caller has no right to {what} here"),
    )
}
