"""istio/mtls.yaml on a real sidecar: Thanos is spoken to by mutual TLS, and by the gateway alone."""

import http.client
import json
import socket
import ssl

import authority
import sidecar
import web
from shared import CANARIES, OnTheMesh, eventually


class QueryBehindASidecar(OnTheMesh):
    @classmethod
    def prepare(cls):
        cls.proxy = sidecar.Sidecar(cls.mesh, "strict", 11, cls.world.query)
        cls.addClassCleanup(cls.mesh.delete, cls.proxy.moved())
        cls.authority = eventually(lambda: authority.Authority(cls.mesh))
        # The port of Query is another one here.
        documents = json.loads(json.dumps(cls.shared.here("mtls.yaml")).replace('"9090"', f'"{cls.proxy.port}"'))
        cls.shared.have(*documents)
        cls.proxy.start()
        cls.addClassCleanup(cls.shared.stack.stop, "strict")

    def ask(self, context):
        """The status of a query by TLS with this context, or in the clear; 0 if there is no connection."""
        path = "/api/v1/query?" + web.encode({"query": CANARIES["team-a"]})
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=30)
        plain = socket.create_connection(("127.0.0.1", self.proxy.port), timeout=30)
        try:
            connection.sock = context.wrap_socket(plain, server_hostname="thanos-query") if context else plain
            connection.request("GET", path)
            return connection.getresponse().status
        except (ConnectionError, ssl.SSLError, http.client.HTTPException, TimeoutError):
            return 0
        finally:
            connection.close()
            plain.close()

    def test_the_gateway_is_answered(self):
        gateway = self.authority.client("istio-ingress", "istio-ingressgateway")
        self.assertTrue(eventually(lambda: self.ask(gateway) == 200, 60), self.shared.stack.log("strict"))

    def test_another_workload_of_the_mesh_is_refused(self):
        self.assertTrue(eventually(lambda: self.ask(self.authority.client("istio-ingress", "istio-ingressgateway")) == 200, 60))
        for namespace, account in (("team-a", "grafana"), ("monitoring", "thanos"), ("istio-ingress", "default")):
            self.assertEqual(self.ask(self.authority.client(namespace, account)), 403, f"{namespace}/{account}")

    def test_nobody_is_answered_without_a_certificate_of_the_mesh(self):
        self.assertTrue(eventually(lambda: self.ask(self.authority.client("istio-ingress", "istio-ingressgateway")) == 200, 60))
        for context in (None, ssl._create_unverified_context()):
            self.assertEqual(self.ask(context), 0)
