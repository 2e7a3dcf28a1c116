"""`scripts/bench memory`: Envoy's memory while very many requests pass, beside bare Envoy's.

An instance of a module never gives memory back, so what it has at the end is the most it ever had.
Envoy has one for each worker, and two that only tick.
"""

import candidates as c
import check
import load as loads
import queries
from tokens import Mint
from upstream import Upstream

PARTS = 10


def run(stack, options, report):
    mint, upstream = Mint(), Upstream(stack)
    token = mint.token()
    for name in (c.BARE, c.OURS):
        candidate = c.start(name, stack, upstream, mint)
        check.reads(candidate, upstream, token)
        # Half of the queries are ever new, so that the caches are full at the end.
        load = loads.Load("known and new", queries.known() + queries.shapes(), [token])
        path = load.write(stack)
        taken, rows = 0, [sized(candidate, name, 0)]
        for part in range(1, PARTS + 1):
            while taken < options.requests * part // PARTS:
                done = loads.run(load, path, candidate.port, seconds=2, start=taken)
                if done["errors"] or done["refused"] or not done["requests"]:
                    raise RuntimeError(f"{name}: {done}")
                taken += done["requests"]
            rows.append(sized(candidate, name, taken))
        half = rows[PARTS // 2:]
        slope = (half[-1]["rss_mib"] - half[0]["rss_mib"]) / (half[-1]["sent"] - half[0]["sent"]) * 100_000
        rows[-1]["mib_100k"] = round(slope, 3)
        report.add(rows)
        check.reads(candidate, upstream, token)


def sized(candidate, name, requests):
    row = {"load": "known and new", "candidate": name, "sent": requests, "rss_mib": round(candidate.memory() / 2**20, 1)}
    modules = candidate.gateway.modules()
    if modules:
        row["vm_mib"] = round(modules[0] / 2**20, 1)
    return row
