//! A case: a configuration, a request, what must come of it, and perhaps an answer and what must
//! come of that. The files in `cases/` are run natively and in the built module.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::mint;

/// Cases with one configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// The configuration without `auth`.
    pub(crate) config: Value,
    pub(crate) cases: Vec<Case>,
}

/// A case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// A caller of `mint`, claims of a token, or `none`. By default `team-a`.
    #[serde(default = "team_a")]
    caller: Value,
    pub(crate) request: Request,
    /// The look-up that is made meanwhile.
    pub(crate) lookup: Option<Lookup>,
    /// What the upstream gets. Absent: nothing.
    pub(crate) upstream: Option<Upstream>,
    /// What the upstream answers. By default an empty success.
    #[serde(default)]
    pub(crate) response: Response,
    /// What the caller gets. Absent: whatever comes.
    pub(crate) reply: Option<Reply>,
}

fn team_a() -> Value {
    json!("team-a")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    #[serde(default = "get")]
    method: String,
    path: String,
    #[serde(default = "host")]
    pub(crate) host: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    body: Option<Body>,
}

fn get() -> String {
    "GET".to_owned()
}

fn host() -> String {
    "metrics.example".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lookup {
    /// The path with its query string decoded.
    pub(crate) path: String,
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) body: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Upstream {
    pub(crate) path: String,
    /// All parameters, in any order, wherever they are.
    #[serde(default)]
    pub(crate) params: Vec<(String, String)>,
    /// Headers with their only value; null: absent.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Option<String>>,
    pub(crate) body: Option<Body>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Body,
}

impl Default for Response {
    fn default() -> Self {
        Self {
            status: 200,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: Body::Json {
                json: json!({"status": "success", "data": []}),
            },
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reply {
    pub(crate) status: Option<u16>,
    /// The word under which a refusal is counted.
    pub(crate) reason: Option<String>,
    pub(crate) json: Option<Value>,
    pub(crate) text: Option<String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// The connection is cut.
    #[serde(default)]
    pub(crate) cut: bool,
}

/// Header fields in order.
pub(crate) type Fields = Vec<(String, Vec<u8>)>;

/// Head and body.
pub(crate) type Whole = (Fields, Vec<u8>);

/// What came of a case in a harness.
#[derive(Default)]
pub(crate) struct Seen {
    /// Head and body of the whole request that arrived.
    pub(crate) upstream: Option<Whole>,
    /// Head and body of what the caller got.
    pub(crate) reply: Option<Whole>,
    pub(crate) cut: bool,
    pub(crate) reason: Option<String>,
    /// Paths of look-ups.
    pub(crate) lookups: Vec<String>,
}

/// All files.
pub(crate) fn files() -> Vec<(String, File)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/exchange/cases");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let file = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
            (name, file)
        })
        .collect()
}

/// What of many cases failed.
#[derive(Default)]
pub(crate) struct Ledger {
    cases: usize,
    failed: Vec<String>,
}

impl Ledger {
    /// Runs a case, and goes on whatever comes of it.
    pub(crate) fn enter(&mut self, place: &str, case: impl FnOnce()) {
        self.cases += 1;
        if let Err(e) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(case)) {
            let words = e
                .downcast::<String>()
                .map_or_else(|_| "it panicked".to_owned(), |s| *s);
            self.failed.push(format!("{place}: {words}"));
        }
    }

    /// Fails if a case did, or if there were too few.
    pub(crate) fn close(self, least: usize) {
        assert!(
            self.failed.is_empty(),
            "{} failed:\n{}",
            self.failed.len(),
            self.failed.join("\n\n")
        );
        assert!(self.cases >= least, "{} cases", self.cases);
    }
}

impl File {
    /// The configuration with all callers.
    pub(crate) fn configuration(&self) -> String {
        let mut config = self.config.clone();
        config
            .as_object_mut()
            .unwrap()
            .entry("auth")
            .or_insert_with(mint::auth);
        config.to_string()
    }
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut message = |what: &str, message: &Option<Whole>| match message {
            Some((head, body)) => {
                writeln!(f, "{what}:")?;
                for (name, value) in head {
                    writeln!(f, "  {name}: {}", String::from_utf8_lossy(value))?;
                }
                writeln!(f, "  {}", String::from_utf8_lossy(body))
            }
            None => writeln!(f, "{what}: none"),
        };
        message("upstream", &self.upstream)?;
        message("reply", &self.reply)?;
        write!(
            f,
            "cut: {}, reason: {:?}, look-ups: {:?}",
            self.cut, self.reason, self.lookups
        )
    }
}

impl Case {
    /// The head of the request. `ends`: no body follows.
    pub(crate) fn head(&self, now: i64) -> (Fields, bool) {
        let mut head = vec![
            (":method", self.request.method.clone()),
            (":scheme", "https".to_owned()),
            (":authority", self.request.host.clone()),
            (":path", self.request.path.clone()),
            ("thanos-tenant", "team-forged".to_owned()),
        ];
        if let Some(name) = self.caller.as_str() {
            if name != "none" {
                head.push(("authorization", mint::bearer(name)));
            }
        } else {
            let token = mint::token(1, &mint::claims(now, &self.caller));
            head.push(("authorization", format!("Bearer {token}")));
        }
        head.extend(
            self.request
                .headers
                .iter()
                .map(|(n, v)| (n.as_str(), v.clone())),
        );
        if let Some(body) = &self.request.body {
            head.push(("content-length", body.bytes().len().to_string()));
        }
        let head = head
            .into_iter()
            .map(|(n, v)| (n.to_owned(), v.into_bytes()))
            .collect();
        (head, self.request.body.is_none())
    }

    /// The request's body.
    pub(crate) fn body(&self) -> Vec<u8> {
        self.request
            .body
            .as_ref()
            .map(Body::bytes)
            .unwrap_or_default()
    }

    /// The head of the answer.
    pub(crate) fn response_head(&self) -> Fields {
        let mut head = vec![(
            ":status".to_owned(),
            self.response.status.to_string().into_bytes(),
        )];
        head.extend(
            self.response
                .headers
                .iter()
                .map(|(n, v)| (n.clone(), v.clone().into_bytes())),
        );
        head
    }
}
