"""Faults of the key server: what callers see, and that they see the keys again once it is well."""

import json
import threading
import time
import unittest

import certificates
import gateway
import keyserver
import recorder
import signer
import stack
from signer import Key, claims, token

QUERY = ("/api/v1/query", {"query": "up"})


class FaultsOfTheKeyServer(unittest.TestCase):
    """One Envoy for each test: what a worker knows of its keys must not leak into the next one."""

    @classmethod
    def setUpClass(cls):
        cls.keys = {kid: Key("ES256", kid) for kid in ("one", "two", "three", "four")}

    def setUp(self):
        self.stack = stack.Stack("keys")
        self.addCleanup(self.stack.end)
        self.upstream = recorder.Recorder(self.stack)
        self.addCleanup(self.upstream.close)
        self.server = keyserver.KeyServer(self.stack, keyserver.jwks(self.keys["one"]))
        self.addCleanup(self.server.close)

    def start(self, workers=1, secret=None, clusters=None, **remote):
        issuer = signer.issuer(self.server.config(**remote))
        auth = {"issuers": [issuer], **({"shared_keys": {"secret": secret}} if secret else {})}
        document = {
            "auth": auth,
            "upstreams": [{"thanos": {"hosts": ["gateway.test"], "cluster": "query", "seal": "q" * 32}}],
        }
        all_clusters = {"query": self.upstream.port, "keys": self.server.port, **(clusters or {})}
        self.gateway = gateway.Gateway(self.stack, document, all_clusters, workers=workers).start()

    def ask(self, kid="one", **more):
        return self.gateway.client(token(self.keys[kid], claims("a", **more))).get(*QUERY)

    def passes(self, kid="one"):
        self.upstream.taken()
        answer = self.ask(kid)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([t.query for t in self.upstream.taken()], ['up{tenant_id="a"}'])

    def comes_back(self, answer):
        """The answer is a 503 that says when to come back, and nothing reached the upstream."""
        self.assertEqual(answer.status, 503, answer)
        self.assertEqual(answer.json()["status"], "error")
        self.assertIn(int(answer.headers["retry-after"]), range(1, 61))
        self.assertEqual(self.upstream.taken(), [])

    def recovers(self, kid="one"):
        self.stack.wait("the keys to be there", lambda: self.ask(kid).status == 200, 60)
        self.passes(kid)

    def failures(self, outcome):
        return self.gateway.stats().get(f"key_fetches.outcome.{outcome}", 0)

    def test_down_at_start_callers_are_asked_to_come_back_until_it_is_up(self):
        self.start()
        self.comes_back(self.ask())
        self.comes_back(self.ask("two"))
        self.assertGreater(self.failures("status"), 0)
        self.server.open()
        self.recovers()

    def test_down_later_the_known_keys_go_on_and_an_unknown_one_is_asked_to_come_back(self):
        self.server.open()
        self.start()
        self.recovers()
        self.server.close()
        self.stack.wait("a fetch to fail", lambda: self.failures("status") > 0, 60)
        for _ in range(20):
            self.passes()
        self.comes_back(self.ask("two"))
        self.server.answer = keyserver.jwks(self.keys["two"])
        self.server.open()
        self.recovers("two")
        # The set is served again, and has no key `one` any more.
        self.assertEqual(self.ask("one").status, 401)

    def test_down_for_longer_than_max_stale_the_old_keys_count_no_more(self):
        self.server.open()
        self.start(max_stale="1s")
        self.recovers()
        self.server.close()
        self.stack.wait("the keys to be too old", lambda: self.ask().status != 200, 60)
        self.upstream.taken()
        self.comes_back(self.ask())
        self.server.open()
        self.recovers()

    def test_slow_at_start_the_first_callers_wait_and_are_answered(self):
        def slow(handler):
            time.sleep(0.5)
            handler.reply(200, json.dumps(keyserver.jwks(self.keys["one"])).encode())

        self.server.answer = slow
        self.server.open()
        self.start(timeout="10s")
        answers = []
        callers = [threading.Thread(target=lambda: answers.append(self.ask().status)) for _ in range(10)]
        for c in callers:
            c.start()
        for c in callers:
            c.join()
        self.assertEqual(answers, [200] * 10)

    def test_too_slow_at_start_callers_are_asked_to_come_back_after_the_time_out(self):
        self.server.answer = keyserver.hang
        self.server.open()
        self.start(timeout="500ms")
        self.comes_back(self.ask())
        self.server.answer = keyserver.jwks(self.keys["one"])
        self.recovers()

    def test_a_byte_a_second_is_too_slow_as_well(self):
        def drip(handler):
            body = json.dumps(keyserver.jwks(self.keys["one"])).encode()
            handler.send_response(200)
            handler.send_header("content-length", str(len(body)))
            handler.end_headers()
            try:
                for i in range(len(body)):
                    handler.wfile.write(body[i:i + 1])
                    time.sleep(0.2)
            except OSError:
                handler.close_connection = True

        self.server.answer = drip
        self.server.open()
        self.start(timeout="500ms")
        self.comes_back(self.ask())
        self.server.answer = keyserver.jwks(self.keys["one"])
        self.recovers()

    def fails(self, outcome, bad, **headers):
        """An answer that brings no keys: as if the server were down, and its reason is counted."""
        self.server.answer = bad
        self.server.open()
        self.start()
        self.comes_back(self.ask())
        self.stack.wait(f"a fetch that fails by {outcome}", lambda: self.failures(outcome) > 0, 30)
        good = keyserver.jwks(self.keys["one"])
        self.server.answer = good
        self.recovers()
        # The same fault later: the keys that are known go on.
        before = self.failures(outcome)
        self.server.answer = bad
        self.stack.wait("the fault once more", lambda: self.failures(outcome) > before, 60)
        self.passes()
        self.comes_back(self.ask("two"))

    def test_an_empty_set_is_a_failed_fetch(self):
        self.fails("no_usable_key", {"keys": []})

    def test_a_set_of_keys_that_cannot_be_used_is_a_failed_fetch(self):
        weak = Key("RS256", "weak", bits=1024)
        self.fails("no_usable_key", {"keys": [weak.jwk(), self.keys["one"].jwk(use="enc"), Key("HS256", "hs").jwk(), {}, 1]})

    def test_garbage_is_a_failed_fetch(self):
        self.fails("garbage", b"<html>sign in</html>")

    def test_a_set_with_a_member_twice_is_a_failed_fetch(self):
        good = json.dumps(keyserver.jwks(self.keys["one"]))
        self.fails("garbage", good.replace('{"keys"', '{"keys":[],"keys"').encode())

    def test_a_500_is_a_failed_fetch(self):
        good = json.dumps(keyserver.jwks(self.keys["one"])).encode()
        self.fails("status", lambda handler: handler.reply(500, good))

    def test_a_redirect_is_not_followed(self):
        followed = keyserver.KeyServer(self.stack, keyserver.jwks(self.keys["one"])).open()
        self.addCleanup(followed.close)
        good = json.dumps(keyserver.jwks(self.keys["one"])).encode()
        self.fails("redirect", lambda h: h.reply(302, good, location=f"http://127.0.0.1:{followed.port}/jwks"))
        self.assertEqual(followed.fetches, [])

    def test_10_mib_are_a_failed_fetch(self):
        good = json.dumps(keyserver.jwks(self.keys["one"])).encode()
        self.fails("too_large", good[:-1] + b" " * (10 << 20) + b"}")

    def test_more_than_a_hundred_keys_are_a_failed_fetch(self):
        self.fails("too_many_keys", {"keys": [self.keys["one"].jwk()] * 101})

    def test_one_bad_key_does_not_spoil_the_set(self):
        self.server.answer = {"keys": [{"kty": "RSA"}, None, "x", {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "one"},
                                       Key("RS256", "weak", bits=1024).jwk(), self.keys["one"].jwk(), self.keys["two"].jwk()]}
        self.server.open()
        self.start()
        self.recovers()
        self.passes("two")

    def test_a_wrong_kid_is_asked_for_a_few_times_and_then_refused_at_once(self):
        self.server.open()
        self.start(refresh="10m")
        self.recovers()
        time.sleep(1.1)
        before = len(self.server.fetches)
        self.upstream.taken()
        for i in range(60):
            answer = self.gateway.client(token(self.keys["two"], claims("a"), {"kid": f"forged-{i}"})).get(*QUERY)
            self.assertEqual(answer.status, 401, answer)
        self.assertEqual(self.upstream.taken(), [])
        self.assertIn(len(self.server.fetches) - before, range(1, 5))
        self.passes()

    def test_a_known_kid_with_another_key_causes_no_fetch(self):
        self.server.open()
        self.start(refresh="10m")
        self.recovers()
        time.sleep(1.1)
        before = len(self.server.fetches)
        for _ in range(20):
            answer = self.gateway.client(token(self.keys["two"], claims("a"), {"kid": "one"})).get(*QUERY)
            self.assertEqual(answer.status, 401, answer)
        self.assertEqual(len(self.server.fetches), before)

    def test_a_rotation_costs_one_fetch_and_no_caller_notices(self):
        self.server.open()
        self.start(refresh="10m")
        self.recovers()
        time.sleep(1.1)
        before = len(self.server.fetches)
        self.server.answer = keyserver.jwks(self.keys["one"], self.keys["two"])
        answers = []
        callers = [threading.Thread(target=lambda: answers.append(self.ask("two").status)) for _ in range(10)]
        for c in callers:
            c.start()
        for c in callers:
            c.join()
        self.assertEqual(answers, [200] * 10)
        self.assertEqual(len(self.server.fetches) - before, 1)

    def test_two_rotations_in_a_second_and_no_caller_notices(self):
        self.server.open()
        self.start(refresh="10m")
        self.recovers()
        time.sleep(1.1)
        for new in ("two", "three"):
            self.server.answer = keyserver.jwks(self.keys["one"], self.keys["two"], self.keys[new])
            self.passes(new)
        # The key that was withdrawn counts no more once the new set is there.
        self.server.answer = keyserver.jwks(self.keys["four"])
        time.sleep(1.1)
        self.passes("four")
        self.assertEqual(self.ask("one").status, 401)

    def test_without_the_cluster_callers_are_asked_to_come_back(self):
        self.start(cluster="nowhere")
        self.comes_back(self.ask())
        self.assertGreater(self.failures("no_cluster"), 0)
        self.assertTrue(self.gateway.alive())

    def test_a_token_of_another_issuer_needs_no_keys_to_be_refused(self):
        self.start()
        self.assertEqual(self.ask(iss="https://mallory.test").status, 401)
        self.assertEqual(self.ask(seconds=-100).status, 401)
        self.assertEqual(self.gateway.client().get(*QUERY).status, 401)


