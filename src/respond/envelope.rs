//! The envelope that Prometheus and Thanos put around every answer.

use super::AnswerError;
use super::edit::Editor;
use super::json::{Cursor, Kind, Raw};

enum Member {
    Status,
    Data,
    Notes,
    Error,
    Other,
}

fn member(key: Raw<'_>) -> Member {
    if key.is("status") {
        Member::Status
    } else if key.is("data") {
        Member::Data
    } else if key.is("warnings") || key.is("infos") {
        Member::Notes
    } else if key.is("error") || key.is("errorType") {
        Member::Error
    } else {
        Member::Other
    }
}

/// Filters an enveloped answer: `data` is called at the value of `data`.
///
/// Only a success is read. Warnings of stores go, those of the engine stay. Of members that
/// nobody knows, plain values stay and lists go: they may list what others own.
pub(super) fn filter(
    body: Vec<u8>,
    mut data: impl FnMut(&mut Editor) -> Result<(), AnswerError>,
) -> Result<Vec<u8>, AnswerError> {
    let mut editor = Editor::new(body)?;
    let mut success = false;
    editor.members(member, |e, member| match member {
        Member::Status => {
            if !e.scan(|c| c.string().map(|s| s.is("success")))? {
                return Err(AnswerError::Status);
            }
            success = true;
            Ok(true)
        }
        Member::Data => data(e).map(|()| true),
        Member::Notes => notes(e),
        Member::Error => Err(AnswerError::Status),
        Member::Other => other(e),
    })?;
    if !success {
        return Err(AnswerError::Status);
    }
    editor.finish()
}

/// Reads an enveloped answer without changing it: `data` is called at the value of `data`.
pub(super) fn read(
    body: &[u8],
    mut data: impl FnMut(&mut Cursor<'_>) -> Result<(), AnswerError>,
) -> Result<(), AnswerError> {
    let mut cursor = Cursor::new(body)?;
    let mut success = false;
    cursor.members(|c, key| match member(key) {
        Member::Status => {
            success = c.string()?.is("success");
            if success {
                Ok(())
            } else {
                Err(AnswerError::Status)
            }
        }
        Member::Data => data(c),
        Member::Error => Err(AnswerError::Status),
        Member::Notes | Member::Other => c.skip(),
    })?;
    if !success {
        return Err(AnswerError::Status);
    }
    cursor.end()
}

/// Steps over a member that nobody knows. Says whether it stays.
pub(super) fn other(e: &mut Editor) -> Result<bool, AnswerError> {
    let stays = e.kind()?.is_scalar();
    e.skip()?;
    Ok(stays)
}

/// Filters warnings or infos. Says whether any is left.
pub(super) fn notes(e: &mut Editor) -> Result<bool, AnswerError> {
    if e.kind()? != Kind::Array {
        e.skip()?;
        return Ok(false);
    }
    e.elements(|e| {
        if e.kind()? == Kind::String {
            e.scan(|c| c.string().map(is_of_the_engine))
        } else {
            e.skip().map(|()| false)
        }
    })
}

/// Whether a warning is the query engine's own: those of stores name addresses and label sets.
fn is_of_the_engine(note: Raw<'_>) -> bool {
    note.text()
        .is_ok_and(|t| t.starts_with("PromQL info") || t.starts_with("PromQL warning"))
}
