"""Tokens that Envoy's own jwt_authn has verified: its payload counts where the policy names it, and nowhere else."""

import json
import unittest

import gateway
import recorder
import signer
import stack
from signer import Key, claims, token

QUERY = ("/api/v1/query", {"query": "up"})
OTHER = "https://other.test"


def jwt_authn(providers, require=None, name="envoy.filters.http.jwt_authn"):
    """Envoy's filter. Without `require` a request without a token passes, as Istio's RequestAuthentication has it."""
    any_of = {"requires_any": {"requirements": [*({"provider_name": p} for p in providers), {"allow_missing": {}}]}}
    return {
        "name": name,
        "typed_config": {
            "@type": gateway.TYPE + "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": providers,
            "rules": [{"match": {"prefix": "/"}, "requires": require or any_of}],
        },
    }


def provider(issuer, key, **more):
    return {
        "issuer": issuer,
        "local_jwks": {"inline_string": json.dumps({"keys": [key.jwk()]})},
        "forward": True,
        "payload_in_metadata": "payload",
        **more,
    }


class AfterJwtAuthn(unittest.TestCase):
    """Two issuers are verified by Envoy; the policy trusts one of them."""

    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack("metadata")
        cls.addClassCleanup(cls.stack.end)
        cls.upstream = recorder.Recorder(cls.stack)
        cls.addClassCleanup(cls.upstream.close)
        cls.key, cls.other = Key("RS256"), Key("ES256", "other")
        issuer = signer.issuer([])
        del issuer["keys"]
        cls.document = {
            "auth": {"issuers": [{**issuer, "verified_by": {"metadata": {}}, "max_lifetime": "2h"}]},
            "upstreams": [{"thanos": {"hosts": ["gateway.test"], "cluster": "query", "seal": "q" * 32}}],
        }
        providers = {"own": provider(signer.URL, cls.key), "other": provider(OTHER, cls.other)}
        cls.gateway = cls.start("metadata", [jwt_authn(providers)])

    @classmethod
    def start(cls, name, before=(), after=(), document=None):
        return gateway.Gateway(
            cls.stack, document or cls.document, {"query": cls.upstream.port}, name=name, before=before, after=after,
        ).start()

    def setUp(self):
        self.upstream.taken()

    def ask(self, made, where=None, headers=None):
        return (where or self.gateway).client(made, headers=headers).get(*QUERY)

    def refused(self, answer, status):
        self.assertEqual(self.upstream.taken(), [])
        self.assertEqual(answer.status, status, answer)

    def reads_a(self, answer):
        self.assertEqual(answer.status, 200, answer)
        taken = self.upstream.taken()
        self.assertEqual([t.query for t in taken], ['up{tenant_id="a"}'])
        self.assertNotIn("authorization", taken[0].headers)

    def test_a_token_that_envoy_verified_is_let_in(self):
        self.reads_a(self.ask(token(self.key, claims("a"))))

    def test_the_payload_counts_where_the_token_was_not_forwarded_too(self):
        providers = {"own": provider(signer.URL, self.key, forward=False)}
        self.reads_a(self.ask(token(self.key, claims("a")), self.start("taken-away", [jwt_authn(providers)])))

    def test_absent_metadata_is_no_identity(self):
        answer = self.ask(None)
        self.refused(answer, 401)
        self.assertEqual(answer.headers["www-authenticate"], "Bearer")

    def test_a_verified_token_of_another_issuer_mints_no_tenant(self):
        self.refused(self.ask(token(self.other, claims("a", iss=OTHER))), 401)

    def test_a_verified_token_for_another_audience_is_refused(self):
        for audience in ("another", ["another"], None, []):
            with self.subTest(audience):
                self.refused(self.ask(token(self.key, claims("a", aud=audience))), 401)
        self.reads_a(self.ask(token(self.key, claims("a", aud=["another", signer.AUDIENCE]))))

    def test_the_own_rules_hold_besides_those_of_envoy(self):
        self.refused(self.ask(token(self.key, claims("a", seconds=3 * 3600))), 401)
        self.refused(self.ask(token(self.key, claims("a", iat=None))), 401)
        self.refused(self.ask(token(self.key, claims())), 403)
        for name in ("../a", "", "a|b", ".*"):
            self.refused(self.ask(token(self.key, claims(name))), 403)
        self.refused(self.ask(token(self.key, claims("a", tenants={"a": 1}))), 403)

    def test_what_envoy_refuses_is_refused(self):
        made = token(self.other, claims("a"), {"kid": "rs256"})
        answer = self.ask(made)
        self.assertEqual(self.upstream.taken(), [])
        self.assertEqual(answer.status, 401)

    def test_without_envoys_filter_no_token_counts(self):
        alone = self.start("alone")
        self.refused(self.ask(token(self.key, claims("a")), alone), 401)
        self.refused(self.ask(None, alone), 401)

    def test_envoys_filter_after_ours_is_too_late(self):
        late = self.start("late", after=[jwt_authn({"own": provider(signer.URL, self.key)})])
        self.refused(self.ask(token(self.key, claims("a")), late), 401)

    def test_a_payload_under_another_key_does_not_count(self):
        moved = provider(signer.URL, self.key, payload_in_metadata="verified")
        other = self.start("moved", [jwt_authn({"own": moved})])
        self.refused(self.ask(token(self.key, claims("a")), other), 401)
        document = json.loads(json.dumps(self.document))
        document["auth"]["issuers"][0]["verified_by"] = {"metadata": {"key": "verified"}}
        named = self.start("named", [jwt_authn({"own": moved})], document=document)
        self.reads_a(self.ask(token(self.key, claims("a")), named))

    def test_headers_that_pose_as_a_payload_are_none(self):
        payload = signer.b64(json.dumps(claims("a")).encode())
        for header in ("x-jwt-payload", "x-forwarded-payload", "x-endpoint-api-userinfo", "x-envoy-jwt-payload"):
            self.refused(self.ask(None, headers={header: payload}), 401)

    def test_a_policy_with_own_keys_does_not_fall_back_to_metadata(self):
        document = json.loads(json.dumps(self.document))
        document["auth"]["issuers"] = [signer.issuer([Key("ES256", "mine")])]
        own = self.start("own-keys", [jwt_authn({"own": provider(signer.URL, self.key)})], document=document)
        self.refused(self.ask(token(self.key, claims("a")), own), 401)
        taken_away = provider(signer.URL, self.key, forward=False)
        own = self.start("own-keys-taken-away", [jwt_authn({"own": taken_away})], document=document)
        self.refused(self.ask(token(self.key, claims("a")), own), 401)


if __name__ == "__main__":
    unittest.main()
