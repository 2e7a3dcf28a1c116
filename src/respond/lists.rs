//! Other lists: exemplars, targets, metadata, and the alerts of Alertmanager.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::AnswerError;
use super::blocks::Blocks;
use super::edit::Editor;
use super::envelope;
use super::json::{Cursor, Kind};
use super::labels::{Standing, standing};
use crate::scope::Scope;

/// Filters the answer of `/api/v1/query_exemplars` by `seriesLabels`.
///
/// # Errors
/// The answer is not what such an endpoint sends; nothing of it may be passed on.
pub fn exemplars(body: Blocks, scope: &Scope) -> Result<Blocks, AnswerError> {
    if scope.is_unlimited() {
        return Ok(body);
    }
    envelope::filter(body, &mut |e| {
        if e.kind()? == Kind::Null {
            return e.skip();
        }
        e.elements(|e| e.scan(|c| is_inside(c, "seriesLabels", scope)))?;
        Ok(())
    })
}

/// Filters the answer of `/api/v1/targets`: active targets by their labels. Dropped targets have
/// none, and so they all go, and their counts by job with them.
///
/// # Errors
/// The answer is not what such an endpoint sends; nothing of it may be passed on.
pub fn targets(body: Blocks, scope: &Scope) -> Result<Blocks, AnswerError> {
    #[derive(Clone, Copy)]
    enum Member {
        Active,
        Dropped,
        Other,
    }
    if scope.is_unlimited() {
        return Ok(body);
    }
    envelope::filter(body, &mut |e| {
        e.members(
            |key| {
                if key.is("activeTargets") {
                    Member::Active
                } else if key.is("droppedTargets") || key.is("droppedTargetCounts") {
                    Member::Dropped
                } else {
                    Member::Other
                }
            },
            |e, member| {
                match (member, e.kind()?) {
                    (_, Kind::Null) => e.skip()?,
                    (Member::Active, _) => {
                        e.staying(|e| e.elements(|e| e.scan(|c| is_inside(c, "labels", scope))))?;
                    }
                    (Member::Dropped, Kind::Array) => {
                        e.elements(|e| e.skip().map(|()| false))?;
                    }
                    (Member::Dropped, Kind::Object) => {
                        e.members(|_| (), |e, ()| e.skip().map(|()| false))?;
                    }
                    (Member::Dropped, Kind::String | Kind::Plain) => {
                        return Err(AnswerError::Shape);
                    }
                    (Member::Other, _) => return envelope::other(e),
                }
                Ok(true)
            },
        )?;
        Ok(())
    })
}

/// Filters the answer of `/api/v1/metadata` by the names of metrics.
///
/// An entry is of a family: its series may have the family's name with a suffix of the type.
///
/// # Errors
/// The answer is not what such an endpoint sends; nothing of it may be passed on.
pub fn metadata(body: Blocks, names: &BTreeSet<String>) -> Result<Blocks, AnswerError> {
    enum Family {
        Known,
        Possible(String),
        Foreign,
    }
    envelope::filter(body, &mut |e| {
        if e.kind()? == Kind::Null {
            return e.skip();
        }
        e.members(
            |key| match key.text() {
                Ok(name) if names.contains(&*name) => Family::Known,
                Ok(name) if FAMILIES.iter().any(|(_, s)| any_of(names, &name, s)) => {
                    Family::Possible(name.into_owned())
                }
                Ok(_) | Err(_) => Family::Foreign,
            },
            |e, family| match (family, e.kind()?) {
                (Family::Known, _) => e.skip().map(|()| true),
                (Family::Possible(name), Kind::Array) => {
                    e.decisive_elements(|e| e.scan(|c| has_series(c, &name, names)))
                }
                (Family::Possible(_) | Family::Foreign, _) => e.skip().map(|()| false),
            },
        )?;
        Ok(())
    })
}

/// What the series of each type of family are called besides the family's own name.
const FAMILIES: &[(&str, &[&str])] = &[
    ("counter", &["_total", "_created"]),
    ("histogram", &["_bucket", "_count", "_sum", "_created"]),
    ("gaugehistogram", &["_bucket", "_gcount", "_gsum"]),
    ("summary", &["_count", "_sum", "_created"]),
    ("info", &["_info"]),
];

fn any_of(names: &BTreeSet<String>, family: &str, suffixes: &[&str]) -> bool {
    let mut longer = names.range::<str, _>((Bound::Excluded(family), Bound::Unbounded));
    if !longer.next().is_some_and(|name| name.starts_with(family)) {
        return false;
    }
    suffixes
        .iter()
        .any(|suffix| names.contains(&format!("{family}{suffix}")))
}

/// Whether a family, whose entry begins here, has series among the names by what its type adds.
fn has_series(
    c: &mut Cursor<'_>,
    family: &str,
    names: &BTreeSet<String>,
) -> Result<bool, AnswerError> {
    let mut own = false;
    c.members(|c, key| {
        if !key.is("type") {
            return c.skip();
        }
        let given = c.string()?;
        own = FAMILIES
            .iter()
            .any(|(kind, suffixes)| given.is(kind) && any_of(names, family, suffixes));
        Ok(())
    })?;
    Ok(own)
}

/// Filters the answer of Alertmanager's `GET /api/v2/alerts`.
///
/// # Errors
/// The answer is not what such an endpoint sends; nothing of it may be passed on.
pub fn am_alerts(body: Blocks, scope: &Scope) -> Result<Blocks, AnswerError> {
    top_list(body, scope, &mut |e| {
        e.scan(|c| is_inside(c, "labels", scope))
    })
}

/// Filters the answer of Alertmanager's `GET /api/v2/alerts/groups`. Groups that are left without
/// an alert are cut.
///
/// # Errors
/// The answer is not what such an endpoint sends; nothing of it may be passed on.
pub fn am_groups(body: Blocks, scope: &Scope) -> Result<Blocks, AnswerError> {
    top_list(body, scope, &mut |e| {
        let mut any = false;
        e.members(
            |key| key.is("alerts"),
            |e, found| {
                if found && e.kind()? != Kind::Null {
                    any |= e.staying(|e| {
                        e.decisive_elements(|e| e.scan(|c| is_inside(c, "labels", scope)))
                    })?;
                } else {
                    e.skip()?;
                }
                Ok(true)
            },
        )?;
        Ok(any)
    })
}

/// Filters an answer that is one array.
pub(super) fn top_list(
    body: Blocks,
    scope: &Scope,
    keep: &mut dyn FnMut(&mut Editor) -> Result<bool, AnswerError>,
) -> Result<Blocks, AnswerError> {
    if scope.is_unlimited() {
        return Ok(body);
    }
    let mut e = Editor::new(body)?;
    e.elements(keep)?;
    e.finish()
}

/// Whether the object that begins here has its labels, in the member `name`, inside the scope.
pub(super) fn is_inside(
    c: &mut Cursor<'_>,
    name: &str,
    scope: &Scope,
) -> Result<bool, AnswerError> {
    let mut found = None;
    c.members(|c, key| {
        if !key.is(name) {
            return c.skip();
        }
        let own = standing(c, scope)?;
        found = Some(if found.is_none() {
            own
        } else {
            Standing::Foreign
        });
        Ok(())
    })?;
    Ok(found == Some(Standing::Inside))
}

#[cfg(test)]
mod tests;
