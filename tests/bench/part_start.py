"""`scripts/bench start`: from the start of Envoy to its first right answer, beside bare Envoy.

The difference is what the filter takes to be ready: compiling the module, and configuring each of its
instances, one for each worker and two that only tick.
"""

import time

import candidates as c
import web
from load import HOST
from tokens import Mint
from upstream import Upstream

QUERY = "/api/v1/query?query=up"


def run(stack, options, report):
    mint, upstream = Mint(), Upstream(stack)
    token = mint.token()
    names = (c.BARE, c.NOOP, c.OURS)
    for workers in options.workers:
        found = {name: [] for name in names}
        for _ in range(options.rounds):
            for name in names:
                found[name].append(start(stack, name, upstream, mint, token, workers))
        rows = {name: {"load": "start", "workers": workers, "candidate": name, "ms": round(1000 * min(all), 0)} for name, all in found.items()}
        for name in names:
            rows[name]["more_ms"] = rows[name]["ms"] - rows[c.BARE]["ms"]
        report.add(rows)


def start(stack, name, upstream, mint, token, workers):
    """Seconds from the start of the process to the first answer that is the upstream's."""
    begun = time.monotonic()
    candidate = c.start(name, stack, upstream, mint, workers=workers)
    client = web.Client(candidate.port, token, host=HOST)
    while client.get(QUERY).status != 200:
        time.sleep(0.005)
    taken = time.monotonic() - begun
    for program in [n for n in stack.processes if n != "nginx"]:
        stack.stop(program)
    return taken
