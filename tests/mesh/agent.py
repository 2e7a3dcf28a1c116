"""A gateway's Envoy behind Istio's own agent, which fetches modules from registries and serves secrets."""

import json
import os

import yaml

import authority
import proxy as proxies
import stack as stacks


class AgentProxy(proxies.Proxy):
    """As in a pod: pilot-agent speaks to istiod, starts Envoy, and hands its configuration on."""

    def __init__(self, mesh, name, number, registry="none", **more):
        super().__init__(mesh, name, number, **more)
        self.registry = registry

    def start(self, serving=True):
        self.launch()
        return self.await_configuration(serving)

    def launch(self):
        """Starts the agent, which starts Envoy, and waits for nothing."""
        namespace, account = self.namespace, self.account
        home = self.stack.path(self.name, "home")
        os.makedirs(home, exist_ok=True)
        # The paths of a pod, below the directory that the agent runs in.
        self.put("var/run/secrets/tokens/istio-token", self.mesh.token(namespace, account, "istio-ca"))
        self.put_certificates()
        self.put("etc/istio/proxy/bootstrap.json", json.dumps(self.bootstrap()))
        config = {
            "binaryPath": stacks.tool("envoy"), "customConfigFile": "etc/istio/proxy/bootstrap.json",
            "discoveryAddress": f"127.0.0.1:{self.mesh.xds}", "controlPlaneAuthPolicy": "NONE",
            # A port that is taken: the agent's own server would listen on all addresses of this machine.
            "statusPort": self.mesh.http, "proxyAdminPort": self.admin, "terminationDrainDuration": "0.1s", "concurrency": 1,
        }
        environment = {
            **self.environment, "HOME": home, "PROXY_CONFIG": yaml.safe_dump(config), "INSTANCE_IP": self.address,
            "POD_NAME": self.name, "POD_NAMESPACE": namespace, "SERVICE_ACCOUNT": account, "ISTIO_META_CLUSTER_ID": "Kubernetes",
            "WASM_INSECURE_REGISTRIES": self.registry, "MINIMUM_DRAIN_DURATION": "100ms", "GRPC_XDS_BOOTSTRAP": "",
        }
        argv = [stacks.tool("pilot-agent"), "proxy", self.role, "--domain", f"{namespace}.svc.cluster.local"]
        self.stack.start(self.name, argv, env=environment, cwd=self.stack.path(self.name))

    def put(self, name, text):
        return self.stack.write(os.path.join(self.name, name), text)

    def put_certificates(self):
        """The workload's certificate: the agent hands it, and authorities in files, to Envoy."""
        signer = authority.Authority(self.mesh)
        chain, key = signer.workload(self.namespace, self.account)
        where = "var/run/secrets/workload-spiffe-credentials"
        self.put(f"{where}/cert-chain.pem", chain)
        self.put(f"{where}/key.pem", key)
        self.put(f"{where}/root-cert.pem", signer.root.decode())

    def bootstrap(self):
        made = super().bootstrap()
        secrets = json.loads(json.dumps(made["static_resources"]["clusters"][0]))
        secrets["name"] = secrets["load_assignment"]["cluster_name"] = "sds-grpc"
        pipe = {"pipe": {"path": "var/run/secrets/workload-spiffe-uds/socket"}}
        secrets["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"] = pipe
        made["static_resources"]["clusters"].append(secrets)
        return made

    def control_plane(self):
        return {"pipe": {"path": "etc/istio/proxy/XDS"}}

    def credential(self):
        return {}
