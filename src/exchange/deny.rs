//! From the errors of the parts to denials.

use crate::auth::{AuthError, Authenticator};
use crate::deny::Denial;
use crate::params::ParamError;
use crate::promql::Refusal;
use crate::remote::WriteError;
use crate::remote::read::ReadError;
use crate::respond::AnswerError;
use crate::route::RouteError;

pub(super) fn internal() -> Denial {
    Denial::new(
        500,
        "internal",
        "the request came in a state that cannot be",
    )
}

pub(super) fn other_host() -> Denial {
    Denial::new(404, "host", "no upstream is served under this host")
}

pub(super) fn route(e: &RouteError) -> Denial {
    match e {
        RouteError::BadPath => Denial::new(400, "path", e.to_string()),
        RouteError::NotFound => Denial::new(404, "endpoint", e.to_string()),
        RouteError::MethodNotAllowed(allow) => {
            Denial::new(405, "method", e.to_string()).with("allow", *allow)
        }
    }
}

pub(super) fn no_keys(retry_after: u32) -> Denial {
    Denial::busy(
        "no_keys",
        "the keys that verify credentials are not there yet",
        retry_after,
    )
}

/// Tells the caller what kind of thing is wrong (RFC 6750), and the log which.
pub(super) fn auth(auth: &Authenticator, e: &AuthError) -> Denial {
    let (status, text) = match e {
        AuthError::Missing => (401, "a credential is needed"),
        AuthError::Invalid(_) => (401, "the credential is not valid"),
        AuthError::Forbidden(_) => (403, "the credential gives no access here"),
        AuthError::Malformed(_) => (400, "the request must carry one credential, well-formed"),
        AuthError::NoKeys { retry_after } => return no_keys(*retry_after),
    };
    let denial = Denial::new(status, e.label(), text);
    if status == 401 {
        denial.with("www-authenticate", auth.challenge(*e))
    } else {
        denial
    }
}

pub(super) fn query(name: &str, e: &Refusal) -> Denial {
    Denial::new(
        400,
        e.reason.label(),
        format!("invalid parameter `{name}`: {e}"),
    )
}

pub(super) fn parameter(e: &ParamError) -> Denial {
    let status = if *e == ParamError::TooLong { 413 } else { 400 };
    Denial::new(status, "parameter", e.to_string())
}

pub(super) fn write(e: &WriteError) -> Denial {
    let status = e.status();
    let reason = match status {
        413 => "too_large",
        415 => "media_type",
        _ => "body",
    };
    Denial::new(status, reason, e.to_string())
}

pub(super) fn read(e: &ReadError) -> Denial {
    let reason = if e.status() == 413 {
        "too_large"
    } else {
        "body"
    };
    Denial::new(e.status(), reason, e.to_string())
}

pub(super) fn answer(e: &AnswerError) -> Denial {
    Denial::new(
        502,
        "answer",
        format!("the upstream's answer cannot be shown: {e}"),
    )
}

pub(super) fn held() -> Denial {
    Denial::busy("memory", "too many bytes are held at this moment", 2)
}

pub(super) fn late_request() -> Denial {
    Denial::new(408, "late", "the body did not come whole in time")
}

pub(super) fn late_answer() -> Denial {
    Denial::new(
        504,
        "late",
        "the upstream's answer did not come whole in time",
    )
}

pub(super) fn requests() -> Denial {
    let text = "too many requests of this caller's tenants are under way";
    Denial::busy("requests", text, 1)
}

pub(super) fn too_large(what: &str, limit: usize) -> Denial {
    Denial::new(
        413,
        "too_large",
        format!("the {what} is larger than {limit} bytes"),
    )
}

pub(super) fn media(text: impl Into<std::borrow::Cow<'static, str>>) -> Denial {
    Denial::new(415, "media_type", text)
}
