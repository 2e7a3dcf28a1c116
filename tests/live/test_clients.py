"""Real clients through the gateway: promtool, amtool, a Prometheus that reads and one that federates."""

import gzip
import json
import os
import subprocess
import time
import unittest

import callers
import data
import gateway
import issuer
import remote
import stack
import upstreams

A, B = callers.A, callers.B


def setUpModule():
    global STACK, ISSUER, PROMETHEUS, ALERTMANAGER, THANOS, GATEWAY, URL, NOW
    STACK = stack.Stack("clients")
    ISSUER = issuer.Issuer()
    NOW = int(time.time())
    try:
        PROMETHEUS = upstreams.prometheus(STACK)
        ALERTMANAGER = upstreams.alertmanager(STACK)
        THANOS = upstreams.Thanos(STACK)
        THANOS.receive()
        GATEWAY = gateway.Gateway(STACK, document(), clusters()).start()
        URL = f"http://127.0.0.1:{GATEWAY.port}"
        for tenant in data.WORDS:
            write(tenant)
    except BaseException:
        STACK.end()
        raise


def tearDownModule():
    STACK.end()


def document():
    # Real clients name the address that they were given.
    host = {"hosts": ["127.0.0.1"]}
    prometheus = {"federate": True, "remote_read": True, "metadata": "empty", "series_label": "overwrite"}
    return {
        "auth": {"issuers": [ISSUER.config()]},
        "upstreams": [
            {"prometheus": {**host, "cluster": "prometheus", "seal": "p" * 32, **prometheus}},
            {"prometheus": {**host, "cluster": "prometheus", "seal": "d" * 32, "prefix": "/plain"}},
            {"receive": {**host, "cluster": "receive", "seal": "r" * 32, "prefix": "/receive"}},
            {"alertmanager": {**host, "cluster": "alertmanager", "seal": "a" * 32, "prefix": "/am", "post_alerts": True, "status": "empty"}},
        ],
    }


def clusters():
    return {"prometheus": PROMETHEUS, "receive": THANOS.ports["receive-write"], "alertmanager": ALERTMANAGER}


def write(tenant):
    """A tenant's series, written through the gateway."""
    times = [(NOW - 300 + 5 * i) * 1000 for i in range(61)]
    client = callers.Caller(GATEWAY.port, ISSUER.token(tenant), host="127.0.0.1")
    answer = client.send("POST", "/api/v1/write", remote.write_request(data.series(tenant, times)), remote.WRITE_HEADERS)
    if answer.status >= 300:
        raise AssertionError(answer)


def http_config(tenant):
    """The HTTP settings of a client of the Prometheus family."""
    return {"authorization": {"credentials": ISSUER.token(tenant)}}


def config_file(tenant):
    return STACK.write(f"{tenant}-http.yml", json.dumps(http_config(tenant)))


