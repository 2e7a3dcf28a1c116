//! The probes, by what they try.

use std::collections::BTreeSet;

use super::Args;
use super::client::{Answer, Ask, Gateway};
use super::data::{encode, texts, values};
use super::report::Report;
use crate::command::output::Failure;

/// The credentials that are given.
pub(super) struct Callers {
    pub(super) a: String,
    pub(super) b: String,
    pub(super) expired: Option<String>,
}

/// What the callers have of their own: tenants that the other one does not see.
pub(super) struct Tenants {
    label: String,
    /// One of the second caller's.
    b: String,
    /// All that are the second caller's alone.
    only_b: BTreeSet<String>,
}

/// Finds out whose data each caller sees. Without data of both there is nothing to try.
pub(super) fn tenants(
    gateway: &Gateway,
    callers: &Callers,
    args: &Args,
    report: &mut Report,
) -> Result<Option<Tenants>, Failure> {
    let why = "each tenant reads its own data and no other";
    let label = &args.label;
    let path = format!("/api/v1/label/{}/values", encode(label));
    let mut sees = Vec::new();
    for (name, token) in [("first", &callers.a), ("second", &callers.b)] {
        let answer = gateway
            .ask(&Ask::get(&path).bearer(token))
            .map_err(Failure::new)?;
        match texts(&answer).filter(|_| answer.is_success()) {
            Some(set) => sees.push(set),
            None => {
                let seen = format!("its list of tenants was answered with {}", answer.status);
                report.fails(format!("the {name} caller reads its own data"), why, seen);
                return Ok(None);
            }
        }
    }
    let (Some(a), Some(b)) = (sees.first(), sees.get(1)) else {
        return Ok(None);
    };
    for (name, set) in [("first", a), ("second", b)] {
        let name = format!("the {name} caller reads its own data");
        if set.is_empty() {
            report.unknown(
                name,
                why,
                "there are no series with the label: write some first",
            );
        } else {
            report.holds(name, why);
        }
    }
    let both: Vec<&str> = a
        .intersection(b)
        .map(String::as_str)
        .filter(|t| !args.shared.iter().any(|s| s == t))
        .collect();
    let name = "the callers see different tenants";
    if both.is_empty() {
        report.holds(name, why);
    } else {
        report.fails(
            name,
            why,
            format!(
                "both see `{}` (`--shared` names what both may see)",
                both.join("`, `")
            ),
        );
    }
    let only_b: BTreeSet<String> = b.difference(a).cloned().collect();
    Ok(only_b.first().cloned().map(|b| Tenants {
        label: label.clone(),
        b,
        only_b,
    }))
}

/// Credentials that are none.
pub(super) fn credentials(gateway: &Gateway, callers: &Callers, report: &mut Report) {
    let why = "nothing is answered before the caller is known";
    let query = Ask::get("/api/v1/query?query=up");
    let forged = |header: &str| {
        let mut parts = callers.a.split('.').skip(1);
        format!(
            "{header}.{}.{}",
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default()
        )
    };
    let swapped = {
        let of = |token: &str, n: usize| token.split('.').nth(n).unwrap_or_default().to_owned();
        format!(
            "{}.{}.{}",
            of(&callers.a, 0),
            of(&callers.b, 1),
            of(&callers.a, 2)
        )
    };
    let none = {
        // {"alg":"none","typ":"JWT"}
        let unsigned = forged("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0");
        unsigned
            .rsplit_once('.')
            .map_or(String::new(), |(text, _)| format!("{text}."))
    };
    let unsigned = callers
        .a
        .rsplit_once('.')
        .map_or(String::new(), |(t, _)| format!("{t}."));
    let mut tries = vec![
        ("without a token", query.clone()),
        (
            "with an empty token",
            query.clone().with("authorization", "Bearer "),
        ),
        (
            "with nonsense for a token",
            query.clone().bearer("nonsense"),
        ),
        (
            "with a token whose signature is cut off",
            query.clone().bearer(&unsigned),
        ),
        (
            "with a token of the algorithm `none`",
            query.clone().bearer(&none),
        ),
        (
            "with the claims of one token under the signature of another",
            query.clone().bearer(&swapped),
        ),
        (
            "with two tokens",
            query.clone().bearer(&callers.a).bearer(&callers.b),
        ),
        (
            "with a token in the URL",
            Ask::get(format!(
                "/api/v1/query?query=up&access_token={}",
                encode(&callers.a)
            )),
        ),
        (
            "with a made-up user",
            query
                .clone()
                .with("authorization", "Basic YWRtaW46YWRtaW4="),
        ),
    ];
    if let Some(expired) = &callers.expired {
        tries.push(("with an expired token", query.bearer(expired)));
    }
    for (how, ask) in tries {
        denied(
            gateway,
            &ask,
            format!("a request {how} is denied"),
            why,
            report,
        );
    }
    for path in [
        "/api/v1/labels",
        "/api/v1/series?match[]=up",
        "/api/v1/rules",
        "/metrics",
        "/",
    ] {
        denied(
            gateway,
            &Ask::get(path),
            format!("{path} without a token is denied"),
            why,
            report,
        );
    }
}

