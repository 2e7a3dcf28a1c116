"""One virtual machine, several configurations and neighbours: none learns or changes what another one knows."""

import hashlib
import json
import os
import struct
import subprocess
import threading
import time
import unittest

import gateway
import keyserver
import recorder
import signer
import stack
from signer import Key, claims, token

QUERY = ("/api/v1/query", {"query": "up"})
SECRET = "0123456789abcdef0123456789abcdef"
UPSTREAM = {"thanos": {"hosts": ["gateway.test"], "cluster": "query", "seal": "q" * 32}}


def document(issuer, **auth):
    return {"auth": {"issuers": [issuer], **auth}, "upstreams": [UPSTREAM]}


class Behind(unittest.TestCase):
    def setUp(self):
        self.stack = stack.Stack("isolation")
        self.addCleanup(self.stack.end)
        self.upstream = recorder.Recorder(self.stack)
        self.addCleanup(self.upstream.close)

    def served(self):
        """A server with the first of some keys."""
        self.keys = {kid: Key("ES256", kid) for kid in ("one", "two", "forged")}
        self.server = keyserver.KeyServer(self.stack, keyserver.jwks(self.keys["one"]))
        self.addCleanup(self.server.close)
        self.server.open()


class TwoListenersInOneMachine(Behind):
    def test_conflicting_policies_never_share_a_verdict(self):
        """The same issuer, audience and `kid`; other keys, other claims, other rights."""
        first, second = Key("ES256", "same"), Key("ES256", "same")
        left = gateway.Gateway(self.stack, document(signer.issuer([first])), {"query": self.upstream.port}, workers=2)
        right = document(signer.issuer([second], tenants=[{"claim": "/groups", "strip_prefix": "team-"}]),
                         anonymous={"read": ["public"], "write": "none"})
        right = {"seal": {"header": gateway.SEAL}, **right}
        # The second listener: another policy for the same code under the same `vm_id`.
        other = gateway.Gateway(self.stack, right, {}, name="right")
        bootstrap = left.bootstrap
        left.bootstrap = lambda: self.joined(bootstrap(), other)
        left.start()
        both = {"tenants": ["a"], "groups": ["team-b"]}
        one, two = token(first, claims(**both)), token(second, claims(**both))
        expected = [
            (left.port, one, 200, 'up{tenant_id="a"}'), (other.port, one, 401, None),
            (left.port, two, 401, None), (other.port, two, 200, 'up{tenant_id="b"}'),
            (left.port, None, 401, None), (other.port, None, 200, 'up{tenant_id="public"}'),
        ]
        failures = []

        def caller(start):
            for i in range(120):
                port, made, status, _ = expected[(start + i) % len(expected)]
                answer = gateway.web.Client(port, made).get(*QUERY)
                if answer.status != status:
                    failures.append((start + i, port, answer))

        callers = [threading.Thread(target=caller, args=(n,)) for n in range(6)]
        for c in callers:
            c.start()
        for c in callers:
            c.join()
        self.assertEqual(failures, [])
        self.upstream.taken()
        for port, made, status, query in expected * 5:
            self.assertEqual(gateway.web.Client(port, made).get(*QUERY).status, status)
            self.assertEqual([t.query for t in self.upstream.taken()], [query] if query else [])

    def joined(self, bootstrap, other):
        bootstrap["static_resources"]["listeners"].append(other.listener_config())
        return bootstrap


