//! Envoy's foreign function `verify_signature`.

use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::DecodePublicKey as _;
use rsa::pkcs1v15;
use rsa::pkcs8::DecodePublicKey as _;
use sha2::Sha256;

/// Answers as Envoy does: `result` (1) is true, or `error` (2) says why not.
pub(crate) fn verify(arguments: &[u8]) -> Vec<u8> {
    let [hash, key, signature, text] = [1, 2, 3, 4].map(|tag| field(arguments, tag));
    let good = hash.eq_ignore_ascii_case(b"sha256")
        && (ecdsa(&key, &signature, &text) || rsa(&key, &signature, &text));
    if good {
        vec![0x08, 0x01]
    } else {
        b"\x12\x03bad".to_vec()
    }
}

fn ecdsa(key: &[u8], signature: &[u8], text: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (
        VerifyingKey::from_public_key_der(key),
        Signature::from_der(signature),
    ) else {
        return false;
    };
    key.verify(text, &signature).is_ok()
}

fn rsa(key: &[u8], signature: &[u8], text: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (
        rsa::RsaPublicKey::from_public_key_der(key),
        pkcs1v15::Signature::try_from(signature),
    ) else {
        return false;
    };
    rsa::signature::Verifier::verify(
        &pkcs1v15::VerifyingKey::<Sha256>::new(key),
        text,
        &signature,
    )
    .is_ok()
}

/// The last length-delimited field with a tag.
fn field(mut bytes: &[u8], wanted: u8) -> Vec<u8> {
    let mut found = Vec::new();
    while let [tag, rest @ ..] = bytes {
        let (mut n, mut shift, mut at) = (0usize, 0, 0);
        while let Some(b) = rest.get(at) {
            n |= usize::from(b & 0x7f) << shift;
            shift += 7;
            at += 1;
            if b & 0x80 == 0 {
                break;
            }
        }
        let part = &rest[at..at + n];
        if tag >> 3 == wanted {
            found = part.to_vec();
        }
        bytes = &rest[at + n..];
    }
    found
}
