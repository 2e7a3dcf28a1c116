"""What refusing costs: tokens with the `kid` of a key and another's signature, by each algorithm."""

import candidates as c
import gateway as gateways
import queries
import signer
from load import Load
from rounds import measure, ratio
from upstream import Upstream

BARE = "bare 401"
ALL = [BARE, c.JWT, c.OURS]


def run(stack, options, report):
    keys = [signer.Key(alg) for alg in signer.ALL]
    upstream = Upstream(stack)
    all_of = [refusing(stack, upstream), *(start(name, stack, upstream, keys) for name in (c.JWT, c.OURS))]
    loads = [Load("no token", [t.replace(b"Authorization: Bearer @T@\r\n", b"") for t in queries.known()], [""], refused=True, warm=0)]
    loads += [Load(f"forged {k.alg}", queries.known(), tokens(k), refused=True, warm=0) for k in keys]
    for load in loads:
        rows = measure(stack, load, all_of, rounds=options.rounds, seconds=options.seconds)
        for name, row in rows.items():
            row["x_401"] = ratio(rows, name, BARE)
            if name == c.OURS:
                row["x_jwt"] = ratio(rows, name, c.JWT)
        report.add(rows)


def tokens(key, number=64):
    """Right in everything but the key that signed them."""
    other = signer.Key(key.alg, "another")
    other.kid = key.kid
    return [signer.token(other, signer.claims("team-a", sub=f"user-{n}", email="user@corp.example")) for n in range(number)]


def refusing(stack, upstream):
    """Envoy that answers 401 and looks at nothing."""
    refuse = {"match": {"prefix": "/"}, "direct_response": {"status": 401, "body": {"inline_string": "x" * 100}}}
    http = {"access_log": [], "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [refuse]}]}}
    made = gateways.Gateway(stack, {}, {"upstream": upstream.port}, name="bare401", filters=[], http=http).start()
    return c.Candidate(BARE, stack, made, ["bare401"])


def start(name, stack, upstream, keys):
    document = {"auth": {"issuers": [signer.issuer(keys, algorithms=signer.ALL)]}, "upstreams": [c.prometheus()]}
    return c.start(name, stack, upstream, Other(keys), doc=document)


class Other:
    """Envoy's own filter with the same keys."""

    def __init__(self, keys):
        self.keys = keys

    def jwt_authn(self, cache=0):
        provider = {
            "issuer": signer.URL, "audiences": [signer.AUDIENCE],
            "local_jwks": {"inline_string": gateways.json.dumps({"keys": [k.jwk() for k in self.keys]})},
        }
        return {
            "name": "jwt",
            "typed_config": {
                "@type": gateways.TYPE + "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
                "providers": {"idp": provider},
                "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "idp"}}],
            },
        }
