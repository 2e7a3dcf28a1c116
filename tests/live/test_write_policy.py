"""Limits and counters of writes, before a receiver that takes everything."""

import os
import subprocess
import time
import unittest

import bodies
import issuer
import stack
import writes
from sink import Sink


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
