//! The rows of the table. What is not here does not exist.

use super::Endpoint::{self, *};
use super::Kind;

/// One path and what its methods are.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The kinds of upstream that have it.
    pub kinds: &'static [Kind],
    /// The path.
    pub path: Path,
    /// What GET is.
    pub get: Option<Endpoint>,
    /// What POST is.
    pub post: Option<Endpoint>,
    /// What DELETE is.
    pub delete: Option<Endpoint>,
    /// Whether HEAD is as GET.
    pub head: bool,
}

/// A path of the table.
#[derive(Clone, Copy, Debug)]
pub enum Path {
    /// Exactly this.
    Exact(&'static str),
    /// `/api/v1/label/<name>/values`: a classic name, or one in the `U__` escaping, whose letters
    /// are the same.
    LabelValues,
    /// `/api/v2/silence/<id>`: a UUID in lower case.
    Silence,
}

impl Path {
    /// Nothing, or the argument in the path if there is one.
    pub(super) fn matches(self, path: &str) -> Option<Option<&str>> {
        match self {
            Self::Exact(exact) => (path == exact).then_some(None),
            Self::LabelValues => {
                let name = path
                    .strip_prefix("/api/v1/label/")?
                    .strip_suffix("/values")?;
                is_label_name(name).then_some(Some(name))
            }
            Self::Silence => {
                let id = path.strip_prefix("/api/v2/silence/")?;
                is_uuid(id).then_some(Some(id))
            }
        }
    }
}

impl Row {
    /// The value of `Allow`.
    pub(super) fn allow(&self) -> &'static str {
        let methods = (self.get.is_some(), self.post.is_some());
        match (methods, self.delete.is_some(), self.head) {
            (_, _, true) => "GET, HEAD",
            (_, true, false) => "GET, DELETE",
            ((true, true), false, false) => "GET, POST",
            ((true, false), false, false) => "GET",
            ((false, _), false, false) => "POST",
        }
    }

    const fn get(kinds: &'static [Kind], path: &'static str, get: Endpoint) -> Self {
        Self {
            kinds,
            path: Path::Exact(path),
            get: Some(get),
            post: None,
            delete: None,
            head: false,
        }
    }

    const fn form(kinds: &'static [Kind], path: &'static str, both: Endpoint) -> Self {
        let mut row = Self::get(kinds, path, both);
        row.post = Some(both);
        row
    }

    const fn post(kinds: &'static [Kind], path: &'static str, post: Endpoint) -> Self {
        let mut row = Self::form(kinds, path, post);
        row.get = None;
        row
    }

    const fn with_post(mut self, post: Endpoint) -> Self {
        self.post = Some(post);
        self
    }

    const fn with_delete(mut self, delete: Endpoint) -> Self {
        self.delete = Some(delete);
        self
    }

    const fn with_head(mut self) -> Self {
        self.head = true;
        self
    }

    const fn at(mut self, path: Path) -> Self {
        self.path = path;
        self
    }
}

const P: &[Kind] = &[Kind::Prometheus];
const T: &[Kind] = &[Kind::Thanos];
const W: &[Kind] = &[Kind::Receive];
const A: &[Kind] = &[Kind::Alertmanager];
const PT: &[Kind] = &[Kind::Prometheus, Kind::Thanos];
const PTR: &[Kind] = &[Kind::Prometheus, Kind::Thanos, Kind::Ruler];
const PW: &[Kind] = &[Kind::Prometheus, Kind::Receive];
const ALL: &[Kind] = &[
    Kind::Prometheus,
    Kind::Thanos,
    Kind::Receive,
    Kind::Ruler,
    Kind::Alertmanager,
];

/// The table, in the order of the documentation.
pub static ROWS: &[Row] = &[
    Row::form(PT, "/api/v1/query", Query),
    Row::form(PT, "/api/v1/query_range", QueryRange),
    Row::form(PT, "/api/v1/query_exemplars", QueryExemplars),
    Row::form(T, "/api/v1/query_explain", QueryExplain),
    Row::form(T, "/api/v1/query_range_explain", QueryRangeExplain),
    Row::form(PT, "/api/v1/series", Series),
    Row::form(PT, "/api/v1/labels", Labels),
    Row::get(PT, "", LabelValues).at(Path::LabelValues),
    Row::form(P, "/api/v1/format_query", FormatQuery),
    Row::form(P, "/api/v1/parse_query", ParseQuery),
    Row::get(P, "/federate", Federate),
    Row::post(P, "/api/v1/read", RemoteRead),
    Row::get(PTR, "/api/v1/rules", Rules),
    Row::get(PTR, "/api/v1/alerts", Alerts),
    Row::get(PT, "/api/v1/metadata", Metadata),
    Row::get(PT, "/api/v1/targets", Targets),
    Row::get(PTR, "/api/v1/status/buildinfo", BuildInfo),
    Row::get(PT, "/api/v1/features", Features),
    Row::post(P, "/api/v1/write", RemoteWrite),
    Row::post(W, "/api/v1/receive", Receive),
    Row::post(W, "/api/v1/otlp", Otlp),
    Row::post(PW, "/api/v1/otlp/v1/metrics", Otlp),
    Row::get(A, "/api/v2/alerts", AlertmanagerAlerts).with_post(PostAlerts),
    Row::get(A, "/api/v2/alerts/groups", AlertGroups),
    Row::get(A, "/api/v2/silences", Silences).with_post(PostSilences),
    Row::get(A, "", Silence)
        .at(Path::Silence)
        .with_delete(DeleteSilence),
    Row::get(A, "/api/v2/status", AlertmanagerStatus),
    Row::get(A, "/api/v2/receivers", Receivers),
    Row::get(ALL, "/-/healthy", Healthy).with_head(),
    Row::get(ALL, "/-/ready", Ready).with_head(),
];

fn is_label_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.len() <= 256
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn is_uuid(id: &str) -> bool {
    id.len() == 36
        && id.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
        })
}
