"""Tokens and static credentials through real Envoy: every algorithm, broken tokens, rights, writes."""

import base64
import hashlib
import json
import time
import unittest

import gateway
import recorder
import signer
import stack
from signer import Key, claims, token

QUERY = ("/api/v1/query", {"query": "up"})
SECRET = "generated-7Yb2tq0Jx9fLw3KcV5ZdRg"
PASSWORD = "generated-p4Hn8sQmT1uXe6Wb2GkJvA"


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def basic(user, password):
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


class Behind(unittest.TestCase):
    """A gateway in front of a recording Thanos (Query and Receive)."""

    AUTH = {}
    MORE = {}
    NAME = "tokens"

    @classmethod
    def setUpClass(cls):
        if cls is Behind:
            raise unittest.SkipTest("the base of the tests below")
        cls.stack = stack.Stack(cls.NAME)
        cls.addClassCleanup(cls.stack.end)
        cls.upstream = recorder.Recorder(cls.stack)
        cls.addClassCleanup(cls.upstream.close)
        cls.prepare()
        document = {
            "auth": cls.auth(),
            "upstreams": [
                {"thanos": {"hosts": ["gateway.test"], "cluster": "query", "seal": "q" * 32}},
                {"receive": {"hosts": ["gateway.test"], "cluster": "receive", "seal": "r" * 32}},
            ],
            **cls.MORE,
        }
        clusters = {"query": cls.upstream.port, "receive": cls.upstream.port}
        cls.gateway = gateway.Gateway(cls.stack, document, clusters).start()

    @classmethod
    def prepare(cls):
        pass

    @classmethod
    def auth(cls):
        return cls.AUTH

    def setUp(self):
        self.upstream.taken()

    def reads(self, answer, matcher, tenant=None):
        """The answer is a success, and the upstream got one query with this matcher."""
        self.assertEqual(answer.status, 200, answer)
        taken = self.upstream.taken()
        self.assertEqual([t.query for t in taken], ["up{%s}" % matcher])
        self.assertNotIn("authorization", taken[0].headers)
        self.assertNotIn("cookie", taken[0].headers)
        if tenant:
            self.assertEqual(taken[0].tenant, tenant)

    def refuses(self, answer, status):
        """The answer is a refusal in Prometheus' form, and the upstream got nothing."""
        self.assertEqual(self.upstream.taken(), [])
        self.assertIn(answer.status, status if isinstance(status, tuple) else (status,), answer)
        self.assertEqual(answer.json()["status"], "error")
        self.assertTrue(self.gateway.alive())

    def write(self, credential, **headers):
        client = self.gateway.client(credential)
        return client.send("POST", "/api/v1/receive", b"anything", {"content-type": "application/x-protobuf", **headers})

    def writes(self, answer, tenant):
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([(t.tenant, t.body) for t in self.upstream.taken()], [(tenant, b"anything")])


