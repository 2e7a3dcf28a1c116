"""`info()` reads a metric of its own: with its second argument confined, no other tenant's labels come back."""

import unittest

import bodies
import gateway
import issuer
import stack
import web

SECRETS = {"a": "alpha-only", "b": "bravo-only"}


class InfoOfARealPrometheus(unittest.TestCase):
    """Both tenants have the same job and instance, so that only the matcher keeps their labels apart."""

    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack("info")
        cls.addClassCleanup(cls.stack.end)
        cls.port = cls.stack.port()
        config = cls.stack.write("prometheus.yml", "global: {}\n")
        argv = [stack.tool("prometheus"), f"--config.file={config}", f"--web.listen-address=127.0.0.1:{cls.port}"]
        argv += [f"--storage.tsdb.path={cls.stack.path('data')}", "--web.enable-remote-write-receiver"]
        cls.stack.start(
            "prometheus", [*argv, "--enable-feature=promql-experimental-functions"], f"http://127.0.0.1:{cls.port}/-/ready",
        )
        same = [("instance", "i"), ("job", "j")]
        series = []
        for tenant, secret in SECRETS.items():
            series.append([("__name__", "seen"), *same, ("tenant_id", tenant)])
            series.append([("__name__", "target_info"), *same, ("secret", secret), ("tenant_id", tenant)])
        written = web.request(cls.port, "POST", "/api/v1/write", bodies.V1, bodies.snappy(bodies.v1(*series)))
        assert written.status == 204, written
        cls.issuer = issuer.Issuer()
        upstream = {"hosts": ["gateway.test"], "cluster": "prometheus", "seal": "s" * 32}
        document = {"auth": {"issuers": [cls.issuer.config()]}, "upstreams": [{"prometheus": upstream}]}
        cls.gateway = gateway.Gateway(cls.stack, document, {"prometheus": cls.port}).start()

    def ask(self, query, *tenants):
        return self.gateway.client(self.issuer.token(*tenants)).get("/api/v1/query", {"query": query})

    def test_without_the_filter_the_info_metrics_of_both_are_read(self):
        both = web.Client(self.port).get("/api/v1/query", {"query": "target_info"})
        self.assertTrue(all(s in both.text for s in SECRETS.values()), both)

    def test_a_tenant_gets_the_labels_of_its_own_info_metric_alone(self):
        for tenant, secret in SECRETS.items():
            for query in ('info(seen, {secret=~".+"})', 'info(seen, {__name__="target_info",secret=~".+"})'):
                with self.subTest(tenant=tenant, query=query):
                    answer = self.ask(query, tenant)
                    self.assertEqual(answer.status, 200, answer)
                    result = answer.json()["data"]["result"]
                    self.assertEqual([r["metric"]["secret"] for r in result], [secret], answer)

    def test_another_tenant_named_in_the_second_argument_gives_none_of_its_labels(self):
        for query in ('info(seen, {tenant_id="b"})', 'info(seen, {secret="bravo-only"})', 'info(seen, {tenant_id=~"a|b"})'):
            with self.subTest(query=query):
                answer = self.ask(query, "a")
                self.assertNotIn("bravo-only", answer.text)

    def test_labels_that_the_second_argument_does_not_name_are_not_added(self):
        for query in ('info(seen, {__name__="target_info"})', 'info(seen, {__name__=~".+_info"})'):
            with self.subTest(query=query):
                answer = self.ask(query, "a")
                self.assertEqual(answer.status, 200, answer)
                self.assertTrue(answer.json()["data"]["result"], answer)
                self.assertNotIn("bravo-only", answer.text)

    def test_with_one_argument_it_is_refused(self):
        answer = self.ask("info(seen)", "a")
        self.assertEqual(answer.status, 400, answer)
        self.assertIn("info", answer.json()["error"])
