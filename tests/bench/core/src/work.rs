//! Whole exchanges, as the host would drive them.

use promfence::auth::{NoHost, NoPeer};
use promfence::config::Document;
use promfence::exchange::{Exchange, Host, Piece, Reply, ReplyPiece, Step, Worker};
use promfence::http::{Headers, RequestHead, ResponseHead, UnixTime};

use crate::body;

/// Everything that can be asked for.
pub const CASES: &[&str] = &[
    "known", "literals", "shapes", "form", "token-cold", "write-header", "write-verify1", "write-verify2",
    "write-overwrite1", "write-overwrite2", "write-drop1", "write-drop2", "rules",
];

/// One case with all it needs.
pub struct Work {
    case: &'static str,
    worker: Worker,
    now: UnixTime,
    token: String,
    body: Vec<u8>,
    size: usize,
    number: u32,
}

impl Work {
    /// A case by its name. `large`: bodies as for timing; else smaller ones, for counting.
    pub fn new(case: &str, large: bool) -> Self {
        let fixture: serde_json::Value = serde_json::from_str(include_str!("../fixture.json")).expect("JSON");
        let doc = Document::from_value(fixture["config"].clone()).unwrap_or_else(|e| panic!("{e:?}"));
        let worker = Worker::new(&doc, &|_| None, 1).unwrap_or_else(|e| panic!("{e:?}"));
        let series = if large { 5000 } else { 500 };
        let (body, size) = match case {
            "write-header" | "write-verify1" | "write-overwrite1" | "write-drop1" => body::write1(series, Some("team-a")),
            "write-verify2" | "write-overwrite2" | "write-drop2" => body::write2(series, Some("team-a")),
            "rules" => body::rules(if large { 10 << 20 } else { 256 << 10 }),
            _ => (Vec::new(), 0),
        };
        Self {
            case: CASES.iter().find(|c| **c == case).copied().unwrap_or_else(|| panic!("no such case: {case}")),
            worker,
            now: UnixTime::from_secs(fixture["now"].as_u64().expect("a time")),
            token: fixture["token"].as_str().expect("a token").to_owned(),
            body,
            size,
            number: 0,
        }
    }

    /// Bytes of the body, uncompressed.
    pub fn bytes(&self) -> usize {
        self.size
    }

    /// Does the work once.
    pub fn once(&mut self) {
        self.number += 1;
        let n = self.number;
        match self.case {
            "known" => self.get(QUERY, ""),
            "literals" => self.get(QUERY, &format!("%20%2B%20{}", 1_000_000 + n)),
            "shapes" => self.get(QUERY, &shape(n)),
            "form" => self.form(),
            "token-cold" => {
                self.worker = fresh();
                self.get(QUERY, "");
            }
            "write-header" => self.write("header.test", 1, false),
            "write-verify1" => self.write("verify.test", 1, false),
            "write-verify2" => self.write("verify.test", 2, false),
            "write-overwrite1" => self.write("overwrite.test", 1, false),
            "write-overwrite2" => self.write("overwrite.test", 2, false),
            "write-drop1" => self.write("drop.test", 1, true),
            "write-drop2" => self.write("drop.test", 2, true),
            _ => self.rules(),
        }
    }

    fn get(&mut self, query: &str, more: &str) {
        let target = format!("/api/v1/query_range?start=1700000000&end=1700003600&step=15&query={query}{more}");
        let head = self.head("GET", &target, "gateway.test", &[]);
        let mut exchange = Exchange::default();
        self.request(&mut exchange, &head, true);
        exchange.end(&mut self.worker);
    }

    fn form(&mut self) {
        let body = format!("start=1700000000&end=1700003600&step=15&query={QUERY}");
        let more = [("content-type", "application/x-www-form-urlencoded")];
        let head = self.head("POST", "/api/v1/query_range", "gateway.test", &more);
        let mut exchange = Exchange::default();
        self.request(&mut exchange, &head, false);
        let piece = exchange.request_piece(&mut self.worker, body.as_bytes(), true);
        assert!(matches!(piece, Piece::Emit(_)), "{piece:?}");
        exchange.end(&mut self.worker);
    }

