"""Gateways whose configuration changes while they run: by a file of listeners, or by a hot restart."""

import json
import os
import random

import gateway
import stack as stacks


class FileGateway(gateway.Gateway):
    """A gateway whose listener comes from a file that Envoy watches."""

    def bootstrap(self):
        made = super().bootstrap()
        made["static_resources"].pop("listeners")
        made["node"] = {"id": "gateway", "cluster": "gateway"}
        made["dynamic_resources"] = {"lds_config": {"resource_api_version": "V3", "path_config_source": {"path": self.push(self.document)}}}
        return made

    def push(self, document):
        """Puts another configuration of the filter in place, good or bad."""
        kept, self.document = self.document, {**document, "seal": {"header": gateway.SEAL}}
        listener = {"@type": gateway.TYPE + "envoy.config.listener.v3.Listener", **self.listener_config()}
        self.document = kept
        path = self.stack.path("listeners.json")
        with open(path + ".new", "w") as f:
            json.dump({"version_info": str(random.random()), "resources": [listener]}, f)
        os.replace(path + ".new", path)
        return path

    def updates(self):
        """(accepted, rejected) updates so far."""
        stats = self.stats("listener_manager.lds.update_")
        return stats.get("success", 0), stats.get("rejected", 0)

    def pushed(self, document):
        """Whether Envoy took the configuration; waits until it has decided."""
        before = self.updates()
        self.push(document)
        self.stack.wait("Envoy to decide on a configuration", lambda: self.updates() != before, 240)
        return self.updates()[0] > before[0]


class RestartedGateway(gateway.Gateway):
    """A gateway that a newer process can take over from."""

    epoch = -1

    def start(self):
        self.base = self.base if self.epoch >= 0 else random.randrange(1000, 30000)
        self.epoch += 1
        self.admin = self.stack.port()
        name = f"envoy-{self.epoch}"
        path = self.stack.write(f"{name}.json", json.dumps(self.bootstrap(), indent=1))
        self.stack.start(name, [
            stacks.tool("envoy"), "-c", path, "--base-id", self.base, "--restart-epoch", self.epoch, "--concurrency", self.workers,
            "--drain-time-s", 2, "--parent-shutdown-time-s", 4, "--log-level", "warning", "--component-log-level", "wasm:info",
        ], f"http://127.0.0.1:{self.admin}/ready", seconds=240)
        self.name = name
        return self
