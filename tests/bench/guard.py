"""`scripts/bench guard`: instructions of fixed work in the core, held against a stored baseline.

Callgrind counts them, so that the figure does not depend on how busy the machine is. The baseline is
of one compiler and one set of dependencies: a change of either is a reason to store it anew.
"""

import json
import os
import re
import shutil
import subprocess
import sys

import core

HERE = os.path.dirname(os.path.abspath(__file__))
BASELINE = os.path.join(HERE, "baseline.json")
TOLERANCE = 0.05
CASES = {
    "known": 50, "literals": 50, "shapes": 10, "form": 50, "write-header": 50, "write-verify1": 3,
    "write-verify2": 3, "write-overwrite2": 3, "write-drop1": 2, "write-drop2": 2, "rules": 2,
}


def main(store):
    if not shutil.which("valgrind"):
        print("guard: SKIPPED: valgrind is not here, so nothing was compared", file=sys.stderr)
        return 0
    program = core.build()
    found = {case: count(program, case, times) for case, times in CASES.items()}
    if store:
        with open(BASELINE, "w") as f:
            json.dump(found, f, indent=1)
            f.write("\n")
    with open(BASELINE) as f:
        baseline = json.load(f)
    worse = 0
    for case, needed in found.items():
        was = baseline.get(case)
        change = needed / was - 1 if was else float("inf")
        verdict = "WORSE" if change > TOLERANCE else "better: store it" if change < -TOLERANCE else "ok"
        worse += change > TOLERANCE
        print(f"{case:<18}{needed:>12,} instructions  {change:+7.1%}  {verdict}")
    if worse:
        print(f"guard: {worse} cases need over {TOLERANCE:.0%} more instructions than {BASELINE} says", file=sys.stderr)
    return 1 if worse else 0


def count(program, case, times):
    """Instructions of one piece of work."""
    return instructions(program, times, "count", case, times)


def instructions(program, times, *argv):
    """Instructions of what a program does so many times under a name that callgrind is told."""
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=core_bench::counted*",
         program, *map(str, argv)],
        capture_output=True, text=True,
    )
    match = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    if done.returncode != 0 or not match or match.group(1) == "0":
        raise RuntimeError(f"valgrind failed on {argv}: {done.stderr[-1000:]}")
    return int(match.group(1)) // times
