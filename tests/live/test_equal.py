"""Answers through the gateway equal those of servers that hold the caller's data and nothing else."""

import concurrent.futures
import json
import re
import time
import unittest

import callers
import corpus
import data
import gateway
import issuer
import remote
import stack
import upstreams
import web

WANTED = 300
POSITION = re.compile(r" \(\d+:\d+\)")


def setUpModule():
    if corpus.folder() is None:
        raise unittest.SkipTest(f"SKIPPED: the corpus is not in {corpus.FOLDER}")
    global STACK, ISSUER, NOW
    STACK = stack.Stack("equal")
    ISSUER = issuer.Issuer()
    NOW = int(time.time()) // 60 * 60


def tearDownModule():
    STACK.end()


def write(port, path, series, headers=None):
    for i in range(0, len(series), 400):
        body = remote.write_request(series[i : i + 400])
        answer = web.request(port, "POST", path, {**remote.WRITE_HEADERS, **(headers or {})}, body, timeout=120)
        if answer.status >= 300:
            raise AssertionError(answer)


def forms(query):
    """A query as the two requests that panels make of it."""
    yield "/api/v1/query", {"query": query, "time": NOW - 60}
    yield "/api/v1/query_range", {"query": query, "start": NOW - 900, "end": NOW - 60, "step": 60}


def told(answer):
    """What an answer says, as far as it does not depend on where in the text something stands."""
    try:
        body = answer.json()
    except ValueError:
        return {"status": answer.status, "text": answer.text}
    if answer.status != 200:
        return {"status": answer.status, "errorType": body.get("errorType")}
    notes = {k: sorted(POSITION.sub("", n) for n in body.get(k) or []) for k in ("warnings", "infos")}
    return {"status": 200, "data": body["data"], **notes}


def sorted_result(said):
    """The series of an answer in one order: servers promise none, but for `sort`."""
    result = (said.get("data") or {}).get("result")
    if isinstance(result, list) and result and isinstance(result[0], dict):
        result = sorted(result, key=lambda s: json.dumps(s["metric"], sort_keys=True))
        return {**said, "data": {**said["data"], "result": result}}
    return said


def has_data(said):
    result = (said.get("data") or {}).get("result")
    return bool(result) and (not isinstance(result[0], dict) or "metric" in result[0])


def equal(query, left, right):
    return left == right if "sort" in query else sorted_result(left) == sorted_result(right)


class Equal(unittest.TestCase):
    """Base: `ports[tenant]` are servers with one tenant's data, `through[tenant]` clients of all."""

    def compare(self, rows, least):
        chosen = self.chosen(rows)
        self.assertGreaterEqual(len(chosen), least, "too few queries of the corpus find data")
        differing, compared = [], 0
        for tenant, client in self.through.items():
            alone = callers.Caller(self.ports[tenant])
            other = callers.Caller(self.all)
            jobs = [(q, path, asked) for q in chosen for path, asked in forms(q)]
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                answers = list(pool.map(lambda job: (job, told(alone.get(*job[1:])), told(client.get(*job[1:]))), jobs))
            for (query, path, _), own, got in answers:
                compared += 1
                if not equal(query, own, got):
                    differing.append(f"{tenant} {path} {query}\n  alone:   {json.dumps(own)[:400]}\n  through: {json.dumps(got)[:400]}")
        # The comparison must be able to fail: without the filter most answers are others.
        unfiltered = sum(told(other.get(p, a)) != told(alone.get(p, a)) for q in chosen[:50] for p, a in list(forms(q))[:1])
        print(f"\n{type(self).__name__}: {len(chosen)} queries, {compared} answers compared, {len(differing)} differ; "
              f"{unfiltered} of 50 differ without the filter")
        self.assertFalse(differing, f"{len(differing)} differ:\n" + "\n".join(differing[:20]))
        self.assertGreater(unfiltered, 40)

    def chosen(self, rows):
        """Queries that find data on the server of the first tenant, from all classes in turn."""
        alone = callers.Caller(self.ports[callers.A])
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda row: has_data(told(alone.get(*next(forms(row["query"]))))), rows))
        classes = {}
        for row, finds in zip(rows, found):
            if finds:
                classes.setdefault(row["class"], []).append(row["query"])
        out = []
        for queries in classes.values():
            # The shapes of a class lie together: take them evenly over its length.
            share = min(len(queries), max(WANTED // len(classes), WANTED - sum(map(len, classes.values())) + len(queries)))
            out += [queries[i * len(queries) // share] for i in range(share)]
        rest = [q for queries in classes.values() for q in queries if q not in set(out)]
        out += rest[:: max(1, len(rest) // max(1, WANTED - len(out)))][: max(0, WANTED - len(out))]
        return out[: max(WANTED, len(out))]


class AnswersOfPrometheus(Equal):
    def test_they_equal_those_of_a_server_with_this_tenants_data_alone(self):
        rows = corpus.queries()
        series = {
            tenant: [({**labels, "tenant_id": tenant}, samples) for labels, samples in corpus.series(rows, tenant, NOW)]
            for tenant in data.WORDS
        }
        self.all = upstreams.prometheus(STACK, name="all")
        self.ports = {tenant: upstreams.prometheus(STACK, name=tenant) for tenant in data.WORDS}
        for tenant, own in series.items():
            for port in (self.all, self.ports[tenant]):
                write(port, "/api/v1/write", own)
        document = {
            "auth": {"issuers": [ISSUER.config()]},
            "upstreams": [{"prometheus": {"hosts": ["gateway.test"], "cluster": "all", "seal": "s" * 32}}],
        }
        made = gateway.Gateway(STACK, document, {"all": self.all}, name="envoy-prometheus").start()
        self.through = {tenant: made.client(ISSUER.token(tenant)) for tenant in data.WORDS}
        for name in ("envoy-prometheus", "all", *data.WORDS):
            self.addCleanup(STACK.stop, name)
        self.compare(rows, WANTED)


class AnswersOfThanos(Equal):
    def test_they_equal_those_of_a_server_with_this_tenants_data_alone(self):
        rows = corpus.queries(thanos=True)
        series = {tenant: corpus.series(rows, tenant, NOW) for tenant in data.WORDS}
        thanos = upstreams.Thanos(STACK)
        self.ports = {}
        for name in ("everyone", *data.WORDS):
            thanos.receive(name)
            port = thanos.query(name, name=f"query-{name}")
            for program in (name, f"query-{name}"):
                self.addCleanup(STACK.stop, program)
            for tenant, own in series.items():
                if name in ("everyone", tenant):
                    write(thanos.ports[name + "-write"], "/api/v1/receive", own, {"thanos-tenant": tenant})
            self.ports[name] = port
        self.all = self.ports.pop("everyone")
        document = {
            "auth": {"issuers": [ISSUER.config()]},
            "upstreams": [{"thanos": {"hosts": ["gateway.test"], "cluster": "all", "seal": "s" * 32}}],
        }
        made = gateway.Gateway(STACK, document, {"all": self.all}, name="envoy-thanos").start()
        self.addCleanup(STACK.stop, "envoy-thanos")
        self.through = {tenant: made.client(ISSUER.token(tenant)) for tenant in data.WORDS}
        for tenant, port in [("all", self.all), *self.ports.items()]:
            client = callers.Caller(port)
            last = {"query": "count({__name__=~'.+'})", "time": NOW}
            STACK.wait(f"the data of {tenant}", lambda: has_data(told(client.get("/api/v1/query", last))), 60)
        self.compare(rows, WANTED)
