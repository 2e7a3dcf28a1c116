//! Proof on the answer: which answers are proven, and how their series are read.

use super::answer::Success;
use super::worker::Worker;
use crate::config::upstream::Verify;
use crate::http::ResponseHead;
use crate::remote::read::{self, ChunkVerifier};
use crate::respond::{self, AnswerError, Blocks, SeriesIn, Verifier, WarningCutter};
use crate::route::Endpoint;
use crate::scope::Scope;

/// How the series of an endpoint's answer are proven to be in scope; none: they are not.
pub(super) fn of(verify: Verify, endpoint: Endpoint, worker: &mut Worker) -> Option<Success> {
    if series_in(endpoint).is_none() && endpoint != Endpoint::RemoteRead {
        return None;
    }
    match verify {
        Verify::Off => None,
        Verify::All => Some(Success::Verify),
        Verify::Sample => {
            worker.answers = worker.answers.wrapping_add(1);
            let taken = worker.answers.is_multiple_of(16);
            taken.then_some(Success::Verify)
        }
        Verify::Stream => Some(Success::VerifyStream),
    }
}

/// Whether only the answers to a query that is one selector can be proven.
pub(super) fn needs_selector(endpoint: Endpoint) -> bool {
    series_in(endpoint) == Some(SeriesIn::Query)
}

/// Where an answer of text has its series.
fn series_in(endpoint: Endpoint) -> Option<SeriesIn> {
    if endpoint == Endpoint::Series {
        Some(SeriesIn::Series)
    } else if endpoint == Endpoint::Federate {
        Some(SeriesIn::Federate)
    } else {
        matches!(endpoint, Endpoint::Query | Endpoint::QueryRange).then_some(SeriesIn::Query)
    }
}

/// How the series of an answer are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// From text.
    Text(SeriesIn),
    /// From one snappy block of samples.
    Samples,
    /// From frames of chunks.
    Chunks,
}

impl Proof {
    /// The proof of an endpoint whose answer has this head; none where the answer is of a type that
    /// nobody can read.
    pub(super) fn of(endpoint: Endpoint, head: &ResponseHead) -> Option<Self> {
        if let Some(series) = series_in(endpoint) {
            return Some(Self::Text(series));
        }
        let given = head.headers.one("content-type").ok().flatten()?;
        let kind = std::str::from_utf8(given).ok()?.split(';').next()?.trim();
        match (kind, head.headers.one("content-encoding").ok()?) {
            ("application/x-protobuf", Some(b"snappy")) => Some(Self::Samples),
            ("application/x-streamed-protobuf", None) => Some(Self::Chunks),
            _ => None,
        }
    }

    /// Reads a whole answer, of at most `limit` decoded bytes, and gives it back; of Thanos without
    /// the warnings of stores where they are to be cut.
    pub(super) fn check(
        self,
        body: Blocks,
        scope: &Scope,
        limit: usize,
        cuts_warnings: bool,
    ) -> Result<Blocks, AnswerError> {
        match self {
            Self::Text(series) => respond::verify(body, series, scope, cuts_warnings),
            Self::Samples => {
                let whole = body.join();
                read::verify_samples(&whole, scope, limit).map_err(in_our_words)?;
                Ok(whole.into())
            }
            Self::Chunks => {
                let mut chunks = ChunkVerifier::new(scope.clone());
                for piece in body.pieces() {
                    chunks.feed(piece).map_err(in_our_words)?;
                }
                chunks.finish().map_err(in_our_words)?;
                Ok(body)
            }
        }
    }

    /// A reader of a streaming answer; none for an answer that can only be read as a whole.
    pub(super) fn scanner(self, scope: &Scope, cuts_warnings: bool) -> Option<Scanner> {
        match self {
            Self::Text(series) => Some(Scanner::Text(
                Verifier::new(series, scope.clone()),
                cuts_warnings.then(WarningCutter::new),
            )),
            Self::Samples => None,
            Self::Chunks => Some(Scanner::Chunks(ChunkVerifier::new(scope.clone()))),
        }
    }
}

/// A reader of a streaming answer, which gives out what may leave.
#[derive(Debug)]
pub(super) enum Scanner {
    Text(Verifier, Option<WarningCutter>),
    Chunks(ChunkVerifier),
}

impl Scanner {
    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<Vec<u8>, AnswerError> {
        match self {
            Self::Text(verifier, None) => verifier.feed(piece),
            Self::Text(verifier, Some(cutter)) => cutter.feed(&verifier.feed(piece)?),
            Self::Chunks(chunks) => chunks.feed(piece).map_err(in_our_words),
        }
    }

    pub(super) fn finish(self) -> Result<Vec<u8>, AnswerError> {
        match self {
            Self::Text(verifier, None) => verifier.finish(),
            Self::Text(verifier, Some(mut cutter)) => {
                let mut out = cutter.feed(&verifier.finish()?)?;
                out.extend(cutter.finish()?);
                Ok(out)
            }
            Self::Chunks(chunks) => chunks.finish().map(|()| Vec::new()).map_err(in_our_words),
        }
    }

    /// The bytes that are held back, where they may be many.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Text(..) => 0,
            Self::Chunks(chunks) => chunks.held(),
        }
    }
}

fn in_our_words(e: read::AnswerError) -> AnswerError {
    match e {
        read::AnswerError::Malformed(_) => AnswerError::Shape,
        read::AnswerError::TooLarge => AnswerError::Limit,
        read::AnswerError::Foreign => AnswerError::Foreign,
    }
}
