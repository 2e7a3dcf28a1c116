//! Who calls. Nobody is recognised yet.
#![expect(
    missing_docs,
    reason = "the interface, until what is behind it is there"
)]

#[cfg(feature = "command")]
pub mod mint;

use std::sync::Arc;

pub use crate::config::auth::Algorithm;
use crate::config::{auth::Auth, error::Problems};
use crate::grant::Grant;
use crate::http::{Headers, RequestHead, UnixTime};

pub trait Verifier {
    fn verify(&self, alg: Algorithm, key: &[u8], message: &[u8], signature: &[u8]) -> Option<bool>;
}
pub trait Peer {
    fn property(&self, path: &[&str]) -> Option<Vec<u8>>;
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchId(u32);
#[derive(Debug)]
pub struct Fetch {
    pub id: FetchId,
    pub cluster: String,
    pub authority: String,
    pub path: String,
    pub timeout: f64,
}
#[derive(Debug)]
pub struct FetchAnswer<'a> {
    pub status: u16,
    pub headers: &'a Headers,
    pub body: &'a [u8],
}
#[derive(Clone, Copy, Debug)]
pub enum FetchFailure {
    NoCluster,
    TooLarge,
}
#[derive(Debug)]
pub struct Outcome;
impl Outcome {
    #[must_use]
    pub fn word(&self) -> &'static str {
        "none"
    }
    #[must_use]
    pub fn is_good(&self) -> bool {
        false
    }
}
#[derive(Debug)]
pub enum Verdict {
    Grant(Arc<Grant>),
    Wait(FetchId),
}
#[derive(Debug)]
pub enum AuthError {
    Missing,
    Invalid(&'static str),
    Forbidden(&'static str),
    Malformed(&'static str),
    NoKeys { retry_after: u32 },
}
impl AuthError {
    #[must_use]
    pub fn reason(&self) -> &'static str {
        "missing"
    }
}
#[derive(Debug)]
pub struct Authenticator;
impl Authenticator {
    pub fn compile(_: &Auth, _: &dyn Fn(&str) -> Option<String>, _: &mut Problems) -> Self {
        Self
    }
    pub fn authenticate(
        &mut self,
        _: &RequestHead,
        _: &dyn Peer,
        _: &dyn Verifier,
        _: UnixTime,
    ) -> Result<Verdict, AuthError> {
        Err(AuthError::Missing)
    }
    pub fn due(&mut self, _: UnixTime) -> Vec<Fetch> {
        Vec::new()
    }
    pub fn fetched(
        &mut self,
        _: FetchId,
        _: Result<&FetchAnswer<'_>, FetchFailure>,
        _: UnixTime,
    ) -> Outcome {
        Outcome
    }
    #[must_use]
    pub fn challenge(&self, _: &AuthError) -> Option<String> {
        None
    }
    #[must_use]
    pub fn query_parameter(&self) -> Option<&str> {
        None
    }
    #[must_use]
    pub fn fetches_keys(&self) -> bool {
        false
    }
    pub fn probe(&mut self, _: &dyn Verifier) -> bool {
        false
    }
}
