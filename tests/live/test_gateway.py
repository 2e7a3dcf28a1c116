"""The least of it: a gateway in front of a real Prometheus."""

import unittest

import gateway
import issuer
import stack
import upstreams


class AGatewayInFrontOfPrometheus(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack("gateway")
        cls.addClassCleanup(cls.stack.end)
        port = upstreams.prometheus(cls.stack)
        cls.issuer = issuer.Issuer()
        document = {
            "auth": {"issuers": [cls.issuer.config()]},
            "upstreams": [{"prometheus": {"hosts": ["gateway.test"], "cluster": "prometheus", "seal": "s" * 32}}],
        }
        cls.gateway = gateway.Gateway(cls.stack, document, {"prometheus": port}).start()

    def test_a_tenant_gets_an_answer_of_prometheus(self):
        answer = self.gateway.client(self.issuer.token("a")).get("/api/v1/query", {"query": "1+1"})
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json()["data"]["result"][1], "2")
        # Counters of what passes are told once a second.
        self.stack.wait("the counter", lambda: self.gateway.stats().get("allowed.endpoint.query") == 1)

    def test_without_a_credential_nothing_passes(self):
        answer = self.gateway.client().get("/api/v1/query", {"query": "1+1"})
        self.assertEqual(answer.status, 401, answer)
        self.assertEqual(answer.headers["www-authenticate"].split()[0], "Bearer")
