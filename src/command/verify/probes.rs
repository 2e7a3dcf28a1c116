//! The probes, by what they try.

mod across;
mod credentials;
mod tricks;

pub(super) use self::across::{across, headers};
pub(super) use self::credentials::{credentials, endpoints};
pub(super) use self::tricks::tricks;

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
    // Federation answers in text, and an answer that is cut short is no JSON.
    let text = String::from_utf8_lossy(&answer.body);
    let label = &tenants.label;
    let written = |t: &str| {
        text.contains(&format!("{label}=\"{t}\"")) || text.contains(&format!("\"{label}\":\"{t}\""))
    };
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
        assert!(shows(200, r#"{"data":[{"t":"b"}"#));
        assert!(!shows(200, r#"{"data":[{"t":"a","x":"b"}]}"#));
        assert!(!shows(400, r#"{"error":"t=\"b\""}"#));
    }
}
