//! Makes key pairs and signs test tokens, for the command: the filter itself never signs.

use std::fmt;

use jwt_simple::prelude::*;
use serde_json::{Map, Value};

/// An algorithm that keys can be made for, by its name in JOSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Signing {
    /// ECDSA with P-256 and SHA-256.
    #[value(name = "ES256")]
    Es256,
    /// ECDSA with P-384 and SHA-384.
    #[value(name = "ES384")]
    Es384,
    /// Ed25519.
    #[value(name = "EdDSA")]
    EdDsa,
    /// RSA PKCS#1 with SHA-256.
    #[value(name = "RS256")]
    Rs256,
    /// RSA PKCS#1 with SHA-384.
    #[value(name = "RS384")]
    Rs384,
    /// RSA PKCS#1 with SHA-512.
    #[value(name = "RS512")]
    Rs512,
    /// RSA PSS with SHA-256.
    #[value(name = "PS256")]
    Ps256,
    /// RSA PSS with SHA-384.
    #[value(name = "PS384")]
    Ps384,
    /// RSA PSS with SHA-512.
    #[value(name = "PS512")]
    Ps512,
}

impl fmt::Display for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
        })
    }
}

/// A key pair with its identifier.
pub struct SigningKey {
    pair: Pair,
    kid: String,
}

enum Pair {
    Es256(ES256KeyPair),
    Es384(ES384KeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RS256KeyPair),
    Rs384(RS384KeyPair),
    Rs512(RS512KeyPair),
    Ps256(PS256KeyPair),
    Ps384(PS384KeyPair),
    Ps512(PS512KeyPair),
}

/// A key cannot be made, read or used. The text has nothing of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MintError {
    /// The key could not be made.
    Generate,
    /// The text is no private key in PEM, or not one for this algorithm.
    Read,
    /// The key could not be written.
    Write,
    /// Signing failed.
    Sign,
}

impl fmt::Display for MintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Generate => "the key cannot be made",
            Self::Read => "not an unencrypted private key in PEM that fits the algorithm",
            Self::Write => "the key cannot be written",
            Self::Sign => "the token cannot be signed",
        })
    }
}

impl std::error::Error for MintError {}

/// The size of RSA keys that are made, in bits.
const RSA_BITS: usize = 2048;

impl SigningKey {
    /// Makes a key pair from the randomness of the system.
    pub fn generate(alg: Signing, kid: &str) -> Result<Self, MintError> {
        let no = |_| MintError::Generate;
        let pair = match alg {
            Signing::Es256 => Pair::Es256(ES256KeyPair::generate()),
            Signing::Es384 => Pair::Es384(ES384KeyPair::generate()),
            Signing::EdDsa => Pair::EdDsa(Ed25519KeyPair::generate()),
            Signing::Rs256 => Pair::Rs256(RS256KeyPair::generate(RSA_BITS).map_err(no)?),
            Signing::Rs384 => Pair::Rs384(RS384KeyPair::generate(RSA_BITS).map_err(no)?),
            Signing::Rs512 => Pair::Rs512(RS512KeyPair::generate(RSA_BITS).map_err(no)?),
            Signing::Ps256 => Pair::Ps256(PS256KeyPair::generate(RSA_BITS).map_err(no)?),
            Signing::Ps384 => Pair::Ps384(PS384KeyPair::generate(RSA_BITS).map_err(no)?),
            Signing::Ps512 => Pair::Ps512(PS512KeyPair::generate(RSA_BITS).map_err(no)?),
        };
        Ok(Self::named(pair, kid))
    }

    /// Reads a private key in PEM. Without `alg` the key's type decides; RSA then means RS256.
    pub fn from_pem(pem: &str, alg: Option<Signing>, kid: &str) -> Result<Self, MintError> {
        const GUESSES: [Signing; 4] = [
            Signing::Es256,
            Signing::Es384,
            Signing::EdDsa,
            Signing::Rs256,
        ];
        let pair = match alg {
            Some(alg) => Pair::from_pem(pem, alg),
            None => GUESSES.into_iter().find_map(|alg| Pair::from_pem(pem, alg)),
        };
        pair.map(|pair| Self::named(pair, kid))
            .ok_or(MintError::Read)
    }

    fn named(pair: Pair, kid: &str) -> Self {
        let pair = match pair {
            Pair::Es256(k) => Pair::Es256(k.with_key_id(kid)),
            Pair::Es384(k) => Pair::Es384(k.with_key_id(kid)),
            Pair::EdDsa(k) => Pair::EdDsa(k.with_key_id(kid)),
            Pair::Rs256(k) => Pair::Rs256(k.with_key_id(kid)),
            Pair::Rs384(k) => Pair::Rs384(k.with_key_id(kid)),
            Pair::Rs512(k) => Pair::Rs512(k.with_key_id(kid)),
            Pair::Ps256(k) => Pair::Ps256(k.with_key_id(kid)),
            Pair::Ps384(k) => Pair::Ps384(k.with_key_id(kid)),
            Pair::Ps512(k) => Pair::Ps512(k.with_key_id(kid)),
        };
        Self {
            pair,
            kid: kid.to_owned(),
        }
    }

