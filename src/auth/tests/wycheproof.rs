//! Wycheproof's vectors, judged by the module's own means, and written down as the host is asked.
//!
//! `scripts/tools wycheproof` prints their folder, which `PROMFENCE_WYCHEPROOF` names; without it
//! there is nothing to judge. `scripts/live wycheproof` gives what is written here to a real Envoy.

use std::cell::RefCell;
use std::io::Write as _;

use base64ct::{Base64UrlUnpadded, Encoding};
use jwt_simple::Error;
use jwt_simple::prelude::{
    ECDSAP256PublicKeyLike, ES256PublicKey, Ed25519KeyPair, Ed25519PublicKey, EdDSAKeyPairLike,
    EdDSAPublicKeyLike,
};
use p256::ecdsa::signature::Verifier as _;
use rsa::pkcs1v15;

use super::*;
use crate::auth::jose;
use crate::auth::keys::{Material, Origin};

const TOKENS: [&str; 2] = ["json_web_signature_test", "json_web_key_test"];
const SIGNATURES: [(&str, Algorithm); 13] = [
    ("ecdsa_secp256r1_sha256_p1363_test", Algorithm::ES256),
    ("ecdsa_secp384r1_sha384_p1363_test", Algorithm::ES384),
    ("ecdsa_secp521r1_sha512_p1363_test", Algorithm::ES512),
    ("rsa_signature_2048_sha256_test", Algorithm::RS256),
    ("rsa_signature_2048_sha384_test", Algorithm::RS384),
    ("rsa_signature_2048_sha512_test", Algorithm::RS512),
    ("rsa_signature_3072_sha256_test", Algorithm::RS256),
    ("rsa_signature_3072_sha384_test", Algorithm::RS384),
    ("rsa_signature_3072_sha512_test", Algorithm::RS512),
    ("rsa_signature_4096_sha256_test", Algorithm::RS256),
    ("rsa_signature_4096_sha384_test", Algorithm::RS384),
    ("rsa_signature_4096_sha512_test", Algorithm::RS512),
    ("ed25519_test", Algorithm::EdDSA),
];

fn file(name: &str) -> Option<Value> {
    let folder = std::env::var_os("PROMFENCE_WYCHEPROOF")?;
    let path = std::path::Path::new(&folder).join(format!("{name}.json"));
    let text = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Some(serde_json::from_slice(&text).unwrap())
}

/// The tests of a file, each with its group.
fn tests(file: &Value) -> impl Iterator<Item = (&Value, &Value)> {
    let groups = file["testGroups"].as_array().unwrap().iter();
    groups.flat_map(|g| g["tests"].as_array().unwrap().iter().map(move |t| (g, t)))
}

fn keys(jwk: &Value) -> KeySet {
    let set = if jwk["keys"].is_array() {
        jwk.clone()
    } else {
        json!({ "keys": [jwk] })
    };
    let set = KeySet::from_jwks(set.to_string().as_bytes(), Origin::Configuration);
    set.map(|(keys, _)| keys).unwrap_or_default()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap().as_bytes().chunks(2);
    hex.map(|b| u8::from_str_radix(std::str::from_utf8(b).unwrap(), 16).unwrap())
        .collect()
}

/// A host that is asked, and says no.
#[derive(Default)]
struct Asked(RefCell<Vec<Value>>);

impl Verifier for Asked {
    fn verify(&self, alg: Algorithm, key: &[u8], text: &[u8], signature: &[u8]) -> Option<bool> {
        let hex = |b: &[u8]| b.iter().map(|b| format!("{b:02x}")).collect::<String>();
        self.0
            .borrow_mut()
            .push(json!({"alg": format!("{alg:?}"), "key": hex(key),
            "text": hex(text), "signature": hex(signature)}));
        Some(false)
    }
}

/// Writes down what the host was asked, with what it should say.
struct Questions(Option<std::fs::File>);

impl Questions {
    fn open(name: &str) -> Self {
        let folder = std::env::var_os("PROMFENCE_WYCHEPROOF_OUT");
        Self(folder.map(|f| std::fs::File::create(std::path::Path::new(&f).join(name)).unwrap()))
    }

