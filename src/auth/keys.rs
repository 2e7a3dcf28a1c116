//! Sets of keys: which keys of a set can be used, and which of them may have signed a token.

mod material;

use std::fmt;

use base64ct::{Base64, Base64Url, Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value};

pub(super) use self::material::Material;
use self::material::{ec, ed25519, rsa, secret};
use super::der::{self, Curve, Spki};
use super::{jose, json};
use crate::config::auth::Algorithm;

/// The most keys of a set.
pub(super) const MAX_KEYS: usize = 100;
/// The most keys that one token is tried against.
pub(super) const MAX_TRIES: usize = 8;

/// A key that can verify.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) kid: Option<String>,
    /// The only algorithm of the key, if the set says so.
    alg: Option<Algorithm>,
    pub(super) material: Material,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// The usable keys of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeySet(Vec<Key>);

/// Why a key, or a set, cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadKey {
    Form,
    Kind,
    Use,
    RsaSize,
    RsaExponent,
    Point,
    SecretSize,
    SecretRemote,
    TooMany,
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "not a JSON Web Key Set, or a member is missing or malformed",
            Self::Kind => "a kind of key, a curve or an algorithm that is not known",
            Self::Use => "the key is not for signatures (`use`, `key_ops`, `alg`)",
            Self::RsaSize => "an RSA key needs 2048 to 4096 bits",
            Self::RsaExponent => "the exponent of an RSA key must be 65537",
            Self::Point => "the key is not on its curve, or is of low order",
            Self::SecretSize => "an HMAC secret needs as many bytes as its hash, 32 at least",
            Self::SecretRemote => "a shared secret cannot come from a key server",
            Self::TooMany => "more than 100 keys",
        })
    }
}

/// Where a set comes from. Only the configuration may bring shared secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Configuration,
    Server,
}

impl KeySet {
    /// Reads a JSON Web Key Set. A key that cannot be used is left out; why is told beside.
    pub(super) fn from_jwks(
        text: &[u8],
        origin: Origin,
    ) -> Result<(Self, Vec<(usize, BadKey)>), BadKey> {
        let mut set = json::object(text).ok_or(BadKey::Form)?;
        let Some(Value::Array(list)) = set.remove("keys") else {
            return Err(BadKey::Form);
        };
        if list.len() > MAX_KEYS {
            return Err(BadKey::TooMany);
        }
        let (mut keys, mut bad) = (Vec::new(), Vec::new());
        for (i, jwk) in list.iter().enumerate() {
            match jwk
                .as_object()
                .ok_or(BadKey::Form)
                .and_then(|m| key(m, origin))
            {
                Ok(key) => keys.push(key),
                Err(why) => bad.push((i, why)),
            }
        }
        Ok((Self(keys), bad))
    }

    /// Reads public keys in PEM, one block after the other. Each must be usable.
    pub(super) fn from_pem(text: &str) -> Result<Self, BadKey> {
        let blocks = der::pem_blocks(text).ok_or(BadKey::Form)?;
        if blocks.is_empty() || blocks.len() > MAX_KEYS {
            return Err(BadKey::Form);
        }
        let mut keys = Vec::new();
        for block in blocks {
            let material = match der::parse_spki(&block).ok_or(BadKey::Kind)? {
                Spki::Rsa { n, e } => rsa(&n, &e)?,
                Spki::Ec(curve, point) => ec(curve, point)?,
                Spki::Ed25519(x) => ed25519(x)?,
            };
            keys.push(Key {
                kid: None,
                alg: None,
                material,
            });
        }
        Ok(Self(keys))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The keys that may have signed a token of this algorithm and `kid`, at most
    /// [`MAX_TRIES`]: those of the same `kid` and those without one; all for a token without.
    pub(super) fn candidates<'a>(
        &'a self,
        alg: Algorithm,
        kid: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Key> {
        self.0
            .iter()
            .filter(move |k| match (&k.kid, kid) {
                (Some(has), Some(wanted)) => has == wanted,
                (None, _) | (_, None) => true,
            })
            .filter(move |k| k.fits(alg))
            .take(MAX_TRIES)
    }

    /// Whether any key can serve one of these algorithms.
    pub(super) fn serves(&self, algorithms: &[Algorithm]) -> bool {
        self.0.iter().any(|k| algorithms.iter().any(|a| k.fits(*a)))
    }
}

impl Key {
    fn fits(&self, alg: Algorithm) -> bool {
        self.alg.is_none_or(|only| only == alg) && self.material.fits(alg)
    }
}

fn key(jwk: &Map<String, Value>, origin: Origin) -> Result<Key, BadKey> {
    let kid = text(jwk, "kid")?.map(str::to_owned);
    let alg = match text(jwk, "alg")? {
        Some(name) => Some(jose::algorithm(name).ok_or(BadKey::Kind)?),
        None => None,
    };
    for_signatures(jwk)?;
    let material = match text(jwk, "kty")?.ok_or(BadKey::Form)? {
        "RSA" => rsa(&bytes(jwk, "n")?, &bytes(jwk, "e")?)?,
        "EC" => {
            let curve = match text(jwk, "crv")?.ok_or(BadKey::Form)? {
                "P-256" => Curve::P256,
                "P-384" => Curve::P384,
                "P-521" => Curve::P521,
                _ => return Err(BadKey::Kind),
            };
            let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
            if x.len() != curve.size() || y.len() != curve.size() {
                return Err(BadKey::Point);
            }
            ec(curve, [&[4][..], &x, &y].concat())?
        }
        "OKP" if text(jwk, "crv")? == Some("Ed25519") => ed25519(bytes(jwk, "x")?)?,
        "oct" if origin == Origin::Server => return Err(BadKey::SecretRemote),
        "oct" => secret(bytes(jwk, "k")?, alg)?,
        _ => return Err(BadKey::Kind),
    };
    if alg.is_some_and(|a| !material.fits(a)) {
        return Err(BadKey::Use);
    }
    Ok(Key { kid, alg, material })
}

fn for_signatures(jwk: &Map<String, Value>) -> Result<(), BadKey> {
    if text(jwk, "use")?.is_some_and(|u| u != "sig") {
        return Err(BadKey::Use);
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(ops)) if ops.iter().any(|op| op == "verify") => Ok(()),
        Some(_) => Err(BadKey::Use),
    }
}

fn text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, BadKey> {
    match jwk.get(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(BadKey::Form),
    }
}

/// A number in base64url. Some servers pad it, and some use the other alphabet.
fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, BadKey> {
    let text = text(jwk, name)?
        .filter(|t| !t.is_empty())
        .ok_or(BadKey::Form)?;
    if text.len() > 4096 {
        return Err(BadKey::Form);
    }
    let bare = text.trim_end_matches('=');
    Base64UrlUnpadded::decode_vec(bare)
        .or_else(|_| Base64Url::decode_vec(text))
        .or_else(|_| Base64::decode_vec(text))
        .map_err(|_| BadKey::Form)
}
