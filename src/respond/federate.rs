//! The text format of `/federate`, held against a scope line by line.

use std::borrow::Cow;

use super::AnswerError;
use super::labels::{Standing, Tally};
use crate::scope::Scope;

/// The longest line, in bytes.
const MAX_LINE: usize = 256 * 1024;

/// A scanner that gives out the lines of series in scope and fails at any other.
#[derive(Debug)]
pub(super) struct Lines {
    scope: Scope,
    partial: Vec<u8>,
}

impl Lines {
    pub(super) fn new(scope: Scope) -> Self {
        Self {
            scope,
            partial: Vec::new(),
        }
    }

    pub(super) fn feed(&mut self, chunk: &[u8]) -> Result<Vec<u8>, AnswerError> {
        let Some(last) = memchr::memrchr(b'\n', chunk) else {
            self.partial.extend_from_slice(chunk);
            return self.bounded(Vec::new());
        };
        let (whole, rest) = chunk.split_at_checked(last + 1).ok_or(AnswerError::Json)?;
        let mut text = std::mem::take(&mut self.partial);
        text.extend_from_slice(whole);
        self.partial.extend_from_slice(rest);
        for line in text.split(|b| *b == b'\n') {
            self.check(line)?;
        }
        self.bounded(text)
    }

    pub(super) fn finish(self) -> Result<Vec<u8>, AnswerError> {
        self.check(&self.partial)?;
        Ok(self.partial)
    }

    fn bounded(&self, out: Vec<u8>) -> Result<Vec<u8>, AnswerError> {
        if self.partial.len() > MAX_LINE {
            return Err(AnswerError::Limit);
        }
        Ok(out)
    }

    fn check(&self, line: &[u8]) -> Result<(), AnswerError> {
        let line = std::str::from_utf8(line).map_err(|_| AnswerError::Json)?;
        let line = line.trim_start_matches([' ', '\t']);
        if line.is_empty() || line.starts_with('#') || self.scope.is_unlimited() {
            return Ok(());
        }
        let mut tally = Tally::new(&self.scope);
        let name_end = line
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
            .unwrap_or(line.len());
        let rest = line.get(name_end..).unwrap_or_default();
        let rest = rest.trim_start_matches([' ', '\t']);
        if let Some(labels) = rest.strip_prefix('{') {
            read_labels(labels, &mut tally).ok_or(AnswerError::Shape)?;
        }
        if tally.standing() == Standing::Inside {
            Ok(())
        } else {
            Err(AnswerError::Foreign)
        }
    }
}

/// Reads labels up to their closing brace. A quoted text without a value is the metric's name.
fn read_labels(mut rest: &str, tally: &mut Tally<'_>) -> Option<()> {
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if rest.starts_with('}') {
            return Some(());
        }
        let name;
        if rest.starts_with('"') {
            (name, rest) = quoted(rest)?;
        } else {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
            let (own, after) = rest.split_at_checked(end)?;
            (name, rest) = (Cow::Borrowed(own), after);
        }
        rest = rest.trim_start_matches([' ', '\t']);
        if let Some(value) = rest.strip_prefix('=') {
            let value_text;
            (value_text, rest) = quoted(value.trim_start_matches([' ', '\t']))?;
            tally.label(&name, &value_text);
            rest = rest.trim_start_matches([' ', '\t']);
        }
        rest = match rest.strip_prefix(',') {
            Some(next) => next,
            None if rest.starts_with('}') => rest,
            None => return None,
        };
    }
}

/// Reads a text in quotes, and gives what stands behind it.
fn quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let text = text.strip_prefix('"')?;
    let end = text.find(['"', '\\'])?;
    let (plain, rest) = text.split_at_checked(end)?;
    if let Some(after) = rest.strip_prefix('"') {
        return Some((Cow::Borrowed(plain), after));
    }
    let mut value = plain.to_string();
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => return Some((Cow::Owned(value), chars.as_str())),
            '\\' => value.push(match chars.next()? {
                'n' => '\n',
                c @ ('"' | '\\') => c,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
}
