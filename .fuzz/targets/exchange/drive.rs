//! Drives an exchange as the host of the module does, and writes down all that passes.

use promfence::auth::{NoHost, NoPeer};
use promfence::deny::Denial;
use promfence::exchange::{Exchange, Host, Lookup, Piece, Reply, ReplyPiece, Step, Worker};
use promfence::http::{Headers, RequestHead, ResponseHead, UnixTime};

use super::super::choices::Choices;
use super::super::invariants::{Message, Run};
use super::answer;
use super::caller::NOW;
use super::request::Request;
use super::rights::{reads, writes};
use super::setting::{CACHE, LABEL, MEMORY, SEAL, Setting};

/// A request under way.
pub struct Flow<'a> {
    setting: &'a Setting,
    request: &'a Request,
    exchange: Exchange,
    head: Vec<(String, Vec<u8>)>,
    run: Run,
}

impl<'a> Flow<'a> {
    /// Nothing has been said yet.
    pub fn new(setting: &'a Setting, request: &'a Request) -> Self {
        let (reads, unlimited) = reads(setting, request);
        let host = request.message.text(":authority");
        let run = Run {
            kind: (host == "metrics.example").then_some(setting.kind),
            prefix: setting.prefix,
            label: LABEL,
            header: setting.header,
            seal: SEAL,
            known: request.caller.rights.is_some(),
            reads,
            writes: writes(setting, request),
            writer: request.caller.rights.is_some_and(|r| !r.write.is_empty()),
            unlimited,
            others: setting
                .fixed
                .into_iter()
                .chain(request.caller.rights.and_then(|r| r.label))
                .collect(),
            body_policy: setting.series_label,
            marked: false,
            request: request.message.clone(),
            upstream: None,
            leaked: false,
            lookups: Vec::new(),
            reply: None,
            cut: false,
            refused: None,
            passed_after_refusal: false,
            scope: None,
            held: (0, 0, MEMORY),
            cached: (0, CACHE),
            next_succeeds: true,
        };
        Self {
            setting,
            request,
            exchange: Exchange::default(),
            head: request.message.head.clone(),
            run,
        }
    }

    /// Lets it happen.
    pub fn run(mut self, worker: &mut Worker, c: &mut Choices<'_>) -> Run {
        let gone = c.once_in(16);
        self.request(worker, c);
        if self.run.upstream.is_some() && !gone {
            self.response(worker, c);
        }
        self.run.scope = self.exchange.audit().scope.clone();
        self.exchange.end(worker);
        self.run.held.1 = worker.budget.held();
        self.run.cached.0 = worker.queries.bytes();
        self.run.next_succeeds = succeeds(self.setting, worker);
        self.run
    }

    fn request(&mut self, worker: &mut Worker, c: &mut Choices<'_>) {
        let body = &self.request.message.body;
        let head = RequestHead {
            headers: Headers::new(self.head.clone()),
        };
        let host = host();
        let step = self
            .exchange
            .request_headers(worker, &head, body.is_empty(), &host);
        self.step(worker, step, c);
        let mut sent = Vec::new();
        let mut left = body.as_slice();
        while !left.is_empty() && self.run.refused.is_none() && self.run.reply.is_none() {
            let n = piece_size(c).min(left.len());
            let (piece, rest) = left.split_at(n);
            left = rest;
            self.piece(worker, piece, left.is_empty(), &mut sent, c);
            self.run.held.0 = self.run.held.0.max(worker.budget.held());
        }
        if self.run.refused.is_none() && self.run.reply.is_none() {
            self.run.upstream = Some(Message {
                head: std::mem::take(&mut self.head),
                body: sent,
            });
        } else {
            self.run.leaked = !sent.is_empty() && self.run.lookups.is_empty();
            self.probe(worker);
        }
    }

    /// After a refusal nothing passes, whatever the host still hands over.
    fn probe(&mut self, worker: &mut Worker) {
        let piece = self.exchange.request_piece(worker, b"late", true);
        let looked_up = self.exchange.looked_up(worker, 200, b"[]", now());
        self.run.passed_after_refusal =
            !matches!(piece, Piece::Refuse(_)) || !matches!(looked_up, Step::Refuse(_));
    }

    fn piece(
        &mut self,
        worker: &mut Worker,
        piece: &[u8],
        last: bool,
        sent: &mut Vec<u8>,
        c: &mut Choices<'_>,
    ) {
        if !self.exchange.reads_request_body() {
            sent.extend_from_slice(piece);
            return;
        }
        match self.exchange.request_piece(worker, piece, last) {
            Piece::Pass => sent.extend_from_slice(piece),
            Piece::Take => {}
            Piece::Emit(bytes) => sent.extend(bytes),
            Piece::Ask(lookup, bytes) => {
                sent.extend(bytes);
                self.look_up(worker, &lookup, c);
            }
            Piece::Refuse(denial) => self.refuse(&denial),
        }
    }

    fn step(&mut self, worker: &mut Worker, step: Step, c: &mut Choices<'_>) {
        match step {
            Step::Edit(edits) => edits.apply(&mut self.head),
            Step::Ask(lookup) => self.look_up(worker, &lookup, c),
            Step::WaitForKeys(_) => panic!("keys are inline"),
            Step::Answer(body) => {
                self.run.reply = Some(Message {
                    head: vec![(":status".to_owned(), b"200".to_vec())],
                    body: body.as_bytes().to_vec(),
                });
            }
            Step::Refuse(denial) => self.refuse(&denial),
        }
    }

