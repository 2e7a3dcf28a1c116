//! Rules and alerts of Prometheus, Thanos Query and Thanos Rule, cut down to a scope.

use super::AnswerError;
use super::blocks::Blocks;
use super::edit::Editor;
use super::envelope;
use super::json::{Cursor, Kind};
use super::labels::{Standing, standing};
use crate::scope::Scope;

/// Which rules are shown besides those that carry the enforced labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleOptions {
    /// Alerting rules without the enforced labels that have active alerts in scope, with those
    /// alerts alone and the state that follows from them.
    pub active_alerts: bool,
    /// Rules that carry none of the enforced labels. Of their alerts, those without the labels
    /// and those in scope are shown.
    pub unlabelled: bool,
}

/// Filters the answer of `/api/v1/rules`. Groups that are left without a rule are cut.
///
/// # Errors
/// The answer is not what such an endpoint sends; nothing of it may be passed on.
pub fn rules(body: Blocks, scope: &Scope, options: RuleOptions) -> Result<Blocks, AnswerError> {
    if scope.is_unlimited() {
        return Ok(body);
    }
    envelope::filter(body, &mut |e| {
        list_member(e, &["groups"], |e| group(e, scope, options))
    })
}

/// Filters the answer of `/api/v1/alerts`. Thanos Rule calls the list `Alerts`.
///
/// # Errors
/// The answer is not what such an endpoint sends; nothing of it may be passed on.
pub fn alerts(body: Blocks, scope: &Scope) -> Result<Blocks, AnswerError> {
    if scope.is_unlimited() {
        return Ok(body);
    }
    envelope::filter(body, &mut |e| {
        list_member(e, &["alerts", "Alerts"], |e| {
            Ok(e.scan(|c| alert(c, scope))?.standing == Standing::Inside)
        })
    })
}

/// Filters the one list that `data` is made of.
fn list_member(
    e: &mut Editor,
    names: &[&str],
    mut keep: impl FnMut(&mut Editor) -> Result<bool, AnswerError>,
) -> Result<(), AnswerError> {
    if e.kind()? == Kind::Null {
        return e.skip();
    }
    e.members(
        |key| names.iter().any(|name| key.is(name)),
        |e, found| {
            if !found {
                return envelope::other(e);
            }
            if e.kind()? == Kind::Null {
                e.skip()?;
            } else {
                e.staying(|e| e.elements(&mut keep))?;
            }
            Ok(true)
        },
    )?;
    Ok(())
}

/// Filters the rules of a group. Says whether any is left.
fn group(e: &mut Editor, scope: &Scope, options: RuleOptions) -> Result<bool, AnswerError> {
    let mut any = false;
    e.members(
        |key| key.is("rules"),
        |e, is_rules| {
            if is_rules && e.kind()? != Kind::Null {
                any |= e.staying(|e| e.decisive_elements(|e| rule(e, scope, options)))?;
            } else {
                e.skip()?;
            }
            Ok(true)
        },
    )?;
    Ok(any)
}

/// Filters one rule: it is read whole first, and a second time if something must go from it.
fn rule(e: &mut Editor, scope: &Scope, options: RuleOptions) -> Result<bool, AnswerError> {
    let start = e.mark();
    let found = e.scan(|c| assess(c, scope))?;
    let Some(show) = found.show(options) else {
        return Ok(false);
    };
    let (state, cut) = found.alerts_shown(show);
    if cut || show.hide_error && found.has_error {
        e.rewind(start)?;
        edit_rule(e, scope, show, cut.then_some(state))?;
    }
    Ok(true)
}

/// How a rule is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Show {
    /// Whether alerts without the enforced labels are shown too.
    bare_alerts: bool,
    /// The last error of a rule that is nobody's in particular may name the series of anybody.
    hide_error: bool,
}

impl Show {
    fn shows(self, alert: Standing) -> bool {
        match alert {
            Standing::Inside => true,
            Standing::Bare => self.bare_alerts,
            Standing::Partly | Standing::Foreign => false,
        }
    }
}

/// The state of an alert or of a rule: that of its most advanced alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    #[default]
    Inactive,
    Pending,
    Firing,
}

