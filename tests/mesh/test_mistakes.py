"""Every mistake on a running and on a fresh Envoy: no answer of an upstream without a right to it."""

import copy
import re

import agent
import mistakes
import samples
from shared import CANARIES, OnTheMesh, eventually


class Mistakes(OnTheMesh):
    """One test for each mistake, made below."""

    @classmethod
    def prepare(cls):
        cls.fresh = agent.AgentProxy(cls.mesh, "fresh", 3)
        cls.addClassCleanup(cls.mesh.delete, cls.fresh.moved())
        cls.shared.stack.write("garbage.wasm", "no module\n")

    def judge(self, mistake):
        # A sample is to be seen for five minutes, and these tests take longer.
        self.shared.write_canaries()
        good = self.shared.here(*mistake.files)
        self.shared.have(*good)
        self.gateway.settle()
        before = self.valid(self.gateway, 200)
        self.assertEqual(before, 200, "before the mistake")
        spoiled = copy.deepcopy(good)
        mistake.spoil(spoiled)
        self.shared.have(*spoiled)
        self.gateway.settle()
        self.fresh.launch()
        try:
            with self.subTest("running"):
                self.attack(self.gateway)
                self.expect(self.gateway, 200 if mistake.running == mistakes.OLD else mistake.running)
            with self.subTest("fresh"):
                self.fresh.await_configuration(serving=mistake.fresh != 0)
                self.attack(self.fresh)
                self.expect(self.fresh, mistake.fresh)
        finally:
            self.shared.stack.stop(self.fresh.name)

    def test_an_open_gateway_is_noticed(self):
        """The control: without filter, seal and AuthorizationPolicy the same requests are answered."""
        open_to_all = self.shared.here("gateway.yaml", "wasmplugin.yaml")
        mistakes.bare(open_to_all)
        self.shared.have(*open_to_all)
        self.gateway.settle()
        with self.assertRaisesRegex(AssertionError, "unexpectedly found in|an upstream was asked"):
            self.attack(self.gateway)

    def valid(self, proxy, wanted):
        """The status of a tenant's own query, which must show its own series and nothing else if it is 200."""
        def ask():
            return self.query(CANARIES["team-a"], self.shared.token("team-a"), proxy)

        answer = eventually(lambda: (a := ask()).status == wanted and a, 10) or ask()
        if answer.status == 200:
            self.assertEqual([m["tenant_id"] for m in self.values(answer)], ["team-a"])
        return answer.status

    def expect(self, proxy, wanted):
        found = self.valid(proxy, wanted)
        self.assertEqual(found, wanted, f"what a valid token gets; refused: {proxy.refused()}")

    def attack(self, proxy):
        """Requests that no configuration may answer."""
        before = proxy.asked()
        forged = {"THANOS-TENANT": "team-b", "x-promfence-seal": "guess", "x-promfence-tenant": "team-b"}
        for host in ("metrics.example", "tenant.example"):
            for token in (None, "x.y.z", self.shared.token("team-b", seconds=-3600)):
                for headers in ({}, forged):
                    client = proxy.client(token, headers, host)
                    self.unanswered(client.get("/api/v1/query", {"query": CANARIES["team-b"]}))
                    self.unanswered(client.form("/api/v1/query", {"query": CANARIES["team-b"]}))
                    self.unanswered(client.send("POST", "/api/v1/receive", samples.body({"__name__": "x"}), samples.HEADERS))
        self.assertEqual(proxy.asked(), before, "an upstream was asked without a valid token")
        client = proxy.client(self.shared.token("team-a"), forged)
        for query in (CANARIES["team-b"], '{tenant_id="team-b"}', '{__name__=~"canary_of_.*"}'):
            answer = client.get("/api/v1/query", {"query": query}, {"x-promfence-tenant": "team-a"})
            self.assertNotIn(CANARIES["team-b"], answer.text)
            self.assertNotIn(CANARIES["team-b"], client.get("/api/v1/query", {"query": query}).text)

    def unanswered(self, answer):
        self.assertNotIn(answer.status, range(200, 400), answer)
        self.assertNotIn("canary", answer.text)


def make():
    """A test for each mistake, called by its words."""
    def test(at):
        return lambda self: self.judge(mistakes.mistakes(self.shared.stack.directory)[at])

    for at, mistake in enumerate(mistakes.mistakes("")):
        words = re.sub("[^a-z0-9]+", "_", mistake.what.lower())
        setattr(Mistakes, f"test_{words}", test(at))


make()
