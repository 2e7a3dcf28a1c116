"""`scripts/bench gateway`: one request of a dashboard through each candidate."""

import candidates as c
import check
import queries
from load import Load
from rounds import measure, ratio
from tokens import Mint
from upstream import Upstream

ALL = [c.BARE, c.NOOP, c.CALLS, c.JWT, c.CACHED, c.CHAIN, c.OURS]
FEW = [c.BARE, c.NOOP, c.CALLS, c.CACHED, c.CHAIN, c.OURS]


def loads(mint, many):
    """The loads, each with the candidates that are measured under it."""
    one = [mint.token()]
    thousand = [mint.token() for _ in range(1000)]
    yield Load("five queries", queries.known(), one), ALL
    yield Load("new literals", queries.literals(), one), FEW
    yield Load("new shapes", queries.shapes(), one), FEW
    yield Load("forms", queries.forms(), one), FEW
    yield Load("dashboard of 30", queries.dashboard(), one, connections=30), FEW
    yield Load("1,000 tokens", queries.known(), thousand), FEW
    if many:
        yield Load(f"{many:,} tokens", queries.known(), [mint.token("EdDSA") for _ in range(many)]), FEW
    yield Load("half load", queries.known(), one, pause_ms=4), FEW


def run(stack, options, report):
    mint = Mint()
    upstream = Upstream(stack)
    many = options.tokens
    cache = {"cache": {"size": "256MiB"}} if many else {}
    doc = c.document(mint, [c.prometheus()], **cache)
    for workers in options.workers:
        all_of = {}
        for name in ALL:
            all_of[name] = c.start(name, stack, upstream, mint, workers=workers, cache=max(1000, many), doc=doc)
        token = mint.token()
        for candidate in all_of.values():
            check.reads(candidate, upstream, token)
        for load, names in loads(mint, many):
            if options.loads and load.name not in options.loads:
                continue
            rows = measure(stack, load, [all_of[n] for n in names], rounds=options.rounds, seconds=options.seconds)
            for name in names:
                rows[name]["workers"] = workers
                for base, key in ((c.BARE, "x_bare"), (c.NOOP, "x_noop")):
                    rows[name][key] = ratio(rows, name, base)
                if c.CHAIN in rows:
                    rows[name]["chain_x"] = ratio(rows, c.CHAIN, name)
            report.add(rows)
        for candidate in all_of.values():
            check.reads(candidate, upstream, token)
        for name in list(stack.processes):
            if name != "nginx":
                stack.stop(name)
