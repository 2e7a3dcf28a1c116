//! The numbers of keys, each looked at before it is used.

use jwt_simple::prelude::{ES256PublicKey, ES384PublicKey, Ed25519PublicKey, RS256PublicKey};

use super::BadKey;
use crate::auth::der::{self, Curve};
use crate::config::auth::Algorithm;

/// The numbers of a key.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::auth) enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
        spki: Vec<u8>,
    },
    Ec {
        curve: Curve,
        point: Vec<u8>,
        spki: Vec<u8>,
    },
    Ed25519(Vec<u8>),
    Secret(Vec<u8>),
}

impl Material {
    pub(super) fn fits(&self, alg: Algorithm) -> bool {
        match (self, alg) {
            (
                Self::Rsa { .. },
                Algorithm::RS256
                | Algorithm::RS384
                | Algorithm::RS512
                | Algorithm::PS256
                | Algorithm::PS384
                | Algorithm::PS512,
            )
            | (
                Self::Ec {
                    curve: Curve::P256, ..
                },
                Algorithm::ES256,
            )
            | (
                Self::Ec {
                    curve: Curve::P384, ..
                },
                Algorithm::ES384,
            )
            | (
                Self::Ec {
                    curve: Curve::P521, ..
                },
                Algorithm::ES512,
            )
            | (Self::Ed25519(_), Algorithm::EdDSA) => true,
            // A secret is never shorter than the hash (RFC 7518, 3.2).
            (Self::Secret(k), Algorithm::HS256) => k.len() >= 32,
            (Self::Secret(k), Algorithm::HS384) => k.len() >= 48,
            (Self::Secret(k), Algorithm::HS512) => k.len() >= 64,
            (Self::Rsa { .. } | Self::Ec { .. } | Self::Ed25519(_) | Self::Secret(_), _) => false,
        }
    }
}

pub(super) fn rsa(n: &[u8], e: &[u8]) -> Result<Material, BadKey> {
    let (n, e) = (der::unsigned(n), der::unsigned(e));
    let bits = n.first().map_or(0, |top| {
        n.len().saturating_mul(8) - usize::try_from(top.leading_zeros()).unwrap_or(0)
    });
    if !(2048..=4096).contains(&bits) {
        return Err(BadKey::RsaSize);
    }
    if e != [1, 0, 1] {
        return Err(BadKey::RsaExponent);
    }
    RS256PublicKey::from_components(n, e).map_err(|_| BadKey::Form)?;
    Ok(Material::Rsa {
        n: n.to_vec(),
        e: e.to_vec(),
        spki: der::rsa_spki(n, e),
    })
}

pub(super) fn ec(curve: Curve, point: Vec<u8>) -> Result<Material, BadKey> {
    let on_curve = match curve {
        Curve::P256 => ES256PublicKey::from_bytes(&point).is_ok(),
        Curve::P384 => ES384PublicKey::from_bytes(&point).is_ok(),
        // Only the host verifies with this curve, and looks at the point itself.
        Curve::P521 => true,
    };
    if !on_curve {
        return Err(BadKey::Point);
    }
    let spki = der::ec_spki(curve, &point);
    Ok(Material::Ec { curve, point, spki })
}

pub(super) fn ed25519(x: Vec<u8>) -> Result<Material, BadKey> {
    Ed25519PublicKey::from_bytes(&x).map_err(|_| BadKey::Point)?;
    Ok(Material::Ed25519(x))
}

pub(super) fn secret(k: Vec<u8>, alg: Option<Algorithm>) -> Result<Material, BadKey> {
    let least = match alg {
        Some(Algorithm::HS384) => 48,
        Some(Algorithm::HS512) => 64,
        _ => 32,
    };
    if k.len() < least {
        return Err(BadKey::SecretSize);
    }
    Ok(Material::Secret(k))
}
