"""Requests from a seed: a served one of some endpoint, then up to four things done to it."""

import random

import mutate
from request import Request, escape

# (kind, method, path, required parameters, optional ones, weight). `{m}` is a list of selectors.
ENDPOINTS = [
    ("prometheus", "both", "/api/v1/query", ["query"], ["time", "timeout", "limit"], 6),
    ("prometheus", "both", "/api/v1/query_range", ["query", "start", "end", "step"], ["timeout"], 4),
    ("prometheus", "both", "/api/v1/query_exemplars", ["query"], ["start", "end"], 1),
    ("prometheus", "both", "/api/v1/series", ["match[]"], ["start", "end", "limit"], 4),
    ("prometheus", "both", "/api/v1/labels", [], ["match[]", "start", "end"], 3),
    ("prometheus", "GET", "/api/v1/label/job/values", [], ["match[]", "limit"], 3),
    ("prometheus", "both", "/api/v1/format_query", ["query"], [], 1),
    ("prometheus", "GET", "/federate", ["match[]"], [], 2),
    ("prometheus", "GET", "/api/v1/rules", [], ["type", "match[]"], 1),
    ("prometheus", "GET", "/api/v1/status/buildinfo", [], [], 1),
    ("thanos", "both", "/api/v1/query", ["query"], ["time", "dedup", "max_source_resolution"], 6),
    ("thanos", "both", "/api/v1/query_range", ["query", "start", "end", "step"], ["dedup"], 4),
    ("thanos", "both", "/api/v1/series", ["match[]"], ["start", "end"], 3),
    ("thanos", "both", "/api/v1/labels", [], ["match[]"], 2),
    ("thanos", "GET", "/api/v1/label/job/values", [], ["match[]"], 2),
    ("thanos", "both", "/api/v1/query_explain", ["query"], ["time"], 1),
    ("thanos", "GET", "/-/ready", [], [], 1),
    ("receive", "BODY", "/api/v1/receive", [], [], 5),
    ("receive", "BODY", "/api/v1/otlp", [], [], 2),
    ("alertmanager", "GET", "/api/v2/alerts", [], ["filter", "active"], 3),
    ("alertmanager", "GET", "/api/v2/alerts/groups", [], ["filter"], 2),
    ("alertmanager", "GET", "/api/v2/silences", [], ["active"], 1),
    ("alertmanager", "GET", "/api/v2/silence/00000000-0000-4000-8000-00000000000a", [], [], 1),
    ("alertmanager", "DELETE", "/api/v2/silence/00000000-0000-4000-8000-00000000000b", [], [], 1),
]
DENIED = [
    ("prometheus", "/api/v1/status/config"), ("prometheus", "/api/v1/status/tsdb"), ("prometheus", "/metrics"),
    ("prometheus", "/api/v1/targets/metadata"), ("prometheus", "/graph"), ("thanos", "/api/v1/stores"),
    ("thanos", "/metrics"), ("alertmanager", "/api/v2/status"), ("prometheus", "/debug/pprof/heap"),
]

QUERIES = [
    "up", "rate(http_requests_total[5m])", "sum by (job) (up)", 'up{job="a"} # }', "a + on (x) group_left () b",
    'topk(scalar(count(secret)), up)', 'label_replace(up, "x", "$1", "tenant_id", "(.*)")', '{__name__=~".+"}',
    '{"secret"}', 'up{tenant_id="team-b"}', 'up{tenant_id=~".*"} or secret', "max_over_time(secret[5m:1m])",
    'up or ({__name__="secret"} offset 1m)', "avg(secret) without (job)", "by", "sum(sum) by (by)",
    "up{a=`\\`} or secret{b=`\"`}", "up[5m] @ end()", "-secret ^ -up", 'count_values("x", secret)', "1 + 1", "start or end",
    'up{job="#"} == bool secret # ) or ignored', 'quantile(scalar(secret), up)', "absent(secret) unless up",
    '{a="b",}', "up{\"quoted.name\"=\"x\"}", "time() - timestamp(secret)", "((((secret))))", "secret\n+\nup",
    "sum(rate(a{b=\"c\"}[1m])) / ignoring (x) count(d[2m:30s] offset -5s)", 'up{job!~"a|b",x=""}',
]
SELECTORS = [
    "up", 'secret{job="a"}', '{__name__="secret"}', '{tenant_id="team-b"}', '{__name__=~".+",tenant_id!="team-a"}',
    '{"secret"}', 'up{tenant_id=~"team-.*"}', '{job="x",}',
]
VALUES = {
    "time": ["1700000000", "2026-01-01T00:00:00Z", "1700000000.5"], "start": ["1700000000"], "end": ["1700000600", "1.7000006e9"],
    "step": ["15", "1m", "30s"], "timeout": ["10s", "2m"], "limit": ["5", "100"], "dedup": ["true", "false", "1"],
    "max_source_resolution": ["auto", "5m", "0s"], "type": ["alert", "record"], "active": ["true", "false"],
    "filter": ['severity="page"', "job=~a.*", 'tenant_id="team-b"', 'x!="y"'],
}


