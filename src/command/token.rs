//! `promfence token`: signs a test token.

use serde_json::{Map, Value};

use super::output::{Failure, Outcome, Terminal, now, read_text};
use crate::auth::mint::{Signing, SigningKey};

/// Sign a test token with a private key.
///
/// The token has `iss`, `aud`, `sub`, `iat` and `exp`, and the claims that are given. A claim that is
/// given replaces the one of the same name; the value `null` leaves it out.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The private key in PEM, as `promfence keygen` writes it.
    #[arg(long, value_name = "FILE")]
    key: String,
    /// The key's identifier (`kid`).
    #[arg(long, value_name = "ID")]
    kid: String,
    /// The algorithm. By default what fits the key; for RSA RS256.
    #[arg(long, value_name = "ALG")]
    alg: Option<Signing>,
    /// The claim `iss`.
    #[arg(long, value_name = "TEXT")]
    issuer: String,
    /// The claim `aud`; several make a list.
    #[arg(long, value_name = "TEXT", required = true)]
    audience: Vec<String>,
    /// The claim `sub`.
    #[arg(long, value_name = "TEXT", default_value = "test")]
    subject: String,
    /// How long the token is valid, such as `30s`, `15m`, `1h` or `2d`; negative for an expired one.
    #[arg(long, value_name = "TIME", default_value = "1h", allow_hyphen_values = true, value_parser = seconds)]
    ttl: i64,
    /// The time at which it is signed, in seconds since 1970. By default now.
    #[arg(long, value_name = "UNIXTIME")]
    at: Option<u64>,
    /// A claim with its value in JSON, such as `tenants=["team-a"]`; a value that is not JSON is a
    /// string. May be repeated.
    #[arg(long, value_name = "NAME=JSON", value_parser = claim)]
    claim: Vec<(String, Value)>,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let pem = read_text(&args.key)?;
    let key = SigningKey::from_pem(&pem, args.alg, &args.kid)
        .map_err(|e| Failure::new(format!("{}: {e}", args.key)))?;
    let claims = claims(args, args.at.unwrap_or_else(now));
    let token = key.sign(claims).map_err(|e| Failure::new(e.to_string()))?;
    writeln!(terminal.out(), "{token}")?;
    Ok(Outcome::Good)
}

fn claims(args: &Args, now: u64) -> Map<String, Value> {
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let mut claims = Map::new();
    claims.insert("iss".to_owned(), args.issuer.clone().into());
    let audience = match args.audience.as_slice() {
        [one] => one.clone().into(),
        several => several.to_vec().into(),
    };
    claims.insert("aud".to_owned(), audience);
    claims.insert("sub".to_owned(), args.subject.clone().into());
    // An expired token was once a valid one.
    let issued = now.saturating_add(args.ttl.saturating_sub(60).min(0));
    claims.insert("iat".to_owned(), issued.into());
    claims.insert("exp".to_owned(), now.saturating_add(args.ttl).into());
    for (name, value) in &args.claim {
        if value.is_null() {
            claims.remove(name);
        } else {
            claims.insert(name.clone(), value.clone());
        }
    }
    claims
}

fn seconds(text: &str) -> Result<i64, String> {
    let wrong = || "not a time such as `30s`, `15m`, `1h` or `2d`".to_owned();
    let (number, factor) = match text.strip_suffix(|c: char| "smhd".contains(c)) {
        None => (text, 1),
        Some(number) if text.ends_with('s') => (number, 1),
        Some(number) if text.ends_with('m') => (number, 60),
        Some(number) if text.ends_with('h') => (number, 3600),
        Some(number) => (number, 86_400),
    };
    let number: i64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(factor).ok_or_else(wrong)
}

fn claim(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("a claim is `NAME=JSON`")?;
    if name.is_empty() {
        return Err("a claim needs a name".to_owned());
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn args(more: &[&str]) -> Args {
        let basic = [
            "token",
            "--key",
            "k",
            "--kid",
            "k1",
            "--issuer",
            "i",
            "--audience",
            "a",
        ];
        Cli::parse_from(basic.iter().chain(more)).args
    }

    #[test]
    fn claims_are_json_or_text_and_replace_the_usual_ones() {
        let given = args(&[
            "--claim",
            r#"tenants=["a","b"]"#,
            "--claim",
            "team=sre",
            "--claim",
            "sub=null",
            "--ttl",
            "15m",
        ]);
        let claims = claims(&given, 1000);
        let expected = serde_json::json!({
            "iss": "i", "aud": "a", "iat": 1000, "exp": 1900, "tenants": ["a", "b"], "team": "sre"
        });
        assert_eq!(Value::Object(claims), expected);
    }

    #[test]
    fn an_expired_token_was_signed_before_it_expired() {
        let claims = claims(&args(&["--ttl", "-1h", "--audience", "b"]), 10_000);
        assert_eq!(claims["exp"], 6400);
        assert!(claims["iat"].as_i64() < claims["exp"].as_i64());
        assert_eq!(claims["aud"], serde_json::json!(["a", "b"]));
    }

    #[test]
    fn times_have_units() {
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("2d"), Ok(172_800));
        for bad in ["", "h", "1w", "1.5h", "99999999999999999999s"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
