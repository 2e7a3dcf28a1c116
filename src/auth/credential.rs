//! Where a request carries its credential; more than one refuses it.

use base64ct::{Base64, Encoding};

use super::error::{AuthError, Reason};
use crate::config::auth as config;
use crate::config::error::Problems;
use crate::http::RequestHead;

/// The places that are looked at.
#[derive(Debug)]
pub(super) struct Places {
    headers: Vec<(String, Option<String>)>,
    cookie: Option<config::TokenCookie>,
    query: Option<String>,
    basic: bool,
    max_size: usize,
}

/// A credential as it came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Credential {
    Bearer(String),
    Basic { user: String, password: String },
}

impl Places {
    /// Of the configuration; `basic` if there are users.
    pub(super) fn compile(doc: &config::Token, basic: bool, problems: &mut Problems) -> Self {
        let mut headers = Vec::new();
        for (i, h) in doc.headers.iter().enumerate() {
            let name = h.name.to_ascii_lowercase();
            let known = headers.iter().any(|(n, _)| *n == name);
            let path = format!("auth.token.headers[{i}]");
            if name.is_empty() || known || !name.bytes().all(is_token_byte) || name == "cookie" {
                problems.add(
                    format!("{path}.name"),
                    "not a header field's name, or named twice",
                );
            }
            let scheme = h.scheme.as_deref();
            if scheme.is_some_and(|s| s.is_empty() || !s.bytes().all(is_token_byte)) {
                problems.add(format!("{path}.scheme"), "not an authorization scheme");
            }
            if basic && scheme.is_some_and(|s| s.eq_ignore_ascii_case("basic")) {
                problems.add(
                    format!("{path}.scheme"),
                    "is taken by the users under `static`",
                );
            }
            headers.push((name, h.scheme.clone()));
        }
        if let Some(cookie) = &doc.cookie {
            if cookie.name.is_empty() || !cookie.name.bytes().all(is_token_byte) {
                problems.add("auth.token.cookie.name", "not a cookie's name");
            }
            if cookie.origins.is_empty() {
                problems.add("auth.token.cookie.origins", "no origin may send the cookie");
            }
        }
        let query = doc.query.as_deref();
        if query.is_some_and(|q| {
            q.is_empty() || !q.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        }) {
            problems.add("auth.token.query", "not a parameter's name");
        }
        let max_size = doc.max_size.bytes();
        if !(256..=64 << 10).contains(&max_size) {
            problems.add("auth.token.max_size", "must be 256 to 64KiB");
        }
        Self {
            headers,
            cookie: doc.cookie.clone(),
            query: doc.query.clone(),
            basic,
            max_size,
        }
    }

