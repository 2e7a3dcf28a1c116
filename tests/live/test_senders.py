"""What real senders write through the gateway is stored as if there were no gateway."""

import sys
import time
import unittest

import gateway
import issuer
import stack
import writes

WINDOW = 5  # seconds of scrapes that are compared

# Each policy is an upstream under a prefix, and each is written to by a tenant of its own.
GATED = ("header", "verify", "overwrite", "drop", "reject")
LAX = {"series_label": "verify", "absent": "allow"}


def document(issuers):
    body = {
        "header": {},
        "verify": {"write": LAX},
        "overwrite": {"series_label": "overwrite"},
        "drop": {"series_label": "drop"},
        "reject": {"series_label": "reject"},
        "governed": {"write": {
            "series_label": "reject",
            "labels": [
                {"name": "email", "action": "drop"},
                {"name": "user_id", "action": {"hash": {"key": "0123456789abcdef", "length": 16}}},
                {"name": "path", "action": {"rewrite": {"regex": "/users/[^/]+(/.*)", "replacement": "/users/ID$1"}}},
            ],
        }},
    }
    upstreams = [writes.upstream("receive", "receive", name, **options) for name, options in body.items()]
    upstreams += [
        writes.upstream("thanos", "query", "read"),
        writes.upstream("prometheus", "prometheus", "prom", series_label="overwrite"),
    ]
    return {"auth": {"issuers": issuers}, "upstreams": upstreams}


class Senders(unittest.TestCase):
    """Thanos and Prometheus behind one gateway."""

    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack("senders")
        cls.addClassCleanup(cls.stack.end)
        cls.write, grpc, cls.receive_http = writes.receive(cls.stack)
        cls.query = writes.query(cls.stack, grpc)
        cls.prom = writes.prometheus(cls.stack)
        cls.issuer = issuer.Issuer()
        clusters = {"receive": cls.write, "query": cls.query, "prometheus": cls.prom}
        cls.gateway = gateway.Gateway(cls.stack, document([cls.issuer.config()]), clusters).start()

    def url(self, prefix, path="/api/v1/receive"):
        return f"http://127.0.0.1:{self.gateway.port}/{prefix}{path}"

    def client(self, tenant):
        return self.gateway.client(self.issuer.token(tenant))

    def thanos(self, tenant, selector='{__name__=~".+"}', seconds=600, at=None):
        return writes.stored(self.client(tenant), "/read/api/v1/query", selector, seconds, at)

    def prometheus(self, tenant, selector='{__name__=~".+"}', seconds=600, at=None):
        return writes.stored(self.client(tenant), "/prom/api/v1/query", selector, seconds, at)

    def assert_same(self, ours, theirs, what):
        self.assertTrue(theirs, f"{what}: nothing was stored without the filter")
        missing, more = theirs.keys() - ours.keys(), ours.keys() - theirs.keys()
        self.assertFalse(missing or more, f"{what}: missing {sorted(missing)[:3]}, too many {sorted(more)[:3]}")
        for labels, samples in theirs.items():
            self.assertEqual(ours[labels], samples, f"{what}: {labels}")