def run(tool, *argv, stdin=None, ends=0):
    """Runs a client to its end; gives what it printed."""
    done = subprocess.run(
        [stack.tool(tool), *map(str, argv)], capture_output=True, text=True, input=stdin, timeout=120, cwd=STACK.directory
    )
    if ends is not None and (done.returncode == 0) != (ends == 0):
        raise AssertionError(f"{tool} {argv[:4]} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


class Clients(unittest.TestCase):
    def each(self, ask, *own):
        """What `ask(tenant)` prints has a tenant's own and nothing of the other's."""
        for tenant, word in data.WORDS.items():
            with self.subTest(tenant=tenant):
                text = ask(tenant)
                for part in own:
                    self.assertIn(part.replace("{word}", word), text)
                self.alone(text, tenant)

    def alone(self, text, tenant):
        for other, word in data.WORDS.items():
            if other != tenant:
                self.assertNotIn(other, text)
                self.assertNotIn(word, text)


class Promtool(Clients):
    def query(self, kind, *argv):
        return lambda tenant: run("promtool", "query", kind, "--http.config.file", config_file(tenant), *argv)

    def test_query_instant(self):
        self.each(self.query("instant", f"--time={NOW}", URL, "requests_total"), "/{word}/pay")
        self.each(self.query("instant", f"--time={NOW}", "-o", "json", URL, "count by (path) (requests_total)"), "/{word}/pay")

    def test_query_range(self):
        flags = [f"--start={NOW - 60}", f"--end={NOW}", "--step=10s"]
        self.each(self.query("range", *flags, URL, "shared_gauge"), "{word}-zone")

    def test_query_series(self):
        self.each(self.query("series", "--match=requests_total", "--match=shared_gauge", URL), "/{word}/pay", "{word}-zone")

    def test_query_labels(self):
        self.each(self.query("labels", URL, "path"), "/{word}/pay")
        self.each(self.query("labels", URL, "__name__"), "{word}_only")

    def test_query_without_a_credential_is_refused_in_words(self):
        text = run("promtool", "query", "instant", URL, "up", ends=1)
        self.assertIn("a credential is needed", text)

    def test_a_wrong_query_is_refused_in_words(self):
        text = run("promtool", "query", "instant", "--http.config.file", config_file(A), URL, "sum(", ends=1)
        self.assertIn("parse error", text)

    def test_push_metrics_to_prometheus_and_to_receive(self):
        for path in ("/api/v1/write", "/receive/api/v1/receive"):
            for tenant, word in data.WORDS.items():
                file = STACK.write("pushed.prom", f"# TYPE pushed_total counter\npushed_total{{by=\"{word}\"}} 4\n")
                flags = ["--http.config.file", config_file(tenant), f"--remote-write.path={path}"]
                text = run("promtool", "push", "metrics", *flags, URL, file)
                self.assertIn("SUCCESS", text)
        self.each(self.query("instant", URL, "pushed_total"), 'by="{word}"')

    def test_what_a_receiver_would_lose_without_a_word_is_refused(self):
        """This promtool puts a body of 1.0 under the headers of 2.0; Prometheus says 204 and stores nothing."""
        file = STACK.write("lost.prom", "# TYPE lost_total counter\nlost_total 4\n")
        flags = ["--http.config.file", config_file(A), "--protobuf_message=io.prometheus.write.v2.Request"]
        self.assertIn("fields of remote-write 1.0", run("promtool", "push", "metrics", *flags, URL, file, ends=1))


class Amtool(Clients):
    def am(self, tenant, *argv, ends=0):
        flags = [f"--alertmanager.url={URL}/am", "--http.config.file", config_file(tenant), "--no-version-check"]
        return run("amtool", *flags, *argv, ends=ends)

    def test_alert_add_and_query(self):
        for tenant, word in data.WORDS.items():
            self.am(tenant, "alert", "add", f"{word}_fired", "severity=page", f"--annotation=summary={word}-annotation")
        self.each(lambda t: self.am(t, "-o", "extended", "alert", "query"), "{word}_fired", "{word}-annotation")
        self.each(lambda t: self.am(t, "-o", "json", "alert", "query", "severity=page"), "{word}_fired")

    def test_what_amtool_shows_of_the_status_is_nobodys(self):
        """Alertmanager's own configuration, its name of a receiver and its version do not get through."""
        for tenant in data.WORDS:
            self.assertIn("receiver: none", self.am(tenant, "config", "show"))
            self.assertIn("disabled", self.am(tenant, "cluster", "show"))
            self.assertIn("none", self.am(tenant, "config", "routes", "show"))

    def test_silence_add_query_and_expire(self):
        ids = {}
        for tenant, word in data.WORDS.items():
            flags = ["--author", f"{word}-author", "--comment", f"{word}-comment", "--duration=1h"]
            ids[tenant] = self.am(tenant, "silence", "add", *flags, f"alertname={word}_fired").strip()
        self.each(lambda t: self.am(t, "-o", "extended", "silence", "query"), "{word}-comment", "{word}-author", "{word}_fired")
        self.am(A, "silence", "expire", ids[B], ends=1)
        self.assertIn(ids[B], self.am(B, "silence", "query"))
        for tenant in data.WORDS:
            self.am(tenant, "silence", "expire", ids[tenant])
            self.assertNotIn(ids[tenant], self.am(tenant, "silence", "query"))
            self.assertIn(ids[tenant], self.am(tenant, "silence", "query", "--expired"))

    def test_silence_update(self):
        id = self.am(A, "silence", "add", "--author=alpha", "--comment=alpha", "--duration=1h", "alertname=alpha_updated").strip()
        self.am(A, "silence", "update", "--comment=alpha-changed", id)
        self.assertIn("alpha-changed", self.am(A, "-o", "extended", "silence", "query", "alertname=alpha_updated"))
        self.am(B, "silence", "update", "--comment=beta-changed", id, ends=1)


class Grafana(Clients):
    """What tests/cases/grafana.jsonl writes down is answered by a real Prometheus and Alertmanager too."""

    def cases(self, config):
        with open(os.path.join(stack.ROOT, "tests", "cases", "grafana.jsonl")) as f:
            return [case for case in map(json.loads, f) if case["config"] == config]

    def replay(self, config, prefix):
        for case in self.cases(config):
            for tenant in data.WORDS:
                with self.subTest(case=case["title"], tenant=tenant):
                    asked = case["request"]
                    client = callers.Caller(GATEWAY.port, ISSUER.token(tenant), host="127.0.0.1", prefix=prefix)
                    # Answers are looked at, so they come as they are.
                    headers = {**asked["headers"], "accept-encoding": "identity"}
                    body = asked.get("body")
                    answer = client.send(asked["method"], asked["path"], body.encode() if body is not None else None, headers)
                    wanted = case["expect"]["status"]
                    self.assertIn(answer.status, wanted if isinstance(wanted, list) else [wanted], answer)
                    self.alone(answer.text, tenant)

    def test_the_prometheus_data_source(self):
        self.replay("C0", "/plain")

    def test_the_alertmanager_data_source(self):
        self.replay("C-am", "/am")

    def test_compressed_answers_pass_as_they_are(self):
        client = callers.Caller(GATEWAY.port, ISSUER.token(A), {"accept-encoding": "gzip"}, host="127.0.0.1")
        answer = client.form("/api/v1/query", {"query": "{__name__=~'.+'}", "time": NOW})
        self.assertEqual(answer.headers.get("content-encoding"), "gzip")
        text = gzip.decompress(answer.body).decode()
        self.assertIn("/alpha/pay", text)
        self.alone(text, A)


class AnotherPrometheus(Clients):
    def start(self, name, config):
        port = upstreams.prometheus(STACK, config, name=name, features="promql-experimental-functions")
        self.addCleanup(STACK.stop, name)
        return callers.Caller(port)

    def test_remote_read_with_its_own_external_labels(self):
        for tenant, word in data.WORDS.items():
            with self.subTest(tenant=tenant):
                read = {"url": f"{URL}/api/v1/read", "read_recent": True, **http_config(tenant)}
                config = {"global": {"external_labels": {"tenant_id": tenant}}, "remote_read": [read]}
                client = self.start(f"reader-{word}", config)
                for query, own in {
                    "requests_total": f"/{word}/pay",
                    "sum by (path) (rate(requests_total[2m]))": f"/{word}/pay",
                    f'requests_total{{tenant_id="{tenant}"}}': f"/{word}/pay",
                    '{__name__=~".+_only"}': f"{word}-value",
                }.items():
                    answer = client.get("/api/v1/query", {"query": query, "time": NOW})
                    self.assertEqual(answer.status, 200, answer)
                    self.assertIn(own, answer.text, query)
                    self.alone(answer.text, tenant)
                self.alone(client.get("/api/v1/label/path/values").text, tenant)

    def test_federation(self):
        jobs = [
            {
                "job_name": f"federate-{word}",
                "metrics_path": "/federate",
                "honor_labels": True,
                "params": {"match[]": ['{__name__=~"requests_total|.+_only"}']},
                "scrape_interval": "1s",
                "static_configs": [{"targets": [f"127.0.0.1:{GATEWAY.port}"], "labels": {"by": tenant}}],
                **http_config(tenant),
            }
            for tenant, word in data.WORDS.items()
        ]
        client = self.start("federator", {"scrape_configs": jobs})
        asked = {"match[]": '{__name__=~"requests_total|.+_only"}'}
        both = lambda: all(f"{w}_only" in client.get("/api/v1/series", asked).text for w in data.WORDS.values())
        # What is federated must be no older than five minutes.
        STACK.wait("series of both", both, 60, "federator")
        for tenant in data.WORDS:
            listed = [s for s in client.get("/api/v1/series", asked).json()["data"] if s.get("by") == tenant]
            self.assertGreaterEqual(len(listed), 2)
            self.assertEqual({s["tenant_id"] for s in listed}, {tenant})
