//! The closed table of endpoints: a method and a raw path become an [`Endpoint`], or are refused.

mod endpoint;
mod table;
#[cfg(test)]
mod tests;

pub use endpoint::{Access, Carry, Endpoint};
pub use table::{Path, ROWS, Row};

use crate::http::Bytes;

/// What an upstream is. Its kind decides which endpoints exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Prometheus.
    Prometheus,
    /// Thanos Query, or a Query Frontend before it.
    Thanos,
    /// Thanos Receive.
    Receive,
    /// Thanos Rule.
    Ruler,
    /// Alertmanager.
    Alertmanager,
}

/// A request that the table knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route<'a> {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The label name or the silence's id in the path.
    pub argument: Option<&'a str>,
    /// The path that the upstream gets, without prefix.
    pub upstream_path: &'a str,
}

/// Why a request is not in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteError {
    /// The path could be read in more than one way.
    BadPath,
    /// There is no such path.
    NotFound,
    /// The path has other methods: the value of `Allow`.
    MethodNotAllowed(&'static str),
}

impl std::fmt::Display for RouteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BadPath => f.write_str(
                "the path must be plain: no `%`, `;`, `\\`, `//`, `/./`, `/../` or control character",
            ),
            Self::NotFound => f.write_str("no such endpoint here"),
            Self::MethodNotAllowed(allow) => write!(f, "this endpoint takes {allow} only"),
        }
    }
}

impl std::error::Error for RouteError {}

/// The longest path, in bytes.
pub const MAX_PATH: usize = 1024;

/// Finds the endpoint of a method and a raw path, without prefix and query string, byte for byte.
///
/// HEAD is known for health alone, and OPTIONS nowhere: an upstream that answers them would do so
/// past the parameters that confine it.
pub fn resolve<'a>(kind: Kind, method: &[u8], path: &'a [u8]) -> Result<Route<'a>, RouteError> {
    let path = plain(path).ok_or(RouteError::BadPath)?;
    for row in ROWS.iter().filter(|row| row.kinds.contains(&kind)) {
        let Some(argument) = row.path.matches(path) else {
            continue;
        };
        let endpoint = match method {
            b"GET" => row.get,
            b"POST" => row.post,
            b"DELETE" => row.delete,
            b"HEAD" if row.head => row.get,
            _ => None,
        };
        return Ok(Route {
            endpoint: endpoint.ok_or(RouteError::MethodNotAllowed(row.allow()))?,
            argument,
            upstream_path: match (kind, row.get, row.post) {
                (Kind::Receive, None, Some(Endpoint::Otlp)) => "/api/v1/otlp",
                _ => path,
            },
        });
    }
    Err(RouteError::NotFound)
}

/// What every server takes for itself.
static PLAIN: Bytes = Bytes::graphic_but(b"%;\\?#");

/// The path as text, if no server could read it as another one.
fn plain(path: &[u8]) -> Option<&str> {
    let fits =
        path.first() == Some(&b'/') && path.len() <= MAX_PATH && path.iter().all(|b| PLAIN.has(*b));
    let path = std::str::from_utf8(path).ok().filter(|_| fits)?;
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        if matches!(segment, "." | "..") || (segment.is_empty() && !last) {
            return None;
        }
    }
    Some(path)
}

impl Kind {
    /// The kind's name in configuration and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::Thanos => "thanos",
            Self::Receive => "receive",
            Self::Ruler => "ruler",
            Self::Alertmanager => "alertmanager",
        }
    }
}
