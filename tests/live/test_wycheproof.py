"""Wycheproof's vectors: Envoy's own library judges them as the filter's does, and none of its tokens is let in."""

import json
import os
import re
import struct
import subprocess
import unittest

import gateway
import recorder
import signer
import stack
import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from signer import Key, claims, token

QUERY = ("/api/v1/query", {"query": "up"})
PARTS = ("tokens.jsonl", "signatures.jsonl")
FEWEST = {"tokens.jsonl": 200, "signatures.jsonl": 3000}


class TheHost(unittest.TestCase):
    """The questions that the filter asks the host, byte for byte, asked of a real Envoy."""

    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack("wycheproof")
        cls.addClassCleanup(cls.stack.end)
        cls.questions = questions(cls.stack)
        plugin = gateway.wasm({}, name="verify", path=built("verify-plugin", "verify_plugin.wasm"), vm_id="verify")
        plugin["typed_config"]["config"].pop("configuration")
        cls.envoy = gateway.Gateway(cls.stack, {}, {"nowhere": cls.stack.port()}, filters=[plugin]).start()

    def test_a_question_that_is_no_question_is_an_error(self):
        self.assertEqual(self.ask([b"\xff"]), "e")

    def test_envoy_and_the_filter_judge_every_signature_alike(self):
        for part in PARTS:
            found, wrong = self.questions[part], []
            self.assertGreater(len(found), FEWEST[part])
            self.assertEqual({q["good"] for q in found}, {True, False})
            for at in range(0, len(found), 500):
                batch = found[at:at + 500]
                said = self.ask([arguments(q) for q in batch])
                self.assertEqual(len(said), len(batch))
                wrong += [f"{q['id']}: {s}, not {q['good']}" for q, s in zip(batch, said) if s != "bg"[q["good"]]]
            print(f"  {part}: {len(found)} questions, {sum(q['good'] for q in found)} of them good")
            self.assertEqual(wrong, [])

    def ask(self, all_arguments):
        body = b"".join(struct.pack(">I", len(a)) + a for a in all_arguments)
        answer = web.request(self.envoy.port, "POST", "/", body=body)
        self.assertEqual(answer.status, 200, answer)
        return answer.text


