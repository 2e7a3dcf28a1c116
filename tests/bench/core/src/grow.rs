//! Work that grows: how its cost follows the length of a query, its selectors, the tenants of the
//! grant and the series of a body.

use promfence::auth::{NoHost, NoPeer};
use promfence::config::Document;
use promfence::exchange::{Exchange, Host, Piece, Step, Worker};
use promfence::http::{Headers, RequestHead, UnixTime};

use crate::body;

/// What grows.
pub const DIMENSIONS: &[&str] = &["query", "selectors", "tenants", "series1", "series2"];

const SECRET: &str = "a-secret-of-the-bench-000000000000";
const SHA256: &str = "7e6252c902ab8e5aa89f8a3adbef16c29d5d726fa6e49cf76a848ed3d2aec02f";

/// One piece of work of a size.
pub struct Grow {
    worker: Worker,
    dimension: String,
    size: usize,
    body: Vec<u8>,
    number: u32,
}

impl Grow {
    /// A dimension and a size.
    pub fn new(dimension: &str, size: usize) -> Self {
        assert!(DIMENSIONS.contains(&dimension), "no such dimension: {dimension}");
        let tenants: Vec<String> = match dimension {
            "tenants" => (0..size).map(|i| format!("team-{i:06}")).collect(),
            _ => vec!["team-a".to_owned()],
        };
        let grant = match dimension {
            "series1" | "series2" => serde_json::json!({"tenants": tenants}),
            _ => serde_json::json!({"read": tenants, "write": "none"}),
        };
        let large = "1GiB";
        let config = serde_json::json!({
            "tenancy": {"label": "tenant_id", "max_tenants": 100_000},
            "auth": {"static": [{"name": "bench", "bearer_sha256": SHA256, "grant": grant}]},
            "upstreams": [
                {"prometheus": {"hosts": ["read.test"], "guards": {
                    "max_bytes": large, "max_tokens": 10_000_000, "max_selectors": 1_000_000, "max_confined": large,
                }}},
                {"receive": {"hosts": ["write.test"], "series_label": "verify", "max_body": large}},
            ],
        });
        let doc = Document::from_value(config).unwrap_or_else(|e| panic!("{e:?}"));
        let worker = Worker::new(&doc, &|_| None, 1).unwrap_or_else(|e| panic!("{e:?}"));
        let (body, _) = match dimension {
            "series1" => body::write1(size, Some("team-a")),
            "series2" => body::write2(size, Some("team-a")),
            _ => (Vec::new(), 0),
        };
        Self { worker, dimension: dimension.to_owned(), size, body, number: 0 }
    }

    /// Does it once. A query has new literals each time, so that it is confined anew.
    pub fn once(&mut self) {
        self.number += 1;
        match self.dimension.as_str() {
            "series1" => self.write("application/x-protobuf", "0.1.0"),
            "series2" => self.write("application/x-protobuf;proto=io.prometheus.write.v2.Request", "2.0.0"),
            "query" => self.read(&format!("up%7Bpath%3D%22{}%22%7D", "x".repeat(self.size))),
            "selectors" => self.read(&vec!["rate(up%5B5m%5D)"; self.size].join("%2B")),
            _ => self.read("up"),
        }
    }

    fn read(&mut self, query: &str) {
        let target = format!("/api/v1/query?query={query}%2B{}", 1_000_000 + self.number);
        let head = head(&[(":authority", "read.test"), (":method", "GET"), (":path", &target)]);
        let mut exchange = Exchange::default();
        self.request(&mut exchange, &head, true);
        exchange.end(&mut self.worker);
    }

    fn write(&mut self, kind: &str, version: &str) {
        let head = head(&[
            (":authority", "write.test"), (":method", "POST"), (":path", "/api/v1/receive"), ("content-type", kind),
            ("content-encoding", "snappy"), ("x-prometheus-remote-write-version", version),
        ]);
        let mut exchange = Exchange::default();
        self.request(&mut exchange, &head, false);
        let piece = exchange.request_piece(&mut self.worker, &self.body, true);
        assert!(matches!(piece, Piece::Emit(_)), "{piece:?}");
        exchange.end(&mut self.worker);
    }

    fn request(&mut self, exchange: &mut Exchange, head: &RequestHead, ends: bool) {
        let host = Host { peer: &NoPeer, verifier: &NoHost, now: UnixTime::from_secs(1_700_000_000) };
        let step = exchange.request_headers(&mut self.worker, head, ends, &host);
        assert!(matches!(step, Step::Edit(_)), "{step:?}");
    }
}

fn head(fields: &[(&str, &str)]) -> RequestHead {
    let authorization = format!("Bearer {SECRET}");
    let all = fields.iter().copied().chain([("authorization", authorization.as_str())]);
    RequestHead { headers: Headers::new(all.map(|(n, v)| (n.to_owned(), v.as_bytes().to_vec())).collect()) }
}
