//! Any claims, rightly signed: a grant names only tenants that stand in the claims.
use base64ct::{Base64UrlUnpadded, Encoding};
use promfence::auth::{Authenticator, NoHost, NoPeer, Verdict};
use promfence::config::{auth::Auth, error::Problems};
use promfence::grant::Tenants;
use promfence::http::{Headers, RequestHead, UnixTime};

const DOC: &str = r#"{"issuers": [{"issuer": "i", "audiences": ["a"], "algorithms": ["HS256"],
  "keys": {"inline": {"keys": [{"kty": "oct", "k": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}]}},
  "tenants": [{"claim": "/t"}, {"claim": "/g", "capture": "g-([a-z.]+)"}, {"claim": "/w", "split": " "}],
  "labels_from": "/l"}]}"#;

/// One run.
pub fn fuzz(claims: &[u8]) {
    let doc: Auth = serde_json::from_str(DOC).unwrap();
    let mut auth = Authenticator::compile(&doc, &|_| None, &mut Problems::default());
    let body = [
        br#"{"iss":"i","aud":"a","exp":1800000009,"#.as_slice(),
        claims,
        b"}",
    ]
    .concat();
    let signed = format!(
        "{}.{}",
        Base64UrlUnpadded::encode_string(br#"{"alg":"HS256"}"#),
        Base64UrlUnpadded::encode_string(&body)
    );
    let key: Vec<u8> = (0..32).collect();
    let mac = hmac_sha256::HMAC::mac(signed.as_bytes(), key);
    let value = format!("Bearer {signed}.{}", Base64UrlUnpadded::encode_string(&mac));
    let headers = Headers::new(vec![("authorization".into(), value.into_bytes())]);
    let head = RequestHead { headers };
    let now = UnixTime::from_secs(1_800_000_000);
    if let Ok(verdict) = auth.authenticate(&head, &NoPeer, &NoHost, now) {
        let Verdict::Grant(grant) = verdict else {
            panic!("waits")
        };
        let Tenants::Some(tenants) = &grant.read else {
            panic!("all or none")
        };
        assert!(!tenants.is_empty() && !grant.labels.is_empty());
        assert!(grant.labels.iter().all(|(_, values)| !values.is_empty()));
    }
}