class TheFilter(unittest.TestCase):
    """Its keys in the filter's configuration: its tokens are no tokens of a tenant, ours by the same keys are."""

    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack("wycheproof")
        cls.addClassCleanup(cls.stack.end)
        cls.upstream = recorder.Recorder(cls.stack)
        cls.addClassCleanup(cls.upstream.close)
        cls.tests, cls.public, cls.private = [], [], []
        for group in groups():
            cls.tests += [(group["comment"], t) for t in group["tests"]]
            for kind, found in (("public", cls.public), ("private", cls.private)):
                jwk = group.get(kind) or group["private"]
                found += [k for k in jwk.get("keys", [jwk]) if k not in found]
        try:
            cls.made(cls.public, "all").start()
            cls.unusable = {}
        except RuntimeError as e:
            cls.unusable = {int(n): why for n, why in re.findall(r"keys\.inline\.keys\[(\d+)\]: (.*)", cls.stack.log("all", 10**6))}
            assert cls.unusable, e
        cls.usable = [k for n, k in enumerate(cls.public) if n not in cls.unusable]
        cls.gateway = cls.made(cls.usable, "envoy").start()

    @classmethod
    def made(cls, keys, name):
        document = {
            "auth": {"issuers": [signer.issuer({"inline": {"keys": keys}}, algorithms=signer.ALL)]},
            "upstreams": [{"thanos": {"hosts": ["gateway.test"], "cluster": "query", "seal": "q" * 32}}],
        }
        return gateway.Gateway(cls.stack, document, {"query": cls.upstream.port}, name=name)

    def test_keys_that_no_token_should_be_verified_with_stop_the_start_each_by_its_reason(self):
        reasons = {why for why in self.unusable.values()}
        self.assertEqual(len(reasons), 7, reasons)
        weak = [n for n, k in enumerate(self.public) if k["kid"] in ("RS256_1024", "short_hs256_key", "hs256_key")]
        self.assertLessEqual(set(weak), set(self.unusable))

    def test_no_token_of_wycheproof_is_let_in_for_none_says_who_calls(self):
        sent = 0
        for group, test in self.tests:
            text = test["jws"] if isinstance(test["jws"], str) else json.dumps(test["jws"])
            if not text.isascii() or not text.isprintable():
                continue  # no header can have it
            with self.subTest(f"{group} {test['tcId']}: {test['comment']}"):
                answer = self.gateway.client(text).get(*QUERY)
                self.assertIn(answer.status, (400, 401), answer)
                sent += 1
        self.assertGreater(sent, 400)
        self.assertEqual(self.upstream.taken(), [])
        self.assertEqual(gateway.traps(self.gateway.log(10**7)), [])

    def test_tokens_of_a_tenant_by_the_same_keys_are_let_in(self):
        taken = set()
        for jwk in self.private:
            key = own(jwk)
            if key is None or not any(all(jwk.get(n) == k.get(n) for n in ("kid", "alg", "k", "n", "x")) for k in self.usable):
                continue
            with self.subTest(f"{key.kid} {key.alg}"):
                answer = self.gateway.client(token(key, claims("a"))).get(*QUERY)
                self.assertEqual(answer.status, 200, answer)
                taken.add(key.alg)
        self.assertLessEqual({"HS256", "ES256", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, taken)


def own(jwk):
    """A signer of ours with a private key of Wycheproof's; none if it is for something else."""
    if jwk.get("use") == "enc" or "encrypt" in jwk.get("key_ops", []) or jwk.get("alg") not in signer.ALL:
        return None
    key = object.__new__(Key)
    key.alg, key.kid = jwk["alg"], jwk["kid"]
    number = {n: int.from_bytes(unb64(v), "big") for n, v in jwk.items() if n in ("n", "e", "d", "p", "q", "x", "y")}
    if jwk["kty"] == "oct":
        key.private = unb64(jwk["k"])
        return key if len(key.private) >= int(jwk["alg"][2:]) // 8 else None
    if "d" not in number or jwk["kty"] == "RSA" and "n" not in number:
        return None
    try:
        if jwk["kty"] == "EC":
            key.private = ec.derive_private_key(number["d"], signer.CURVES[key.alg][0]())
            found = key.private.public_key().public_numbers()
            return key if (found.x, found.y) == (number["x"], number["y"]) else None
        public = rsa.RSAPublicNumbers(number["e"], number["n"])
        p, q = rsa.rsa_recover_prime_factors(number["n"], number["e"], number["d"])
        d = number["d"]
        key.private = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), rsa.rsa_crt_iqmp(p, q), public).private_key()
    except (ValueError, KeyError):
        return None
    return key


def unb64(text):
    return signer.base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def groups():
    folder = stack.tool("wycheproof")
    for name in ("json_web_signature_test", "json_web_key_test"):
        with open(os.path.join(folder, f"{name}.json")) as f:
            yield from json.load(f)["testGroups"]


def questions(of):
    """What the filter asks the host for each vector, as its unit tests write it down."""
    env = {"PROMFENCE_WYCHEPROOF": stack.tool("wycheproof"), "PROMFENCE_WYCHEPROOF_OUT": of.directory}
    argv = ["cargo", "test", "--locked", "--quiet", "--lib", "wycheproof"]
    done = subprocess.run(argv, cwd=stack.ROOT, env={**os.environ, **env}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the unit tests failed: {done.stdout[-3000:]} {done.stderr[-1000:]}")
    out = {}
    for part in PARTS:
        with open(of.path(part)) as f:
            out[part] = [json.loads(line) for line in f]
    return out


def arguments(question):
    """The message that `verify_signature` takes."""
    out = b""
    fields = ["sha" + question["alg"][2:], *(bytes.fromhex(question[n]) for n in ("key", "signature", "text"))]
    for tag, value in enumerate(fields, 1):
        value = value.encode() if isinstance(value, str) else value
        out += bytes([tag << 3 | 2]) + varint(len(value)) + value
    return out


def varint(n):
    out = b""
    while n >= 0x80:
        out, n = out + bytes([n & 0x7F | 0x80]), n >> 7
    return out + bytes([n])


def built(name, file):
    """A plugin of tests/, built if it is not up to date."""
    target = os.path.join(stack.ROOT, "target", name)
    done = subprocess.run(
        ["cargo", "build", "--quiet", "--locked", "--release", "--target", "wasm32-wasip1"],
        cwd=os.path.join(stack.ROOT, "tests", name), env={**os.environ, "CARGO_TARGET_DIR": target}, capture_output=True, text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{name} does not build: {done.stderr[-2000:]}")
    return os.path.join(target, "wasm32-wasip1", "release", file)


if __name__ == "__main__":
    unittest.main()
