"""The runner's own tests: what it mints, sends, records and compares is what the cases mean.

Run by: "$(scripts/tools python)" -m unittest discover -s tests/cases
"""

import base64
import hashlib
import json
import socket
import time
import types
import unittest

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

import client
import config
import expect
import tokens
import values
from upstream import Upstream

KEYS = tokens.Keys()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parts(token):
    header, claims, signature = token.decode().split(".")
    return json.loads(unb64(header)), json.loads(unb64(claims)), unb64(signature), f"{header}.{claims}".encode()


def unsnappy(data):
    """A decoder of literals alone, written apart from the encoder."""
    size = shift = at = 0
    while True:
        size |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            break
    out = b""
    while at < len(data):
        assert data[at] & 3 == 0
        n = data[at] >> 2
        extra = max(0, n - 59)
        length = n + 1 if not extra else int.from_bytes(data[at + 1 : at + 1 + extra], "little") + 1
        out += data[at + 1 + extra : at + 1 + extra + length]
        at += 1 + extra + length
    assert len(out) == size
    return out


class Tokens(unittest.TestCase):
    def setUp(self):
        self.mint = tokens.Mint(KEYS, "127.0.0.1:1")

    def verify(self, token, key="rsa", pad=None):
        _, _, signature, signed = parts(token)
        KEYS.private[key].public_key().verify(signature, signed, pad or padding.PKCS1v15(), hashes.SHA256())

    def verify_ec(self, signature, signed):
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        KEYS.private["ec"].public_key().verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))

    def test_ta_is_as_described_and_verifies(self):
        header, claims, _, _ = parts(self.mint.token("TA"))
        self.assertEqual(header, {"alg": "RS256", "kid": "rsa", "typ": "JWT"})
        self.assertEqual(claims["tenant"], "tenant-a")
        self.assertEqual(claims["exp"] - claims["iat"], 3600)
        self.verify(self.mint.token("TA"))
        with self.assertRaises(InvalidSignature):
            self.verify(self.mint.token("TA"), "rsa-2")

    def test_claims_take_times_nulls_strings_and_ranges(self):
        spec = {"claims": {"exp": "now-10", "iss": None, "x": "null", "nbf": '"9"', "tenants": {"range": 2}}}
        claims = parts(self.mint.token(spec))[1]
        self.assertEqual(claims["exp"], self.mint.now - 10)
        self.assertNotIn("iss", claims)
        self.assertIsNone(claims["x"])
        self.assertEqual(claims["nbf"], "9")
        self.assertEqual(claims["tenants"], ["t0", "t1"])
        self.assertNotIn("tenant", claims)

    def test_alg_and_kid_follow_the_signer_and_the_algorithm_follows_the_header(self):
        self.assertEqual(parts(self.mint.token({"signed_by": "ec"}))[0], {"alg": "ES256", "kid": "ec", "typ": "JWT"})
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        self.verify(self.mint.token({"header": {"alg": "PS256"}}), pad=pss)
        self.verify(self.mint.token({"header": {"alg": "None"}}))

    def test_raw_claims_are_sent_as_they_are(self):
        token = self.mint.token({"claims_raw": '{"exp":1,"exp":{now+5}}'})
        self.assertEqual(unb64(token.decode().split(".")[1]), b'{"exp":1,"exp":%d}' % (self.mint.now + 5))

    def test_forgeries_would_pass_a_naive_check(self):
        signed = self.mint.token({"mutate": "e=1"})
        *_, signature, text = parts(signed)
        digest = tokens.SHA256_DIGEST_INFO + hashlib.sha256(text).digest()
        self.assertTrue(signature.startswith(b"\0\1\xff") and signature.endswith(b"\0" + digest))
        *_, signature, text = parts(self.mint.token({"mutate": "e=3"}))
        digest = tokens.SHA256_DIGEST_INFO + hashlib.sha256(text).digest()
        cube = (int.from_bytes(signature, "big") ** 3).to_bytes(256, "big")
        self.assertTrue(cube.startswith(b"\0\1" + b"\xff" * 8 + b"\0" + digest))

    def test_a_high_s_verifies_and_other_mutations_do_not(self):
        *_, signature, text = parts(self.mint.token({"signed_by": "ec", "mutate": "high s"}))
        self.verify_ec(signature, text)
        for how in ("trim", "invert after 16", "signature of TA"):
            changed = {"mutate": how, "claims": {"sub": "x"}}
            with self.assertRaises(InvalidSignature, msg=how):
                self.verify(self.mint.token(changed))
        plain = self.mint.token("TA").decode()
        flipped = self.mint.token({"mutate": "flip unused bits"}).decode()
        self.assertNotEqual(plain, flipped)
        self.assertEqual(parts(plain.encode())[2], parts(flipped.encode())[2])

    def test_only_a_numbered_token_differs_from_request_to_request(self):
        numbered = {"header": {"kid": "k{i}"}}
        self.assertEqual([parts(self.mint.token(numbered, i))[0]["kid"] for i in (0, 1)], ["k0", "k1"])
        self.assertEqual(self.mint.token("TA", 0), self.mint.token("TA", 1))

    def test_key_sets_take_names_overrides_and_repetitions(self):
        made = KEYS.jwks(["rsa", {"key": "rsa", "n": "{n}=", "use": None}, {"repeat": ["ec", 3]}, {"kty": "x"}])["keys"]
        self.assertEqual(made[1]["n"], made[0]["n"] + "=")
        self.assertNotIn("use", made[1])
        self.assertEqual(len(made), 6)


