"""Shows what runs found (tests/results.py) as tables: see scripts/figures --help."""

import argparse
import os
import re
import sys

import results

# Families of cases, with the letters that their names begin with.
FAMILIES = {
    "HTTP: paths, framing, headers": ("H", "XH"),
    "Tenant headers and names": ("T", "XT"),
    "Tokens, certificates, secrets": ("J", "XJ", "ID"),
    "Key sets and key servers": ("K", "XK"),
    "PromQL": ("Q", "XQ"),
    "Endpoints and parameters": ("E", "XE"),
    "Writes": ("W", "XW"),
    "Answers": ("R", "XR"),
    "Alertmanager": ("A", "XA"),
    "Faults of the host": ("F", "XF"),
    "What Grafana sends": ("G",),
}
ENVOYS = ("1.40", "1.36")
FAULTS = ("faults", "write_faults", "key_server", "stalls", "hazards", "reload")
CELL = r"[^|\n]+"
DONE = r"(?P<commit>[0-9a-f]{7,12}\+?|-) \| (?P<date>\d{4}-\d\d-\d\d)"


def total(entries, key):
    return sum(e.get(key, 0) for e in entries)


def span(entries):
    """The commits and the last day of runs that are shown together."""
    commits = sorted({e["commit"] for e in entries})
    return (commits[0] if len(commits) == 1 else "several"), max(e["date"] for e in entries)


def rows(found):
    """What each kind of run did, what it found, its commit and its day."""
    cases = [e for n, e in found.items() if n.startswith("cases-")]
    if cases:
        every = [c for e in cases for c in e["families"].values()]
        told = f"{sum(c[1] for c in every)} failed"
        yield "Cases in real Envoy (`scripts/cases`)", sum(c[0] for c in every), told, *span(cases)
    for name, what, key, words in KINDS:
        if name in found:
            e = found[name]
            yield what, e[key], ", ".join(f"{e[w]:g} {told}" for w, told in words), e["commit"], e["date"]
    faults = [found[f"live-{n}"] for n in FAULTS if f"live-{n}" in found]
    if faults:
        yield "Faults while requests run (`scripts/live`)", total(faults, "passed"), f"{total(faults, 'failed')} failed", *span(faults)


KINDS = [
    ("twoparsers", "Generated requests, as the filter and as Go read them (`scripts/twoparsers`)", "requests", [("differences", "differences")]),
    ("differential", "Generated queries, held against Prometheus' parsers (`scripts/differential`)", "queries", [("wrong", "wrong")]),
    ("soak", "Mixed requests of two tenants over Thanos, half of them hostile (`scripts/soak`)", "requests",
     [("leaks", "leaks"), ("wrong_refusals", "wrong refusals"), ("traps", "traps")]),
    ("fuzz", "Fuzzing runs of the parsers and of the whole exchange (`scripts/fuzz`)", "runs", [("found", "found")]),
]


def figures(found):
    """The table of all runs; empty without any."""
    lines = [f"| {what} | {number:,} | {told} | {commit} | {day} |" for what, number, told, commit, day in rows(found)]
    return "\n".join(["| Run | How many | Found | Commit | Date |", "|---|---:|---|---|---|", *lines]) + "\n" if lines else ""


def families(found):
    """The table of cases by family; empty without any."""
    columns = [[e["families"] for n, e in found.items() if n.startswith("cases-") and n.endswith(f"-{v}")] for v in ENVOYS]
    lines = []
    for name, letters in FAMILIES.items():
        cells = [[c for f in files for prefix, c in f.items() if prefix in letters] for files in columns]
        passed = [sum(c[0] for c in cell) for cell in cells]
        if any(passed):
            failed = sum(c[1] for cell in cells for c in cell)
            lines.append(f"| {name} | {passed[0]} | {passed[1]} | {failed} |")
    return "\n".join([f"| Family | passed in Envoy {ENVOYS[0]} | in {ENVOYS[1]} | failed |", "|---|---:|---:|---:|", *lines]) + "\n" if lines else ""


TABLES = {
    "README.md": ("figures", figures, rf"\| {CELL} \| [\d,]+ \| (?:[\d.]+ [a-z ]+(?:, )?)+ \| (?:{DONE.split(' ')[0]}|several) \| \d{{4}}-\d\d-\d\d \|"),
    ".github/SECURITY.md": ("families", families, r"\| [^|\n]+ \| \d+ \| \d+ \| \d+ \|"),
}


def block(text, name):
    """What stands between a file's markers, and where."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", text, re.S)
    return (found.group(1), found.span(1)) if found else (None, None)


def well_formed(name, text):
    """Whether a block has the form that this program gives it: a head as ours, then rows alone."""
    _, make, row = TABLES[name]
    head = make(SAMPLE).splitlines()[:2]
    lines = text.splitlines()
    return lines[:2] == head and len(lines) > 2 and all(re.fullmatch(row, line) for line in lines[2:])


SAMPLE = {
    "cases-hostile-1.40": {"commit": "0123456", "date": "2026-01-31", "families": {"H": [3, 0, 0], "J": [2, 0, 1]}},
    "soak": {"commit": "0123456+", "date": "2026-01-31", "requests": 1000, "leaks": 0, "wrong_refusals": 0, "traps": 0},
}


def main():
    parse = argparse.ArgumentParser(prog="scripts/figures")
    parse.add_argument("--write", action="store_true")
    options = parse.parse_args()
    found = results.read()
    for file, (name, make, _) in TABLES.items():
        table = make(found)
        print(table or f"{file}: nothing was run yet\n")
        if options.write and table:
            path = os.path.join(results.ROOT, file)
            with open(path) as f:
                text = f.read()
            _, place = block(text, name)
            if place is None:
                sys.exit(f"scripts/figures: {file} has no <!-- {name} -->")
            with open(path, "w") as f:
                f.write(text[:place[0]] + table + text[place[1]:])
    sys.exit(0 if found else 1)


if __name__ == "__main__":
    main()
