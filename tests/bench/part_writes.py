"""`scripts/bench writes`: remote-write bodies that pass, are verified, and are changed."""

import bodies
import candidates as c
import web
from check import Wrong
from load import Load, request
from rounds import measure, ratio
from tokens import Mint
from upstream import CHECK, Upstream

POLICIES = {"header": {}, "verify": {"series_label": "verify"}, "overwrite": {"series_label": "overwrite"}, "drop": {"series_label": "drop"}}
KINDS = {
    1: ("application/x-protobuf", "0.1.0"),
    2: ("application/x-protobuf;proto=io.prometheus.write.v2.Request", "2.0.0"),
}


def run(stack, options, report):
    mint = Mint()
    upstream = Upstream(stack)
    receives = [
        {"receive": {"hosts": [f"{p}.test"], "cluster": "upstream", "seal": f"seal-of-the-bench-{p}", **more}}
        for p, more in POLICIES.items()
    ]
    base = [c.start(name, stack, upstream, mint) for name in (c.BARE, c.NOOP)]
    ours = c.start(c.OURS, stack, upstream, mint, doc=c.document(mint, receives))
    policies = [ours.under(f"Promfence, {p}", f"{p}.test") for p in POLICIES]
    token = mint.token()
    for version, (kind, number) in KINDS.items():
        headers = [("Content-Encoding", "snappy"), ("X-Prometheus-Remote-Write-Version", number)]
        for series in options.series:
            body, size = bodies.write(stack, version, series)
            check(upstream, [*base, *policies], token, body, kind, headers)
            name = f"v{version}, {len(body) >> 10} KiB"
            loads = {x.name: Load(name, [request("POST", "/api/v1/receive", body, kind, headers, x.host)], [token], warm=500) for x in [*base, *policies]}
            rows = measure(stack, loads, [*base, *policies], rounds=options.rounds, seconds=options.seconds)
            for key, row in rows.items():
                row["x_bare"], row["x_noop"] = ratio(rows, key, c.BARE), ratio(rows, key, c.NOOP)
                row["mb_s"] = round(size * row["requests_s"] / 1e6)
                extra = row["cpu_us"] - rows[c.NOOP]["cpu_us"]
                row["filter_mb_s"] = round(size / extra) if extra > 1 else None
            report.add(rows)
            check(upstream, [*base, *policies], token, body, kind, headers)


def check(upstream, candidates, token, body, kind, headers):
    """Each forwards the body as it must: unchanged, or without the tenant's label."""
    for x in candidates:
        del upstream.seen[:]
        sent = {"user-agent": CHECK, "content-type": kind, **dict(headers)}
        answer = web.Client(x.port, token, headers=sent, host=x.host).send("POST", "/api/v1/receive", body)
        if answer.status != 200 or len(upstream.seen) != 1:
            raise Wrong(f"{x.name} answered {answer}")
        _, _, seen, got = upstream.seen[0]
        if (got == body) == x.name.endswith("drop"):
            raise Wrong(f"{x.name} forwarded {len(got)} bytes for {len(body)}")
        if x.name.startswith("Promfence") and seen.get("thanos-tenant") != "team-a":
            raise Wrong(f"{x.name} forwarded the tenant {seen.get('thanos-tenant')!r}")
