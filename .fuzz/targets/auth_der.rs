//! Any PEM block is a key or is refused; any signature of a known key reaches the host in DER that
//! holds just its two numbers.

use std::cell::RefCell;

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use promfence::auth::{Algorithm, Authenticator, NoHost, NoPeer, Verifier};
use promfence::config::{auth::Auth, error::Problems};
use promfence::http::{Headers, RequestHead, UnixTime};

/// The generators of the curves are points like any other.
const KEYS: &str = r#"{"keys": [
  {"kty": "EC", "crv": "P-256", "kid": "ES256", "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
   "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"},
  {"kty": "EC", "crv": "P-384", "kid": "ES384",
   "x": "qofKIr6LBTeOscce8yCtdG4dO2KLp5uYWfdB4IJUKjhVAvJdv1UpbDpUXjhydgq3",
   "y": "NhfeSpYmLG9dnpi_kpLcKfj0Hb0omhR86doxE7XwuMAKYLHOHX6BnXpDHXyQ6g5f"}]}"#;

#[derive(Default)]
struct Seen(RefCell<Vec<(Algorithm, Vec<u8>)>>);

impl Verifier for Seen {
    fn verify(&self, algorithm: Algorithm, _: &[u8], _: &[u8], signature: &[u8]) -> Option<bool> {
        self.0.borrow_mut().push((algorithm, signature.to_vec()));
        Some(false)
    }
}

/// One run: a byte that says which, then the key or the signature.
pub fn fuzz(data: &[u8]) {
    let Some((which, rest)) = data.split_first() else {
        return;
    };
    match which % 3 {
        0 => pem(rest),
        1 => signature("ES256", 32, rest),
        _ => signature("ES384", 48, rest),
    }
}

fn authenticator(keys: &serde_json::Value) -> (Authenticator, Problems) {
    let doc: Auth = serde_json::from_value(serde_json::json!({"issuers": [{
        "issuer": "i", "audiences": ["a"], "keys": keys, "tenants": [{"claim": "/t"}]}]}))
    .unwrap();
    let mut problems = Problems::default();
    let auth = Authenticator::compile(&doc, &|_| None, &mut problems);
    (auth, problems)
}

fn head(kid: &str, algorithm: &str, signature: &[u8]) -> RequestHead {
    let part = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    let header = format!(r#"{{"alg":"{algorithm}","kid":"{kid}"}}"#);
    let claims = br#"{"iss":"i","aud":"a","exp":1800000009,"t":"x"}"#;
    let token = [part(header.as_bytes()), part(claims), part(signature)].join(".");
    RequestHead {
        headers: Headers::new(vec![(
            "authorization".into(),
            format!("Bearer {token}").into_bytes(),
        )]),
    }
}

fn pem(der: &[u8]) {
    let body = Base64::encode_string(der);
    let text = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
    let (mut auth, _) = authenticator(&serde_json::json!({"pem": text}));
    let now = UnixTime::from_secs(1_800_000_000);
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let head = head("", algorithm, &[1; 64]);
        assert!(auth.authenticate(&head, &NoPeer, &NoHost, now).is_err());
    }
}

fn signature(algorithm: &str, half: usize, raw: &[u8]) {
    thread_local! {
        static AUTH: RefCell<Authenticator> = RefCell::new({
            let keys: serde_json::Value = serde_json::from_str(KEYS).unwrap();
            let (auth, problems) = authenticator(&serde_json::json!({"inline": keys}));
            assert!(problems.is_empty(), "{problems}");
            auth
        });
    }
    let seen = Seen::default();
    let head = head(algorithm, algorithm, raw);
    let now = UnixTime::from_secs(1_800_000_000);
    let judged = AUTH.with_borrow_mut(|a| a.authenticate(&head, &NoPeer, &seen, now).is_err());
    assert!(judged);
    for (_, der) in seen.0.borrow().iter() {
        assert_eq!(raw.len(), 2 * half);
        let (r, s) = raw.split_at(half);
        assert_eq!(numbers(der), Some((plain(r), plain(s))));
    }
    // Whatever has the right length is asked about: the host alone says what is valid.
    assert_eq!(seen.0.borrow().len(), usize::from(raw.len() == 2 * half));
}

/// A number without its leading zeros.
fn plain(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|b| **b == 0).count();
    number[zeros..].to_vec()
}

/// The two positive numbers of a sequence in DER: shortest forms alone, and nothing after it.
fn numbers(der: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (outer, rest) = take(0x30, der)?;
    let (r, after) = take(0x02, outer)?;
    let (s, end) = take(0x02, after)?;
    if !rest.is_empty() || !end.is_empty() {
        return None;
    }
    Some((positive(r)?, positive(s)?))
}

fn positive(number: &[u8]) -> Option<Vec<u8>> {
    match number {
        [] => None,
        [0] => Some(Vec::new()),
        [0, next, ..] if *next < 0x80 => None,
        [first, ..] if *first >= 0x80 => None,
        _ => Some(plain(number)),
    }
}

fn take(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = match length {
        0x81 => rest
            .split_first()
            .filter(|(n, _)| **n >= 0x80)
            .map(|(n, rest)| (usize::from(*n), rest))?,
        short if short < 0x80 => (usize::from(short), rest),
        _ => return None,
    };
    (found == tag && length <= rest.len()).then(|| rest.split_at(length))
}
