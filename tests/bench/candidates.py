"""What is compared: each a proxy before the same upstream, with the processes whose CPU counts."""

import json
import os
import subprocess

import gateway as gateways
import stack as stacks
from load import HOST

HERE = os.path.dirname(os.path.abspath(__file__))
LABEL = "tenant_id"

BARE, NOOP, CALLS, JWT, CACHED, CHAIN, OURS = (
    "bare Envoy", "empty wasm filter", "the host calls alone", "jwt_authn", "jwt_authn, cached",
    "jwt_authn + prom-label-proxy", "Promfence",
)


class Candidate:
    """A proxy that listens on `port`; `pids` are the processes whose CPU counts."""

    def __init__(self, name, stack, gateway, programs):
        self.name, self.gateway, self.port = name, gateway, gateway.port
        self.pids = [stack.processes[p].pid for p in programs]
        self.host = HOST

    def under(self, name, host):
        """The same processes as a candidate of their own, under another host."""
        other = object.__new__(Candidate)
        other.__dict__.update(self.__dict__, name=name, host=host)
        return other

    def cpu(self):
        """Seconds of CPU that the processes have used so far, all threads, user and system."""
        return sum(cpu(pid) for pid in self.pids)

    def memory(self):
        """Resident bytes now, of all its processes."""
        pages = sum(int(open(f"/proc/{pid}/statm").read().split()[1]) for pid in self.pids)
        return pages * os.sysconf("SC_PAGE_SIZE")


def cpu(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def document(mint, upstreams, **more):
    """The filter's configuration: as shipped, but for what a part measures."""
    return {"tenancy": {"label": LABEL}, "auth": {"issuers": [mint.issuer()], **more}, "upstreams": upstreams}


def prometheus(**more):
    return {"prometheus": {"hosts": [HOST], "cluster": "upstream", "seal": "seal-of-the-bench-000", **more}}


def start(name, stack, upstream, mint, *, workers=1, cache=100, doc=None):
    """Starts one candidate before nginx."""
    programs, port = [], upstream.port
    if name == CHAIN:
        port = stack.port()
        argv = [stacks.tool("prom-label-proxy"), "-insecure-listen-address", f"127.0.0.1:{port}", "-label", LABEL]
        argv += ["-upstream", f"http://127.0.0.1:{upstream.port}", "-header-name", "x-tenant", "-enable-label-apis"]
        stack.start("plp", argv, f"http://127.0.0.1:{port}/healthz", env={"GOMAXPROCS": str(workers)})
        programs.append("plp")
    filters = {
        BARE: [],
        NOOP: [wasm("noop")],
        CALLS: [wasm("calls")],
        JWT: [mint.jwt_authn()],
        CACHED: [mint.jwt_authn(cache)],
        CHAIN: [mint.jwt_authn(cache)],
        OURS: None,
    }[name]
    sealed = name == OURS
    http = {"access_log": []}
    if not sealed:
        http["route_config"] = {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "30s"}}]}]}
    short = "".join(c for c in name if c.isalnum())
    gateway = gateways.Gateway(
        stack, (doc or document(mint, [prometheus()])) if sealed else {}, {"upstream": port},
        name=short, workers=workers, filters=filters, http=http,
    ).start()
    return Candidate(name, stack, gateway, [short, *programs])


def wasm(name):
    """A filter of tests/bench, built if it is not up to date."""
    directory = os.path.join(HERE, name)
    target = os.path.join(stacks.ROOT, "target", "bench")
    subprocess.run(
        ["cargo", "build", "--quiet", "--locked", "--release", "--target", "wasm32-wasip1"],
        cwd=directory, env={**os.environ, "CARGO_TARGET_DIR": target}, check=True,
    )
    path = os.path.join(target, "wasm32-wasip1", "release", f"{name}.wasm")
    return gateways.wasm({}, name=name, path=path, vm_id=name)