    fn add(&mut self, id: &str, asked: Asked, good: bool) {
        if let Some(file) = &mut self.0 {
            for mut question in asked.0.into_inner() {
                question["id"] = id.into();
                question["good"] = good.into();
                writeln!(file, "{question}").unwrap();
            }
        }
    }
}

/// Whether the library takes the signature: it goes on to the claims, which are no JSON here.
fn taken(verdict: Result<(), Error>) -> bool {
    verdict.map_or_else(|e| e.is::<serde_json::Error>(), |()| true)
}

/// Whether one of the keys takes a token's signature. `None`: only a host could tell.
fn in_module(jws: &str, keys: &KeySet) -> Option<bool> {
    let Ok((token, _)) = jose::parts(jws) else {
        return Some(false);
    };
    let mut spoilt = token.signature.clone();
    spoilt[0] ^= 1;
    let spoilt = format!(
        "{}.{}",
        token.signed,
        Base64UrlUnpadded::encode_string(&spoilt)
    );
    let (spoilt, _) = jose::parts(&spoilt).unwrap();
    let mut good = false;
    for key in keys.candidates(token.alg, token.kid.as_deref()) {
        good |= taken(verify::judge(&token, &key.material)?);
        // Nothing but the signature makes the difference.
        assert!(!taken(verify::judge(&spoilt, &key.material)?));
    }
    Some(good)
}

/// What is judged otherwise than Wycheproof has it, and why. An entry that is not needed fails.
const OTHERWISE: [(&str, &[u64], &str); 10] = [
    // Refused, though valid.
    (
        TOKENS[0],
        &[259, 264, 268, 272, 320, 325],
        "a token without claims is nobody's",
    ),
    (
        TOKENS[0],
        &[346, 350],
        "the key is for PS256, the token by PS384",
    ),
    (
        TOKENS[0],
        &[347, 351],
        "the key is for `ES521`, which is no algorithm",
    ),
    (
        TOKENS[0],
        &[372, 373],
        "a `?` in the encoding: a token has one spelling",
    ),
    ("rsa_signature_2048_sha256_test", &[258, 259], EXPONENT),
    ("rsa_signature_2048_sha512_test", &[259], EXPONENT),
    ("rsa_signature_3072_sha256_test", &[259], EXPONENT),
    ("rsa_signature_3072_sha512_test", &[260], EXPONENT),
    // Let in, though invalid.
    (
        TOKENS[0],
        &[367, 370],
        "byte for byte test 357, which is valid",
    ),
    (
        TOKENS[1],
        &[1, 4, 7],
        "of a set with secrets beside public keys, with one `kid` twice, with a weak key that its \
         size does not tell: the issuer's own to choose, and no way in for others",
    ),
];
const EXPONENT: &str = "the exponent is 3: only 65537 is taken";

fn otherwise(file: &str, test: &Value) -> bool {
    let id = test["tcId"].as_u64().unwrap();
    OTHERWISE
        .iter()
        .any(|(f, ids, _)| *f == file && ids.contains(&id))
}

