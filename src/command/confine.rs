//! `promfence confine`: confines PromQL on the command line, one query or a stream of them.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read, Write};

use serde::{Deserialize, Serialize};

use super::output::{Failure, Outcome, Terminal, now};
use crate::promql::{Confiner, Guards, QueryCache};
use crate::scope::{Enforced, OnConflict, Scope};
use crate::tenant::{LabelName, TenantPattern};

/// Confine a PromQL query to tenants, as the filter does.
///
/// Prints the confined query, or the reason of the refusal on the standard error (exit status 1).
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The label that carries the tenant.
    #[arg(long, value_name = "NAME", default_value = "tenant_id", value_parser = label)]
    label: LabelName,
    /// A tenant that may be seen, or a pattern such as `team-*`. May be repeated.
    #[arg(long, value_name = "TENANT", required = true, value_parser = tenant)]
    tenant: Vec<TenantPattern>,
    /// A further matcher: a label and its allowed values, such as `team=x|y`. May be repeated.
    #[arg(long, value_name = "LABEL=VALUE|VALUE", value_parser = matcher)]
    matcher: Vec<Enforced>,
    /// What becomes of the query's own matcher on an enforced label.
    #[arg(long, value_name = "HOW", default_value = "intersect")]
    on_conflict: How,
    /// The text is a single selector, as in `match[]`.
    #[arg(long)]
    selector: bool,
    /// Allow this function besides the known ones. May be repeated.
    #[arg(long, value_name = "NAME")]
    function: Vec<String>,
    /// Read lines `{"query": ".."}` from the standard input, and write for each, in order, one line
    /// `{"confined": ".."}` or `{"refused": "reason"}`. The exit status is 0 then.
    #[arg(long, conflicts_with = "query")]
    jsonl: bool,
    /// The query. By default the whole standard input.
    query: Option<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum How {
    /// It stays: both must hold.
    Intersect,
    /// It is dropped.
    Replace,
    /// The query is refused, unless the matcher asks for exactly what is enforced.
    Reject,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let mut queries = Queries::new(args)?;
    if args.jsonl {
        // Twice the buffer of a pipe, so that a busy peer costs few calls.
        let input = BufReader::with_capacity(128 * 1024, io::stdin().lock());
        return queries.lines(input, terminal.out());
    }
    let text = match &args.query {
        Some(text) => text.clone(),
        None => {
            let mut bytes = Vec::new();
            // One more than can be confined, so that a longer text is refused and not cut.
            let most = LONGEST_LINE as u64 + 1;
            io::stdin().lock().take(most).read_to_end(&mut bytes)?;
            let text = String::from_utf8(bytes)
                .map_err(|_| Failure::new("the standard input is not UTF-8"))?;
            text.strip_suffix('\n').map(str::to_owned).unwrap_or(text)
        }
    };
    match queries.confine(&text) {
        Ok(confined) => {
            writeln!(terminal.out(), "{confined}")?;
            Ok(Outcome::Good)
        }
        Err(reason) => {
            writeln!(io::stderr(), "refused: {reason}")?;
            Ok(Outcome::Found)
        }
    }
}

/// The longest line that is read; the confined text's own limits are far below.
const LONGEST_LINE: usize = 1 << 20;

struct Queries {
    confiner: Confiner,
    cache: QueryCache,
    scope: Scope,
    selector: bool,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    query: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Confined(String),
    Refused(String),
}

impl Queries {
    fn new(args: &Args) -> Result<Self, Failure> {
        let tenants = Enforced::patterns(args.label.clone(), args.tenant.iter().cloned())
            .map_err(|e| Failure::new(format!("`--tenant`: {e}")))?;
        let mut matchers = vec![tenants];
        for matcher in &args.matcher {
            if *matcher.label() == args.label {
                return Err(Failure::new(
                    "`--matcher` names the tenant label: give it by `--tenant`",
                ));
            }
            matchers.push(matcher.clone());
        }
        if let Some(name) = args.function.iter().find(|name| !Confiner::may_allow(name)) {
            return Err(Failure::new(format!(
                "`--function {name}` cannot be allowed"
            )));
        }
        let on_conflict = match args.on_conflict {
            How::Intersect => OnConflict::Intersect,
            How::Replace => OnConflict::Replace,
            How::Reject => OnConflict::Reject,
        };
        Ok(Self {
            confiner: Confiner::new(&args.function, on_conflict, Guards::default()),
            cache: QueryCache::new(16 << 20, now()),
            scope: Scope::new(matchers),
            selector: args.selector,
        })
    }

    fn confine(&mut self, text: &str) -> Result<String, String> {
        let confined = if self.selector {
            self.confiner.selector(&mut self.cache, text, &self.scope)
        } else {
            self.confiner.query(&mut self.cache, text, &self.scope)
        };
        confined
            .map(|text| text.as_ref().to_owned())
            .map_err(|e| e.to_string())
    }

    /// Answers line by line. What has been answered is flushed before the input is waited for, so
    /// that a peer which asks one at a time gets each answer at once.
    fn lines(
        &mut self,
        mut input: BufReader<impl Read>,
        out: &mut dyn Write,
    ) -> Result<Outcome, Failure> {
        let mut line = Vec::new();
        loop {
            if input.buffer().is_empty() {
                out.flush()?;
            }
            let fits = match next_line(&mut input, &mut line)? {
                Some(fits) => fits,
                None => return Ok(Outcome::Good),
            };
            let answer = if fits {
                self.answer(&line)
            } else {
                Err("the line is too long".to_owned())
            };
            let answer = answer.map_or_else(Answer::Refused, Answer::Confined);
            serde_json::to_writer(&mut *out, &answer).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
        }
    }

    fn answer(&mut self, line: &[u8]) -> Result<String, String> {
        let text = std::str::from_utf8(line).map_err(|_| "the line is not UTF-8")?;
        // An array would be taken for the fields in their order.
        if !text.trim_start().starts_with('{') {
            return Err("the line is not an object with a `query`".to_owned());
        }
        let line: Line<'_> = serde_json::from_str(text)
            .map_err(|_| "the line is not an object with a `query` that is a string")?;
        self.confine(&line.query)
    }
}

/// Reads the next line without its end. `None` at the end of the input, `false` if the line was
/// longer than the limit and is gone.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let (mut any, mut fits) = (false, true);
    loop {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        if buffer.is_empty() {
            return Ok(any.then_some(fits));
        }
        any = true;
        let (part, used, done) = match memchr::memchr(b'\n', buffer) {
            Some(end) => (buffer.get(..end).unwrap_or_default(), end + 1, true),
            None => (buffer, buffer.len(), false),
        };
        if line.len() + part.len() > LONGEST_LINE {
            fits = false;
            line.clear();
        } else if fits {
            line.extend_from_slice(part);
        }
        input.consume(used);
        if done {
            return Ok(Some(fits));
        }
    }
}

fn label(text: &str) -> Result<LabelName, String> {
    LabelName::parse(text).map_err(|e| e.to_string())
}

fn tenant(text: &str) -> Result<TenantPattern, String> {
    TenantPattern::parse(text).map_err(|e| e.to_string())
}

fn matcher(text: &str) -> Result<Enforced, String> {
    let (name, values) = text.split_once('=').ok_or("a matcher is `LABEL=VALUE`")?;
    Enforced::values(label(name)?, values.split('|')).map_err(|e| e.to_string())
}
