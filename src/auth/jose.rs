//! The compact form of a token, taken apart strictly and not trusted yet.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value};

use super::error::Reason;
use super::json;
use crate::config::auth::Algorithm;

/// A token whose signature has not been verified.
#[derive(Debug)]
pub(super) struct Unverified<'a> {
    /// The token as it came.
    pub(super) whole: &'a str,
    /// What the signature is over.
    pub(super) signed: &'a str,
    pub(super) signature: Vec<u8>,
    pub(super) alg: Algorithm,
    pub(super) kid: Option<String>,
    pub(super) typ: Option<String>,
    pub(super) claims: Map<String, Value>,
}

/// Members that change what a token means, or bring keys along.
const REFUSED: [&str; 11] = [
    "crit", "b64", "zip", "enc", "jku", "jwk", "x5u", "x5c", "epk", "cty", "salt",
];

/// Takes a token apart.
pub(super) fn parse(token: &str) -> Result<Unverified<'_>, Reason> {
    let (mut token, claims) = parts(token)?;
    token.claims = json::object(&claims).ok_or(Reason::Encoding)?;
    Ok(token)
}

/// A token without its claims, and the bytes that should be these.
pub(super) fn parts(token: &str) -> Result<(Unverified<'_>, Vec<u8>), Reason> {
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Reason::Encoding);
    };
    let signed = token
        .get(..header.len() + 1 + claims.len())
        .ok_or(Reason::Encoding)?;
    let header = json::object(&base64url(header)?).ok_or(Reason::Encoding)?;
    let (alg, kid, typ) = members(header)?;
    let claims = base64url(claims)?;
    let token = Unverified {
        whole: token,
        signed,
        signature: base64url(signature)?,
        alg,
        kid,
        typ,
        claims: Map::new(),
    };
    Ok((token, claims))
}

/// Whether a text has the outer form of a token.
pub(super) fn looks_like_one(text: &str) -> bool {
    text.bytes().filter(|b| *b == b'.').count() == 2
}

fn members(
    header: Map<String, Value>,
) -> Result<(Algorithm, Option<String>, Option<String>), Reason> {
    let (mut alg, mut kid, mut typ) = (None, None, None);
    for (name, value) in header {
        if REFUSED.contains(&name.as_str()) {
            return Err(Reason::Header);
        }
        let text = match value {
            Value::String(text) => Some(text),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => None,
        };
        match name.as_str() {
            "alg" => alg = Some(text.ok_or(Reason::Header)?),
            "kid" => kid = Some(text.ok_or(Reason::Header)?),
            "typ" => typ = Some(text.ok_or(Reason::Header)?),
            "x5t" | "x5t#S256" if text.is_none() => return Err(Reason::Header),
            _ => {}
        }
    }
    let alg = alg
        .as_deref()
        .and_then(algorithm)
        .ok_or(Reason::Algorithm)?;
    Ok((alg, kid, typ))
}

/// An algorithm by its name in a header. Names are compared exactly.
pub(super) fn algorithm(name: &str) -> Option<Algorithm> {
    Some(match name {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        "ES512" => Algorithm::ES512,
        "EdDSA" | "Ed25519" => Algorithm::EdDSA,
        "HS256" => Algorithm::HS256,
        "HS384" => Algorithm::HS384,
        "HS512" => Algorithm::HS512,
        _ => return None,
    })
}

/// Decodes base64url: no padding, no other alphabet, no unused bits, not empty.
fn base64url(text: &str) -> Result<Vec<u8>, Reason> {
    if text.is_empty() {
        return Err(Reason::Encoding);
    }
    Base64UrlUnpadded::decode_vec(text).map_err(|_| Reason::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(header: &str, claims: &str) -> String {
        let b = |t: &str| Base64UrlUnpadded::encode_string(t.as_bytes());
        format!("{}.{}.{}", b(header), b(claims), b("signature"))
    }

    fn refuses(header: &str, reason: Reason) {
        assert_eq!(parse(&token(header, "{}")).unwrap_err(), reason, "{header}");
    }

    #[test]
    fn header_members_that_change_the_meaning_are_refused() {
        for member in [
            r#""crit":[]"#,
            r#""crit":["exp"]"#,
            r#""b64":false"#,
            r#""zip":"DEF""#,
            r#""jku":"http://x""#,
            r#""jwk":{}"#,
            r#""x5u":"http://x""#,
            r#""x5c":[]"#,
            r#""cty":"JWT""#,
            r#""enc":"A128GCM""#,
            r#""kid":1"#,
            r#""typ":null"#,
            r#""x5t":1"#,
        ] {
            refuses(&format!(r#"{{"alg":"RS256",{member}}}"#), Reason::Header);
        }
        refuses(r#"{"alg":["RS256"]}"#, Reason::Header);
        refuses(
            r#"{"alg":"none","kid":"rsa","alg":"RS256"}"#,
            Reason::Encoding,
        );
        for alg in ["none", "None", "NONE", "hs256", "", "RS256 ", "ES256K"] {
            refuses(&format!(r#"{{"alg":"{alg}"}}"#), Reason::Algorithm);
        }
        refuses("{}", Reason::Algorithm);
    }

    #[test]
    fn only_the_one_spelling_of_base64url_is_taken() {
        let good = token(r#"{"alg":"RS256"}"#, "{}");
        assert!(parse(&good).is_ok());
        for bad in [
            format!("{good}="),
            format!("{good} "),
            format!("{good}."),
            format!(" {good}"),
            good.replace('.', ".."),
            good.replacen('.', "", 1),
            "a..b".into(),
            "..".into(),
            String::new(),
            good.replacen("ey", "e+", 1),
            format!("{good}\n"),
        ] {
            assert!(parse(&bad).is_err(), "{bad}");
        }
        // `signature` has nine bytes and no unused bits; four bytes have four of them.
        let four = format!("{}.e30.AAAAAA", good.split('.').next().unwrap());
        assert!(parse(&four).is_ok());
        assert!(parse(&four.replace("AAAAAA", "AAAAAB")).is_err());
    }

    proptest! {
        #[test]
        fn no_text_is_taken_in_two_spellings(text in "[A-Za-z0-9_.=+/-]{0,80}") {
            if let Ok(t) = parse(&text) {
                prop_assert_eq!(t.whole, text.as_str());
                prop_assert!(text.starts_with(t.signed));
                let again = Base64UrlUnpadded::encode_string(&t.signature);
                prop_assert_eq!(format!("{}.{}", t.signed, again), text);
            }
        }

        #[test]
        fn any_bytes_are_survived(text in "\\PC{0,200}") {
            let _ = parse(&text);
        }
    }
}
