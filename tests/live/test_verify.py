"""`promfence verify` against a gateway before real Thanos, whole, and with each protection taken away in turn."""

import copy
import json
import subprocess
import unittest

import gateway
import issuer
import stack as stacks
import thanos

HOST = "127.0.0.1"
MUTATION = gateway.TYPE + "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"


class Verify(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.command = stacks.command()
        cls.stack = stacks.Stack("verify")
        cls.addClassCleanup(cls.stack.end)
        cls.write, cls.query = thanos.start(cls.stack)
        cls.issuer = issuer.Issuer()
        cls.tokens = {t: cls.issuer.token(t) for t in ("team-a", "team-b")}
        cls.document = {
            "auth": {"issuers": [cls.issuer.config()]},
            "upstreams": [
                {"receive": {"hosts": [HOST], "cluster": "receive", "seal": "r" * 32}},
                {"thanos": {"hosts": [HOST], "cluster": "query", "seal": "q" * 32, "public": ["/-/ready"]}},
            ],
        }
        cls.runs = 0

    def verify(self, change=None, document=None, tokens=None, arguments=(), **more):
        """The report of a gateway, and the exit status."""
        type(self).runs += 1
        name = f"envoy-{self.runs}"
        made = gateway.Gateway(
            self.stack, document or copy.deepcopy(self.document), {"receive": self.write, "query": self.query}, name=name, **more)
        if change:
            change(made)
        made.start()
        try:
            a, b = tokens or (self.tokens["team-a"], self.tokens["team-b"])
            done = subprocess.run([
                self.command, "verify", "--url", f"http://{HOST}:{made.port}", "--tenant-a-token", a, "--tenant-b-token", b,
                "--expired-token", self.issuer.token("team-a", seconds=-100), "--write", "--json", *arguments,
            ], capture_output=True, text=True, timeout=300)
        finally:
            self.stack.stop(name)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return done.returncode, done.stdout

    def caught(self, *words, **more):
        """A hole is caught, and the report tells which."""
        status, text = self.verify(**more)
        self.assertEqual(status, 1, text[-3000:])
        failed = " | ".join(failures(json.loads(text)))
        for word in words:
            self.assertIn(word, failed)

    def test_the_whole_gateway_passes(self):
        issuers = [self.issuer.config(leeway="0s")]
        status, text = self.verify(document={**self.document, "auth": {"issuers": issuers}})
        self.assertEqual(status, 0, failures(json.loads(text)))

    def test_a_missing_filter_is_caught(self):
        """The routes of an operator who has not sealed them, and a filter that is not there."""
        def change(made):
            made.filters = []
            made.http["route_config"] = unsealed()

        self.caught("without a token", change=change)

    def test_a_missing_filter_behind_sealed_routes_is_caught(self):
        def change(made):
            made.filters = []

        self.caught("reads its own data", change=change)

    def test_a_caller_without_a_credential_is_caught(self):
        self.caught("without a token", document=self.with_auth(anonymous={"read": ["team-a"], "write": "none"}))

    def test_an_expired_token_that_is_taken_is_caught(self):
        self.caught("expired", document={**self.document, "auth": {"issuers": [self.issuer.config(leeway="10m")]}})

    def test_selectors_that_are_not_confined_are_caught(self):
        """Everybody is an administrator of everything."""
        everybody = self.issuer.config(admins={"claim": "/aud", "any_of": [issuer.AUDIENCE]})
        self.caught(document={**self.document, "auth": {"issuers": [everybody]}})

    def test_two_tokens_of_one_tenant_are_caught(self):
        self.caught(tokens=(self.tokens["team-a"], self.issuer.token("team-a", sub="other")))

    def test_a_token_of_both_tenants_is_caught(self):
        self.caught(tokens=(self.issuer.token("team-a", "team-b"), self.tokens["team-b"]))

    def test_a_tenant_header_of_the_client_that_wins_is_caught(self):
        """A later filter puts the client's header back."""
        before = mutation({"key": "x-panel-id", "value": "%REQ(THANOS-TENANT)%"})
        after = mutation({"key": "thanos-tenant", "value": "%REQ(X-PANEL-ID)%"})
        self.caught("forged header", before=[before], after=[after])

    def test_a_tenant_header_that_is_lost_is_caught(self):
        """Receive then writes everything for its default tenant."""
        lost = {"name": "lost", "typed_config": {"@type": MUTATION, "mutations": {"request_mutations": [{"remove": "thanos-tenant"}]}}}
        self.caught("finds its canary", after=[lost])

    def test_a_route_around_the_filter_is_caught(self):
        """One path is routed without the seal, the filter switched off there."""
        off = {"promfence": {"@type": gateway.TYPE + "envoy.config.route.v3.FilterConfig", "disabled": True}}

        def change(made):
            opened = [
                {"match": {"path": path}, "route": {"cluster": "query"}, "typed_per_filter_config": off}
                for path in ("/metrics", "/api/v1/stores", "/api/v1/status/flags")
            ]
            made.http["route_config"] = {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [*opened, *made.routes()]}]}

        self.caught("/metrics", change=change)

    def test_an_upstream_that_is_reachable_around_the_gateway_is_caught(self):
        self.caught("cannot be reached around", arguments=["--upstream", f"http://127.0.0.1:{self.query}"])

    def with_auth(self, **more):
        return {**self.document, "auth": {**self.document["auth"], **more}}


def failures(report):
    """The names of what does not hold."""
    found = []

    def walk(value):
        if isinstance(value, dict):
            words = [v for v in value.values() if isinstance(v, str)]
            if any(v in ("fails", "failed", "fail") for v in words):
                found.append(" ".join(words))
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(report)
    return found


def mutation(header):
    action = {"append": {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
    return {"name": "mutate-" + header["key"], "typed_config": {"@type": MUTATION, "mutations": {"request_mutations": [action]}}}


def unsealed():
    routes = [
        {"match": {"path": "/api/v1/receive"}, "route": {"cluster": "receive"}},
        {"match": {"prefix": "/"}, "route": {"cluster": "query"}},
    ]
    return {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]}


if __name__ == "__main__":
    unittest.main()
