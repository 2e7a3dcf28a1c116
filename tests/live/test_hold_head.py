"""The head of a held answer waits for the body: what cannot be shown is a clean refusal, not a cut connection."""

import json
import unittest

import gateway
import issuer
import stack
import talker
from talker import END, chunk, chunked, head

CANARY = "canary-of-team-b"
HOST = {"hosts": ["gateway.test"]}
# As envoy/envoy.yaml has it, with a smaller bound.
HELD, PIECE = 64 << 10, 256 << 10
ROOM = HELD + PIECE + (128 << 10)


def rules(count, tenant="team-a"):
    rule = {"type": "recording", "query": "up", "labels": {"tenant_id": tenant}, "health": "ok"}
    group = {"name": "g", "file": "f", "interval": 30, "rules": [{"name": f"r{i}", **rule} for i in range(count)]}
    return json.dumps({"status": "success", "data": {"groups": [group]}}).encode()


def result(tenant):
    series = {"metric": {"__name__": "up", "tenant_id": tenant, "word": CANARY}, "value": [1, "1"]}
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": [series]}}).encode()


class HeldHeads:
    """The tests; a class each names the Envoy."""

    envoy = "envoy"
    room, piece = ROOM, PIECE

    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack("hold")
        cls.addClassCleanup(cls.stack.end)
        cls.talker = talker.Talker()
        cls.addClassCleanup(cls.talker.end)
        issued = issuer.Issuer()
        document = {
            "auth": {"issuers": [issued.config()]},
            "limits": {"hold_head": HELD, "gather_timeout": "2s"},
            "upstreams": [
                {"prometheus": {**HOST, "cluster": "talker", "seal": "p" * 32, "verify": "all", "federate": True}},
                {"thanos": {**HOST, "cluster": "talker", "seal": "t" * 32, "prefix": "/thanos"}},
                {"alertmanager": {**HOST, "cluster": "talker", "seal": "a" * 32, "prefix": "/am"}},
            ],
        }
        cluster = gateway.cluster("talker", cls.talker.port, per_connection_buffer_limit_bytes=cls.piece)
        cls.gateway = gateway.Gateway(
            cls.stack, document, {"talker": cluster}, envoy=cls.envoy, listener={"per_connection_buffer_limit_bytes": cls.room},
            http={"delayed_close_timeout": "0.1s"},
        ).start()
        cls.token = issued.token("team-a")

    def ask(self, say, path="/api/v1/rules"):
        self.talker.say = say
        answer = talker.ask(self.gateway.port, path, self.token)
        self.assertTrue(self.gateway.alive(), self.gateway.log())
        self.assertNotIn(CANARY.encode(), answer.body)
        return answer

    def refused(self, say, path="/api/v1/rules", status=502):
        answer = self.ask(say, path)
        self.assertEqual((answer.status, answer.whole), (status, True), answer)
        self.assertEqual(answer.headers["content-type"], "application/json")
        return answer.json()

    def cut(self, say, path="/api/v1/rules"):
        answer = self.ask(say, path)
        self.assertFalse(answer.whole, answer)

    def tearDown(self):
        """Whatever came before, the next request is served, and the module has not trapped."""
        answer = self.ask(chunked(rules(3)))
        self.assertEqual((answer.status, answer.json()), (200, json.loads(rules(3))))
        self.assertEqual(gateway.traps(self.gateway.log(1_000_000)), [])


