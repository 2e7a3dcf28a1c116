"""`scripts/bench reads`: a rules answer of 10 MiB, cut down to one tenant, and answers that are not read."""

import json

import candidates as c
import core
import web
from check import Wrong
from load import Load, request
from rounds import measure, ratio
from tokens import Mint
from upstream import Upstream

ALL = [c.BARE, c.NOOP, c.OURS]
TENANT = "team-a"
SIZES = {"1 KiB": 1 << 10, "100 KiB": 100 << 10, "10 MiB": 10 << 20}


def run(stack, options, report):
    report.add([alone(wasm) for wasm in (False, True)])
    paths = {f"/api/v1/label/of_{name.replace(' ', '_')}/values": (name, size) for name, size in SIZES.items()}
    files = {path: stack.write(f"values-{size}.json", values(size)) for path, (_, size) in paths.items()}
    text = rules(10 << 20)
    files["/api/v1/rules"] = stack.write("rules.json", text)
    upstream, mint = Upstream(stack, files), Mint()
    all_of = [c.start(name, stack, upstream, mint) for name in ALL]
    token = mint.token(tenant=TENANT)
    ours = all_of[-1]
    check_small(ours, token)
    idle = ours.gateway.modules()[0]
    check(ours, token, text)
    # An instance never gives memory back: what it has grown by is the most that the answer took.
    taken = ours.gateway.modules()[0] - idle
    report.add([{
        "load": "rules, 10 MiB, the first", "candidate": c.OURS, "body_mib": round(len(text) / 2**20, 2), "taken_mib": round(taken / 2**20, 2),
    }])
    # Two at a time: what is held of them is far from the worker's budget.
    filtered = Load("rules, 10 MiB", [request("GET", "/api/v1/rules")], [token], connections=2, warm=4)
    rows = measure(stack, filtered, all_of, rounds=options.rounds, seconds=options.seconds)
    for name, row in rows.items():
        row["x_bare"] = ratio(rows, name, c.BARE)
        row["mb_s"] = round(len(text) * row["requests_s"] / 1e6)
    rows[c.OURS]["filter_mb_s"] = round(len(text) / over(rows, c.NOOP))
    report.add(rows)
    for path, (name, size) in paths.items():
        load = Load(f"values, {name}", [request("GET", path)], [token], connections=2, warm=50)
        rows = measure(stack, load, all_of, rounds=options.rounds, seconds=options.seconds)
        for of, row in rows.items():
            row["x_bare"] = ratio(rows, of, c.BARE)
        rows[c.OURS]["own_us"] = round(over(rows, c.NOOP), 1)
        report.add(rows)


def alone(wasm):
    """The filtering alone."""
    done = core.lines("time", "rules", wasm=wasm)[0]
    return {
        "load": "rules, 10 MiB", "candidate": "Promfence, V8" if wasm else "Promfence, native", "ns": done["ns"],
        "mb_s": round(done["bytes"] / done["ns"] * 1e3),
    }


def over(rows, base):
    """Microseconds of CPU per request over those of another candidate: the median of the rounds' own
    differences."""
    pairs = sorted(a - b for a, b in zip(rows[c.OURS]["cpu_us_each"], rows[base]["cpu_us_each"]))
    return pairs[len(pairs) // 2]


def check_small(ours, token):
    """A first answer, so that what any request makes an instance take is taken."""
    answer = web.Client(ours.port, token).get("/api/v1/label/of_1_KiB/values")
    if answer.status != 200:
        raise Wrong(f"label values were answered by {answer}")


def check(ours, token, text):
    """The filter shows all groups of the tenant, and none else."""
    answer = web.Client(ours.port, token).get("/api/v1/rules")
    if answer.status != 200:
        raise Wrong(f"the rules were answered by {answer}")
    shown = answer.json()["data"]["groups"]
    own = [g for g in json.loads(text)["data"]["groups"] if g["file"].endswith(f"{TENANT}.yaml")]
    if shown != own:
        raise Wrong(f"{len(shown)} groups are shown, {len(own)} are the tenant's")


def values(size):
    """Label values of about `size` bytes."""
    one = "instance-0123456789.example:9100"
    return json.dumps({"status": "success", "data": [one] * (size // (len(one) + 3))}, separators=(",", ":"))


def rules(size):
    """A rules answer of about `size` bytes, half of it the tenant's."""
    groups, total = [], 0
    while total < size:
        tenant = (TENANT, "team-b")[len(groups) % 2]
        group = {"name": f"group-{len(groups)}", "file": f"/etc/rules/{tenant}.yaml", "rules": [rule(tenant, i) for i in range(8)], "interval": 30}
        groups.append(group)
        total += len(json.dumps(group, separators=(",", ":")))
    return json.dumps({"status": "success", "data": {"groups": groups}}, separators=(",", ":"))


def rule(tenant, i):
    return {
        "state": "inactive", "name": f"HighErrorRate{i}", "query": f'sum by (job) (rate(http_requests_total{{tenant_id="{tenant}"}}[5m])) > 0.{i}',
        "duration": 600, "labels": {"severity": "page", "tenant_id": tenant}, "annotations": {"summary": "{{ $labels.job }} returns errors"},
        "alerts": [], "health": "ok", "evaluationTime": 0.00042, "lastEvaluation": "2026-01-01T00:00:00.000Z", "type": "alerting",
    }
