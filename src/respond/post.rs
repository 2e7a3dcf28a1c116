//! Bodies that write to Alertmanager: read strictly, confined, and written anew.
//!
//! Alertmanager reads names of members whatever their case and takes the last of several, so only
//! the known names in their own spelling are taken, each once; a body is never passed on as it is.

use std::borrow::Cow;
use std::fmt;

use super::AnswerError;
use super::json::Cursor;
use super::silence::{Effect, Matcher};
use crate::scope::{Enforced, OnConflict, Scope};

mod alerts;
mod read;
mod write;

pub use alerts::post_alerts;
use read::{Texts, flag, object, once, text, texts, unknown};
use write::{Writer, write_texts};

/// A body for Alertmanager, confined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// The new body.
    pub body: Vec<u8>,
    /// The id of the silence that it would replace, in the grammar of a UUID. It has to be looked
    /// up before the body is forwarded.
    pub id: Option<String>,
}

/// Why a body cannot be confined. The text never repeats any of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// Not JSON.
    Json,
    /// A member that is unknown, spelled otherwise, there twice, of another type, or missing.
    Member(&'static str),
    /// An id that is no UUID.
    Id,
    /// A silence without matchers would silence all that the caller sees.
    NoMatchers,
    /// A matcher or a label contradicts what the caller may write.
    Foreign,
    /// A matcher on an enforced label, where the policy allows none.
    Conflict,
    /// A label is missing, and the caller may write several values of it.
    Ambiguous,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "the body is not valid JSON",
            Self::Member(name) => {
                return write!(
                    f,
                    "a member of the body near `{name}` is unknown, repeated, missing or of another type"
                );
            }
            Self::Id => "the id is not a UUID",
            Self::NoMatchers => "a silence needs a matcher",
            Self::Foreign => "a matcher or label names a tenant that is not the caller's",
            Self::Conflict => "a matcher on an enforced label is not allowed",
            Self::Ambiguous => "an alert needs the tenant label: the caller has several tenants",
        })
    }
}

impl std::error::Error for BodyError {}

impl From<AnswerError> for BodyError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Json | AnswerError::Limit | AnswerError::Encoding => Self::Json,
            AnswerError::Shape | AnswerError::Status => Self::Member("the start"),
            AnswerError::Foreign => Self::Foreign,
        }
    }
}

/// Confines the body of Alertmanager's `POST /api/v2/silences`.
///
/// # Errors
/// The body is not exactly one silence, or cannot be confined: a 400.
pub fn post_silences(
    body: &[u8],
    scope: &Scope,
    conflict: OnConflict,
) -> Result<Rewritten, BodyError> {
    let mut c = Cursor::new(body)?;
    let silence = Silence::read(&mut c)?;
    c.end()?;
    let id = match silence.id.as_deref() {
        None | Some("") => None,
        Some(id) if is_uuid(id) => Some(id.to_string()),
        Some(_) => return Err(BodyError::Id),
    };
    let matchers = confine(
        silence.matchers.ok_or(BodyError::Member("matchers"))?,
        scope,
        conflict,
    )?;

    let mut out = Vec::with_capacity(body.len() + 256);
    let mut object = Writer::new(&mut out);
    if let Some(id) = &id {
        object.text("id", id);
    }
    object.raw("matchers", |out| write_matchers(&matchers, out));
    object.text(
        "startsAt",
        &silence.starts.ok_or(BodyError::Member("startsAt"))?,
    );
    object.text("endsAt", &silence.ends.ok_or(BodyError::Member("endsAt"))?);
    object.text(
        "createdBy",
        &silence.author.ok_or(BodyError::Member("createdBy"))?,
    );
    object.text(
        "comment",
        &silence.comment.ok_or(BodyError::Member("comment"))?,
    );
    if let Some(annotations) = &silence.annotations {
        object.raw("annotations", |out| write_texts(annotations, out));
    }
    object.end();
    Ok(Rewritten { body: out, id })
}

/// Whether a text is a UUID in its canonical form (of any version, in lower or upper case).
#[must_use]
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

#[derive(Default)]
struct Silence<'a> {
    id: Option<Cow<'a, str>>,
    matchers: Option<Vec<Matcher<'a>>>,
    starts: Option<Cow<'a, str>>,
    ends: Option<Cow<'a, str>>,
    author: Option<Cow<'a, str>>,
    comment: Option<Cow<'a, str>>,
    annotations: Option<Texts<'a>>,
}

