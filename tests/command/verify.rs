//! `promfence verify` against a gateway that protects, and against one with a hole of each kind.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

/// What is wrong with the gateway.
#[derive(Clone, Copy, PartialEq)]
enum Hole {
    None,
    /// Nobody is asked for a credential.
    NoCredential,
    /// The signature is not looked at.
    NoSignature,
    /// An expired token is taken.
    Expired,
    /// The client's tenant header is believed.
    Header,
    /// Everything else is passed on.
    Endpoints,
    /// A path is decoded, and not confined then.
    Path,
    /// A second parameter is passed on as it is.
    Parameter,
    /// A form is passed on as it is.
    Form,
    /// Both callers are taken for the same.
    Same,
    /// The answer names everybody's series.
    Answer,
}

struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim_end().split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = headers.iter().find(|(n, _)| n == "content-length");
        let length = length.map_or(0, |(_, v)| v.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        Some(Self {
            line,
            headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
            .collect()
    }
}

const A: &str = "h1.pa.s1";
const B: &str = "h2.pb.s2";
const OLD: &str = "h1.po.s3";

fn answer(request: &Request, hole: Hole) -> (u16, String) {
    let mut words = request.line.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let credentials = request.all("authorization");
    let mut tenant = match credentials.as_slice() {
        [one] => match one.strip_prefix("Bearer ").unwrap_or_default() {
            A => "team-a",
            B if hole == Hole::Same => "team-a",
            B => "team-b",
            OLD if hole == Hole::Expired => "team-a",
            other if hole == Hole::NoSignature && other.contains(".pb.") => "team-b",
            other if hole == Hole::NoSignature && other.contains(".pa.") => "team-a",
            _ => "",
        },
        _ => "",
    };
    if tenant.is_empty() && hole == Hole::NoCredential {
        tenant = "team-a";
    }
    if tenant.is_empty() {
        return (401, "{}".to_owned());
    }
    if hole == Hole::Header
        && let [forged] = request.all("thanos-tenant").as_slice()
    {
        tenant = if *forged == "team-b" {
            "team-b"
        } else {
            tenant
        };
    }
    let all = "team-b";
    let series = |t: &str| {
        format!(
            r#"{{"status":"success","data":{{"result":[{{"metric":{{"tenant_id":"{t}"}}}}]}}}}"#
        )
    };
    match (method, path) {
        ("GET", "/api/v1/label/tenant_id/values") => (200, format!(r#"{{"data":["{tenant}"]}}"#)),
        ("GET" | "POST", "/api/v1/query") => {
            let several = query.matches("query=").count() > 1;
            let form = request.body.contains("team-b");
            let other = hole == Hole::Answer
                || (hole == Hole::Parameter && several)
                || (hole == Hole::Form && form);
            (200, series(if other { all } else { tenant }))
        }
        (_, path) if hole == Hole::Path && path.contains("%71uery") => (200, series(all)),
        _ if hole == Hole::Endpoints => (200, "config".to_owned()),
        _ => (404, "{}".to_owned()),
    }
}

/// Starts a gateway; it ends with the test's process.
fn gateway(hole: Hole) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let Some(request) = Request::read(&stream) else {
                continue;
            };
            let (status, body) = answer(&request, hole);
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n");
            let _gone = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    url
}

fn verify(url: &str, more: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_promfence"))
        .args([
            "verify",
            "--url",
            url,
            "--tenant-a-token",
            A,
            "--tenant-b-token",
            B,
        ])
        .args(["--expired-token", OLD])
        .args(more)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text)
}

#[test]
fn a_gateway_that_protects_holds() {
    let (status, out) = verify(&gateway(Hole::None), &[]);
    assert_eq!(status, 0, "{out}");
    assert!(
        out.ends_with(" hold, 0 fail, 0 could not be tried\n"),
        "{out}"
    );
    assert!(!out.contains("FAIL"));
}

#[test]
fn each_hole_is_found() {
    for (hole, expected) in [
        (
            Hole::NoCredential,
            "FAIL a request without a token is denied",
        ),
        (
            Hole::NoSignature,
            "FAIL a request with a token of the algorithm `none` is denied",
        ),
        (
            Hole::NoSignature,
            "FAIL a request with the claims of one token under the signature",
        ),
        (
            Hole::Expired,
            "FAIL a request with an expired token is denied",
        ),
        (
            Hole::Header,
            "FAIL the header THANOS-TENANT opens no other tenant",
        ),
        (Hole::Endpoints, "FAIL GET /api/v1/status/config is denied"),
        (
            Hole::Path,
            "FAIL the path /api/v1/%71uery leads to no other tenant",
        ),
        (Hole::Parameter, "FAIL the parameters `query=up&query="),
        (Hole::Form, "FAIL a GET with a body shows nothing"),
        (Hole::Same, "FAIL the callers see different tenants"),
        (
            Hole::Answer,
            "FAIL the query `{__name__=~\".+\",tenant_id=\"team-b\"}` shows nothing",
        ),
    ] {
        let (status, out) = verify(&gateway(hole), &[]);
        assert_eq!(status, 1, "{expected}: {out}");
        assert!(out.contains(expected), "{expected}: {out}");
    }
}

#[test]
fn an_upstream_that_can_be_reached_is_a_way_around() {
    let url = gateway(Hole::None);
    let open = gateway(Hole::NoCredential);
    let (status, out) = verify(&url, &["--upstream", &open]);
    assert_eq!(status, 1);
    assert!(out.contains("FAIL http://127.0.0.1"), "{out}");
    // Nobody listens here.
    let (status, out) = verify(&url, &["--upstream", "http://127.0.0.1:1"]);
    assert_eq!(status, 0, "{out}");
}

#[test]
fn the_report_is_json_too() {
    let (status, out) = verify(&gateway(Hole::None), &["--json"]);
    assert_eq!(status, 0);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["fails"], 0);
    assert_eq!(report["probes"][0]["mark"], "holds");
}