class AHostileNeighbour(Behind):
    """A second plugin under the same `vm_id` overwrites every entry of shared data a hundred times a second."""

    @classmethod
    def setUpClass(cls):
        source = os.path.join(stack.ROOT, "tests", "hostile-plugin")
        target = os.path.join(stack.ROOT, "target", "hostile-plugin")
        done = subprocess.run(
            ["cargo", "build", "--locked", "--quiet", "--release", "--target", "wasm32-wasip1", "--target-dir", target],
            cwd=source, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"the hostile plugin does not build: {done.stderr[-2000:]}")
        cls.plugin = os.path.join(target, "wasm32-wasip1", "release", "hostile_plugin.wasm")

    def binding(self):
        """What names the filter's entry, as src/auth/shared.rs has it: no secret is in it."""
        parts = [signer.URL, "keys", "keys.test", "/jwks"]
        framed = b"".join(struct.pack("<Q", len(p)) + p.encode() for p in parts)
        return hashlib.sha256(b"promfence keys 1\n" + framed + bytes(16)).hexdigest()[:32]

    def hostile(self):
        now, body = time.time(), json.dumps(keyserver.jwks(self.keys["forged"])).encode()
        forged = b"promfence keys 1\n" + struct.pack("<dd", now + 30, 300.0) + bytes(32) + body
        plugin = gateway.wasm({}, name="hostile", path=self.plugin)
        configuration = {"@type": gateway.TYPE + "google.protobuf.StringValue",
                         "value": f"promfence.keys.{self.binding()} {forged.hex()}"}
        plugin["typed_config"]["config"]["configuration"] = configuration
        return plugin

    def test_nothing_happens(self):
        self.served()
        remote = self.server.config(refresh="1s")
        made = document(signer.issuer(remote), shared_keys={"secret": SECRET})
        clusters = {"query": self.upstream.port, "keys": self.server.port}
        gateway_ = gateway.Gateway(self.stack, made, clusters, workers=2, before=[self.hostile()]).start()

        def ask(kid):
            return gateway_.client(token(self.keys[kid], claims("a"))).get(*QUERY).status

        self.stack.wait("the first keys", lambda: ask("one") == 200, 60)
        # It did see an authentic entry, so the filter does share; and it goes on writing.
        self.stack.wait("the neighbour to have seen an entry", lambda: self.hostile_stats(gateway_)["seen"] > 0, 60)
        written = self.hostile_stats(gateway_)["written"]
        statuses = {"one": set(), "forged": set()}
        end = time.monotonic() + 8
        while time.monotonic() < end:
            for kid, seen in statuses.items():
                seen.add(ask(kid))
        self.assertEqual(statuses["one"], {200})
        # 503 where the key server was about to be asked: never let in.
        self.assertLessEqual(statuses["forged"], {401, 503})
        self.assertGreater(self.hostile_stats(gateway_)["written"], written + 20)
        # Keys that were withdrawn do not come back by an old entry that is played again.
        self.server.answer = keyserver.jwks(self.keys["two"])
        self.stack.wait("the new keys everywhere", lambda: all(ask("one") == 401 for _ in range(8)), 60)
        end = time.monotonic() + 3
        while time.monotonic() < end:
            self.assertEqual((ask("one"), ask("two")), (401, 200))
        self.assertTrue(gateway_.alive())
        queries = {t.query for t in self.upstream.taken()}
        self.assertEqual(queries, {'up{tenant_id="a"}'})

    def hostile_stats(self, gateway_):
        stats = gateway_.stats("wasmcustom.hostile")
        return {"seen": stats.get("seen", 0), "written": stats.get("written", 0)}


class UpdatesOfTheConfiguration(Behind):
    """Listeners from a file, replaced while requests run."""

    UPDATES = 6

    def start(self, auth):
        self.served()
        clusters = {"query": self.upstream.port, "keys": self.server.port}
        issuer = signer.issuer(self.server.config(refresh="10m", timeout="20s"))
        self.gateway = gateway.Gateway(self.stack, document(issuer, **auth), clusters, workers=2)
        plain = self.gateway.bootstrap

        def dynamic():
            made = plain()
            del made["static_resources"]["listeners"]
            self.put(0)
            path = {"path": self.stack.path("dynamic", "listeners.json"),
                    "watched_directory": {"path": self.stack.path("dynamic")}}
            made["dynamic_resources"] = {"lds_config": {"resource_api_version": "V3", "path_config_source": path}}
            made["node"] = {"id": "test", "cluster": "test"}
            return made

        self.gateway.bootstrap = dynamic
        self.gateway.start()
        self.stack.wait("the first keys", lambda: self.status() == 200, 60)

    def put(self, version):
        """Writes the listener; each version has a configuration of its own."""
        self.gateway.document["limits"] = {"parameters": 64 + version}
        listener = {"@type": gateway.TYPE + "envoy.config.listener.v3.Listener", **self.gateway.listener_config()}
        text = json.dumps({"version_info": str(version), "resources": [listener]})
        path = self.stack.path("dynamic", "listeners.json")
        self.stack.write("dynamic/.new", text)
        os.replace(self.stack.path("dynamic", ".new"), path)

    def status(self):
        try:
            return self.gateway.client(token(self.keys["one"], claims("a"))).get(*QUERY).status
        except OSError as e:
            return repr(e)

    def updates(self):
        """Requests run while the listener is replaced; all statuses that were seen."""
        statuses, running = [], threading.Event()

        def caller():
            while not running.is_set():
                statuses.append(self.status())

        callers = [threading.Thread(target=caller) for _ in range(3)]
        for c in callers:
            c.start()
        before = self.gateway.stats("listener_manager.lds")["update_success"]
        for version in range(1, self.UPDATES + 1):
            self.put(version)
            self.stack.wait("the update", lambda: self.gateway.stats(
                "listener_manager.lds")["update_success"] >= before + version, 60)
            time.sleep(0.5)
        running.set()
        for c in callers:
            c.join()
        self.assertGreater(len(statuses), self.UPDATES)
        self.assertEqual(self.gateway.stats("listener_manager")["listener_modified"], self.UPDATES)
        return set(statuses)

    def test_keys_are_kept_though_the_key_server_is_down(self):
        self.start({"shared_keys": {"secret": SECRET}})
        self.server.close()
        self.assertEqual(self.updates(), {200})

    def test_without_a_secret_requests_wait_for_the_keys(self):
        self.start({})
        self.assertEqual(self.updates(), {200})


if __name__ == "__main__":
    unittest.main()
