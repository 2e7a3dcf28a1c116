//! Requests whose parameters are confined.

use std::sync::Arc;

use super::answer::Answer;
use super::body::Request;
use super::step::Step;
use super::worker::Worker;
use super::{Audit, Call, Exchange, deny, given, names, select};
use crate::config::upstream::Metadata;
use crate::deny::Denial;
use crate::grant::Grant;
use crate::http::UnixTime;
use crate::params::{self, Params, RewriteError, Use};
use crate::policy::Policy;
use crate::route::Endpoint;
use crate::scope::Scope;

/// A read: its parameters come in the query string, or in a form that is still to come.
pub(super) fn parameters(
    exchange: &mut Exchange,
    worker: &mut Worker,
    grant: &Arc<Grant>,
    mut call: Call<'_>,
    now: UnixTime,
) -> Result<Step, Denial> {
    let form = call.head.method() == b"POST";
    if form {
        form_head(&call)?;
    } else {
        no_body(&call)?;
    }
    let policy = worker.policy.clone();
    let params = read_params(worker, call.query, None)?;
    let scope = select::read(
        worker,
        grant,
        call.upstream,
        call.head,
        params.tenant(),
        &mut exchange.audit,
    )?;
    tenant_header(&policy, &scope, &mut call);
    exchange.answer = Answer::of(call.upstream, call.route.endpoint, &scope, worker);
    if exchange.answer.is_read() {
        call.edits.remove("accept-encoding");
        call.edits.remove("te");
    }
    let reader = Reader {
        upstream: call.upstream.index,
        endpoint: call.route.endpoint,
        scope,
        holder: exchange.holder.clone(),
    };
    if let Some(answer) = given::answer(call.upstream, call.route.endpoint) {
        return Ok(Step::Answer(answer));
    }
    let path = call.upstream.path_of(call.route);
    if form && !call.ends {
        call.edits.set(":path", path);
        call.edits.remove("content-length");
        call.edits.set("content-type", FORM);
        exchange.request = Request::form(
            reader,
            call.query.map(<[u8]>::to_vec),
            call.upstream.max_form,
        );
        return Ok(Step::Edit(call.edits));
    }
    let encoded = reader.rewrite(worker, &params, &mut exchange.audit, &mut exchange.answer)?;
    if form {
        // A POST without a body: its parameters stay in the query string, in that one place.
        call.edits.set("content-type", FORM);
    }
    let target = if encoded.is_empty() {
        path
    } else {
        [&*path, b"?", encoded.as_bytes()].concat()
    };
    call.edits.set(":path", target);
    if call.route.endpoint == Endpoint::Metadata && call.upstream.metadata == Metadata::Filtered {
        return names::ask(exchange, worker, reader.scope, call, now);
    }
    Ok(Step::Edit(call.edits))
}

/// What is needed to confine a read's parameters, now or when its form is whole.
#[derive(Debug)]
pub(super) struct Reader {
    upstream: usize,
    endpoint: Endpoint,
    scope: Scope,
    /// Who holds the bytes of the form.
    pub(super) holder: Arc<str>,
}

impl Reader {
    /// Confines the parameters of a query string and of the form that has come since.
    pub(super) fn rewrite_form(
        &self,
        worker: &mut Worker,
        url: Option<&[u8]>,
        form: &[u8],
        audit: &mut Audit,
        answer: &mut Answer,
    ) -> Result<String, Denial> {
        let params = read_params(worker, url, Some(form))?;
        if params.tenant().is_some() && read_params(worker, url, None)?.tenant().is_none() {
            // The head has gone, with the tenant header of the whole grant.
            return Err(Denial::new(
                400,
                "tenant_choice",
                "the choice of tenants belongs into the query string or the header, not into a form",
            ));
        }
        self.rewrite(worker, &params, audit, answer)
    }

