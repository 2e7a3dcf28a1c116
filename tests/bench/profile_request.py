"""What one request costs: host calls as Envoy traces them, instructions as callgrind counts them."""

import collections
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "live")]

import candidates as c  # noqa: E402
import core  # noqa: E402
import queries  # noqa: E402
import stack as stacks  # noqa: E402
import web  # noqa: E402
from tokens import Mint  # noqa: E402
from upstream import Upstream  # noqa: E402


def calls():
    """Counts calls in both directions for the second of two equal requests."""
    with stacks.Stack("profile") as stack:
        mint, upstream = Mint(), Upstream(stack)
        ours = c.start(c.OURS, stack, upstream, mint)
        client = web.Client(ours.port, mint.token(), host=ours.host)
        query, parameters = queries.FIVE[0][0], queries.TIMES
        sends = {
            "GET query_range": lambda: client.get("/api/v1/query_range", {"query": query, **parameters}),
            "POST query_range": lambda: client.form("/api/v1/query_range", {"query": query, **parameters}),
        }
        for name, send in sends.items():
            send()
            ours.gateway.get("/logging?wasm=trace", "POST")
            before = len(ours.gateway.log(10**9))
            status = send().status
            stack.wait("the log", lambda: "proxy_on_delete" in ours.gateway.log(10**9)[before:])
            trace = ours.gateway.log(10**9)[before:]
            ours.gateway.get("/logging?wasm=warning", "POST")
            print(f"\n{name}: {status}")
            for arrow, title in (("vm->host", "calls of the host"), ("host->vm", "calls of the module")):
                found = collections.Counter(re.findall(rf"\[{arrow}\] (?:\w+\.)?(\w+)\(", trace))
                print(f"  {sum(found.values())} {title}: " + ", ".join(f"{n} {k}" for k, n in found.most_common()))


def instructions():
    """The functions of the core that take most instructions."""
    if not shutil.which("valgrind"):
        print("valgrind is not here: no instructions are counted", file=sys.stderr)
        return
    case, times = os.environ.get("PROMFENCE_CASE", "known"), 200
    with stacks.Stack("profile") as stack:
        out = stack.path("callgrind")
        argv = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--toggle-collect=core_bench::counted*"]
        subprocess.run([*argv, core.build(), "count", case, str(times)], check=True, capture_output=True)
        print(f"\n{case}, {times} times:")
        shown = subprocess.run(["callgrind_annotate", "--auto=no", out], check=True, capture_output=True, text=True)
        print("\n".join(line[:150] for line in shown.stdout.splitlines()[:60]))


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    if what not in ("", "calls", "core"):
        sys.exit(f"scripts/profile: no such part: {what}")
    if what != "core":
        calls()
    if what != "calls":
        instructions()
