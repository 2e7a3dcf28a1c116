//! What one worker keeps between requests: policy, keys, caches, budget.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use crate::auth::Authenticator;
use crate::budget::Budget;
use crate::config::Document;
use crate::config::error::Problems;
use crate::grant::Grant;
use crate::http::UnixTime;
use crate::policy::Policy;
use crate::promql::QueryCache;
use crate::scope::Scope;

/// The state of one worker under one configuration. Nothing in it is shared with another
/// configuration of the same VM.
pub struct Worker {
    /// What requests are judged by.
    pub policy: Arc<Policy>,
    /// Who calls.
    pub auth: Authenticator,
    /// Confined queries.
    pub queries: QueryCache,
    /// Held bytes.
    pub budget: Budget,
    pub(super) scopes: ScopeCache,
    pub(super) names: NamesCache,
    /// Counts answers, for verification by sample.
    pub(super) answers: u32,
}

impl Worker {
    /// Compiles a configuration. `env` looks up an environment variable; `seed` spreads evictions of
    /// caches. All problems are reported, each with its path.
    pub fn new(
        doc: &Document,
        env: &dyn Fn(&str) -> Option<String>,
        seed: u64,
    ) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let policy = Policy::compile(doc, env, &mut problems);
        let auth = Authenticator::compile(&doc.auth, env, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            policy: Arc::new(policy),
            auth,
            queries: QueryCache::new(doc.limits.query_cache.bytes(), seed),
            budget: Budget::new(
                doc.limits.worker_memory.bytes(),
                doc.limits.grant_share.get(),
                doc.limits.requests.get(),
            ),
            scopes: ScopeCache::default(),
            names: NamesCache::default(),
            answers: 0,
        })
    }
}

/// The scopes of recent grants. An entry holds its grant, so its address stays its own.
#[derive(Debug, Default)]
pub(super) struct ScopeCache(HashMap<(usize, usize), ScopeEntry>);

#[derive(Debug)]
struct ScopeEntry {
    /// Keeps the address that is the key from becoming another grant's.
    _grant: Arc<Grant>,
    scope: Scope,
    tenant: Arc<str>,
}

impl ScopeCache {
    const MOST: usize = 1024;

    pub(super) fn find(&self, grant: &Arc<Grant>, upstream: usize) -> Option<(Scope, Arc<str>)> {
        let entry = self.0.get(&(Arc::as_ptr(grant).addr(), upstream))?;
        Some((entry.scope.clone(), entry.tenant.clone()))
    }

    pub(super) fn insert(
        &mut self,
        grant: &Arc<Grant>,
        upstream: usize,
        scope: &Scope,
        tenant: &Arc<str>,
    ) {
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        let key = (Arc::as_ptr(grant).addr(), upstream);
        self.0.insert(
            key,
            ScopeEntry {
                _grant: grant.clone(),
                scope: scope.clone(),
                tenant: tenant.clone(),
            },
        );
    }
}

/// The metric names of recent scopes, for a minute.
#[derive(Debug, Default)]
pub(super) struct NamesCache(VecDeque<NamesEntry>);

#[derive(Debug)]
struct NamesEntry {
    upstream: usize,
    scope: String,
    until: UnixTime,
    names: Arc<BTreeSet<String>>,
}

impl NamesCache {
    const MOST: usize = 64;
    const SECONDS: f64 = 60.0;

    pub(super) fn find(
        &self,
        upstream: usize,
        scope: &str,
        now: UnixTime,
    ) -> Option<Arc<BTreeSet<String>>> {
        self.0
            .iter()
            .find(|e| {
                e.upstream == upstream
                    && e.scope == scope
                    // A clock that was set back must not keep an entry alive.
                    && e.until > now
                    && e.until <= now.plus(Self::SECONDS)
            })
            .map(|e| e.names.clone())
    }

    pub(super) fn insert(
        &mut self,
        upstream: usize,
        scope: &str,
        names: Arc<BTreeSet<String>>,
        now: UnixTime,
    ) {
        self.0
            .retain(|e| !(e.upstream == upstream && e.scope == scope));
        if self.0.len() >= Self::MOST {
            self.0.pop_front();
        }
        let until = now.plus(Self::SECONDS);
        self.0.push_back(NamesEntry {
            upstream,
            scope: scope.to_owned(),
            until,
            names,
        });
    }
}