    /// The private key in PEM. Not to be shown.
    pub fn private_pem(&self) -> Result<String, MintError> {
        let pem = match &self.pair {
            Pair::Es256(k) => k.to_pem(),
            Pair::Es384(k) => k.to_pem(),
            Pair::EdDsa(k) => Ok(k.to_pem()),
            Pair::Rs256(k) => k.to_pem(),
            Pair::Rs384(k) => k.to_pem(),
            Pair::Rs512(k) => k.to_pem(),
            Pair::Ps256(k) => k.to_pem(),
            Pair::Ps384(k) => k.to_pem(),
            Pair::Ps512(k) => k.to_pem(),
        };
        pem.map_err(|_| MintError::Write)
    }

    /// The public key as a JSON Web Key, with `kid`, `alg` and `use`.
    pub fn public_jwk(&self) -> Result<Value, MintError> {
        let (text, alg) = match &self.pair {
            Pair::Es256(k) => (k.public_key().to_jwk(), Signing::Es256),
            Pair::Es384(k) => (k.public_key().to_jwk(), Signing::Es384),
            Pair::EdDsa(k) => (k.public_key().to_jwk(), Signing::EdDsa),
            Pair::Rs256(k) => (k.public_key().to_jwk(), Signing::Rs256),
            Pair::Rs384(k) => (k.public_key().to_jwk(), Signing::Rs384),
            Pair::Rs512(k) => (k.public_key().to_jwk(), Signing::Rs512),
            Pair::Ps256(k) => (k.public_key().to_jwk(), Signing::Ps256),
            Pair::Ps384(k) => (k.public_key().to_jwk(), Signing::Ps384),
            Pair::Ps512(k) => (k.public_key().to_jwk(), Signing::Ps512),
        };
        let mut jwk: Map<String, Value> =
            serde_json::from_str(&text).map_err(|_| MintError::Write)?;
        jwk.insert("kid".to_owned(), self.kid.clone().into());
        jwk.insert("alg".to_owned(), alg.to_string().into());
        jwk.insert("use".to_owned(), "sig".into());
        Ok(Value::Object(jwk))
    }

    /// Signs a token with exactly these claims.
    pub fn sign(&self, claims: Map<String, Value>) -> Result<String, MintError> {
        let claims = JWTClaims {
            issued_at: None,
            expires_at: None,
            invalid_before: None,
            issuer: None,
            subject: None,
            audiences: None,
            jwt_id: None,
            nonce: None,
            custom: claims,
        };
        let token = match &self.pair {
            Pair::Es256(k) => k.sign(claims),
            Pair::Es384(k) => k.sign(claims),
            Pair::EdDsa(k) => k.sign(claims),
            Pair::Rs256(k) => k.sign(claims),
            Pair::Rs384(k) => k.sign(claims),
            Pair::Rs512(k) => k.sign(claims),
            Pair::Ps256(k) => k.sign(claims),
            Pair::Ps384(k) => k.sign(claims),
            Pair::Ps512(k) => k.sign(claims),
        };
        token.map_err(|_| MintError::Sign)
    }
}

impl Pair {
    fn from_pem(pem: &str, alg: Signing) -> Option<Self> {
        match alg {
            Signing::Es256 => ES256KeyPair::from_pem(pem).ok().map(Self::Es256),
            Signing::Es384 => ES384KeyPair::from_pem(pem).ok().map(Self::Es384),
            Signing::EdDsa => Ed25519KeyPair::from_pem(pem).ok().map(Self::EdDsa),
            Signing::Rs256 => RS256KeyPair::from_pem(pem).ok().map(Self::Rs256),
            Signing::Rs384 => RS384KeyPair::from_pem(pem).ok().map(Self::Rs384),
            Signing::Rs512 => RS512KeyPair::from_pem(pem).ok().map(Self::Rs512),
            Signing::Ps256 => PS256KeyPair::from_pem(pem).ok().map(Self::Ps256),
            Signing::Ps384 => PS384KeyPair::from_pem(pem).ok().map(Self::Ps384),
            Signing::Ps512 => PS512KeyPair::from_pem(pem).ok().map(Self::Ps512),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Signing; 5] = [
        Signing::Es256,
        Signing::Es384,
        Signing::EdDsa,
        Signing::Rs256,
        Signing::Ps256,
    ];

    #[test]
    fn a_key_survives_its_pem_and_its_public_part_has_no_secret() {
        for alg in ALL {
            let key = SigningKey::generate(alg, "k1").unwrap();
            let pem = key.private_pem().unwrap();
            let again = SigningKey::from_pem(&pem, Some(alg), "k1").unwrap();
            let jwk = again.public_jwk().unwrap();
            assert_eq!(jwk, key.public_jwk().unwrap());
            assert_eq!(jwk["kid"], "k1");
            assert_eq!(jwk["alg"], alg.to_string());
            assert!(jwk.get("d").is_none() && jwk.get("p").is_none());
        }
        assert_eq!(
            SigningKey::from_pem("x", None, "k").err(),
            Some(MintError::Read)
        );
    }

    #[test]
    fn a_token_has_the_given_claims_and_no_others() {
        let key = SigningKey::generate(Signing::Es256, "k1").unwrap();
        let mut claims = Map::new();
        claims.insert("iss".to_owned(), "https://idp.example".into());
        claims.insert("tenants".to_owned(), serde_json::json!(["a", "b"]));
        let token = key.sign(claims.clone()).unwrap();
        let body = token.split('.').nth(1).unwrap();
        use base64ct::{Base64UrlUnpadded, Encoding};
        let body = Base64UrlUnpadded::decode_vec(body).unwrap();
        let body: Map<String, Value> = serde_json::from_slice(&body).unwrap();
        assert_eq!(body, claims);
    }
}
