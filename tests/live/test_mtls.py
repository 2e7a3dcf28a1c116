"""Client certificates at a real listener, and those that a proxy in front says it was shown."""

import http.client
import ssl
import subprocess
import unittest

import certificates
import gateway
import recorder
import stack
import web

TLS = gateway.TYPE + "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
QUERY = "/api/v1/query?query=up"
EDGE = "spiffe://mesh.test/ns/edge/sa/gateway"
RULES = [
    {"uri_san": "spiffe://mesh.test/ns/{tenant}/sa/prometheus"},
    {"uri_san": "spiffe://mesh.test/ns/monitoring/sa/grafana", "grant": {"read": ["a", "b"], "write": "none"}},
    {"dns_san": "{tenant}.agents.test", "read": False},
    {"subject": "CN={tenant},O=readers", "write": False},
]


class Listeners(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack("mtls")
        cls.addClassCleanup(cls.stack.end)
        cls.upstream = recorder.Recorder(cls.stack)
        cls.addClassCleanup(cls.upstream.close)
        cls.ours, cls.theirs = certificates.Authority(cls.stack, "ours"), certificates.Authority(cls.stack, "theirs")
        cls.server = cls.ours.issue("gateway.test", "127.0.0.1", subject=(("CN", "gateway.test"),))

    @classmethod
    def start(cls, name, validation="ours", require=False, http=None, **auth):
        common = {"tls_certificates": [{
            "certificate_chain": {"filename": cls.server[0]}, "private_key": {"filename": cls.server[1]}}]}
        if validation == "ours":
            common["validation_context"] = {"trusted_ca": {"filename": cls.ours.path}}
        elif validation:
            common["validation_context"] = validation
        document = {
            "auth": {"mtls": RULES, **auth},
            "upstreams": [
                {"thanos": {"hosts": ["gateway.test"], "cluster": "query", "seal": "q" * 32}},
                {"receive": {"hosts": ["gateway.test"], "cluster": "receive", "seal": "r" * 32}},
            ],
        }
        tls = {"name": "tls", "typed_config": {
            "@type": TLS, "common_tls_context": common, "require_client_certificate": require}}
        clusters = {"query": cls.upstream.port, "receive": cls.upstream.port}
        return gateway.Gateway(cls.stack, document, clusters, name=name, tls=tls, http=http).start()

    def setUp(self):
        self.upstream.taken()

    def send(self, to, pair=None, method="GET", path=QUERY, body=None, headers=None):
        context = ssl.create_default_context(cafile=self.ours.path)
        if pair:
            context.load_cert_chain(*pair)
        connection = http.client.HTTPSConnection("127.0.0.1", to.port, context=context, timeout=60)
        try:
            connection.request(method, path, body, {"host": "gateway.test", **(headers or {})})
            answer = connection.getresponse()
            return web.Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def write(self, to, pair, **headers):
        return self.send(to, pair, "POST", "/api/v1/receive", b"x", {"content-type": "application/x-protobuf", **headers})

    def reads(self, answer, matcher):
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([t.query for t in self.upstream.taken()], ["up{%s}" % matcher])

    def writes(self, answer, tenant):
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([t.tenant for t in self.upstream.taken()], [tenant])

    def refused(self, answer, *statuses):
        self.assertEqual(self.upstream.taken(), [])
        self.assertIn(answer.status, statuses, answer)

    def dies(self, to, pair):
        """The handshake fails, or the connection is cut, before a request is answered."""
        with self.assertRaises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
            self.send(to, pair)
        self.assertEqual(self.upstream.taken(), [])


class CertificatesOfAVerifyingListener(Listeners):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.gateway = cls.start("verifying")

    def test_a_spiffe_identity_gives_its_namespace(self):
        pair = self.ours.issue("spiffe://mesh.test/ns/team-a/sa/prometheus")
        self.reads(self.send(self.gateway, pair), 'tenant_id="team-a"')
        self.writes(self.write(self.gateway, pair), "team-a")

    def test_a_pattern_without_tenant_gives_its_grant(self):
        pair = self.ours.issue("spiffe://mesh.test/ns/monitoring/sa/grafana")
        self.reads(self.send(self.gateway, pair), 'tenant_id=~"a|b"')
        self.refused(self.write(self.gateway, pair), 403)

    def test_a_dns_name_and_a_subject_give_the_rights_of_their_rules(self):
        agent = self.ours.issue("team-b.agents.test")
        self.writes(self.write(self.gateway, agent), "team-b")
        self.refused(self.send(self.gateway, agent), 403)
        reader = self.ours.issue(subject=(("O", "readers"), ("CN", "team-c")))
        self.reads(self.send(self.gateway, reader), 'tenant_id="team-c"')
        self.refused(self.write(self.gateway, reader), 403)

    def test_of_several_names_the_first_of_a_kind_counts(self):
        own, other = "spiffe://mesh.test/ns/team-a/sa/prometheus", "spiffe://mesh.test/ns/team-b/sa/prometheus"
        self.reads(self.send(self.gateway, self.ours.issue(own, other)), 'tenant_id="team-a"')
        self.refused(self.send(self.gateway, self.ours.issue("spiffe://mesh.test/ns/x/sa/y", own)), 403)
        # Rules are tried in their order, whatever the order of the names.
        both = self.ours.issue("team-b.agents.test", own)
        self.reads(self.send(self.gateway, both), 'tenant_id="team-a"')

    def test_names_that_only_look_alike_are_refused(self):
        for name in [
            "spiffe://mesh.test/ns/team-a/sa/prometheus2", "spiffe://mesh.test/ns/team-a/sa/prometheus/x",
            "spiffe://mesh.test.evil/ns/team-a/sa/prometheus", "spiffe://MESH.test/ns/team-a/sa/prometheus",
            "spiffe://mesh.test/ns/team-a/x/sa/prometheus", "spiffe://mesh.test/ns//sa/prometheus",
            "spiffe://mesh.test/ns/../sa/prometheus", "spiffe://mesh.test/ns/default-tenant/sa/prometheus",
            "spiffe://mesh.test/ns/a%7Cb/sa/prometheus", "spiffe://mesh.test/ns/.*/sa/prometheus",
            "https://mesh.test/ns/team-a/sa/prometheus", "x.team-a.agents.test", "agents.test", "team-a.agents.test.evil",
        ]:
            with self.subTest(name):
                self.refused(self.send(self.gateway, self.ours.issue(name)), 403)
        for subject in [(("CN", "team-a,O=readers"),), (("O", "readers"), ("CN", "a+CN=b")), (("CN", "team-a"), ("O", "readers")),
                        (("O", "readers"), ("OU", "x"), ("CN", "team-a")), (("O", "readers"), ("CN", "a|b"))]:
            with self.subTest(str(subject)):
                self.refused(self.send(self.gateway, self.ours.issue(subject=subject)), 403)

    def test_without_a_certificate_nobody_is_recognised(self):
        self.refused(self.send(self.gateway), 401)

    def test_expired_foreign_and_self_signed_certificates_end_the_connection(self):
        name = "spiffe://mesh.test/ns/team-a/sa/prometheus"
        self.dies(self.gateway, self.ours.issue(name, days=(-30, -1)))
        self.dies(self.gateway, self.ours.issue(name, days=(1, 30)))
        self.dies(self.gateway, self.theirs.issue(name))
        self.dies(self.gateway, self.ours.issue(name, own=True))
        self.reads(self.send(self.gateway, self.ours.issue(name)), 'tenant_id="team-a"')

    def test_a_forwarded_certificate_is_not_read(self):
        forged = {"x-forwarded-client-cert": "URI=spiffe://mesh.test/ns/team-b/sa/prometheus"}
        self.refused(self.send(self.gateway, headers=forged), 401)
        pair = self.ours.issue("spiffe://mesh.test/ns/team-a/sa/prometheus")
        self.reads(self.send(self.gateway, pair, headers=forged), 'tenant_id="team-a"')


class CertificatesOfAListenerThatDoesNotVerify(Listeners):
    """What `promfence check` refuses, and why: the host cannot tell a verified certificate from a presented one."""

    def test_a_listener_without_trusted_ca_asks_for_no_certificate_and_recognises_nobody(self):
        gateway_ = self.start("unverified", validation=None, require=True)
        pair = self.ours.issue("spiffe://mesh.test/ns/team-a/sa/prometheus", own=True)
        self.refused(self.send(gateway_, pair), 401)
        self.is_refused_by_check("unverified", "trusted_ca")

    def test_a_listener_that_accepts_the_untrusted_takes_any(self):
        untrusted = {"trust_chain_verification": "ACCEPT_UNTRUSTED"}
        name = "spiffe://mesh.test/ns/team-a/sa/prometheus"
        for label, more in [("lax", {"trusted_ca": {"filename": self.ours.path}}), ("laxer", {})]:
            gateway_ = self.start(label, validation={**untrusted, **more})
            for pair in (self.theirs.issue(name), self.ours.issue(name, days=(-30, -1)), self.ours.issue(name, own=True)):
                self.reads(self.send(gateway_, pair), 'tenant_id="team-a"')
            self.is_refused_by_check(label, "ACCEPT_UNTRUSTED" if more else "trusted_ca")

    def is_refused_by_check(self, name, word):
        done = subprocess.run(
            [stack.command(), "check", self.stack.path(f"{name}.json")], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn(word, done.stdout + done.stderr)


class CertificatesThatATrustedProxyWasShown(Listeners):
    """Behind another proxy: whose element of X-Forwarded-Client-Cert counts."""

    A, B = (f"URI=spiffe://mesh.test/ns/team-{t}/sa/prometheus" for t in "ab")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.gateway = cls.start("behind", http={"forward_client_cert_details": "ALWAYS_FORWARD_ONLY"},
                                forwarded_certificate={"hops": [EDGE, "spiffe://mesh.test/ns/inner/sa/*"]})
        cls.edge = cls.ours.issue(EDGE)

    def ask(self, header, pair="edge"):
        headers = {"x-forwarded-client-cert": header} if header is not None else {}
        return self.send(self.gateway, self.edge if pair == "edge" else pair, headers=headers)

    def test_a_hop_says_who_calls(self):
        self.reads(self.ask(self.A), 'tenant_id="team-a"')
        answer = self.ask(f'By={EDGE};Hash=00ff;Subject="CN=x,O=y";{self.B};DNS=x.test')
        self.assertNotIn("x-forwarded-client-cert", self.upstream.requests[0].headers)
        self.reads(answer, 'tenant_id="team-b"')

    def test_a_caller_that_is_no_hop_says_it_of_himself_only(self):
        own = self.ours.issue("spiffe://mesh.test/ns/team-c/sa/prometheus")
        self.reads(self.ask(self.A, own), 'tenant_id="team-c"')
        self.refused(self.ask(self.A, self.ours.issue("spiffe://mesh.test/ns/edge/sa/gateway2")), 403)
        self.refused(self.ask(self.A, None), 401)

    def test_what_stands_before_the_last_caller_does_not_count(self):
        self.reads(self.ask(f"{self.B},{self.A}"), 'tenant_id="team-a"')
        self.reads(self.ask(f"{self.B},{self.A},URI=spiffe://mesh.test/ns/inner/sa/x,URI={EDGE}"), 'tenant_id="team-a"')
        self.refused(self.ask(f"{self.A},URI=spiffe://mesh.test/ns/other/sa/x"), 403)
        self.refused(self.ask(f"{self.A},Hash=00ff"), 403)

    def test_a_hop_without_a_caller_is_nobody(self):
        self.refused(self.ask(None), 401)
        self.refused(self.ask(f"URI={EDGE}"), 401)

    def test_what_can_be_read_in_two_ways_is_refused(self):
        for header in ["", "junk", self.A + ";", f'Subject="CN=a\\";{self.A};Subject="', f'Subject="{self.A}', f"{self.A};X=1",
                       ",".join([self.A] * 17), "URI=\xff"]:
            with self.subTest(header[:40]):
                self.refused(self.ask(header), 403, 400, 401)

    def test_envoys_own_element_of_the_hop_is_counted_as_a_hop(self):
        appending = self.start("appending", http={
            "forward_client_cert_details": "APPEND_FORWARD", "set_current_client_cert_details": {"uri": True}},
            forwarded_certificate={"hops": [EDGE]})
        self.reads(self.send(appending, self.edge, headers={"x-forwarded-client-cert": self.A}), 'tenant_id="team-a"')


if __name__ == "__main__":
    unittest.main()
