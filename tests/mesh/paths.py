"""What must hold on every way of loading the filter: writes, reads and identities in short form."""

import samples
from shared import CANARIES, eventually


class Paths:
    """Tests for a case of `OnTheMesh`."""

    def test_a_tenant_reads_its_own_series_and_no_other(self):
        token = self.shared.token("team-a")
        own = eventually(lambda: self.query(CANARIES["team-a"], token).status == 200 and self.query(CANARIES["team-a"], token))
        self.assertEqual([m["tenant_id"] for m in self.values(own)], ["team-a"], own)
        self.assertEqual(self.values(self.query(CANARIES["team-b"], token)), [])
        for text in ('{__name__=~"canary_of_.*"}', '{tenant_id=~".+",__name__=~"canary.*"}', f'{CANARIES["team-a"]} or {CANARIES["team-b"]}'):
            self.assertEqual({m["tenant_id"] for m in self.values(self.query(text, token))}, {"team-a"}, text)
        forged = self.gateway.client(token, {"THANOS-TENANT": "team-b"}).form("/api/v1/query", {"query": CANARIES["team-b"]})
        self.assertEqual(self.values(forged), [])

    def test_a_tenant_of_both_reads_both(self):
        found = self.values(self.query('{__name__=~"canary_of_.*"}', self.shared.token("team-a", "team-b")))
        self.assertEqual({m["tenant_id"] for m in found}, {"team-a", "team-b"})

    def test_a_write_is_the_writers_whatever_it_claims(self):
        name = f"written_{type(self).__name__.lower()}"
        client = self.gateway.client(self.shared.token("team-a"), {**samples.HEADERS, "THANOS-TENANT": "team-b"})
        answer = eventually(lambda: (a := client.send("POST", "/api/v1/receive", samples.body({"__name__": name}))).status == 200 and a)
        self.assertTrue(answer, client.send("POST", "/api/v1/receive", samples.body({"__name__": name})))
        a, b = self.shared.token("team-a"), self.shared.token("team-b")
        found = eventually(lambda: self.values(self.query(name, a)))
        self.assertEqual([m["tenant_id"] for m in found], ["team-a"])
        self.assertEqual(self.values(self.query(name, b)), [])

    def test_a_write_that_names_a_tenant_inside_is_refused(self):
        body = samples.body({"__name__": "forged", "tenant_id": "team-b"})
        answer = self.gateway.client(self.shared.token("team-a"), samples.HEADERS).send("POST", "/api/v1/receive", body)
        self.assertEqual(answer.status, 400, answer)
        self.assertEqual(self.values(self.query("forged", self.shared.token("team-b"))), [])

    def test_without_a_valid_token_no_upstream_is_asked(self):
        before = self.gateway.asked()
        other = type(self.world.issuer)(self.world.issuer.url, "thanos")
        # A filter refuses with 401; where RequestAuthentication stands before it, so does that.
        tokens = [None, "x", other.token("team-a"), self.shared.token("team-a", seconds=-3600),
                  self.shared.token("team-a", aud="else"), self.shared.token("team-a", iss="https://idp.example")]
        for token in tokens:
            answer = self.query(CANARIES["team-a"], token)
            self.assertIn(answer.status, (401, 403), answer)
            self.assertNotIn("canary", answer.text)
            answer = self.gateway.client(token, samples.HEADERS).send("POST", "/api/v1/receive", samples.body({"__name__": "x"}))
            self.assertIn(answer.status, (401, 403), answer)
        self.assertEqual(self.gateway.asked(), before)

    def test_a_client_cannot_bring_a_seal(self):
        before = self.gateway.asked()
        for seal in self.gateway.environment.values():
            headers = {"x-promfence-seal": seal, "THANOS-TENANT": "team-b"}
            self.assertEqual(self.query(CANARIES["team-b"], headers=headers).status, 401)
            # With a token the client's seal is replaced by that of the path.
            answer = self.query(CANARIES["team-b"], self.shared.token("team-a"), headers=headers)
            self.assertEqual(self.values(answer), [])
        self.assertEqual(self.gateway.asked()["receive"], before["receive"])

    def test_no_answer_shows_a_seal(self):
        answers = [self.query("up"), self.query("up", self.shared.token("team-a")), self.gateway.client().get("/nowhere")]
        for answer in answers:
            shown = str(answer.headers) + answer.text
            for seal in self.gateway.environment.values():
                self.assertNotIn(seal, shown)

    def test_another_host_gets_nothing(self):
        before = self.gateway.asked()
        for host in ("other.example", "thanos-query.monitoring.svc.cluster.local"):
            answer = self.query("up", self.shared.token("team-a"), host=host)
            self.assertNotEqual(answer.status, 200, answer)
        self.assertEqual(self.gateway.asked(), before)
