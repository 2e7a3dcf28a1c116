//! Signatures: by the host's own crypto where it has it, in the module elsewhere.

use jwt_simple::prelude::{
    Duration, ECDSAP256PublicKeyLike, ECDSAP384PublicKeyLike, ES256PublicKey, ES384PublicKey,
    Ed25519PublicKey, EdDSAPublicKeyLike, HS256Key, HS384Key, HS512Key, MACLike, NoCustomClaims,
    PS256PublicKey, PS384PublicKey, PS512PublicKey, RS256PublicKey, RS384PublicKey, RS512PublicKey,
    RSAPublicKeyLike, UnixTimeStamp, VerificationOptions,
};
use jwt_simple::{Error, JWTError};

use super::der;
use super::jose::Unverified;
use super::keys::Material;
use crate::config::auth::Algorithm;

/// The host's own crypto.
pub trait Verifier {
    /// Verifies a signature of RSA PKCS#1 or ECDSA, the latter in DER. `None` if the host cannot.
    fn verify(
        &self,
        alg: Algorithm,
        key_spki_der: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Option<bool>;
}

/// A host without crypto.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHost;

impl Verifier for NoHost {
    fn verify(&self, _: Algorithm, _: &[u8], _: &[u8], _: &[u8]) -> Option<bool> {
        None
    }
}

/// What became of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    Good,
    Bad,
    /// Neither the host nor the module can tell.
    Unavailable,
}

/// Verifies a token's signature with a key that fits its algorithm.
pub(super) fn signature(token: &Unverified<'_>, key: &Material, host: &dyn Verifier) -> Signature {
    let signed = token.signed.as_bytes();
    if let Some(verdict) = by_host(token.alg, key, signed, &token.signature, host) {
        return if verdict {
            Signature::Good
        } else {
            Signature::Bad
        };
    }
    match in_module(token, key) {
        Some(true) => Signature::Good,
        Some(false) => Signature::Bad,
        None => Signature::Unavailable,
    }
}

/// What the host says of a signature in JOSE's form. `None` if it cannot tell.
pub(super) fn by_host(
    alg: Algorithm,
    key: &Material,
    signed: &[u8],
    signature: &[u8],
    host: &dyn Verifier,
) -> Option<bool> {
    match (alg, key) {
        (Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512, Material::Rsa { n, spki, .. }) => {
            // RFC 8017, 8.2.2: a signature is as long as the modulus, whatever the host thinks.
            if signature.len() != n.len() {
                return Some(false);
            }
            host.verify(alg, spki, signed, signature)
        }
        (
            Algorithm::ES256 | Algorithm::ES384 | Algorithm::ES512,
            Material::Ec { curve, spki, .. },
        ) => match der::ecdsa_signature(*curve, signature) {
            Some(signature) => host.verify(alg, spki, signed, &signature),
            None => Some(false),
        },
        (
            _,
            Material::Rsa { .. } | Material::Ec { .. } | Material::Ed25519(_) | Material::Secret(_),
        ) => None,
    }
}

/// Signatures alone: times and claims are ours to judge, and are judged elsewhere.
fn options(token: &Unverified<'_>) -> VerificationOptions {
    VerificationOptions {
        accept_future: true,
        artificial_time: Some(UnixTimeStamp::from_secs(0)),
        time_tolerance: Some(Duration::from_secs(0)),
        required_signature_type: token.typ.clone(),
        max_token_length: Some(token.whole.len()),
        ..VerificationOptions::default()
    }
}

/// `None` if the module has no such algorithm.
fn in_module(token: &Unverified<'_>, key: &Material) -> Option<bool> {
    judge(token, key).map(|verdict| verdict.is_ok())
}

/// What the library says of a token, its signature first. `None` if it has no such algorithm.
pub(super) fn judge(token: &Unverified<'_>, key: &Material) -> Option<Result<(), Error>> {
    macro_rules! check {
        ($key:expr) => {
            $key.and_then(|k| {
                k.verify_token::<NoCustomClaims>(token.whole, Some(options(token)))
                    .map(drop)
            })
        };
    }
    macro_rules! mac {
        ($kind:ident, $key:expr) => {
            $kind::from_bytes($key)
                .verify_token::<NoCustomClaims>(token.whole, Some(options(token)))
                .map(drop)
        };
    }
    Some(match (key, token.alg) {
        (Material::Rsa { n, e, .. }, Algorithm::RS256) => {
            check!(RS256PublicKey::from_components(n, e))
        }
        (Material::Rsa { n, e, .. }, Algorithm::RS384) => {
            check!(RS384PublicKey::from_components(n, e))
        }
        (Material::Rsa { n, e, .. }, Algorithm::RS512) => {
            check!(RS512PublicKey::from_components(n, e))
        }
        (Material::Rsa { n, e, .. }, Algorithm::PS256) => {
            check!(PS256PublicKey::from_components(n, e))
        }
        (Material::Rsa { n, e, .. }, Algorithm::PS384) => {
            check!(PS384PublicKey::from_components(n, e))
        }
        (Material::Rsa { n, e, .. }, Algorithm::PS512) => {
            check!(PS512PublicKey::from_components(n, e))
        }
        (Material::Ec { point, .. }, Algorithm::ES256) => check!(ES256PublicKey::from_bytes(point)),
        (Material::Ec { point, .. }, Algorithm::ES384) => check!(ES384PublicKey::from_bytes(point)),
        (Material::Ec { .. }, Algorithm::ES512) => return None,
        (Material::Ed25519(x), Algorithm::EdDSA) => check!(Ed25519PublicKey::from_bytes(x)),
        (Material::Secret(k), Algorithm::HS256) => mac!(HS256Key, k),
        (Material::Secret(k), Algorithm::HS384) => mac!(HS384Key, k),
        (Material::Secret(k), Algorithm::HS512) => mac!(HS512Key, k),
        (
            Material::Rsa { .. } | Material::Ec { .. } | Material::Ed25519(_) | Material::Secret(_),
            _,
        ) => Err(JWTError::AlgorithmMismatch.into()),
    })
}
