"""A real mesh on loopback without containers: etcd, kube-apiserver, istiod, and Envoys that it configures."""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
import stack as stacks  # noqa: E402

ADMIN = "admin-of-the-test"
ISSUER = "https://kubernetes.default.svc.cluster.local"
NAMESPACES = ("istio-system", "istio-ingress", "monitoring", "team-a", "team-b")
GATEWAY = ("istio-ingress", "istio-ingressgateway")
CLUSTERS = {
    "receive": "outbound|19291||thanos-receive.monitoring.svc.cluster.local",
    "query": "outbound|9090||thanos-query.monitoring.svc.cluster.local",
}


class Refused(Exception):
    """What the API server says against a manifest."""


class Mesh:
    """The control plane. Everything listens on 127.0.0.1 and ends with the stack."""

    def __init__(self, stack):
        self.stack = stack
        self.api = f"https://127.0.0.1:{(port := stack.port())}"
        self.api_port = port
        self.xds, self.http, self.monitor = stack.port(), stack.port(), stack.port()
        self.resources, self.marks = {}, 0

    def start(self):
        self.start_api()
        for name in NAMESPACES:
            self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        self.apply(*load(stacks.tool("istio-crds")))
        # Its endpoint is the address of no machine: Envoy would wait for it.
        hidden = {"name": "kubernetes", "namespace": "default", "annotations": {"networking.istio.io/exportTo": "~"}}
        self.stack.wait("the service kubernetes", lambda: self.try_call("GET", "/api/v1/namespaces/default/services/kubernetes"), 60)
        self.apply({"apiVersion": "v1", "kind": "Service", "metadata": hidden})
        self.start_istiod()
        return self

    def start_api(self):
        s, etcd, peer = self.stack, self.stack.port(), self.stack.port()
        url, peers = f"http://127.0.0.1:{etcd}", f"http://127.0.0.1:{peer}"
        s.start("etcd", [
            stacks.tool("etcd"), "--data-dir", s.path("etcd"), "--unsafe-no-fsync",
            "--listen-client-urls", url, "--advertise-client-urls", url,
            "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}",
        ], f"{url}/health")
        account = s.write("account.key", private_key())
        tokens = s.write("tokens.csv", f'{ADMIN},admin,1,"system:masters"\n')
        s.start("kube-apiserver", [
            stacks.tool("kube-apiserver"), f"--etcd-servers={url}", "--bind-address=127.0.0.1", "--advertise-address=10.255.0.2",
            f"--secure-port={self.api_port}", f"--cert-dir={s.path('certs')}",
            f"--service-account-issuer={ISSUER}", f"--service-account-key-file={account}",
            f"--service-account-signing-key-file={account}", f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/16",
            "--disable-admission-plugins=ServiceAccount", "--v=0",
        ], lambda: self.try_call("GET", "/readyz"), 120)

    def start_istiod(self):
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "mesh",
            "clusters": [{"name": "mesh", "cluster": {"server": self.api, "insecure-skip-tls-verify": True}}],
            "users": [{"name": "mesh", "user": {"token": ADMIN}}],
            "contexts": [{"name": "mesh", "context": {"cluster": "mesh", "user": "mesh"}}],
        }
        kubeconfig = self.stack.write("kubeconfig", yaml.safe_dump(config))
        environment = {
            "HOME": self.stack.directory,
            # Filters that only Istio's own build of Envoy has.
            "PILOT_ENABLE_METADATA_EXCHANGE": "false", "PILOT_ENABLE_ALPN_FILTER": "false",
            # Gateways show their ServiceAccount's token without TLS, and get secrets for it.
            "XDS_AUTH_PLAINTEXT": "true",
            # jwt_authn fetches keys itself, over the ServiceEntry.
            "PILOT_JWT_ENABLE_REMOTE_JWKS": "envoy",
            # No flood of changes is to be waited for.
            "PILOT_DEBOUNCE_AFTER": "20ms",
        }
        local = "127.0.0.1"
        self.stack.start("istiod", [
            stacks.tool("pilot-discovery"), "discovery", "--kubeconfig", kubeconfig,
            "--httpAddr", f"{local}:{self.http}", "--grpcAddr", f"{local}:{self.xds}", "--secureGRPCAddr=", "--httpsAddr=",
            "--monitoringAddr", f"{local}:{self.monitor}", "--ctrlz_port", "0", "--ctrlz_address", local,
        ], f"http://{local}:{self.http}/ready", 120, env=environment)

    def call(self, method, path, body=None, kind="application/json"):
        """A request to the API server as its administrator; returns the parsed answer."""
        request = urllib.request.Request(
            self.api + path, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {ADMIN}", "Content-Type": kind},
        )
        try:
            with urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=60) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as e:
            raise Refused(f"{method} {path}: {e.code} {e.read().decode(errors='replace')[:800]}") from None
        return json.loads(text) if text.startswith("{") else text

    def try_call(self, *a):
        try:
            return self.call(*a)
        except (OSError, Refused):
            return None

    def apply(self, *manifests, dry=False):
        """Server-side apply, as `kubectl apply --server-side --force-conflicts`; the API server validates,
        and refuses unknown fields."""
        for m in manifests:
            path = self.path_of(m) + "?fieldManager=test&force=true&fieldValidation=Strict" + "&dryRun=All" * dry
            self.call("PATCH", path, m, "application/apply-patch+yaml")

    def delete(self, *manifests):
        for m in manifests:
            try:
                self.call("DELETE", self.path_of(m))
            except Refused as e:
                if " 404 " not in str(e):
                    raise

    def path_of(self, manifest):
        group, kind, meta = manifest["apiVersion"], manifest["kind"], manifest["metadata"]
        base = ("/apis/" if "/" in group else "/api/") + group
        plural, namespaced = self.resource(base, kind)
        where = f"/namespaces/{meta.get('namespace', 'default')}" if namespaced else ""
        return f"{base}{where}/{plural}/{meta['name']}"

    def resource(self, base, kind):
        """The plural of a kind and whether it has namespaces; a new kind takes a moment to be served."""
        end = time.monotonic() + 60
        while (base, kind) not in self.resources:
            for r in (self.try_call("GET", base) or {}).get("resources", []):
                if "/" not in r["name"]:
                    self.resources[base, r["kind"]] = r["name"], r["namespaced"]
            if (base, kind) not in self.resources:
                if time.monotonic() > end:
                    raise Refused(f"the API server knows no {kind} in {base}")
                time.sleep(0.1)
        return self.resources[base, kind]

    def token(self, namespace, account, audience, seconds=3600):
        """A ServiceAccount's token, as the kubelet projects it."""
        self.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": namespace}})
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                 "spec": {"audiences": [audience], "expirationSeconds": seconds}}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        return self.call("POST", path, asked)["status"]["token"]

    def mark(self):
        """Changes something that every gateway is told after all that was applied before; returns it."""
        self.marks += 1
        mark = f"mark-{self.marks}."
        header = {"header": {"key": "x-mark", "value": mark}}
        self.apply({
            "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
            "metadata": {"name": "mark", "namespace": "istio-ingress"},
            "spec": {"configPatches": [{
                "applyTo": "ROUTE_CONFIGURATION", "match": {"context": "GATEWAY"},
                "patch": {"operation": "MERGE", "value": {"response_headers_to_add": [header]}},
            }]},
        })
        return mark


def load(path):
    """The documents of a YAML file."""
    with open(path) as f:
        return [d for d in yaml.load_all(f, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if d]


def shipped(name):
    """The documents of a file of istio/."""
    return load(os.path.join(stacks.ROOT, "istio", name))


def private_key():
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(s.Encoding.PEM, s.PrivateFormat.TraditionalOpenSSL, s.NoEncryption()).decode()