class Algorithms(Behind):
    @classmethod
    def prepare(cls):
        cls.keys = {alg: Key(alg) for alg in signer.ALL}
        cls.bare = Key("RS256", "bare")
        cls.large = Key("RS256", "large", bits=4096)

    @classmethod
    def auth(cls):
        keys = [*cls.keys.values(), cls.large.jwk(alg=None), cls.bare.jwk(kid=None, alg=None, use=None)]
        return {"issuers": [signer.issuer(keys, algorithms=[*signer.ALL])]}

    def test_the_host_verifies_what_it_can(self):
        self.assertIn("signatures by the host", self.gateway.log(10**7))
        self.assertEqual(self.gateway.stats()["host_signatures"], 1)

    def test_a_token_of_every_algorithm_is_let_in(self):
        for alg, key in self.keys.items():
            with self.subTest(alg):
                made = token(key, claims("a", sub=alg))
                self.reads(self.gateway.client(made).get(*QUERY), 'tenant_id="a"', "a")
                # Once more, from the cache.
                self.reads(self.gateway.client(made).get(*QUERY), 'tenant_id="a"', "a")

    def test_a_token_of_every_algorithm_with_another_signature_is_refused(self):
        for alg, key in self.keys.items():
            other = Key(alg, "another")
            other.kid = key.kid
            made = token(key, claims("a", sub=alg))
            cut = made.rpartition(".")[0]
            good = key.sign(cut.encode())
            changed = bytes([*good[:-1], good[-1] ^ 1])
            for what, bad in [
                ("another key", token(other, claims("a"))),
                ("one bit", f"{cut}.{signer.b64(changed)}"),
                ("the first byte", f"{cut}.{signer.b64(bytes([good[0] ^ 0x80]) + good[1:])}"),
                ("cut short", f"{cut}.{signer.b64(good[:-1])}"),
                ("longer", f"{cut}.{signer.b64(good + bytes(1))}"),
                ("zeros", f"{cut}.{signer.b64(bytes(len(good)))}"),
                ("none", f"{cut}."),
            ]:
                with self.subTest(f"{alg}: {what}"):
                    self.refuses(self.gateway.client(bad).get(*QUERY), 401)

    def test_no_token_is_let_in_under_another_algorithm_than_it_is_signed_with(self):
        for alg, key in self.keys.items():
            for said in [*signer.ALL, "none", "None", "RS1", "ES256K", "", None, 1, ["RS256"]]:
                if said == alg:
                    continue
                with self.subTest(f"{alg} as {said}"):
                    answer = self.gateway.client(token(key, claims("a"), {"alg": said})).get(*QUERY)
                    self.refuses(answer, 401)

    def test_a_key_without_kid_and_a_large_one_serve_too(self):
        self.reads(self.gateway.client(token(self.large, claims("a"))).get(*QUERY), 'tenant_id="a"')
        self.reads(self.gateway.client(token(self.bare, claims("a"), {"kid": None})).get(*QUERY), 'tenant_id="a"')
        self.reads(self.gateway.client(token(self.bare, claims("a"), {"kid": "unheard-of"})).get(*QUERY), 'tenant_id="a"')


