//! From a client's parameters to those that are forwarded.

use std::sync::Arc;

use super::error::{ParamError, RewriteError, shorten};
use super::filter::{self, Matcher};
use super::pairs::{Pair, append};
use super::table::{Form, Single, is_known, specs};
use super::value;
use super::{Options, Params, Use};
use crate::route::{Endpoint, Kind};
use crate::scope::Scope;

/// The longest free text, in bytes.
const MAX_FREE: usize = 1024;

/// What is forwarded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rewritten {
    /// All parameters as `application/x-www-form-urlencoded`: for the query string of a GET, or the
    /// body of a POST. May be empty.
    pub encoded: String,
    /// `time`, seconds since 1970.
    pub time: Option<f64>,
    /// `start`, seconds since 1970.
    pub start: Option<f64>,
    /// `end`, seconds since 1970.
    pub end: Option<f64>,
    /// `step`, seconds.
    pub step: Option<f64>,
}

/// Confines (or, for texts, admits) one value; the result is forwarded in its place.
pub type Confine<'a, E> = dyn FnMut(Use, &str) -> Result<Arc<str>, E> + 'a;

/// Holds parameters against the endpoint's list and writes those that are forwarded.
///
/// Each parameter is written once, lists with their values one after the other.
pub fn rewrite<E>(
    kind: Kind,
    endpoint: Endpoint,
    params: &Params<'_>,
    options: &Options<'_>,
    scope: &Scope,
    confine: &mut Confine<'_, E>,
) -> Result<Rewritten, RewriteError<E>> {
    refuse_unknown(kind, endpoint, params, options)?;
    let mut out = Rewritten {
        encoded: String::with_capacity(room(params, scope)),
        ..Rewritten::default()
    };
    for spec in specs(kind, endpoint) {
        let name = spec.name;
        let given = Given::of(params, name);
        let to = &mut out.encoded;
        match spec.form {
            Form::Expression(usage) => {
                let query = given.single(false)?.ok_or(ParamError::Missing(name))?;
                let query = confine(usage, query).map_err(|e| RewriteError::Confine(name, e))?;
                append(name, &query, to);
            }
            Form::Selectors { rules } => {
                let usage = if rules && options.wide_rules {
                    Use::RuleSelector
                } else {
                    Use::Selector
                };
                selectors(name, &given, usage, scope, confine, to)?;
            }
            Form::Filters { enforced } => filters(name, &given, enforced, options, scope, to)?,
            Form::FreeList => free_list(name, &given, to)?,
            Form::PartialResponse => partial_response(name, &given, options, to)?,
            Form::Denied(why) => {
                if given.all().next().is_some() {
                    return Err(ParamError::Denied(name, why).into());
                }
            }
            Form::One(form) => {
                if let Some(text) = given.single(true)?
                    && let Some(text) = single(name, form, text, options, &mut out)?
                {
                    append(name, text, &mut out.encoded);
                }
            }
        }
    }
    for name in options.allow.iter().filter(|name| !is_known(name)) {
        if let Some(text) = Given::of(params, name).single(false)? {
            let text = free(text).ok_or_else(|| ParamError::NoText(shorten(name)))?;
            append(name, text, &mut out.encoded);
        }
    }
    limit_points(options, &out)?;
    Ok(out)
}

/// About how many bytes are forwarded: most bytes of a query need no escape, and few selectors.
fn room(params: &Params<'_>, scope: &Scope) -> usize {
    let pairs = params.pairs.iter();
    let given: usize = pairs.map(|p| p.name.len() + p.value.len()).sum();
    given + given / 2 + 4 * scope.text().len() + 64
}

fn refuse_unknown(
    kind: Kind,
    endpoint: Endpoint,
    params: &Params<'_>,
    options: &Options<'_>,
) -> Result<(), ParamError> {
    for pair in &params.pairs {
        let known = specs(kind, endpoint).any(|spec| spec.name == pair.name)
            || (options.allow.iter().any(|allowed| *allowed == pair.name) && !is_known(&pair.name));
        if !known {
            return Err(ParamError::Unknown(shorten(&pair.name)));
        }
    }
    Ok(())
}

/// The values of one name, in order.
struct Given<'a> {
    name: &'a str,
    pairs: &'a [Pair<'a>],
}

impl<'a> Given<'a> {
    fn of(params: &'a Params<'_>, name: &'a str) -> Self {
        Self {
            name,
            pairs: &params.pairs,
        }
    }

