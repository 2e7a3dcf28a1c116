"""The stack of scripts/run as it is shipped: two tenants that write and read through the gateway."""

import json
import os
import re
import subprocess
import time
import unittest

import stack
import web

RUN = os.path.join(stack.ROOT, "scripts", "run")
STATE = os.path.join(stack.ROOT, "target", "run")
TENANTS = {"a": ["team-a"], "b": ["team-b"], "both": ["team-a", "team-b"]}


class TheShippedStack(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        subprocess.run([RUN, "--down"], capture_output=True)
        done = subprocess.run([RUN, "--detach"], capture_output=True, text=True, timeout=1800)
        if done.returncode != 0:
            raise RuntimeError(f"scripts/run failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        cls.addClassCleanup(subprocess.run, [RUN, "--down"], capture_output=True)
        cls.told = done.stdout
        cls.callers = {n: caller(f) for n, f in (("a", "team-a"), ("b", "team-b"), ("both", "both"))}
        cls.nobody = web.Client(10000, host="metrics.example")

    def series(self, answer):
        self.assertEqual(answer.status, 200, answer)
        return {(r["metric"]["tenant_id"], r["metric"]["job"]) for r in answer.json()["data"]["result"]}

    def reads(self, client):
        """Each way of asking that this stack has, by name."""
        now = time.time()
        instant = {"query": "max by (tenant_id, job) (last_over_time(envoy_server_live[5m]))"}
        range_ = {**instant, "start": f"{now - 60:.3f}", "end": f"{now:.3f}", "step": "15"}
        yield "GET query", client.get("/api/v1/query", instant)
        yield "POST query", client.form("/api/v1/query", instant)
        yield "GET query_range", client.get("/api/v1/query_range", range_)
        yield "POST query_range", client.form("/api/v1/query_range", range_)

    def test_each_caller_reads_its_own_tenants_and_no_other(self):
        for name, client in self.callers.items():
            own = {(t, f"envoy-of-{t}") for t in TENANTS[name]}
            for how, answer in self.reads(client):
                with self.subTest(caller=name, how=how):
                    self.assertEqual(self.series(answer), own)

    def test_a_caller_without_a_token_reads_nothing(self):
        for how, answer in self.reads(self.nobody):
            with self.subTest(how=how):
                self.assertEqual(answer.status, 401, answer)
                self.assertNotIn("team-", answer.text)

    def test_asking_for_the_other_tenant_by_name_gives_an_empty_result(self):
        for query in ('envoy_server_live{tenant_id="team-b"}', 'envoy_server_live{tenant_id=~".+",tenant_id!="team-a"}'):
            answer = self.callers["a"].get("/api/v1/query", {"query": query})
            self.assertEqual(self.series(answer), set())

    def test_everything_else_is_denied_in_the_error_form_of_prometheus(self):
        client = self.callers["a"]
        for method, path, status in (
            ("GET", "/api/v1/admin/tsdb/snapshot", 404), ("DELETE", "/api/v1/query", 405),
            ("GET", "/", 404), ("GET", "/api/v1/status/config", 404), ("GET", "/metrics", 404),
        ):
            with self.subTest(path=path):
                answer = client.send(method, path)
                self.assertEqual(answer.status, status, answer)
                self.assertEqual(answer.json()["status"], "error")
                self.assertTrue(answer.json()["error"])

    def test_health_is_public_where_the_configuration_says_so(self):
        self.assertEqual(self.nobody.get("/-/healthy").status, 200)

    def test_the_access_log_names_tenant_subject_endpoint_and_decision(self):
        mark = f"/api/v1/query?query=vector({time.time_ns()})"
        self.assertEqual(self.callers["both"].get(mark).status, 200)
        self.callers["a"].send("GET", "/api/v1/query_range")
        self.nobody.send("GET", "/api/v1/status/config")
        wanted = [
            {"tenant": "team-a|team-b", "subject": "both", "endpoint": "query", "decision": "allowed", "status": 200},
            {"decision": "parameter", "status": 400, "subject": "team-a", "endpoint": "query_range", "tenant": "team-a"},
            {"decision": "endpoint", "status": 404, "subject": "", "path": "/api/v1/status/config"},
        ]
        end = time.monotonic() + 30
        while wanted and time.monotonic() < end:
            time.sleep(0.2)
            with open(os.path.join(STATE, "envoy.log"), errors="replace") as f:
                lines = [json.loads(line) for line in f if line.startswith("{")]
            wanted = [w for w in wanted if not any(w.items() <= line.items() for line in lines)]
        self.assertEqual(wanted, [], lines[-3:])

    def test_the_counters_have_names_and_labels_of_prometheus(self):
        self.nobody.get("/api/v1/query")
        time.sleep(1.5)  # What passes is told once a second.
        text = web.request(9901, "GET", "/stats/prometheus").text
        for line in (
            r'promfence_denied\{reason="no_credential"\} [1-9]',
            r'promfence_allowed\{endpoint="query"\} [1-9]',
            r'promfence_allowed\{endpoint="receive"\} [1-9]',
            r'promfence_key_fetches\{outcome="\w+"\} [1-9]',
        ):
            self.assertTrue(re.search(line, text), [t for t in text.splitlines() if t.startswith("promfence_")])

    def test_no_token_and_no_seal_gets_into_a_log(self):
        with open(os.path.join(STATE, "envoy.yaml")) as f:
            secrets = re.findall(r"seal: ([0-9a-f]{64})", f.read())
        self.assertEqual(len(secrets), 2)
        secrets += [c.headers["authorization"].split()[1] for c in self.callers.values()]
        with open(os.path.join(STATE, "envoy.log"), errors="replace") as f:
            log = f.read()
        for secret in secrets:
            self.assertNotIn(secret, log)

    def test_the_lines_to_try_do_what_they_say(self):
        lines = [c.replace("\\\n", " ") for c in re.findall(r"^  (curl (?:.*\\\n)*.*)$", self.told, re.M)]
        self.assertEqual(len(lines), 3, self.told)
        out = [
            subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=stack.ROOT, timeout=60).stdout
            for line in lines
        ]
        self.assertIn("envoy-of-team-a", out[0])
        self.assertEqual(json.loads(out[1])["data"]["result"], [])
        self.assertIn("401 Unauthorized", out[2])

    def test_verify_finds_nothing_wrong(self):
        argv = [stack.command(), "verify", "--url", "http://127.0.0.1:10000", "--write"]
        argv += ["--tenant-a-token", self.callers["a"].headers["authorization"].split()[1]]
        argv += ["--tenant-b-token", self.callers["b"].headers["authorization"].split()[1]]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:])
        self.assertIn(" 0 fail", done.stdout)


def caller(name):
    with open(os.path.join(STATE, f"{name}.token")) as f:
        return web.Client(10000, f.read().strip(), host="metrics.example")
