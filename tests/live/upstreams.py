"""Real upstreams of a stack, each started by one call that returns its port."""

import json
import subprocess

import stack as stacks

PROMETHEUS_FEATURES = "exemplar-storage,promql-experimental-functions,native-histograms,search-api"


def prometheus(stack, config=None, name="prometheus", *, rules=None, flags=(), features=PROMETHEUS_FEATURES, data=None, prefix=""):
    """A Prometheus that also takes remote-write."""
    port = stack.port()
    config = dict(config or {})
    if rules:
        config["rule_files"] = [stack.write(f"{name}-rules.yml", rules)]
    path = stack.write(f"{name}.yml", json.dumps(config or {"global": {}}))
    stack.start(
        name,
        [
            stacks.tool("prometheus"),
            f"--config.file={path}",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--storage.tsdb.path={data or stack.path(name, 'data')}",
            "--web.enable-remote-write-receiver",
            f"--enable-feature={features}",
            *([f"--web.route-prefix={prefix}"] if prefix else []),
            *flags,
        ],
        f"http://127.0.0.1:{port}{prefix}/-/ready",
    )
    return port


def alertmanager(stack, name="alertmanager", prefix=""):
    """An Alertmanager alone, without a cluster."""
    port = stack.port()
    config = {"route": {"receiver": "none", "group_by": ["alertname"], "group_wait": "1s"}, "receivers": [{"name": "none"}]}
    path = stack.write(f"{name}.yml", json.dumps(config))
    stack.start(
        name,
        [
            stacks.tool("alertmanager"),
            f"--config.file={path}",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--storage.path={stack.path(name, 'data')}",
            "--cluster.listen-address=",
            *([f"--web.route-prefix={prefix}"] if prefix else []),
        ],
        f"http://127.0.0.1:{port}{prefix}/-/ready",
    )
    return port


class Thanos:
    """The components of Thanos, each by its own call; `ports` has them by name."""

    def __init__(self, stack):
        self.stack, self.tool, self.ports = stack, stacks.tool("thanos"), {}

    def start(self, kind, name, *flags):
        http, grpc = self.stack.port(), self.stack.port()
        addresses = [f"--http-address=127.0.0.1:{http}"]
        if kind != "query-frontend":
            addresses.append(f"--grpc-address=127.0.0.1:{grpc}")
        argv = [self.tool, kind, "--log.level=warn", *addresses, *flags]
        self.stack.start(name, argv, f"http://127.0.0.1:{http}/-/ready", tries=3)
        self.ports[name], self.ports[name + "-grpc"] = http, grpc
        return http

    def receive(self, name="receive"):
        """A receiver; returns the port for writes."""
        write = self.stack.port()
        self.start(
            "receive",
            name,
            f"--tsdb.path={self.stack.path(name, 'data')}",
            f"--remote-write.address=127.0.0.1:{write}",
            f"--receive.capnproto-address=127.0.0.1:{self.stack.port()}",
            "--tsdb.retention=30d",
            "--tsdb.max-exemplars=1000",
            "--receive.tenant-header=THANOS-TENANT",
            "--receive.tenant-label-name=tenant_id",
            f'--label=receive_replica="{name}"',
        )
        self.ports[name + "-write"] = write
        return write

    def query(self, *endpoints, name="query", flags=()):
        """A querier over the gRPC addresses of components."""
        to = [f"--endpoint=127.0.0.1:{self.ports[e + '-grpc']}" for e in endpoints]
        return self.start("query", name, *to, "--query.replica-label=receive_replica", *flags)

    def sidecar(self, prometheus, tsdb, name="sidecar"):
        """A sidecar of a Prometheus: its series, rules, targets, metadata and exemplars."""
        return self.start("sidecar", name, f"--prometheus.url=http://127.0.0.1:{prometheus}", f"--tsdb.path={tsdb}")

    def store(self, blocks, name="store"):
        """A store gateway over a bucket in a folder. `blocks` maps a tenant to OpenMetrics."""
        bucket = json.dumps({"type": "FILESYSTEM", "config": {"directory": self.stack.path(name, "bucket")}})
        for tenant, text in blocks.items():
            file, made = self.stack.write(f"{name}-{tenant}.om", text), self.stack.path(name, tenant)
            run(stacks.tool("promtool"), "tsdb", "create-blocks-from", "openmetrics", file, made)
            upload = ["tools", "bucket", "upload-blocks", f"--path={made}", f"--objstore.config={bucket}"]
            run(self.tool, *upload, f'--label=tenant_id="{tenant}"')
        return self.start("store", name, f"--data-dir={self.stack.path(name, 'data')}", f"--objstore.config={bucket}")

    def rule(self, rules, query, name="rule", labels=("rule_replica=\"0\"",), flags=()):
        """A ruler over a rules file, with the whole text of a query configuration."""
        return self.start(
            "rule",
            name,
            f"--data-dir={self.stack.path(name, 'data')}",
            f"--rule-file={self.stack.write(f'{name}-rules.yml', rules)}",
            "--eval-interval=1s",
            f"--query.config={json.dumps(query)}",
            *(f"--label={label}" for label in labels),
            *flags,
        )

    def frontend(self, query, name="frontend"):
        """A query frontend with its results cache on, for results of any age."""
        cache = json.dumps({"type": "IN-MEMORY", "config": {"max_size": "64MB", "validity": "1h"}})
        return self.start(
            "query-frontend",
            name,
            f"--query-frontend.downstream-url=http://127.0.0.1:{query}",
            f"--query-range.response-cache-config={cache}",
            "--query-range.response-cache-max-freshness=0",
            f"--labels.response-cache-config={cache}",
            "--labels.response-cache-max-freshness=0",
        )


def run(*argv):
    """Runs a program to its end and returns what it printed."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, argv[:3]))} ended with {done.returncode}: {done.stderr[-2000:]}{done.stdout[-500:]}")
    return done.stdout
