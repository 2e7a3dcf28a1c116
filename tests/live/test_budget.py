"""What all answers hold together has a bound: those over it are refused, and none is shown in part."""

import concurrent.futures
import json
import os
import threading
import time
import unittest

import gateway
import issuer
import stack
import talker
from talker import chunked

TENANTS = ("team-a", "team-b")
SIZE = 10 << 20
AT_ONCE = 50
BUDGET = 64 << 20
# What comes on top of the budget: what of an answer stays lies in Envoy's buffer until it is read, the
# heap has gaps, and Envoy's own buffers hold up to the limits of a connection.
SLACK = 2 * SIZE + AT_ONCE * (256 << 10)


def rules(size=SIZE):
    """A rules answer, half of it each tenant's."""
    rule = lambda tenant, i: {
        "state": "inactive", "name": f"rule-{i}", "query": 'sum by (job) (rate(http_requests_total{code=~"5.."}[5m])) > 0.5', "duration": 600,
        "labels": {"severity": "page", "tenant_id": tenant}, "annotations": {"summary": "returns errors"}, "alerts": [], "health": "ok", "type": "alerting",
    }
    groups, total = [], 0
    while total < size:
        tenant = TENANTS[len(groups) % 2]
        groups.append({"name": f"g{len(groups)}", "file": tenant, "rules": [rule(tenant, i) for i in range(8)], "interval": 30})
        total += len(json.dumps(groups[-1])) + 2
    return {"status": "success", "data": {"groups": groups}}


def of(document, tenant):
    """What a tenant may see of it."""
    return [g for g in document["data"]["groups"] if g["file"] == tenant]


class Memory:
    """The most resident bytes of a process while a block runs, beyond those that it has now."""

    def __init__(self, pid):
        self.path = f"/proc/{pid}/statm"
        self.before = self.now()

    def now(self):
        with open(self.path) as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def __enter__(self):
        self.most = self.now()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()
        return self

    def watch(self):
        while not self.over.wait(0.005):
            self.most = max(self.most, self.now())

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    @property
    def grown(self):
        return self.most - self.before


class FiftyAnswersAtOnce(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack("budget")
        cls.addClassCleanup(cls.stack.end)
        cls.talker = talker.Talker()
        cls.addClassCleanup(cls.talker.end)
        cls.document = rules()
        cls.text = json.dumps(cls.document).encode()
        cls.own = {t: of(cls.document, t) for t in TENANTS}
        issued = issuer.Issuer()
        cls.tokens = {t: issued.token(t) for t in TENANTS}
        policy = {
            "auth": {"issuers": [issued.config()]},
            "limits": {"worker_memory": BUDGET, "grant_share": 50, "hold_head": "256KiB"},
            "upstreams": [{"prometheus": {"hosts": ["gateway.test"], "cluster": "talker", "seal": "p" * 32}}],
        }
        cluster = gateway.cluster("talker", cls.talker.port, per_connection_buffer_limit_bytes=256 << 10)
        listener = {"per_connection_buffer_limit_bytes": 640 << 10}
        cls.gateway = gateway.Gateway(cls.stack, policy, {"talker": cluster}, listener=listener).start()
        cls.memory = Memory(cls.stack.processes["envoy"].pid)

    def ask(self, tenant):
        return talker.ask(self.gateway.port, "/api/v1/rules", self.tokens[tenant], timeout=120)

    def outcome(self, tenant, answer):
        """Whole and right, refused, or cut; anything else fails."""
        if not answer.whole:
            return "cut"
        if answer.status == 200:
            self.assertTrue(answer.json()["data"]["groups"] == self.own[tenant], f"{len(answer.body)} bytes look whole")
            return "whole"
        self.assertEqual((answer.status, answer.json()["status"]), (503, "error"), answer)
        self.assertIn("retry-after", answer.headers)
        return "refused"

    def at_once(self, say):
        self.talker.say = say
        for tenant in TENANTS:
            self.assertEqual(self.outcome(tenant, self.ask(tenant)), "whole")
        tenants = [TENANTS[i % 2] for i in range(AT_ONCE)]
        with self.memory, concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(self.ask, tenants))
        outcomes = [self.outcome(t, a) for t, a in zip(tenants, answers)]
        counts = {o: outcomes.count(o) for o in ("whole", "refused", "cut")}
        print(f"{counts}, {self.memory.grown >> 20} MiB more at most")
        self.assertTrue(self.gateway.alive(), self.gateway.log())
        self.assertEqual(gateway.traps(self.gateway.log(1_000_000)), [])
        self.assertLessEqual(self.memory.grown, BUDGET + SLACK)
        for tenant in TENANTS * 3:
            self.assertEqual(self.outcome(tenant, self.ask(tenant)), "whole")
        return counts

    def test_where_the_length_is_declared_those_over_the_budget_are_cleanly_refused(self):
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(self.text)
        counts = self.at_once([head, 0.5, self.text])
        self.assertEqual(counts["cut"], 0)
        self.assertGreater(counts["refused"], 0)
        # Three of 10 MiB are what a tenant's share has room for.
        self.assertGreaterEqual(counts["whole"], 6)

    def test_where_it_is_not_none_over_the_budget_looks_whole(self):
        counts = self.at_once(chunked(self.text, 64 << 10))
        self.assertGreater(counts["refused"] + counts["cut"], 0)


class OneLargeAnswer(unittest.TestCase):
    """An instance of the module never gives memory back: what it has grown by was the most that it needed."""

    envoy = "envoy"

    def setUp(self):
        self.stack, self.talker, self.issuer = stack.Stack("large"), talker.Talker(), issuer.Issuer()
        self.addCleanup(self.stack.end)
        self.addCleanup(self.talker.end)
        self.document = rules()
        self.text = json.dumps(self.document).encode()

    def grown(self, say, **options):
        """What the instance grows by for an answer, over what a small one has made it grow to."""
        upstream = {"hosts": ["gateway.test"], "cluster": "talker", "seal": "p" * 32, **options}
        policy = {"auth": {"issuers": [self.issuer.config()]}, "upstreams": [{"prometheus": upstream}]}
        served = gateway.Gateway(self.stack, policy, {"talker": self.talker.port}, name=f"envoy-{len(self.stack.processes)}", envoy=self.envoy).start()

        def ask():
            answer = talker.ask(served.port, "/api/v1/rules", self.issuer.token("team-a"), timeout=120)
            self.assertEqual((answer.whole, answer.status), (True, 200), answer)
            return answer.json()["data"]["groups"]

        self.talker.say = chunked(json.dumps(rules(100)).encode(), 64 << 10)
        ask()
        before = served.modules()[0]
        self.talker.say = say
        self.assertTrue(ask() == of(self.document, "team-a"))
        grown = served.modules()[0] - before
        ask()
        print(f"{before / (1 << 20):.1f} MiB idle, {grown / len(self.text):.2f} of the body, {served.modules()[0] - before - grown} B for another", end=" ")
        self.assertGreater(grown, 0)
        self.assertLessEqual(served.modules()[0] - before, len(self.text) + (1 << 20))

    def test_it_takes_no_more_than_the_body_and_a_mebibyte_where_its_length_is_declared(self):
        self.grown([b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(self.text), self.text])

    def test_nor_where_it_is_not(self):
        for size in (4 << 10, 64 << 10, 1 << 20):
            with self.subTest(size=size):
                self.grown(chunked(self.text, size))


class OneLargeAnswerInEnvoy136(OneLargeAnswer):
    envoy = "envoy-1.36"


if __name__ == "__main__":
    unittest.main()
