"""Every endpoint of a real Prometheus, for every caller: what it shows and what it hides."""

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

OPTIONS = {"federate": True, "remote_read": True, "metadata": "filtered", "targets": "filtered"}
# Equal external labels: Prometheus reads an equality with one of its own as "label absent".
EXTERNAL = {"tenant_id": "team-a", "region": "here"}


def setUpModule():
    global STACK, ISSUER, UPSTREAM
    STACK = stack.Stack("prometheus")
    apps = data.Applications()
    try:
        ISSUER = issuer.Issuer()
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "external_labels": EXTERNAL},
            "storage": {"exemplars": {"max_exemplars": 1000}},
            "scrape_configs": data.scrape_configs(apps.port),
        }
        UPSTREAM = upstreams.prometheus(STACK, config, rules=data.rules())
        STACK.wait("alerts of both tenants to fire", firing, 60, "prometheus")
    except BaseException:
        STACK.end()
        raise
    finally:
        APPS.append(apps)


APPS = []


def tearDownModule():
    for apps in APPS:
        apps.end()
    STACK.end()
    callers.tell("prometheus")


def firing():
    upstream = callers.Caller(UPSTREAM)
    busy = upstream.get("/api/v1/alerts").text
    return data.alerts_fire(upstream) and all(f"/{word}/pay is busy" in busy for word in data.WORDS.values())


def serve(name, **options):
    """A gateway in front of the Prometheus and its callers."""
    upstream = {"hosts": ["gateway.test"], "cluster": "prometheus", "seal": "s" * 32, **OPTIONS, **options}
    document = {"auth": {"issuers": [ISSUER.config()]}, "upstreams": [{"prometheus": upstream}]}
    made = gateway.Gateway(STACK, document, {"prometheus": UPSTREAM}, name=name).start()
    return made, callers.callers(made.port, ISSUER)


class Prometheus(Sight):
    """Base: a gateway with the options of its class."""

    options = {}

    @classmethod
    def setUpClass(cls):
        name = f"envoy-{cls.__name__}"
        cls.gateway, cls.callers = serve(name, **cls.options)
        cls.addClassCleanup(STACK.stop, name)


class WhatIsQueried(Prometheus):
    def test_an_instant_query_by_get_and_by_post(self):
        for query in ("requests_total", '{__name__=~".+_only"}', "sum by (path, tenant_id) (rate(requests_total[1m]) + 1)"):
            own = "{word}-value" if "_only" in query else "/{word}/pay"
            self.shows("GET query", lambda c: c.get("/api/v1/query", {"query": query}), own, "{tenant}")
            self.shows("POST query", lambda c: c.form("/api/v1/query", {"query": query}), own, "{tenant}")

    def test_a_range_query_by_get_and_by_post(self):
        now = time.time()
        asked = {"query": "requests_total", "start": f"{now - 60:.3f}", "end": f"{now:.3f}", "step": "5"}
        self.shows("GET query_range", lambda c: c.get("/api/v1/query_range", asked), "/{word}/pay")
        self.shows("POST query_range", lambda c: c.form("/api/v1/query_range", asked), "/{word}/pay")

    def test_a_matcher_for_the_other_tenant_only_narrows(self):
        answer = self.callers["A"].get("/api/v1/query", {"query": 'requests_total{tenant_id="team-b"}'})
        self.assertEqual(answer.json()["data"]["result"], [])
        answer = self.callers["A"].get("/api/v1/query", {"query": 'count(requests_total{tenant_id=~".*"})'})
        self.assertEqual(answer.json()["data"]["result"][0]["value"][1], "1")

    def test_values_of_all_tenants_are_not_counted(self):
        for query in ("count(requests_total)", "count({__name__=~'requests_total'} or on() vector(1))"):
            for name, count in {"A": "1", "B": "1", "A+B": "2", "admin": "2"}.items():
                answer = self.callers[name].get("/api/v1/query", {"query": query})
                self.assertEqual(answer.json()["data"]["result"][0]["value"][1], count, (name, query))

    def test_exemplars(self):
        now = time.time()
        asked = {"query": "requests_total", "start": f"{now - 600:.3f}", "end": f"{now + 60:.3f}"}
        self.shows("GET query_exemplars", lambda c: c.get("/api/v1/query_exemplars", asked), "{word}-trace")
        asked["query"] = "latency_seconds_bucket"
        self.shows("POST query_exemplars", lambda c: c.form("/api/v1/query_exemplars", asked), "{word}-slow-trace")

    def test_parsing_and_formatting_need_no_data(self):
        for path in ("/api/v1/format_query", "/api/v1/parse_query"):
            self.shows("GET " + path[8:], lambda c: c.get(path, {"query": "sum(up)"}), "up")
            self.shows("POST " + path[8:], lambda c: c.form(path, {"query": "sum(up)"}), "up")


