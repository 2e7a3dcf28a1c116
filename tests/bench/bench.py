"""Measures Promfence beside what it replaces; scripts/bench starts this."""

import argparse
import importlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "live")]

import chart  # noqa: E402
import guard  # noqa: E402
import stack as stacks  # noqa: E402
from report import Report  # noqa: E402

PARTS = ["gateway", "auth", "promql", "reads", "writes", "growth", "memory", "start"]


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--workers", type=int, nargs="+", default=[1])
    parser.add_argument("--tokens", type=int, default=0, help="live tokens of the largest load")
    parser.add_argument("--share", type=int, default=3000, help="tokens of a round that were never seen")
    parser.add_argument("--series", type=int, nargs="+", default=[500, 5000], help="series of a written body")
    parser.add_argument("--requests", type=int, default=1_000_000, help="requests of the part `memory`")
    parser.add_argument("--loads", nargs="+", default=[])
    parser.add_argument("--out", default=os.path.join(stacks.ROOT, "target", "bench", "results"))
    parser.add_argument("--store", action="store_true", help="guard: stores what it finds as the baseline")
    options = parser.parse_args()
    if options.parts == ["guard"]:
        sys.exit(guard.main(options.store))
    unknown = [p for p in options.parts if p not in PARTS]
    if unknown:
        parser.error(f"no such part: {' '.join(unknown)}")
    for part in options.parts or PARTS:
        report = Report(part)
        with stacks.Stack("bench") as stack:
            importlib.import_module(f"part_{part}").run(stack, options, report)
        path = report.write(options.out)
        print(f"\n{path}")
        if any(row.get("x_bare") and row.get("workers", 1) == 1 for row in report.rows):
            print(chart.write(path, report.rows, "CPU per request, bare Envoy = 1"))


if __name__ == "__main__":
    main()
