"""Every endpoint of a real Thanos, for every caller: Receive, Query over all kinds of stores, Rule."""

import json
import time

import callers
import data
import gateway
import issuer
import remote
import stack
import upstreams
from callers import Sight


def setUpModule():
    global STACK, ISSUER, THANOS, APPS, GATEWAY, CALLERS, NOW
    STACK = stack.Stack("thanos")
    APPS = data.Applications()
    ISSUER = issuer.Issuer()
    NOW = int(time.time())
    try:
        THANOS = upstreams.Thanos(STACK)
        THANOS.receive()
        start_prometheus_with_sidecar()
        THANOS.store({t: data.archive(w, NOW - 6 * 3600) for t, w in data.WORDS.items()})
        THANOS.query("receive", name="inner")
        inner = [{"static_configs": [f"127.0.0.1:{THANOS.ports['inner']}"], "scheme": "http"}]
        THANOS.rule(data.rules(), inner)
        THANOS.query("receive", "sidecar", "store", "rule")
        GATEWAY = gateway.Gateway(STACK, document(), clusters()).start()
        CALLERS = callers.callers(GATEWAY.port, ISSUER)
        for name, tenant in (("A", callers.A), ("B", callers.B)):
            write(CALLERS[name], tenant)
        STACK.wait("all stores to answer and alerts to fire", ready, 90, "query")
    except BaseException:
        tearDownModule()
        raise


def tearDownModule():
    APPS.end()
    STACK.end()
    callers.tell("thanos")


def start_prometheus_with_sidecar():
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "external_labels": {"cluster": "main"}},
        "storage": {"exemplars": {"max_exemplars": 1000}},
        "scrape_configs": data.scrape_configs(APPS.port),
    }
    flags = ["--storage.tsdb.min-block-duration=2h", "--storage.tsdb.max-block-duration=2h"]
    port = upstreams.prometheus(STACK, config, rules=data.rules(), flags=flags)
    THANOS.sidecar(port, STACK.path("prometheus", "data"))


def document():
    """Four upstreams in one configuration: two at the top, two under prefixes."""
    host = {"hosts": ["gateway.test"]}
    options = {"metadata": "filtered", "targets": "filtered"}
    return {
        "tenancy": {"several": "several-tenants"},
        "auth": {"issuers": [ISSUER.config()]},
        "upstreams": [
            {"receive": {**host, "cluster": "receive", "seal": "r" * 32}},
            {"thanos": {**host, "cluster": "query", "seal": "q" * 32, **options}},
            {"thanos": {**host, "cluster": "query", "seal": "p" * 32, "prefix": "/partial", "partial_response": True, "verify": "all"}},
            {"ruler": {**host, "cluster": "rule", "seal": "u" * 32, "prefix": "/ruler"}},
        ],
    }


def clusters():
    return {"receive": THANOS.ports["receive-write"], "query": THANOS.ports["query"], "rule": THANOS.ports["rule"]}


def write(client, tenant):
    times = [(NOW - 600 + 10 * i) * 1000 for i in range(120)]
    answer = client.send("POST", "/api/v1/receive", remote.write_request(data.series(tenant, times)), remote.WRITE_HEADERS)
    if answer.status >= 300:
        raise AssertionError(answer)


def ready():
    query = callers.Caller(THANOS.ports["query"])
    names = query.get("/api/v1/label/__name__/values", {"start": NOW - 86400, "end": NOW + 900}).text
    fire = all(data.alerts_fire(client) for client in (query, callers.Caller(THANOS.ports["rule"])))
    return fire and all(name in names for name in ("alpha_archived", '"up"', "beta_only"))


class Thanos(Sight):
    @classmethod
    def setUpClass(cls):
        cls.callers = CALLERS


