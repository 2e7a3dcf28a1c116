//! What the commands share: output, failures, files.

use std::fmt;
use std::io::{self, BufWriter, Read, StdoutLock, Write};
use std::path::Path;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All good: exit status 0.
    Good,
    /// Something was found or refused: exit status 1.
    Found,
}

/// A command cannot do its work: exit status 2.
#[derive(Debug)]
pub struct Failure {
    text: String,
    closed_pipe: bool,
}

impl Failure {
    /// A failure with a text: lower case, without a period.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            closed_pipe: false,
        }
    }

    /// Whether whoever reads the output has gone.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        self.closed_pipe
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        Self {
            closed_pipe: e.kind() == io::ErrorKind::BrokenPipe,
            text: e.to_string(),
        }
    }
}

/// The standard output, buffered.
pub(super) struct Terminal {
    out: BufWriter<StdoutLock<'static>>,
}

impl Terminal {
    pub(super) fn new() -> Self {
        Self {
            out: BufWriter::with_capacity(64 * 1024, io::stdout().lock()),
        }
    }

    /// The standard output.
    pub(super) fn out(&mut self) -> &mut dyn Write {
        &mut self.out
    }

    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }

    /// Writes a failure to the standard error.
    pub(super) fn complain(&mut self, failure: &Failure) {
        // What was written before the failure stands before its text.
        let _closed = self.out.flush();
        let _closed = writeln!(io::stderr(), "promfence: {failure}");
    }
}

/// Reads a file whole; `-` is the standard input.
pub(super) fn read(file: &str) -> Result<Vec<u8>, Failure> {
    if file == "-" {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(Path::new(file)).map_err(|e| Failure::new(format!("{file}: {e}")))
}

/// Reads a file of text whole; `-` is the standard input.
pub(super) fn read_text(file: &str) -> Result<String, Failure> {
    String::from_utf8(read(file)?).map_err(|_| Failure::new(format!("{file}: not UTF-8")))
}

/// The seconds since 1970 by the clock of the machine: only the commands read it.
#[expect(
    clippy::disallowed_methods,
    reason = "a command runs now; the core gets the time handed in"
)]
pub(super) fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs())
}

/// Random bytes of the system, in hexadecimal.
pub(super) fn random_hex(bytes: usize) -> Result<String, Failure> {
    let mut buffer = vec![0; bytes];
    getrandom::fill(&mut buffer).map_err(|e| Failure::new(format!("no randomness: {e}")))?;
    Ok(hex(&buffer))
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, b| {
            let _infallible = write!(text, "{b:02x}");
            text
        })
}
