//! Answers: which must be filtered, verified or reworded, and that nothing else of them leaves.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::deny;
use super::proof::{self, Proof, Scanner};
use super::step::{Edits, Reply, ReplyPiece};
use super::worker::Worker;
use crate::config::upstream::{Metadata, Rules, Targets};
use crate::deny::Denial;
use crate::http::ResponseHead;
use crate::policy::Upstream;
use crate::respond::{self, AnswerError, ErrorForm};
use crate::route::{Endpoint, Kind};
use crate::scope::Scope;

/// What becomes of an answer.
#[derive(Debug, Default)]
pub struct Answer {
    plan: Option<Plan>,
    mode: Mode,
}

#[derive(Debug)]
struct Plan {
    kind: Kind,
    endpoint: Endpoint,
    scope: Scope,
    holder: Arc<str>,
    limit: usize,
    rules: Rules,
    success: Success,
    /// Whether errors of the upstream are put into our own words.
    rewords: bool,
    names: Option<Arc<BTreeSet<String>>>,
}

/// What becomes of a 2xx answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Success {
    /// It passes.
    Pass,
    /// It is held, and cut down to the scope.
    Filter,
    /// It is held, and each series must be in scope.
    Verify,
    /// It is read as it passes, and each series must be in scope.
    VerifyStream,
    /// It is read as it passes, and the warnings of stores are cut.
    CutWarnings,
}

/// What is being done with the body that is under way.
#[derive(Debug, Default)]
enum Mode {
    /// Nothing: it passes.
    #[default]
    Pass,
    /// Held until whole.
    Hold {
        bytes: Vec<u8>,
        counted: usize,
        encoding: Option<Vec<u8>>,
        then: Then,
    },
    /// Read as it passes.
    Cut(respond::WarningCutter),
    /// Read as it passes; what is held of it is counted.
    Verify { scanner: Scanner, counted: usize },
    /// Ended, or cut: nothing more may pass.
    Ended,
}

