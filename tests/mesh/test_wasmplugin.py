"""The gateway with istio/wasmplugin.yaml."""

from paths import Paths
from shared import CANARIES, OnTheMesh, eventually


class TheGatewayWithTheWasmPlugin(Paths, OnTheMesh):
    def test_the_filter_stands_before_authorization(self):
        names = self.gateway.filters()
        filter_at = next(i for i, n in enumerate(names) if "promfence" in n)
        self.assertLess(filter_at, names.index("envoy.filters.http.rbac"), names)

    def test_the_keys_come_from_the_issuer_by_tls(self):
        eventually(lambda: self.query("up", self.shared.token("team-a")).status == 200)
        self.assertGreater(self.world.asked_for_keys, 0)

    def test_the_namespace_of_a_service_account_is_its_tenant(self):
        token = self.mesh.token("team-b", "grafana", "promfence")
        answer = eventually(lambda: (a := self.query(CANARIES["team-b"], token)).status == 200 and a)
        self.assertTrue(answer, self.query(CANARIES["team-b"], token))
        self.assertEqual([m["tenant_id"] for m in self.values(answer)], ["team-b"])
        self.assertEqual(self.values(self.query(CANARIES["team-a"], token)), [])

    def test_a_service_account_token_for_another_audience_is_refused(self):
        for audience in ("istio-ca", "https://kubernetes.default.svc.cluster.local"):
            answer = self.query(CANARIES["team-b"], self.mesh.token("team-b", "grafana", audience))
            self.assertEqual(answer.status, 401, answer)
