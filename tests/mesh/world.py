"""What stands around the gateway in these tests: Thanos, the server of keys, certificates, addresses."""

import datetime
import http.server
import json
import ssl
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import issuer
import mesh as meshes
import stack as stacks

IDP = "https://idp.example/realms/metrics"
KEYS = "/realms/metrics/protocol/openid-connect/certs"


class World:
    """Thanos Receive and Query, and an identity provider that serves its keys by TLS."""

    def __init__(self, mesh):
        self.mesh, self.stack = mesh, mesh.stack
        self.issuer = issuer.Issuer(IDP, "thanos")
        self.asked_for_keys = 0

    def start(self):
        self.start_thanos()
        self.certificate, self.key = self.write_certificate("idp.example")
        self.keys_port = self.serve_keys()
        self.mesh.apply(*self.addresses())
        self.mesh.apply(*self.gateway_account(), self.gateway_certificate())
        return self

    def start_thanos(self):
        s, thanos = self.stack, stacks.tool("thanos")
        grpc, http, self.receive, query_grpc, self.query = (s.port() for _ in range(5))
        s.start("receive", [
            thanos, "receive", f"--tsdb.path={s.path('receive')}", "--tsdb.retention=1d", "--log.level=warn",
            f"--grpc-address=127.0.0.1:{grpc}", f"--http-address=127.0.0.1:{http}",
            f"--remote-write.address=127.0.0.1:{self.receive}",
            f"--receive.capnproto-address=127.0.0.1:{s.port()}", "--receive.tenant-header=THANOS-TENANT",
            "--receive.tenant-label-name=tenant_id", '--label=receive_replica="0"',
        ], f"http://127.0.0.1:{http}/-/ready", 120)
        s.start("query", [
            thanos, "query", "--log.level=warn", f"--grpc-address=127.0.0.1:{query_grpc}",
            f"--http-address=127.0.0.1:{self.query}", f"--endpoint=127.0.0.1:{grpc}", "--query.replica-label=receive_replica",
        ], f"http://127.0.0.1:{self.query}/-/ready", 120)

    def serve_keys(self):
        world = self

        class Keys(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                world.asked_for_keys += 1
                found = self.path == KEYS and self.headers.get("host") == "idp.example"
                body = json.dumps(world.issuer.jwks()).encode() if found else b""
                self.send_response(200 if found else 404)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                """Some callers are to fail at the certificate."""

        server = Server(("127.0.0.1", 0), Keys)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.keys_server = server
        return server.server_address[1]

    def addresses(self):
        """Where the names of istio/gateway.yaml are on this machine. Kubernetes takes no service on loopback."""
        def entry(name, namespace, host, port, protocol, target, location="MESH_INTERNAL"):
            return {
                "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {
                    "hosts": [host], "location": location, "resolution": "STATIC",
                    "ports": [{"number": port, "name": protocol.lower(), "protocol": protocol, "targetPort": target}],
                    "endpoints": [{"address": "127.0.0.1"}],
                },
            }

        return [
            entry("thanos-receive", "monitoring", "thanos-receive.monitoring.svc.cluster.local", 19291, "HTTP", self.receive),
            entry("thanos-query", "monitoring", "thanos-query.monitoring.svc.cluster.local", 9090, "HTTP", self.query),
            entry("kubernetes", "default", "kubernetes.default.svc.cluster.local", 443, "HTTPS", self.mesh.api_port),
        ]

    def here(self, documents):
        """Shipped manifests with the addresses and authorities of this machine; the rest as it stands."""
        out = json.loads(json.dumps(documents))
        for d in out:
            name = (d["kind"], d["metadata"]["name"])
            if name == ("ServiceEntry", "idp"):
                d["spec"].update(resolution="STATIC", endpoints=[{"address": "127.0.0.1"}])
                d["spec"]["ports"][0]["targetPort"] = self.keys_port
            if name == ("DestinationRule", "idp"):
                d["spec"]["trafficPolicy"]["tls"]["caCertificates"] = self.certificate
            if name == ("DestinationRule", "kubernetes"):
                d["spec"]["trafficPolicy"]["tls"]["caCertificates"] = self.stack.path("certs", "apiserver.crt")
            if d["kind"] == "WasmPlugin":
                d["spec"]["url"] = "file://" + stacks.module()
            if d["kind"] == "EnvoyFilter":
                for patch in d["spec"]["configPatches"]:
                    config = patch["patch"]["value"]["typed_config"]["config"]
                    config["vm_config"]["code"]["local"]["filename"] = stacks.module()
        return out

    def gateway_account(self):
        """What the chart of Istio's gateway makes: an account that may read the secrets beside it."""
        namespace, account = meshes.GATEWAY
        meta = {"name": account, "namespace": namespace}
        rbac = "rbac.authorization.k8s.io"
        return [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
            {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta,
             "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "watch", "list"]}]},
            {"apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": meta,
             "roleRef": {"apiGroup": rbac, "kind": "Role", "name": account},
             "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}]},
        ]

    def gateway_certificate(self):
        certificate, key = self.write_certificate("metrics.example")
        with open(certificate) as c, open(key) as k:
            data = {"tls.crt": c.read(), "tls.key": k.read()}
        meta = {"name": "metrics-example", "namespace": meshes.GATEWAY[0]}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "kubernetes.io/tls", "stringData": data}

    def write_certificate(self, host):
        """A self-signed certificate and its key, as files."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        now = datetime.datetime.now(datetime.timezone.utc)
        made = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        text = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
        return (
            self.stack.write(f"{host}.crt", made.public_bytes(pem).decode()),
            self.stack.write(f"{host}.key", text),
        )