/// Endpoints that are no tenant's.
pub(super) fn endpoints(gateway: &Gateway, callers: &Callers, report: &mut Report) {
    let why = "these show or change what belongs to all tenants";
    for path in [
        "/api/v1/status/config",
        "/api/v1/status/flags",
        "/api/v1/status/tsdb",
        "/api/v1/status/runtimeinfo",
        "/api/v1/targets/metadata",
        "/api/v1/scrape_pools",
        "/api/v1/stores",
        "/api/v1/blocks",
        "/api/v1/alertmanagers",
        "/api/v1/notifications",
        "/config",
        "/flags",
        "/graph",
        "/metrics",
        "/debug/pprof/",
        "/stores",
        "/",
    ] {
        let ask = Ask::get(path).bearer(&callers.a);
        denied(gateway, &ask, format!("GET {path} is denied"), why, report);
    }
    // A path that exists nowhere: the real ones would delete data if they were open.
    let ask = Ask::form("/api/v1/admin/tsdb/promfence-verify", "").bearer(&callers.a);
    denied(
        gateway,
        &ask,
        "administration is denied".to_owned(),
        why,
        report,
    );
    let ask = Ask::get("/api/v1/query?query=up").bearer(&callers.a);
    let upgrade = ask
        .with("upgrade", "h2c")
        .with("http2-settings", "AAMAAABkAAQAAP__");
    never(
        gateway,
        &upgrade,
        101,
        "an upgrade of the connection is not made",
        why,
        report,
    );
}

/// One tenant asks for another's data.
pub(super) fn across(gateway: &Gateway, callers: &Callers, tenants: &Tenants, report: &mut Report) {
    let why = "a query sees nothing of another tenant, whatever it asks for";
    let (l, b) = (&tenants.label, &tenants.b);
    let m = format!("{l}=\"{b}\"");
    let all = "__name__=~\".+\"";
    let queries = [
        format!("{{{all},{m}}}"),
        format!("count by ({l}) ({{{all}}})"),
        format!("up or {{{all},{m}}}"),
        format!("{{{all}}} offset 1m or {{{all},{l}=~\".*\"}}"),
        format!("max_over_time({{{all},{m}}}[5m:1m])"),
        format!("topk(scalar(count({{{all},{m}}})) or vector(5), {{{all}}})"),
        format!("label_replace({{{all}}}, \"x\", \"$1\", \"{l}\", \"(.*)\") # }} or {{{m}"),
        format!("{{\"up\",{m}}} or {{{all},{l}!=\"\"}}"),
        format!("absent_over_time({{{all},{m}}}[5m]) unless up"),
    ];
    for query in &queries {
        let ask = Ask::get(format!("/api/v1/query?query={}", encode(query))).bearer(&callers.a);
        hidden(
            gateway,
            &ask,
            tenants,
            format!("the query `{query}` shows nothing of the other tenant"),
            why,
            report,
        );
    }
    let ask = Ask::form(
        "/api/v1/query",
        &format!("query={}", encode(&format!("{{{all},{m}}}"))),
    );
    hidden(
        gateway,
        &ask.bearer(&callers.a),
        tenants,
        "a query in a form shows nothing of the other tenant".to_owned(),
        why,
        report,
    );
    let selector = encode(&format!("{{{m}}}"));
    for path in [
        format!("/api/v1/series?match[]={selector}"),
        format!("/api/v1/series?match[]=up&match[]={selector}"),
        format!("/api/v1/query_exemplars?query={selector}&start=0&end=4000000000"),
        "/api/v1/rules".to_owned(),
        "/api/v1/alerts".to_owned(),
        "/api/v1/targets".to_owned(),
    ] {
        let name = format!("GET {path} shows nothing of the other tenant");
        hidden(
            gateway,
            &Ask::get(path).bearer(&callers.a),
            tenants,
            name,
            why,
            report,
        );
    }
    let path = format!("/api/v1/label/{}/values?match[]={selector}", encode(l));
    let ask = Ask::get(&path).bearer(&callers.a);
    hidden(
        gateway,
        &ask,
        tenants,
        format!("GET {path} names no other tenant"),
        why,
        report,
    );
    let ask = Ask::get(format!("/federate?match[]={selector}")).bearer(&callers.a);
    hidden(
        gateway,
        &ask,
        tenants,
        "federation shows nothing of the other tenant".to_owned(),
        why,
        report,
    );
}