class Values(unittest.TestCase):
    def test_long_strings(self):
        self.assertEqual(values.text({"concat": ["a", {"repeat": ["b", 3]}]}), "abbb")
        self.assertEqual(values.text({"range_join": ["%d=", 2, ","], "pct": True}), "0%3D%2C1%3D")

    def test_bodies(self):
        self.assertEqual(len(values.body({"size": 200_000}).whole), 200_000)
        big = b"x" * 150_000
        self.assertEqual(unsnappy(values.snappy(big)), big)
        one = unsnappy(values.body({"rw1": [{"repeat": [[["i", "%d"]], 2]}]}).whole)
        self.assertEqual(one.count(b"\x0a\x01i"), 2)
        self.assertIn(b"\x12\x011", one)

    def test_a_setting_is_taken_apart(self):
        setting = config.Setting("C-write+select:x-request-tenant+max_body=64MiB")
        self.assertEqual(setting.base, "C-write")
        self.assertEqual(setting.options, {"select": "x-request-tenant", "max_body": "64MiB"})
        self.assertEqual(config.Setting("C-public:/-/healthy").argument, "/-/healthy")
        with self.assertRaises(config.Unknown):
            config.document(config.Setting("C0+nonsense=1"), KEYS, remote=False)


class Recording(unittest.TestCase):
    def setUp(self):
        self.upstream = Upstream()
        self.addCleanup(self.upstream.close)

    def send(self, data):
        with socket.create_connection(("127.0.0.1", self.upstream.port)) as conn:
            conn.sendall(data)
            conn.shutdown(socket.SHUT_WR)
            while conn.recv(4096):
                pass
        return self.upstream.since(0)

    def test_chunks_and_trailers_are_taken_apart(self):
        (one,) = self.send(b"POST /x?a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nT: v\r\n\r\n")
        self.assertTrue(one.whole)
        self.assertEqual((one.body, one.trailers, one.path, one.query), (b"abc", [("t", "v")], b"/x", b"a"))

    def test_a_body_longer_than_declared_is_a_fault(self):
        first, second = self.send(b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nabGET\r\n\r\n")
        self.assertTrue(first.whole)
        self.assertIn("no request", second.fault)

    def test_two_framings_are_a_fault_and_a_short_body_is_not_whole(self):
        (one,) = self.send(b"POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")
        self.assertIn("framing", one.fault)
        self.upstream.start_case(None)
        (one,) = self.send(b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nab")
        self.assertFalse(one.whole)

    def test_the_client_reads_what_the_upstream_answers(self):
        self.upstream.start_case([
            {"for": {"method": "GET", "path": "/a"}, "status": 418, "body": {"gzip": "hi"}, "headers": {"content-encoding": "gzip"}},
            {"for": {"path": "/b"}, "body": "abcdef", "trailers": {"x": "y"}},
        ])
        answer = client.send_h1(self.upstream.port, client.head_bytes("GET", b"/a?q", []))
        self.assertEqual((answer.status, answer.decoded(), answer.whole), (418, b"hi", True))
        answer = client.send_h1(self.upstream.port, client.head_bytes("POST", b"/b", [("content-length", b"0")]))
        self.assertEqual((answer.status, answer.body, answer.trailers), (200, b"abcdef", [("x", "y")]))
        answer = client.send_h1(self.upstream.port, client.head_bytes("GET", b"/api/v1/rules", []))
        self.assertEqual(json.loads(answer.body)["data"], {"groups": []})


class Comparing(unittest.TestCase):
    def arrived(self, data):
        upstream = Upstream()
        self.addCleanup(upstream.close)
        with socket.create_connection(("127.0.0.1", upstream.port)) as conn:
            conn.sendall(data)
            time.sleep(0.1)
        return upstream.since(0)

    def check(self, wanted, data, status=200, method="GET", target=b"/x"):
        answer = client.Answer(status=status, whole=True)
        sent = types.SimpleNamespace(method=method, target=target, body=b"", parameters=[(b"a", b"1")])
        return expect.check_upstream({"upstream": wanted}, answer, self.arrived(data), sent, None)

    def test_none_means_no_whole_request_and_no_query_that_went_ahead(self):
        self.assertTrue(self.check("none", b"GET /x HTTP/1.1\r\n\r\n"))
        self.assertFalse(self.check("none", b"POST /x HTTP/1.1\r\ncontent-length: 9\r\n\r\nab"))
        self.assertTrue(self.check("none", b"POST /x?q=1 HTTP/1.1\r\ncontent-length: 9\r\n\r\nab"))
        self.assertFalse(self.check("none", b"GET /api/v2/silence/1 HTTP/1.1\r\n\r\n"))

    def test_a_success_needs_exactly_one_request(self):
        self.assertTrue(self.check({}, b""))
        self.assertFalse(self.check({}, b"", status=403))
        self.assertTrue(self.check({}, b"GET /x HTTP/1.1\r\n\r\nGET /x HTTP/1.1\r\n\r\n", status=403))

    def test_headers_parameters_and_bodies_are_compared(self):
        got = b"GET /x?a=1&b=%41 HTTP/1.1\r\naccept-encoding: identity\r\nh: 1\r\nh: 2\r\n\r\n"
        fits = {
            "path": "/x", "headers_absent": ["accept-encoding"], "headers_equal": {"h": ["1", "2"]}, "params_kept": ["a"],
            "params_equal": {"b": ["A"]}, "param_counts": {"a": 1}, "max_params": 2, "no_body": True, "params_absent": ["c"],
        }
        self.assertEqual(self.check(fits, got), [])
        for word, value in {
            "path": "/y", "headers_absent": ["h"], "headers_equal": {"h": ["1"]}, "params_kept": ["b"], "no_body": False,
            "params_equal": {"b": ["B"]}, "param_counts": {"a": 2}, "max_params": 1, "params_absent": ["a"], "method": "POST",
        }.items():
            self.assertTrue(self.check({word: value}, got), word)

    def test_json_compares_members_that_are_named_and_lists_whole(self):
        body = b'{"m":[{"a":1,"b":true}]}'
        got = b"POST /x HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        self.assertEqual(self.check({"json": {"m[0]": {"a": 1}}}, got), [])
        self.assertTrue(self.check({"json": {"m[0]": {"b": 1}}}, got))
        self.assertTrue(self.check({"json": {"m": [{"a": 1}]}}, got))

    def test_answers_are_compared_decoded(self):
        answer = client.Answer(200, [("content-encoding", "gzip"), ("x", "1")], values.body({"gzip": '{"a":1}'}).whole, whole=True)
        self.assertEqual(expect.check_answer({"status": 200, "body_json": {"a": 1}, "answer_headers": {"x": ["1", "2"]}}, answer), [])
        for wrong in (
            {"status": [400]}, {"body_json": {"a": True}}, {"body_text": "x"}, {"body_must_not_contain": ['"a"']},
            {"answer_headers": {"y": True}}, {"answer_headers": {"x": False}}, {"max_ms": -1},
        ):
            self.assertTrue(expect.check_answer({"status": 200, **wrong}, answer), wrong)

    def test_an_expectation_it_does_not_know_is_not_ignored(self):
        self.assertEqual(expect.unknown_words({"status": 200, "upstream": {"colour": 1}}), ["colour"])


if __name__ == "__main__":
    unittest.main()
