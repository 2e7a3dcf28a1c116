//! Credentials that are none, and endpoints that are no tenant's.

use super::super::client::{Ask, Gateway};
use super::super::data::encode;
use super::super::report::Report;
use super::{Callers, denied, never};

/// Credentials that are none.
pub(in super::super) fn credentials(gateway: &Gateway, callers: &Callers, report: &mut Report) {
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
pub(in super::super) fn endpoints(gateway: &Gateway, callers: &Callers, report: &mut Report) {
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