/// Headers that are not the client's to send.
pub(super) fn headers(
    gateway: &Gateway,
    callers: &Callers,
    tenants: &Tenants,
    args: &Args,
    report: &mut Report,
) {
    let why = "whose data it is comes from the credential and from nothing else";
    let path = format!("/api/v1/label/{}/values", encode(&tenants.label));
    let underscored = args.header.replace('-', "_");
    for name in [
        args.header.as_str(),
        &underscored,
        "X-Scope-OrgID",
        "X-Tenant",
        "X-Promfence-Tenant",
        "X-Forwarded-User",
        "X-Forwarded-Client-Cert",
        "X-Original-URL",
        "X-Envoy-Original-Path",
    ] {
        let ask = Ask::get(&path).bearer(&callers.a).with(name, &tenants.b);
        hidden(
            gateway,
            &ask,
            tenants,
            format!("the header {name} opens no other tenant"),
            why,
            report,
        );
        let ask = Ask::get(&path).with(name, &tenants.b);
        denied(
            gateway,
            &ask,
            format!("the header {name} is no credential"),
            why,
            report,
        );
    }
    for value in ["1", "x-promfence-seal", "true"] {
        let ask = Ask::get(&path).with("x-promfence-seal", value);
        denied(
            gateway,
            &ask,
            format!("the seal `{value}` opens nothing"),
            why,
            report,
        );
    }
}

/// Paths and parameters that two parsers could read differently.
pub(super) fn tricks(gateway: &Gateway, callers: &Callers, tenants: &Tenants, report: &mut Report) {
    let why = "what the gateway judges must be what the upstream reads";
    let q = encode(&format!(
        "{{__name__=~\".+\",{}=\"{}\"}}",
        tenants.label, tenants.b
    ));
    for path in [
        "/api/v1/%71uery",
        "/api/v1//query",
        "//api/v1/query",
        "/api/v1/./query",
        "/api/v1/status/../query",
        "/api/v1/query/",
        "/api/v1/query;x",
        "/api/v1/query%00",
        "/API/v1/query",
        "/%2e%2e/api/v1/query",
    ] {
        let ask = Ask::get(format!("{path}?query={q}")).bearer(&callers.a);
        hidden(
            gateway,
            &ask,
            tenants,
            format!("the path {path} leads to no other tenant"),
            why,
            report,
        );
    }
    for query in [
        format!("query=up&query={q}"),
        format!("query={q}&query=up"),
        format!("query=up;query={q}"),
        format!("query={q}&%zz=1"),
        format!("%71uery={q}"),
        format!("query=up&storeMatch[]={{}}&query={q}"),
        format!("query={q}&replicaLabels[]={}", encode(&tenants.label)),
        format!("query={q}&shard_info={{}}"),
    ] {
        let ask = Ask::get(format!("/api/v1/query?{query}")).bearer(&callers.a);
        hidden(
            gateway,
            &ask,
            tenants,
            format!(
                "the parameters `{}` show nothing of the other tenant",
                shorten(&query)
            ),
            why,
            report,
        );
    }
    let both = Ask::form(format!("/api/v1/query?query={q}"), "query=up");
    hidden(
        gateway,
        &both.bearer(&callers.a),
        tenants,
        "a query in URL and form shows nothing of the other tenant".to_owned(),
        why,
        report,
    );
    let mut body = Ask::form("/api/v1/query?query=up", &format!("query={q}"));
    body.method = "GET";
    hidden(
        gateway,
        &body.bearer(&callers.a),
        tenants,
        "a GET with a body shows nothing of the other tenant".to_owned(),
        why,
        report,
    );
    let mut kind = Ask::form("/api/v1/query?query=up", &format!("query={q}")).bearer(&callers.a);
    kind.headers.retain(|(name, _)| name != "content-type");
    hidden(
        gateway,
        &kind.with("content-type", "text/plain"),
        tenants,
        "a form of another type shows nothing of the other tenant".to_owned(),
        why,
        report,
    );
    let put = Ask {
        method: "PUT",
        ..Ask::form("/api/v1/query", &format!("query={q}"))
    };
    denied(
        gateway,
        &put.bearer(&callers.a),
        "PUT is denied".to_owned(),
        why,
        report,
    );
}

