"""A token issuer with one key, for tests that are not about tokens."""

import base64
import json
import time

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

URL = "https://idp.test"
AUDIENCE = "metrics"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Mints ES256 tokens and describes itself as an `auth.issuers` entry."""

    def __init__(self, url=URL, audience=AUDIENCE, kid="live"):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.url, self.audience, self.kid = url, audience, kid

    def jwks(self):
        n = self.key.public_key().public_numbers()
        point = {"x": b64(n.x.to_bytes(32, "big")), "y": b64(n.y.to_bytes(32, "big"))}
        return {"keys": [{"kty": "EC", "crv": "P-256", "kid": self.kid, "use": "sig", "alg": "ES256", **point}]}

    def config(self, **more):
        """The issuer's entry; tenants come from the claim `tenants`, admins have `role: admin`."""
        return {
            "issuer": self.url,
            "audiences": [self.audience],
            "keys": {"inline": self.jwks()},
            "tenants": [{"claim": "/tenants"}],
            "admins": {"claim": "/role", "any_of": ["admin"]},
            **more,
        }

    def token(self, *tenants, seconds=3600, **claims):
        """A token for these tenants; further claims replace the usual ones, None leaves one out."""
        now = int(time.time())
        made = {"iss": self.url, "aud": self.audience, "sub": "-".join(tenants) or "nobody", "iat": now, "exp": now + seconds}
        if tenants:
            made["tenants"] = list(tenants)
        made = {k: v for k, v in {**made, **claims}.items() if v is not None}
        text = ".".join(b64(json.dumps(p).encode()) for p in ({"alg": "ES256", "kid": self.kid, "typ": "JWT"}, made))
        r, s = decode_dss_signature(self.key.sign(text.encode(), ec.ECDSA(SHA256())))
        return f"{text}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