class BrokenTokens(Behind):
    @classmethod
    def prepare(cls):
        cls.rsa, cls.ec, cls.attacker = Key("RS256"), Key("ES256"), Key("RS256", "attacker")

    @classmethod
    def auth(cls):
        return {"issuers": [signer.issuer([cls.rsa, cls.ec], leeway="30s", max_lifetime="1h",
                                          authorized_parties=["grafana"], algorithms=["RS256", "ES256"])]}

    def good(self, **more):
        return claims("a", **{"azp": "grafana", **more})

    def test_the_token_from_which_the_broken_ones_depart_is_let_in(self):
        self.reads(self.gateway.client(token(self.rsa, self.good())).get(*QUERY), 'tenant_id="a"')
        self.reads(self.gateway.client(token(self.ec, self.good())).get(*QUERY), 'tenant_id="a"')

    def test_broken_headers_are_refused(self):
        rsa, own = self.rsa, self.attacker.jwk()
        for what, header in {
            "alg none": {"alg": "none"},
            "crit": {"crit": ["exp"]},
            "empty crit": {"crit": []},
            "b64 false": {"b64": False, "crit": ["b64"]},
            "zip": {"zip": "DEF"},
            "nested": {"cty": "JWT"},
            "an embedded key": {"jwk": own},
            "a key's address": {"jku": "https://attacker.test/jwks"},
            "a certificate's address": {"x5u": "https://attacker.test/cert"},
            "certificates": {"x5c": ["MIIB"]},
            "encrypted": {"enc": "A128GCM"},
            "an unknown kid": {"kid": "rs257"},
            "a kid of another key": {"kid": "es256"},
            "a kid that is a number": {"kid": 1},
            "a kid that is a path": {"kid": "../../../dev/null"},
            "the type of a logout token": {"typ": "logout+jwt"},
            "the type of a proof": {"typ": "dpop+jwt"},
            "a type that is a number": {"typ": 1},
            "two algs": b'{"alg":"none","kid":"rs256","alg":"RS256"}',
            "two kids": b'{"alg":"RS256","kid":"x","kid":"rs256"}',
            "two escaped kids": b'{"alg":"RS256","kid":"x","k\\u0069d":"rs256"}',
            "a list": b'["RS256"]',
            "no JSON": b"{alg:RS256}",
            "a byte order mark": b'\xef\xbb\xbf{"alg":"RS256","kid":"rs256"}',
        }.items():
            with self.subTest(what):
                self.refuses(self.gateway.client(token(rsa, self.good(), header)).get(*QUERY), 401)

    def test_broken_claims_are_refused(self):
        now = int(time.time())
        plain = json.dumps(self.good())
        for what, payload in {
            "another issuer": self.good(iss="https://idp.test/"),
            "an issuer in capitals": self.good(iss="HTTPS://IDP.TEST"),
            "no issuer": self.good(iss=None),
            "a list of issuers": self.good(iss=[signer.URL]),
            "another audience": self.good(aud="metrics2"),
            "no audience": self.good(aud=None),
            "an empty list of audiences": self.good(aud=[]),
            "an audience that is an object": self.good(aud={"metrics": 1}),
            "a list with a number": self.good(aud=["metrics", 1]),
            "ended": self.good(iat=now - 1000, exp=now - 31),
            "no end": self.good(exp=None),
            "an end that is a text": self.good(exp=str(now + 60)),
            "an end that is negative": self.good(exp=-1),
            "an end beyond time": self.good(exp=1e300),
            "not yet": self.good(nbf=now + 120),
            "a beginning that is a text": self.good(nbf="0"),
            "issued in the future": self.good(iat=now + 120, exp=now + 180),
            "no time of issue": self.good(iat=None),
            "too long a life": self.good(exp=now + 3700),
            "another party": self.good(azp="mallory"),
            "no party": self.good(azp=None),
            "two parties of which one is other": self.good(client_id="mallory"),
            "a list of parties": self.good(azp=["grafana"]),
            "a subject that is a number": self.good(sub=1),
            "two tenants' claims": plain.replace('"azp"', '"tenants":["b"],"azp"').encode(),
            "two escaped ends": plain.replace('"azp"', '"e\\u0078p":9999999999,"azp"').encode(),
            "a text behind": (plain + "{}").encode(),
            "deep nesting": (plain[:-1] + ',"x":' + "[" * 200 + "]" * 200 + "}").encode(),
            "no UTF-8": plain.encode().replace(b"grafana", b"grafana\xff"),
            "half a surrogate": plain.replace("grafana", "grafana\\ud800").encode(),
            "nothing": b"",
        }.items():
            with self.subTest(what):
                self.refuses(self.gateway.client(token(self.rsa, payload)).get(*QUERY), 401)

    def test_broken_forms_are_refused(self):
        made = token(self.rsa, self.good())
        head, body, tail = made.split(".")
        for what, text in {
            "a part missing": f"{head}.{body}",
            "a part too many": f"{made}.{tail}",
            "padding": f"{made}=",
            "the other alphabet": made.replace("_", "/").replace("-", "+") if "_" in tail or "-" in tail else f"{made}+",
            "no signature": f"{head}.{body}.",
            "no claims": f"{head}..{tail}",
            "a dot before": f".{made}",
            "twice": f"{made} {made}",
            "a comma": f"{made},{made}",
            "JSON serialisation": json.dumps({"protected": head, "payload": body, "signature": tail}),
            "8 KiB and a byte": token(self.rsa, self.good(pad="x" * 7000)),
            "a signature of another token": f"{token(self.rsa, self.good(sub='b')).rpartition('.')[0]}.{tail}",
            "another token's claims": f"{head}.{token(self.rsa, self.good(tenants=['b'])).split('.')[1]}.{tail}",
        }.items():
            with self.subTest(what):
                answer = self.gateway.client(text).get(*QUERY)
                self.refuses(answer, (400, 401))

    def test_every_claim_that_is_no_name_of_a_tenant_is_refused(self):
        names = [".", "..", "../b", "a/b", "a b", " a", "a\n", "a\0", "a|b", ".*", "a,b", '"', "\u0430", "a\u200b", "-a",
                 "a" * 129, "default-tenant", "{}", "%61", "a;b", "", "\uff41"]
        for name in names:
            with self.subTest(repr(name)):
                made = token(self.rsa, self.good(tenants=["a", name]))
                self.refuses(self.gateway.client(made).get(*QUERY), 403)
        for value in [1, True, {"a": 1}, [["a"]], ["a", 1], ["a", None], None]:
            with self.subTest(repr(value)):
                payload = json.dumps({**self.good(), "tenants": value}).encode()
                self.refuses(self.gateway.client(token(self.rsa, payload)).get(*QUERY), 403)

    def test_the_answer_says_nothing_of_the_token(self):
        made = token(self.attacker, self.good(sub="canary-of-a-token"), {"kid": "rs256"})
        answer = self.gateway.client(made).get(*QUERY)
        self.refuses(answer, 401)
        self.assertEqual(answer.headers["www-authenticate"], 'Bearer error="invalid_token"')
        for text in (answer.text, self.gateway.log(10**7)):
            self.assertNotIn("canary-of-a-token", text)
            self.assertNotIn(made.rpartition(".")[2], text)


