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
import load as loads  # noqa: E402
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


def cpu():
    """Where Envoy's CPU goes while known queries come: samples of perf, by what their stacks hold."""
    if not shutil.which("perf"):
        print("perf is not here: no samples are taken", file=sys.stderr)
        return
    with stacks.Stack("profile") as stack:
        mint, upstream = Mint(), Upstream(stack)
        load = loads.Load("five queries", queries.known(), [mint.token()])
        print(f"\n{'CPU us a request':<24}" + "".join(f"{k:>18}" for k in WHERE))
        for name in (c.BARE, c.NOOP, c.CALLS, c.OURS):
            candidate = c.start(name, stack, upstream, mint)
            path = load.write(stack)
            loads.run(load, path, candidate.port, seconds=2)
            data = stack.path("perf.data")
            perf = subprocess.Popen(
                ["perf", "record", "--quiet", "-F", str(HERTZ), "-g", "-o", data, "-p", str(candidate.pids[0]), "--", "sleep", "6"],
                stderr=subprocess.DEVNULL,
            )
            before = candidate.cpu()
            done = loads.run(load, path, candidate.port, seconds=5, start=10**6)
            each = 1e6 * (candidate.cpu() - before) / done["requests"]
            perf.wait()
            found = samples(data)
            total = sum(found.values()) or 1
            print(f"{name:<24}" + "".join(f"{each * found[k] / total:>18.1f}" for k in WHERE), flush=True)
            stack.stop(candidate.gateway.name)


WHERE = ("module", "calls of the host", "rest of Envoy", "kernel")
HERTZ = 1999


def samples(data):
    """Samples by where they were taken. Code that V8 made has no file: perf looks for it in perf-PID.map."""
    text = subprocess.run(["perf", "script", "-i", data, "-F", "ip,sym,dso"], capture_output=True, text=True).stdout
    found = collections.Counter()
    for block in re.split(r"\n\s*\n", text):
        frames = [line for line in block.splitlines() if line.strip()]
        if not frames:
            continue
        made = [i for i, line in enumerate(frames) if "/perf-" in line]
        if made:
            found["module" if made[0] == 0 else "calls of the host"] += 1
        else:
            found["kernel" if "kernel" in frames[0] else "rest of Envoy"] += 1
    return found


PARTS = {"calls": calls, "cpu": cpu, "core": instructions}

if __name__ == "__main__":
    what = sys.argv[1:] or list(PARTS)
    for part in what:
        if part not in PARTS:
            sys.exit(f"scripts/profile: no such part: {part}")
        PARTS[part]()
