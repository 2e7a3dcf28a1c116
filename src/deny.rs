//! Denials: what a refused caller is told, and under which label it is counted.

use std::borrow::Cow;

/// Why a request is refused, ready to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The HTTP status.
    pub status: u16,
    /// A stable word for metrics and log lines.
    pub reason: &'static str,
    /// What the caller reads. Never a secret, a token, or another tenant's name.
    pub text: Cow<'static, str>,
    /// Further answer headers.
    pub headers: Vec<(&'static str, String)>,
}

/// How the body of a denial is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Prometheus' error object.
    #[default]
    Prometheus,
    /// Alertmanager's: a JSON string.
    Alertmanager,
}

impl Denial {
    /// A denial without further headers.
    pub fn new(status: u16, reason: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            reason,
            text: text.into(),
            headers: Vec::new(),
        }
    }

    /// Adds an answer header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// 503 with `Retry-After`: the caller did nothing wrong.
    #[must_use]
    pub fn busy(reason: &'static str, text: &'static str, retry_after: u32) -> Self {
        Self::new(503, reason, text).with("retry-after", retry_after.to_string())
    }

    /// The body, as JSON.
    #[must_use]
    pub fn body(&self, form: Form) -> Vec<u8> {
        let body = match form {
            Form::Prometheus => serde_json::json!({
                "status": "error",
                "errorType": error_type(self.status),
                "error": self.text,
            }),
            Form::Alertmanager => serde_json::Value::String(self.text.clone().into_owned()),
        };
        body.to_string().into_bytes()
    }
}

/// Prometheus' word for a status; words of our own where it has none.
fn error_type(status: u16) -> &'static str {
    match status {
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        408 | 504 => "timeout",
        413 => "too_large",
        415 => "unsupported_media_type",
        500 => "internal",
        502 => "bad_gateway",
        503 => "unavailable",
        _ => "bad_data",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_is_prometheus_error_json() {
        let d = Denial::new(400, "bad_parameter", "a \"quoted\" text");
        let json: serde_json::Value = serde_json::from_slice(&d.body(Form::Prometheus)).unwrap();
        assert_eq!(json["status"], "error");
        assert_eq!(json["errorType"], "bad_data");
        assert_eq!(json["error"], "a \"quoted\" text");
        assert_eq!(d.body(Form::Alertmanager), br#""a \"quoted\" text""#);
    }
}