    fn look_up(&mut self, worker: &mut Worker, lookup: &Lookup, c: &mut Choices<'_>) {
        self.run.lookups.push(lookup.path.clone());
        let own = r#"{"id":"01234567-89ab-cdef-0123-456789abcdef","status":{"state":"active"},"matchers":[{"name":"tenant_id","value":"team-a","isRegex":false,"isEqual":true},{"name":"cluster","value":"eu","isRegex":false,"isEqual":true},{"name":"team","value":"x","isRegex":false,"isEqual":true}]}"#;
        let foreign = own.replace("team-a", "team-b");
        let names = r#"{"status":"success","data":["up"]}"#;
        let status = c.one_of(&[200, 200, 404, 0, 500]);
        let text = c.one_of(&[own, names, &foreign, "[]", ""]);
        let step = self
            .exchange
            .looked_up(worker, status, text.as_bytes(), now());
        let silence = lookup.path.contains("/silence/");
        if let Step::Edit(_) = &step {
            // Only a silence in scope, or a list of names, lets a request go on.
            assert!(status == 200 || status == 404 && silence, "{status} {text}");
            let theirs = silence && text == foreign && status == 200;
            assert!(!theirs || self.run.reads.contains("team-b"), "{text}");
        }
        self.step(worker, step, c);
    }

    fn refuse(&mut self, denial: &Denial) {
        self.run.refused = Some(denial.status);
        let body = denial.body(self.exchange.form());
        let json: Result<serde_json::Value, _> = serde_json::from_slice(&body);
        assert!(json.is_ok());
    }

    fn response(&mut self, worker: &mut Worker, c: &mut Choices<'_>) {
        let upstream = self.run.upstream.as_ref().unwrap();
        let (path, _) = upstream.target();
        // What Alertmanager says of what it was sent is the sender's.
        let sent = path.contains("/api/v2/") && upstream.text(":method") == "POST";
        let free = self
            .exchange
            .audit()
            .scope
            .as_ref()
            .is_none_or(|s| s.is_unlimited());
        let (given, marked) = answer::choose(c, self.setting, &path, free);
        self.run.marked = marked && !sent && !self.setting.wide_rules;
        if !self.exchange.reads_response_body() {
            self.run.reply = Some(given);
            return;
        }
        let mut reply = Message {
            head: given.head.clone(),
            body: Vec::new(),
        };
        let head = ResponseHead {
            headers: Headers::new(given.head),
        };
        match self
            .exchange
            .response_headers(worker, &head, given.body.is_empty())
        {
            Reply::Pass => {}
            Reply::Edit(edits) | Reply::Hold(edits) => edits.apply(&mut reply.head),
            Reply::Refuse(denial) => {
                reply.body = denial.body(self.exchange.form());
                self.run.reply = Some(reply);
                return;
            }
        }
        let mut left = given.body.as_slice();
        while !left.is_empty() && !self.run.cut {
            let n = piece_size(c).min(left.len());
            let (piece, rest) = left.split_at(n);
            left = rest;
            match self.exchange.response_piece(worker, piece, left.is_empty()) {
                ReplyPiece::Pass => reply.body.extend_from_slice(piece),
                ReplyPiece::Take => assert!(reply.body.is_empty()),
                ReplyPiece::Emit(bytes) => reply.body.extend(bytes.join()),
                ReplyPiece::Refuse(denial) => {
                    // Not a byte of it has left.
                    assert!(reply.body.is_empty());
                    reply.head = vec![(":status".into(), denial.status.to_string().into_bytes())];
                    reply.body = denial.body(self.exchange.form());
                    break;
                }
                ReplyPiece::Cut(_) => self.run.cut = true,
            }
            self.run.held.0 = self.run.held.0.max(worker.budget.held());
        }
        let declared = reply.all("content-length");
        let right = reply.body.len().to_string();
        assert!(self.run.cut || declared.iter().all(|d| *d == right.as_bytes()));
        self.run.reply = Some(reply);
    }
}

fn host() -> Host<'static> {
    Host {
        peer: &NoPeer,
        verifier: &NoHost,
        now: now(),
    }
}

fn now() -> UnixTime {
    UnixTime::from_secs(NOW)
}

fn piece_size(c: &mut Choices<'_>) -> usize {
    c.one_of(&[usize::MAX, 1, 7, 64])
}

/// Whether a health check, which needs nothing, still gets through.
fn succeeds(setting: &Setting, worker: &mut Worker) -> bool {
    let path = format!("{}/-/ready", setting.prefix);
    let fields = [
        (":method", "GET"),
        (":authority", "metrics.example"),
        (":path", &path),
    ];
    let fields = fields.map(|(n, v)| (n.to_owned(), v.as_bytes().to_vec()));
    let head = RequestHead {
        headers: Headers::new(fields.to_vec()),
    };
    let mut exchange = Exchange::default();
    let step = exchange.request_headers(worker, &head, true, &host());
    exchange.end(worker);
    matches!(step, Step::Edit(_))
}
