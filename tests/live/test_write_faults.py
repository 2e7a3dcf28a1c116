"""Receivers that fail and senders that stall: nothing is lost, and nothing gets to another tenant."""

import socket
import sys
import time
import unittest

import yaml

import bodies
import faulty
import gateway
import issuer
import stack
import web
import writes

FAILING = [503, (429, [("retry-after", "1")], b"slow down\n"), None, "cut", 500, None, 2, "lost", None, 502, None]


def limits(meta, tenants):
    """The shipped limits of Receive, with this Prometheus and these tenants."""
    with open(f"{stack.ROOT}/envoy/receive-limits.yaml") as f:
        shipped = yaml.safe_load(f)
    shipped["write"]["global"]["meta_monitoring_url"] = f"http://127.0.0.1:{meta}"
    shipped["write"]["tenants"] = {t: {"head_series_limit": n} for t, n in tenants.items()}
    return yaml.safe_dump(shipped)


class Faults(unittest.TestCase):
    """A Receive that can be ended, one with limits, and a failing way to the first."""

    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack("faults")
        cls.addClassCleanup(cls.stack.end)
        cls.ports = writes.receive(cls.stack)
        cls.meta = cls.stack.port()
        cls.limits = cls.stack.write("limits.yaml", limits(cls.meta, {"limited": 100}))
        cls.limited = writes.receive(cls.stack, "limited", f"--receive.limits-config-file={cls.limits}", routes=True)
        cls.query = writes.query(cls.stack, cls.ports[1], cls.limited[1])
        config = "global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: receive\n  static_configs:\n"
        config += f"  - targets: ['127.0.0.1:{cls.limited[2]}']\n"
        writes.prometheus(cls.stack, "direct", config=config, port=cls.meta)
        port = cls.stack.port()
        cls.faulty = faulty.Faulty(port, cls.ports[0], FAILING)
        cls.addClassCleanup(cls.faulty.end)
        cls.issuer = issuer.Issuer()
        entries = {
            "plain": ("receive", {}), "checked": ("receive", {"series_label": "overwrite"}),
            "failing": ("faulty", {}), "failing-checked": ("faulty", {"series_label": "reject"}),
            "limited": ("limited", {}),
        }
        upstreams = [writes.upstream("receive", c, n, **o) for n, (c, o) in entries.items()]
        upstreams.append(writes.upstream("thanos", "query", "read"))
        document = {"auth": {"issuers": [cls.issuer.config()]}, "upstreams": upstreams}
        clusters = {"receive": cls.ports[0], "faulty": port, "limited": cls.limited[0], "query": cls.query}
        cls.gateway = gateway.Gateway(cls.stack, document, clusters, timeout="20s").start()

    def client(self, tenant):
        return self.gateway.client(self.issuer.token(tenant))

    def stored(self, tenant, seconds=600, at=None, selector='{job="shop"}'):
        return writes.stored(self.client(tenant), "/read/api/v1/query", selector, seconds, at)


