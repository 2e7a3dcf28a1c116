"""`scripts/bench promql`: confining one query, natively, in V8, and by prom-label-proxy in Go."""

import glob
import json
import os
import subprocess

import core
import stack as stacks

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS = os.environ.get("PROMFENCE_CORPUS") or os.path.join(stacks.ROOT, "..", "shared", "corpus", "promql")


def run(stack, options, report):
    enforcer = os.path.join(stack.directory, "enforcer")
    subprocess.run(["go", "build", "-o", enforcer, "."], cwd=os.path.join(HERE, "enforcer"), env={**os.environ, "CGO_ENABLED": "0"}, check=True)
    path = stack.write("all.jsonl", lines(texts()))
    go = subprocess.run([enforcer, "which", path, "-"], capture_output=True, text=True, check=True).stdout.split()
    ours = core.run("which", path).split()
    both = sorted(set(map(int, go)) & set(map(int, ours)))
    queries = texts()
    if len(both) < 20:
        raise RuntimeError(f"of {len(queries)} queries both take {len(both)}: nothing to measure")
    path = stack.write("both.jsonl", lines(queries[i] for i in both[:2000]))
    print(f"{len(queries)} queries, {len(both)} that both take, {min(len(both), 2000)} measured")
    laps = options.rounds * 4
    found = {"prom-label-proxy, Go": [], "Promfence, native": [], "Promfence, V8": []}
    for _ in range(3):
        each = json.loads(subprocess.run([enforcer, "time", path, str(laps)], capture_output=True, text=True, check=True).stdout)
        found["prom-label-proxy, Go"].append({"cached": each["each"], "same": each["each"], "new": each["each"]})
        for name, wasm in (("Promfence, native", False), ("Promfence, V8", True)):
            found[name].append(core.lines("promql", path, str(laps), wasm=wasm)[0])
    best = {n: {k: min(r[k] for r in runs) for k in ("cached", "same", "new")} for n, runs in found.items()}
    go = best["prom-label-proxy, Go"]
    report.add(
        {"load": load, "candidate": name, "ns": round(b[key]), "x_go": round(b[key] / go[key], 2)}
        for key, load in (("cached", "known query"), ("same", "new literals"), ("new", "new shape"))
        for name, b in best.items()
    )


def texts():
    """Queries of the corpus that Prometheus takes, each with a number that can be another one: own
    examples where there is no corpus."""
    files = sorted(glob.glob(os.path.join(CORPUS, "*.jsonl"))) or [os.path.join(stacks.ROOT, "tests", "promql", "own.jsonl")]
    out = {}
    for file in files:
        with open(file) as f:
            for line in f:
                case = json.loads(line)
                if case.get("go_accepts", True) and case.get("n_selectors", 1) and "#" not in case["query"]:
                    out[f"({case['query']}) + @N@"] = None
    return list(out)


def lines(queries):
    return "".join(json.dumps(q) + "\n" for q in queries)
