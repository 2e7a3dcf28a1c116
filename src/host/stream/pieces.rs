//! Pieces of bodies on their way through a stream.

use proxy_wasm::hostcalls;
use proxy_wasm::types::{Action, BufferType};

use super::{Flow, PAUSED, Stream};
use crate::deny::Denial;
use crate::exchange::{Piece, ReplyPiece};
use crate::host::io::{self, Failed};
use crate::respond::Blocks;

impl Stream {
    pub(super) fn request_piece(&self, size: usize, ends: bool) -> Result<Action, Failed> {
        let mut flow = self.flow.borrow_mut();
        let bytes = io::body(BufferType::HttpRequestBody, size)?;
        let piece = flow
            .exchange
            .request_piece(&mut self.shared.worker.borrow_mut(), &bytes, ends);
        match piece {
            Piece::Pass => Ok(Action::Continue),
            Piece::Take => {
                io::replace(BufferType::HttpRequestBody, size, &[])?;
                flow.taken = flow.taken.saturating_add(size);
                // Only a paused body can still be emitted when trailers end it, and only small ones
                // may be paused, whatever the host's buffer limit is.
                Ok(if flow.taken <= PAUSED {
                    Action::Pause
                } else {
                    Action::Continue
                })
            }
            Piece::Emit(whole) => {
                io::replace(BufferType::HttpRequestBody, size, &whole)?;
                flow.count_written(&self.shared);
                Ok(Action::Continue)
            }
            Piece::Ask(lookup, whole) => {
                io::replace(BufferType::HttpRequestBody, size, &whole)?;
                flow.emitted = true;
                match io::ask(&lookup) {
                    Ok(token) => flow.lookup = Some(token),
                    Err(Failed) => {
                        let step = flow.exchange.looked_up(
                            &mut self.shared.worker.borrow_mut(),
                            0,
                            &[],
                            io::now(),
                        );
                        return Ok(flow.settle(&self.shared, step));
                    }
                }
                Ok(Action::Pause)
            }
            Piece::Refuse(denial) => {
                // Not a byte of a refused body stays in the stream.
                let _gone = io::replace(BufferType::HttpRequestBody, size, &[]);
                flow.refuse(&self.shared, &denial);
                Ok(Action::Pause)
            }
        }
    }

    /// Judges what of an answer's body is new, part by part. An answer passes in all its parts or in
    /// none, and none is taken for later once a part before it was given out.
    fn judge(&self, flow: &mut Flow, size: usize, ends: bool) -> Result<ReplyPiece, Failed> {
        let worker = &mut self.shared.worker.borrow_mut();
        let (mut start, mut out) = (flow.kept, Blocks::default());
        loop {
            let end = size.min(start.saturating_add(PART));
            let part = response_body(start, end)?;
            let last = end == size;
            match flow.exchange.response_piece(worker, part, ends && last) {
                ReplyPiece::Emit(blocks) => blocks.into_iter().for_each(|block| out.push(block)),
                ReplyPiece::Take if !last => {}
                judged @ (ReplyPiece::Pass
                | ReplyPiece::Take
                | ReplyPiece::Refuse(_)
                | ReplyPiece::Cut(_)) => return Ok(judged),
            }
            if last {
                return Ok(ReplyPiece::Emit(out));
            }
            start = end;
        }
    }

    pub(super) fn response_piece(&self, size: usize, came: Came) -> Result<Action, Failed> {
        let mut flow = self.flow.borrow_mut();
        // At trailers behind no body there is no buffer, and whoever touches it dies.
        let no_buffer = size == 0 && came == Came::Trailers;
        match self.judge(&mut flow, size, came != Came::Piece)? {
            ReplyPiece::Pass => Ok(Action::Continue),
            // The host keeps it: what takes its place in the end is then never larger than what the
            // host's buffer has had room for. Of a body over its limit Envoy would die.
            ReplyPiece::Take => {
                flow.kept = size;
                Ok(Action::Pause)
            }
            ReplyPiece::Emit(blocks) if no_buffer && !blocks.is_empty() => {
                flow.refuse_answer(&self.shared, &no_body());
                Ok(Action::Pause)
            }
            ReplyPiece::Emit(blocks) => {
                if !no_buffer {
                    emit(size, blocks)?;
                }
                (flow.head_waits, flow.kept) = (false, 0);
                Ok(Action::Continue)
            }
            ReplyPiece::Refuse(denial) => {
                empty(size)?;
                flow.refuse_answer(&self.shared, &denial);
                Ok(Action::Pause)
            }
            // A long piece is judged in parts, but the head is still here.
            ReplyPiece::Cut(denial) if flow.head_waits => {
                empty(size)?;
                flow.refuse_answer(&self.shared, &denial);
                Ok(Action::Pause)
            }
            ReplyPiece::Cut(denial) => {
                empty(size)?;
                flow.cut(&self.shared, &denial);
                Ok(Action::Pause)
            }
        }
    }
}

/// What of an answer came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// A piece of its body that is not the last.
    Piece,
    /// The last piece.
    Last,
    /// Its trailers, behind what has been kept of its body.
    Trailers,
}

fn no_body() -> Denial {
    Denial::new(
        502,
        "trailers",
        "the upstream's answer has trailers and no body",
    )
}

/// Leaves nothing of so many bytes of an answer's body in the stream.
fn empty(size: usize) -> Result<(), Failed> {
    if size == 0 {
        return Ok(());
    }
    io::replace(BufferType::HttpResponseBody, size, &[])
}

/// The most bytes of an answer's body that are read from the host at once: a piece of the host's may
/// be as large as its buffer.
const PART: usize = 256 * 1024;

/// Puts blocks in the place of so many bytes of an answer's body. Each is freed once the host has it.
fn emit(size: usize, blocks: Blocks) -> Result<(), Failed> {
    let mut blocks = blocks.into_iter().filter(|block| !block.is_empty());
    io::replace(
        BufferType::HttpResponseBody,
        size,
        &blocks.next().unwrap_or_default(),
    )?;
    blocks.try_for_each(|block| io::append(BufferType::HttpResponseBody, &block))
}

/// The bytes of an answer's body from `start` to `end`.
fn response_body(start: usize, end: usize) -> Result<Vec<u8>, Failed> {
    let size = end.checked_sub(start).ok_or(Failed)?;
    if size == 0 {
        return Ok(Vec::new());
    }
    match hostcalls::get_buffer(BufferType::HttpResponseBody, start, size) {
        Ok(Some(bytes)) if bytes.len() == size => Ok(bytes),
        Ok(_) | Err(_) => Err(Failed),
    }
}
