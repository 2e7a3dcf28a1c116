//! Answers: which must be filtered, verified or reworded, and that nothing else of them leaves.

mod head;
mod held;
mod plan;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use self::held::Held;
use self::plan::Plan;
pub(super) use self::plan::Success;
use super::deny;
use super::proof::{self, Scanner};
use super::step::{Overdue, Reply, ReplyPiece};
use super::worker::Worker;
use crate::deny::Denial;
use crate::http::ResponseHead;
use crate::policy::Upstream;
use crate::respond::{self, AnswerError};
use crate::route::Endpoint;
use crate::scope::Scope;

/// What becomes of an answer.
#[derive(Debug, Default)]
pub struct Answer {
    plan: Option<Plan>,
    mode: Mode,
}

/// What is being done with the body that is under way.
#[derive(Debug, Default)]
enum Mode {
    /// Nothing: it passes.
    #[default]
    Pass,
    /// Held until whole.
    Hold(Held),
    /// Read as it passes.
    Cut(respond::WarningCutter),
    /// Read as it passes; what is held of it is counted.
    Verify { scanner: Scanner, counted: usize },
    /// Ended, or cut: nothing more may pass.
    Ended,
}

impl Answer {
    /// What becomes of the answers of an endpoint.
    pub(super) fn of(
        upstream: &Upstream,
        endpoint: Endpoint,
        scope: &Scope,
        worker: &mut Worker,
    ) -> Self {
        Self {
            plan: Plan::of(upstream, endpoint, scope, worker),
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
        self.plan.as_ref().is_some_and(Plan::proves)
    }

    /// Tells whether the query is one selector alone. The series of any other answer need not carry
    /// the enforced labels, so they cannot be proven. What became of an answer that came before the
    /// query was whole stays as it is.
    pub(super) fn selects(&mut self, alone: bool) {
        if !alone
            && matches!(self.mode, Mode::Pass)
            && let Some(plan) = self
                .plan
                .take_if(|plan| proof::needs_selector(plan.endpoint))
        {
            self.plan = plan.without_proof();
        }
    }

    /// Whether the body of an answer may have to be read.
    pub(super) fn is_read(&self) -> bool {
        self.plan.is_some()
    }

    /// Whether the body is held until it is whole.
    pub(super) fn is_held(&self) -> bool {
        matches!(self.mode, Mode::Hold(_))
    }

    /// Gives up a body that did not come whole in time.
    pub(super) fn overdue(&mut self, worker: &mut Worker) -> Overdue {
        let denial = deny::late_answer();
        if self.give_up(worker) {
            Overdue::Refuse(denial)
        } else {
            Overdue::Cut(denial)
        }
    }

    /// Judges the head of an answer.
    pub(super) fn head(&mut self, worker: &mut Worker, head: &ResponseHead, ends: bool) -> Reply {
        let Some(plan) = &self.plan else {
            return Reply::Pass;
        };
        let (reply, mode) = plan.head(worker, head, ends);
        self.mode = mode;
        reply
    }

    /// Judges a piece of the body.
    pub(super) fn piece(
        &mut self,
        worker: &mut Worker,
        piece: Cow<'_, [u8]>,
        ends: bool,
    ) -> ReplyPiece {
        let Some(plan) = &self.plan else {
            return ReplyPiece::Pass;
        };
        let result = match &mut self.mode {
            Mode::Pass => return ReplyPiece::Pass,
            Mode::Ended if piece.is_empty() => return ReplyPiece::Pass,
            Mode::Ended => Err(deny::internal()),
            Mode::Hold(held) => match held.take(plan, worker, piece) {
                Ok(()) if ends => return self.end(worker),
                Ok(()) if held.keeps_head(plan) => return ReplyPiece::Take,
                Ok(()) => Ok(Vec::new()),
                Err(denial) => Err(denial),
            },
            Mode::Cut(cutter) => {
                let fed = cutter.feed(&piece);
                let rest = match ends.then(|| std::mem::take(&mut self.mode)) {
                    Some(Mode::Cut(cutter)) => cutter.finish(),
                    _ => Ok(Vec::new()),
                };
                joined(fed, rest)
            }
            Mode::Verify { scanner, counted } => {
                let fed = scanner.feed(&piece);
                match plan.count(worker, counted, scanner.held()) {
                    Ok(()) if ends => match std::mem::replace(&mut self.mode, Mode::Ended) {
                        Mode::Verify { scanner, counted } => {
                            worker.budget.release(&plan.holder, counted);
                            joined(fed, scanner.finish())
                        }
                        Mode::Pass | Mode::Cut(_) | Mode::Hold(_) | Mode::Ended => {
                            Err(deny::internal())
                        }
                    },
                    Ok(()) => joined(fed, Ok(Vec::new())),
                    Err(denial) => Err(denial),
                }
            }
        };
        match result {
            Ok(bytes) => ReplyPiece::Emit(bytes.into()),
            Err(denial) => self.refuse(worker, denial),
        }
    }

    /// Judges a held body that is whole.
    fn end(&mut self, worker: &mut Worker) -> ReplyPiece {
        let head_waits = self.head_waits();
        let result = match (&self.plan, std::mem::replace(&mut self.mode, Mode::Ended)) {
            (Some(plan), Mode::Hold(held)) => held.whole(plan, worker),
            (_, Mode::Pass | Mode::Hold(_) | Mode::Cut(_) | Mode::Verify { .. } | Mode::Ended) => {
                Err(deny::internal())
            }
        };
        match result {
            Ok(bytes) => ReplyPiece::Emit(bytes),
            Err(denial) if head_waits => ReplyPiece::Refuse(denial),
            Err(denial) => ReplyPiece::Cut(denial),
        }
    }

    fn refuse(&mut self, worker: &mut Worker, denial: Denial) -> ReplyPiece {
        if self.give_up(worker) {
            ReplyPiece::Refuse(denial)
        } else {
            ReplyPiece::Cut(denial)
        }
    }

    /// Nothing more of the body may pass. Tells whether the head has waited.
    fn give_up(&mut self, worker: &mut Worker) -> bool {
        let head_waits = self.head_waits();
        self.release(worker);
        self.mode = Mode::Ended;
        head_waits
    }

    fn head_waits(&self) -> bool {
        matches!(&self.mode, Mode::Hold(held) if held.head_waits)
    }

    /// Gives back what is held.
    pub(super) fn release(&mut self, worker: &mut Worker) {
        let Some(plan) = &self.plan else {
            return;
        };
        match &mut self.mode {
            Mode::Hold(held) => drop(held.release(plan, worker)),
            Mode::Verify { counted, .. } => {
                worker.budget.release(&plan.holder, std::mem::take(counted));
            }
            Mode::Pass | Mode::Cut(_) | Mode::Ended => {}
        }
    }
}

impl Plan {
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