class Places(Behind):
    """Tokens from a header of a proxy, from a cookie, from static secrets, from nobody."""

    @classmethod
    def prepare(cls):
        cls.key = Key("ES256")

    @classmethod
    def auth(cls):
        return {
            "issuers": [signer.issuer([cls.key])],
            "token": {
                "headers": [{"name": "authorization", "scheme": "Bearer"}, {"name": "x-forwarded-access-token"}],
                "cookie": {"name": "session", "origins": ["https://grafana.test"]},
            },
            "static": [
                {"name": "ci", "bearer_sha256": sha256(SECRET), "grant": {"tenants": ["ci"]}},
                {"name": "grafana", "basic": {"user": "grafana", "password_sha256": sha256(PASSWORD)},
                 "grant": {"read": ["a", "b"], "write": "none"}},
            ],
            "anonymous": {"read": ["public"], "write": "none"},
        }

    def test_a_bearer_token_in_any_case_of_the_scheme(self):
        made = token(self.key, claims("a"))
        for scheme in ("Bearer", "bearer", "BEARER"):
            answer = self.gateway.client(headers={"authorization": f"{scheme} {made}"}).get(*QUERY)
            self.reads(answer, 'tenant_id="a"')

    def test_a_token_in_the_header_of_an_authenticating_proxy(self):
        made = token(self.key, claims("a"))
        answer = self.gateway.client(headers={"X-Forwarded-Access-Token": made}).get(*QUERY)
        self.assertEqual(answer.status, 200, answer)
        self.assertNotIn("x-forwarded-access-token", self.upstream.taken()[0].headers)

    def test_a_cookie_reads_and_changes_only_from_its_origin(self):
        cookie = {"cookie": f"other=1; session={token(self.key, claims('a'))}"}
        client = self.gateway.client(headers=cookie)
        self.reads(client.get(*QUERY), 'tenant_id="a"')
        for origin in (None, "https://attacker.test", "https://grafana.test.attacker.test", "null"):
            with self.subTest(origin):
                self.refuses(client.form(*QUERY, headers={"origin": origin} if origin else {}), 403)
                headers = {**cookie, **({"origin": origin} if origin else {})}
                self.refuses(self.write(None, **headers), 403)
        self.reads(client.form(*QUERY, headers={"origin": "https://grafana.test"}), 'tenant_id="a"')
        self.writes(self.write(None, **cookie, origin="https://grafana.test"), "a")

    def test_a_token_in_the_url_is_none(self):
        for name in ("access_token", "token", "jwt"):
            answer = self.gateway.client().get("/api/v1/query", {"query": "up", name: token(self.key, claims("a"))})
            self.refuses(answer, 400)

    def test_two_credentials_are_refused_even_if_both_are_good(self):
        made = token(self.key, claims("a"))
        bearer, session = {"authorization": f"Bearer {made}"}, {"cookie": f"session={made}"}
        proxy = {"x-forwarded-access-token": made}
        for pair in ({**bearer, **session}, {**bearer, **proxy}, {**session, **proxy},
                     {**basic("grafana", PASSWORD), **proxy}, {"cookie": f"session={made}; session={made}"}):
            with self.subTest(sorted(pair)):
                self.refuses(self.gateway.client(headers=pair).get(*QUERY), 400)

    def test_static_secrets_give_what_their_grant_says(self):
        self.reads(self.gateway.client(SECRET).get(*QUERY), 'tenant_id="ci"', "ci")
        self.writes(self.write(SECRET), "ci")
        self.reads(self.gateway.client(headers=basic("grafana", PASSWORD)).get(*QUERY), 'tenant_id=~"a|b"')
        self.refuses(self.write(None, **basic("grafana", PASSWORD)), 403)

    def test_near_misses_of_static_secrets_are_refused(self):
        for headers in [
            basic("grafana", PASSWORD + "x"), basic("grafana", ""), basic("Grafana", PASSWORD), basic("", PASSWORD),
            basic("grafana", SECRET), basic("ci", SECRET), {"authorization": "Basic !!!"}, {"authorization": "Basic"},
            {"authorization": f"Bearer {SECRET[:-1]}"}, {"authorization": f"Bearer {PASSWORD}"},
            {"authorization": f"Bearer {sha256(SECRET)}"}, {"authorization": f"Digest {SECRET}"},
            {"authorization": "Bearer " + "x" * 7000}, {"authorization": ""},
        ]:
            with self.subTest(headers["authorization"][:40]):
                answer = self.gateway.client(headers=headers).get(*QUERY)
                self.refuses(answer, 401)
                self.assertTrue(answer.headers["www-authenticate"].startswith("Bearer"), answer.headers)

    def test_nobody_reads_what_is_public_and_nothing_else(self):
        self.reads(self.gateway.client().get(*QUERY), 'tenant_id="public"', "public")
        self.refuses(self.write(None), 403)
        answer = self.gateway.client().get(*QUERY, headers={"x-promfence-tenant": "a"})
        self.refuses(answer, 403)


