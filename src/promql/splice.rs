//! Puts the enforced matchers into the original text.

use super::recognise::{Form, Outline};
use super::refusal::{Fault, Limit, Reason};

/// Writes the confined text: each selector of `text` with `scope` first between its braces.
pub(super) fn splice(
    text: &str,
    outline: &Outline,
    scope: &str,
    most: usize,
    to: &mut String,
) -> Result<(), Fault> {
    to.clear();
    let added = (scope.len() + 2).saturating_mul(outline.selectors.len());
    let length = text.len().saturating_add(added);
    if length > most {
        return Err(Fault::whole(Reason::Limit(Limit {
            what: "the confined query is too long, in bytes",
            option: "max_confined",
            most,
        })));
    }
    to.reserve(length);
    let mut cuts = outline.cuts.iter().copied().peekable();
    let mut from = 0;
    for selector in &outline.selectors {
        copy(text, &mut from, selector.insert, &mut cuts, to)?;
        match selector.form {
            Form::Bare => {
                to.push('{');
                to.push_str(scope);
                to.push('}');
            }
            Form::Empty => to.push_str(scope),
            Form::Matchers => {
                to.push_str(scope);
                to.push(',');
            }
        }
    }
    copy(text, &mut from, text.len(), &mut cuts, to)
}

/// Copies up to `end` without the cuts.
fn copy(
    text: &str,
    from: &mut usize,
    end: usize,
    cuts: &mut std::iter::Peekable<impl Iterator<Item = (usize, usize)>>,
    to: &mut String,
) -> Result<(), Fault> {
    let doubt = || Fault::whole(Reason::Doubt("the text cannot be put together"));
    while let Some((start, stop)) = cuts.next_if(|(start, _)| *start < end) {
        to.push_str(text.get(*from..start).ok_or_else(doubt)?);
        *from = stop;
    }
    to.push_str(text.get(*from..end).ok_or_else(doubt)?);
    *from = end;
    Ok(())
}
