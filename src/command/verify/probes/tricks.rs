//! Requests that two parsers could read differently.

use super::super::client::{Ask, Gateway};
use super::super::data::encode;
use super::super::report::Report;
use super::{Callers, Tenants, denied, hidden};

/// Paths and parameters that two parsers could read differently.
pub(in super::super) fn tricks(
    gateway: &Gateway,
    callers: &Callers,
    tenants: &Tenants,
    report: &mut Report,
) {
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
