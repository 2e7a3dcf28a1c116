//! Writes queries and their confined texts for `scripts/differential`, which holds them against
//! Prometheus' own parser. Without its environment variables this test does nothing.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "a test program: it may fail loudly, and it takes the time of what it tests"
)]

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

use promfence::promql::lex::{Kind, Lexer};
use promfence::promql::{Confiner, Guards, QueryCache};
use promfence::scope::OnConflict;
use promfence::scope::{Enforced, Scope};
use promfence::tenant::LabelName;
use serde_json::{Value, json};

#[test]
fn queries_are_written_for_the_other_parser() {
    let variable = |name: &str| std::env::var(format!("PROMFENCE_DIFFERENTIAL_{name}")).ok();
    let Some(out) = variable("OUT") else {
        eprintln!("SKIPPED: run by scripts/differential");
        return;
    };
    let count: usize = variable("QUERIES").unwrap().parse().unwrap();
    let seed: u64 = variable("SEED").unwrap().parse().unwrap();
    let mut out = BufWriter::new(File::create(out).unwrap());
    let mut confine = Confine::new();
    let corpus = corpus();
    eprintln!("{} queries of the corpus, {count} made", corpus.len());
    let mut made = Made {
        random: Random(seed | 1),
        corpus: &corpus,
    };
    for query in &corpus {
        confine.write(query, &mut out);
    }
    for _ in 0..count {
        let query = made.query();
        confine.write(&query, &mut out);
    }
    out.flush().unwrap();
    eprintln!("slowest: {:?}", confine.slowest);
}

struct Confine {
    scope: Scope,
    keep: Confiner,
    replace: Confiner,
    cache: QueryCache,
    slowest: std::time::Duration,
}

impl Confine {
    fn new() -> Self {
        let label = LabelName::parse("tenant_id").unwrap();
        let confiner = |policy| Confiner::new::<&str>(&[], policy, Guards::default());
        Self {
            scope: Scope::new(vec![Enforced::values(label, ["a"]).unwrap()]),
            keep: confiner(OnConflict::Intersect),
            replace: confiner(OnConflict::Replace),
            cache: QueryCache::new(1 << 20, 0),
            slowest: std::time::Duration::ZERO,
        }
    }

    fn write(&mut self, query: &str, out: &mut impl std::io::Write) {
        let start = Instant::now();
        let kept = catch_unwind(AssertUnwindSafe(|| {
            self.keep.query(&mut self.cache, query, &self.scope)
        }));
        let took = start.elapsed();
        self.slowest = self.slowest.max(took);
        let line = match kept {
            Err(_) => json!({"q": query, "e": "panic"}),
            Ok(Err(refusal)) => json!({"q": query, "e": refusal.to_string()}),
            Ok(Ok(_)) if took.as_secs() > 1 => json!({"q": query, "e": "slow"}),
            Ok(Ok(confined)) => {
                let mut line = json!({"q": query, "c": &*confined, "t": tokens(query)});
                let own = query.contains("tenant") || query.contains('\\');
                if own && let Ok(r) = self.replace.query(&mut self.cache, query, &self.scope) {
                    line["r"] = (&*r).into();
                }
                line
            }
        };
        writeln!(out, "{line}").unwrap();
    }
}

/// Our tokens in the form that the other side prints.
fn tokens(query: &str) -> String {
    let mut all = String::new();
    let mut lexer = Lexer::new(query);
    while let Ok(token) = lexer.next_token() {
        let class = match token.kind {
            Kind::End => break,
            Kind::Number => 'n',
            Kind::Duration => 'd',
            Kind::Text => 's',
            Kind::Word(_) | Kind::Label => 'w',
            _ => query[token.start..].chars().next().unwrap(),
        };
        all.push_str(&format!("{class}{}-{} ", token.start, token.end));
    }
    all
}

fn corpus() -> Vec<String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("PROMFENCE_SHARED").map(PathBuf::from);
    let mut queries = Vec::new();
    let mut folders = vec![here.join("tests/promql")];
    folders.extend(
        shared
            .into_iter()
            .chain([here.join("../shared"), here.join("../../shared")])
            .map(|shared| shared.join("corpus/promql"))
            .find(|folder| folder.is_dir()),
    );
    if folders.len() == 1 {
        eprintln!("the shared PromQL corpus is not there: only the project's own is used");
    }
    for folder in folders {
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|f| f.unwrap().path())
            .collect();
        files.sort();
        for path in files
            .iter()
            .filter(|p| p.extension().is_some_and(|e| e == "jsonl"))
        {
            for line in fs::read_to_string(path).unwrap().lines() {
                let case: Value = serde_json::from_str(line).unwrap();
                queries.push(case["query"].as_str().unwrap().to_owned());
            }
        }
    }
    queries
}