class Generator:
    """Requests of one worker; the n-th is the same for the same seed."""

    def __init__(self, seed, worker, tokens):
        self.seed, self.worker, self.tokens = seed, worker, tokens

    def make(self, n):
        dice = random.Random(f"{self.seed}:{self.worker}:{n}")
        r = self.base(dice, f"w{self.worker}-{n}")
        self.credential(r, dice)
        self.usual_headers(r, dice)
        for _ in range(dice.choice([0, 0, 1, 1, 1, 1, 2, 2, 3, 4])):
            mutate.one(r, dice, self.tokens)
        if not r.public and not r.tenants:
            r.plain = False
        return r

    def base(self, dice, id):
        if dice.random() < 0.04:
            kind, path = dice.choice(DENIED)
            r = Request(id, kind, path=path.encode(), host=kind.encode() + b".test", plain=False)
            r.told.append("a denied endpoint;")
            return r
        kind, method, path, required, optional, _ = dice.choices(ENDPOINTS, [e[-1] for e in ENDPOINTS])[0]
        r = Request(id, kind, path=path.encode(), host=kind.encode() + b".test", public=path.startswith("/-/"))
        if method == "BODY":
            r.method, r.body = b"POST", dice.randbytes(dice.choice([1, 20, 3000]))
            json = path == "/api/v1/otlp"
            r.headers.append((b"content-type", b"application/x-protobuf"))
            if not json:
                r.headers.append((b"content-encoding", b"snappy"))
        elif method == "both":
            r.method = dice.choice([b"GET", b"GET", b"POST"])
        else:
            r.method = method.encode()
        names = required + [name for name in optional if dice.random() < 0.4]
        pairs = [pair for name in names for pair in self.pairs(name, dice)]
        dice.shuffle(pairs)
        if r.method == b"POST" and method == "both":
            r.headers.append((b"content-type", b"application/x-www-form-urlencoded"))
            cut = dice.choice([0, 0, len(pairs) // 2])
            r.url, r.form = pairs[:cut], pairs[cut:]
            if not r.form:
                r.body = b""
        else:
            r.url = pairs
        return r

    def pairs(self, name, dice):
        if name == "query":
            values = [dice.choice(QUERIES)]
        elif name == "match[]":
            values = [dice.choice(SELECTORS) for _ in range(dice.choice([1, 1, 2, 3]))]
        else:
            values = [dice.choice(VALUES[name])]
        plain = {"match[]": [b"match[]", b"match%5B%5D"]}.get(name, [name.encode()])
        return [dice.choice(plain) + b"=" + escape(v) for v in values]

    def credential(self, r, dice):
        draw = dice.random()
        if draw < 0.06:
            r.told.append("no credential;")
            return
        if draw < 0.12:
            token, r.plain = dice.choice(self.tokens.bad), False
            r.told.append("a bad token;")
        else:
            tenant = dice.choice(["team-a", "team-a", "team-b"])
            token = self.tokens.good[tenant]
            r.tenants.add(tenant)
            # The other's silence is not there for team-b.
            r.plain = r.plain and not (tenant == "team-b" and b"/silence/" in r.path)
        r.secrets.append(token)
        r.headers.append((dice.choice([b"authorization", b"Authorization", b"AUTHORIZATION"]), b"Bearer " + token))

    def usual_headers(self, r, dice):
        r.headers.append((b"user-agent", r.id.encode()))
        for name, value in [
            (b"accept", b"*/*"), (b"accept-encoding", b"gzip"), (b"x-dashboard-uid", b"abc"), (b"cookie", b"grafana_session=1"),
            (b"x-grafana-org-id", b"1"), (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            (b"referer", b"http://grafana.test/"), (b"x-forwarded-for", b"10.0.0.1"),
        ]:
            if dice.random() < 0.15:
                r.headers.append((name, value))
        if r.kind != "receive" and dice.random() < 0.12:
            r.h2 = True
            r.headers = [(n.lower(), v) for n, v in r.headers]