fn shorten(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        format!("{short}..")
    } else {
        short
    }
}

/// The request must not succeed.
fn denied(gateway: &Gateway, ask: &Ask, name: String, why: &'static str, report: &mut Report) {
    match gateway.ask(ask) {
        Ok(answer) if (400..500).contains(&answer.status) => report.holds(name, why),
        Ok(answer) => report.fails(name, why, format!("it was answered with {}", answer.status)),
        Err(e) => report.unknown(name, why, e),
    }
}

fn never(
    gateway: &Gateway,
    ask: &Ask,
    status: u16,
    name: &str,
    why: &'static str,
    report: &mut Report,
) {
    match gateway.ask(ask) {
        Ok(answer) if answer.status == status => {
            report.fails(name, why, format!("it was answered with {status}"));
        }
        Ok(_) => report.holds(name, why),
        Err(e) => report.unknown(name, why, e),
    }
}

/// The request may succeed, but shows nothing of the other tenant.
fn hidden(
    gateway: &Gateway,
    ask: &Ask,
    tenants: &Tenants,
    name: String,
    why: &'static str,
    report: &mut Report,
) {
    match gateway.ask(ask) {
        Ok(answer) => match shown(&answer, tenants) {
            Some(tenant) => report.fails(name, why, format!("the answer has data of `{tenant}`")),
            None if answer.status >= 500 => {
                report.unknown(name, why, format!("it was answered with {}", answer.status));
            }
            None => report.holds(name, why),
        },
        Err(e) => report.unknown(name, why, e),
    }
}

/// A tenant of the second caller that an answer shows.
fn shown<'t>(answer: &Answer, tenants: &'t Tenants) -> Option<&'t str> {
    if !answer.is_success() {
        return None;
    }
    let mut seen = values(answer, &tenants.label);
    seen.extend(texts(answer).unwrap_or_default());
    // Federation answers in text.
    let text = String::from_utf8_lossy(&answer.body);
    let written = |t: &str| text.contains(&format!("{}=\"{t}\"", tenants.label));
    tenants
        .only_b
        .iter()
        .map(String::as_str)
        .find(|t| seen.contains(*t) || written(t))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_tenants_data_is_seen_in_every_form() {
        let tenants = Tenants {
            label: "t".to_owned(),
            b: "b".to_owned(),
            only_b: BTreeSet::from(["b".to_owned()]),
        };
        let shows = |status, body: &str| {
            shown(
                &Answer {
                    status,
                    body: body.as_bytes().to_vec(),
                },
                &tenants,
            )
            .is_some()
        };
        assert!(shows(200, r#"{"data":[{"t":"b"}]}"#));
        assert!(shows(200, r#"{"data":["a","b"]}"#));
        assert!(shows(200, "up{t=\"b\"} 1\n"));
        assert!(!shows(200, r#"{"data":[{"t":"a","x":"b"}]}"#));
        assert!(!shows(400, r#"{"error":"t=\"b\""}"#));
    }
}