/// xorshift64*: the same queries for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from((self.next() >> 33) % n as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

struct Made<'a> {
    random: Random,
    corpus: &'a [String],
}

const WORDS: &[&str] = &[
    "up",
    "foo",
    "a:b",
    ":x",
    "sum",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "offset",
    "and",
    "or",
    "unless",
    "atan2",
    "bool",
    "start",
    "end",
    "step",
    "range",
    "min_of",
    "max_of",
    "fill",
    "fill_left",
    "fill_right",
    "smoothed",
    "anchored",
    "inf",
    "nan",
    "Inf",
    "NaN",
    "topk",
    "limitk",
    "min",
    "max",
    "SUM",
    "By",
    "OFFSET",
    "_",
    "__name__",
    "tenant_id",
    "infinity",
    "nan1",
    "e5",
    "x",
    "a.b",
    "bool.5",
    "caf\u{e9}",
    "group",
    "count_values",
];
const NUMBERS: &[&str] = &[
    "1",
    "0",
    "-1",
    "1e3",
    "1e+3",
    "1E-3",
    ".5",
    "5.",
    "0x1F",
    "0X_1f",
    "1_000",
    "0x1e+5",
    "0x1e5",
    "1.5e3",
    "5m",
    "1h30m",
    "1d",
    "0s",
    "1ms",
    "2y1w",
    "007",
    "08",
    "1e",
    "1__0",
    "0x",
    "1m1h",
    "9223372036854775808",
    "1.2.3",
    "inf",
    "5mm",
    "1_0m",
    "0x1e+f",
    "1e999",
];
const STRINGS: &[&str] = &[
    "\"a\"",
    "'a'",
    "`a`",
    "\"\"",
    "''",
    "``",
    "\"b\\\"c\"",
    "'\\''",
    "`\\`",
    "\"\\xff\"",
    "\"\\u00e9\"",
    "\"\\U0001F600\"",
    "\"\\377\"",
    "\"\\400\"",
    "\"\\ud800\"",
    "\"a\nb\"",
    "`a\nb`",
    "\"\\q\"",
    "\".*\"",
    "\".+\"",
    "\"a|\"",
    "\"}\"",
    "\"{\"",
    "'#'",
    "\"#\"",
    "\"tenant_id\"",
    "\"tenant\\u005fid\"",
    "\"\u{fffd}\"",
    "\"__name__\"",
    "\"(\"",
    "\"\\\\d+\"",
    "\"\\x74enant_id\"",
    "\"b\"",
    "\"a|b\"",
    "'\\\"'",
];
const GLUE: &[&str] = &[
    " ", "", "", "", "\n", "\t", "\r", " # c\n", "#}\r", " #\"\n", "  ", "\u{a0}", "\u{feff}",
];
const LABELS: &[&str] = &[
    "a",
    "b",
    "tenant_id",
    "by",
    "on",
    "or",
    "__name__",
    "le",
    "\"tenant_id\"",
    "'tenant_id'",
    "\"tenant\\u005fid\"",
    "`tenant_id`",
    "\"x y\"",
    "bool",
    "a.b",
    "inf",
    "sum",
    "\"\\164enant_id\"",
];
const FUNCTIONS: &[&str] = &[
    "rate",
    "abs",
    "label_replace",
    "label_join",
    "vector",
    "scalar",
    "time",
    "start",
    "end",
    "step",
    "range",
    "min_of",
    "max_of",
    "info",
    "histogram_quantile",
    "xrate",
    "sort_by_label",
    "absent",
    "nope",
    "Rate",
    "quantile_over_time",
    "integral",
    "predict_linear",
    "round",
    "sum_over_time",
];
const OPERATORS: &[&str] = &[
    "+", "-", "*", "/", "%", "^", "==", "!=", "<", "<=", ">", ">=", "</", ">/", "and", "or",
    "unless", "atan2", "AND", "=", "=~", "!~", "!", "== bool", "> bool",
];

