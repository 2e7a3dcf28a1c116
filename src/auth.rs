//! Who calls: from a request's head to a grant, or the reason why there is none.
//!
//! An [`Authenticator`] is compiled once from the configuration. It holds the keys and the cache
//! of verified tokens of one root context, and shares neither with another.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::auth as config;
use crate::config::error::Problems;
use crate::grant::{Grant, Source};
use crate::http::{RequestHead, UnixTime};

mod cache;
mod claims;
mod compile;
mod credential;
mod der;
mod error;
mod fetch;
mod fixed;
mod jose;
mod json;
mod keys;
mod mapping;
#[cfg(feature = "command")]
pub mod mint;
mod peer;
mod probe;
mod refresh;
mod shared;
mod verify;

#[cfg(test)]
mod tests;

pub use crate::config::auth::Algorithm;
pub use error::{AuthError, Reason};
pub use fetch::{Fetch, FetchAnswer, FetchFailure, FetchId, Fetched, KeyStatus, SourceId};
pub use peer::{NoPeer, Peer};
pub use verify::{NoHost, Verifier};

use claims::{Claims, Rules};
use credential::{Credential, Places};
use jose::Unverified;
use keys::KeySet;
use mapping::Mapping;
use refresh::Remote;
use verify::Signature;

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

    /// Says who sent a request.
    ///
    /// After [`Verdict::Wait`] the fetch is in the next answer of [`Self::due`]. The same request,
    /// authenticated again when that fetch has ended, does not wait for the same reason again.
    pub fn authenticate(
        &mut self,
        head: &RequestHead,
        peer: &dyn Peer,
        verifier: &dyn Verifier,
        now: UnixTime,
    ) -> Result<Verdict, AuthError> {
        match self.places.find(head)? {
            Some(Credential::Bearer(token)) => self.bearer(token, peer, verifier, now),
            Some(basic) => self.fixed_secret(&basic).map(Verdict::Grant),
            None => self.without_credential(peer, now).map(Verdict::Grant),
        }
    }

    /// Names of header fields that may carry a credential; none of them goes upstream.
    pub fn credential_headers(&self) -> impl Iterator<Item = &str> {
        self.places.header_names()
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

    /// The source whose fetch this is.
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

    /// How many verified tokens are remembered, and their memory in bytes.
    #[must_use]
    pub fn cache_size(&self) -> (usize, usize) {
        self.cache.size()
    }

    fn bearer(
        &mut self,
        token: String,
        peer: &dyn Peer,
        verifier: &dyn Verifier,
        now: UnixTime,
    ) -> Result<Verdict, AuthError> {
        if token.len() > self.places.max_size() {
            return Err(AuthError::Invalid(Reason::TooLong));
        }
        if let Some(grant) = self.cache.find(&token, now) {
            return Ok(Verdict::Grant(grant));
        }
        let credential = Credential::Bearer(token);
        if let Some(grant) = self.fixed.find(&credential) {
            return Ok(Verdict::Grant(grant));
        }
        let Credential::Bearer(token) = &credential else {
            return Err(AuthError::Invalid(Reason::Encoding));
        };
        if self.issuers.is_empty() || !jose::looks_like_one(token) {
            return Err(AuthError::Invalid(if self.fixed.has_bearer() {
                Reason::Secret
            } else {
                Reason::Encoding
            }));
        }
        let token = jose::parse(token).map_err(AuthError::Invalid)?;
        let issuer = self.issuer_of(&token.claims).map_err(AuthError::Invalid)?;
        self.token(&token, issuer, peer, verifier, now)
    }

    fn issuer_of(&self, found: &Claims) -> Result<usize, Reason> {
        found
            .get("iss")
            .and_then(|iss| iss.as_str())
            .and_then(|iss| self.by_name.get(iss))
            .copied()
            .ok_or(Reason::Issuer)
    }

    fn token(
        &mut self,
        token: &Unverified<'_>,
        index: usize,
        peer: &dyn Peer,
        verifier: &dyn Verifier,
        now: UnixTime,
    ) -> Result<Verdict, AuthError> {
        let issuer = self
            .issuers
            .get_mut(index)
            .ok_or(AuthError::Invalid(Reason::Issuer))?;
        if let Keys::Metadata(_) = &issuer.keys {
            // The signature is another filter's to verify: only what it verified counts.
            return issuer.metadata(peer, now).map(Verdict::Grant);
        }
        if !issuer.algorithms.contains(&token.alg) {
            return Err(AuthError::Invalid(Reason::Algorithm));
        }
        issuer
            .rules
            .check_type(token.typ.as_deref())
            .map_err(AuthError::Invalid)?;
        // Cheap before dear: nothing is learnt of a token that would not count anyway.
        let ends = issuer
            .rules
            .check(&token.claims, now)
            .map_err(AuthError::Invalid)?;
        self.next_id += 1;
        let keys = match &mut issuer.keys {
            Keys::Remote(remote) => match remote.usable(now) {
                Some(keys) => keys,
                None => return missing(remote, false, FetchId(self.next_id), now),
            },
            Keys::Configured(keys) => Arc::clone(keys),
            Keys::Metadata(_) => return Err(AuthError::Invalid(Reason::Metadata)),
        };
        match verified(token, &keys, verifier) {
            Ok(()) => {}
            Err(Reason::UnknownKey) => {
                return match &mut issuer.keys {
                    Keys::Remote(remote) => missing(remote, true, FetchId(self.next_id), now),
                    Keys::Configured(_) | Keys::Metadata(_) => {
                        Err(AuthError::Invalid(Reason::UnknownKey))
                    }
                };
            }
            Err(reason) => return Err(AuthError::Invalid(reason)),
        }
        let grant = issuer
            .mapping
            .grant(&token.claims, Source::Jwt)
            .map_err(AuthError::Forbidden)?;
        let grant = Arc::new(grant);
        // What keys have verified counts no longer than the keys themselves.
        let ends = match &issuer.keys {
            Keys::Remote(remote) => remote.keys.as_ref().map_or(ends, |keys| {
                now.plus(ends.secs().min(remote.end(keys)) - now.secs())
            }),
            Keys::Configured(_) | Keys::Metadata(_) => ends,
        };
        self.cache.insert(token.whole, &grant, index, ends, now);
        Ok(Verdict::Grant(grant))
    }

    fn fixed_secret(&self, credential: &Credential) -> Result<Arc<Grant>, AuthError> {
        self.fixed
            .find(credential)
            .ok_or(AuthError::Invalid(Reason::Secret))
    }

    fn without_credential(&self, peer: &dyn Peer, now: UnixTime) -> Result<Arc<Grant>, AuthError> {
        let mut other = None;
        for issuer in &self.issuers {
            match issuer.metadata(peer, now) {
                Err(AuthError::Missing) => {}
                // The payload may be of the next issuer of the list.
                Err(AuthError::Invalid(Reason::Issuer)) => {
                    other = Some(AuthError::Invalid(Reason::Issuer));
                }
                found => return found,
            }
        }
        if let Some(error) = other {
            return Err(error);
        }
        let presented = match self.certificates.find(peer) {
            peer::Presented::Grant(grant) => return Ok(grant),
            peer::Presented::Other => true,
            peer::Presented::Nothing => false,
        };
        match &self.anonymous {
            Some(grant) => Ok(Arc::clone(grant)),
            None if presented => Err(AuthError::Forbidden(Reason::Certificate)),
            None => Err(AuthError::Missing),
        }
    }
}

