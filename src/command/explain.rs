//! `promfence explain`: runs one request through the same core as the filter, and shows what becomes
//! of it.

mod keys;
mod metadata;
mod print;
mod request;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use self::print::Printer;
use self::request::Request;
use super::check::configuration;
use super::output::{Failure, Outcome, Terminal, now, read};
use crate::auth::{NoHost, Peer, Verdict};
use crate::config::Document;
use crate::deny::Denial;
use crate::exchange::{Exchange, Host, Lookup, Piece, Reply, ReplyPiece, Step, Worker};
use crate::http::{Headers, ResponseHead, UnixTime};

/// Show what the filter makes of a request: endpoint, grant, scope, and the request as the upstream
/// would get it, or the denial and why.
///
/// Nothing is sent. The exit status is 1 if the request, or its answer, is refused.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration: JSON, YAML, or a file of Envoy or Istio that has one.
    config: String,
    /// The method.
    method: String,
    /// The URL, or a path; a path is asked of the first host of the configuration.
    url: String,
    /// The bearer token, or `@FILE`.
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// A request header. May be repeated.
    #[arg(short = 'H', long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// The body, or `@FILE`. Without a content type it is a form.
    #[arg(short, long, value_name = "TEXT")]
    data: Option<String>,
    /// A connection property, such as
    /// `connection.uri_san_peer_certificate=spiffe://cluster.local/ns/a/sa/b`. May be repeated.
    #[arg(long, value_name = "PATH=VALUE")]
    property: Vec<String>,
    /// The claims that an earlier filter (`jwt_authn`) verified, as JSON.
    #[arg(long, value_name = "FILE")]
    payload: Option<String>,
    /// The key set that the key server answers with.
    #[arg(long, value_name = "FILE")]
    jwks: Option<String>,
    /// The time, in seconds since 1970. By default now.
    #[arg(long, value_name = "UNIXTIME")]
    at: Option<u64>,
    /// The value of an environment variable of the filter's VM. May be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = super::check::variable)]
    env: Vec<(String, String)>,
    /// What the upstream answers to a look-up that the filter makes first.
    #[arg(long, value_name = "FILE")]
    lookup: Option<String>,
    /// An answer of the upstream, to be shown as the caller would get it.
    #[arg(long, value_name = "FILE")]
    answer: Option<String>,
    /// The status of that answer.
    #[arg(long, value_name = "CODE", default_value_t = 200, requires = "answer")]
    status: u16,
    /// The content type of that answer.
    #[arg(
        long,
        value_name = "TYPE",
        default_value = "application/json",
        requires = "answer"
    )]
    content_type: String,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let given: BTreeMap<String, String> = args.env.iter().cloned().collect();
    let (bytes, environment) = configuration(&args.config, read(&args.config)?, &given)?;
    let wrong = |e| {
        Failure::new(format!(
            "{}: the configuration has errors; `promfence check` tells where\n{e}",
            args.config
        ))
    };
    let document = Document::from_json(&bytes).map_err(wrong)?;
    let assumed = RefCell::new(BTreeSet::new());
    let env = |name: &str| {
        if environment.find(name).is_none() {
            assumed.borrow_mut().insert(name.to_owned());
        }
        Some(environment.resolve(name))
    };
    let worker = Worker::new(&document, &env, 0).map_err(wrong)?;
    let request = Request::new(args, &document)?;
    let mut properties: BTreeMap<String, Vec<u8>> = args
        .property
        .iter()
        .map(|p| {
            p.split_once('=')
                .map(|(n, v)| (n.to_owned(), v.as_bytes().to_vec()))
        })
        .collect::<Option<_>>()
        .ok_or_else(|| Failure::new("`--property` is `PATH=VALUE`"))?;
    if let Some(file) = &args.payload {
        let claims = serde_json::from_slice(&read(file)?)
            .map_err(|e| Failure::new(format!("{file}: {e}")))?;
        properties.insert("metadata".to_owned(), metadata::of(&document, &claims));
    }
    let mut run = Run {
        args,
        document,
        worker,
        exchange: Exchange::default(),
        native: Native { properties },
        now: UnixTime::from_secs(args.at.unwrap_or_else(now)),
        printer: Printer::new(terminal.out()),
    };
    run.printer.assumed(&assumed.take())?;
    run.request(&request)
}

/// The connection as the command line describes it.
struct Native {
    properties: BTreeMap<String, Vec<u8>>,
}

impl Peer for Native {
    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        self.properties.get(&path.join(".")).cloned()
    }
}

struct Run<'a> {
    args: &'a Args,
    document: Document,
    worker: Worker,
    exchange: Exchange,
    native: Native,
    now: UnixTime,
    printer: Printer<'a>,
}

