//! The head of an answer: what of it is refused, what is changed, and what becomes of the body.

use super::Mode;
use super::held::{Held, Then};
use super::plan::{Plan, Success};
use crate::deny::Denial;
use crate::exchange::deny;
use crate::exchange::proof::Proof;
use crate::exchange::step::{Edits, Reply};
use crate::exchange::worker::Worker;
use crate::http::ResponseHead;
use crate::respond::{self, AnswerError};
use crate::route::Endpoint;

impl Plan {
    /// Judges the head of an answer.
    pub(super) fn head(
        &self,
        worker: &mut Worker,
        head: &ResponseHead,
        ends: bool,
    ) -> (Reply, Mode) {
        let status = head.status();
        let good = (200..300).contains(&status);
        if ends || matches!(status, 204 | 304) {
            let refused = good && status != 204 && self.needs_body();
            let reply = if refused {
                Reply::Refuse(deny::answer(&AnswerError::Json))
            } else {
                Reply::Pass
            };
            return (reply, Mode::Ended);
        }
        if good && self.success == Success::Pass || !good && !self.rewords {
            return (Reply::Pass, Mode::Pass);
        }
        let mut edits = Edits::default();
        for name in OF_THE_BODY {
            if head.headers.all(name).next().is_some() {
                edits.remove(name);
            }
        }
        let mode = if good {
            self.success(worker, head, &mut edits)
        } else {
            edits.set("content-type", "application/json");
            edits.remove("content-encoding");
            self.hold(worker, head, Then::Reword(status))
        };
        match mode {
            Ok(Mode::Hold(held)) if held.head_waits => (Reply::Hold(edits), Mode::Hold(held)),
            Ok(mode) => (Reply::Edit(edits), mode),
            Err(denial) => (Reply::Refuse(denial), Mode::Ended),
        }
    }

    /// Whether an answer without a body is no answer. No series at all is an empty body where it is
    /// no JSON.
    fn needs_body(&self) -> bool {
        let may_be_empty = matches!(
            self.endpoint,
            Endpoint::DeleteSilence | Endpoint::Federate | Endpoint::RemoteRead
        );
        (self.proves() || self.success == Success::Filter) && !may_be_empty
    }

    /// What becomes of the body of a 2xx answer.
    fn success(
        &self,
        worker: &mut Worker,
        head: &ResponseHead,
        edits: &mut Edits,
    ) -> Result<Mode, Denial> {
        let encoded = self.encoding(head).is_some();
        let proof =
            || Proof::of(self.endpoint, head).ok_or_else(|| deny::answer(&AnswerError::Shape));
        match self.success {
            Success::Pass => Ok(Mode::Pass),
            Success::Filter | Success::Verify => {
                if let Some(denial) = self.refuse_head(head) {
                    return Err(denial);
                }
                if encoded {
                    edits.remove("content-encoding");
                }
                let then = if self.success == Success::Filter {
                    Then::Filter
                } else {
                    Then::Verify(proof()?)
                };
                self.hold(worker, head, then)
            }
            Success::VerifyStream | Success::CutWarnings if encoded => {
                Err(deny::answer(&AnswerError::Encoding))
            }
            Success::VerifyStream => {
                let proof = proof()?;
                match proof.scanner(&self.scope, self.cuts_warnings()) {
                    Some(scanner) => Ok(Mode::Verify {
                        scanner,
                        counted: 0,
                    }),
                    None => self.hold(worker, head, Then::Verify(proof)),
                }
            }
            Success::CutWarnings if is_json(head) => Ok(Mode::Cut(respond::WarningCutter::new())),
            Success::CutWarnings => Err(deny::answer(&AnswerError::Json)),
        }
    }

    /// Holds a body. The head waits for it if it may turn out small enough; what is to be decoded
    /// may grow.
    fn hold(&self, worker: &mut Worker, head: &ResponseHead, then: Then) -> Result<Mode, Denial> {
        let (encoding, declared) = (self.encoding(head), declared(head));
        let small = declared.is_none_or(|n| n <= self.hold_head);
        let decoded = encoding.is_some() && !matches!(then, Then::Reword(_));
        let mut held = Held::expect(self, worker, declared, encoding, then)?;
        held.head_waits = self.hold_head > 0 && small && !decoded;
        Ok(Mode::Hold(held))
    }

    /// The encoding that must be undone before the body is read. That of a remote read is part of
    /// what it is.
    fn encoding(&self, head: &ResponseHead) -> Option<Vec<u8>> {
        let given = head.headers.all("content-encoding").next()?;
        let own = given.eq_ignore_ascii_case(b"identity")
            || (self.endpoint == Endpoint::RemoteRead && given == b"snappy");
        (!own).then(|| given.to_vec())
    }

    /// An answer that cannot be filtered is refused while a denial can still be told.
    fn refuse_head(&self, head: &ResponseHead) -> Option<Denial> {
        if declared(head).is_some_and(|n| n > self.limit) {
            return Some(deny::answer(&AnswerError::Limit));
        }
        let unknown = |e: Vec<u8>| !respond::is_decodable(&e);
        let several = head.headers.all("content-encoding").nth(1).is_some();
        if several || self.encoding(head).is_some_and(unknown) {
            return Some(deny::answer(&AnswerError::Encoding));
        }
        let text = matches!(self.endpoint, Endpoint::Federate | Endpoint::RemoteRead);
        (!text && !is_json(head)).then(|| deny::answer(&AnswerError::Json))
    }
}

/// The length that a head declares.
fn declared(head: &ResponseHead) -> Option<usize> {
    let given = head.headers.all("content-length").next()?;
    let length = std::str::from_utf8(given).ok()?.parse::<u64>().ok()?;
    Some(usize::try_from(length).unwrap_or(usize::MAX))
}

fn is_json(head: &ResponseHead) -> bool {
    head.headers.all("content-type").next().is_some_and(|v| {
        std::str::from_utf8(v).is_ok_and(|text| {
            let kind = text.split(';').next().unwrap_or_default();
            kind.trim().eq_ignore_ascii_case("application/json")
        })
    })
}

/// Headers that speak of the body as the upstream sent it.
const OF_THE_BODY: [&str; 5] = [
    "content-length",
    "etag",
    "content-md5",
    "digest",
    "accept-ranges",
];
