//! Who calls: from a request's head to a grant, or the reason why there is none.
//!
//! An [`Authenticator`] is compiled once from the configuration. It holds the keys and the cache
//! of verified tokens of one root context, and shares neither with another.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::auth as config;
use crate::config::error::Problems;
use crate::grant::Grant;
use crate::http::{RequestHead, UnixTime};

mod cache;
mod claims;
mod compile;
mod credential;
mod decide;
mod der;
mod error;
mod fetch;
mod fixed;
mod forwarded;
mod jose;
mod json;
mod keys;
mod labels;
mod mapping;
mod metadata;
#[cfg(feature = "command")]
pub mod mint;
mod peer;
mod probe;
mod refresh;
mod rights;
mod shared;
mod verify;

#[cfg(test)]
mod tests;

pub use crate::config::auth::Algorithm;
pub use error::{AuthError, Reason};
pub use fetch::{Fetch, FetchAnswer, FetchFailure, FetchId, Fetched, KeyStatus, SourceId};
pub use peer::{NoPeer, Peer};
pub use verify::{NoHost, Verifier};

use claims::Rules;
use credential::{Credential, Places};
use keys::KeySet;
use mapping::Mapping;
use refresh::Remote;

/// How often ended tokens are looked for, in seconds.
const PURGE: f64 = 60.0;

/// Makes grants of credentials.
pub struct Authenticator {
    issuers: Vec<Issuer>,
    by_name: BTreeMap<String, usize>,
    places: Places,
    fixed: fixed::Fixed,
    certificates: peer::Certificates,
    anonymous: Option<Arc<Grant>>,
    cache: cache::Cache,
    secret: Option<Vec<u8>>,
    next_id: u64,
    purge_at: f64,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Tokens and secrets are among the fields.
        f.debug_struct("Authenticator").finish_non_exhaustive()
    }
}

struct Issuer {
    rules: Rules,
    algorithms: Vec<Algorithm>,
    keys: Keys,
    mapping: Mapping,
}

enum Keys {
    Configured(Arc<KeySet>),
    Remote(Box<Remote>),
    /// An earlier filter verified the token and put its claims here.
    Metadata(config::Metadata),
}

/// What is known of a caller now.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Who it is.
    Grant(Arc<Grant>),
    /// The request waits until this fetch has ended, and is then authenticated again.
    Wait(FetchId),
}

impl Authenticator {
    /// Compiles the configuration; every problem is told with its path. `env` looks up environment
    /// variables. What is compiled of a configuration with problems must not be used.
    pub fn compile(
        doc: &config::Auth,
        env: &dyn Fn(&str) -> Option<String>,
        problems: &mut Problems,
    ) -> Self {
        compile::authenticator(doc, env, problems)
    }

    /// Whether the host verifies signatures as this filter needs it, found out with known ones.
    #[must_use]
    pub fn can_host_verify(verifier: &dyn Verifier) -> bool {
        probe::right(verifier)
    }

    /// Says who sent a request that has just come.
    ///
    /// After [`Verdict::Wait`] the fetch is in an answer of [`Self::due`] within a second.
    pub fn authenticate(
        &mut self,
        head: &RequestHead,
        peer: &dyn Peer,
        verifier: &dyn Verifier,
        now: UnixTime,
    ) -> Result<Verdict, AuthError> {
        self.authenticate_since(head, peer, verifier, now, now)
    }

    /// Says who sent a request that came at `since` and has waited.
    ///
    /// Keys that were asked for after it came settle it. It waits again only if the fetch that it
    /// waited for had begun before.
    pub fn authenticate_since(
        &mut self,
        head: &RequestHead,
        peer: &dyn Peer,
        verifier: &dyn Verifier,
        since: UnixTime,
        now: UnixTime,
    ) -> Result<Verdict, AuthError> {
        // A remembered token has passed every check before: that it is the same is enough.
        if let Some(token) = self.places.only_bearer(head)
            && let Some(grant) = self.cache.find(token, now)
        {
            return Ok(Verdict::Grant(grant));
        }
        match self.places.find(head)? {
            Some(Credential::Bearer(token)) => self.bearer(token, peer, verifier, since, now),
            Some(basic) => self.fixed_secret(&basic).map(Verdict::Grant),
            None => self.without_credential(head, peer, now).map(Verdict::Grant),
        }
    }

    /// The parameter of the URL that may carry a credential; it does not go upstream.
    #[must_use]
    pub fn credential_parameter(&self) -> Option<&str> {
        self.places.query()
    }

