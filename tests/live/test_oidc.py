"""A real OpenID provider: discovery, keys, tokens by client credentials, rotation under load, with and without TLS."""

import base64
import collections
import json
import signal
import ssl
import threading
import time
import unittest
import urllib.parse
import urllib.request

import certificates
import gateway
import recorder
import stack

QUERY = ("/api/v1/query", {"query": "up"})
TLS = gateway.TYPE + "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"


class Provider:
    """The provider's process, and what its clients ask of it."""

    def __init__(self, stack_, pair=None, authority=None):
        self.stack, self.port = stack_, stack_.port()
        self.issuer = f"{'https' if pair else 'http'}://127.0.0.1:{self.port}"
        self.context = ssl.create_default_context(cafile=authority) if pair else None
        argv = ["node", stack.tool("oidc-provider"), self.port, "team-a,team-b", *(pair or ())]
        self.process = stack_.start("provider", argv, lambda: "ready at" in stack_.log("provider"), seconds=120)

    def get(self, path, data=None, headers=None):
        request = urllib.request.Request(self.issuer + path, data, headers or {})
        with urllib.request.urlopen(request, timeout=60, context=self.context) as answer:
            return json.load(answer)

    def token(self, tenant, scope="metrics:read metrics:write"):
        """An access token by client credentials."""
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": scope}).encode()
        secret = base64.b64encode(f"{tenant}:secret-of-{tenant}".encode()).decode()
        return self.get("/token", form, {"authorization": f"Basic {secret}"})["access_token"]

    def signs_with(self):
        return self.stack.log("provider", 10**6).count("signs with")

    def rotate(self):
        """Makes a new key and signs with it from now on."""
        before = self.signs_with()
        self.process.send_signal(signal.SIGHUP)
        self.stack.wait("a new key", lambda: self.signs_with() > before, 60)

    def forget(self):
        """Takes the keys before the last one out of the set."""
        self.process.send_signal(signal.SIGUSR2)
        self.stack.wait("one key", lambda: len(self.get("/jwks")["keys"]) == 1, 60)


def kid(token):
    part = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["kid"]