class WhatIsQueried(Thanos):
    QUERIES = {"requests_total": "/{word}/pay", '{__name__=~".+_only"}': "{word}-value", "sum by (zone) (shared_gauge)": "{word}-zone"}

    def test_an_instant_query_by_get_and_by_post(self):
        for query, own in self.QUERIES.items():
            self.shows("GET query", lambda c: c.get("/api/v1/query", {"query": query}), own)
            self.shows("POST query", lambda c: c.form("/api/v1/query", {"query": query, "dedup": "true"}), own)

    def test_a_range_query_by_get_and_by_post(self):
        asked = {"query": "shared_gauge", "start": NOW - 300, "end": NOW, "step": "10", "max_source_resolution": "0s"}
        self.shows("GET query_range", lambda c: c.get("/api/v1/query_range", asked), "{word}-zone")
        self.shows("POST query_range", lambda c: c.form("/api/v1/query_range", asked), "{word}-zone")

    def test_the_engine_of_thanos_is_confined_alike(self):
        for query, own in self.QUERIES.items():
            asked = {"query": query, "engine": "thanos"}
            self.shows("GET query, engine=thanos", lambda c: c.get("/api/v1/query", asked), own)

    def test_blocks_in_a_bucket_are_confined_alike(self):
        at = NOW - 6 * 3600 - 120
        asked = {"query": '{__name__=~".+_archived"}', "time": at}
        self.shows("GET query, store", lambda c: c.get("/api/v1/query", asked), "{word}-vault")
        asked = {"match[]": '{vault!=""}', "start": at - 600, "end": at}
        self.shows("GET series, store", lambda c: c.get("/api/v1/series", asked), "{word}-vault")

    def test_explanations_show_own_selectors_only(self):
        asked = {"query": "sum(rate(requests_total[1m]))", "engine": "thanos"}
        ranged = {**asked, "start": NOW - 300, "end": NOW, "step": "10"}
        for path, parameters in {"query_explain": asked, "query_range_explain": ranged}.items():
            self.shows(f"GET {path}", lambda c: c.get(f"/api/v1/{path}", parameters), "{tenant}", skip=["admin"])
            self.shows(f"POST {path}", lambda c: c.form(f"/api/v1/{path}", parameters), "{tenant}", skip=["admin"])

    def test_exemplars(self):
        asked = {"query": "requests_total", "start": NOW - 3600, "end": NOW + 3600}
        self.shows("GET query_exemplars", lambda c: c.get("/api/v1/query_exemplars", asked), "{word}-trace")
        self.shows("POST query_exemplars", lambda c: c.form("/api/v1/query_exemplars", asked), "{word}-trace")

    def test_values_of_all_tenants_are_not_counted(self):
        for name, count in {"A": "1", "B": "1", "A+B": "2", "admin": "2"}.items():
            answer = self.callers[name].get("/api/v1/query", {"query": "count(shared_gauge)"})
            self.assertEqual(answer.json()["data"]["result"][0]["value"][1], count, name)


class WhatIsListed(Thanos):
    def test_series(self):
        self.shows("GET series", lambda c: c.get("/api/v1/series", {"match[]": "requests_total"}), "/{word}/pay")
        several = {"match[]": ["shared_gauge", '{__name__=~".+_only"}']}
        self.shows("POST series", lambda c: c.form("/api/v1/series", several), "{word}-zone", "{word}-value")

    def test_label_names(self):
        self.shows("GET labels", lambda c: c.get("/api/v1/labels"), '"{word}_label"')
        self.shows("POST labels", lambda c: c.form("/api/v1/labels", {"match[]": '{__name__=~".+_only"}'}), '"{word}_label"')

    def test_label_values(self):
        for label, own in {"path": "/{word}/pay", "__name__": "{word}_only", "zone": "{word}-zone", "tenant_id": "{tenant}"}.items():
            path = f"/api/v1/label/{label}/values"
            self.shows(f"GET label/{label}/values", lambda c: c.get(path), own)
            self.shows(f"GET label/{label}/values, match[]", lambda c: c.get(path, {"match[]": '{__name__=~".+"}'}), own)

    def test_a_selector_of_the_tenant_alone_is_no_way_around(self):
        for tenant in (callers.A, callers.B):
            answer = self.callers["A"].get("/api/v1/series", {"match[]": f'{{tenant_id="{tenant}"}}'})
            self.hides(answer.text, callers.B)

    def test_metadata_is_cut_down_to_own_metric_names(self):
        self.shows("GET metadata", lambda c: c.get("/api/v1/metadata"), "{word}_only", "Requests served.")

    def test_targets_are_cut_down_to_own_labels(self):
        self.shows("GET targets", lambda c: c.get("/api/v1/targets"), "{word}-job")
        self.shows("GET targets, state", lambda c: c.get("/api/v1/targets", {"state": "any"}), "{word}-job")

    def test_what_thanos_says_of_itself(self):
        self.shows("GET status/buildinfo", lambda c: c.get("/api/v1/status/buildinfo"), '"version"')