impl Run<'_> {
    fn request(mut self, request: &Request) -> Result<Outcome, Failure> {
        self.printer.upstream(&self.worker.policy, &request.head)?;
        let ends = request.body.is_empty();
        let host = Host {
            peer: &self.native,
            verifier: &NoHost,
            now: self.now,
        };
        let mut step = self
            .exchange
            .request_headers(&mut self.worker, &request.head, ends, &host);
        if let Step::WaitForKeys(_) = step {
            self.fetch_keys()?;
            let host = Host {
                peer: &self.native,
                verifier: &NoHost,
                now: self.now,
            };
            step = self.exchange.keys_fetched(&mut self.worker, &host);
        }
        self.grant(request)?;
        let mut looked_up = None;
        if let Step::Ask(lookup) = &step {
            looked_up = Some(self.look_up(lookup)?);
        }
        if let Some(answer) = looked_up {
            let Some(answer) = answer else {
                return Ok(Outcome::Good);
            };
            step = self
                .exchange
                .looked_up(&mut self.worker, 200, &answer, self.now);
        }
        let edits = match step {
            Step::Edit(edits) => edits,
            Step::Answer(answer) => {
                self.printer.answered(answer)?;
                return Ok(Outcome::Good);
            }
            Step::Refuse(denial) => return self.refused(&denial),
            Step::WaitForKeys(_) | Step::Ask(_) => {
                return Err(Failure::new("the core waits a second time"));
            }
        };
        let body = match self.body(request)? {
            Ok(Some(body)) => body,
            Ok(None) => return Ok(Outcome::Good),
            Err(denial) => return self.refused(&denial),
        };
        self.printer
            .forwarded(&self.worker.policy, &request.head, &edits, &body)?;
        match &self.args.answer {
            Some(file) => self.answer(&read(file)?),
            None => Ok(Outcome::Good),
        }
    }

    /// The body as the upstream gets it, or nothing if a look-up would decide first.
    fn body(&mut self, request: &Request) -> Result<Result<Option<Vec<u8>>, Denial>, Failure> {
        if request.body.is_empty() || !self.exchange.reads_request_body() {
            return Ok(Ok(Some(request.body.clone())));
        }
        Ok(
            match self
                .exchange
                .request_piece(&mut self.worker, &request.body, true)
            {
                Piece::Pass => Ok(Some(request.body.clone())),
                Piece::Take => {
                    return Err(Failure::new("the core did not see the end of the body"));
                }
                Piece::Emit(body) => Ok(Some(body)),
                Piece::Refuse(denial) => Err(denial),
                Piece::Ask(lookup, body) => match self.look_up(&lookup)? {
                    None => Ok(None),
                    Some(answer) => {
                        match self
                            .exchange
                            .looked_up(&mut self.worker, 200, &answer, self.now)
                        {
                            Step::Edit(_) => Ok(Some(body)),
                            Step::Refuse(denial) => Err(denial),
                            Step::Answer(_) | Step::WaitForKeys(_) | Step::Ask(_) => {
                                return Err(Failure::new("the core waits a second time"));
                            }
                        }
                    }
                },
            },
        )
    }

    /// Shows who calls, and what that gives.
    fn grant(&mut self, request: &Request) -> Result<(), Failure> {
        let (head, now) = (&request.head, self.now);
        let verdict = self
            .worker
            .auth
            .authenticate(head, &self.native, &NoHost, now);
        let grant = match verdict {
            Ok(Verdict::Grant(grant)) => Some(grant),
            Ok(Verdict::Wait(_)) | Err(_) => None,
        };
        self.printer.grant(self.exchange.audit(), grant.as_deref())
    }

    /// Shows a look-up; returns its answer if there is one.
    fn look_up(&mut self, lookup: &Lookup) -> Result<Option<Vec<u8>>, Failure> {
        self.printer.look_up(lookup)?;
        match &self.args.lookup {
            Some(file) => read(file).map(Some),
            None => {
                self.printer.needs_look_up()?;
                Ok(None)
            }
        }
    }

    fn answer(mut self, body: &[u8]) -> Result<Outcome, Failure> {
        let status = self.args.status.to_string().into_bytes();
        let kind = self.args.content_type.clone().into_bytes();
        let fields = vec![
            (":status".to_owned(), status),
            ("content-type".to_owned(), kind),
        ];
        let head = ResponseHead {
            headers: Headers::new(fields),
        };
        let worker = &mut self.worker;
        match self
            .exchange
            .response_headers(worker, &head, body.is_empty())
        {
            Reply::Refuse(denial) => return self.refused(&denial),
            Reply::Pass | Reply::Edit(_) | Reply::Hold(_) => {}
        }
        let shown = if self.exchange.reads_response_body() {
            match self.exchange.response_piece(&mut self.worker, body, true) {
                ReplyPiece::Pass => body.to_vec(),
                ReplyPiece::Emit(body) => body.join(),
                ReplyPiece::Take => Vec::new(),
                ReplyPiece::Refuse(denial) | ReplyPiece::Cut(denial) => {
                    return self.refused(&denial);
                }
            }
        } else {
            body.to_vec()
        };
        self.printer.answer(self.args.status, &shown)?;
        Ok(Outcome::Good)
    }

    fn refused(mut self, denial: &Denial) -> Result<Outcome, Failure> {
        self.printer.denied(denial, self.exchange.form())?;
        Ok(Outcome::Found)
    }
}