class WhatIsListed(Prometheus):
    def test_series(self):
        self.shows("GET series", lambda c: c.get("/api/v1/series", {"match[]": "requests_total"}), "/{word}/pay")
        several = {"match[]": ["requests_total", '{__name__=~".+_only"}']}
        self.shows("POST series", lambda c: c.form("/api/v1/series", several), "/{word}/pay", "{word}-value")

    def test_label_names_without_a_selector(self):
        self.shows("GET labels", lambda c: c.get("/api/v1/labels"), '"{word}_label"')
        self.shows("POST labels", lambda c: c.form("/api/v1/labels", {"limit": "1000"}), '"{word}_label"')

    def test_label_names_with_a_selector(self):
        asked = {"match[]": ['{__name__=~".*_only"}', "up"]}
        self.shows("GET labels, match[]", lambda c: c.get("/api/v1/labels", asked), '"{word}_label"')

    def test_label_values(self):
        for label, own in {"path": "/{word}/pay", "__name__": "{word}_only", "job": "{word}-job", "tenant_id": "{tenant}"}.items():
            path = f"/api/v1/label/{label}/values"
            self.shows(f"GET label/{label}/values", lambda c: c.get(path), own)
            self.shows(f"GET label/{label}/values, match[]", lambda c: c.get(path, {"match[]": '{__name__=~".+"}'}), own)

    def test_a_label_that_only_the_other_tenant_has_has_no_values(self):
        answer = self.callers["A"].get("/api/v1/label/beta_label/values")
        self.assertEqual(answer.json()["data"], [])
        answer = self.callers["B"].get("/api/v1/label/U__beta_5f_label/values")
        self.assertEqual(answer.json()["data"], ["beta-value"])

    def test_metadata_is_cut_down_to_own_metric_names(self):
        self.shows("GET metadata", lambda c: c.get("/api/v1/metadata"), "{word}_only", "Requests served.")
        self.shows("GET metadata, limit", lambda c: c.get("/api/v1/metadata", {"limit": "1000"}), "{word}_only")
        answer = self.callers["A"].get("/api/v1/metadata", {"metric": "beta_only"})
        self.assertEqual(answer.json()["data"], {})

    def test_targets_are_cut_down_to_own_labels(self):
        self.shows("GET targets", lambda c: c.get("/api/v1/targets"), "{word}-job", '"health":"up"')
        self.shows("GET targets, dropped", lambda c: c.get("/api/v1/targets", {"state": "any"}), "{word}-job")

    def test_a_federating_server_gets_own_series(self):
        self.shows("GET federate", lambda c: c.get("/federate", {"match[]": '{__name__=~".+"}'}), "{word}_only", "/{word}/pay")

    def test_what_prometheus_says_of_itself(self):
        self.shows("GET status/buildinfo", lambda c: c.get("/api/v1/status/buildinfo"), '"version"')
        self.shows("GET features", lambda c: c.get("/api/v1/features"), '"success"')


class WhatIsRemoteRead(Prometheus):
    def ask(self, *matchers, kinds=(remote.SAMPLES,)):
        now = int(time.time() * 1000)
        body = remote.read_request(matchers, now - 600_000, now, kinds)
        return lambda c: c.send("POST", "/api/v1/read", body, remote.READ_HEADERS)

    def show(self, endpoint, ask, *own):
        listed = lambda answer: json.dumps(remote.read_series(answer))
        self.shows(endpoint, ask, *own, skip=["A+B as B, by parameter"], text=listed)

    def test_samples_and_chunks_are_of_own_series(self):
        every = (remote.REGEX, "__name__", ".+")
        for kind, kinds in {"samples": [remote.SAMPLES], "chunks": [remote.CHUNKS, remote.SAMPLES]}.items():
            self.show(f"POST read, {kind}", self.ask(every, kinds=kinds), "{word}_only", "/{word}/pay")

    def test_an_equality_with_an_external_label_means_what_it_says(self):
        named = (remote.EQUAL, "__name__", "requests_total")
        for kind in (remote.SAMPLES, remote.CHUNKS):
            own = self.ask(named, (remote.EQUAL, "tenant_id", "team-a"), kinds=[kind])(self.callers["A"])
            self.assertEqual([s["path"] for s in remote.read_series(own)], ["/alpha/pay"])
            other = self.ask(named, (remote.EQUAL, "tenant_id", "team-a"), kinds=[kind])(self.callers["B"])
            self.assertEqual(remote.read_series(other), [])


class WhatRulesAndAlertsShow(Prometheus):
    def test_rules_are_those_that_carry_the_tenant(self):
        own = ["{word}-group", "{word}_mixed", "{word}-annotation", "{word}:mixed:sum", "mixed-group"]
        self.shows("GET rules", lambda c: c.get("/api/v1/rules"), *own)
        self.shows("GET rules, type", lambda c: c.get("/api/v1/rules", {"type": "alert"}), "{word}_alone", "{word}-annotation")
        asked = {"rule_group[]": ["mixed-group"], "match[]": ['{severity="page"}']}
        self.shows("GET rules, match[]", lambda c: c.get("/api/v1/rules", asked), "{word}_mixed")
        self.shows("GET rules, pages", lambda c: c.get("/api/v1/rules", {"group_limit": "10"}), "{word}_mixed")

    def test_alerts_are_those_that_carry_the_tenant(self):
        own = ["{word}_alone", "{word}_mixed", "{word}-annotation", "/{word}/pay is busy"]
        self.shows("GET alerts", lambda c: c.get("/api/v1/alerts"), *own)

    def test_rules_without_a_tenant_are_not_shown(self):
        for name in ("A", "A+B"):
            self.assertNotIn("Platform", self.callers[name].get("/api/v1/rules").text)