    fn all(&self) -> impl Iterator<Item = &'a str> {
        let name = self.name;
        self.pairs
            .iter()
            .filter(move |p| p.name == name)
            .map(|p| p.value.as_ref())
    }

    /// The only value. Servers read an empty one as none, so `skip_empty` leaves it out.
    fn single(&self, skip_empty: bool) -> Result<Option<&'a str>, ParamError> {
        let mut all = self.all();
        let first = all.next();
        if all.next().is_some() {
            return Err(ParamError::Twice(shorten(self.name)));
        }
        Ok(first.filter(|v| !(skip_empty && v.is_empty())))
    }
}

fn selectors<E>(
    name: &'static str,
    given: &Given<'_>,
    usage: Use,
    scope: &Scope,
    confine: &mut Confine<'_, E>,
    to: &mut String,
) -> Result<(), RewriteError<E>> {
    let mut none = true;
    for selector in given.all() {
        none = false;
        let confined = confine(usage, selector).map_err(|e| RewriteError::Confine(name, e))?;
        append(name, &confined, to);
    }
    if none && usage == Use::Selector && !scope.is_unlimited() {
        append(name, &format!("{{{}}}", scope.text()), to);
    }
    Ok(())
}

fn filters(
    name: &'static str,
    given: &Given<'_>,
    enforced: bool,
    options: &Options<'_>,
    scope: &Scope,
    to: &mut String,
) -> Result<(), ParamError> {
    if enforced {
        filter::enforced(scope).for_each(|text| append(name, text, to));
    }
    for text in given.all() {
        let matcher = Matcher::parse(text).map_err(|what| ParamError::Filter(name, what))?;
        if !enforced || matcher.stays(scope, options.on_conflict)? {
            append(name, &matcher.text(), to);
        }
    }
    Ok(())
}

fn free_list(name: &'static str, given: &Given<'_>, to: &mut String) -> Result<(), ParamError> {
    for text in given.all() {
        append(name, free(text).ok_or(ParamError::Value(name, FREE))?, to);
    }
    Ok(())
}

fn partial_response(
    name: &'static str,
    given: &Given<'_>,
    options: &Options<'_>,
    to: &mut String,
) -> Result<(), ParamError> {
    let asked = match given.single(true)? {
        Some(text) => value::truth(text).ok_or(ParamError::Value(name, TRUTH))?,
        None => false,
    };
    let allowed = asked && options.partial_response;
    append(name, if allowed { "true" } else { "false" }, to);
    Ok(())
}

/// The value of a parameter that stands once, or nothing if it is left out.
fn single<'a>(
    name: &'static str,
    form: Single,
    text: &'a str,
    options: &Options<'_>,
    out: &mut Rewritten,
) -> Result<Option<&'a str>, ParamError> {
    let (fits, wants) = match form {
        Single::Time => {
            let time = value::time(text);
            match name {
                "time" => out.time = time,
                "start" => out.start = time,
                _ => out.end = time,
            }
            (time.is_some(), "a time: seconds since 1970, or RFC 3339")
        }
        Single::Duration => {
            let duration = value::duration(text);
            if name == "step" {
                out.step = duration;
            }
            (duration.is_some(), "a duration: seconds, or such as `5m`")
        }
        Single::Resolution => (
            text == "auto" || value::duration(text).is_some(),
            "`auto` or a duration such as `5m`",
        ),
        Single::Count => (value::count(text), "a whole number"),
        Single::Truth => (value::truth(text).is_some(), TRUTH),
        Single::Word => (value::word(text), "a word"),
        Single::OneOf(list) => (
            list.iter().any(|one| one.eq_ignore_ascii_case(text)),
            "one of its documented values",
        ),
        Single::Free => (free(text).is_some(), FREE),
        Single::Page if options.wide_rules => return Ok(None),
        Single::Page => (value::word(text), "a number or a token"),
        Single::Ignored => return Ok(None),
        Single::Off(why) => {
            return match value::truth(text) {
                Some(false) => Ok(None),
                Some(true) | None => Err(ParamError::Denied(name, why)),
            };
        }
    };
    if fits {
        Ok(Some(text))
    } else {
        Err(ParamError::Value(name, wants))
    }
}

const TRUTH: &str = "`true` or `false`";
const FREE: &str = "at most 1024 bytes without control characters";

fn free(text: &str) -> Option<&str> {
    (text.len() <= MAX_FREE && !text.chars().any(char::is_control)).then_some(text)
}

fn limit_points(options: &Options<'_>, out: &Rewritten) -> Result<(), ParamError> {
    let (Some(most), Some(start), Some(end), Some(step)) =
        (options.max_points, out.start, out.end, out.step)
    else {
        return Ok(());
    };
    let steps = ((end - start) / step).floor();
    #[expect(clippy::cast_precision_loss, reason = "a limit, not an account")]
    if step > 0.0 && steps + 1.0 > most as f64 {
        return Err(ParamError::TooManyPoints(most));
    }
    Ok(())
}
