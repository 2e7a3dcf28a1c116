"""The gateway with istio/envoyfilter.yaml in place of the WasmPlugin."""

from paths import Paths
from shared import CANARIES, OnTheMesh, eventually


class TheGatewayWithTheEnvoyFilter(Paths, OnTheMesh):
    files = ("gateway.yaml", "envoyfilter.yaml", "authorization.yaml")

    def test_the_filter_is_the_first_of_the_chain(self):
        self.assertEqual(self.gateway.filters()[0], "promfence")

    def test_the_namespace_of_a_service_account_is_its_tenant(self):
        token = self.mesh.token("team-b", "grafana", "promfence")
        answer = eventually(lambda: (a := self.query(CANARIES["team-b"], token)).status == 200 and a)
        self.assertEqual([m["tenant_id"] for m in self.values(answer)], ["team-b"])
