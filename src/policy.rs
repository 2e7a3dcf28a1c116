//! The policy: a configuration compiled into what requests are judged by.

mod bound;
mod names;
mod upstream;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::error::Problems;
use crate::config::{Document, OtherHosts, Property};
use crate::params;
use crate::route::{self, Path, Route, RouteError};
use crate::scope::{Enforced, InvalidScope};
use crate::tenant::{LabelName, TenantId, TenantPattern};

pub(crate) use self::bound::Bound;
pub use self::names::Names;
use self::names::{ALLOWED, NEVER};
pub use self::upstream::Upstream;

/// A compiled configuration.
#[derive(Debug)]
pub struct Policy {
    /// The label that carries the tenant.
    pub label: LabelName,
    /// The value of the tenant header where a read is of several tenants.
    pub several: Option<TenantId>,
    /// The request header that narrows a grant.
    pub select_header: String,
    /// The parameter that narrows a grant.
    pub select_parameter: String,
    /// The header of the seal.
    pub seal_header: Option<Arc<str>>,
    /// What may be read besides one's own.
    pub shared: BTreeSet<TenantId>,
    /// The most tenants of a caller.
    pub max_tenants: usize,
    /// The upstreams, in the order of the configuration.
    pub upstreams: Vec<Upstream>,
    /// Whether requests for other hosts pass.
    pub other_hosts: OtherHosts,
    /// Request headers that never come from a client: tenancy, replica, seal.
    pub never: BTreeSet<String>,
    /// Request headers that pass.
    pub allowed: Names,
    /// The most parameters of a request.
    pub max_parameters: usize,
    /// Seconds that a look-up may take.
    pub lookup_timeout: f64,
    /// Seconds that a held body may take to come whole.
    pub gather_timeout: f64,
    /// Up to so many bytes of the body the head of a held answer waits; 0: it never does.
    pub hold_head: usize,
    /// Whether a denial's line has the query.
    pub log_queries: bool,
    /// What access logs and later filters may read of a request.
    pub properties: Vec<Property>,
    bounds: Vec<Bound>,
    reserved: BTreeSet<TenantId>,
    valid: Option<Vec<TenantPattern>>,
}

/// Where a request leads.
#[derive(Debug)]
pub enum Found<'p, 'r> {
    /// To this endpoint of this upstream.
    Endpoint(&'p Upstream, Route<'r>),
    /// The host is ours, the path or method is not.
    Refused(RouteError),
    /// No upstream has this host.
    OtherHost,
}

impl Policy {
    /// Compiles a document. All problems are collected.
    pub fn compile(
        doc: &Document,
        env: &dyn Fn(&str) -> Option<String>,
        problems: &mut Problems,
    ) -> Self {
        let tenancy = &doc.tenancy;
        let mut reserved: BTreeSet<TenantId> = tenancy.reserved.iter().cloned().collect();
        reserved.extend(TenantId::parse("default-tenant").ok());
        let global = Bound::compile(tenancy.ceiling.as_ref(), "tenancy.ceiling", problems);
        if doc.upstreams.is_empty() {
            problems.add("upstreams", "at least one is needed");
        }
        if tenancy.select.parameter.is_empty() {
            problems.add("tenancy.select.parameter", "must not be empty");
        }
        let own = [
            ("tenancy.select.parameter", Some(&tenancy.select.parameter)),
            ("auth.token.query", doc.auth.token.query.as_ref()),
        ];
        for (path, name) in own {
            if let Some(name) = name.filter(|name| params::is_known(name)) {
                problems.add(
                    path,
                    format!("`{name}` means something else on some endpoint"),
                );
            }
        }
        if tenancy.max_tenants.get() == 0 {
            problems.add("tenancy.max_tenants", "must be at least 1");
        }
        if let Some(list) = &tenancy.valid
            && list.is_empty()
        {
            problems.add("tenancy.valid", "names no tenant, so nobody could pass");
        }
        if doc.limits.gather_timeout.secs() < 1.0 {
            problems.add("limits.gather_timeout", "must be at least 1s");
        }
        let hold_head = doc.limits.hold_head.bytes();
        if hold_head != 0 && !(16 << 10..=16 << 20).contains(&hold_head) {
            problems.add("limits.hold_head", "must be 0, or from 16KiB to 16MiB");
        }
        let percent = doc.limits.grant_share.get();
        if percent == 0 || percent > 100 {
            problems.add("limits.grant_share", "must be from 1 to 100 percent");
        }
        if doc.limits.requests.get() == 0 {
            problems.add("limits.requests", "must be at least 1");
        }
        let seal_header: Option<Arc<str>> = doc.seal.as_ref().map(|s| s.header.as_str().into());
        let upstreams: Vec<Upstream> = doc
            .upstreams
            .iter()
            .enumerate()
            .map(|(i, u)| Upstream::compile(i, u, doc, env, problems))
            .collect();
        upstream::refuse_overlaps(&upstreams, problems);

        let mut never: BTreeSet<String> = NEVER.iter().map(|n| (*n).to_owned()).collect();
        never.insert(tenancy.header.as_str().to_owned());
        never.extend(upstreams.iter().map(|u| u.header.as_ref().to_owned()));
        never.extend(seal_header.as_deref().map(str::to_owned));
        never.insert(tenancy.select.header.as_str().to_owned());
        never.extend(doc.headers.strip.iter().map(|h| h.as_str().to_owned()));
        let spelled = never.clone();
        never.extend(spelled.iter().map(|n| n.replace('-', "_")));
        let credentials: BTreeSet<String> = doc.auth.token.header_names().collect();
        let passing = ALLOWED.iter().filter(|n| !credentials.contains(**n));
        let mut allowed: BTreeSet<String> = passing.map(|n| (*n).to_owned()).collect();
        for (i, header) in doc.headers.allow.iter().enumerate() {
            let (path, name) = (format!("headers.allow[{i}]"), header.as_str());
            if never.contains(name) {
                problems.add(path, format!("`{name}` never comes from a client"));
            } else if credentials.contains(name) {
                problems.add(
                    path,
                    format!("`{name}` may carry a credential, which ends here"),
                );
            } else {
                allowed.insert(header.as_str().to_owned());
            }
        }
        Self {
            label: tenancy.label.clone(),
            several: tenancy.several.clone(),
            select_header: tenancy.select.header.as_str().to_owned(),
            select_parameter: tenancy.select.parameter.clone(),
            seal_header,
            shared: tenancy.shared.iter().cloned().collect(),
            max_tenants: tenancy.max_tenants.get(),
            upstreams,
            other_hosts: doc.other_hosts,
            never,
            allowed: allowed.into_iter().collect(),
            max_parameters: doc.limits.parameters.get(),
            lookup_timeout: doc.limits.lookup_timeout.secs(),
            gather_timeout: doc.limits.gather_timeout.secs(),
            hold_head,
            log_queries: doc.log.queries,
            properties: doc.log.properties.clone(),
            bounds: global.into_iter().collect(),
            reserved,
            valid: tenancy.valid.clone(),
        }
    }

