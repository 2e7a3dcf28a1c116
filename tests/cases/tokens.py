"""Keys, JWKs and tokens, the broken ones too."""

import base64
import datetime
import hashlib
import hmac
import json
import re
import secrets
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

import values

P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_L = 2**252 + 27742317777372353535851937790883648493
SHA256_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64int(n, length=None):
    return b64(n.to_bytes(length or (n.bit_length() + 7) // 8, "big"))


class Keys:
    """The keys of a run, by name."""

    def __init__(self):
        self.private = {}
        for name, bits in (("rsa", 2048), ("rsa-2", 2048), ("attacker", 2048), ("rsa-1024", 1024)):
            self.private[name] = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        self.private["ec"] = ec.generate_private_key(ec.SECP256R1())
        self.private["ed"] = ed25519.Ed25519PrivateKey.generate()
        self.big = secrets.randbits(16384) | 1 | 1 << 16383
        self.oct = secrets.token_bytes(32)

    def alg(self, name):
        if name == "oct":
            return "HS256"
        return {"ec": "ES256", "ed": "EdDSA"}.get(name.split("-")[0], "RS256")

    def jwk(self, name):
        """The public JWK (for `oct`, the key)."""
        out = {"kid": name, "use": "sig", "alg": self.alg(name)}
        if name == "oct":
            return {"kty": "oct", "k": b64(self.oct), **out}
        if name == "ed-identity":
            return {"kty": "OKP", "crv": "Ed25519", "x": b64(b"\x01" + bytes(31)), **out}
        if name == "ed":
            point = self.private[name].public_key().public_bytes_raw()
            return {"kty": "OKP", "crv": "Ed25519", "x": b64(point), **out}
        if name == "ec":
            n = self.private[name].public_key().public_numbers()
            return {"kty": "EC", "crv": "P-256", "x": b64int(n.x, 32), "y": b64int(n.y, 32), **out}
        if name == "rsa-16384":
            return {"kty": "RSA", "n": b64int(self.big), "e": "AQAB", **out}
        n = self.private[name].public_key().public_numbers()
        return {"kty": "RSA", "n": b64int(n.n), "e": b64int(n.e), **out}

    def jwks(self, entries):
        """A key set from a case: names, overrides, repetitions, other objects as they are."""
        out = []
        for entry in entries:
            if isinstance(entry, str):
                out.append(self.jwk(entry))
            elif "repeat" in entry:
                key, n = entry["repeat"]
                out += self.jwks([key])["keys"] * n
            elif "key" in entry:
                jwk = self.jwk(entry["key"])
                for member, value in entry.items():
                    if member == "key":
                        continue
                    if value is None:
                        jwk.pop(member, None)
                        continue
                    if isinstance(value, str) or values.is_long(value):
                        value = values.text(value)
                        for own in ("n", "e", "x", "y", "k", "kid"):
                            value = value.replace("{%s}" % own, str(jwk.get(own, "")))
                    jwk[member] = value
                out.append(jwk)
            else:
                out.append(entry)
        return {"keys": out}

    def certificate(self, name):
        """A self-signed certificate, base64 of its DER."""
        key = self.private[name]
        who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        day = datetime.timedelta(days=1)
        now = datetime.datetime.now(datetime.timezone.utc)
        made = (
            x509.CertificateBuilder()
            .subject_name(who)
            .issuer_name(who)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + day)
            .sign(key, None if name == "ed" else hashes.SHA256())
        )
        return base64.b64encode(made.public_bytes(serialization.Encoding.DER)).decode()

    def hmac_key(self, what):
        if what == "rsa PEM":
            return self.private["rsa"].public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        if what == "ec x||y":
            n = self.private["ec"].public_key().public_numbers()
            return n.x.to_bytes(32, "big") + n.y.to_bytes(32, "big")
        raise ValueError(f"not an HMAC key: {what}")

    def sign(self, name, alg, data):
        """A signature by a key, by the algorithm where the key has a choice."""
        if name == "oct":
            return hmac.new(self.oct, data, hashlib.sha256).digest()
        if name == "rsa-16384":
            return secrets.token_bytes(2048)
        if name == "ed-identity":
            return bytes(64)
        key = self.private[name]
        if name == "ed":
            return key.sign(data)
        if name == "ec":
            r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        kind = alg[:2] if isinstance(alg, str) and re.fullmatch("[RP]S(256|384|512)", alg) else None
        digest = HASHES[alg[2:]] if kind else hashes.SHA256()
        if kind == "PS":
            return key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        return key.sign(data, padding.PKCS1v15(), digest)


class Mint:
    """The tokens of one case: each is made once."""

    def __init__(self, keys, upstream):
        self.keys, self.upstream, self.now = keys, upstream, int(time.time())
        self.made = {}

    def headers(self, token, number=0):
        """The header pairs that carry a token, and what it adds to the URL."""
        if token is None or token == "none":
            return [], ""
        if isinstance(token, dict) and "raw" in token:
            return [("authorization", self._place(token["raw"]))], ""
        if isinstance(token, dict) and "headers" in token:
            items = token["headers"]
            items = items.items() if isinstance(items, dict) else items
            return [(name, self._place(value)) for name, value in items], ""
        if isinstance(token, dict) and "query" in token:
            return [], self._place(token["query"]).decode()
        return [("authorization", b"Bearer " + self.token(token, number))], ""

    def _place(self, value):
        made = values.raw(value)
        for name in (b"TA", b"TB"):
            if b"{%s}" % name in made:
                made = made.replace(b"{%s}" % name, self.token(name.decode()))
        return made

    def token(self, spec, number=0):
        """The token of a spec. Only one that names `{i}` differs from request to request."""
        id = json.dumps(spec)
        if "{i}" in id:
            id += str(number)
        if id not in self.made:
            named = {"TA": {}, "TB": {"claims": {"tenant": "tenant-b"}}}
            named["TAB"] = {"claims": {"tenants": ["tenant-a", "tenant-b"]}}
            self.made[id] = self._mint(named[spec] if isinstance(spec, str) else spec, number)
        return self.made[id]

    def _mint(self, spec, number):
        signer = spec.get("signed_by", "rsa")
        header = {"alg": self.keys.alg(signer), "kid": signer, "typ": "JWT"}
        for name, value in spec.get("header", {}).items():
            if value is None:
                header.pop(name, None)
            else:
                header[name] = self._member(value, number)
        header_bytes = values.raw(spec["header_raw"]) if "header_raw" in spec else dump(header)
        signed = b64(header_bytes) + "." + b64(self._claims(spec))
        mutate = spec.get("mutate")
        if "sig_hex" in spec:
            signature = bytes.fromhex(values.text(spec["sig_hex"]))
        elif "hmac_key" in spec:
            key = self.keys.hmac_key(spec["hmac_key"])
            signature = hmac.new(key, signed.encode(), hashlib.sha256).digest()
        elif mutate == "signature of TA":
            return f"{signed}.{self.token('TA').decode().split('.')[2]}".encode()
        else:
            signature = self.keys.sign(signer, header.get("alg"), signed.encode())
        return f"{signed}.{self._mutate(mutate, signature, signed.encode())}".encode()

    def _member(self, value, number):
        if isinstance(value, list):
            return [self._member(v, number) for v in value]
        if isinstance(value, str) or values.is_long(value):
            return values.text(value).replace("{i}", str(number)).replace("{upstream}", self.upstream)
        if isinstance(value, dict) and "key" in value:
            return self.keys.jwk(value["key"])
        if isinstance(value, dict) and "cert" in value:
            return self.keys.certificate(value["cert"])
        return value

    def _claims(self, spec):
        if "claims_hex" in spec:
            return bytes.fromhex(values.text(spec["claims_hex"]))
        if "claims_raw" in spec:
            return re.sub(
                rb"\{now([+-]\d+)?\}",
                lambda m: str(self.now + int(m.group(1) or 0)).encode(),
                values.raw(spec["claims_raw"]),
            )
        claims = {
            "iss": "https://idp.example",
            "aud": "thanos",
            "sub": "someone",
            "iat": self.now,
            "exp": self.now + 3600,
            "tenant": "tenant-a",
        }
        changes = spec.get("claims", {})
        if "tenants" in changes:
            claims.pop("tenant")
        for name, value in changes.items():
            if value is None:
                claims.pop(name, None)
            else:
                claims[name] = self._claim(value)
        return dump(claims)

    def _claim(self, value):
        if values.is_long(value):
            return values.text(value)
        if isinstance(value, dict) and list(value) == ["range"]:
            return [f"t{i}" for i in range(value["range"])]
        if value == "null":
            return None
        if isinstance(value, str) and re.fullmatch(r"now([+-]\d+)?", value):
            return self.now + int(value[3:] or 0)
        if isinstance(value, str) and value.startswith('"'):
            return json.loads(value)
        return value

    def _mutate(self, how, signature, signed):
        """The last part of a token, changed as a case asks."""
        if how is None:
            return b64(signature)
        if how == "flip unused bits":
            text = b64(signature)
            alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
            unused = {1: 4, 2: 2}[len(signature) % 3]
            return text[:-1] + alphabet[alphabet.index(text[-1]) ^ (1 << (unused - 1))]
        if how == "append =":
            return b64(signature) + "="
        if how == "url->std":
            text = b64(signature)
            assert "-" in text or "_" in text, "this signature is the same in both alphabets"
            return text.replace("-", "+").replace("_", "/")
        if how == "trim":
            return b64(signature[:-1])
        if how == "invert after 16":
            return b64(signature[:16] + bytes(b ^ 0xFF for b in signature[16:]))
        if how == "der":
            return b64(der(signature))
        if how == "high s":
            s = P256_N - int.from_bytes(signature[32:], "big")
            return b64(signature[:32] + s.to_bytes(32, "big"))
        if how == "S+L":
            s = int.from_bytes(signature[32:], "little") + ED25519_L
            return b64(signature[:32] + s.to_bytes(32, "little"))
        digest = SHA256_DIGEST_INFO + hashlib.sha256(signed).digest()
        if how == "e=1":
            return b64(b"\0\1" + b"\xff" * (256 - 3 - len(digest)) + b"\0" + digest)
        if how == "e=3":
            return b64(cube_root(b"\0\1" + b"\xff" * 8 + b"\0" + digest).to_bytes(256, "big"))
        raise ValueError(f"unknown mutation: {how}")


def der(signature):
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    half = len(signature) // 2
    return encode_dss_signature(
        int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    )


def cube_root(prefix):
    """The least number whose cube, in 256 bytes, begins with the prefix."""
    shift = 8 * (256 - len(prefix))
    target = int.from_bytes(prefix, "big") << shift
    low, high = 0, 1 << 700
    while low < high:
        mid = (low + high) // 2
        if mid**3 < target:
            low = mid + 1
        else:
            high = mid
    assert low**3 >> shift == target >> shift
    return low


def dump(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
