//! Any query string and form: what is forwarded has exactly one confined query, and is read back
//! as it was written.
use promfence::params::{Limits, Names, Options, ParamError, Params, rewrite};
use promfence::route::{Endpoint, Kind};
use promfence::scope::{Enforced, Scope};
use promfence::tenant::LabelName;

fn read<'a>(url: &'a [u8], form: &'a [u8]) -> Result<Params<'a>, ParamError> {
    Params::read(Some(url), Some(form), Names::default(), Limits::default())
}

/// One run: the query string, a line feed, the form.
pub fn fuzz(data: &[u8]) {
    let at = data.iter().position(|b| *b == b'\n').unwrap_or(data.len());
    let (url, form) = (&data[..at], data.get(at + 1..).unwrap_or_default());
    let Ok(params) = read(url, form) else { return };
    let label = LabelName::parse("t").unwrap();
    let scope = Scope::new(vec![Enforced::values(label, ["a"]).unwrap()]);
    for (kind, endpoint) in [
        (Kind::Thanos, Endpoint::QueryRange),
        (Kind::Prometheus, Endpoint::Query),
        (Kind::Prometheus, Endpoint::Series),
        (Kind::Alertmanager, Endpoint::AlertmanagerAlerts),
    ] {
        let mark = &mut |_, q: &str| Ok::<_, std::convert::Infallible>(format!("!{q}").into());
        let Ok(out) = rewrite(kind, endpoint, &params, &Options::default(), &scope, mark) else {
            continue;
        };
        let back = read(out.encoded.as_bytes(), b"").unwrap();
        match endpoint {
            Endpoint::Query | Endpoint::QueryRange => {
                assert!(back.first("query").unwrap().starts_with('!'));
                assert_eq!(out.encoded.matches("query=").count(), 1);
            }
            Endpoint::Series => assert!(back.first("match[]").is_some()),
            _ => assert_eq!(back.first("filter"), Some("t=\"a\"")),
        }
    }
}
