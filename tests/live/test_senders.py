"""What real senders write through the gateway is stored as if there were no gateway."""

import subprocess
import sys
import time
import unittest

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExportResult
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

import gateway
import issuer
import stack
import web
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
        # Query looks every few seconds which tenants a store has.
        found = lambda: writes.stored(self.client(tenant), "/read/api/v1/query", selector, seconds, at)
        self.stack.wait(f"Query to see {tenant}", found, 30)
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
            # Prometheus sends exemplars of 2.0 in series without samples, and stores none of those.
            self.assertGreater(len(direct), 5 if version == "v1" else -1)
            self.assertEqual({e for e in of(f"prom-{version}") if e[3] >= self.from_here}, direct, version)

    def test_a_tenant_reads_nothing_of_another(self):
        own = self.client("header-v1").form("/read/api/v1/query", {"query": "count by (tenant_id) ({__name__=~'shop.+'})"})
        found = {s["metric"]["tenant_id"] for s in own.json()["data"]["result"]}
        self.assertEqual(found, {"header-v1"})


class Promtool(Senders):
    def push(self, url, path, *headers):
        page = self.stack.write("push.prom", "# TYPE pushed_total counter\npushed_total{zone=\"1\",job=\"ci\"} 7\n"
                                "pushed_total{zone=\"2\",job=\"ci\"} 8\n# TYPE pushed_seconds histogram\n"
                                "pushed_seconds_bucket{le=\"1\"} 3\npushed_seconds_bucket{le=\"+Inf\"} 4\n"
                                "pushed_seconds_sum 2.5\npushed_seconds_count 4\n")
        argv = [stack.tool("promtool"), "push", "metrics", f"--remote-write.path={path}",
                *(f"--header={h}" for h in headers), url, page]
        return subprocess.run(argv, capture_output=True, text=True, timeout=120)

    def values(self, found):
        return {labels: [v for _, v in samples] for labels, samples in found.items()}

    def test_a_push_is_stored_as_without_the_filter(self):
        done = self.push(f"http://127.0.0.1:{self.write}", "api/v1/receive", "THANOS-TENANT=pushed")
        self.assertEqual(done.returncode, 0, done)
        theirs = self.values(self.thanos("pushed"))
        self.assertEqual(len(theirs), 6)
        for name in GATED:
            done = self.push(self.url(name, ""), "api/v1/receive", f"authorization=Bearer {self.issuer.token('push-' + name)}")
            self.assertEqual(done.returncode, 0, done)
        for name in GATED:
            self.assertEqual(self.values(self.thanos(f"push-{name}")), theirs)
        done = self.push(self.url("prom", ""), "api/v1/write", f"authorization=Bearer {self.issuer.token('push-prom')}")
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(self.values(self.prometheus("push-prom")), theirs)

    def test_a_push_without_a_credential_says_what_is_missing(self):
        done = self.push(self.url("header", ""), "api/v1/receive")
        self.assertEqual(done.returncode, 1)
        self.assertIn("401", done.stderr + done.stdout)
        self.assertIn("a credential is needed", done.stderr + done.stdout)


def measured():
    """Metrics of every kind, by the OpenTelemetry SDK, under resources and scopes with attributes."""
    reader = InMemoryMetricReader()
    views = [View(instrument_name="sizes", aggregation=ExponentialBucketHistogramAggregation())]
    resource = Resource.create({"service.name": "till", "service.namespace": "shop", "service.instance.id": "i-1", "host.name": "h"})
    provider = MeterProvider([reader], resource=resource, views=views)
    meter = provider.get_meter("shop.till", "1.0", attributes={"scope.kind": "test"})
    sold, open_ = meter.create_counter("items.sold", "1"), meter.create_up_down_counter("tills.open")
    took, sizes = meter.create_histogram("checkout.duration", "s"), meter.create_histogram("sizes", "By")
    heat = meter.create_gauge("heat", "Cel")
    for i in range(1, 40):
        sold.add(i, {"item.kind": f"k{i % 3}", "größe": "ß", "user_id": f"user-{i % 4}"})
        open_.add(1 - 2 * (i % 2), {"floor": i % 2})
        took.record(i / 10, {"lane": True})
        sizes.record(i * 17.5, {"lane": 0.5})
        heat.set(20 + i / 8)
    data = reader.get_metrics_data()
    provider.shutdown()
    return data


class OpenTelemetry(Senders):
    def send(self, data, url, compression=Compression.Gzip, **headers):
        exporter = OTLPMetricExporter(url, headers=headers, compression=compression, timeout=60)
        try:
            return exporter.export(data) is MetricExportResult.SUCCESS
        finally:
            exporter.shutdown()

    def bearer(self, tenant):
        return {"authorization": f"Bearer {self.issuer.token(tenant)}"}

    def test_receive_stores_what_it_stores_without_the_filter(self):
        data = measured()
        self.assertTrue(self.send(data, f"http://127.0.0.1:{self.write}/api/v1/otlp", **{"THANOS-TENANT": "otel"}))
        paths = {"short": "/api/v1/otlp", "long": "/api/v1/otlp/v1/metrics"}
        ways = [(n, p, c) for n in GATED for p in paths for c in (Compression.Gzip, Compression.NoCompression)]
        for name, path, compression in ways:
            bearer = self.bearer(f"otel-{name}-{path}-{compression.value}")
            self.assertTrue(self.send(data, self.url(name, paths[path]), compression, **bearer), self.gateway.log())
        theirs = self.thanos("otel")
        self.assertGreater(len(theirs), 20)
        for name, path, compression in ways:
            tenant = f"otel-{name}-{path}-{compression.value}"
            self.assert_same(self.thanos(tenant), theirs, tenant)

    def test_prometheus_stores_what_it_stores_without_the_filter(self):
        data = measured()
        direct = writes.prometheus(self.stack, "direct")
        self.assertTrue(self.send(data, f"http://127.0.0.1:{direct}/api/v1/otlp/v1/metrics"))
        theirs = writes.stored(web.Client(direct), "/api/v1/query", '{__name__=~".+"}', 600)
        self.assertGreater(len(theirs), 20)
        url = self.url("prom", "/api/v1/otlp/v1/metrics")
        self.assertTrue(self.send(data, url, **self.bearer("otel-prom")), self.gateway.log())
        self.assert_same(self.prometheus("otel-prom"), theirs, "overwrite")

    def test_governed_attributes_are_changed_under_their_stored_names(self):
        data = measured()
        self.assertTrue(self.send(data, self.url("governed", "/api/v1/otlp"), **self.bearer("otel-governed")))
        text = repr(list(self.thanos("otel-governed", '{__name__="items_sold_total"}')))
        self.assertIn(dict(governed((("user_id", "user-1"),)))["user_id"], text)
        self.assertNotIn("user-1", text)

    def test_json_is_refused_with_what_to_do(self):
        for name in GATED:
            answer = self.client("json").send("POST", f"/{name}/api/v1/otlp", b"{}", {"content-type": "application/json"})
            self.assertEqual(answer.status, 415, answer)
            self.assertIn("application/x-protobuf", answer.text)


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