impl Made<'_> {
    fn query(&mut self) -> String {
        let mut query = if self.random.one_in(3) {
            self.corpus[self.random.below(self.corpus.len())].clone()
        } else {
            let mut to = String::new();
            self.expression(4, &mut to);
            to
        };
        if query.len() > 2000 {
            query.truncate(query.floor_char_boundary(2000));
        }
        for _ in 0..[0, 0, 1, 1, 2, 3, 6][self.random.below(7)] {
            self.mutate(&mut query);
        }
        query
    }

    fn place(&mut self, text: &str) -> usize {
        text.floor_char_boundary(self.random.below(text.len() + 1))
    }

    /// Changes one thing: a token or a run of characters added, left out, doubled or replaced.
    fn mutate(&mut self, query: &mut String) {
        let (from, to) = (self.place(query), self.place(query));
        let (from, to) = (from.min(to), from.max(to).min(from.min(to) + 12));
        let to = query.floor_char_boundary(to).max(from);
        match self.random.below(7) {
            0 => query.replace_range(from..to, ""),
            1 => {
                let copy = query[from..to].to_owned();
                query.insert_str(from, &copy);
            }
            2 => {
                let other = &self.corpus[self.random.below(self.corpus.len())];
                let other = other.clone();
                let (a, b) = (self.place(&other), self.place(&other));
                let (a, b) = (a.min(b), a.max(b).min(a.min(b) + 40));
                let b = other.floor_char_boundary(b).max(a);
                query.insert_str(from, &other[a..b]);
            }
            3 => query.insert_str(from, self.random.pick(GLUE)),
            4 => {
                let character = self.random.pick(&[
                    "{", "}", "(", ")", "[", "]", ",", ":", "\"", "'", "`", "\\", "#", ".", "_",
                    "@", "-", "=", "~", "!", "e", "x", "0", "5", "s", "\0", "\u{e9}", "\u{212a}",
                    "\u{17f}", ";", "|", "\n",
                ]);
                query.insert_str(from, character);
            }
            5 => {
                let piece = self.piece();
                query.insert_str(from, &piece);
            }
            _ => {
                let piece = self.piece();
                query.replace_range(from..to, &piece);
            }
        }
    }

    fn piece(&mut self) -> String {
        let list = [WORDS, NUMBERS, STRINGS, OPERATORS, LABELS, FUNCTIONS][self.random.below(6)];
        let mut piece = self.random.pick(list).to_owned();
        if self.random.one_in(3) {
            piece.insert(0, ' ');
        }
        if self.random.one_in(3) {
            piece.push(' ');
        }
        piece
    }

    fn expression(&mut self, depth: usize, to: &mut String) {
        self.operand(depth, to);
        while self.random.one_in(3) {
            self.glue(to);
            let word = self.random.pick(OPERATORS);
            to.push(' ');
            to.push_str(word);
            self.modifiers(to);
            to.push(' ');
            self.glue(to);
            self.operand(depth.saturating_sub(1), to);
        }
    }

    fn modifiers(&mut self, to: &mut String) {
        if self.random.one_in(4) {
            to.push_str(self.random.pick(&[" on", " ignoring", "on", " ON"]));
            self.labels(to);
            if self.random.one_in(2) {
                to.push_str(self.random.pick(&[" group_left", " group_right"]));
                if self.random.one_in(2) {
                    self.labels(to);
                }
            }
        }
        if self.random.one_in(8) {
            to.push_str(self.random.pick(&[
                " fill(1)",
                " fill (-5)",
                " fill_left(0) fill_right(nan)",
                " fill_right(1)",
                " fill(1) fill(2)",
                " fill # c\n(1)",
            ]));
        }
    }

    fn labels(&mut self, to: &mut String) {
        to.push_str(self.random.pick(&["(", " (", "(#c\n"]));
        for _ in 0..self.random.below(3) {
            let label = if self.random.one_in(3) {
                self.random.pick(WORDS)
            } else {
                self.random.pick(LABELS)
            };
            to.push_str(label);
            to.push_str(self.random.pick(&[",", ", ", ","]));
        }
        if self.random.one_in(2) {
            to.push_str(self.random.pick(WORDS));
        }
        to.push(')');
    }

    fn operand(&mut self, depth: usize, to: &mut String) {
        if self.random.one_in(8) {
            to.push_str(self.random.pick(&["-", "+", "--", "- "]));
        }
        let kind = if depth == 0 {
            self.random.below(5)
        } else {
            self.random.below(11)
        };
        match kind {
            0 => to.push_str(self.random.pick(NUMBERS)),
            1 => to.push_str(self.random.pick(STRINGS)),
            2..=4 => self.selector(to),
            5 => {
                to.push('(');
                self.expression(depth - 1, to);
                to.push(')');
            }
            6 | 7 => self.aggregation(depth, to),
            8 | 9 => {
                to.push_str(self.random.pick(FUNCTIONS));
                self.glue(to);
                self.arguments(depth, to);
            }
            _ => {
                to.push_str(self.random.pick(&["rate(", "sum_over_time(", "xrate("]));
                self.selector(to);
                self.range(to);
                to.push(')');
            }
        }
        while self.random.one_in(4) {
            self.postfix(to);
        }
    }

    fn aggregation(&mut self, depth: usize, to: &mut String) {
        to.push_str(self.random.pick(&[
            "sum",
            "topk",
            "count_values",
            "limitk",
            "quantile",
            "Avg",
            "group",
            "min",
            "limit_ratio",
        ]));
        self.glue(to);
        let grouping = self.random.pick(&["by", " without", " by "]);
        let before = self.random.below(3);
        if before == 0 {
            to.push(' ');
            to.push_str(grouping);
            self.labels(to);
        }
        self.arguments(depth, to);
        if before == 1 {
            to.push_str(grouping);
            self.labels(to);
        }
    }

    fn arguments(&mut self, depth: usize, to: &mut String) {
        to.push('(');
        for i in 0..self.random.below(4) {
            if i > 0 {
                to.push(',');
            }
            self.glue(to);
            self.expression(depth - 1, to);
        }
        to.push(')');
    }

    fn selector(&mut self, to: &mut String) {
        let named = !self.random.one_in(4);
        if named {
            to.push_str(self.random.pick(WORDS));
        }
        if named && self.random.one_in(2) {
            return;
        }
        self.glue(to);
        to.push('{');
        let count = self.random.below(4);
        for i in 0..count {
            if i > 0 {
                to.push(',');
            }
            self.glue(to);
            if self.random.one_in(8) {
                to.push_str(self.random.pick(STRINGS));
                continue;
            }
            to.push_str(self.random.pick(LABELS));
            self.glue(to);
            to.push_str(self.random.pick(&["=", "!=", "=~", "!~", "="]));
            self.glue(to);
            to.push_str(self.random.pick(STRINGS));
        }
        if self.random.one_in(6) {
            to.push(',');
        }
        self.glue(to);
        to.push('}');
    }

    fn postfix(&mut self, to: &mut String) {
        self.glue(to);
        match self.random.below(6) {
            0 => self.range(to),
            1 => {
                to.push_str(self.random.pick(&[" offset ", " OFFSET ", " offset"]));
                self.duration(2, to);
            }
            2 => {
                to.push_str(self.random.pick(&["@", " @ "]));
                to.push_str(self.random.pick(&[
                    "1", "-1", "start()", "end( )", "5m", "inf", "+1.5", "START()", "step()",
                ]));
            }
            3 => to.push_str(self.random.pick(&[" smoothed", " anchored"])),
            4 => {
                to.push('[');
                self.duration(2, to);
                to.push(':');
                if self.random.one_in(2) {
                    self.duration(2, to);
                }
                to.push(']');
            }
            _ => to.push_str(" offset 5m"),
        }
    }

    fn range(&mut self, to: &mut String) {
        to.push('[');
        self.glue(to);
        if self.random.one_in(2) {
            to.push_str("5m");
        } else {
            self.duration(2, to);
        }
        self.glue(to);
        to.push(']');
    }

    fn duration(&mut self, depth: usize, to: &mut String) {
        match self.random.below(if depth == 0 { 3 } else { 8 }) {
            0 | 1 => to.push_str(self.random.pick(NUMBERS)),
            2 => to.push_str(
                self.random
                    .pick(&["step()", "range()", "STEP()", "step( )", "step"]),
            ),
            3 => {
                to.push('(');
                self.duration(depth - 1, to);
                to.push(')');
            }
            4 => {
                to.push_str(
                    self.random
                        .pick(&["min_of(", "max_of(", "min(", "max(", "MAX_OF("]),
                );
                self.duration(depth - 1, to);
                to.push(',');
                self.duration(depth - 1, to);
                to.push(')');
            }
            5 => {
                to.push_str(self.random.pick(&["-", "+"]));
                self.duration(depth - 1, to);
            }
            _ => {
                self.duration(depth - 1, to);
                self.glue(to);
                to.push_str(self.random.pick(&["+", "-", "*", "/", "%", "^", " + "]));
                self.glue(to);
                self.duration(depth - 1, to);
            }
        }
    }

    fn glue(&mut self, to: &mut String) {
        if self.random.one_in(5) {
            to.push_str(self.random.pick(GLUE));
        }
    }
}
