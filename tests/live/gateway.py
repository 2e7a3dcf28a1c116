"""A real Envoy with the built filter, routed by seals as envoy/envoy.yaml is."""

import json
import os
import urllib.request

import stack as stacks
import web

SEAL = "x-promfence-seal"
TYPE = "type.googleapis.com/"
HTTP = TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = {"name": "router", "typed_config": {"@type": TYPE + "envoy.extensions.filters.http.router.v3.Router"}}


class Gateway:
    """An Envoy of a stack.

    `document` is the filter's configuration; every upstream in it has a `cluster` and a `seal` in
    plain text. `clusters` maps a cluster's name to a port of loopback, or to a whole cluster object.
    """

    def __init__(self, stack, document, clusters, *, name="envoy", envoy="envoy", workers=1, tls=None,
                 before=(), after=(), timeout="30s", listener=None, http=None, filters=None, rewrite=None):
        self.stack, self.name = stack, name
        self.document, self.clusters = {"seal": {"header": SEAL}, **document}, clusters
        self.workers, self.tls, self.timeout = workers, tls, timeout
        self.before, self.after, self.filters = list(before), list(after), filters
        self.rewrite = rewrite or {}
        self.listener, self.http = listener or {}, http or {}
        self.envoy = envoy
        self.port, self.admin = stack.port(), stack.port()

    def start(self):
        """Starts Envoy and waits until it serves; fails with its log if it ends."""
        path = self.stack.write(f"{self.name}.json", json.dumps(self.bootstrap(), indent=1))
        argv = [stacks.tool(self.envoy), "-c", path, "--disable-hot-restart", "--concurrency", self.workers]
        argv += ["--log-level", "warning", "--component-log-level", "wasm:info", "--file-flush-interval-msec", "100"]
        self.stack.start(self.name, argv, f"http://127.0.0.1:{self.admin}/ready", seconds=240)
        return self

    def bootstrap(self):
        return {
            "admin": {"address": address(self.admin)},
            "static_resources": {
                "listeners": [self.listener_config()],
                "clusters": [c if isinstance(c, dict) else cluster(n, c) for n, c in self.clusters.items()],
            },
        }

    def listener_config(self):
        chain = {"filters": [{"name": "http", "typed_config": self.manager()}]}
        if self.tls:
            chain["transport_socket"] = self.tls
        return {"name": self.name, "address": address(self.port), "filter_chains": [chain], **self.listener}

    def manager(self):
        chain = self.filters if self.filters is not None else [*self.before, wasm(self.document), *self.after]
        return {
            "@type": HTTP,
            "stat_prefix": "gateway",
            "use_remote_address": True,
            "strip_any_host_port": True,
            "stream_idle_timeout": "60s",
            "access_log": [access_log()],
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": self.routes()}]},
            "http_filters": [*chain, ROUTER],
            **self.http,
        }

    def routes(self):
        """One route for each seal of the document; nothing else gets anywhere."""
        out = []
        for entry in self.document.get("upstreams", []):
            for upstream in entry.values():
                # A document that the filter refuses must not be refused for its routes.
                name = upstream.get("cluster", next(iter(self.clusters), "none"))
                route = {"cluster": name, "timeout": self.timeout}
                prefix = upstream.get("prefix", "")
                target = self.rewrite.get(name, "")
                if prefix or target:
                    pattern = f"^{prefix}(/.*)$"
                    route["regex_rewrite"] = {"pattern": {"regex": pattern}, "substitution": target + "\\1"}
                out.append({
                    "match": {"prefix": "/", "headers": [{"name": SEAL, "string_match": {"exact": upstream.get("seal", "none")}}]},
                    "request_headers_to_remove": [SEAL],
                    "route": route,
                })
        return out

    def client(self, token=None, **more):
        return web.Client(self.port, token, **more)

    def stats(self, prefix="wasmcustom.promfence"):
        """Envoy's counters and gauges with this prefix, by name without it."""
        text = self.get(f"/stats?filter=^{prefix}")
        pairs = (line.rpartition(": ") for line in text.splitlines() if ": " in line)
        return {name[len(prefix):].lstrip("."): int(value) for name, _, value in pairs if value.strip().isdigit()}

    def modules(self):
        """Bytes of the memories of the module's instances, the largest first: V8 reserves gibibytes
        for each, and what the instance has not grown to yet may not be touched."""
        with open(f"/proc/{self.stack.processes[self.name].pid}/maps") as f:
            lines = [line.split() for line in f]
        found = []
        for line, after in zip(lines, lines[1:]):
            (start, end), (begin, last) = (map(lambda n: int(n, 16), fields[0].split("-")) for fields in (line, after))
            if line[1] == "rw-p" and after[1] == "---p" and end == begin and last - begin > 1 << 30:
                found.append(end - start)
        return sorted(found, reverse=True)

    def get(self, path, method="GET"):
        """A request to Envoy's admin interface."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin}{path}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def log(self, characters=6000):
        return self.stack.log(self.name, characters)

    def alive(self):
        return self.stack.processes[self.name].poll() is None


def traps(log):
    """The lines of Envoy's log that tell of a trap of the module."""
    words = ("Uncaught RuntimeError", "panicked at", "Function: proxy_on", "vm_failed", "reload failed")
    return [line.strip() for line in log.splitlines() if any(w in line for w in words)]


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def cluster(name, port, **more):
    """A cluster of one loopback endpoint, HTTP/1.1."""
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(port)}}]}],
        },
        **more,
    }


def wasm(document, name="promfence", path=None, environment=None, vm_id="promfence"):
    """The filter with a configuration, as envoy/envoy.yaml ships it."""
    vm = {
        "vm_id": vm_id,
        "runtime": "envoy.wasm.runtime.v8",
        "code": {"local": {"filename": path or stacks.module()}},
    }
    if environment:
        vm["environment_variables"] = {"key_values": environment}
    return {
        "name": name,
        "typed_config": {
            "@type": TYPE + "envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": name,
                "root_id": name,
                "failure_policy": "FAIL_RELOAD",
                "reload_config": {"backoff": {"base_interval": "0.1s"}},
                "allow_on_headers_stop_iteration": True,
                "vm_config": vm,
                "configuration": {"@type": TYPE + "google.protobuf.StringValue", "value": json.dumps(document)},
            },
        },
    }


def access_log():
    """What the filter decided, a JSON line a request, on Envoy's output."""
    state = {n: f"%FILTER_STATE(wasm.promfence.{n}:PLAIN)%" for n in ("tenant", "subject", "endpoint", "decision")}
    more = {"method": "%REQ(:METHOD)%", "path": "%PATH(NQ:PATH)%", "status": "%RESPONSE_CODE%", "details": "%RESPONSE_CODE_DETAILS%"}
    return {
        "name": "stdout",
        "typed_config": {
            "@type": TYPE + "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            "log_format": {"json_format": {**state, **more}},
        },
    }
