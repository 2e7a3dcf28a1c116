//! Heads of requests and responses as the host hands them over: bytes, in order, with duplicates.

/// Seconds since 1970-01-01T00:00:00Z, with a fraction. Always handed in, never read.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct UnixTime(f64);

impl UnixTime {
    /// From whole seconds.
    #[must_use]
    pub fn from_secs(secs: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 seconds")]
        Self(secs as f64)
    }

    /// From nanoseconds.
    #[must_use]
    pub fn from_nanos(nanos: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "microseconds are enough")]
        Self(nanos as f64 / 1e9)
    }

    /// Seconds as a number.
    #[must_use]
    pub fn secs(self) -> f64 {
        self.0
    }

    /// This time, `seconds` later.
    #[must_use]
    pub fn plus(self, seconds: f64) -> Self {
        Self(self.0 + seconds)
    }
}

/// A set of bytes, as a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes([bool; 256]);

impl Bytes {
    /// These bytes.
    pub(crate) const fn of(bytes: &[u8]) -> Self {
        Self([false; 256]).with(bytes, true)
    }

    /// All visible characters of ASCII but these.
    pub(crate) const fn graphic_but(bytes: &[u8]) -> Self {
        let mut set = Self([false; 256]);
        let mut byte = b'!';
        while byte <= b'~' {
            set = set.with(&[byte], true);
            byte += 1;
        }
        set.with(bytes, false)
    }

    const fn with(mut self, mut bytes: &[u8], is: bool) -> Self {
        while let [first, rest @ ..] = bytes {
            #[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
            {
                self.0[*first as usize] = is;
            }
            bytes = rest;
        }
        self
    }

    /// Whether a byte is among them.
    pub(crate) fn has(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)).copied().unwrap_or_default()
    }
}

/// Header fields in order. Names are lower case (the host's form); `:method`, `:path`,
/// `:authority` and `:status` are among them.
#[derive(Clone, Debug, Default)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// From the host's list.
    #[must_use]
    pub fn new(fields: Vec<(String, Vec<u8>)>) -> Self {
        Self(fields)
    }

    /// The fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_slice()))
    }

    /// All values of a name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(n, _)| *n == name).map(|(_, v)| v)
    }

    /// The value of a name that stands exactly once; an error where it stands twice.
    pub fn one<'a>(&'a self, name: &'a str) -> Result<Option<&'a [u8]>, Repeated> {
        let mut all = self.all(name);
        let first = all.next();
        if all.next().is_some() {
            return Err(Repeated);
        }
        Ok(first)
    }
}

/// A header field stands more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated;

/// The head of a request.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    /// All fields.
    pub headers: Headers,
}

impl RequestHead {
    /// `:method`, or nothing.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        self.headers.all(":method").next().unwrap_or_default()
    }

    /// `:path` with its query string, or nothing (CONNECT has none).
    #[must_use]
    pub fn target(&self) -> &[u8] {
        self.headers.all(":path").next().unwrap_or_default()
    }

    /// `:path` split at its first `?`.
    #[must_use]
    pub fn path_and_query(&self) -> (&[u8], Option<&[u8]>) {
        let target = self.target();
        match target.iter().position(|b| *b == b'?') {
            Some(at) => {
                let (path, query) = target.split_at(at);
                (path, query.get(1..))
            }
            None => (target, None),
        }
    }

    /// `:authority` (the host of the request), or nothing.
    #[must_use]
    pub fn authority(&self) -> &[u8] {
        self.headers.all(":authority").next().unwrap_or_default()
    }
}

/// The head of a response.
#[derive(Clone, Debug, Default)]
pub struct ResponseHead {
    /// All fields.
    pub headers: Headers,
}

impl ResponseHead {
    /// `:status` as a number; 0 if it is none.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.headers
            .all(":status")
            .next()
            .and_then(|v| std::str::from_utf8(v).ok())
            .and_then(|v| v.parse().ok())
            .unwrap_or_default()
    }
}