    /// `WWW-Authenticate` of an answer with status 401 (RFC 6750, 3).
    #[must_use]
    pub fn challenge(&self, error: AuthError) -> &'static str {
        let bearer = !self.issuers.is_empty() || self.fixed.has_bearer();
        if self.fixed.has_basic() && !bearer {
            return "Basic realm=\"promfence\", charset=\"UTF-8\"";
        }
        match error {
            AuthError::Missing => "Bearer",
            AuthError::Invalid(_)
            | AuthError::Forbidden(_)
            | AuthError::NoKeys { .. }
            | AuthError::Malformed(_) => "Bearer error=\"invalid_token\"",
        }
    }

    /// Whether [`Self::due`] has a fetch: keys that another worker has shared may make it needless.
    #[must_use]
    pub fn is_due(&self, now: UnixTime) -> bool {
        self.issuers.iter().any(|issuer| match &issuer.keys {
            Keys::Remote(remote) => remote.is_due(now),
            Keys::Configured(_) | Keys::Metadata(_) => false,
        })
    }

    /// Key fetches to start now. Called on every tick, and after [`Verdict::Wait`].
    pub fn due(&mut self, now: UnixTime) -> Vec<Fetch> {
        if (now.secs() - self.purge_at).abs() >= PURGE {
            self.purge_at = now.secs();
            self.cache.purge(now);
        }
        let mut fetches = Vec::new();
        for issuer in &mut self.issuers {
            if let Keys::Remote(remote) = &mut issuer.keys {
                self.next_id += 1;
                fetches.extend(remote.due(FetchId(self.next_id), now));
            }
        }
        fetches
    }

    /// Takes the end of a fetch.
    pub fn fetched(
        &mut self,
        id: FetchId,
        answer: Result<&FetchAnswer, FetchFailure>,
        now: UnixTime,
    ) -> Fetched {
        for (i, issuer) in self.issuers.iter_mut().enumerate() {
            if let Keys::Remote(remote) = &mut issuer.keys
                && remote.awaits(id)
            {
                let fetched = remote.fetched(answer, now);
                if matches!(fetched, Fetched::Keys { changed: true, .. }) {
                    self.cache.forget(i);
                }
                return fetched;
            }
        }
        Fetched::Unknown
    }

    /// Issuers whose keys are fetched, each with the name of its entry in shared data. None
    /// without a secret.
    pub fn shared(&self) -> Vec<(SourceId, String)> {
        if self.secret.is_none() {
            return Vec::new();
        }
        let remotes = self.issuers.iter().enumerate();
        remotes
            .filter_map(|(i, issuer)| match &issuer.keys {
                Keys::Remote(remote) => Some((SourceId(i), shared::name(remote))),
                Keys::Configured(_) | Keys::Metadata(_) => None,
            })
            .collect()
    }

    /// Sets this worker apart from the others, with which it shares keys. Without a secret it
    /// shares none, and fetches at once.
    pub fn spread(&mut self, seed: u64, now: UnixTime) {
        if self.secret.is_none() {
            return;
        }
        for issuer in &mut self.issuers {
            if let Keys::Remote(remote) = &mut issuer.keys {
                remote.spread(seed, now);
            }
        }
    }

    /// The source whose fetch this is; none if it has ended, been given up, or become needless.
    #[must_use]
    pub fn source_of(&self, id: FetchId) -> Option<SourceId> {
        self.issuers
            .iter()
            .position(|issuer| match &issuer.keys {
                Keys::Remote(remote) => remote.awaits(id),
                Keys::Configured(_) | Keys::Metadata(_) => false,
            })
            .map(SourceId)
    }

    /// A source's keys as an entry for shared data, if there are any, and a secret.
    #[must_use]
    pub fn export(&self, source: SourceId) -> Option<Vec<u8>> {
        let secret = self.secret.as_ref()?;
        match &self.issuers.get(source.0)?.keys {
            Keys::Remote(remote) => shared::export(remote, secret),
            Keys::Configured(_) | Keys::Metadata(_) => None,
        }
    }

    /// Takes an entry of shared data; tells whether it was authentic and newer than the own keys.
    pub fn import(&mut self, source: SourceId, entry: &[u8], now: UnixTime) -> bool {
        let Some(secret) = self.secret.as_ref() else {
            return false;
        };
        let Some(issuer) = self.issuers.get_mut(source.0) else {
            return false;
        };
        let Keys::Remote(remote) = &mut issuer.keys else {
            return false;
        };
        match shared::import(remote, entry, secret, now) {
            Some(changed) => {
                if changed {
                    self.cache.forget(source.0);
                }
                true
            }
            None => false,
        }
    }

    /// The state of fetched keys, for metrics. Issuers without any keys yet are left out.
    pub fn key_status(&self, now: UnixTime) -> impl Iterator<Item = KeyStatus<'_>> {
        self.issuers.iter().filter_map(move |issuer| {
            let Keys::Remote(remote) = &issuer.keys else {
                return None;
            };
            let keys = remote.keys.as_ref()?;
            let age = now.secs() - keys.at;
            Some(KeyStatus {
                issuer: &remote.issuer,
                keys: keys.set.len(),
                age,
                stale: age > keys.interval,
            })
        })
    }

    /// How many issuers' keys are fetched and not there yet.
    #[must_use]
    pub fn keys_missing(&self) -> usize {
        let missing = |issuer: &&Issuer| match &issuer.keys {
            Keys::Remote(remote) => remote.keys.is_none(),
            Keys::Configured(_) | Keys::Metadata(_) => false,
        };
        self.issuers.iter().filter(missing).count()
    }

    /// How many verified tokens are remembered, and their memory in bytes.
    #[must_use]
    pub fn cache_size(&self) -> (usize, usize) {
        self.cache.size()
    }
}
