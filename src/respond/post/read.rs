//! Reading the members of a body strictly: each known, of its type, once.

use std::borrow::Cow;

use super::BodyError;
use crate::respond::json::{Cursor, Kind, Raw};

/// Names and values, in order, no name twice.
pub(super) type Texts<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

pub(super) fn object<'a>(
    c: &mut Cursor<'a>,
    mut each: impl FnMut(&mut Cursor<'a>, Raw<'a>) -> Result<(), BodyError>,
) -> Result<(), BodyError> {
    c.open(b'{')?;
    let mut first = true;
    while c.next_item(first, b'}')? {
        first = false;
        let key = c.key()?;
        each(c, key)?;
    }
    Ok(())
}

/// Steps over a member that Alertmanager ignores; others are refused.
pub(super) fn unknown(
    c: &mut Cursor<'_>,
    key: Raw<'_>,
    ignored: &[&str],
    near: &'static str,
) -> Result<(), BodyError> {
    if ignored.iter().any(|name| key.is(name)) {
        return Ok(c.skip()?);
    }
    Err(BodyError::Member(near))
}

pub(super) fn once<T>(
    slot: &mut Option<T>,
    name: &'static str,
    value: Result<T, BodyError>,
) -> Result<(), BodyError> {
    match slot.replace(value?) {
        None => Ok(()),
        Some(_) => Err(BodyError::Member(name)),
    }
}

pub(super) fn text<'a>(c: &mut Cursor<'a>, name: &'static str) -> Result<Cow<'a, str>, BodyError> {
    match c.kind()? {
        Kind::String => Ok(c.string()?.text()?),
        Kind::Object | Kind::Array | Kind::Null | Kind::Plain => Err(BodyError::Member(name)),
    }
}

pub(super) fn flag(c: &mut Cursor<'_>, name: &'static str) -> Result<bool, BodyError> {
    c.boolean().map_err(|_| BodyError::Member(name))
}

pub(super) fn texts<'a>(c: &mut Cursor<'a>, name: &'static str) -> Result<Texts<'a>, BodyError> {
    let mut list: Texts<'a> = Vec::new();
    object(c, |c, key| {
        list.push((key.text()?, text(c, name)?));
        Ok(())
    })?;
    let mut names: Vec<&str> = list.iter().map(|(n, _)| &**n).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    if names.len() != all {
        return Err(BodyError::Member(name));
    }
    Ok(list)
}
