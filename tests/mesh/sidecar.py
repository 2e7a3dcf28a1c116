"""A workload's own Envoy with mutual TLS: the one beside Thanos Receive."""

import json

import agent

LABELS = {"app.kubernetes.io/name": "thanos-receive", "app.kubernetes.io/part-of": "thanos"}


class Sidecar(agent.AgentProxy):
    """The Envoy beside Thanos Receive; its inbound port is one of loopback."""

    def __init__(self, mesh, name, number, upstream):
        self.upstream = upstream
        super().__init__(mesh, name, number, labels=LABELS)

    namespace, account, role = "monitoring", "thanos", "sidecar"

    def moved(self):
        """No packets are redirected here: the listener is one of its own."""
        return {
            "apiVersion": "networking.istio.io/v1", "kind": "Sidecar", "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {
                "workloadSelector": {"labels": LABELS},
                "ingress": [{
                    "port": {"number": self.port, "protocol": "HTTP", "name": "http"}, "bind": "127.0.0.1",
                    "captureMode": "NONE", "defaultEndpoint": f"127.0.0.1:{self.upstream}",
                }],
                "egress": [{"hosts": ["~/*"]}],
            },
        }

    def bootstrap(self):
        made = super().bootstrap()
        made["node"]["metadata"]["INTERCEPTION_MODE"] = "NONE"
        return made


def moved_to(documents, port):
    """Manifests in which the port of remote-write is another."""
    return json.loads(json.dumps(documents).replace("19291", str(port)))