impl Mode {
    fn hold(encoding: Option<Vec<u8>>, then: Then) -> Self {
        Self::Hold {
            bytes: Vec::new(),
            counted: 0,
            encoding,
            then,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Then {
    Filter,
    Verify(Proof),
    Reword(u16),
}

impl Answer {
    /// What becomes of the answers of an endpoint.
    pub(super) fn of(
        upstream: &Upstream,
        endpoint: Endpoint,
        scope: &Scope,
        worker: &mut Worker,
    ) -> Self {
        let success = if scope.is_unlimited() {
            Success::Pass
        } else if is_filtered(upstream, endpoint) {
            Success::Filter
        } else {
            proof::of(upstream.verify, endpoint, worker)
                .unwrap_or_else(|| unproven(upstream.kind, endpoint))
        };
        let rewords =
            !scope.is_unlimited() && (success == Success::Filter || upstream.kind == Kind::Thanos);
        if success == Success::Pass && !rewords {
            return Self::default();
        }
        Self {
            plan: Some(Plan {
                kind: upstream.kind,
                endpoint,
                scope: scope.clone(),
                holder: Arc::default(),
                limit: upstream.max_response,
                rules: upstream.rules,
                success,
                rewords,
                names: None,
            }),
            mode: Mode::Pass,
        }
    }

    /// Whose share of the worker's memory is used.
    pub(super) fn held_by(&mut self, holder: &Arc<str>) {
        if let Some(plan) = &mut self.plan {
            plan.holder = holder.clone();
        }
    }

    /// The metric names that a metadata answer is cut down to.
    pub(super) fn show_names(&mut self, names: Arc<BTreeSet<String>>) {
        if let Some(plan) = &mut self.plan {
            plan.names = Some(names);
        }
    }

    /// Whether series of the answer are to be proven.
    pub(super) fn is_proven(&self) -> bool {
        self.plan
            .as_ref()
            .is_some_and(|p| matches!(p.success, Success::Verify | Success::VerifyStream))
    }

    /// Tells whether the query is one selector alone. The series of any other answer need not carry
    /// the enforced labels, so they cannot be proven.
    pub(super) fn selects(&mut self, alone: bool) {
        if let Some(plan) = &mut self.plan
            && proof::needs_selector(plan.endpoint)
            && !alone
        {
            plan.success = unproven(plan.kind, plan.endpoint);
            if plan.success == Success::Pass && !plan.rewords {
                self.plan = None;
            }
        }
    }

    /// Whether the body of an answer may have to be read.
    pub(super) fn is_read(&self) -> bool {
        self.plan.is_some()
    }

    /// Whether the body is held until it is whole.
    pub(super) fn is_held(&self) -> bool {
        matches!(self.mode, Mode::Hold { .. })
    }

    /// Gives up: nothing more of the body may pass.
    pub(super) fn give_up(&mut self, worker: &mut Worker) {
        self.release(worker);
        self.mode = Mode::Ended;
    }

    /// Judges the head of an answer.
    pub(super) fn head(&mut self, head: &ResponseHead, ends: bool) -> Reply {
        let Some(plan) = &self.plan else {
            return Reply::Pass;
        };
        let status = head.status();
        let good = (200..300).contains(&status);
        let filters = matches!(
            plan.success,
            Success::Filter | Success::Verify | Success::VerifyStream
        );
        if ends || matches!(status, 204 | 304) {
            self.mode = Mode::Ended;
            // No series at all is an empty body where it is no JSON.
            let may_be_empty = matches!(
                plan.endpoint,
                Endpoint::DeleteSilence | Endpoint::Federate | Endpoint::RemoteRead
            );
            return if good && filters && status != 204 && !may_be_empty {
                Reply::Refuse(deny::answer(&AnswerError::Json))
            } else {
                Reply::Pass
            };
        }
        if !good && !plan.rewords {
            return Reply::Pass;
        }
        let encoding = plan.encoding(head);
        let mut edits = Edits::default();
        for name in [
            "content-length",
            "etag",
            "content-md5",
            "digest",
            "accept-ranges",
        ] {
            if head.headers.all(name).next().is_some() {
                edits.remove(name);
            }
        }
        self.mode = if !good {
            edits.set("content-type", "application/json");
            edits.remove("content-encoding");
            Mode::hold(encoding, Then::Reword(status))
        } else {
            match plan.success {
                Success::Pass => return Reply::Pass,
                Success::Filter | Success::Verify => {
                    if let Some(denial) = plan.refuse_head(head) {
                        return Reply::Refuse(denial);
                    }
                    if encoding.is_some() {
                        edits.remove("content-encoding");
                    }
                    let then = if plan.success == Success::Filter {
                        Then::Filter
                    } else {
                        match Proof::of(plan.endpoint, head) {
                            Some(proof) => Then::Verify(proof),
                            None => return Reply::Refuse(deny::answer(&AnswerError::Shape)),
                        }
                    };
                    Mode::hold(encoding, then)
                }
                Success::VerifyStream | Success::CutWarnings if encoding.is_some() => {
                    return Reply::Refuse(deny::answer(&AnswerError::Encoding));
                }
                Success::VerifyStream => {
                    let Some(proof) = Proof::of(plan.endpoint, head) else {
                        return Reply::Refuse(deny::answer(&AnswerError::Shape));
                    };
                    match proof.scanner(&plan.scope, plan.cuts_warnings()) {
                        Some(scanner) => Mode::Verify {
                            scanner,
                            counted: 0,
                        },
                        None => Mode::hold(encoding, Then::Verify(proof)),
                    }
                }
                Success::CutWarnings => {
                    if !is_json(head) {
                        return Reply::Refuse(deny::answer(&AnswerError::Json));
                    }
                    Mode::Cut(respond::WarningCutter::new())
                }
            }
        };
        Reply::Edit(edits)
    }

    /// Judges a piece of the body.
    pub(super) fn piece(&mut self, worker: &mut Worker, piece: &[u8], ends: bool) -> ReplyPiece {
        let Some(plan) = &self.plan else {
            return ReplyPiece::Pass;
        };
        let result = match &mut self.mode {
            Mode::Pass => return ReplyPiece::Pass,
            Mode::Ended if piece.is_empty() => return ReplyPiece::Pass,
            Mode::Ended => Err(deny::internal()),
            Mode::Hold {
                bytes,
                counted,
                then,
                ..
            } => match plan.take(worker, bytes, counted, piece, *then) {
                Ok(()) if !ends => return ReplyPiece::Emit(Vec::new()),
                Ok(()) => match std::mem::replace(&mut self.mode, Mode::Ended) {
                    Mode::Hold {
                        bytes,
                        counted,
                        encoding,
                        then,
                    } => {
                        worker.budget.release(&plan.holder, counted);
                        plan.whole(bytes, encoding.as_deref(), then)
                    }
                    Mode::Pass | Mode::Cut(_) | Mode::Verify { .. } | Mode::Ended => {
                        Err(deny::internal())
                    }
                },
                Err(denial) => Err(denial),
            },
            Mode::Cut(cutter) => {
                let fed = cutter.feed(piece);
                let rest = match ends.then(|| std::mem::take(&mut self.mode)) {
                    Some(Mode::Cut(cutter)) => cutter.finish(),
                    _ => Ok(Vec::new()),
                };
                joined(fed, rest)
            }
            Mode::Verify { scanner, counted } => {
                let fed = scanner.feed(piece);
                match plan.count(worker, counted, scanner.held()) {
                    Ok(()) if ends => match std::mem::replace(&mut self.mode, Mode::Ended) {
                        Mode::Verify { scanner, counted } => {
                            worker.budget.release(&plan.holder, counted);
                            joined(fed, scanner.finish())
                        }
                        Mode::Pass | Mode::Cut(_) | Mode::Hold { .. } | Mode::Ended => {
                            Err(deny::internal())
                        }
                    },
                    Ok(()) => joined(fed, Ok(Vec::new())),
                    Err(denial) => Err(denial),
                }
            }
        };
        match result {
            Ok(bytes) => ReplyPiece::Emit(bytes),
            Err(denial) => {
                self.give_up(worker);
                ReplyPiece::Cut(denial)
            }
        }
    }

    /// Gives back what is held.
    pub(super) fn release(&mut self, worker: &mut Worker) {
        let Some(plan) = &self.plan else {
            return;
        };
        match &mut self.mode {
            Mode::Hold { bytes, counted, .. } => {
                worker.budget.release(&plan.holder, std::mem::take(counted));
                *bytes = Vec::new();
            }
            Mode::Verify { counted, .. } => {
                worker.budget.release(&plan.holder, std::mem::take(counted));
            }
            Mode::Pass | Mode::Cut(_) | Mode::Ended => {}
        }
    }
}

impl Plan {
    /// The encoding that must be undone before the body is read. That of a remote read is part of
    /// what it is.
    fn encoding(&self, head: &ResponseHead) -> Option<Vec<u8>> {
        let given = head.headers.all("content-encoding").next()?;
        let own = given.eq_ignore_ascii_case(b"identity")
            || (self.endpoint == Endpoint::RemoteRead && given == b"snappy");
        (!own).then(|| given.to_vec())
    }

    /// Counts what a scanner holds.
    fn count(&self, worker: &mut Worker, counted: &mut usize, held: usize) -> Result<(), Denial> {
        if let Some(more) = held.checked_sub(*counted) {
            worker
                .budget
                .hold(&self.holder, more)
                .map_err(|_| deny::held())?;
        } else {
            worker.budget.release(&self.holder, *counted - held);
        }
        *counted = held;
        Ok(())
    }

    fn cuts_warnings(&self) -> bool {
        unproven(self.kind, self.endpoint) == Success::CutWarnings
    }

    /// An answer that cannot be filtered is refused while a denial can still be told.
    fn refuse_head(&self, head: &ResponseHead) -> Option<Denial> {
        let declared = head
            .headers
            .all("content-length")
            .next()
            .and_then(|v| std::str::from_utf8(v).ok())
            .and_then(|v| v.parse::<u64>().ok());
        if declared.is_some_and(|n| usize::try_from(n).map_or(true, |n| n > self.limit)) {
            return Some(deny::answer(&AnswerError::Limit));
        }
        let unknown = |e: Vec<u8>| !respond::is_decodable(&e);
        let several = head.headers.all("content-encoding").nth(1).is_some();
        if several || self.encoding(head).is_some_and(unknown) {
            return Some(deny::answer(&AnswerError::Encoding));
        }
        let text = matches!(self.endpoint, Endpoint::Federate | Endpoint::RemoteRead);
        (!text && !is_json(head)).then(|| deny::answer(&AnswerError::Json))
    }

    fn take(
        &self,
        worker: &mut Worker,
        bytes: &mut Vec<u8>,
        counted: &mut usize,
        piece: &[u8],
        then: Then,
    ) -> Result<(), Denial> {
        let limit = match then {
            Then::Filter | Then::Verify(_) => self.limit,
            Then::Reword(_) => REWORDED,
        };
        if bytes.len().saturating_add(piece.len()) > limit {
            return match then {
                Then::Filter | Then::Verify(_) => Err(deny::answer(&AnswerError::Limit)),
                // The rest of an error's text is not needed to reword it.
                Then::Reword(_) => Ok(()),
            };
        }
        worker
            .budget
            .hold(&self.holder, piece.len())
            .map_err(|_| deny::held())?;
        *counted = counted.saturating_add(piece.len());
        bytes.extend_from_slice(piece);
        Ok(())
    }

    fn whole(
        &self,
        bytes: Vec<u8>,
        encoding: Option<&[u8]>,
        then: Then,
    ) -> Result<Vec<u8>, Denial> {
        let limit = self.limit;
        let bytes = match (encoding, then) {
            (None, _) => bytes,
            (Some(encoding), Then::Filter | Then::Verify(_)) => {
                let decoded = respond::decode(encoding, &bytes, limit);
                decoded.map_err(|e| deny::answer(&e))?.into_owned()
            }
            (Some(_), Then::Reword(_)) => Vec::new(),
        };
        match then {
            Then::Reword(status) => Ok(respond::reword_error(status, &bytes, self.error_form())),
            Then::Verify(proof) => proof
                .check(&bytes, &self.scope, limit)
                .and_then(|()| {
                    if self.cuts_warnings() {
                        proof::without_warnings(&bytes)
                    } else {
                        Ok(bytes)
                    }
                })
                .map_err(|e| deny::answer(&e)),
            Then::Filter => self.filter(bytes).map_err(|e| deny::answer(&e)),
        }
    }

    fn filter(&self, bytes: Vec<u8>) -> Result<Vec<u8>, AnswerError> {
        let scope = &self.scope;
        match self.endpoint {
            Endpoint::Rules => respond::rules(
                bytes,
                scope,
                respond::RuleOptions {
                    active_alerts: self.rules.active_alerts,
                    unlabelled: self.rules.unlabelled,
                },
            ),
            Endpoint::Alerts => respond::alerts(bytes, scope),
            Endpoint::QueryExemplars => respond::exemplars(bytes, scope),
            Endpoint::Targets => respond::targets(bytes, scope),
            Endpoint::Metadata => match &self.names {
                Some(names) => respond::metadata(bytes, names),
                None => Err(AnswerError::Json),
            },
            Endpoint::Silences => respond::silences(bytes, scope),
            Endpoint::Silence => match respond::silence_in_scope(&bytes, scope)? {
                true => Ok(bytes),
                false => Err(AnswerError::Foreign),
            },
            Endpoint::AlertmanagerAlerts => respond::am_alerts(bytes, scope),
            Endpoint::AlertGroups => respond::am_groups(bytes, scope),
            Endpoint::Query
            | Endpoint::QueryRange
            | Endpoint::QueryExplain
            | Endpoint::QueryRangeExplain
            | Endpoint::Series
            | Endpoint::Labels
            | Endpoint::LabelValues
            | Endpoint::FormatQuery
            | Endpoint::ParseQuery
            | Endpoint::Federate
            | Endpoint::RemoteRead
            | Endpoint::BuildInfo
            | Endpoint::Features
            | Endpoint::RemoteWrite
            | Endpoint::Receive
            | Endpoint::Otlp
            | Endpoint::PostSilences
            | Endpoint::DeleteSilence
            | Endpoint::PostAlerts
            | Endpoint::Healthy
            | Endpoint::Ready => Err(AnswerError::Foreign),
        }
    }

    fn error_form(&self) -> ErrorForm {
        if self.kind == Kind::Alertmanager {
            ErrorForm::Alertmanager
        } else {
            ErrorForm::Prometheus
        }
    }
}

/// What a scanner gives out for a piece, and for the end if the piece was the last.
fn joined(
    fed: Result<Vec<u8>, AnswerError>,
    rest: Result<Vec<u8>, AnswerError>,
) -> Result<Vec<u8>, Denial> {
    let mut bytes = fed.map_err(|e| deny::answer(&e))?;
    bytes.extend(rest.map_err(|e| deny::answer(&e))?);
    Ok(bytes)
}

/// Bytes of an error's body that are read to reword it.
const REWORDED: usize = 64 * 1024;

fn is_filtered(upstream: &Upstream, endpoint: Endpoint) -> bool {
    match endpoint {
        Endpoint::Rules
        | Endpoint::Alerts
        | Endpoint::Silences
        | Endpoint::Silence
        | Endpoint::QueryExemplars
        | Endpoint::AlertmanagerAlerts
        | Endpoint::AlertGroups => true,
        Endpoint::Metadata => upstream.metadata == Metadata::Filtered,
        Endpoint::Targets => upstream.targets == Targets::Filtered,
        Endpoint::Query
        | Endpoint::QueryRange
        | Endpoint::QueryExplain
        | Endpoint::QueryRangeExplain
        | Endpoint::Series
        | Endpoint::Labels
        | Endpoint::LabelValues
        | Endpoint::FormatQuery
        | Endpoint::ParseQuery
        | Endpoint::Federate
        | Endpoint::RemoteRead
        | Endpoint::BuildInfo
        | Endpoint::Features
        | Endpoint::RemoteWrite
        | Endpoint::Receive
        | Endpoint::Otlp
        | Endpoint::PostSilences
        | Endpoint::DeleteSilence
        | Endpoint::PostAlerts
        | Endpoint::Healthy
        | Endpoint::Ready => false,
    }
}

/// Whether Thanos puts store warnings into the answers of an endpoint.
fn has_warnings(endpoint: Endpoint) -> bool {
    matches!(
        endpoint,
        Endpoint::Query
            | Endpoint::QueryRange
            | Endpoint::QueryExplain
            | Endpoint::QueryRangeExplain
            | Endpoint::Series
            | Endpoint::Labels
            | Endpoint::LabelValues
    )
}

/// What becomes of an answer whose series are not proven.
fn unproven(kind: Kind, endpoint: Endpoint) -> Success {
    if kind == Kind::Thanos && has_warnings(endpoint) {
        Success::CutWarnings
    } else {
        Success::Pass
    }
}

fn is_json(head: &ResponseHead) -> bool {
    head.headers.all("content-type").next().is_some_and(|v| {
        std::str::from_utf8(v).is_ok_and(|text| {
            let kind = text.split(';').next().unwrap_or_default();
            kind.trim().eq_ignore_ascii_case("application/json")
        })
    })
}
