"""The gateway with istio/authentication.yaml: Istio verifies, the filter reads what it found."""

from paths import Paths
from shared import CANARIES, OnTheMesh


class TheGatewayWithRequestAuthentication(Paths, OnTheMesh):
    files = ("gateway.yaml", "authentication.yaml", "authorization.yaml")

    def test_the_filter_stands_behind_jwt_authn(self):
        names = self.gateway.filters()
        at = next(i for i, n in enumerate(names) if "promfence" in n)
        self.assertLess(names.index("envoy.filters.http.jwt_authn"), at, names)

    def test_a_service_account_is_nobody_here(self):
        answer = self.query(CANARIES["team-b"], self.mesh.token("team-b", "grafana", "promfence"))
        self.assertEqual(answer.status, 401, answer)