class Retries(Faults):
    def test_an_agent_loses_nothing_while_receivers_fail(self):
        """One agent, a queue for each way; a direct one shows what had to arrive."""
        ways = ("plain", "checked", "failing", "failing-checked", "limited")
        to = f"http://127.0.0.1:{self.gateway.port}"
        entries = [
            writes.remote_write(w, f"{to}/{w}/api/v1/receive", self.issuer.token(w)) for w in ways
        ]
        for entry in entries:
            entry["queue_config"]["retry_on_http_429"] = True
        mark = [{"target_label": "tenant_id", "replacement": "direct"}]
        entries.append(writes.remote_write("direct", f"http://127.0.0.1:{self.meta}/api/v1/write", write_relabel_configs=mark))
        exporter = self.stack.port()
        port = writes.agent(self.stack, "agent", entries, [
            {"job_name": "shop", "static_configs": [{"targets": [f"127.0.0.1:{exporter}"]}]},
        ])
        self.stack.start("exporter", [sys.executable, f"{stack.ROOT}/tests/live/exporter.py", exporter],
                         f"http://127.0.0.1:{exporter}/metrics")
        since = time.time()
        # 150 series of the limited tenant are there before its agent has sent half as many.
        fill = bodies.v1(*([("__name__", "fill"), ("n", f"{i:04}")] for i in range(150)))
        answer = self.client("limited").send("POST", "/limited/api/v1/receive", bodies.snappy(fill), bodies.V1)
        self.assertEqual(answer.status, 200, answer)
        time.sleep(8)
        self.stack.stop("receive")
        retried = lambda name: writes.queues(port, "samples_retried_total").get(name, 0)
        self.stack.wait("retries while Receive is down", lambda: retried("plain") > 100 and retried("checked") > 100, 60)
        writes.start_receive(self.stack, "receive", *self.ports)
        self.stack.wait("the limit to be felt", lambda: retried("limited") > 0, 60)
        with open(self.limits, "w") as f:
            f.write(limits(self.meta, {"limited": 1_000_000}))
        time.sleep(8)
        self.stack.stop("exporter")
        names = [e["name"] for e in entries]
        self.stack.wait("the queues to be empty", lambda: self.pending(port, names) == 0, 120)
        failed = writes.queues(port, "samples_failed_total")
        dropped = writes.queues(port, "samples_dropped_total")
        retries = {n: retried(n) for n in names}
        self.stack.stop("agent")
        until, seconds = time.time(), int(time.time() - since)
        # Whose answer was lost sends once more what is stored already, and Receive may call that 409,
        # out of order: the sender gives up on samples that are there.
        lost = {n for n, v in failed.items() if v and not n.startswith("failing")} | {n for n, v in dropped.items() if v}
        self.assertEqual(lost, set(), self.stack.log("agent"))
        self.assertTrue(all(retries[w] for w in ways), retries)
        self.assertTrue(all(self.faulty.seen.get(str(a)) for a in FAILING), self.faulty.seen)
        theirs = writes.stored(web.Client(self.meta), "/api/v1/query", '{job="shop",tenant_id="direct"}', seconds, until)
        count = sum(map(len, theirs.values()))
        self.assertGreater(count, 500)
        for way in ways:
            ours = self.stored(way, seconds, until)
            self.assertEqual(sum(map(len, ours.values())), count, way)
            self.assertEqual(ours, theirs, way)
        print(f"{count} samples of {len(theirs)} series by each of {len(ways)} ways, after retries of {retries}", file=sys.stderr)

    def pending(self, port, names):
        """What no queue may still have: pending samples, and scrapes that it has not read yet."""
        newest = max(writes.queues(port, "highest_timestamp_in_seconds").values(), default=0)
        sent = writes.queues(port, "queue_highest_sent_timestamp_seconds")
        pending = writes.queues(port, "samples_pending")
        return sum(pending.values()) + sum(newest - sent.get(n, 0) > 0.5 for n in names)


class Answers(Faults):
    def test_answers_of_the_upstream_pass_unchanged(self):
        given = [
            (400, [], b"out of bounds\n"), (409, [], b"conflict\n"), (413, [], b"too large\n"),
            (429, [("retry-after", "7")], b"tenant is above active series limit\n"), (500, [], b"oops\n"),
            (503, [("retry-after", "3")], b"store not ready\n"), (204, [("x-prometheus-remote-write-samples-written", "1"),
             ("x-prometheus-remote-write-histograms-written", "0"), ("x-prometheus-remote-write-exemplars-written", "0")], b""),
        ]
        for prefix in ("failing", "failing-checked"):
            for status, headers, body in given:
                self.faulty.script = iter([(status, headers, body)])
                sent = bodies.snappy(bodies.v1([("__name__", "answered")]))
                answer = self.client("answers").send("POST", f"/{prefix}/api/v1/receive", sent, bodies.V1)
                self.assertEqual((answer.status, answer.body), (status, body))
                self.assertEqual({n: answer.headers.get(n) for n, _ in headers}, dict(headers))

    def test_a_conflict_of_the_real_receiver_reaches_the_sender(self):
        at = bodies.now()
        for value, status in ((1, 200), (2, 409)):
            body = bodies.snappy(bodies.v1([("__name__", "twice")], at=at, value=value))
            direct = web.request(self.ports[0], "POST", "/api/v1/receive", {**bodies.V1, "THANOS-TENANT": "conflict-direct"}, body)
            for prefix in ("plain", "checked"):
                answer = self.client(f"conflict-{prefix}").send("POST", f"/{prefix}/api/v1/receive", body, bodies.V1)
                self.assertEqual((answer.status, direct.status), (status, status), answer)
                self.assertEqual(answer.body, direct.body)

    def test_a_receiver_that_is_down_is_503(self):
        self.faulty.script = iter(["cut"] * 4)
        body = bodies.snappy(bodies.v1([("__name__", "down")]))
        for prefix in ("failing", "failing-checked"):
            answer = self.client("down").send("POST", f"/{prefix}/api/v1/receive", body, bodies.V1)
            self.assertEqual(answer.status, 503, answer)

    def test_a_receiver_that_is_too_slow_is_504(self):
        self.faulty.script = iter([25.0])
        body = bodies.snappy(bodies.v1([("__name__", "slow")]))
        answer = self.client("slow").send("POST", "/failing/api/v1/receive", body, bodies.V1)
        self.assertEqual(answer.status, 504, answer)


