//! The envelope that Prometheus and Thanos put around every answer.

use super::AnswerError;
use super::blocks::Blocks;
use super::edit::Editor;
use super::json::{Kind, Raw};

enum Member {
    Status,
    Data,
    Notes,
    Error,
    Other,
}

pub(super) fn is_notes(key: Raw<'_>) -> bool {
    key.is("warnings") || key.is("infos")
}

fn member(key: Raw<'_>) -> Member {
    if key.is("status") {
        Member::Status
    } else if key.is("data") {
        Member::Data
    } else if is_notes(key) {
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
    body: Blocks,
    data: &mut dyn FnMut(&mut Editor) -> Result<(), AnswerError>,
) -> Result<Blocks, AnswerError> {
    let mut editor = Editor::new(body)?;
    let mut success = false;
    editor.members(member, |e, member| match member {
        Member::Status => {
            expect_success(e)?;
            success = true;
            Ok(true)
        }
        Member::Data => e.staying(|e| data(e)).map(|()| true),
        Member::Notes => notes(e),
        Member::Error => Err(AnswerError::Status),
        Member::Other => other(e),
    })?;
    if !success {
        return Err(AnswerError::Status);
    }
    editor.finish()
}

/// Reads an enveloped answer: `data` is called at the value of `data`. It stays as it is, but for
/// the warnings of stores where `cut_notes` says so.
pub(super) fn read(
    body: Blocks,
    cut_notes: bool,
    data: &mut dyn FnMut(&mut Editor) -> Result<(), AnswerError>,
) -> Result<Blocks, AnswerError> {
    let mut editor = Editor::new(body)?;
    let mut success = false;
    editor.members(member, |e, member| match member {
        Member::Status => {
            expect_success(e)?;
            success = true;
            Ok(true)
        }
        Member::Data => e.staying(|e| data(e)).map(|()| true),
        Member::Notes if cut_notes => notes(e),
        Member::Error => Err(AnswerError::Status),
        Member::Notes | Member::Other => e.skip().map(|()| true),
    })?;
    if !success {
        return Err(AnswerError::Status);
    }
    editor.finish()
}

/// Reads the status, which must be that of a success.
fn expect_success(e: &mut Editor) -> Result<(), AnswerError> {
    match e.scan(|c| c.string().map(|s| s.is("success")))? {
        true => Ok(()),
        false => Err(AnswerError::Status),
    }
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
    e.decisive_elements(|e| {
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
