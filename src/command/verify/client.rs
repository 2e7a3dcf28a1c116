//! A small HTTP/1.1 client that sends exactly the bytes it is given: a polite one would mend the very
//! requests that are to be tried.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::super::output::Failure;

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) method: &'static str,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Ask {
    pub(super) fn get(target: impl Into<String>) -> Self {
        Self {
            method: "GET",
            target: target.into(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A form.
    pub(super) fn form(target: impl Into<String>, form: &str) -> Self {
        let ask = Self {
            method: "POST",
            body: form.as_bytes().to_vec(),
            ..Self::get(target)
        };
        ask.with("content-type", "application/x-www-form-urlencoded")
    }

    pub(super) fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(super) fn bearer(self, token: &str) -> Self {
        self.with("authorization", format!("Bearer {token}"))
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Whom requests are sent to.
pub(super) struct Gateway {
    address: String,
    name: String,
    authority: String,
    prefix: String,
    tls: Option<Arc<ClientConfig>>,
    timeout: Duration,
}

/// The largest answer that is read.
const MOST: usize = 64 << 20;

impl Gateway {
    pub(super) fn new(
        url: &str,
        host: Option<&str>,
        ca: Option<&str>,
        timeout: u64,
    ) -> Result<Self, Failure> {
        let wrong = || {
            Failure::new(format!(
                "`{url}` is not a URL such as `https://metrics.example`"
            ))
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return Err(wrong()),
        };
        if authority.is_empty() || authority.contains('@') {
            return Err(wrong());
        }
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, p)| p.parse::<u16>().is_ok());
        let address = if has_port {
            authority.to_owned()
        } else {
            format!("{authority}:{port}")
        };
        let name = address.rsplit_once(':').map_or(authority, |(name, _)| name);
        let name = name
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let prefix = path.trim_end_matches('/');
        Ok(Self {
            name,
            authority: host.unwrap_or(authority).to_owned(),
            prefix: if prefix.is_empty() {
                String::new()
            } else {
                format!("/{prefix}")
            },
            tls: if scheme == "https" {
                Some(tls(ca)?)
            } else {
                None
            },
            timeout: Duration::from_secs(timeout.max(1)),
            address,
        })
    }

    /// Sends a request on a connection of its own. An error says what happened to it.
    pub(super) fn ask(&self, ask: &Ask) -> Result<Answer, String> {
        let text = |e: std::io::Error| e.to_string();
        let mut addresses = self.address.to_socket_addrs().map_err(text)?;
        let address = addresses.next().ok_or("the name has no address")?;
        let stream = TcpStream::connect_timeout(&address, self.timeout).map_err(text)?;
        stream.set_read_timeout(Some(self.timeout)).map_err(text)?;
        stream.set_write_timeout(Some(self.timeout)).map_err(text)?;
        match &self.tls {
            None => self.exchange(stream, ask),
            Some(config) => {
                let name = ServerName::try_from(self.name.clone()).map_err(|e| e.to_string())?;
                let connection =
                    ClientConnection::new(config.clone(), name).map_err(|e| e.to_string())?;
                self.exchange(StreamOwned::new(connection, stream), ask)
            }
        }
    }

    fn exchange(&self, mut stream: impl Read + Write, ask: &Ask) -> Result<Answer, String> {
        let mut head = format!("{} {}{} HTTP/1.1\r\n", ask.method, self.prefix, ask.target);
        head.push_str(&format!("host: {}\r\n", self.authority));
        for (name, value) in &ask.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !ask.body.is_empty() || ask.method == "POST" {
            head.push_str(&format!("content-length: {}\r\n", ask.body.len()));
        }
        head.push_str("connection: close\r\n\r\n");
        // A server that refuses by the head alone may close while the body is written.
        let sent = stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(&ask.body));
        let sent = sent.and_then(|()| stream.flush());
        let mut bytes = Vec::new();
        let read = read_answer(&mut stream, &mut bytes);
        match parse(&bytes) {
            Some(answer) => Ok(answer),
            None => Err(match (sent, read) {
                (Err(e), _) | (Ok(()), Err(e)) => e.to_string(),
                (Ok(()), Ok(())) => "the connection was closed without an answer".to_owned(),
            }),
        }
    }
}

/// Trusts the given authorities, or the usual ones.
fn tls(ca: Option<&str>) -> Result<Arc<ClientConfig>, Failure> {
    let mut roots = RootCertStore::empty();
    match ca {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|e| Failure::new(format!("`--ca`: {e}")))?;
                roots
                    .add(certificate)
                    .map_err(|e| Failure::new(format!("`--ca`: {e}")))?;
            }
            if roots.is_empty() {
                return Err(Failure::new("`--ca`: no certificate is in the file"));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Failure::new(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Reads until the answer is whole: a proxy may keep the connection open for a while.
fn read_answer(stream: &mut impl Read, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    while bytes.len() < MOST && !is_whole(bytes) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => bytes.extend_from_slice(buffer.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Whether an answer that says how long it is has come to its end.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
        return false;
    };
    let (head, rest) = bytes.split_at(end);
    let rest = rest.get(4..).unwrap_or_default();
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    if head.split(' ').nth(1) == Some("100") {
        return is_whole(rest);
    }
    let length = head
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length:"));
    match length.and_then(|n| n.trim().parse::<usize>().ok()) {
        Some(length) => rest.len() >= length,
        None => rest.ends_with(b"0\r\n\r\n") && unchunk(rest).1,
    }
}

/// Reads an answer: its status and its body, chunks put together.
fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n")?;
    let (head, rest) = bytes.split_at(end);
    let rest = rest.get(4..).unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    if status == 100 {
        return parse(rest);
    }
    let chunked = lines.any(|line| {
        let line = line.to_ascii_lowercase();
        line.starts_with("transfer-encoding:") && line.contains("chunked")
    });
    let body = if chunked {
        unchunk(rest).0
    } else {
        rest.to_vec()
    };
    Some(Answer { status, body })
}

/// Puts chunks together, as far as they have come, and tells whether the last one has.
fn unchunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = memchr::memmem::find(rest, b"\r\n") {
        let (size, after) = rest.split_at(end);
        let size = String::from_utf8_lossy(size);
        let size = size.split(';').next().unwrap_or_default().trim();
        let Ok(size) = usize::from_str_radix(size, 16) else {
            break;
        };
        let after = after.get(2..).unwrap_or_default();
        let (chunk, after) = after.split_at(size.min(after.len()));
        body.extend_from_slice(chunk);
        if size == 0 {
            return (body, true);
        }
        rest = after.get(2..).unwrap_or_default();
    }
    (body, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole() {
        let plain =
            parse(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nx: y\r\n\r\nbody").unwrap();
        assert_eq!(
            (plain.status, plain.body.as_slice()),
            (200, b"body".as_slice())
        );
        let chunked = b"HTTP/1.1 403 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n";
        assert_eq!(parse(chunked).unwrap().body, b"abcde");
        assert!(parse(b"nonsense").is_none());
        assert!(is_whole(chunked) && !is_whole(&chunked[..chunked.len() - 1]));
        let length = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab";
        assert!(is_whole(length) && !is_whole(&length[..length.len() - 1]));
    }

    #[test]
    fn urls_have_a_port_and_a_prefix() {
        let g = Gateway::new("http://h/a/b/", None, None, 1).unwrap();
        assert_eq!((g.address.as_str(), g.prefix.as_str()), ("h:80", "/a/b"));
        let g = Gateway::new("https://[::1]:8443", Some("x"), None, 1).unwrap();
        assert_eq!(
            (g.address.as_str(), g.name.as_str(), g.authority.as_str()),
            ("[::1]:8443", "::1", "x")
        );
        for bad in ["h", "ftp://h", "http://", "http://u:p@h"] {
            assert!(Gateway::new(bad, None, None, 1).is_err(), "{bad}");
        }
    }
}
