"""A gateway's Envoy: configured by istiod alone, its listener moved to a port of loopback."""

import http.client
import json
import socket
import ssl
import urllib.parse
import urllib.request

import mesh as meshes
import stack as stacks
import web

SEALS = {"SEAL_RECEIVE": "seal-of-receive-replace-me-replace-me", "SEAL_QUERY": "seal-of-query-replace-me-replace-me"}


class Proxy:
    """An Envoy in the role of the ingress gateway. `labels` are those of its pod."""

    namespace, account = meshes.GATEWAY
    role = "router"

    def __init__(self, mesh, name, number, labels=None, environment=SEALS):
        self.mesh, self.name, self.stack = mesh, name, mesh.stack
        self.address = f"10.255.0.{number}"
        self.labels = labels or {"istio": "ingressgateway"}
        self.environment = environment
        self.port, self.admin = self.stack.port(), self.stack.port()
        mesh.apply(self.moved())

    def moved(self):
        """The one thing that differs from a pod: which address and port the listener of :443 is bound to."""
        socket_address = {"address": "127.0.0.1", "port_value": self.port}
        return {
            "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
            "metadata": {"name": f"port-of-{self.name}", "namespace": "istio-ingress"},
            "spec": {"configPatches": [{
                "applyTo": "LISTENER",
                "match": {"context": "GATEWAY", "proxy": {"metadata": {"TEST_NAME": self.name}}, "listener": {"portNumber": 443}},
                "patch": {"operation": "MERGE", "value": {"address": {"socket_address": socket_address}}},
            }]},
        }

    def start(self, serving=True):
        """Starts Envoy; waits until it serves, or, if it is not to serve, until it has its configuration."""
        path = self.stack.write(f"{self.name}.json", json.dumps(self.bootstrap()))
        argv = [stacks.tool("envoy"), "-c", path, "--disable-hot-restart", "--concurrency", "1", "-l", "warning"]
        self.stack.start(self.name, argv + ["--component-log-level", "wasm:info"], env=self.environment)
        return self.await_configuration(serving)

    def await_configuration(self, serving):
        """Waits until Envoy serves; or, if it is not to serve, until it has refused what it was told."""
        check = self.told if serving else lambda: bool(self.refused())
        self.stack.wait(f"{self.name} to be told its configuration", check, 90, self.name)
        return self

    def told(self):
        return stacks.answers(f"http://127.0.0.1:{self.admin}/ready") and any("active_state" in x for x in self.listeners() or [])

    def bootstrap(self):
        namespace, account = self.namespace, self.account
        options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        return {
            "node": {
                "id": f"{self.role}~{self.address}~{self.name}.{namespace}~{namespace}.svc.cluster.local",
                "cluster": f"{self.name}.{namespace}",
                "metadata": {
                    "NAMESPACE": namespace, "NAME": self.name, "CLUSTER_ID": "Kubernetes", "ISTIO_VERSION": "1.31.0",
                    "MESH_ID": "cluster.local", "LABELS": self.labels, "INSTANCE_IPS": self.address,
                    "SERVICE_ACCOUNT": account, "TEST_NAME": self.name,
                },
            },
            "admin": {"address": address(self.admin)},
            "dynamic_resources": {
                "ads_config": {
                    "api_type": "DELTA_GRPC", "transport_api_version": "V3", "set_node_on_first_message_only": True,
                    "grpc_services": [{"envoy_grpc": {"cluster_name": "xds-grpc"}, **self.credential()}],
                },
                "cds_config": {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"},
                "lds_config": {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"},
            },
            "static_resources": {"clusters": [{
                "name": "xds-grpc", "type": "STATIC", "connect_timeout": "5s",
                "typed_extension_protocol_options": {options: {
                    "@type": f"type.googleapis.com/{options}", "explicit_http_config": {"http2_protocol_options": {}},
                }},
                "load_assignment": {"cluster_name": "xds-grpc", "endpoints": [{"lb_endpoints": [
                    {"endpoint": {"address": self.control_plane()}},
                ]}]},
            }]},
        }

    def control_plane(self):
        return address(self.mesh.xds)

    def credential(self):
        """The ServiceAccount's token on the way to istiod."""
        token = self.mesh.token(self.namespace, self.account, "istio-ca")
        return {"initial_metadata": [{"key": "authorization", "value": f"Bearer {token}"}]}

    def settle(self, seconds=60):
        """Waits until Envoy has been told all that was applied, and has taken or refused it."""
        mark = self.mesh.mark()
        self.stack.wait(f"{mark} at {self.name}", lambda: mark in self.get("/config_dump?resource=dynamic_route_configs"), seconds, self.name)
        self.stack.wait(f"{self.name} to warm", lambda: not any("warming_state" in x for x in self.listeners()), seconds, self.name)

    def listeners(self):
        try:
            return json.loads(self.get("/config_dump?resource=dynamic_listeners")).get("configs", [])
        except OSError:
            return None

    def refused(self):
        """Why Envoy has not taken a listener of istiod's, if so."""
        return [x["error_state"]["details"] for x in self.listeners() or [] if "error_state" in x]

    def filters(self):
        """The names of the HTTP filters in the active listener, in their order."""
        out = []
        for found in self.listeners() or []:
            for chain in found.get("active_state", {}).get("listener", {}).get("filter_chains", []):
                for network in chain["filters"]:
                    out += [f["name"] for f in network["typed_config"].get("http_filters", [])]
        return out

    def asked(self):
        """How many requests each upstream got from this Envoy."""
        text, counts = self.get("/clusters"), {}
        for line in text.splitlines():
            for name, cluster in meshes.CLUSTERS.items():
                if line.startswith(cluster + "::127.0.0.1:") and "::rq_total::" in line:
                    counts[name] = int(line.rpartition("::")[2])
        return counts

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=30) as answer:
            return answer.read().decode()

    def client(self, token=None, headers=None, host="metrics.example"):
        return Client(self.port, token, headers, host)


class Client(web.Client):
    """A caller by TLS, with the host as server name. Nobody listening is status 0."""

    def __init__(self, port, token=None, headers=None, host="metrics.example"):
        super().__init__(port, token, headers, host=host)

    def get(self, path, parameters=None, headers=None):
        return self.send("GET", path + ("?" + web.encode(parameters) if parameters else ""), None, headers)

    def form(self, path, parameters, headers=None):
        sent = {"content-type": "application/x-www-form-urlencoded", **(headers or {})}
        return self.send("POST", path, web.encode(parameters).encode(), sent)

    def send(self, method, path, body=None, headers=None):
        try:
            return self.exchange(method, path, body, {**self.headers, **(headers or {})})
        except (ConnectionError, ssl.SSLError, socket.timeout) as e:
            return web.Answer(0, {}, str(e).encode())

    def exchange(self, method, path, body, headers):
        context = ssl._create_unverified_context()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        try:
            connection.sock = context.wrap_socket(plain, server_hostname=self.host)
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("host", self.host)
            if body is not None:
                connection.putheader("content-length", str(len(body)))
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return web.Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            plain.close()
            connection.close()


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
