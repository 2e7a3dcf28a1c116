"""Thanos Query Frontend behind the gateway with its cache on, and Thanos Rule that asks through it."""

import json
import time

import callers
import data
import gateway
import issuer
import remote
import stack
import upstreams
from callers import A, B, Sight


def setUpModule():
    global STACK, ISSUER, THANOS, GATEWAY, CALLERS, NOW
    STACK = stack.Stack("frontend")
    ISSUER = issuer.Issuer()
    # A whole step: a range that begins on it is cached as it is.
    NOW = int(time.time()) // 60 * 60
    try:
        THANOS = upstreams.Thanos(STACK)
        THANOS.receive()
        THANOS.query("receive")
        THANOS.frontend(THANOS.ports["query"])
        GATEWAY = gateway.Gateway(STACK, document(), clusters()).start()
        CALLERS = callers.callers(GATEWAY.port, ISSUER)
        for name, tenant in (("A", A), ("B", B)):
            write(CALLERS[name], tenant)
        # Not a list: the frontend would go on answering an empty one from its cache.
        asked = {"query": "shared_gauge", "time": NOW}
        STACK.wait("data of both", lambda: CALLERS["admin"].get("/api/v1/query", asked).text.count("-zone") == 2, 60)
    except BaseException:
        STACK.end()
        raise


def tearDownModule():
    STACK.end()
    callers.tell("frontend")


def document():
    host = {"hosts": ["gateway.test", "127.0.0.1"]}
    return {
        "auth": {"issuers": [ISSUER.config()]},
        "upstreams": [
            {"receive": {**host, "cluster": "receive", "seal": "r" * 32}},
            {"thanos": {**host, "cluster": "frontend", "seal": "f" * 32}},
        ],
    }


def clusters():
    return {"receive": THANOS.ports["receive-write"], "frontend": THANOS.ports["frontend"]}


def write(client, tenant, times=None):
    times = times or [(NOW - 3600 + 30 * i) * 1000 for i in range(120)]
    answer = client.send("POST", "/api/v1/receive", remote.write_request(data.series(tenant, times)), remote.WRITE_HEADERS)
    if answer.status >= 300:
        raise AssertionError(answer)


class AnswersFromACache(Sight):
    @classmethod
    def setUpClass(cls):
        cls.callers = CALLERS

    def hits(self):
        """How many answers the frontend took from its caches."""
        text = callers.Caller(THANOS.ports["frontend"]).get("/metrics").text
        lines = [line for line in text.splitlines() if line.startswith("cortex_cache_hits_total{")]
        return sum(float(line.split()[-1]) for line in lines)

    def cached(self, endpoint, path, parameters, own):
        """A fills the cache, is answered from it, and everybody after it gets their own."""
        ask = lambda c: c.get(path, parameters)
        first = ask(self.callers["A"])
        self.assertIn(own.replace("{word}", "alpha"), first.text)
        before = self.hits()
        again = ask(self.callers["A"])
        self.assertEqual(again.json()["data"], first.json()["data"])
        self.assertGreater(self.hits(), before, "the answer did not come from the cache")
        for _ in range(2):
            self.shows(endpoint, ask, own)

    def test_a_cached_range_query_is_not_shown_to_another_tenant(self):
        asked = {"query": "shared_gauge", "start": NOW - 3000, "end": NOW - 600, "step": "60"}
        self.cached("GET query_range, cached", "/api/v1/query_range", asked, "{word}-zone")
        asked["query"] = "sum by (path) (rate(requests_total[5m]))"
        self.cached("GET query_range, cached", "/api/v1/query_range", asked, "/{word}/pay")

    def test_cached_label_names_are_not_shown_to_another_tenant(self):
        asked = {"start": NOW - 3000, "end": NOW - 600}
        self.cached("GET labels, cached", "/api/v1/labels", asked, "{word}_label")

    def test_cached_label_values_are_not_shown_to_another_tenant(self):
        asked = {"start": NOW - 3000, "end": NOW - 600}
        self.cached("GET label/<name>/values, cached", "/api/v1/label/zone/values", asked, "{word}-zone")
        asked["match[]"] = "shared_gauge"
        self.cached("GET label/<name>/values, match[], cached", "/api/v1/label/zone/values", asked, "{word}-zone")

    def test_cached_series_are_not_shown_to_another_tenant(self):
        asked = {"match[]": "requests_total", "start": NOW - 3000, "end": NOW - 600}
        self.cached("GET series, cached", "/api/v1/series", asked, "/{word}/pay")

    def test_forms_and_instant_queries_pass_through_it(self):
        asked = {"query": "shared_gauge", "start": NOW - 3000, "end": NOW - 600, "step": "60"}
        self.shows("POST query_range", lambda c: c.form("/api/v1/query_range", asked), "{word}-zone")
        instant = {"query": "shared_gauge", "time": NOW}
        self.shows("POST query", lambda c: c.form("/api/v1/query", instant), "{word}-zone")


class ARulerThatAsksThroughTheGateway(Sight):
    def rules(self):
        return json.dumps({"groups": [{"name": "own", "rules": [
            {"record": "seen:zones", "expr": "count by (zone) (shared_gauge)", "labels": {"by": "rule"}},
            {"alert": "ZoneSeen", "expr": "shared_gauge >= 0", "annotations": {"summary": "{{ $labels.zone }}"}},
        ]}]})

    def start(self, tenant, method):
        word = data.WORDS[tenant]
        query = [{
            "http_config": {"bearer_token": ISSUER.token(tenant)},
            "static_configs": [f"127.0.0.1:{GATEWAY.port}"],
            "scheme": "http",
        }]
        name = f"rule-{word}-{method.lower()}"
        port = THANOS.rule(self.rules(), query, name, flags=[f"--query.http-method={method}"])
        self.addCleanup(STACK.stop, name)
        return callers.Caller(port)

    def test_its_rules_see_its_tenants_data_alone(self):
        for tenant, method in ((A, "POST"), (B, "GET")):
            with self.subTest(tenant=tenant):
                word, other = data.WORDS[tenant], (B if tenant == A else A)
                write(CALLERS["A" if tenant == A else "B"], tenant, [int(time.time() * 1000)])
                ruler = self.start(tenant, method)
                STACK.wait("the alert to fire", lambda: f"{word}-zone" in ruler.get("/api/v1/alerts").text, 60)
                for path in ("/api/v1/alerts", "/api/v1/rules"):
                    self.hides(ruler.get(path).text, other)
                listed = ruler.get("/api/v1/rules").json()["data"]["groups"][0]["rules"]
                self.assertEqual({r["health"] for r in listed}, {"ok"})