class AnAgent(Senders):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_agent()

    @classmethod
    def run_agent(cls):
        """One agent writes the same series to every place at once; then it ends, and all is flushed."""
        token, header = cls.issuer.token, {"THANOS-TENANT": "direct"}
        to = f"http://127.0.0.1:{cls.gateway.port}"
        entries = [
            writes.remote_write(n, f"{to}/{n}/api/v1/receive", token(f"{n}-v1")) for n in (*GATED, "governed")
        ]
        entries.append(writes.remote_write("direct", f"http://127.0.0.1:{cls.write}/api/v1/receive", headers=header))
        for n, v2 in (("v1", False), ("v2", True)):
            mark = [{"target_label": "tenant_id", "replacement": f"direct-{n}"}]
            direct = f"http://127.0.0.1:{cls.prom}/api/v1/write"
            entries.append(writes.remote_write(f"prom-{n}", f"{to}/prom/api/v1/write", token(f"prom-{n}"), v2))
            entries.append(writes.remote_write(f"prom-direct-{n}", direct, v2=v2, write_relabel_configs=mark))
        exporter = cls.stack.port()
        port = writes.agent(cls.stack, "agent", entries, lambda own: [
            {"job_name": "self", "static_configs": [{"targets": [f"127.0.0.1:{own}"]}]},
            {"job_name": "shop", "scrape_protocols": ["OpenMetricsText1.0.0"],
             "static_configs": [{"targets": [f"127.0.0.1:{exporter}"]}]},
        ])
        cls.stack.start("exporter", [sys.executable, f"{stack.ROOT}/tests/live/exporter.py", exporter],
                        f"http://127.0.0.1:{exporter}/metrics")
        cls.from_here = time.time()
        names = [e["name"] for e in entries]
        cls.stack.wait("every queue to send", lambda: all(
            writes.queues(port, "samples_total").get(n, 0) - writes.queues(port, "samples_pending").get(n, 0) > 2000
            for n in names), 90)
        time.sleep(WINDOW)
        cls.failed = writes.queues(port, "samples_failed_total")
        cls.histograms = writes.queues(port, "histograms_total")
        cls.exemplars = writes.queues(port, "exemplars_total")
        cls.stack.stop("agent")
        cls.until = time.time()
        cls.seconds = int(cls.until - cls.from_here)

    def test_no_queue_has_a_failure(self):
        self.assertEqual({n for n, v in self.failed.items() if v}, set(), self.stack.log("agent"))
        self.assertTrue(all(self.histograms.values()), self.histograms)
        self.assertTrue(all(self.exemplars.values()), self.exemplars)

    def test_receive_stores_what_it_stores_without_the_filter(self):
        theirs = self.thanos("direct", seconds=self.seconds, at=self.until)
        self.assertGreater(len(theirs), 300)
        self.assertTrue(any("counts" in v or "buckets" in v for s in theirs.values() for _, v in s), "no histogram")
        for name in GATED:
            ours = self.thanos(f"{name}-v1", seconds=self.seconds, at=self.until)
            self.assert_same(ours, theirs, name)

    def test_receive_stores_the_same_exemplars(self):
        of = lambda tenant: writes.exemplars(self.client(tenant), "/read/api/v1/query_exemplars", "shop_requests_total", 600)
        theirs = {e for e in of("direct") if e[3] >= self.from_here}
        self.assertGreater(len(theirs), 5)
        for name in GATED:
            self.assertEqual({e for e in of(f"{name}-v1") if e[3] >= self.from_here}, theirs, name)

    def test_governed_labels_alone_are_changed(self):
        theirs = self.thanos("direct", '{job="shop"}', self.seconds, self.until)
        ours = self.thanos("governed-v1", '{job="shop"}', self.seconds, self.until)
        self.assert_same(ours, {governed(l): s for l, s in theirs.items()}, "governed")
        text = repr(list(ours))
        self.assertIn("/users/ID/cart", text)
        for secret in ("user-1", "ops@shop.example", "/users/1/"):
            self.assertIn(secret, repr(list(theirs)))
            self.assertNotIn(secret, text)

    def test_prometheus_stores_what_it_stores_without_the_filter(self):
        for version in ("v1", "v2"):
            theirs = self.prometheus(f"direct-{version}", seconds=self.seconds, at=self.until)
            ours = self.prometheus(f"prom-{version}", seconds=self.seconds, at=self.until)
            self.assertGreater(len(theirs), 300)
            self.assertTrue(any("counts" in v or "buckets" in v for s in theirs.values() for _, v in s), "no histogram")
            self.assert_same(ours, theirs, version)
            of = lambda tenant: writes.exemplars(self.client(tenant), "/prom/api/v1/query_exemplars", "shop_requests_total", 600)
            direct = {e for e in of(f"direct-{version}") if e[3] >= self.from_here}
            self.assertGreater(len(direct), 5)
            self.assertEqual({e for e in of(f"prom-{version}") if e[3] >= self.from_here}, direct, version)

    def test_a_tenant_reads_nothing_of_another(self):
        own = self.client("header-v1").form("/read/api/v1/query", {"query": "count by (tenant_id) ({__name__=~'shop.+'})"})
        found = {s["metric"]["tenant_id"] for s in own.json()["data"]["result"]}
        self.assertEqual(found, {"header-v1"})


def governed(labels):
    """What the policy `governed` makes of a label set."""
    import hashlib
    import hmac

    out = {k: v for k, v in labels if k != "email"}
    if "user_id" in out:
        out["user_id"] = hmac.new(b"0123456789abcdef", out["user_id"].encode(), hashlib.sha256).hexdigest()[:16]
    if "path" in out:
        head, _, rest = out["path"][len("/users/"):].partition("/")
        out["path"] = f"/users/ID/{rest}" if head else out["path"]
    return tuple(sorted(out.items()))


if __name__ == "__main__":
    unittest.main()
