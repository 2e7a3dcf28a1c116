//! One HTTP stream, with the order of events and the buffers of Envoy's filter manager.

use std::collections::BTreeMap;

use super::state::Fields;

/// A stream.
#[derive(Default)]
pub(crate) struct Stream {
    pub(crate) root: u32,
    pub(crate) request: Side,
    pub(crate) response: Side,
    /// The reply of the filter itself.
    pub(crate) reply: Option<Message>,
    /// The stream was cut: nothing more arrives anywhere.
    pub(crate) reset: bool,
    /// Property path, its parts joined by NUL, to value.
    pub(crate) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Whether a pause at headers lets the body callbacks through.
    pub(crate) stop_iteration: bool,
}

/// The request or the response of a stream.
#[derive(Default)]
pub(crate) struct Side {
    /// The fields now; the filter may change them until they have gone.
    pub(crate) head: Fields,
    pub(crate) head_open: bool,
    pub(crate) trailers: Fields,
    pub(crate) trailers_open: bool,
    /// The buffer that the filter sees: of the callback, or what a pause has kept.
    pub(crate) buffer: Option<Vec<u8>>,
    /// A pause keeps the buffer.
    pub(crate) buffering: bool,
    pub(crate) stopped: Stopped,
    /// What came while everything stood still.
    pub(crate) pending: Vec<u8>,
    pub(crate) pending_end: bool,
    pub(crate) pending_trailers: Option<Fields>,
    /// The last byte was seen.
    pub(crate) end_seen: bool,
    /// What has passed.
    pub(crate) out: Message,
}

/// How far a pause reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stopped {
    #[default]
    No,
    /// The next filter gets nothing; this one still gets body and trailers.
    Single,
    /// Nobody gets anything.
    All,
}

/// A message, as far as it has arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) head: Option<Fields>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<Fields>,
    pub(crate) ended: bool,
}

impl Message {
    /// All values of a header, as text.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let head = self.head.iter().flatten();
        head.filter(|(n, _)| n == name)
            .map(|(_, v)| String::from_utf8_lossy(v).into_owned())
            .collect()
    }

    /// The value of a header that is there at most once.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let mut all = self.all(name);
        assert!(all.len() <= 1, "`{name}` stands {} times", all.len());
        all.pop()
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> u16 {
        self.header(":status")
            .and_then(|s| s.parse().ok())
            .unwrap_or_default()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Side {
    /// The head goes on.
    pub(crate) fn send_head(&mut self) {
        if self.out.head.is_none() {
            self.out.head = Some(self.head.clone());
        }
        self.head_open = false;
    }

    /// What a pause has kept goes on.
    pub(crate) fn send_kept(&mut self) {
        self.buffering = false;
        if let Some(kept) = self.buffer.take() {
            self.out.body.extend_from_slice(&kept);
        }
    }

    /// Replaces part of the buffer as Envoy does.
    pub(crate) fn replace(&mut self, start: usize, size: usize, with: &[u8]) -> bool {
        let Some(buffer) = &mut self.buffer else {
            return false;
        };
        if start == 0 && size == 0 {
            let mut whole = with.to_vec();
            whole.append(buffer);
            *buffer = whole;
        } else if start == 0 && size >= buffer.len() {
            *buffer = with.to_vec();
        } else if start > 0 && start >= buffer.len() {
            buffer.extend_from_slice(with);
        } else {
            return false;
        }
        true
    }
}
