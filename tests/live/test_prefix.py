"""A real Prometheus under a prefix on both sides, and names in UTF-8 in every place that has names."""

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

NAME, LABEL = "utf8.métric", "service.name"


def setUpModule():
    global STACK, APPS, PORT, GATEWAY, CALLERS, NOW
    STACK, APPS = stack.Stack("prefix"), data.Applications()
    NOW = int(time.time())
    try:
        config = {"global": {"scrape_interval": "1s"}, "scrape_configs": data.scrape_configs(APPS.port)}
        PORT = upstreams.prometheus(STACK, config, prefix="/prom")
        issued = issuer.Issuer()
        host = {"hosts": ["gateway.test"], "cluster": "prometheus", "seal": "p" * 32, "prefix": "/metrics", "upstream_prefix": "/prom"}
        options = {"federate": True, "remote_read": True, "metadata": "filtered", "targets": "filtered", "public": ["/-/healthy", "/-/ready"], "verify": "all"}
        document = {
            "auth": {"issuers": [issued.config()]},
            "limits": {"hold_head": "64KiB"},
            "upstreams": [{"prometheus": {**host, **options}}],
        }
        GATEWAY = gateway.Gateway(STACK, document, {"prometheus": PORT}, rewrite={"prometheus": "/prom"}).start()
        CALLERS = callers.callers(GATEWAY.port, issued, prefix="/metrics")
        write()
        STACK.wait("both tenants to be scraped", lambda: direct("/api/v1/label/__name__/values").text.count("_only") >= 2, 60)
    except BaseException:
        tearDownModule()
        raise


def tearDownModule():
    APPS.end()
    STACK.end()
    callers.tell("prometheus, prefix")


def direct(path):
    return callers.Caller(PORT, prefix="/prom").get(path)


def write():
    """Series of both tenants whose names are no classic ones, past the gateway."""
    samples = [((NOW - 60 + 5 * i) * 1000, 1.0) for i in range(12)]
    series = [({"__name__": NAME, LABEL: f"{word}-service", "tenant_id": tenant}, samples) for tenant, word in data.WORDS.items()]
    answer = callers.Caller(PORT, prefix="/prom").send("POST", "/api/v1/write", remote.write_request(series), remote.WRITE_HEADERS)
    if answer.status >= 300:
        raise AssertionError(answer)


class Prefix(Sight):
    @classmethod
    def setUpClass(cls):
        cls.callers = CALLERS


class UnderAPrefix(Prefix):
    def test_each_kind_of_endpoint_is_found_under_it(self):
        own = "/{word}/pay"
        self.shows("GET query", lambda c: c.get("/api/v1/query", {"query": "requests_total"}), own)
        self.shows("POST query", lambda c: c.form("/api/v1/query", {"query": "requests_total"}), own)
        self.shows("POST series", lambda c: c.form("/api/v1/series", {"match[]": "requests_total"}), own)
        self.shows("GET federate", lambda c: c.get("/federate", {"match[]": '{__name__=~".+_only"}'}), "{word}_only")
        self.shows("GET targets", lambda c: c.get("/api/v1/targets"), "{word}-job")
        body = remote.read_request([(remote.REGEX, "__name__", ".+_only")], NOW * 1000 - 600_000, NOW * 1000 + 600_000)
        listed = lambda answer: json.dumps(remote.read_series(answer))
        ask = lambda c: c.send("POST", "/api/v1/read", body, remote.READ_HEADERS)
        self.shows("POST read", ask, "{word}_only", skip=["A+B as B, by parameter"], text=listed)

    def test_a_look_up_finds_the_upstreams_own_prefix(self):
        self.shows("GET metadata", lambda c: c.get("/api/v1/metadata"), "{word}_only", "Requests served.")

    def test_health_needs_no_credential_where_it_is_public(self):
        for path in ("/-/healthy", "/-/ready"):
            for method in ("GET", "HEAD"):
                answer = self.callers["nobody"].send(method, path)
                self.assertEqual(answer.status, 200, answer)

    def test_neither_side_answers_under_another_prefix(self):
        for prefix in ("", "/prom", "/metrics/prom", "/metrics/metrics", "/metricsx"):
            for path in ("/api/v1/query?query=up", "/-/ready"):
                client = callers.Caller(GATEWAY.port, prefix=prefix, headers=self.callers["A"].headers)
                answer = client.get(path)
                self.assertIn(answer.status, (400, 404), (prefix, answer))


class NamesInUtf8(Prefix):
    OWN = "{word}-service"

    def test_as_a_metric_and_as_a_label_of_a_selector(self):
        for query in (f'{{"{NAME}"}}', f'{{"{NAME}","{LABEL}"!=""}}', f'{{__name__="{NAME}"}}', f'sum by ("{LABEL}") ({{"{NAME}"}} offset 0s)'):
            self.shows("GET query, UTF-8", lambda c: c.get("/api/v1/query", {"query": query}), self.OWN)
            self.shows("POST query, UTF-8", lambda c: c.form("/api/v1/query", {"query": query}), self.OWN)

    def test_as_a_selector_of_lists(self):
        asked = {"match[]": [f'{{"{NAME}"}}', f'{{"{LABEL}"=~".+"}}']}
        self.shows("GET series, UTF-8", lambda c: c.get("/api/v1/series", asked), self.OWN)
        self.shows("GET federate, UTF-8", lambda c: c.get("/federate", asked), self.OWN)

    def test_as_a_label_whose_values_are_asked_for(self):
        path = "/api/v1/label/U__service_2e_name/values"
        self.shows("GET label/U__.../values", lambda c: c.get(path), self.OWN)
        self.shows("GET label/U__.../values, match[]", lambda c: c.get(path, {"match[]": f'{{"{NAME}"}}'}), self.OWN)
        answer = self.callers["A"].get("/api/v1/label/U__tenant_5f_id/values")
        self.assertIn(answer.json().get("data"), ([], ["team-a"]), answer)
        self.assertEqual(self.callers["A"].get("/api/v1/label/service.name/values").status, 404)

    def test_the_tenants_label_in_quotes_is_the_tenants_label(self):
        for query in (f'{{"{NAME}","tenant_id"="team-b"}}', f'{{"{NAME}","tenant_id"=~".*"}}', f'{{"{NAME}",\'tenant_id\'!="team-a"}}'):
            answer = self.callers["A"].get("/api/v1/query", {"query": query})
            self.assertEqual(answer.status, 200, answer)
            self.hides(answer.text, callers.B)
