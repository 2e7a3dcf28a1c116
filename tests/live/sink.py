"""A gateway before a receiver that takes everything, and what its Envoy takes of memory."""

import yaml

import gateway
import stack

MIB = 1 << 20


class Sink(gateway.Gateway):
    """A gateway whose only cluster is a listener of its own that answers 200 to every request."""

    def __init__(self, stack, document, **more):
        self.sink = stack.port()
        super().__init__(stack, document, {"sink": self.sink}, **more)

    def bootstrap(self):
        made = super().bootstrap()
        routes = [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}]
        # The body is read to its end, so that the connection can be used again.
        buffer = {"@type": gateway.TYPE + "envoy.extensions.filters.http.buffer.v3.Buffer", "max_request_bytes": 128 * MIB}
        manager = {
            "@type": gateway.HTTP, "stat_prefix": "sink",
            "route_config": {"virtual_hosts": [{"name": "sink", "domains": ["*"], "routes": routes}]},
            "http_filters": [{"name": "envoy.filters.http.buffer", "typed_config": buffer}, gateway.ROUTER],
        }
        chain = {"filters": [{"name": "http", "typed_config": manager}]}
        made["static_resources"]["listeners"].append({"name": "sink", "address": gateway.address(self.sink), "filter_chains": [chain]})
        made["stats_config"] = {"stats_tags": self.tags()}
        return made

    def tags(self):
        with open(f"{stack.ROOT}/envoy/envoy.yaml") as f:
            return yaml.safe_load(f)["stats_config"]["stats_tags"]

    def manager(self):
        made = super().manager()
        made["access_log"] = []
        return made

    def memory(self, field="VmRSS"):
        """Bytes of this Envoy's memory now, or at most so far (VmHWM)."""
        with open(f"/proc/{self.stack.processes[self.name].pid}/status") as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith(field + ":"))
