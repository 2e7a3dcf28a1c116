"""Thanos Receive behind its own sidecar with istio/sidecar.yaml: a certificate is a tenant."""

import http.client
import socket
import ssl

import authority
import samples
import sidecar
import web
from shared import OnTheMesh, eventually


class ReceiveBehindItsSidecar(OnTheMesh):
    @classmethod
    def prepare(cls):
        stack = cls.shared.stack
        cls.proxy = sidecar.Sidecar(cls.mesh, "sidecar", 7, cls.world.receive)
        cls.addClassCleanup(cls.mesh.delete, cls.proxy.moved())
        cls.authority = eventually(lambda: authority.Authority(cls.mesh))
        cls.documents = sidecar.moved_to(cls.shared.here("sidecar.yaml"), cls.proxy.port)
        cls.shared.have(*cls.documents)
        cls.proxy.start()
        cls.addClassCleanup(stack.stop, "sidecar")

    def write(self, name, context, headers=None, labels=None):
        """A remote-write request to the sidecar; the status, or 0 if there is no connection."""
        body = samples.body({"__name__": name, **(labels or {})})
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=30)
        plain = socket.create_connection(("127.0.0.1", self.proxy.port), timeout=30)
        try:
            connection.sock = context.wrap_socket(plain, server_hostname="thanos-receive") if context else plain
            connection.request("POST", "/api/v1/receive", body, {**samples.HEADERS, **(headers or {})})
            answer = connection.getresponse()
            return web.Answer(answer.status, dict(answer.getheaders()), answer.read())
        except (ConnectionError, ssl.SSLError, http.client.HTTPException, TimeoutError) as e:
            return web.Answer(0, {}, repr(e).encode())
        finally:
            connection.close()
            plain.close()

    def stored(self, name):
        """The tenants under which a metric is stored, out of Thanos itself."""
        path = "/api/v1/query?" + web.encode({"query": name})
        found = web.request(self.world.query, "GET", path).json()["data"]["result"]
        return [r["metric"]["tenant_id"] for r in found]

    def test_1_the_namespace_of_the_certificate_is_the_tenant(self):
        context = self.authority.client("team-a", "agent")
        sent = eventually(lambda: (a := self.write("by_sidecar", context, {"THANOS-TENANT": "team-b"})).status == 200 and a)
        self.assertTrue(sent, f"{self.write('by_sidecar', context)} {self.shared.stack.log('sidecar')}")
        self.assertEqual(eventually(lambda: self.stored("by_sidecar")), ["team-a"])

    def test_2_without_a_certificate_of_the_mesh_nothing_is_stored(self):
        seal = {"x-promfence-seal": self.proxy.environment["SEAL_RECEIVE"], "THANOS-TENANT": "team-a"}
        for context in (None, ssl._create_unverified_context()):
            self.assertEqual(self.write("by_nobody", context, seal).status, 0)
        self.assertEqual(self.stored("by_nobody"), [])

    def test_3_a_series_that_names_a_tenant_is_refused(self):
        context = self.authority.client("team-a", "agent")
        self.assertEqual(self.write("by_label", context, labels={"tenant_id": "team-b"}).status, 400)
        self.assertEqual(self.stored("by_label"), [])

    def test_4_without_the_filter_nobody_passes(self):
        self.shared.have(*(d for d in self.documents if d["kind"] != "WasmPlugin"))
        context = self.authority.client("team-a", "agent")
        refused = eventually(lambda: (a := self.write("unfiltered", context, {"THANOS-TENANT": "team-b"})).status == 403 and a, 60)
        self.assertTrue(refused, self.write("unfiltered", context, {"THANOS-TENANT": "team-b"}))
