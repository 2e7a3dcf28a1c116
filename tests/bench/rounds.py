"""Rounds: every candidate in turn under the same load, again and again, so that noise hits all alike."""

import statistics

import load as loads


def measure(stack, load, candidates, *, rounds, seconds, share=0):
    """Runs the load, or each its own, against the candidates in turn. `share`: the most requests of
    a round; wrk then waits for the end of its time, so that the rate means nothing.

    Returns rows by candidate: medians of the rounds, and CPU per request of each round.
    """
    loads_of = load if isinstance(load, dict) else {c.name: load for c in candidates}
    paths = {name: one.write(stack) for name, one in loads_of.items()}
    load = next(iter(loads_of.values()))
    size = len(load.tokens)
    taken = {c.name: 0 for c in candidates}
    runs = {c.name: [] for c in candidates}
    for c in candidates:
        while not load.cold and taken[c.name] < max(load.warm, size):
            warmed = loads.run(load, paths[c.name], c.port, seconds=1, start=taken[c.name])
            taken[c.name] += warmed["requests"] + load.connections + 1
    for i in range(rounds):
        # Another order each round: whoever comes first finds the machine as the one before left it.
        for c in candidates[i % len(candidates):] + candidates[:i % len(candidates)]:
            runs[c.name].append(one(load, paths[c.name], c, taken, seconds, share))
    return {c.name: row(load, c, runs[c.name]) for c in candidates}


def one(load, path, candidate, taken, seconds, share):
    before = candidate.cpu()
    figures = loads.run(load, path, candidate.port, seconds=seconds, start=taken[candidate.name], count=share)
    figures["cpu"] = candidate.cpu() - before
    refused = figures["requests"] if load.refused else 0
    if figures["errors"] or figures["refused"] != refused or not figures["requests"]:
        raise RuntimeError(f"{candidate.name} under {load.name}: {figures}")
    taken[candidate.name] += figures["requests"] + load.connections + 1
    return figures


def row(load, candidate, runs):
    each = [1e6 * r["cpu"] / r["requests"] for r in runs]
    return {
        "load": load.name,
        "candidate": candidate.name,
        "cpu_us": round(statistics.median(each), 2),
        "cpu_us_each": [round(x, 2) for x in each],
        "requests_s": None if load.cold else round(statistics.median(1e6 * r["requests"] / r["microseconds"] for r in runs)),
        "p50_us": round(statistics.median(r["p50"] for r in runs)),
        "p99_us": round(statistics.median(r["p99"] for r in runs)),
        "requests": sum(r["requests"] for r in runs),
        "rss_mib": round(candidate.memory() / 2**20, 1),
    }


def ratio(rows, name, base):
    """CPU per request of a candidate over that of another: the median of the rounds' own ratios,
    since neighbours in time share the machine's state."""
    pairs = zip(rows[name]["cpu_us_each"], rows[base]["cpu_us_each"])
    return round(statistics.median(a / b for a, b in pairs if b), 2)