    /// The parameter that carries credentials.
    pub(super) fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// What may be a token, unread, where `Authorization: Bearer` is the only place that is looked
    /// at. It is worth something only if it is the same as a token that was verified.
    pub(super) fn only_bearer<'a>(&self, head: &'a RequestHead) -> Option<&'a [u8]> {
        let [(name, Some(scheme))] = self.headers.as_slice() else {
            return None;
        };
        if name != "authorization" || self.cookie.is_some() || self.query.is_some() {
            return None;
        }
        let value = head.headers.one("authorization").ok()??;
        let (word, token) = value.split_at_checked(scheme.len())?;
        let token = token.strip_prefix(b" ")?;
        word.eq_ignore_ascii_case(scheme.as_bytes())
            .then_some(token)
    }

    /// The one credential of a request.
    pub(super) fn find(&self, head: &RequestHead) -> Result<Option<Credential>, AuthError> {
        let mut found = None;
        let mut keep = |c: Option<Credential>| match c {
            Some(_) if found.is_some() => Err(AuthError::Malformed(Reason::TwoCredentials)),
            Some(c) => {
                found = Some(c);
                Ok(())
            }
            None => Ok(()),
        };
        let own = |n: &str| self.headers.iter().any(|(name, _)| name == n);
        if self.basic && !own("authorization") {
            keep(self.header(head, "authorization", None)?)?;
        }
        for (name, scheme) in &self.headers {
            keep(self.header(head, name, scheme.as_deref())?)?;
        }
        keep(self.cookie(head)?)?;
        keep(self.parameter(head)?)?;
        Ok(found)
    }

    fn header(
        &self,
        head: &RequestHead,
        name: &str,
        scheme: Option<&str>,
    ) -> Result<Option<Credential>, AuthError> {
        let value = head
            .headers
            .one(name)
            .map_err(|_| AuthError::Malformed(Reason::TwoCredentials))?;
        let Some(value) = value else {
            return Ok(None);
        };
        // The host joins repeated fields by a comma, and no credential has one.
        if value.contains(&b',') {
            return Err(AuthError::Malformed(Reason::TwoCredentials));
        }
        let value = self.text(value)?;
        let basic = self.basic && name == "authorization";
        if scheme.is_none() && !basic {
            return bearer(value);
        }
        let (word, rest) = value.split_once(' ').unwrap_or((value, ""));
        let rest = rest.trim_start_matches(' ');
        if scheme.is_some_and(|s| s.eq_ignore_ascii_case(word)) {
            bearer(rest)
        } else if basic && word.eq_ignore_ascii_case("basic") {
            user_and_password(rest).map(Some)
        } else {
            Err(AuthError::Invalid(Reason::Scheme))
        }
    }

    fn cookie(&self, head: &RequestHead) -> Result<Option<Credential>, AuthError> {
        let Some(cookie) = &self.cookie else {
            return Ok(None);
        };
        let mut found = None;
        for field in head.headers.all("cookie") {
            for pair in field.split(|b| *b == b';') {
                let pair = pair.trim_ascii();
                let value = pair
                    .strip_prefix(cookie.name.as_bytes())
                    .and_then(|v| v.strip_prefix(b"="));
                if let Some(value) = value
                    && found.replace(value).is_some()
                {
                    return Err(AuthError::Malformed(Reason::TwoCredentials));
                }
            }
        }
        let Some(value) = found else {
            return Ok(None);
        };
        if !matches!(head.method(), b"GET" | b"HEAD") {
            // A browser adds the cookie to whatever another site asks it to send.
            let origin = head.headers.one("origin").ok().flatten();
            if !cookie.origins.iter().any(|o| Some(o.as_bytes()) == origin) {
                return Err(AuthError::Forbidden(Reason::Origin));
            }
        }
        bearer(self.text(value)?)
    }

    fn parameter(&self, head: &RequestHead) -> Result<Option<Credential>, AuthError> {
        let (Some(name), Some(query)) = (&self.query, head.path_and_query().1) else {
            return Ok(None);
        };
        let mut found = None;
        for pair in query.split(|b| *b == b'&') {
            let value = pair
                .strip_prefix(name.as_bytes())
                .and_then(|v| v.strip_prefix(b"="));
            if let Some(value) = value
                && found.replace(value).is_some()
            {
                return Err(AuthError::Malformed(Reason::TwoCredentials));
            }
        }
        match found {
            Some(value) => bearer(self.text(value)?),
            None => Ok(None),
        }
    }

    fn text<'a>(&self, value: &'a [u8]) -> Result<&'a str, AuthError> {
        if value.len() > self.max_size + 64 {
            return Err(AuthError::Invalid(Reason::TooLong));
        }
        std::str::from_utf8(value)
            .ok()
            .filter(|t| t.bytes().all(|b| b == b' ' || b.is_ascii_graphic()))
            .ok_or(AuthError::Invalid(Reason::Encoding))
    }

    /// The longest token.
    pub(super) fn max_size(&self) -> usize {
        self.max_size
    }
}

fn bearer(value: &str) -> Result<Option<Credential>, AuthError> {
    if value.is_empty() || value.contains(' ') {
        return Err(AuthError::Invalid(Reason::Encoding));
    }
    Ok(Some(Credential::Bearer(value.to_owned())))
}

fn user_and_password(text: &str) -> Result<Credential, AuthError> {
    let pair = Base64::decode_vec(text)
        .ok()
        .and_then(|b| String::from_utf8(b).ok());
    let (user, password) = pair
        .as_deref()
        .and_then(|p| p.split_once(':'))
        .ok_or(AuthError::Invalid(Reason::Encoding))?;
    Ok(Credential::Basic {
        user: user.to_owned(),
        password: password.to_owned(),
    })
}

fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}