class OverHttp2AndTls(unittest.TestCase):
    """The key server is an Envoy of its own: it has keys for whoever speaks HTTP/2 with `:scheme https`."""

    HTTP2 = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    TLS = gateway.TYPE + "envoy.extensions.transport_sockets.tls.v3."

    def start(self, **remote):
        self.stack = stack.Stack("keys")
        self.addCleanup(self.stack.end)
        self.upstream = recorder.Recorder(self.stack)
        self.addCleanup(self.upstream.close)
        key, authority = Key("ES256", "one"), certificates.Authority(self.stack, "keys")
        server = self.server(key, *authority.issue("keys.test"))
        options = {"@type": gateway.TYPE + self.HTTP2, "explicit_http_config": {"http2_protocol_options": {}}}
        trust = {"validation_context": {"trusted_ca": {"filename": authority.path}}}
        socket = {"name": "tls", "typed_config": {"@type": self.TLS + "UpstreamTlsContext", "sni": "keys.test", "common_tls_context": trust}}
        keys = gateway.cluster("keys", server.port, transport_socket=socket, typed_extension_protocol_options={self.HTTP2: options})
        place = {"cluster": "keys", "authority": "keys.test", "path": "/jwks", **remote}
        document = {
            "auth": {"issuers": [signer.issuer({"remote": place})]},
            "upstreams": [{"thanos": {"hosts": ["gateway.test"], "cluster": "query", "seal": "q" * 32}}],
        }
        made = gateway.Gateway(self.stack, document, {"query": self.upstream.port, "keys": keys}).start()
        return lambda: made.client(token(key, claims("a"))).get(*QUERY).status

    def server(self, key, certificate, private):
        def route(scheme, status, body):
            return {
                "match": {"path": "/jwks", "headers": [{"name": ":scheme", "string_match": {"exact": scheme}}]},
                "direct_response": {"status": status, "body": {"inline_string": body}},
            }

        routes = [route("https", 200, json.dumps(keyserver.jwks(key))), route("http", 400, "not by this scheme")]
        pair = {"certificate_chain": {"filename": certificate}, "private_key": {"filename": private}}
        tls = {"@type": self.TLS + "DownstreamTlsContext", "common_tls_context": {"tls_certificates": [pair], "alpn_protocols": ["h2"]}}
        http = {"route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]}, "codec_type": "HTTP2"}
        return gateway.Gateway(self.stack, {}, {}, name="keys", filters=[], http=http, tls={"name": "tls", "typed_config": tls}).start()

    def test_it_sees_https_as_the_issuers_url_has_it(self):
        ask = self.start()
        self.stack.wait("the keys", lambda: ask() == 200, 30)

    def test_it_sees_what_is_configured(self):
        ask = self.start(scheme="http")
        time.sleep(2)
        self.assertEqual(ask(), 503)


if __name__ == "__main__":
    unittest.main()