class Heads(HeldHeads):
    def test_series_of_another_tenant_are_a_clean_502(self):
        refused = self.refused(chunked(result("team-b")), "/api/v1/query?query=up")
        self.assertEqual((refused["status"], refused["errorType"]), ("error", "bad_gateway"))
        federated = [head(kind="text/plain; version=0.0.4"), chunk(f'up{{tenant_id="team-b",word="{CANARY}"}} 1\n'.encode()), END]
        self.refused(federated, "/federate?match[]=up")
        self.assertGreaterEqual(self.gateway.stats()["answers_refused.reason.answer"], 2)

    def test_own_series_pass(self):
        self.talker.say = chunked(result("team-a"))
        answer = talker.ask(self.gateway.port, "/api/v1/query?query=up", self.token)
        self.assertEqual((answer.status, answer.json()), (200, json.loads(result("team-a"))))

    def test_what_is_not_the_json_that_it_claims_to_be_is_a_clean_502(self):
        texts = [b"<html>" + CANARY.encode(), rules(9, "team-b") + CANARY.encode(), rules(9)[:-1], b"[]", b'{"status":"success","data":{"groups":[7]}}']
        for path in ("/api/v1/rules", "/api/v1/alerts", "/am/api/v2/silences", "/am/api/v2/alerts", "/thanos/api/v1/rules"):
            for text in texts[:3]:
                with self.subTest(path=path, text=text[:40]):
                    self.refused(chunked(text), path)
        for text in texts:
            with self.subTest(text=text[:40], slowly=True):
                self.refused([head(), *(w for i in range(0, len(text), 200) for w in (chunk(text[i:i + 200]), 0.01)), END])

    def test_a_length_that_is_declared_changes_nothing(self):
        plain = lambda text: [b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(text) + text]
        self.refused(plain(rules(9)[:-1]))
        answer = self.ask(plain(rules(9)))
        self.assertEqual((answer.status, answer.json()), (200, json.loads(rules(9))))

    def test_trailers_end_an_answer_as_well(self):
        trailers = b"0\r\nx-word: " + CANARY.encode() + b"\r\n\r\n"
        answer = self.ask([head("trailer: x-word"), chunk(rules(9)), 0.1, trailers])
        self.assertEqual((answer.status, answer.json()), (200, json.loads(rules(9))))
        self.refused([head("trailer: x-word"), chunk(rules(9)[:-1]), 0.1, trailers])
        self.refused([head("trailer: x-word"), trailers])

    def test_trailers_without_a_body_are_an_error_in_words(self):
        trailers = b"0\r\nx-word: " + CANARY.encode() + b"\r\n\r\n"
        for status in ("200 OK", "500 Internal Server Error", "503 Service Unavailable"):
            for pause in (0, 0.1):
                with self.subTest(status=status, pause=pause):
                    answer = self.ask([head("trailer: x-word", status=status), pause, trailers])
                    self.assertIn(answer.status, (500, 502, 503), answer)
                    self.assertEqual((answer.whole, answer.json()["status"]), (True, "error"), answer)

    def test_an_answer_that_stalls_is_a_clean_504(self):
        refused = self.refused([head(), chunk(rules(9, "team-b")), 4, None], status=504)
        self.assertEqual(refused["errorType"], "timeout")
        self.refused([head(), 4, None], status=504)

    def test_an_answer_that_breaks_off_shows_nothing(self):
        answer = self.ask([head(), chunk(rules(9)), 0.1, None])
        self.assertEqual((answer.status, answer.whole), (502, True), answer)

    def test_errors_of_thanos_are_reworded(self):
        text = f"store {CANARY} is gone".encode()
        for status in (500, 503, 422):
            answer = self.ask([head(status=f"{status} X", kind="text/plain"), chunk(text), 0.05, chunk(text * 9000), END], "/thanos/api/v1/query?query=up")
            self.assertEqual((answer.status, answer.json()["status"]), (status, "error"), answer)

    def test_a_larger_answer_passes_and_a_bad_one_is_cut(self):
        """Whatever is not held in whole before its head goes is never a well-formed shorter answer."""
        for size in (1 << 10, 16 << 10, 1 << 20):
            answer = self.ask(chunked(rules(10_000), size))
            self.assertEqual((answer.status, answer.body), (200, rules(10_000)), answer)
            self.cut(chunked(rules(10_000)[:-1], size))
            self.cut(chunked(rules(9_999) + CANARY.encode(), size))

    def test_around_the_bound_an_answer_is_whole_or_refused(self):
        for count in range(650, 860, 35):
            text = rules(count)
            for first in (100, 50_000):
                with self.subTest(size=len(text), first=first):
                    answer = self.ask([head(), chunk(text[:first]), 0.02, chunk(text[first:]) + END])
                    self.assertEqual((answer.status, answer.body), (200, text), answer)
                    bad = self.ask([head(), chunk(text[:first]), 0.02, chunk(text[first:-1]) + END])
                    if len(text) <= HELD:
                        self.assertEqual((bad.status, bad.whole), (502, True), bad)
                    else:
                        self.assertFalse(bad.whole and bad.status == 200, bad)

    def test_a_burst_after_a_pause_passes(self):
        text = rules(60_000)
        answer = self.ask([head(), chunk(text[:HELD - 100]), 0.2, chunk(text[HELD - 100:]), END])
        self.assertEqual((answer.status, answer.body), (200, text), answer)


class HeldHeadsInEnvoy140(Heads, unittest.TestCase):
    pass


class HeldHeadsInEnvoy136(Heads, unittest.TestCase):
    envoy = "envoy-1.36"


class WithoutRoom(HeldHeads, unittest.TestCase):
    """A buffer that is too small, which `promfence check` finds, costs answers and nothing else."""

    room, piece = 32 << 10, 64 << 10

    def test_a_larger_answer_is_an_error_and_the_proxy_lives(self):
        for size in (1 << 10, 16 << 10, 60_000):
            for text in (rules(550), rules(10_000)):
                with self.subTest(size=size, whole=len(text)):
                    answer = self.ask([w for piece in chunked(text, size) for w in (piece, 0.001)])
                    fits = (answer.status, answer.body) == (200, text)
                    self.assertTrue(fits or (answer.status, answer.whole) == (500, True), answer)


class WithoutTheOption(HeldHeads, unittest.TestCase):
    """An Envoy that hands out no body while a head waits: a 504, and never an unfiltered answer."""

    @classmethod
    def setUpClass(cls):
        shipped = gateway.wasm

        def without(*args, **more):
            made = shipped(*args, **more)
            del made["typed_config"]["config"]["allow_on_headers_stop_iteration"]
            return made

        gateway.wasm = without
        cls.addClassCleanup(setattr, gateway, "wasm", shipped)
        super().setUpClass()

    def tearDown(self):
        self.assertEqual(gateway.traps(self.gateway.log(1_000_000)), [])

    def test_what_is_held_is_a_504(self):
        self.refused(chunked(rules(9, "team-b")), status=504)

    def test_what_is_not_held_passes(self):
        answer = self.ask(chunked(b'{"status":"success","data":["x"]}'), "/api/v1/labels")
        self.assertEqual((answer.status, answer.json()["data"]), (200, ["x"]))


if __name__ == "__main__":
    unittest.main()
