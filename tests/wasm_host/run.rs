//! Whole exchanges: a request, its body in pieces, call-outs, an answer, in one of many manners.

use super::state::{Answer, Call, Fields, fields};
use super::vm::{Outcome, Vm};

/// The path of a small query.
pub(crate) const QUERY: &str = "/api/v1/query?query=up";

/// How bodies come, and what the host is set to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) pieces: Pieces,
    pub(crate) end: End,
    /// `allow_on_headers_stop_iteration`.
    pub(crate) stop_iteration: bool,
}

/// How bodies are cut.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pieces {
    Whole,
    Bytes,
    /// Of one to 64 bytes, by a seed.
    Random(u64),
}

/// What ends a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its last piece.
    Last,
    /// An empty piece.
    Empty,
    /// Trailers, which name a tenant.
    Trailers,
}

/// The manner that needs the fewest callbacks.
pub(crate) const PLAIN: Manner = Manner {
    pieces: Pieces::Whole,
    end: End::Last,
    stop_iteration: false,
};

/// Manners that together have every piece, end and setting.
pub(crate) const MANNERS: [Manner; 6] = [
    PLAIN,
    Manner {
        pieces: Pieces::Bytes,
        end: End::Empty,
        stop_iteration: true,
    },
    Manner {
        pieces: Pieces::Random(1),
        end: End::Trailers,
        stop_iteration: false,
    },
    Manner {
        pieces: Pieces::Whole,
        end: End::Trailers,
        stop_iteration: true,
    },
    Manner {
        pieces: Pieces::Random(7),
        end: End::Last,
        stop_iteration: true,
    },
    Manner {
        pieces: Pieces::Whole,
        end: End::Empty,
        stop_iteration: false,
    },
];

/// An answer of an upstream.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) head: Fields,
    pub(crate) body: Vec<u8>,
}

impl Script {
    pub(crate) fn json(body: &str) -> Self {
        let head = fields(&[(":status", "200"), ("content-type", "application/json")]);
        Self {
            head,
            body: body.as_bytes().to_vec(),
        }
    }

    /// What a query without result is answered.
    pub(crate) fn empty() -> Self {
        Self::json(r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#)
    }
}

impl Pieces {
    fn cut(self, body: &[u8]) -> Vec<&[u8]> {
        match self {
            Self::Whole => vec![body],
            Self::Bytes => body.chunks(1).collect(),
            Self::Random(mut seed) => {
                let mut rest = body;
                let mut pieces = Vec::new();
                while !rest.is_empty() {
                    seed = seed
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    let size = usize::try_from(seed >> 58).unwrap() + 1;
                    let (piece, more) = rest.split_at(size.min(rest.len()));
                    pieces.push(piece);
                    rest = more;
                }
                pieces
            }
        }
    }
}

impl Vm {
    /// Sends a request; its stream stays open.
    pub(crate) fn send(
        &mut self,
        root: u32,
        head: &Fields,
        body: Option<&[u8]>,
        manner: Manner,
    ) -> u32 {
        let id = self.open(root, manner.stop_iteration);
        self.request_headers(id, head.clone(), body.is_none());
        if let Some(body) = body {
            let pieces = manner.pieces.cut(body);
            for (i, piece) in pieces.iter().enumerate() {
                let last = i + 1 == pieces.len() && manner.end == End::Last;
                self.request_data(id, piece, last);
            }
            match manner.end {
                End::Last => {}
                End::Empty => self.request_data(id, b"", true),
                End::Trailers => {
                    self.request_trailers(id, fields(&[("thanos-tenant", "team-forged")]))
                }
            }
        }
        id
    }

    /// Sends the upstream's answer, if a whole request got there.
    pub(crate) fn respond(&mut self, id: u32, script: &Script, manner: Manner) {
        if self.is_over(id) || !self.stream(id).request.out.ended {
            return;
        }
        let bare = script.body.is_empty();
        self.response_headers(id, script.head.clone(), bare && manner.end == End::Last);
        let pieces = if bare {
            Vec::new()
        } else {
            manner.pieces.cut(&script.body)
        };
        for (i, piece) in pieces.iter().enumerate() {
            let last = i + 1 == pieces.len() && manner.end == End::Last;
            self.response_data(id, piece, last);
        }
        match manner.end {
            End::Last => {}
            End::Empty => self.response_data(id, b"", true),
            End::Trailers => self.response_trailers(id, fields(&[("x-checksum", "1")])),
        }
    }

    /// A whole exchange.
    pub(crate) fn exchange(
        &mut self,
        root: u32,
        (head, body): (&Fields, Option<&[u8]>),
        script: &Script,
        manner: Manner,
        calls: impl FnMut(&Call) -> Answer,
    ) -> Outcome {
        let id = self.send(root, head, body, manner);
        self.answer_all(calls);
        self.respond(id, script, manner);
        let outcome = self.close(id);
        assert!(
            outcome.replied || outcome.cut || outcome.upstream.ended,
            "the request hangs: {outcome:?}"
        );
        outcome
    }

    /// A GET of `metrics.example`, answered with an empty result. Call-outs are left alone.
    pub(crate) fn get(&mut self, root: u32, path: &str, authorization: &str) -> Outcome {
        let id = self.send(root, &head("GET", path, authorization), None, PLAIN);
        self.respond(id, &Script::empty(), PLAIN);
        self.close(id)
    }
}

/// The head of a request for `metrics.example`.
pub(crate) fn head(method: &str, path: &str, authorization: &str) -> Fields {
    let mut head = fields(&[
        (":method", method),
        (":scheme", "https"),
        (":authority", "metrics.example"),
        (":path", path),
    ]);
    if !authorization.is_empty() {
        head.push((
            "authorization".to_owned(),
            authorization.as_bytes().to_vec(),
        ));
    }
    head
}