    /// Finds the upstream and endpoint of a request. Several upstreams may share a host; the
    /// closed tables of their kinds decide.
    #[must_use]
    pub fn find<'p, 'r>(
        &'p self,
        authority: &[u8],
        method: &[u8],
        path: &'r [u8],
    ) -> Found<'p, 'r> {
        let host = host_of(authority);
        let mut refused = None;
        for upstream in self.upstreams.iter().filter(|u| u.serves(host)) {
            let Some(rest) = path.strip_prefix(upstream.prefix.as_bytes()) else {
                refused.get_or_insert(RouteError::NotFound);
                continue;
            };
            match upstream.resolve(method, rest) {
                Ok(route) => return Found::Endpoint(upstream, route),
                Err(e) => match (&refused, &e) {
                    (Some(RouteError::NotFound) | None, _) => refused = Some(e),
                    (Some(RouteError::BadPath | RouteError::MethodNotAllowed(_)), _) => {}
                },
            }
        }
        refused.map_or(Found::OtherHost, Found::Refused)
    }

    /// Whether a tenant may be used at all: not reserved, and among the valid ones.
    #[must_use]
    pub fn is_valid(&self, tenant: &TenantId) -> bool {
        !self.reserved.contains(tenant)
            && self
                .valid
                .as_ref()
                .is_none_or(|list| list.iter().any(|p| p.matches(tenant.as_str())))
    }

    /// Whether a tenant is under the ceilings of filter and upstream.
    #[must_use]
    pub fn under_ceiling(&self, upstream: &Upstream, tenant: &TenantId) -> bool {
        self.bounds
            .iter()
            .chain(&upstream.ceiling)
            .all(|b| b.admits(tenant))
    }

    /// The matchers of "all tenants": one for each bound, none under unlimited ceilings alone.
    /// Without any ceiling it is "every tenant", never "no matcher".
    pub fn all_tenants(&self, upstream: &Upstream) -> Result<Vec<Enforced>, InvalidScope> {
        let bounds: Vec<&Bound> = self.bounds.iter().chain(&upstream.ceiling).collect();
        let lists = bounds.iter().filter_map(|bound| match bound {
            Bound::Tenants(list) => Some(list),
            Bound::Unlimited => None,
        });
        let mut matchers: Vec<Enforced> = Vec::new();
        for list in lists.chain(&self.valid) {
            let matcher = Enforced::patterns(self.label.clone(), list.iter().cloned())?;
            // Two bounds that say the same are one.
            if !matchers.contains(&matcher) {
                matchers.push(matcher);
            }
        }
        if matchers.is_empty() && bounds.is_empty() {
            let every = TenantPattern::parse("*").map_err(|_| InvalidScope::Empty)?;
            matchers.push(Enforced::patterns(self.label.clone(), [every])?);
        }
        Ok(matchers)
    }
}

/// The host of an authority, without port.
fn host_of(authority: &[u8]) -> &[u8] {
    let digits = authority
        .iter()
        .rev()
        .take_while(|b| b.is_ascii_digit())
        .count();
    let end = authority.len().saturating_sub(digits);
    match authority.get(..end) {
        Some([host @ .., b':']) => host,
        Some(_) | None => authority,
    }
}

/// The paths of an upstream's endpoints, for the check that no two upstreams answer one path.
pub(crate) fn paths(upstream: &Upstream) -> Vec<String> {
    route::ROWS
        .iter()
        .filter(|row| row.kinds.contains(&upstream.kind))
        .filter(|row| {
            let endpoints = [row.get, row.post, row.delete];
            endpoints
                .iter()
                .flatten()
                .any(|e| upstream.serves_endpoint(*e))
        })
        .map(|row| match row.path {
            Path::Exact(path) => format!("{}{path}", upstream.prefix),
            Path::LabelValues => format!("{}/api/v1/label/<name>/values", upstream.prefix),
            Path::Silence => format!("{}/api/v2/silence/<id>", upstream.prefix),
        })
        .collect()
}

#[cfg(test)]
mod tests;