impl State {
    fn quoted(self) -> &'static [u8] {
        match self {
            Self::Inactive => b"\"inactive\"",
            Self::Pending => b"\"pending\"",
            Self::Firing => b"\"firing\"",
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Alert {
    standing: Standing,
    state: State,
}

/// What one reading of a rule finds.
#[derive(Debug)]
struct Assessment {
    standing: Standing,
    has_error: bool,
    /// Whether there are alerts inside, without the labels, and others; and the first two's state.
    inside: Option<State>,
    bare: Option<State>,
    foreign: bool,
}

impl Assessment {
    fn show(&self, options: RuleOptions) -> Option<Show> {
        let show = |bare_alerts, hide_error| {
            Some(Show {
                bare_alerts,
                hide_error,
            })
        };
        let active = options.active_alerts && self.inside > Some(State::Inactive);
        match self.standing {
            Standing::Inside => show(false, false),
            Standing::Bare if options.unlabelled => show(true, true),
            Standing::Bare | Standing::Partly if active => show(false, true),
            Standing::Bare | Standing::Partly | Standing::Foreign => None,
        }
    }

    /// The state that follows from the alerts that are shown, and whether any is not.
    fn alerts_shown(&self, show: Show) -> (State, bool) {
        let inside = self.inside.unwrap_or_default();
        let bare = self.bare.unwrap_or_default();
        if show.bare_alerts {
            (inside.max(bare), self.foreign)
        } else {
            (inside, self.foreign || self.bare.is_some())
        }
    }
}

fn assess(c: &mut Cursor<'_>, scope: &Scope) -> Result<Assessment, AnswerError> {
    let mut found = Assessment {
        standing: Standing::Bare,
        has_error: false,
        inside: None,
        bare: None,
        foreign: false,
    };
    let (mut labelled, mut states) = (false, 0);
    c.members(|c, key| {
        if key.is("labels") {
            let own = standing(c, scope)?;
            found.standing = if labelled { Standing::Foreign } else { own };
            labelled = true;
            return Ok(());
        }
        if key.is("alerts") && c.kind()? != Kind::Null {
            return c.elements(|c| {
                let alert = alert(c, scope)?;
                match alert.standing {
                    Standing::Inside => found.inside = found.inside.max(Some(alert.state)),
                    Standing::Bare => found.bare = found.bare.max(Some(alert.state)),
                    Standing::Partly | Standing::Foreign => found.foreign = true,
                }
                Ok(())
            });
        }
        found.has_error |= key.is("lastError");
        states += u32::from(key.is("state"));
        c.skip()
    })?;
    if states > 1 {
        return Err(AnswerError::Shape);
    }
    Ok(found)
}

fn alert(c: &mut Cursor<'_>, scope: &Scope) -> Result<Alert, AnswerError> {
    let mut found = Alert {
        standing: Standing::Bare,
        state: State::Inactive,
    };
    let mut labelled = false;
    c.members(|c, key| {
        if key.is("labels") {
            let own = standing(c, scope)?;
            found.standing = if labelled { Standing::Foreign } else { own };
            labelled = true;
            Ok(())
        } else if key.is("state") && c.kind()? == Kind::String {
            let state = c.string()?;
            found.state = if state.is("firing") {
                State::Firing
            } else if state.is("pending") {
                State::Pending
            } else {
                State::Inactive
            };
            Ok(())
        } else {
            c.skip()
        }
    })?;
    Ok(found)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RuleMember {
    Alerts,
    State,
    Error,
    Other,
}

fn edit_rule(
    e: &mut Editor,
    scope: &Scope,
    show: Show,
    new_state: Option<State>,
) -> Result<(), AnswerError> {
    let mut state_at = None;
    e.members(
        |key| {
            if key.is("alerts") {
                RuleMember::Alerts
            } else if key.is("state") {
                RuleMember::State
            } else if key.is("lastError") {
                RuleMember::Error
            } else {
                RuleMember::Other
            }
        },
        |e, member| match member {
            RuleMember::Alerts if e.kind()? == Kind::Array => {
                e.elements(|e| Ok(show.shows(e.scan(|c| alert(c, scope))?.standing)))?;
                Ok(true)
            }
            RuleMember::State if e.kind()? == Kind::String => {
                let (start, end) = e.string_in_output()?;
                // Whatever is cut behind a shorter one might not make room for what takes its place.
                if end.saturating_sub(start) < State::Firing.quoted().len() {
                    return Err(AnswerError::Shape);
                }
                state_at = Some((start, end));
                Ok(true)
            }
            RuleMember::Error => e.skip().map(|()| !show.hide_error),
            RuleMember::Alerts | RuleMember::State | RuleMember::Other => e.skip().map(|()| true),
        },
    )?;
    match (state_at, new_state) {
        (Some(at), Some(state)) => e.replace(at, state.quoted()),
        (Some(_), None) | (None, Some(_) | None) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