class OnlyBasic(Behind):
    AUTH = {"static": [{"name": "grafana", "basic": {"user": "g", "password_sha256": sha256(PASSWORD)},
                        "grant": {"tenants": ["a"]}}]}

    def test_a_browser_is_asked_for_a_password_only_where_nothing_else_would_do(self):
        answer = self.gateway.client().get(*QUERY)
        self.refuses(answer, 401)
        self.assertTrue(answer.headers["www-authenticate"].startswith("Basic "), answer.headers)
        self.reads(self.gateway.client(headers=basic("g", PASSWORD)).get(*QUERY), 'tenant_id="a"')


class Rights(Behind):
    """Rights by words, administrators, a ceiling, shared tenants, several tenants on writes."""

    MORE = {"tenancy": {"shared": ["infra"], "valid": ["team-*", "infra"], "ceiling": {"tenants": ["team-*", "infra"]}}}

    @classmethod
    def prepare(cls):
        cls.key = Key("ES256")

    @classmethod
    def auth(cls):
        return {"issuers": [signer.issuer(
            [cls.key],
            rights={"claim": "/scope", "read": "metrics:read", "write": ["metrics:write"]},
            admins={"claim": "/role", "any_of": ["admin"]},
            tenants=[{"claim": "/tenants"}, {"claim": "/groups", "map": {
                "sre": {"read": ["team-a", "team-b"], "write": "team-a"}, "ops": {"all": True}}}],
        )]}

    def caller(self, *tenants, scope="metrics:read metrics:write", **more):
        return token(self.key, claims(*tenants, scope=scope, **more))

    def test_own_and_shared_tenants_are_read(self):
        answer = self.gateway.client(self.caller("team-a")).get(*QUERY)
        self.reads(answer, 'tenant_id=~"infra|team-a"')

    def test_shared_tenants_are_not_written(self):
        self.writes(self.write(self.caller("team-a")), "team-a")
        self.refuses(self.write(self.caller("team-a"), **{"x-promfence-tenant": "infra"}), 403)

    def test_words_give_the_rights_to_read_and_to_write_apart(self):
        reader, writer = self.caller("team-a", scope="openid metrics:read"), self.caller("team-a", scope="metrics:write")
        self.assertEqual(self.gateway.client(reader).get(*QUERY).status, 200)
        self.upstream.taken()
        self.refuses(self.write(reader), 403)
        self.writes(self.write(writer), "team-a")
        self.refuses(self.gateway.client(writer).get(*QUERY), 403)
        for scope in ("", "metrics", "metrics:readx", "Metrics:Read", None, ["metrics:read metrics:write"], 1, {"metrics:read": True}):
            with self.subTest(repr(scope)):
                made = self.caller("team-a", scope=scope)
                self.refuses(self.gateway.client(made).get(*QUERY), 403)
                self.refuses(self.write(made), 403)
        self.assertEqual(self.gateway.client(self.caller("team-a", scope=["metrics:read"])).get(*QUERY).status, 200)

    def test_an_administrator_reads_all_under_the_ceiling_and_writes_nothing(self):
        admin = self.caller(role="admin")
        answer = self.gateway.client(admin).get(*QUERY)
        self.reads(answer, 'tenant_id=~"infra|team-[A-Za-z0-9_.-]*"')
        self.assertIn('promfence allowed endpoint=query subject="nobody"', self.gateway.log(10**7))
        self.refuses(self.write(admin, **{"x-promfence-tenant": "team-a"}), 403)
        self.refuses(self.gateway.client(admin).get(*QUERY, headers={"x-promfence-tenant": "other"}), 403)

    def test_a_map_of_groups_gives_tenants_and_rights(self):
        sre = self.caller(groups=["sre", "unknown"])
        self.reads(self.gateway.client(sre).get(*QUERY), 'tenant_id=~"infra|team-a|team-b"')
        self.writes(self.write(sre), "team-a")
        self.refuses(self.write(sre, **{"x-promfence-tenant": "team-b"}), 403)
        self.refuses(self.gateway.client(self.caller(groups=["unknown"])).get(*QUERY), 403)

    def test_no_token_reaches_beyond_the_ceiling(self):
        for tenant in ("other", "team", "Team-a"):
            with self.subTest(tenant):
                self.refuses(self.gateway.client(self.caller(tenant)).get(*QUERY), 403)
                self.refuses(self.write(self.caller(tenant)), 403)

    def test_a_write_by_a_caller_with_several_tenants_names_one(self):
        both = self.caller("team-a", "team-b")
        answer = self.write(both)
        self.refuses(answer, 400)
        self.assertNotIn("team-", answer.text)
        self.writes(self.write(both, **{"x-promfence-tenant": "team-b"}), "team-b")
        for name in ("team-c", "", "team-a|team-b", "infra", "team-a,team-b", "*"):
            with self.subTest(name):
                self.refuses(self.write(both, **{"x-promfence-tenant": name}), (400, 403))

    def test_a_read_may_be_narrowed_to_some_of_the_own_tenants(self):
        client = self.gateway.client(self.caller("team-a", "team-b"))
        self.reads(client.get(*QUERY, headers={"x-promfence-tenant": "team-b"}), 'tenant_id="team-b"', "team-b")
        self.reads(client.get("/api/v1/query", {"query": "up", "tenant": "team-a|infra"}), 'tenant_id=~"infra|team-a"')
        for headers, more in [({"x-promfence-tenant": "team-c"}, {}), ({"x-promfence-tenant": ""}, {}),
                              ({"x-promfence-tenant": "team-a"}, {"tenant": "team-a"}), ({}, {"tenant": ["team-a", "team-b"]}),
                              ({}, {"tenant": "team-a|team-c"}), ({}, {"tenant": "team-.*"})]:
            with self.subTest(f"{headers} {more}"):
                self.refuses(client.get("/api/v1/query", {"query": "up", **more}, headers), (400, 403))


class Cache(Behind):
    """Ten thousand live tokens in one worker."""

    @classmethod
    def prepare(cls):
        cls.key = Key("ES256")

    @classmethod
    def auth(cls):
        return {"issuers": [signer.issuer([cls.key])]}

    def test_a_remembered_token_is_refused_once_it_has_ended(self):
        made = token(self.key, claims("a", seconds=-58))
        self.assertEqual(self.gateway.client(made).get(*QUERY).status, 200)
        end = time.monotonic() + 10
        while (status := self.gateway.client(made).get(*QUERY).status) == 200 and time.monotonic() < end:
            time.sleep(0.2)
        self.assertEqual(status, 401)


if __name__ == "__main__":
    unittest.main()