    /// Confines parameters and writes those that are forwarded. The answer learns what was asked.
    fn rewrite(
        &self,
        worker: &mut Worker,
        params: &Params<'_>,
        audit: &mut Audit,
        answer: &mut Answer,
    ) -> Result<String, Denial> {
        let policy = worker.policy.clone();
        let Some(upstream) = policy.upstreams.get(self.upstream) else {
            return Err(deny::internal());
        };
        if policy.log_queries {
            audit.query = params
                .first("query")
                .map(|q| q.chars().take(1024).collect());
        }
        let options = params::Options {
            allow: &upstream.parameters,
            partial_response: upstream.partial_response,
            max_points: upstream.max_points,
            on_conflict: upstream.on_conflict,
            wide_rules: upstream.rules.active_alerts || upstream.rules.unlabelled,
        };
        let (confiner, scope) = (&upstream.confiner, &self.scope);
        let cache = &mut worker.queries;
        if answer.is_proven() {
            answer.selects(
                params
                    .first("query")
                    .is_some_and(|query| confiner.is_selector(cache, query, scope)),
            );
        }
        let mut bytes = 0_usize;
        let mut confine = |usage: Use, text: &str| {
            // The work of a request has a bound, not only that of each of its selectors.
            bytes = bytes.saturating_add(text.len());
            confiner.bound(bytes)?;
            match usage {
                Use::Query => confiner.query(cache, text, scope),
                Use::Selector => confiner.selector(cache, text, scope),
                // Judged like any other, and forwarded as it is: it selects nothing.
                Use::Text => confiner.query(cache, text, scope).map(|_| text.into()),
                Use::RuleSelector => confiner.selector(cache, text, scope).map(|_| text.into()),
            }
        };
        params::rewrite(
            upstream.kind,
            self.endpoint,
            params,
            &options,
            scope,
            &mut confine,
        )
        .map(|rewritten| rewritten.encoded)
        .map_err(|e| match e {
            RewriteError::Param(e) => deny::parameter(&e),
            RewriteError::Confine(name, e) => deny::query(name, &e),
        })
    }
}

/// Reads parameters, the caller's own taken out.
fn read_params<'a>(
    worker: &Worker,
    url: Option<&'a [u8]>,
    form: Option<&'a [u8]>,
) -> Result<Params<'a>, Denial> {
    let names = params::Names {
        tenant: Some(&worker.policy.select_parameter),
        token: worker.auth.credential_parameter(),
    };
    let limits = params::Limits {
        pairs: worker.policy.max_parameters,
        ..params::Limits::default()
    };
    Params::read(url, form, names, limits).map_err(|e| deny::parameter(&e))
}
/// The tenant header of a read: the tenant, or the constant for several.
pub(super) fn tenant_header(policy: &Policy, scope: &Scope, call: &mut Call<'_>) {
    let single = scope.of(policy.label.as_str()).and_then(|m| m.single());
    match (single, &policy.several) {
        (Some(tenant), _) => call.edits.set(&call.upstream.header, tenant),
        (None, Some(several)) => call
            .edits
            .set(&call.upstream.header, several.as_str().as_bytes()),
        (None, None) => {}
    }
}

/// Refuses a body where there must be none (invariant I4).
pub(super) fn no_body(call: &Call<'_>) -> Result<(), Denial> {
    if call.ends {
        Ok(())
    } else {
        Err(Denial::new(
            400,
            "body",
            "a body is not taken with this method",
        ))
    }
}

/// A form must say that it is one, uncompressed.
fn form_head(call: &Call<'_>) -> Result<(), Denial> {
    let headers = &call.head.headers;
    let kind = headers.one("content-type").map_err(|_| not_a_form())?;
    match kind {
        Some(kind) if is_form(kind) => {}
        None if call.ends => {}
        Some(_) | None => return Err(not_a_form()),
    }
    match headers.one("content-encoding") {
        Ok(None) => Ok(()),
        Ok(Some(e)) if e.eq_ignore_ascii_case(b"identity") => Ok(()),
        Ok(Some(_)) | Err(_) => Err(deny::media("a form is taken without content encoding")),
    }
}

/// `application/x-www-form-urlencoded`, with a charset of UTF-8 at most.
fn is_form(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else {
        return false;
    };
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().is_some_and(|k| k.eq_ignore_ascii_case(FORM));
    kind && match (parts.next(), parts.next()) {
        (None, None) => true,
        (Some(charset), None) => {
            charset.eq_ignore_ascii_case("charset=utf-8")
                || charset.eq_ignore_ascii_case("charset=\"utf-8\"")
        }
        _ => false,
    }
}

fn not_a_form() -> Denial {
    deny::media("the body must be `application/x-www-form-urlencoded`")
}

/// The canonical content type of a form.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";
