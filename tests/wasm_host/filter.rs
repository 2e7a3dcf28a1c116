//! What the filter manager does around a callback: pauses, buffers, replies.

use super::state::{Deferred, Fields, fields};
use super::stream::{Message, Side, Stopped};
use super::vm::Vm;

impl Vm {
    pub(crate) fn headers(&mut self, id: u32, request: bool, ends: bool) {
        let export = if request {
            "proxy_on_request_headers"
        } else {
            "proxy_on_response_headers"
        };
        let count = i32::try_from(self.side(id, request).head.len()).unwrap();
        let goes_on =
            self.callback::<_, i32>(id, export, (id.cast_signed(), count, i32::from(ends))) == 0;
        if self.is_over(id) {
            return;
        }
        let single = self.stream(id).stop_iteration;
        let side = self.side(id, request);
        if goes_on {
            side.send_head();
            side.out.ended = ends;
        } else {
            side.stopped = if single {
                Stopped::Single
            } else {
                Stopped::All
            };
            side.pending_end = ends;
        }
    }

    pub(crate) fn data(&mut self, id: u32, request: bool, piece: &[u8], ends: bool) {
        let export = if request {
            "proxy_on_request_body"
        } else {
            "proxy_on_response_body"
        };
        let limit = self.state().buffer_limit;
        let side = self.side(id, request);
        if side.stopped == Stopped::All {
            side.pending.extend_from_slice(piece);
            side.pending_end = ends;
            return;
        }
        match (&mut side.buffer, side.buffering) {
            (Some(kept), true) => kept.extend_from_slice(piece),
            (buffer, _) => *buffer = Some(piece.to_vec()),
        }
        if side.buffering && side.buffer.as_ref().is_some_and(|b| b.len() > limit) {
            self.overflow(id, request);
            return;
        }
        let size = i32::try_from(side.buffer.as_ref().map_or(0, Vec::len)).unwrap();
        let goes_on =
            self.callback::<_, i32>(id, export, (id.cast_signed(), size, i32::from(ends))) == 0;
        if self.is_over(id) {
            return;
        }
        let side = self.side(id, request);
        side.pending_end = ends;
        if goes_on {
            side.stopped = Stopped::No;
            side.send_head();
            side.send_kept();
            side.out.ended = ends;
        } else {
            side.stopped = Stopped::Single;
            side.buffering = true;
        }
    }

    /// A pause has kept more than the host's buffers may hold: the host answers itself.
    fn overflow(&mut self, id: u32, request: bool) {
        let stream = self.stream(id);
        if stream.response.out.head.is_some() {
            stream.reset = true;
        } else {
            let status = if request { "413" } else { "500" };
            stream.reply = Some(Message {
                head: Some(fields(&[(":status", status)])),
                ended: true,
                ..Message::default()
            });
        }
    }

    pub(crate) fn trailers(&mut self, id: u32, request: bool, trailers: Fields) {
        let export = if request {
            "proxy_on_request_trailers"
        } else {
            "proxy_on_response_trailers"
        };
        let side = self.side(id, request);
        if side.stopped == Stopped::All {
            side.pending_trailers = Some(trailers);
            return;
        }
        let count = i32::try_from(trailers.len()).unwrap();
        (side.trailers, side.trailers_open) = (trailers, true);
        let goes_on = self.callback::<_, i32>(id, export, (id.cast_signed(), count)) == 0;
        if self.is_over(id) {
            return;
        }
        let side = self.side(id, request);
        if goes_on {
            side.stopped = Stopped::No;
            side.send_head();
            side.send_kept();
            side.finish_trailers();
        } else {
            side.stopped = Stopped::Single;
            side.pending_trailers = Some(Vec::new());
        }
    }

    /// Lets a stopped side go on.
    fn resume(&mut self, id: u32, request: bool) {
        let side = self.side(id, request);
        match std::mem::take(&mut side.stopped) {
            Stopped::No => {}
            Stopped::Single => {
                side.send_head();
                side.send_kept();
                if side.pending_trailers.take().is_some() {
                    side.finish_trailers();
                } else {
                    side.out.ended = side.pending_end;
                }
            }
            // What was held back comes to this filter first.
            Stopped::All => {
                side.send_head();
                let (held, ends) = (std::mem::take(&mut side.pending), side.pending_end);
                let trailers = side.pending_trailers.take();
                if held.is_empty() && trailers.is_none() {
                    side.out.ended = ends;
                    return;
                }
                if !held.is_empty() || ends {
                    self.data(id, request, &held, ends && trailers.is_none());
                }
                if let Some(trailers) = trailers
                    && !self.is_over(id)
                {
                    self.trailers(id, request, trailers);
                }
            }
        }
    }

    pub(crate) fn apply(&mut self, id: u32, what: Deferred) {
        if !self.state().streams.contains_key(&id) {
            return;
        }
        match what {
            Deferred::Reset => self.stream(id).reset = true,
            Deferred::Resume { .. } if self.is_over(id) => {
                self.state()
                    .faults
                    .push(format!("stream {id} is resumed after a reply or a reset"));
            }
            Deferred::Resume { request } => self.resume(id, request),
            Deferred::Reply { .. } if self.is_over(id) => {
                self.state()
                    .faults
                    .push(format!("stream {id} is answered a second time"));
            }
            Deferred::Reply { .. } if self.stream(id).response.out.head.is_some() => {
                self.stream(id).reset = true
            }
            Deferred::Reply { head, body } => self.reply(id, head, body),
        }
    }

    /// The filter's own reply passes its response callbacks, if none was under way.
    fn reply(&mut self, id: u32, head: Fields, body: Vec<u8>) {
        let direct = self.stream(id).response.head_open;
        let reply = Message {
            head: Some(head.clone()),
            body: body.clone(),
            trailers: None,
            ended: true,
        };
        self.stream(id).reply = Some(reply);
        if direct {
            return;
        }
        let number = id.cast_signed();
        let count = i32::try_from(head.len()).unwrap();
        let response = &mut self.stream(id).response;
        (response.head, response.head_open) = (head, true);
        let ends = body.is_empty();
        self.callback::<_, i32>(
            id,
            "proxy_on_response_headers",
            (number, count, i32::from(ends)),
        );
        self.stream(id).response.head_open = false;
        if !ends {
            let size = i32::try_from(body.len()).unwrap();
            self.stream(id).response.buffer = Some(body);
            self.callback::<_, i32>(id, "proxy_on_response_body", (number, size, 1));
            let body = self.stream(id).response.buffer.take().unwrap();
            self.stream(id).reply.as_mut().unwrap().body = body;
        }
        let head = self.stream(id).response.head.clone();
        self.stream(id).reply.as_mut().unwrap().head = Some(head);
    }
}

impl Side {
    fn finish_trailers(&mut self) {
        self.trailers_open = false;
        self.out.trailers = Some(std::mem::take(&mut self.trailers));
        self.out.ended = true;
    }
}
