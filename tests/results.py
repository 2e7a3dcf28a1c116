"""What runs found: each runner leaves a file in .results/ (PROMFENCE_RESULTS names another folder), which scripts/figures shows.

From a shell: results.py NAME KEY=NUMBER...
"""

import json
import os
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
# They hold the figures themselves: a change there changes nothing of what was run.
SHOWN_IN = ("README.md", ".github/SECURITY.md")


def folder():
    return os.environ.get("PROMFENCE_RESULTS") or os.path.join(ROOT, ".results")


def commit():
    """The commit that is checked out, with a `+` if files differ from it; `-` outside of a repository."""
    head = git("rev-parse", "--short=9", "HEAD").strip()
    changed = git("status", "--porcelain", "--", ".", *(f":!{p}" for p in SHOWN_IN)).strip()
    return head + "+" * bool(changed) if head else "-"


def git(*arguments):
    try:
        return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True).stdout
    except OSError:
        return ""


def record(name, **figures):
    """Keeps the figures of a run, in place of those of the last run with this name."""
    os.makedirs(folder(), exist_ok=True)
    entry = {"commit": commit(), "date": time.strftime("%Y-%m-%d", time.gmtime()), **figures}
    path = os.path.join(folder(), f"{name}.json")
    with open(f"{path}.new", "w") as f:
        json.dump(entry, f)
        f.write("\n")
    os.replace(f"{path}.new", path)


def read():
    """All entries, by name."""
    found = {}
    for file in sorted(os.listdir(folder())) if os.path.isdir(folder()) else []:
        name, kind = os.path.splitext(file)
        if kind == ".json":
            with open(os.path.join(folder(), file)) as f:
                found[name] = json.load(f)
    return found


if __name__ == "__main__":
    record(sys.argv[1], **{k: int(v) for k, v in (pair.split("=", 1) for pair in sys.argv[2:])})