    fn write(&mut self, host: &str, version: u8, changes: bool) {
        let (kind, header) = match version {
            1 => ("application/x-protobuf", "0.1.0"),
            _ => ("application/x-protobuf;proto=io.prometheus.write.v2.Request", "2.0.0"),
        };
        let more = [("content-type", kind), ("content-encoding", "snappy"), ("x-prometheus-remote-write-version", header)];
        let head = self.head("POST", "/api/v1/receive", host, &more);
        let mut exchange = Exchange::default();
        self.request(&mut exchange, &head, false);
        if exchange.reads_request_body() {
            let piece = exchange.request_piece(&mut self.worker, &self.body, true);
            let Piece::Emit(out) = piece else { panic!("{piece:?}") };
            assert_eq!(out != self.body, changes, "{} bytes", out.len());
        }
        exchange.end(&mut self.worker);
    }

    fn rules(&mut self) {
        let head = self.head("GET", "/api/v1/rules", "gateway.test", &[]);
        let mut exchange = Exchange::default();
        self.request(&mut exchange, &head, true);
        let fields = [(":status", "200"), ("content-type", "application/json")];
        let reply = exchange.response_headers(&mut self.worker, &ResponseHead { headers: headers(&fields) }, false);
        assert!(matches!(reply, Reply::Edit(_)), "{reply:?}");
        let mut out = 0;
        for chunk in self.body.chunks(64 << 10) {
            match exchange.response_piece(&mut self.worker, chunk, false) {
                ReplyPiece::Emit(bytes) => out += bytes.len(),
                piece => panic!("{piece:?}"),
            }
        }
        match exchange.response_piece(&mut self.worker, b"", true) {
            ReplyPiece::Emit(bytes) => out += bytes.len(),
            piece => panic!("{piece:?}"),
        }
        assert!(out > self.body.len() / 3 && out < self.body.len() * 2 / 3, "{out}");
        exchange.end(&mut self.worker);
    }

    fn head(&self, method: &str, target: &str, host: &str, more: &[(&str, &str)]) -> RequestHead {
        let authorization = format!("Bearer {}", self.token);
        let mut fields = vec![
            (":authority", host), (":path", target), (":method", method), (":scheme", "http"),
            ("user-agent", "Grafana/12.1"), ("authorization", &authorization),
            ("x-forwarded-for", "127.0.0.1"), ("x-forwarded-proto", "http"),
            ("x-envoy-internal", "true"), ("x-request-id", "6f1c6a3b-5c3c-4a55-9d53-0b1f6a1f0d11"),
        ];
        fields.extend_from_slice(more);
        RequestHead { headers: headers(&fields) }
    }

    fn request(&mut self, exchange: &mut Exchange, head: &RequestHead, ends: bool) {
        let host = Host { peer: &NoPeer, verifier: &NoHost, now: self.now };
        let step = exchange.request_headers(&mut self.worker, head, ends, &host);
        assert!(matches!(step, Step::Edit(_)), "{step:?}");
    }
}

fn fresh() -> Worker {
    Work::new("known", false).worker
}

fn headers(fields: &[(&str, &str)]) -> Headers {
    Headers::new(fields.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect())
}

const QUERY: &str = "sum%20by%20%28job%29%20%28rate%28http_requests_total%7Bcode%3D~%225..%22%2Cjob%3D%22api%22%7D%5B5m%5D%29%29";

/// Operands in parentheses, whose depths spell the number.
fn shape(mut n: u32) -> String {
    let mut out = String::new();
    for _ in 0..8 {
        let depth = (n % 5) as usize;
        out += &format!("%20%2B%20{}1{}", "%28".repeat(depth), "%29".repeat(depth));
        n /= 5;
    }
    out
}
