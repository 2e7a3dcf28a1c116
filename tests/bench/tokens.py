"""Tokens of one issuer by three algorithms, minted in bulk."""

import json
import time

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from issuer import AUDIENCE, URL, b64

ALGORITHMS = ("RS256", "ES256", "EdDSA")


class Mint:
    """An issuer with a key of each algorithm."""

    def __init__(self):
        self.keys = {
            "RS256": rsa.generate_private_key(65537, 2048),
            "ES256": ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        }
        self.serial = 0

    def jwks(self, *algorithms):
        return {"keys": [self.jwk(a) for a in algorithms or ALGORITHMS]}

    def jwk(self, alg):
        public = self.keys[alg].public_key()
        if alg == "RS256":
            n = public.public_numbers()
            fields = {"kty": "RSA", "n": b64(n.n.to_bytes(256, "big")), "e": b64(n.e.to_bytes(3, "big"))}
        elif alg == "ES256":
            n = public.public_numbers()
            fields = {"kty": "EC", "crv": "P-256", "x": b64(n.x.to_bytes(32, "big")), "y": b64(n.y.to_bytes(32, "big"))}
        else:
            fields = {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw())}
        return {"kid": alg, "use": "sig", "alg": alg, **fields}

    def token(self, alg="ES256", tenant="team-a"):
        """A token that no other is equal to."""
        self.serial += 1
        now = int(time.time())
        claims = {"iss": URL, "aud": AUDIENCE, "sub": f"user-{self.serial}", "tenant": tenant, "iat": now, "exp": now + 86400}
        claims |= {"email": f"user-{self.serial}@corp.example", "name": "A User", "groups": ["metrics", "developers"]}
        text = ".".join(b64(json.dumps(p).encode()) for p in ({"alg": alg, "kid": alg, "typ": "JWT"}, claims))
        return f"{text}.{b64(self.sign(alg, text.encode()))}"

    def sign(self, alg, text):
        key = self.keys[alg]
        if alg == "RS256":
            return key.sign(text, padding.PKCS1v15(), SHA256())
        if alg == "ES256":
            r, s = decode_dss_signature(key.sign(text, ec.ECDSA(SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return key.sign(text)

    def issuer(self):
        """The entry in the filter's configuration."""
        return {"issuer": URL, "audiences": [AUDIENCE], "keys": {"inline": self.jwks()}, "tenants": [{"claim": "/tenant"}]}

    def jwt_authn(self, cache=0):
        """Envoy's own filter for the same tokens; `cache`: how many it remembers."""
        provider = {
            "issuer": URL,
            "audiences": [AUDIENCE],
            "local_jwks": {"inline_string": json.dumps(self.jwks())},
            "claim_to_headers": [{"header_name": "x-tenant", "claim_name": "tenant"}],
        }
        if cache:
            provider["jwt_cache_config"] = {"jwt_cache_size": cache}
        return {
            "name": "jwt",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
                "providers": {"idp": provider},
                "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "idp"}}],
            },
        }