#[test]
fn tokens_of_wycheproof_are_judged_as_they_should_be() {
    let mut questions = Questions::open("tokens.jsonl");
    let (mut judged, mut wrong) = (0, Vec::new());
    for name in TOKENS {
        let Some(file) = file(name) else {
            return eprintln!("SKIPPED: PROMFENCE_WYCHEPROOF is not set");
        };
        for (group, test) in tests(&file) {
            let keys = keys(group.get("public").unwrap_or(&group["private"]));
            let id = test["tcId"].as_u64().unwrap();
            let jws = test["jws"]
                .as_str()
                .map_or_else(|| test["jws"].to_string(), str::to_owned);
            let asked = Asked::default();
            if let Ok((token, _)) = jose::parts(&jws) {
                for key in keys.candidates(token.alg, token.kid.as_deref()) {
                    verify::by_host(
                        token.alg,
                        &key.material,
                        token.signed.as_bytes(),
                        &token.signature,
                        &asked,
                    );
                }
            }
            let want = (test["result"] == "valid") ^ otherwise(name, test);
            let good = in_module(&jws, &keys);
            questions.add(&format!("{name} {id}"), asked, want);
            if good.is_some_and(|g| g != want) {
                wrong.push(format!(
                    "{name} {id}: {} {}: {good:?}",
                    group["comment"], test["comment"]
                ));
            }
            judged += usize::from(good.is_some());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(judged > 400, "{judged}");
}

#[test]
fn signatures_of_wycheproof_are_judged_as_they_should_be() {
    let mut questions = Questions::open("signatures.jsonl");
    let (mut judged, mut wrong) = (0, Vec::new());
    for (name, alg) in SIGNATURES {
        let Some(file) = file(name) else {
            return eprintln!("SKIPPED: PROMFENCE_WYCHEPROOF is not set");
        };
        for (group, test) in tests(&file) {
            let jwk = group.get("publicKeyJwk").or(group.get("keyJwk"));
            let pem = KeySet::from_pem(group["publicKeyPem"].as_str().unwrap());
            let keys = jwk
                .map(keys)
                .filter(|k| !k.is_empty())
                .or(pem.ok())
                .unwrap_or_default();
            let (text, signature) = (bytes(&test["msg"]), bytes(&test["sig"]));
            // A signature that is acceptable leaves out what the standard has: it is not for us.
            let want = (test["result"] == "valid") ^ otherwise(name, test);
            let id = format!("{name} {}", test["tcId"]);
            let mut good = false;
            for key in keys.candidates(alg, None) {
                let asked = Asked::default();
                verify::by_host(alg, &key.material, &text, &signature, &asked);
                questions.add(&id, asked, want);
                if let Some(verdict) = primitive(alg, &key.material, &text, &signature) {
                    judged += 1;
                    good |= verdict;
                } else {
                    good = want;
                }
            }
            if good != want {
                wrong.push(format!("{id}: {} {}", test["comment"], test["flags"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{} {wrong:#?}", wrong.len());
    assert!(judged > 2500, "{judged}");
}

/// What the module's libraries say below the form of a token.
fn primitive(alg: Algorithm, key: &Material, text: &[u8], signature: &[u8]) -> Option<bool> {
    Some(match (alg, key) {
        (Algorithm::ES256, Material::Ec { point, .. }) => {
            let key = ES256PublicKey::from_bytes(point).unwrap();
            p256::ecdsa::Signature::try_from(signature)
                .is_ok_and(|s| key.public_key().as_ref().verify(text, &s).is_ok())
        }
        (Algorithm::EdDSA, Material::Ed25519(x)) => {
            let key = Ed25519PublicKey::from_bytes(x).unwrap();
            let mut made = Ed25519KeyPair::generate()
                .key_pair()
                .as_ref()
                .sk
                .sign(text, None);
            let Ok(signature) = signature.try_into() else {
                return Some(false);
            };
            *made = signature;
            key.public_key().as_ref().verify(text, &made).is_ok()
        }
        (Algorithm::RS256, Material::Rsa { .. }) => pkcs1::<sha2::Sha256>(key, text, signature),
        (Algorithm::RS384, Material::Rsa { .. }) => pkcs1::<sha2::Sha384>(key, text, signature),
        (Algorithm::RS512, Material::Rsa { .. }) => pkcs1::<sha2::Sha512>(key, text, signature),
        _ => return None,
    })
}

fn pkcs1<D>(key: &Material, text: &[u8], signature: &[u8]) -> bool
where
    D: sha2::Digest + sha2::digest::const_oid::AssociatedOid,
{
    let Material::Rsa { n, e, .. } = key else {
        return false;
    };
    let number = |b: &[u8]| rsa::BigUint::from_bytes_be(b);
    let key = rsa::RsaPublicKey::new(number(n), number(e)).unwrap();
    pkcs1v15::Signature::try_from(signature).is_ok_and(|s| {
        rsa::signature::Verifier::verify(&pkcs1v15::VerifyingKey::<D>::new(key), text, &s).is_ok()
    })
}
