//! One tenant asks for another's data, by queries and by headers.

use super::super::Args;
use super::super::client::{Ask, Gateway};
use super::super::data::encode;
use super::super::report::Report;
use super::{Callers, Tenants, denied, hidden};

/// One tenant asks for another's data.
pub(in super::super) fn across(
    gateway: &Gateway,
    callers: &Callers,
    tenants: &Tenants,
    report: &mut Report,
) {
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
pub(in super::super) fn headers(
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