class Stalls(unittest.TestCase):
    """Senders that stop in the middle, before a gateway with little memory."""

    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack("stalls")
        cls.addClassCleanup(cls.stack.end)
        cls.write, grpc, _ = writes.receive(cls.stack)
        cls.query = writes.query(cls.stack, grpc)
        cls.issuer = issuer.Issuer()
        document = {
            "auth": {"issuers": [cls.issuer.config()]},
            "limits": {"worker_memory": "2MiB", "grant_share": 50},
            "upstreams": [
                writes.upstream("receive", "receive", "plain"),
                writes.upstream("receive", "receive", "checked", series_label="reject"),
                writes.upstream("thanos", "query", "read"),
            ],
        }
        clusters = {"receive": cls.write, "query": cls.query}
        cls.gateway = gateway.Gateway(cls.stack, document, clusters).start()

    def client(self, tenant):
        return self.gateway.client(self.issuer.token(tenant))

    def begin(self, path, tenant, name, share=0.5, series=2000):
        """Sends the head and the first part of a body; returns the connection and the rest."""
        body = bodies.snappy(bodies.v1(*([("__name__", name), ("n", f"{i:06}"), ("pad", "x" * 40)] for i in range(series))))
        cut = int(len(body) * share)
        head = [f"POST {path}/api/v1/receive HTTP/1.1", "host: gateway.test", f"content-length: {len(body)}"]
        head += [f"{n}: {v}" for n, v in {**bodies.V1, "authorization": f"Bearer {self.issuer.token(tenant)}"}.items()]
        connection = socket.create_connection(("127.0.0.1", self.gateway.port), 60)
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body[:cut])
        return connection, body[cut:]

    def status(self, connection, seconds=60):
        connection.settimeout(seconds)
        return connection.recv(65536).split(b" ", 2)[1].decode()

    def small(self, path, tenant, name):
        body = bodies.snappy(bodies.v1([("__name__", name)]))
        return self.client(tenant).send("POST", f"{path}/api/v1/receive", body, bodies.V1)

    def count(self, tenant, name):
        found = {}

        def look():
            found.update(writes.stored(self.client(tenant), "/read/api/v1/query", '{__name__=~".+"}', 600))
            return found

        self.stack.wait(f"Query to see {tenant}", look, 30)
        return sum(dict(labels)["__name__"] == name for labels in found)

    def test_a_body_that_is_never_finished_is_never_stored(self):
        for path in ("/plain", "/checked"):
            tenant = "stalled" + path.replace("/", "-")
            self.assertEqual(self.small(path, tenant, "whole").status, 200)
            connection, rest = self.begin(path, tenant, "half")
            time.sleep(1)
            self.assertEqual(self.small(path, "another", "meanwhile").status, 200)
            connection.close()
            time.sleep(1)
            self.assertEqual(self.count(tenant, "half"), 0)
            connection, rest = self.begin(path, tenant, "half")
            time.sleep(1)
            with connection:
                connection.sendall(rest)
                self.assertEqual(self.status(connection), "200")
            self.assertEqual(self.count(tenant, "half"), 2000)
            self.assertEqual(self.count(tenant, "whole"), 1)

    def test_stalled_bodies_of_one_tenant_leave_room_for_another(self):
        held = [self.begin("/checked", "hoarder", f"hoard_{i}")[0] for i in range(40)]
        self.addCleanup(lambda: [c.close() for c in held])
        self.stack.wait("the hoarder's share to be used up", lambda: self.gateway.stats().get("denied.reason.memory", 0) > 0, 30)
        refused = self.client("hoarder").send(
            "POST", "/checked/api/v1/receive", b"\0" * 600_000, {**bodies.V1})
        self.assertEqual(refused.status, 503, refused)
        self.assertGreaterEqual(int(refused.headers["retry-after"]), 1)
        begun = time.monotonic()
        for i in range(20):
            self.assertEqual(self.small("/checked", "patient", f"kept_{i}").status, 200)
        answer = self.client("patient").form("/read/api/v1/query", {"query": "1"})
        self.assertEqual(answer.status, 200, answer)
        self.assertLess(time.monotonic() - begun, 20)
        for c in held:
            c.close()
        free = lambda: self.small("/checked", "hoarder", "free").status == 200
        self.stack.wait("the share to be free again", free, 30)
        connection, rest = self.begin("/checked", "hoarder", "large")
        with connection:
            connection.sendall(rest)
            self.assertEqual(self.status(connection), "200")
        self.assertEqual(self.count("hoarder", "large"), 2000)


