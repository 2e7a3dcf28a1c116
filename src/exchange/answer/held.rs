//! A body that is held until it is whole, and what is made of it then.

use std::borrow::Cow;

use super::plan::Plan;
use crate::deny::Denial;
use crate::exchange::deny;
use crate::exchange::proof::Proof;
use crate::exchange::worker::Worker;
use crate::respond::{self, AnswerError, Blocks, ErrorForm};
use crate::route::{Endpoint, Kind};

/// A body that is held.
#[derive(Debug)]
pub(super) struct Held {
    bytes: Blocks,
    /// How many bytes have come, with those that are not needed.
    seen: usize,
    /// What is counted for it in the worker's budget: what has come, or is to come.
    counted: usize,
    encoding: Option<Vec<u8>>,
    then: Then,
    /// The head waits for the decision, so that a denial can still be told.
    pub(super) head_waits: bool,
}

/// What is made of a body.
#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    Filter,
    Verify(Proof),
    Reword(u16),
}

impl Held {
    /// A body that is still to come, of so many bytes if that is declared. They are counted at once:
    /// while its head has not gone, one that is over the budget can be refused in words.
    pub(super) fn expect(
        plan: &Plan,
        worker: &mut Worker,
        declared: Option<usize>,
        encoding: Option<Vec<u8>>,
        then: Then,
    ) -> Result<Self, Denial> {
        let counted = declared.unwrap_or(ROOM).min(plan.most(then));
        let budget = &mut worker.budget;
        budget
            .hold(&plan.holder, counted)
            .map_err(|_| deny::held())?;
        Ok(Self {
            bytes: Blocks::default(),
            seen: 0,
            counted,
            encoding,
            then,
            head_waits: false,
        })
    }

    /// Takes a piece.
    pub(super) fn take(
        &mut self,
        plan: &Plan,
        worker: &mut Worker,
        piece: Cow<'_, [u8]>,
    ) -> Result<(), Denial> {
        self.seen = self.seen.saturating_add(piece.len());
        let len = self.bytes.len().saturating_add(piece.len());
        if len > plan.most(self.then) {
            return match self.then {
                Then::Filter | Then::Verify(_) => Err(deny::answer(&AnswerError::Limit)),
                // The rest of an error's text is not needed to reword it.
                Then::Reword(_) => Ok(()),
            };
        }
        if let Some(more) = len.checked_sub(self.counted) {
            let budget = &mut worker.budget;
            budget.hold(&plan.holder, more).map_err(|_| deny::held())?;
            self.counted = len;
        }
        self.bytes.push(piece);
        Ok(())
    }

    /// Whether the head waits on, after a piece that was not the last.
    pub(super) fn keeps_head(&mut self, plan: &Plan) -> bool {
        self.head_waits = self.head_waits && self.seen <= plan.hold_head;
        self.head_waits
    }

    /// Gives back what is counted, and the bytes.
    pub(super) fn release(&mut self, plan: &Plan, worker: &mut Worker) -> Blocks {
        let counted = std::mem::take(&mut self.counted);
        worker.budget.release(&plan.holder, counted);
        std::mem::take(&mut self.bytes)
    }

    /// What may leave of the whole body.
    pub(super) fn whole(mut self, plan: &Plan, worker: &mut Worker) -> Result<Blocks, Denial> {
        let bytes = self.release(plan, worker);
        let room = bytes.len().max(ROOM);
        let shown = self.judge(plan, bytes)?;
        // A host that has paused may have room for what it has had before, and no more.
        if self.head_waits && shown.len() > room {
            return Err(deny::answer(&AnswerError::Limit));
        }
        Ok(shown)
    }

    fn judge(&self, plan: &Plan, bytes: Blocks) -> Result<Blocks, Denial> {
        let limit = plan.limit;
        let bytes = match (&self.encoding, self.then) {
            (None, _) => bytes,
            (Some(encoding), Then::Filter | Then::Verify(_)) => {
                let decoded = respond::decode(encoding, &bytes.join(), limit);
                decoded.map_err(|e| deny::answer(&e))?.into()
            }
            (Some(_), Then::Reword(_)) => Blocks::default(),
        };
        match self.then {
            Then::Reword(status) => {
                Ok(respond::reword_error(status, &bytes.join(), plan.error_form()).into())
            }
            Then::Verify(proof) => proof
                .check(bytes, &plan.scope, limit, plan.cuts_warnings())
                .map_err(|e| deny::answer(&e)),
            Then::Filter => plan.filter(bytes).map_err(|e| deny::answer(&e)),
        }
    }
}

impl Plan {
    /// The most bytes that are held.
    fn most(&self, then: Then) -> usize {
        match then {
            Then::Filter | Then::Verify(_) => self.limit,
            Then::Reword(_) => REWORDED,
        }
    }

    fn filter(&self, bytes: Blocks) -> Result<Blocks, AnswerError> {
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
            Endpoint::Silence => {
                let silence = bytes.join();
                match respond::silence_in_scope(&silence, scope)? {
                    true => Ok(silence.into()),
                    false => Err(AnswerError::Foreign),
                }
            }
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
            | Endpoint::AlertmanagerStatus
            | Endpoint::Receivers
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

/// Bytes of an error's body that are read to reword it.
const REWORDED: usize = 64 * 1024;

/// Bytes that any host's buffer has room for.
const ROOM: usize = 16 * 1024;