class WhatRulesShowByOption(Prometheus):
    options = {"rules": {"active_alerts": True}}

    def test_a_rule_without_a_tenant_is_shown_with_own_alerts_alone(self):
        self.shows("GET rules, active_alerts", lambda c: c.get("/api/v1/rules"), "PlatformBusy", "/{word}/pay is busy")


class WhatIsVerified(Prometheus):
    """The same answers pass where every series of them is proven."""

    options = {"verify": "all"}

    def test_answers_in_scope_pass(self):
        self.shows("GET query, verify: all", lambda c: c.get("/api/v1/query", {"query": "requests_total"}), "/{word}/pay")
        self.shows("GET series, verify: all", lambda c: c.get("/api/v1/series", {"match[]": "up"}), "{word}-job")
        self.shows("GET federate, verify: all", lambda c: c.get("/federate", {"match[]": "up"}), "{word}-job")
        every = [(remote.REGEX, "__name__", ".+")]
        now = int(time.time() * 1000)
        for kinds in ([remote.SAMPLES], [remote.CHUNKS]):
            body = remote.read_request(every, now - 600_000, now, kinds)
            self.shows(
                "POST read, verify: all",
                lambda c: c.send("POST", "/api/v1/read", body, remote.READ_HEADERS),
                "{word}_only",
                skip=["A+B as B, by parameter"],
                text=lambda answer: json.dumps(remote.read_series(answer)),
            )


class WhatIsVerifiedAsItStreams(WhatIsVerified):
    options = {"verify": "stream"}


class WhatIsDenied(Prometheus):
    options = {"federate": False, "remote_read": False, "metadata": "deny", "targets": "deny"}

    def test_what_is_off_or_unknown_does_not_exist_for_anybody(self):
        paths = [
            "/federate?match[]=up", "/api/v1/metadata", "/api/v1/targets", "/api/v1/targets/metadata", "/api/v1/scrape_pools",
            "/api/v1/status/config", "/api/v1/status/flags", "/api/v1/status/tsdb", "/api/v1/status/runtimeinfo",
            "/api/v1/status/walreplay", "/api/v1/alertmanagers", "/api/v1/notifications", "/api/v1/notifications/live",
            "/api/v1/search/metric_names", "/api/v1/search/label_names", "/api/v1/search/label_values", "/metrics",
            "/debug/pprof/heap", "/graph", "/query", "/", "/consoles/", "/-/healthy", "/-/ready", "/api/v1/write",
        ]
        for path in paths:
            for name, client in self.callers.items():
                with self.subTest(path=path, caller=name):
                    answer = client.get(path)
                    self.assertIn(answer.status, (404, 405), answer)
                    for tenant in data.WORDS:
                        self.hides(answer.text, tenant)

    def test_an_empty_success_has_nothing_of_anybody(self):
        made, clients = serve("envoy-empty", metadata="empty", targets="empty")
        self.addCleanup(STACK.stop, "envoy-empty")
        for path in ("/api/v1/metadata", "/api/v1/targets"):
            answer = clients["A"].get(path)
            self.assertEqual(answer.json()["status"], "success")
            for tenant in data.WORDS:
                self.hides(answer.text, tenant)


class NarrowingByTheCaller(Prometheus):
    def test_a_choice_outside_of_the_grant_is_refused(self):
        for client, headers, path in [
            ("A", {"x-promfence-tenant": "team-b"}, "/api/v1/labels"),
            ("A", {}, "/api/v1/labels?tenant=team-b"),
            ("A+B", {"x-promfence-tenant": "team-a|team-c"}, "/api/v1/labels"),
        ]:
            answer = self.callers[client].get(path, headers=headers)
            self.assertEqual(answer.status, 403, answer)

    def test_both_empty_or_repeated_choices_are_refused(self):
        header = {"x-promfence-tenant": "team-a"}
        for headers, path in [
            (header, "/api/v1/labels?tenant=team-a"),
            ({"x-promfence-tenant": ""}, "/api/v1/labels"),
            ({}, "/api/v1/labels?tenant="),
            ({}, "/api/v1/labels?tenant=team-a&tenant=team-b"),
        ]:
            answer = self.callers["A+B"].get(path, headers=headers)
            self.assertEqual(answer.status, 400, answer)

    def test_several_of_the_grant_can_be_chosen(self):
        both = {"x-promfence-tenant": "team-a|team-b"}
        answer = self.callers["admin"].get("/api/v1/label/tenant_id/values", headers=both)
        self.assertEqual(answer.json()["data"], ["team-a", "team-b"])