class Behind:
    """The tests, for a provider without and with TLS."""

    SECURE = False
    WORKERS = 2

    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack("oidc")
        cls.addClassCleanup(cls.stack.end)
        cls.upstream = recorder.Recorder(cls.stack)
        cls.addClassCleanup(cls.upstream.close)
        cluster = None
        if cls.SECURE:
            authority = certificates.Authority(cls.stack, "idp")
            cls.provider = Provider(cls.stack, authority.issue("127.0.0.1"), authority.path)
            trust = {"trusted_ca": {"filename": authority.path}, "match_typed_subject_alt_names": [
                {"san_type": "IP_ADDRESS", "matcher": {"exact": "127.0.0.1"}}]}
            cluster = gateway.cluster("idp", cls.provider.port, transport_socket={"name": "tls", "typed_config": {
                "@type": TLS, "common_tls_context": {"validation_context": trust}}})
        else:
            cls.provider = Provider(cls.stack)
        document = {
            "auth": {
                "issuers": [{
                    "issuer": cls.provider.issuer,
                    "audiences": ["metrics"],
                    "types": ["at+jwt"],
                    "keys": {"remote": {"cluster": "idp", "authority": f"127.0.0.1:{cls.provider.port}",
                                        "discovery": {}, "refresh": "5m", "timeout": "30s"}},
                    "tenants": [{"claim": "/tenants"}],
                    "rights": {"claim": "/scope", "read": "metrics:read", "write": "metrics:write"},
                }],
                "shared_keys": {"secret": "0123456789abcdef0123456789abcdef"},
                # More than in production, so that some rotations fit into the time of a test.
                "unknown_kid": {"interval": "1s", "burst": 10},
            },
            "upstreams": [
                {"thanos": {"hosts": ["gateway.test"], "cluster": "query", "seal": "q" * 32}},
                {"receive": {"hosts": ["gateway.test"], "cluster": "receive", "seal": "r" * 32}},
            ],
        }
        clusters = {"query": cls.upstream.port, "receive": cls.upstream.port, "idp": cluster or cls.provider.port}
        cls.gateway = gateway.Gateway(cls.stack, document, clusters, workers=cls.WORKERS).start()

    def setUp(self):
        self.upstream.taken()

    def test_1_a_token_by_client_credentials_reads_and_writes_its_tenant(self):
        for tenant in ("team-a", "team-b"):
            made = self.provider.token(tenant)
            answer = self.gateway.client(made).get(*QUERY)
            self.assertEqual(answer.status, 200, answer)
            taken = self.upstream.taken()
            self.assertEqual([(t.query, t.tenant) for t in taken], [('up{tenant_id="%s"}' % tenant, tenant)])
            answer = self.gateway.client(made).send(
                "POST", "/api/v1/receive", b"x", {"content-type": "application/x-protobuf"})
            self.assertEqual((answer.status, [t.tenant for t in self.upstream.taken()]), (200, [tenant]))

    def test_2_a_scope_gives_its_right_alone(self):
        reader = self.provider.token("team-a", "metrics:read")
        self.assertEqual(self.gateway.client(reader).get(*QUERY).status, 200)
        self.upstream.taken()
        answer = self.gateway.client(reader).send(
            "POST", "/api/v1/receive", b"x", {"content-type": "application/x-protobuf"})
        self.assertEqual((answer.status, self.upstream.taken()), (403, []))

    def test_3_keys_rotate_while_requests_run_and_none_fails(self):
        rotations, a_second, callers = 3, 50, 10
        statuses, kids, slowest = collections.Counter(), set(), [0.0]
        lock, ended, tokens = threading.Lock(), threading.Event(), [self.provider.token("team-a")]
        start = time.monotonic()

        def caller(number):
            at = start + number / a_second
            while not ended.is_set():
                time.sleep(max(0.0, at - time.monotonic()))
                began, made = time.monotonic(), tokens[-1]
                status = self.gateway.client(made).get(*QUERY).status
                with lock:
                    statuses[status] += 1
                    kids.add(kid(made))
                    slowest[0] = max(slowest[0], time.monotonic() - began)
                # Under load it falls behind, and does not catch up by a burst.
                at = max(at + callers / a_second, time.monotonic() - 1)

        threads = [threading.Thread(target=caller, args=(n,)) for n in range(callers)]
        for t in threads:
            t.start()
        for _ in range(rotations):
            time.sleep(3)
            self.provider.rotate()
            tokens.append(self.provider.token("team-a"))
        time.sleep(3)
        ended.set()
        for t in threads:
            t.join()
        seconds, count = time.monotonic() - start, sum(statuses.values())
        print(f"{count} requests in {seconds:.0f} s, {len(kids)} keys, slowest {slowest[0]:.2f} s", end=" ... ")
        self.assertEqual(set(statuses), {200}, statuses)
        self.assertEqual(len(kids), rotations + 1)
        self.assertGreater(count, seconds * 10)
        taken = self.upstream.taken()
        self.assertEqual({t.query for t in taken}, {'up{tenant_id="team-a"}'})

    def test_4_a_key_that_the_provider_has_forgotten_counts_no_more_once_the_set_was_fetched(self):
        old = self.provider.token("team-b")
        self.assertEqual(self.gateway.client(old).get(*QUERY).status, 200)
        self.provider.rotate()
        self.provider.forget()
        new = self.provider.token("team-b")
        # Each worker learns of it from the one that meets the new key, within a second.
        self.stack.wait("the old key to be forgotten", lambda: (
            self.gateway.client(new).get(*QUERY).status == 200 and self.gateway.client(old).get(*QUERY).status == 401), 60)
        self.upstream.taken()
        for _ in range(10):
            self.assertEqual(self.gateway.client(new).get(*QUERY).status, 200)

    def test_5_the_provider_goes_away_and_the_known_keys_go_on(self):
        made = self.provider.token("team-a")
        self.assertEqual(self.gateway.client(made).get(*QUERY).status, 200)
        self.stack.stop("provider")
        for _ in range(10):
            self.assertEqual(self.gateway.client(made).get(*QUERY).status, 200)


class WithoutTls(Behind, unittest.TestCase):
    def test_0_one_worker_fetches_for_all(self):
        log = self.stack.log("provider", 10**6)
        self.stack.wait("all workers to have keys", lambda: self.gateway.stats().get("issuers_without_keys") == 0, 60)
        fetched = self.gateway.stats().get("key_fetches.outcome.keys", 0)
        self.assertIn(fetched, range(1, self.WORKERS + 2), log)


class WithTls(Behind, unittest.TestCase):
    SECURE = True

    def test_0_a_provider_whose_certificate_is_not_trusted_gives_no_keys(self):
        other = certificates.Authority(self.stack, "other")
        trust = {"trusted_ca": {"filename": other.path}}
        idp = gateway.cluster("idp", self.provider.port, transport_socket={"name": "tls", "typed_config": {
            "@type": TLS, "common_tls_context": {"validation_context": trust}}})
        clusters = {**self.gateway.clusters, "idp": idp}
        made = gateway.Gateway(self.stack, self.gateway.document, clusters, name="distrustful").start()
        answer = made.client(self.provider.token("team-a")).get(*QUERY)
        self.assertEqual((answer.status, self.upstream.taken()), (503, []), answer)
        self.assertIn("retry-after", answer.headers)
        self.stack.stop("distrustful")


if __name__ == "__main__":
    unittest.main()
