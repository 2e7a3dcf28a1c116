"""Keys of every kind and tokens of every algorithm, signed by `cryptography`: a signer that shares no code with the filter."""

import base64
import hashlib
import hmac
import json
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

URL = "https://idp.test"
AUDIENCE = "metrics"
HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
CURVES = {"ES256": (ec.SECP256R1, "P-256", 32), "ES384": (ec.SECP384R1, "P-384", 48), "ES512": (ec.SECP521R1, "P-521", 66)}
ALL = [f"{kind}{size}" for kind in ("RS", "PS", "ES", "HS") for size in HASHES] + ["EdDSA"]


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class Key:
    """A key pair, or a secret, for one algorithm."""

    def __init__(self, alg, kid=None, bits=2048):
        self.alg, self.kid = alg, kid or alg.lower()
        if alg.startswith("HS"):
            self.private = hashlib.sha512(self.kid.encode()).digest()
        elif alg.startswith("ES"):
            self.private = ec.generate_private_key(CURVES[alg][0]())
        elif alg == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.generate()
        else:
            self.private = rsa.generate_private_key(65537, bits)

    def jwk(self, **more):
        """The public key (the secret itself for HS) as a JSON Web Key; None leaves a member out."""
        made = {**self.numbers(), "kid": self.kid, "alg": self.alg, "use": "sig", **more}
        return {k: v for k, v in made.items() if v is not None}

    def numbers(self):
        if self.alg.startswith("HS"):
            return {"kty": "oct", "k": b64(self.private)}
        public = self.private.public_key()
        if self.alg == "EdDSA":
            raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            return {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}
        n = public.public_numbers()
        if self.alg.startswith("ES"):
            _, name, size = CURVES[self.alg]
            return {"kty": "EC", "crv": name, "x": number(n.x, size), "y": number(n.y, size)}
        return {"kty": "RSA", "n": number(n.n), "e": number(n.e)}

    def pem(self):
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, form).decode()

    def sign(self, text, alg=None):
        alg = alg or self.alg
        if alg.startswith("HS"):
            return hmac.new(self.private, text, getattr(hashlib, "sha" + alg[2:])).digest()
        if alg == "EdDSA":
            return self.private.sign(text)
        kind = HASHES[alg[2:]]()
        if alg.startswith("ES"):
            size = CURVES[self.alg][2]
            r, s = decode_dss_signature(self.private.sign(text, ec.ECDSA(kind)))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        if alg.startswith("PS"):
            return self.private.sign(text, padding.PSS(padding.MGF1(kind), kind.digest_size), kind)
        return self.private.sign(text, padding.PKCS1v15(), kind)


def claims(*tenants, seconds=3600, **more):
    """Claims for these tenants; further ones replace the usual ones, None leaves one out."""
    now = int(time.time())
    made = {"iss": URL, "aud": AUDIENCE, "sub": "-".join(tenants) or "nobody", "iat": now, "exp": now + seconds}
    if tenants:
        made["tenants"] = list(tenants)
    return {k: v for k, v in {**made, **more}.items() if v is not None}


def token(key, payload, header=None, signature=None, alg=None):
    """A token. `payload` and `header` are objects or bytes; header members that are None are left out."""
    if not isinstance(header, bytes):
        header = {"alg": key.alg, "kid": key.kid, "typ": "JWT", **(header or {})}
        header = json.dumps({k: v for k, v in header.items() if v is not None}).encode()
    if not isinstance(payload, bytes):
        payload = json.dumps(payload).encode()
    text = f"{b64(header)}.{b64(payload)}"
    return f"{text}.{b64(key.sign(text.encode(), alg) if signature is None else signature)}"


def issuer(keys, **more):
    """An `auth.issuers` entry with these keys inline, or with `keys` as given if it is an object."""
    if isinstance(keys, list):
        keys = {"inline": {"keys": [k.jwk() if isinstance(k, Key) else k for k in keys]}}
    return {"issuer": URL, "audiences": [AUDIENCE], "keys": keys, "tenants": [{"claim": "/tenants"}], **more}
