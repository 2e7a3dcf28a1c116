"""Whoever writes, and whatever the write says: it is stored for the caller's tenant or not at all."""

import socket
import time
import unittest

import bodies
import gateway
import issuer
import stack
import writes

VICTIM, FORGER = "victim", "forger"

# What becomes of a series that carries the victim's label: whether it is taken.
POLICIES = {"header": True, "verify": False, "strict": False, "overwrite": True, "drop": True, "reject": False}
OPTIONS = {
    "header": {},
    "verify": {"write": {"series_label": "verify", "absent": "allow"}},
    "strict": {"write": {"series_label": "verify", "absent": "refuse"}},
    "overwrite": {"series_label": "overwrite"},
    "drop": {"series_label": "drop"},
    "reject": {"series_label": "reject"},
}


class Forgers(unittest.TestCase):
    """One forger tries everything; the victim's data never change."""

    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack("forgers")
        cls.addClassCleanup(cls.stack.end)
        cls.write, grpc, _ = writes.receive(cls.stack)
        cls.query = writes.query(cls.stack, grpc)
        cls.prom = writes.prometheus(cls.stack)
        cls.issuer = issuer.Issuer()
        upstreams = [writes.upstream("receive", "receive", n, **o) for n, o in OPTIONS.items()]
        upstreams += [
            writes.upstream("thanos", "query", "read"),
            writes.upstream("prometheus", "prometheus", "prom", series_label="overwrite"),
            writes.upstream("prometheus", "prometheus", "prom-strict", series_label="verify"),
        ]
        clusters = {"receive": cls.write, "query": cls.query, "prometheus": cls.prom}
        document = {"auth": {"issuers": [cls.issuer.config()]}, "upstreams": upstreams}
        cls.gateway = gateway.Gateway(cls.stack, document, clusters).start()
        cls.start_victim()

    @classmethod
    def start_victim(cls):
        canary = bodies.v1([("__name__", "canary"), ("owner", VICTIM)])
        for path in ("/header/api/v1/receive", "/prom/api/v1/write"):
            answer = cls.client(VICTIM).send("POST", path, bodies.snappy(canary), bodies.V1)
            assert answer.status in (200, 204), answer
        # A tenant that Query has not seen yet has no data to be changed: both are there from now on.
        hello = bodies.v1([("__name__", "hello"), ("owner", FORGER)])
        answer = cls.client(FORGER).send("POST", "/header/api/v1/receive", bodies.snappy(hello), bodies.V1)
        assert answer.status == 200, answer
        for tenant in (VICTIM, FORGER):
            cls.stack.wait(f"Query to see {tenant}", lambda: cls.thanos(tenant), 60)
        cls.before = cls.everything(VICTIM)

    @classmethod
    def client(cls, tenant):
        return cls.gateway.client(cls.issuer.token(tenant))

    @classmethod
    def thanos(cls, tenant, selector='{__name__=~".+"}'):
        return writes.stored(cls.client(tenant), "/read/api/v1/query", selector, 900, without=("replica",))

    @classmethod
    def prometheus(cls, tenant, selector='{__name__=~".+"}'):
        return writes.stored(cls.client(tenant), "/prom/api/v1/query", selector, 900, without=())

    @classmethod
    def everything(cls, tenant):
        return cls.thanos(tenant), cls.prometheus(tenant)

    def tearDown(self):
        thanos, prometheus = self.everything(VICTIM)
        self.assertEqual((thanos, prometheus), self.before, "the victim's data changed")
        self.assertEqual([len(thanos), len(prometheus)], [1, 1])

    def post(self, path, body, headers):
        return self.client(FORGER).send("POST", path, body, headers)

    def tenants_of(self, found):
        return {dict(labels)["tenant_id"] for labels in found}

    def names(self, name):
        """The labels of the forger's stored series of this name, without the name itself."""
        found = {**self.thanos(FORGER, name), **self.prometheus(FORGER, name)}
        self.assertLessEqual(self.tenants_of(found), {FORGER})
        return found

    def test_an_agent_whose_external_labels_and_relabelling_forge(self):
        forge = [{"target_label": "tenant_id", "replacement": VICTIM}]
        entries = []
        for where, path in [*((p, "/api/v1/receive") for p in POLICIES), ("prom", "/api/v1/write"), ("prom-strict", "/api/v1/write")]:
            for way, relabel in (("external", []), ("relabel", forge)):
                mark = [{"target_label": "mark", "replacement": f"{where}-{way}"}]
                url = f"http://127.0.0.1:{self.gateway.port}/{where}{path}"
                v2 = where.startswith("prom") and way == "relabel"
                entries.append(writes.remote_write(f"{where}-{way}", url, self.issuer.token(FORGER), v2,
                                                   write_relabel_configs=[*relabel, *mark]))
        port = writes.agent(self.stack, "forger", entries, lambda own: [
            {"job_name": "forged", "static_configs": [{"targets": [f"127.0.0.1:{own}"]}],
             "metric_relabel_configs": [{"source_labels": ["__name__"], "regex": "go_.*", "action": "keep"}]},
        ], external={"tenant_id": VICTIM})
        taken = {f"{p}-{w}": t for p, t in [*POLICIES.items(), ("prom", True), ("prom-strict", False)]
                 for w in ("external", "relabel")}

        def sent():
            lost, done = writes.queues(port, "samples_failed_total"), writes.queues(port, "samples_total")
            pending = writes.queues(port, "samples_pending")
            return all((done.get(n, 0) - pending.get(n, 0) > 60 if t else lost.get(n, 0) > 60) for n, t in taken.items())

        self.stack.wait("every queue to send or to fail", sent, 90)
        failed = writes.queues(port, "samples_failed_total")
        self.stack.stop("forger")
        for name, is_taken in taken.items():
            self.assertEqual(failed[name] == 0, is_taken, name)
            found = self.thanos(FORGER, f'{{mark="{name}"}}') or self.prometheus(FORGER, f'{{mark="{name}"}}')
            self.assertEqual(bool(found), is_taken, name)
            self.assertLessEqual(self.tenants_of(found), {FORGER}, name)
        log = self.stack.log("forger", 200_000)
        self.assertIn("label `tenant_id` has a value that this caller may not write", log)
        self.assertIn("label `tenant_id` must not be sent", log)

    def test_two_tenants_in_one_batch(self):
        for policy, taken in POLICIES.items():
            for kind, path, headers in (("v1", "receive", bodies.V1), ("otlp", "otlp", bodies.OTLP)):
                name = f"batch_{policy}_{kind}"
                lists = [[("__name__", name), ("n", "1"), ("tenant_id", FORGER)], [("__name__", name), ("n", "2"), ("tenant_id", VICTIM)]]
                if kind == "v1":
                    body = bodies.snappy(bodies.v1(*lists))
                else:
                    body = bodies.otlp(*(pairs[1:] for pairs in lists), name=name)
                answer = self.post(f"/{policy}/api/v1/{path}", body, headers)
                self.assertEqual(answer.status, 200 if taken else 400, f"{name}: {answer}")
                self.assertEqual({dict(labels)["n"] for labels in self.names(name)}, {"1", "2"} if taken else set(), name)
                if not taken:
                    self.assertIn("tenant_id", answer.text)
        for prefix, status in (("prom", 204), ("prom-strict", 400)):
            for kind, make, headers in (("v1", bodies.v1, bodies.V1), ("v2", bodies.v2, bodies.V2)):
                name = f"batch_{prefix.replace('-', '_')}_{kind}"
                lists = [[("__name__", name), ("n", "1"), ("tenant_id", FORGER)], [("__name__", name), ("n", "2"), ("tenant_id", VICTIM)]]
                answer = self.post(f"/{prefix}/api/v1/write", bodies.snappy(make(*lists)), headers)
                self.assertEqual(answer.status, status, f"{name}: {answer}")
                self.assertEqual(len(self.names(name)), 2 if status == 204 else 0, name)

    def test_otlp_attributes_that_are_stored_as_the_label(self):
        places = {"point": {}, "resource": {}, "scope": {}}
        for i, key in enumerate(("tenant_id", "tenant.id", "tenant-id", "tenant id", "tenant:id", "tenant__id", "tenant/id")):
            for place in places:
                pairs = [(key, VICTIM)]
                for prefix, path in (("reject", "/api/v1/otlp"), ("verify", "/api/v1/otlp"), ("prom-strict", "/api/v1/otlp/v1/metrics")):
                    points, more = ([pairs], {}) if place == "point" else ([[("a", "b")]], {place: pairs})
                    body = bodies.otlp(*points, name=f"spelled_{i}", **more)
                    answer = self.post(f"/{prefix}{path}", body, bodies.OTLP)
                    self.assertEqual(answer.status, 400, f"{prefix} {place} {key}: {answer}")
                body = bodies.otlp(*points, name=f"spelled_{i}_{place}", **more)
                answer = self.post("/prom/api/v1/otlp/v1/metrics", body, bodies.OTLP)
                self.assertEqual(answer.status, 200, answer)
                self.assertEqual(len(self.names(f"spelled_{i}_{place}")), 1)

    def test_the_tenant_header_in_any_spelling(self):
        spellings = [
            [("THANOS-TENANT", VICTIM)], [("thanos-tenant", VICTIM)], [("Thanos-Tenant", VICTIM)], [("tHaNoS-tEnAnT", VICTIM)],
            [("THANOS_TENANT", VICTIM)], [("THANOS-TENANT", FORGER), ("thanos-tenant", VICTIM)],
            [("THANOS-TENANT", VICTIM), ("THANOS-TENANT", FORGER)], [("THANOS-TENANT", f"{FORGER}, {VICTIM}")],
            [("THANOS-TENANT", f"  {VICTIM}\t")], [("THANOS-TENANT", "")], [("THANOS-TENANT ", VICTIM)],
            [("X-Scope-OrgID", VICTIM)], [("X-THANOS-TENANT", VICTIM), ("x-prometheus-tenant", VICTIM)],
            [("THANOS-REPLICA", "3"), ("THANOS-TENANT", VICTIM)], [("connection", "thanos-tenant"), ("THANOS-TENANT", VICTIM)],
        ]
        kept = 0
        for i, headers in enumerate(spellings):
            name = f"spelling_{i}"
            status = self.raw("/header/api/v1/receive", name, headers)
            self.assertIn(status, (200, 400), headers)
            kept += status == 200
            self.assertEqual(len(self.names(name)), int(status == 200), headers)
        self.assertGreaterEqual(kept, 12)

    def raw(self, path, name, headers, trailer=None):
        """A write whose head is sent byte for byte; the status of the answer."""
        body = bodies.snappy(bodies.v1([("__name__", name), ("owner", FORGER)]))
        head = [f"POST {path} HTTP/1.1", "host: gateway.test", f"authorization: Bearer {self.issuer.token(FORGER)}"]
        head += [f"{n}: {v}" for n, v in bodies.V1.items()] + [f"{n}: {v}" for n, v in headers]
        if trailer:
            head += ["transfer-encoding: chunked", "trailer: " + trailer[0]]
            body = f"{len(body):x}\r\n".encode() + body + f"\r\n0\r\n{trailer[0]}: {trailer[1]}\r\n\r\n".encode()
        else:
            head.append(f"content-length: {len(body)}")
        with socket.create_connection(("127.0.0.1", self.gateway.port), 30) as s:
            s.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
            s.settimeout(30)
            return int(s.recv(65536).split(b" ", 2)[1])

    def test_the_tenant_header_as_a_trailer(self):
        for policy in ("header", "overwrite"):
            name = f"trailer_{policy}"
            self.assertEqual(self.raw(f"/{policy}/api/v1/receive", name, [], ("THANOS-TENANT", VICTIM)), 200)
            self.assertEqual(len(self.names(name)), 1)

    def test_a_replica_header_is_not_believed(self):
        # A receiver without replication refuses a replica number: 200 shows that it saw none.
        for i, value in enumerate(("1", "2", "18446744073709551615", "x", "")):
            self.assertEqual(self.raw("/header/api/v1/receive", f"replica_{i}", [("THANOS-REPLICA", value)]), 200, value)
            self.assertEqual(len(self.names(f"replica_{i}")), 1)

    def test_the_tenant_as_a_parameter_or_in_the_path(self):
        body = bodies.snappy(bodies.v1([("__name__", "parameter")]))
        for path in (f"?tenant={VICTIM}", f"?THANOS-TENANT={VICTIM}", f"/{VICTIM}", f"/../{VICTIM}/receive", "%3ftenant=victim"):
            answer = self.post(f"/header/api/v1/receive{path}", body, bodies.V1)
            self.assertIn(answer.status, (400, 404), path)
        self.assertEqual(self.names("parameter"), {})

    def test_a_body_that_says_one_thing_in_each_version(self):
        """Receive decodes 1.0 whatever the headers say: a body is never both."""
        forged = bodies.v1([("__name__", "both"), ("tenant_id", VICTIM)])
        harmless = bodies.v2([("__name__", "both"), ("n", "1")])
        for policy in ("verify", "strict", "overwrite", "drop", "reject"):
            for headers in (bodies.V1, bodies.V2):
                for body in (forged + harmless, harmless + forged):
                    answer = self.post(f"/{policy}/api/v1/receive", bodies.snappy(body), headers)
                    self.assertEqual(answer.status, 400, f"{policy} {answer}")
            answer = self.post(f"/{policy}/api/v1/receive", bodies.snappy(forged), bodies.V2)
            self.assertEqual(answer.status, 400, f"{policy} {answer}")
        self.assertEqual(self.names("both"), {})

    def test_exemplars_and_types_of_version_2_arrive_beside_an_overwritten_label(self):
        name, trace = "shown_total", "0af7651916cd43dd8448eb211c80319c"
        body = bodies.v2([("__name__", name), ("n", "1"), ("tenant_id", VICTIM)], exemplar=[("trace_id", trace), ("tenant_id", "kept")])
        answer = self.post("/prom/api/v1/write", bodies.snappy(body), bodies.V2)
        self.assertEqual(answer.status, 204, answer)
        written = {k: v for k, v in answer.headers.items() if k.startswith("x-prometheus-remote-write-")}
        self.assertEqual(written["x-prometheus-remote-write-samples-written"], "1")
        self.assertEqual(written["x-prometheus-remote-write-exemplars-written"], "1")
        found = writes.exemplars(self.client(FORGER), "/prom/api/v1/query_exemplars", name, 600)
        self.assertEqual([dict(e[1]) for e in found], [{"trace_id": trace, "tenant_id": "kept"}])
        self.assertEqual(len(self.names(name)), 1)

    def test_a_stale_token_or_another_tenants_name_writes_nothing(self):
        body = bodies.snappy(bodies.v1([("__name__", "stale")]))
        for token in (self.issuer.token(FORGER, seconds=-3600), issuer.Issuer().token(VICTIM), "x"):
            answer = self.gateway.client(token).send("POST", "/header/api/v1/receive", body, bodies.V1)
            self.assertEqual(answer.status, 401, answer)
        both = self.gateway.client(self.issuer.token(FORGER, VICTIM))
        self.assertEqual(both.send("POST", "/header/api/v1/receive", body, bodies.V1).status, 400)
        time.sleep(1)
        self.assertEqual(self.names("stale"), {})
