//! Canaries: one series for each tenant, written with forged claims about whose it is.

use std::time::Duration;

use super::Args;
use super::client::{Ask, Gateway};
use super::data::{encode, values};
use super::probes::Callers;
use super::report::Report;
use crate::command::output::{Failure, now, random_hex};

/// Writes a canary as each caller, and looks for it as the other.
pub(super) fn canaries(
    gateway: &Gateway,
    callers: &Callers,
    args: &Args,
    report: &mut Report,
) -> Result<(), Failure> {
    let why = "a write goes to the tenant of the credential, whatever it says of itself";
    let canary = random_hex(8)?;
    for (name, token, other) in [
        ("first", &callers.a, &callers.b),
        ("second", &callers.b, &callers.a),
    ] {
        let value = format!("{name}-{canary}");
        let body = body(&value)?;
        let ask = Ask {
            method: "POST",
            body,
            ..Ask::get(&args.write_path)
        };
        let ask = ask
            .with("content-type", "application/x-protobuf")
            .with("content-encoding", "snappy")
            .with("x-prometheus-remote-write-version", "0.1.0");
        match gateway.ask(&ask) {
            Ok(answer) if answer.is_success() => {
                report.fails("a write without a token is denied", why, "it was taken");
            }
            Ok(_) => report.holds("a write without a token is denied", why),
            Err(e) => report.unknown("a write without a token is denied", why, e),
        }
        let forged = ask
            .bearer(token)
            .with(&args.header, "promfence-verify-forged");
        let title = format!("a canary of the {name} caller is written");
        match gateway.ask(&forged) {
            Ok(answer) if answer.is_success() => report.holds(title, why),
            Ok(answer) => {
                report.unknown(
                    title,
                    why,
                    format!("it was answered with {}", answer.status),
                );
                continue;
            }
            Err(e) => {
                report.unknown(title, why, e);
                continue;
            }
        }
        let title = format!("the {name} caller finds its canary in spite of a forged header");
        if found(gateway, token, &value) {
            report.holds(title, why);
        } else {
            report.fails(title, why, "it is not there after 10 s");
        }
        let title = format!("the canary of the {name} caller is hidden from the other");
        if sees(gateway, other, &value) {
            report.fails(title, why, "the other caller sees it");
        } else {
            report.holds(title, why);
        }
    }
    Ok(())
}

/// Looks for a canary for a while: it takes a moment until a write can be read.
fn found(gateway: &Gateway, token: &str, value: &str) -> bool {
    for _ in 0..20 {
        if sees(gateway, token, value) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    false
}

fn sees(gateway: &Gateway, token: &str, value: &str) -> bool {
    let query = encode(&format!("{NAME}{{canary=\"{value}\"}}"));
    let ask = Ask::get(format!("/api/v1/query?query={query}")).bearer(token);
    gateway
        .ask(&ask)
        .is_ok_and(|answer| answer.is_success() && values(&answer, "canary").contains(value))
}

const NAME: &str = "promfence_verify_canary";

/// A remote-write body with one series: `promfence_verify_canary{canary="VALUE"} 1`.
fn body(value: &str) -> Result<Vec<u8>, Failure> {
    let label = |name: &str, value: &str| {
        let mut label = field(1, name.as_bytes());
        label.extend(field(2, value.as_bytes()));
        field(1, &label)
    };
    let mut series = label("__name__", NAME);
    series.extend(label("canary", value));
    let mut sample = vec![0x09];
    sample.extend(1f64.to_le_bytes());
    sample.push(0x10);
    varint(now().saturating_mul(1000), &mut sample);
    series.extend(field(2, &sample));
    let mut encoder = snap::raw::Encoder::new();
    encoder
        .compress_vec(&field(1, &series))
        .map_err(|e| Failure::new(e.to_string()))
}

/// A length-delimited protobuf field.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![(tag << 3) | 2];
    varint(bytes.len() as u64, &mut field);
    field.extend_from_slice(bytes);
    field
}

fn varint(mut n: u64, to: &mut Vec<u8>) {
    while n >= 0x80 {
        to.push(u8::try_from(n & 0x7f).unwrap_or_default() | 0x80);
        n >>= 7;
    }
    to.push(u8::try_from(n).unwrap_or_default());
}
