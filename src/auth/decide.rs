//! What a credential is worth: the steps from a token, a secret or a certificate to a grant.

use std::sync::Arc;

use super::claims::Claims;
use super::credential::Credential;
use super::fetch::FetchId;
use super::jose::{self, Unverified};
use super::keys::KeySet;
use super::metadata;
use super::peer::{self, Peer};
use super::refresh::Remote;
use super::verify::{self, Signature, Verifier};
use super::{AuthError, Authenticator, Issuer, Keys, Reason, Verdict};
use crate::grant::{Grant, Source};
use crate::http::{RequestHead, UnixTime};

impl Authenticator {
    pub(super) fn bearer(
        &mut self,
        token: String,
        peer: &dyn Peer,
        verifier: &dyn Verifier,
        since: UnixTime,
        now: UnixTime,
    ) -> Result<Verdict, AuthError> {
        if token.len() > self.places.max_size() {
            return Err(AuthError::Invalid(Reason::TooLong));
        }
        if let Some(grant) = self.cache.find(token.as_bytes(), now) {
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
        self.token(&token, issuer, peer, verifier, since, now)
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
        since: UnixTime,
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
        let mut ends = issuer
            .rules
            .check(&token.claims, now)
            .map_err(AuthError::Invalid)?;
        self.next_id += 1;
        let keys = match &mut issuer.keys {
            Keys::Remote(remote) => match remote.usable(now) {
                Some((keys, end)) => {
                    // A remembered verdict lives no longer than the keys it rests on.
                    if end < ends {
                        ends = end;
                    }
                    keys
                }
                None => return missing(remote, false, FetchId(self.next_id), since, now),
            },
            Keys::Configured(keys) => Arc::clone(keys),
            Keys::Metadata(_) => return Err(AuthError::Invalid(Reason::Metadata)),
        };
        match verified(token, &keys, verifier) {
            Ok(()) => {}
            Err(Reason::UnknownKey) => {
                return match &mut issuer.keys {
                    Keys::Remote(remote) => {
                        missing(remote, true, FetchId(self.next_id), since, now)
                    }
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
        self.cache.insert(token.whole, &grant, index, ends, now);
        Ok(Verdict::Grant(grant))
    }

    pub(super) fn fixed_secret(&self, credential: &Credential) -> Result<Arc<Grant>, AuthError> {
        self.fixed
            .find(credential)
            .ok_or(AuthError::Invalid(Reason::Secret))
    }

    pub(super) fn without_credential(
        &self,
        head: &RequestHead,
        peer: &dyn Peer,
        now: UnixTime,
    ) -> Result<Arc<Grant>, AuthError> {
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
        let presented = match self.certificates.find(head, peer) {
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
        let found =
            metadata::claims(peer, &place.namespace, &place.key).ok_or(AuthError::Missing)?;
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
    since: UnixTime,
    now: UnixTime,
) -> Result<Verdict, AuthError> {
    match remote.want(unknown, id, since, now) {
        Some(id) => Ok(Verdict::Wait(id)),
        None => Err(remote
            .refusal(unknown, now)
            .unwrap_or(AuthError::Invalid(Reason::UnknownKey))),
    }
}
