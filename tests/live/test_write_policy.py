"""Limits, counters and memory of writes, before a receiver that takes everything."""

import os
import socket
import subprocess
import time
import unittest

import yaml

import bodies
import gateway
import issuer
import stack
import writes

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
        """Bytes of this Envoy's memory now, or at most (VmHWM)."""
        with open(f"/proc/{self.stack.processes[self.name].pid}/status") as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith(field + ":"))


class WhatIsShipped(unittest.TestCase):
    def run_tool(self, *argv, **more):
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=300, **more)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_alerts_fire_when_they_should(self):
        promtool = stack.tool("promtool")
        self.run_tool(promtool, "check", "rules", f"{stack.ROOT}/envoy/alerts.yaml")
        self.run_tool(promtool, "test", "rules", f"{stack.ROOT}/tests/live/alerts_test.yaml")

    def test_the_example_of_the_readme_passes_the_check(self):
        with open(f"{stack.ROOT}/README.md") as f:
            example = f.read().partition("## Writes")[2].partition("```yaml\n")[2].partition("```")[0]
        with stack.Stack("example") as made:
            path = made.write("example.yaml", example)
            self.run_tool(stack.command(), "check", path, env={**os.environ, "HASH_KEY": "0123456789abcdef"})


class Policies(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack("policy")
        cls.addClassCleanup(cls.stack.end)
        cls.issuer = issuer.Issuer()
        checked = {
            "series_label": "verify", "absent": "allow",
            "limits": {"series": 10, "samples": 20}, "tenant_limits": [{"tenants": ["big-*"], "limits": {"series": 100}}],
            "required": ["job"],
        }
        cls.document = {"auth": {"issuers": [cls.issuer.config()]}, "upstreams": [
            writes.upstream("receive", "sink", "plain", write={"protocols": ["remote_write_1"]}),
            writes.upstream("receive", "sink", "checked", write=checked),
        ]}
        cls.gateway = Sink(cls.stack, cls.document, workers=2).start()

    def post(self, tenant, body, headers=bodies.V1, path="/checked/api/v1/receive"):
        return self.gateway.client(self.issuer.token(tenant)).send("POST", path, bodies.snappy(body), headers)

    def body(self, n, job="j"):
        return bodies.v1(*([("__name__", "m"), ("job", job), ("n", f"{i:04}")] for i in range(n)))

    def counters(self):
        """The filter's counters by name and tenant, as Prometheus scrapes them a while later."""
        time.sleep(2.5)  # They are told once a second.
        found = {}
        for name, value in writes.metrics_of(self.gateway.admin, "/stats/prometheus").items():
            if name.startswith("promfence_") and "tenant=" in name:
                found[name.split("{")[0], name.split('tenant="')[1].split('"')[0]] = int(value)
        return found

    def test_limits_are_the_tenants_and_say_what_was_found(self):
        self.assertEqual(self.post("small", self.body(10)).status, 200)
        refused = self.post("small", self.body(11))
        self.assertEqual(refused.status, 413, refused)
        self.assertIn("over the limit `series` of 10 (it has 11)", refused.text)
        self.assertEqual(self.post("big-1", self.body(100)).status, 200)
        self.assertEqual(self.post("big-1", self.body(101)).status, 413)

    def test_a_required_label_is_asked_for(self):
        answer = self.post("small", self.body(1, job=""))
        self.assertEqual(answer.status, 400, answer)
        self.assertIn("label `job` is missing: add it by relabelling", answer.text)

    def test_a_protocol_that_the_receiver_does_not_know_is_415(self):
        body = bodies.v2([("__name__", "m")])
        answer = self.post("small", body, bodies.V2, "/plain/api/v1/receive")
        self.assertEqual(answer.status, 415, answer)
        self.assertIn("set `protobuf_message: prometheus.WriteRequest`", answer.text)
        self.assertEqual(self.post("small", self.body(1), path="/plain/api/v1/receive").status, 200)

    def test_writes_are_counted_for_each_tenant(self):
        for n in (3, 4, 11):
            self.post("counted.by-name", self.body(n))
        self.post("counted.by-name", self.body(5), path="/plain/api/v1/receive")
        found = {name: value for (name, tenant), value in self.counters().items() if tenant == "counted.by-name"}
        self.assertEqual(found, {"promfence_writes": 4, "promfence_writes_refused": 1,
                                 "promfence_written_series": 7, "promfence_written_samples": 7})

    def test_a_hundred_tenants_have_counters_of_their_own_on_every_worker(self):
        other = Sink(self.stack, self.document, name="many", workers=2).start()
        tokens = {t: self.issuer.token(t) for t in (f"team-{i}" for i in range(130))}
        body = bodies.snappy(self.body(2))
        for _ in range(3):
            for token in tokens.values():
                self.assertEqual(other.client(token).send("POST", "/checked/api/v1/receive", body, bodies.V1).status, 200)
        self.gateway, shown = other, self.gateway
        found = {tenant: value for (name, tenant), value in self.counters().items() if name == "promfence_written_series"}
        self.gateway = shown
        self.assertEqual(len(found), 101, found)
        self.assertEqual(found.pop("_others"), 30 * 3 * 2)
        self.assertEqual(set(found.values()), {6})


@unittest.skipUnless("PROMFENCE_REQUESTS" in os.environ, "a measurement of minutes: set PROMFENCE_REQUESTS")
class Memory(unittest.TestCase):
    """One worker. A module's memory is never given back: what is there at the end was the peak."""

    REQUESTS = int(os.environ.get("PROMFENCE_REQUESTS", "5000"))

    def start(self, **options):
        made = stack.Stack("memory")
        self.addCleanup(made.end)
        self.issuer = issuer.Issuer()
        write = {"limits": {"decoded": "64MiB", "compressed": "64MiB"}, **options}
        document = {"auth": {"issuers": [self.issuer.config()]}, "upstreams": [writes.upstream("receive", "sink", "w", write=write)]}
        return Sink(made, document).start()

    def head(self, body, tenant="t"):
        lines = ["POST /w/api/v1/receive HTTP/1.1", "host: gateway.test", f"authorization: Bearer {self.issuer.token(tenant)}"]
        lines += [f"{n}: {v}" for n, v in bodies.V1.items()] + [f"content-length: {len(body)}"]
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    def test_the_idle_baseline_stays_small(self):
        gateway = self.start(series_label="overwrite")
        series = ([("__name__", "m"), ("job", "j"), ("n", f"{i:05}")] for i in range(100))
        body = bodies.snappy(bodies.v1(*series))
        requests = [self.head(body, f"t{i}") + body for i in range(20)]
        self.pipeline(gateway, requests, 200)
        before = gateway.memory()
        self.pipeline(gateway, requests, self.REQUESTS)
        grown = gateway.memory() - before
        print(f"{self.REQUESTS} requests: {before / MIB:.1f} MiB before, {grown / MIB:+.1f} MiB after", end=" ", flush=True)
        self.assertLess(grown, 32 * MIB)

    def pipeline(self, gateway, requests, count, at_once=20):
        """Sends requests one behind the other on one connection, and reads as many answers."""
        with socket.create_connection(("127.0.0.1", gateway.port), 120) as s:
            for start in range(0, count, at_once):
                s.sendall(b"".join(requests[i % len(requests)] for i in range(start, start + at_once)))
                seen = b""
                while seen.count(b"HTTP/1.1 ") < at_once or not seen.endswith(b"\r\n\r\n"):
                    piece = s.recv(1 << 16)
                    self.assertTrue(piece, "the connection ended")
                    seen += piece
                self.assertEqual(seen.count(b"HTTP/1.1 200"), at_once, seen[:500])

    def test_a_large_body_takes_less_than_five_times_its_size_of_the_whole_envoy(self):
        for kind in ("overwrite", "verify"):
            gateway = self.start(series_label=kind, absent="allow")
            small = bodies.snappy(bodies.v1([("__name__", "m")]))
            self.pipeline(gateway, [self.head(small) + small], 20)
            # Values that do not compress: the body is as large before as after.
            series = ([("__name__", "m"), ("job", os.urandom(60).hex()), ("n", f"{i:06}")] for i in range(120_000))
            whole = bodies.v1(*series)
            sent = bodies.snappy(whole)
            before = gateway.memory()
            self.pipeline(gateway, [self.head(sent) + sent], 1, at_once=1)
            taken = (gateway.memory("VmHWM") - before) / len(whole)
            print(f"{kind}: {len(whole) / MIB:.1f} MiB, {taken:.2f} of it taken", end=" ", flush=True)
            # Three times for the filter, and Envoy's own buffers before it and in the sink.
            self.assertLess(taken, 3 + 2)
            gateway.stack.end()
