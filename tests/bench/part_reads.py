"""`scripts/bench reads`: a rules answer of 10 MiB, cut down to one tenant, natively and in V8."""

import core


def run(stack, options, report):
    rows = []
    for name, wasm in (("Promfence, native", False), ("Promfence, V8", True)):
        done = core.lines("time", "rules", wasm=wasm)[0]
        rows.append({
            "load": "rules, 10 MiB", "candidate": name, "ns": done["ns"],
            "mb_s": round(done["bytes"] / done["ns"] * 1e3),
        })
    report.add(rows)