impl<'a> Silence<'a> {
    fn read(c: &mut Cursor<'a>) -> Result<Self, BodyError> {
        let mut silence = Self::default();
        object(c, |c, key| {
            if key.is("id") {
                once(&mut silence.id, "id", text(c, "id"))
            } else if key.is("matchers") {
                once(&mut silence.matchers, "matchers", read_matchers(c))
            } else if key.is("startsAt") {
                once(&mut silence.starts, "startsAt", text(c, "startsAt"))
            } else if key.is("endsAt") {
                once(&mut silence.ends, "endsAt", text(c, "endsAt"))
            } else if key.is("createdBy") {
                once(&mut silence.author, "createdBy", text(c, "createdBy"))
            } else if key.is("comment") {
                once(&mut silence.comment, "comment", text(c, "comment"))
            } else if key.is("annotations") {
                once(
                    &mut silence.annotations,
                    "annotations",
                    texts(c, "annotations"),
                )
            } else {
                unknown(c, key, &["status", "updatedAt"], "the silence")
            }
        })?;
        Ok(silence)
    }
}

fn read_matchers<'a>(c: &mut Cursor<'a>) -> Result<Vec<Matcher<'a>>, BodyError> {
    let mut matchers = Vec::new();
    c.open(b'[').map_err(|_| BodyError::Member("matchers"))?;
    let mut first = true;
    while c.next_item(first, b']')? {
        first = false;
        let (mut name, mut value, mut is_regex, mut is_equal) = (None, None, None, None);
        object(c, |c, key| {
            if key.is("name") {
                once(&mut name, "name", text(c, "name"))
            } else if key.is("value") {
                once(&mut value, "value", text(c, "value"))
            } else if key.is("isRegex") {
                once(&mut is_regex, "isRegex", flag(c, "isRegex"))
            } else if key.is("isEqual") {
                once(&mut is_equal, "isEqual", flag(c, "isEqual"))
            } else {
                Err(BodyError::Member("matchers"))
            }
        })?;
        matchers.push(Matcher {
            name: name.ok_or(BodyError::Member("name"))?,
            value: value.ok_or(BodyError::Member("value"))?,
            is_regex: is_regex.ok_or(BodyError::Member("isRegex"))?,
            is_equal: is_equal.unwrap_or(true),
        });
    }
    Ok(matchers)
}

/// The matchers with the enforced ones in front, where they are not there already.
fn confine<'a>(
    mut matchers: Vec<Matcher<'a>>,
    scope: &'a Scope,
    conflict: OnConflict,
) -> Result<Vec<Matcher<'a>>, BodyError> {
    if matchers.is_empty() {
        return Err(BodyError::NoMatchers);
    }
    let mut confined = Vec::with_capacity(matchers.len() + scope.matchers().len());
    for enforced in scope.matchers() {
        let mut there = false;
        let mut kept = Vec::with_capacity(matchers.len());
        for matcher in matchers {
            if matcher.name != enforced.label().as_str() {
                kept.push(matcher);
                continue;
            }
            match (matcher.effect(enforced), conflict) {
                (Effect::Confines, _) => there = true,
                (Effect::Contradicts, _) => return Err(BodyError::Foreign),
                (Effect::Open, OnConflict::Intersect) => {}
                (Effect::Open, OnConflict::Replace) => continue,
                (Effect::Open, OnConflict::Reject) => return Err(BodyError::Conflict),
            }
            kept.push(matcher);
        }
        matchers = kept;
        if !there {
            confined.push(enforced_matcher(enforced));
        }
    }
    confined.append(&mut matchers);
    Ok(confined)
}

fn enforced_matcher(enforced: &Enforced) -> Matcher<'_> {
    Matcher {
        name: enforced.label().as_str().into(),
        value: enforced.single().map_or(enforced.regex(), |v| v).into(),
        is_regex: enforced.single().is_none(),
        is_equal: true,
    }
}

fn write_matchers(list: &[Matcher<'_>], out: &mut Vec<u8>) {
    out.push(b'[');
    for (i, matcher) in list.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        let mut object = Writer::new(out);
        object.text("name", &matcher.name);
        object.text("value", &matcher.value);
        object.raw("isRegex", |o| {
            o.extend(matcher.is_regex.to_string().bytes())
        });
        object.raw("isEqual", |o| {
            o.extend(matcher.is_equal.to_string().bytes())
        });
        object.end();
    }
    out.push(b']');
}

#[cfg(test)]
mod tests;
