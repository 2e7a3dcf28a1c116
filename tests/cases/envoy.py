"""One Envoy with the filter in front of a recording upstream."""

import json
import os
import re
import socket
import subprocess
import tempfile
import time
import urllib.request


class Envoy:
    """A running Envoy. Its log stays in `directory`."""

    def __init__(self, binary, module, document, setting, upstream_port, keys_port, keep=False, struct=False):
        self.directory = tempfile.mkdtemp(prefix="promfence-case-")
        self.keep = keep
        self.log = os.path.join(self.directory, "envoy.log")
        filters = [wasm(self.module(module, setting), document, setting, struct)] if module else []
        made = bootstrap(filters, setting, upstream_port, keys_port)
        path = os.path.join(self.directory, "envoy.json")
        with open(path, "w") as f:
            json.dump(made, f, indent=1)
        self.address_file = os.path.join(self.directory, "admin")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [binary, "-c", path, "--disable-hot-restart", "--concurrency", setting.get("workers", "1")]
                + ["--admin-address-path", self.address_file, "--log-level", "warning"]
                + ["--component-log-level", "wasm:info", "--file-flush-interval-msec", "100"],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
            )
        self.port = self.admin = None

    def module(self, path, setting):
        """The module, or its first half."""
        if setting.get("module") != "truncated":
            return os.path.abspath(path)
        with open(path, "rb") as f:
            whole = f.read()
        cut = os.path.join(self.directory, "module.wasm")
        with open(cut, "wb") as f:
            f.write(whole[: len(whole) // 2])
        return cut

    def wait(self, seconds=240):
        """Waits until Envoy listens; False if it ended."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            if self.listens():
                return True
            time.sleep(0.02)
        raise TimeoutError(f"Envoy neither listened nor ended within {seconds} s")

    def listens(self):
        try:
            with open(self.address_file) as f:
                self.admin = f.read().strip()
            listeners = json.loads(self.get("/listeners?format=json"))
            self.port = listeners["listener_statuses"][0]["local_address"]["socket_address"]["port_value"]
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return self.get("/ready").strip() == "LIVE"
        except (OSError, KeyError, IndexError, ValueError):
            return False

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=5) as r:
            return r.read().decode()

    def alive(self):
        return self.process.poll() is None

    def tail(self, lines=12):
        try:
            with open(self.log, errors="replace") as f:
                text = f.read()
        except OSError:
            return ""
        short = [re.sub(r"^\[[^\]]*\]\[\d+\]", "", line) for line in text.splitlines()]
        return "\n".join(line[:400] for line in short[-lines:])

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if not self.keep:
            for name in os.listdir(self.directory):
                os.unlink(os.path.join(self.directory, name))
            os.rmdir(self.directory)


def bootstrap(filters, setting, upstream_port, keys_port):
    """Envoy's configuration: one listener whose route takes every host and path."""
    trailers = {"enable_trailers": True} if "trailers" in setting.options else {}
    small = {"per_connection_buffer_limit_bytes": 32768} if setting.base == "C-buf32k" else {}
    http = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "cases",
        "codec_type": "AUTO",
        "http_protocol_options": trailers,
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "60s"}},
                        {"match": {"connect_matcher": {}}, "route": {"cluster": "upstream", "timeout": "60s"}},
                    ],
                }
            ]
        },
        "http_filters": filters
        + [
            {
                "name": "router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    if setting.get("request_timeout"):
        http["request_timeout"] = setting.get("request_timeout")
    clusters = [cluster("upstream", upstream_port, trailers, small)]
    if keys_port:
        clusters.append(cluster("jwks", keys_port, {}, {}))
    return {
        "admin": {"address": address(0)},
        "static_resources": {
            "listeners": [
                {
                    "name": "cases",
                    "address": address(0),
                    **small,
                    "filter_chains": [{"filters": [{"name": "http", "typed_config": http}]}],
                }
            ],
            "clusters": clusters,
        },
    }


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def cluster(name, port, http1, more):
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        **more,
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(port)}}]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http_protocol_options": http1},
            }
        },
    }


def wasm(module, document, setting, struct):
    text = json.dumps(document)
    configuration = {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text}
    if setting.get("config") == "truncated":
        configuration["value"] = text[: len(text) // 2]
    elif struct:
        configuration = {"@type": "type.googleapis.com/google.protobuf.Struct", "value": document}
    config = {
        "name": "promfence",
        "root_id": "promfence",
        "failure_policy": "FAIL_RELOAD",
        "reload_config": {"backoff": {"base_interval": "0.1s"}},
        "vm_config": {
            "vm_id": "promfence",
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": module}},
        },
        "configuration": configuration,
    }
    if setting.get("stop_iteration") != "off":
        config["allow_on_headers_stop_iteration"] = True
    return {
        "name": "promfence",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": config,
        },
    }
