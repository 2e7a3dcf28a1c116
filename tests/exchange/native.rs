//! Runs a case through the core as the host of the module does.

use promfence::auth::{Algorithm, Peer, Verifier};
use promfence::config::Document;
use promfence::deny::Denial;
use promfence::exchange::{Exchange, Host, Lookup, Piece, Reply, ReplyPiece, Step, Worker};
use promfence::http::{Headers, RequestHead, ResponseHead, UnixTime};

use super::case::{Case, Fields, Seen};

/// The core with one configuration.
pub(crate) struct Native {
    worker: Worker,
    now: i64,
}

/// A peer without properties, on a host that verifies nothing.
struct Nothing;

impl Peer for Nothing {
    fn property(&self, _: &[&str]) -> Option<Vec<u8>> {
        None
    }
}

impl Verifier for Nothing {
    fn verify(&self, _: Algorithm, _: &[u8], _: &[u8], _: &[u8]) -> Option<bool> {
        None
    }
}

/// A request under way.
struct Flow<'a> {
    case: &'a Case,
    exchange: Exchange,
    head: Fields,
    now: UnixTime,
    seen: Seen,
    over: bool,
}

impl Native {
    pub(crate) fn new(name: &str, configuration: &str) -> Self {
        let document =
            Document::from_json(configuration.as_bytes()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let worker = Worker::new(&document, &|_| None, 1).unwrap_or_else(|e| panic!("{name}: {e}"));
        Self {
            worker,
            now: 1_750_000_000,
        }
    }

    /// Bytes that are held for streams.
    pub(crate) fn held(&self) -> usize {
        self.worker.budget.held()
    }

    /// Runs a case, its bodies in pieces.
    pub(crate) fn run(&mut self, case: &Case, piece: usize) -> Seen {
        // What is remembered for a minute would spare the next case its look-up.
        self.now += 120;
        let (head, ends) = case.head(self.now);
        let now = UnixTime::from_secs(self.now.unsigned_abs());
        let mut flow = Flow {
            case,
            exchange: Exchange::default(),
            head,
            now,
            seen: Seen::default(),
            over: false,
        };
        flow.request(&mut self.worker, ends, piece);
        if !flow.over {
            flow.response(&mut self.worker, piece);
        }
        flow.exchange.end(&mut self.worker);
        flow.seen
    }
}

impl Flow<'_> {
    fn request(&mut self, worker: &mut Worker, ends: bool, piece: usize) {
        let host = Host {
            peer: &Nothing,
            verifier: &Nothing,
            now: self.now,
        };
        let head = RequestHead {
            headers: Headers::new(self.head.clone()),
        };
        let step = self.exchange.request_headers(worker, &head, ends, &host);
        self.step(worker, step);
        let body = self.case.body();
        let mut sent = Vec::new();
        let mut pieces = body.chunks(piece.min(body.len().max(1))).peekable();
        while let Some(part) = pieces.next() {
            if self.over {
                return;
            }
            self.piece(worker, part, pieces.peek().is_none(), &mut sent);
        }
        if !self.over {
            self.seen.upstream = Some((std::mem::take(&mut self.head), sent));
        }
    }

    fn piece(&mut self, worker: &mut Worker, part: &[u8], last: bool, sent: &mut Vec<u8>) {
        if !self.exchange.reads_request_body() {
            sent.extend_from_slice(part);
            return;
        }
        match self.exchange.request_piece(worker, part, last) {
            Piece::Pass => sent.extend_from_slice(part),
            Piece::Take => {}
            Piece::Emit(bytes) => sent.extend(bytes),
            Piece::Ask(lookup, bytes) => {
                sent.extend(bytes);
                self.look_up(worker, &lookup);
            }
            Piece::Refuse(denial) => self.refuse(&denial),
        }
    }

    fn step(&mut self, worker: &mut Worker, step: Step) {
        match step {
            Step::Edit(edits) => edits.apply(&mut self.head),
            Step::Ask(lookup) => self.look_up(worker, &lookup),
            Step::WaitForKeys(_) => panic!("{}: keys are inline", self.case.name),
            Step::Answer(body) => {
                self.over = true;
                self.seen.reply = Some((
                    vec![(":status".into(), b"200".to_vec())],
                    body.as_bytes().to_vec(),
                ));
            }
            Step::Refuse(denial) => self.refuse(&denial),
        }
    }

    fn look_up(&mut self, worker: &mut Worker, lookup: &Lookup) {
        self.seen.lookups.push(lookup.path.clone());
        let answer = self
            .case
            .lookup
            .as_ref()
            .unwrap_or_else(|| panic!("{}: no look-up is expected", self.case.name));
        let step = self.exchange.looked_up(
            worker,
            answer.status,
            answer.body.to_string().as_bytes(),
            self.now,
        );
        self.step(worker, step);
    }

    fn refuse(&mut self, denial: &Denial) {
        self.over = true;
        let mut head = vec![(":status".to_owned(), denial.status.to_string().into_bytes())];
        head.extend(
            denial
                .headers
                .iter()
                .map(|(n, v)| ((*n).to_owned(), v.clone().into_bytes())),
        );
        self.seen.reason = Some(denial.reason.to_owned());
        self.seen.reply = Some((head, denial.body(self.exchange.form())));
    }

    fn response(&mut self, worker: &mut Worker, piece: usize) {
        let mut head: Fields = self.case.response_head();
        let body = self.case.response.body.bytes();
        let given = ResponseHead {
            headers: Headers::new(head.clone()),
        };
        match self
            .exchange
            .response_headers(worker, &given, body.is_empty())
        {
            Reply::Pass => {}
            Reply::Edit(edits) | Reply::Hold(edits) => edits.apply(&mut head),
            Reply::Refuse(denial) => return self.refuse(&denial),
        }
        let mut got = Vec::new();
        let mut pieces = body.chunks(piece.min(body.len().max(1))).peekable();
        while let Some(part) = pieces.next() {
            match self
                .exchange
                .response_piece(worker, part, pieces.peek().is_none())
            {
                ReplyPiece::Pass => got.extend_from_slice(part),
                ReplyPiece::Take => assert!(got.is_empty(), "the head waits behind its body"),
                ReplyPiece::Emit(bytes) => got.extend(bytes.join()),
                ReplyPiece::Refuse(denial) => return self.refuse(&denial),
                ReplyPiece::Cut(denial) => {
                    self.seen.cut = true;
                    self.seen.reason = Some(denial.reason.to_owned());
                    return;
                }
            }
        }
        self.seen.reply = Some((head, got));
    }
}
