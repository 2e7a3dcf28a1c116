//! Findings: what is wrong, where, and how bad it is.

use std::fmt;
use std::io::Write;

use serde::Serialize;

use super::super::output::Failure;
use super::node::Node;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Severity {
    /// It does not work, or does not protect.
    Error,
    /// It works, but something is weaker than it could be.
    Warning,
    /// Something that could not be looked at, or is worth knowing.
    Note,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<usize>,
    pub(super) severity: Severity,
    /// Within the plugin's configuration where that is what is wrong, else within the file.
    pub(super) path: String,
    pub(super) reason: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(match self.severity {
            Severity::Error => ": error: ",
            Severity::Warning => ": warning: ",
            Severity::Note => ": note: ",
        })?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.reason)
    }
}

/// All findings so far.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn error(&mut self, node: &Node<'_>, reason: impl Into<String>) {
        self.at(Severity::Error, node, node.way(), reason);
    }

    pub(super) fn warn(&mut self, node: &Node<'_>, reason: impl Into<String>) {
        self.at(Severity::Warning, node, node.way(), reason);
    }

    pub(super) fn note(&mut self, node: &Node<'_>, reason: impl Into<String>) {
        self.at(Severity::Note, node, node.way(), reason);
    }

    /// A finding with a path of its own.
    pub(super) fn at(
        &mut self,
        severity: Severity,
        node: &Node<'_>,
        path: impl Into<String>,
        reason: impl Into<String>,
    ) {
        self.add(Finding {
            file: node.source.file.clone(),
            line: node.line(),
            severity,
            path: path.into(),
            reason: reason.into(),
        });
    }

    pub(super) fn add(&mut self, finding: Finding) {
        // What two plugins share is said once.
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    pub(super) fn count(&self, severity: Severity) -> usize {
        self.0.iter().filter(|f| f.severity == severity).count()
    }

    pub(super) fn print(&self, quiet: bool, out: &mut dyn Write) -> Result<(), Failure> {
        for finding in self
            .0
            .iter()
            .filter(|f| !quiet || f.severity != Severity::Note)
        {
            writeln!(out, "{finding}")?;
        }
        Ok(())
    }

    pub(super) fn list(&self) -> &[Finding] {
        &self.0
    }
}
