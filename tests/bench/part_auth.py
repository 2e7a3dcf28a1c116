"""`scripts/bench auth`: what a token costs, seen for the first time and again, and a forged one."""

import candidates as c
import check
import forged
import queries
from load import Load
from rounds import measure, ratio
from tokens import ALGORITHMS, Mint
from upstream import Upstream

WARM = [c.BARE, c.NOOP, c.CACHED, c.OURS]
COLD = [c.BARE, c.NOOP, c.JWT, c.OURS]


def run(stack, options, report):
    if not options.loads or "forged" in options.loads:
        forged.run(stack, options, report)
    if options.loads and set(options.loads) <= {"forged"}:
        return
    mint = Mint()
    upstream = Upstream(stack)
    all_of = {name: c.start(name, stack, upstream, mint, cache=1000) for name in (*WARM, c.JWT)}
    token = mint.token()
    for candidate in all_of.values():
        check.reads(candidate, upstream, token)
    for alg in ALGORITHMS:
        warm = Load(f"{alg} warm", queries.known(), [mint.token(alg)])
        add(report, measure(stack, warm, [all_of[n] for n in WARM], rounds=options.rounds, seconds=options.seconds))
        # A round's share of tokens that no candidate has seen; each sends all of them once.
        share = options.share
        tokens = [mint.token(alg) for _ in range((share + 64) * options.rounds)]
        cold = Load(f"{alg} cold", queries.known(), tokens, cold=True)
        add(report, measure(stack, cold, [all_of[n] for n in COLD], rounds=options.rounds, seconds=options.seconds, share=share))
    for candidate in all_of.values():
        check.reads(candidate, upstream, token)


def add(report, rows):
    for name, row in rows.items():
        row["x_bare"], row["x_noop"] = ratio(rows, name, c.BARE), ratio(rows, name, c.NOOP)
        if c.JWT in rows:
            row["x_jwt"] = ratio(rows, name, c.JWT)
    report.add(rows)