impl Issuer {
    /// The grant of the claims that an earlier filter verified.
    fn metadata(&self, peer: &dyn Peer, now: UnixTime) -> Result<Arc<Grant>, AuthError> {
        let Keys::Metadata(place) = &self.keys else {
            return Err(AuthError::Missing);
        };
        let found = peer::metadata(peer, &place.namespace, &place.key).ok_or(AuthError::Missing)?;
        let found = found.map_err(|()| AuthError::Invalid(Reason::Metadata))?;
        if found.get("iss").and_then(|iss| iss.as_str()) != Some(self.rules.issuer.as_str()) {
            return Err(AuthError::Invalid(Reason::Issuer));
        }
        self.rules.check(&found, now).map_err(AuthError::Invalid)?;
        let grant = self.mapping.grant(&found, Source::Metadata);
        grant.map(Arc::new).map_err(AuthError::Forbidden)
    }
}

/// Whether any of the keys that may have signed a token did.
fn verified(token: &Unverified<'_>, keys: &KeySet, verifier: &dyn Verifier) -> Result<(), Reason> {
    let mut why = Reason::UnknownKey;
    for key in keys.candidates(token.alg, token.kid.as_deref()) {
        match verify::signature(token, &key.material, verifier) {
            Signature::Good => return Ok(()),
            Signature::Bad => why = Reason::Signature,
            Signature::Unavailable => why = Reason::Unverifiable,
        }
    }
    Err(why)
}

/// Waits for keys, or refuses.
fn missing(
    remote: &mut Remote,
    unknown: bool,
    id: FetchId,
    now: UnixTime,
) -> Result<Verdict, AuthError> {
    match remote.want(unknown, id, now) {
        Some(id) => Ok(Verdict::Wait(id)),
        None => Err(remote
            .refusal(unknown, now)
            .unwrap_or(AuthError::Invalid(Reason::UnknownKey))),
    }
}
