//! Proof on the answer: each series must be in scope, or nothing more of it leaves.

use super::AnswerError;
use super::blocks::Blocks;
use super::edit::Editor;
use super::envelope;
use super::federate;
use super::json::{Cursor, Kind, Raw};
use super::labels::{Standing, standing};
use super::lists::is_inside;
use super::push::{Push, Taken, Visitor, Want};
use super::warnings::key_is;
use crate::scope::Scope;

/// The most bytes that are held back until a series is seen to be in scope.
const MAX_HELD: usize = 256 * 1024;

/// Where an answer has its series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesIn {
    /// `/api/v1/series`: each element of `data`.
    Series,
    /// `/api/v1/query` and `/query_range`: `metric` of each element of `data.result`.
    Query,
    /// `/federate`: each line of the text.
    Federate,
}

/// Reads a whole answer, and gives it back as it is; with `cut_warnings` without the warnings of
/// stores.
///
/// # Errors
/// [`AnswerError::Foreign`] if a series is not in scope; another if the answer is not understood.
pub fn verify(
    body: Blocks,
    series: SeriesIn,
    scope: &Scope,
    cut_warnings: bool,
) -> Result<Blocks, AnswerError> {
    if scope.is_unlimited() {
        return Ok(body);
    }
    match series {
        SeriesIn::Series => envelope::read(body, cut_warnings, &mut |e| {
            if e.kind()? == Kind::Null {
                return e.skip();
            }
            e.elements(|e| inside(e.scan(|c| standing(c, scope))? == Standing::Inside))
                .map(|_| ())
        }),
        SeriesIn::Query => {
            envelope::read(body, cut_warnings, &mut |e| results(e, scope, cut_warnings))
        }
        SeriesIn::Federate => {
            let mut lines = federate::Lines::new(scope.clone());
            for piece in body.pieces() {
                lines.feed(piece)?;
            }
            lines.finish()?;
            Ok(body)
        }
    }
}

/// Reads the results of a query, which are the value that begins here.
fn results(e: &mut Editor, scope: &Scope, cut_warnings: bool) -> Result<(), AnswerError> {
    #[derive(Clone, Copy)]
    enum Member {
        Result,
        Notes,
        Other,
    }
    let member = |key: Raw<'_>| {
        if key.is("result") {
            Member::Result
        } else if cut_warnings && envelope::is_notes(key) {
            Member::Notes
        } else {
            Member::Other
        }
    };
    e.members(member, |e, member| match member {
        Member::Result if !e.kind()?.is_scalar() => e.staying(|e| {
            e.elements(|e| match e.kind()? {
                Kind::Object => inside(e.scan(|c| is_inside(c, "metric", scope))?),
                Kind::String | Kind::Null | Kind::Plain => e.skip().map(|()| true),
                Kind::Array => Err(AnswerError::Shape),
            })?;
            Ok(true)
        }),
        Member::Notes => envelope::notes(e),
        Member::Result | Member::Other => e.skip().map(|()| true),
    })?;
    Ok(())
}

/// What is inside stays; the rest is an error.
fn inside(inside: bool) -> Result<bool, AnswerError> {
    if inside {
        Ok(true)
    } else {
        Err(AnswerError::Foreign)
    }
}

/// Reads an answer while it streams, and gives out only series that it has seen to be in scope.
///
/// After an error the stream must be reset.
#[derive(Debug)]
pub struct Verifier(Inner);

#[derive(Debug)]
enum Inner {
    Json(Box<Push<Series>>),
    Lines(federate::Lines),
}

impl Verifier {
    /// A scanner before the first byte of an answer.
    #[must_use]
    pub fn new(series: SeriesIn, scope: Scope) -> Self {
        let json = |series| {
            let visitor = Series {
                scope: scope.clone(),
                series,
                in_list: false,
                success: false,
            };
            Inner::Json(Box::new(Push::new(visitor, MAX_HELD)))
        };
        Self(match series {
            SeriesIn::Series | SeriesIn::Query => json(series),
            SeriesIn::Federate => Inner::Lines(federate::Lines::new(scope)),
        })
    }

    /// Reads a chunk and gives out what may leave.
    ///
    /// # Errors
    /// As [`verify`], or too much would have to be held.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<Vec<u8>, AnswerError> {
        match &mut self.0 {
            Inner::Json(push) => push.feed(chunk),
            Inner::Lines(lines) => lines.feed(chunk),
        }
    }

    /// Ends the answer and gives out what is left of it.
    ///
    /// # Errors
    /// The answer has ended before its time.
    pub fn finish(self) -> Result<Vec<u8>, AnswerError> {
        match self.0 {
            Inner::Json(push) => push.finish(),
            Inner::Lines(lines) => lines.finish(),
        }
    }
}

#[derive(Debug)]
struct Series {
    scope: Scope,
    series: SeriesIn,
    in_list: bool,
    success: bool,
}

impl Series {
    /// How many containers are around an element of the list of series.
    fn depth(&self) -> usize {
        if self.series == SeriesIn::Query { 3 } else { 2 }
    }
}

impl Visitor for Series {
    fn begin(&mut self, level: usize, key: &[u8], kind: Kind) -> Result<Want, AnswerError> {
        if level == 0 {
            return if kind == Kind::Object {
                Ok(Want::Walk)
            } else {
                Err(AnswerError::Shape)
            };
        }
        let query = self.series == SeriesIn::Query;
        if level < self.depth() {
            let name = if level == 1 { "data" } else { "result" };
            let container = if query && level == 1 {
                Kind::Object
            } else {
                Kind::Array
            };
            self.in_list = key_is(key, name) && level + 1 == self.depth();
            return Ok(match kind {
                _ if level == 1 && key_is(key, "status") => Want::Take,
                _ if level == 1 && (key_is(key, "error") || key_is(key, "errorType")) => {
                    return Err(AnswerError::Status);
                }
                kind if key_is(key, name) && kind == container => Want::Walk,
                Kind::Object | Kind::Array if key_is(key, name) => return Err(AnswerError::Shape),
                Kind::Object | Kind::Array | Kind::String | Kind::Null | Kind::Plain => Want::Pass,
            });
        }
        if level == self.depth() {
            return match (query, kind) {
                (true, Kind::Object) => Ok(Want::Hold),
                (true, Kind::Array) => Err(AnswerError::Shape),
                (true, Kind::String | Kind::Null | Kind::Plain) => Ok(Want::Pass),
                (false, _) => Ok(Want::Take),
            };
        }
        Ok(if key_is(key, "metric") {
            Want::Take
        } else {
            Want::Pass
        })
    }

    fn took(&mut self, level: usize, text: &[u8]) -> Result<Taken, AnswerError> {
        let mut c = Cursor::new(text)?;
        if level == 1 {
            self.success = c.kind()? == Kind::String && c.string()?.is("success");
            return if self.success {
                Ok(Taken::Release)
            } else {
                Err(AnswerError::Status)
            };
        }
        inside(standing(&mut c, &self.scope)? == Standing::Inside)?;
        c.end()?;
        Ok(Taken::Release)
    }

    fn end(&self) -> Result<(), AnswerError> {
        if self.success {
            Ok(())
        } else {
            Err(AnswerError::Status)
        }
    }
}

#[cfg(test)]
mod tests;
