//! The words in which key fetches are asked of the host and answered by it.

use super::refresh::MAX_BODY;
use crate::http::Headers;

/// Names a fetch, and whoever waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchId(pub(super) u64);

/// Names an issuer whose keys are fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub(super) usize);

/// A fetch to start: a GET with these, to be answered by `Authenticator::fetched`.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetch {
    /// Its name.
    pub id: FetchId,
    /// The Envoy cluster.
    pub cluster: String,
    /// `:authority`.
    pub authority: String,
    /// `:scheme`. Providers name themselves by it in what discovery finds.
    pub scheme: &'static str,
    /// `:path`.
    pub path: String,
    /// After how many seconds it is given up.
    pub timeout: f64,
}

/// Where something is fetched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) cluster: String,
    pub(super) authority: String,
    pub(super) path: String,
}

/// A whole answer of a key server.
#[derive(Clone, Debug, Default)]
pub struct FetchAnswer {
    /// `:status`.
    pub status: u16,
    /// All fields.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// Why a fetch brought no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchFailure {
    /// The host did not start it: no such cluster.
    Dispatch,
    /// A redirect, which is never followed.
    Redirect,
    /// A status other than 200; 503 also stands for a refused connection, 504 for the time-out.
    Status,
    /// More than 1 MiB.
    TooLarge,
    /// Not a key set.
    Garbage,
    /// More than 100 keys.
    TooManyKeys,
    /// No key that can be used.
    NoUsableKey,
    /// The document of discovery is of another issuer, or names a host that is not allowed.
    Discovery,
}

impl FetchFailure {
    /// As a metric label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Dispatch => "no_cluster",
            Self::Redirect => "redirect",
            Self::Status => "status",
            Self::TooLarge => "too_large",
            Self::Garbage => "garbage",
            Self::TooManyKeys => "too_many_keys",
            Self::NoUsableKey => "no_usable_key",
            Self::Discovery => "discovery",
        }
    }
}

/// What became of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// New keys: whoever waits is to be authenticated again.
    Keys {
        /// How many can be used.
        keys: usize,
        /// How many cannot.
        left_out: usize,
        /// Whether they differ from those before.
        changed: bool,
    },
    /// Discovery has one more step: `due` has it, and whoever waits goes on waiting.
    Continue,
    /// No keys: whoever waits is to be authenticated again.
    Failed(FetchFailure),
    /// Nobody asked, or it has been given up.
    Unknown,
}

/// The state of one issuer's fetched keys.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeyStatus<'a> {
    /// The issuer.
    pub issuer: &'a str,
    /// How many keys there are.
    pub keys: usize,
    /// Seconds since they were fetched.
    pub age: f64,
    /// Whether they should have been fetched anew by now.
    pub stale: bool,
}

impl FetchAnswer {
    pub(super) fn usable(&self) -> Result<(), FetchFailure> {
        match self.status {
            200 if self.body.len() > MAX_BODY => Err(FetchFailure::TooLarge),
            200 => Ok(()),
            300..=399 => Err(FetchFailure::Redirect),
            _ => Err(FetchFailure::Status),
        }
    }

    /// `max-age` of `Cache-Control`, in seconds.
    pub(super) fn max_age(&self) -> Option<f64> {
        self.headers
            .all("cache-control")
            .filter_map(|v| std::str::from_utf8(v).ok())
            .flat_map(|v| v.split(','))
            .filter_map(|d| d.trim().strip_prefix("max-age="))
            .find_map(|n| n.trim_matches('"').parse::<u32>().ok())
            .map(f64::from)
    }
}