class WhatRulesAndAlertsShow(Thanos):
    OWN = ["{word}_alone", "{word}_mixed", "{word}-annotation"]

    def test_rules_of_query_are_those_that_carry_the_tenant(self):
        self.shows("GET rules", lambda c: c.get("/api/v1/rules"), *self.OWN, "{word}:mixed:sum")
        asked = {"type": "alert", "match[]": '{severity="page"}'}
        self.shows("GET rules, match[]", lambda c: c.get("/api/v1/rules", asked), "{word}_mixed")

    def test_alerts_of_query_are_those_that_carry_the_tenant(self):
        self.shows("GET alerts", lambda c: c.get("/api/v1/alerts"), *self.OWN)

    def test_rules_and_alerts_of_the_ruler_under_its_prefix(self):
        self.shows("GET /ruler rules", lambda c: c.get("/ruler/api/v1/rules"), *self.OWN, "{word}:mixed:sum")
        self.shows("GET /ruler alerts", lambda c: c.get("/ruler/api/v1/alerts"), *self.OWN)


class WhatPartialAnswersShow(Thanos):
    """Under `/partial` Thanos may answer in part, and every series is proven."""

    def test_a_missing_store_is_not_named(self):
        asked = {"query": "requests_total", "partial_response": "true"}
        self.shows("GET query, partial", lambda c: c.get("/partial/api/v1/query", asked), "/{word}/pay")
        self.shows("GET series, partial", lambda c: c.get("/partial/api/v1/series", {"match[]": "up"}), "{word}-job")
        self.shows("GET labels, partial", lambda c: c.get("/partial/api/v1/labels"), "{word}_label")

    def test_an_error_names_no_store_and_no_label_set(self):
        for path in ("", "/partial"):
            answer = self.callers["A"].get(path + "/api/v1/series", {"match[]": '{tenant_id="team-a"}'})
            for part in ("127.0.0.1", "receive_replica", callers.B):
                self.assertNotIn(part, answer.text)


class WhatIsDenied(Thanos):
    def test_what_is_off_or_unknown_does_not_exist_for_anybody(self):
        paths = [
            "/api/v1/stores", "/api/v1/targets/metadata", "/api/v1/status/config", "/api/v1/status/flags", "/api/v1/blocks",
            "/api/v1/format_query", "/api/v1/read", "/federate", "/metrics", "/debug/pprof/heap", "/", "/graph", "/-/ready",
            "/ruler/api/v1/query", "/ruler/api/v1/labels", "/ruler", "/ruler/", "/partial/ruler/api/v1/rules", "/ruler/metrics",
            "/api/v1/receive", "/partial/api/v1/metadata", "/partial/api/v1/targets",
        ]
        for path in paths:
            for name, client in self.callers.items():
                with self.subTest(path=path, caller=name):
                    answer = client.get(path)
                    self.assertIn(answer.status, (400, 404, 405), answer)
                    for tenant in data.WORDS:
                        self.hides(answer.text, tenant)

    def test_parameters_that_reach_behind_tenancy_are_refused(self):
        for name, value in {"storeMatch[]": '{tenant_id="team-b"}', "replicaLabels[]": "tenant_id", "shard_info": "{}", "analyze": "true"}.items():
            answer = self.callers["A"].get("/api/v1/query", {"query": "requests_total", name: value})
            self.assertEqual(answer.status, 400, (name, answer))

    def test_what_is_written_is_the_callers_whatever_its_labels_say(self):
        forged = [({"__name__": "forged", "tenant_id": "team-b"}, [(NOW * 1000, 1.0)])]
        answer = self.callers["A"].send("POST", "/api/v1/receive", remote.write_request(forged), remote.WRITE_HEADERS)
        self.assertLess(answer.status, 300, answer)
        for name, count in {"A": 1, "B": 0}.items():
            answer = self.callers[name].get("/api/v1/query", {"query": "forged", "time": NOW})
            self.assertEqual(len(answer.json()["data"]["result"]), count, (name, answer))
