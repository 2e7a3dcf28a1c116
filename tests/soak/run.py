"""Two tenants' canaries under mixed, half hostile load over real Thanos: see scripts/soak --help."""

import argparse
import base64
import json
import os
import random
import secrets
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("live", "twoparsers", "cases", "."):
    sys.path.insert(0, os.path.join(HERE, "..", folder))

import gateway  # noqa: E402
import results  # noqa: E402
import stack  # noqa: E402
import thanos  # noqa: E402
import values  # noqa: E402
import web  # noqa: E402
from generate import Generator  # noqa: E402
from tokens_of_two import Tokens  # noqa: E402

TENANTS = ("team-a", "team-b")
HOST = "metrics.test"


class Canary:
    """What only one tenant has: a word in a metric's name, a label's name and a label's value."""

    def __init__(self, tenant):
        self.tenant, self.word = tenant, f"canary_{secrets.token_hex(6)}"

    def series(self):
        for i in range(20):
            yield [("__name__", self.word if i % 2 else "shared_name"), ("job", f"j{i % 5}"), (f"l_{self.word}", "x"), ("mark", self.word), ("n", str(i))]

    def body(self):
        """A remote-write request of now; the label names are sorted as the protocol wants."""
        at = int(time.time() * 1000)
        out = b""
        for labels in self.series():
            made = b"".join(
                values.message(1, values.message(1, n.encode()) + values.message(2, v.encode())) for n, v in sorted(labels)
            )
            sample = values.message(2, b"\x09" + struct.pack("<d", 1.0) + b"\x10" + values.varint(at))
            out += values.message(1, made + sample)
        return values.snappy(out)


class Bench:
    """Thanos Receive and Query behind Envoy with the filter, as envoy/envoy.yaml has them."""

    def __init__(self):
        self.stack = stack.Stack("soak")
        self.tokens = Tokens()
        self.canaries = {t: Canary(t) for t in TENANTS}
        write, self.query = thanos.start(self.stack)
        document = {
            "tenancy": {"label": "tenant_id", "header": "THANOS-TENANT"},
            "auth": {"issuers": [self.tokens.issuer.config()]},
            "upstreams": [
                {"receive": {"hosts": [HOST], "cluster": "receive", "seal": "r" * 32}},
                {"thanos": {"hosts": [HOST], "cluster": "query", "seal": "q" * 32, "public": ["/-/ready"]}},
            ],
        }
        clusters = {"receive": write, "query": self.query}
        self.gateway = gateway.Gateway(self.stack, document, clusters, workers=2, http={"access_log": []}).start()

    def client(self, tenant):
        return web.Client(self.gateway.port, self.tokens.good[tenant].decode(), host=HOST)

    def write(self):
        headers = {"content-type": "application/x-protobuf", "content-encoding": "snappy", "x-prometheus-remote-write-version": "0.1.0"}
        for tenant, canary in self.canaries.items():
            def written(tenant=tenant, canary=canary):
                return self.client(tenant).send("POST", "/api/v1/receive", canary.body(), headers).status == 200

            self.stack.wait(f"{tenant} to write", written, 60)

            def there(tenant=tenant, canary=canary):
                answer = self.client(tenant).get("/api/v1/query", {"query": f'count({{mark="{canary.word}"}})'})
                return answer.status == 200 and '"20"' in answer.text

            self.stack.wait(f"the canary of {tenant}", there, 60)

    def rss(self):
        """Envoy's resident memory in bytes."""
        with open(f"/proc/{self.stack.processes['envoy'].pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def traps(self):
        return gateway.traps(self.gateway.log(50_000_000))


def plan(bench, seed, path):
    """Requests that must be served, and hostile ones, to a file."""
    dice = random.Random(seed)
    with open(path, "w") as f:
        for request in [*good(bench, dice), *hostile(bench, seed, 6000)]:
            f.write(json.dumps(request) + "\n")


def good(bench, dice):
    for n in range(300):
        tenant = dice.choice(TENANTS)
        own, other = (bench.canaries[t] for t in (TENANTS if tenant == "team-a" else TENANTS[::-1]))
        method, path, parameters, must = dice.choice(reads(own, other, dice))
        encoded = web.encode(parameters).encode()
        token, headers, body = bench.tokens.good[tenant], b"", b""
        target = path.encode()
        if method == "POST":
            headers, body = b"content-type: application/x-www-form-urlencoded\r\ncontent-length: %d\r\n" % len(encoded), encoded
        elif encoded:
            target += b"?" + encoded
        encoding = dice.choice([b"", b"accept-encoding: gzip\r\n"])
        raw = b"%s %s HTTP/1.1\r\nhost: %s\r\nauthorization: Bearer %s\r\n%s%s\r\n%s" % (
            method.encode(), target, HOST.encode(), token, encoding, headers, body)
        yield entry(f"good-{n}", raw, [200], [own.word] if must else [], [other.word])
    for tenant, canary in bench.canaries.items():
        other = bench.canaries[TENANTS[tenant == "team-a"]]
        body = canary.body()
        raw = b"POST /api/v1/receive HTTP/1.1\r\nhost: %s\r\nauthorization: Bearer %s\r\ncontent-type: application/x-protobuf\r\ncontent-encoding: snappy\r\n" % (
            HOST.encode(), bench.tokens.good[tenant]) + b"x-prometheus-remote-write-version: 0.1.0\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        for n in range(10):
            yield entry(f"write-{tenant}-{n}", raw, [200], [], [other.word])


def reads(own, other, dice):
    """(method, path, parameters, whether the own canary is in the answer) that a dashboard may send."""
    now = int(time.time())
    method = dice.choice(["GET", "POST"])
    span = {"start": now - 60, "end": now + 600}
    n = dice.randrange(20)
    query = dice.choice([
        f'{{mark="{own.word}"}}', "shared_name", f'shared_name or {{mark="{other.word}"}}', f"max_over_time({own.word}[1h])",
        f'{{__name__=~".+",n="{n}"}} or {{tenant_id="{other.tenant}"}}', f"count by (mark) (shared_name) or {other.word}",
        f"topk(scalar(count({other.word}) or vector(3)), shared_name) or {own.word}",
    ])
    everything = '{__name__=~".+"}'
    return [
        (method, "/api/v1/query", {"query": query, "time": now + 60}, True),
        (method, "/api/v1/query", {"query": query, "time": now + 60}, True),
        (method, "/api/v1/query_range", {"query": query, "step": 60, **span}, True),
        (method, "/api/v1/series", {"match[]": ["shared_name", other.word], **span}, True),
        (method, "/api/v1/labels", dice.choice([span, {"match[]": everything, **span}]), True),
        ("GET", "/api/v1/label/mark/values", span, True),
        ("GET", "/api/v1/label/__name__/values", {"match[]": [everything, f'{{mark="{other.word}"}}'], **span}, True),
        ("GET", "/api/v1/query_exemplars", {"query": query, **span}, False),
        ("GET", "/api/v1/rules", {}, False),
        ("GET", "/api/v1/alerts", {}, False),
        ("GET", "/api/v1/status/buildinfo", {}, False),
        (method, "/api/v1/query", {"query": f"{other.word}"}, False),
    ]


def hostile(bench, seed, n):
    """Requests of scripts/twoparsers that must do no harm, with the other tenant's canary where they say `secret`."""
    generator, made, at = Generator(seed, 9, bench.tokens), 0, 0
    while made < n:
        r = generator.make(at)
        at += 1
        if r.h2 or r.plain or r.parked or r.kind not in ("thanos", "receive"):
            continue
        made += 1
        r.host = HOST.encode()
        forbidden = [t for t in TENANTS if t not in r.tenants]
        raw = r.wire()
        if len(forbidden) == 1 and (b"content-length: %d\r" % len(r.whole_body() or b"")) not in raw:
            raw = raw.replace(b"secret", bench.canaries[forbidden[0]].word.encode()) if r.framing != "chunked" else raw
        yield {**entry(r.id, raw, [], [], [bench.canaries[t].word for t in forbidden]), "head": r.method == b"HEAD", "hostile": True}


def entry(id, raw, statuses, must, never):
    # What a denial quotes is the client's own text: only answers can leak.
    return {"id": id, "raw": base64.b64encode(raw).decode(), "statuses": statuses, "must": must, "never": [f'"{w}' for w in never], "hostile": False}


def slope(points):
    """MiB of growth for each 100,000 requests over the second half, by least squares."""
    half = [(n / 1e5, m / 2**20) for n, m in points if n * 2 >= points[-1][0]]
    mean_n, mean_m = (sum(p[i] for p in half) / len(half) for i in (0, 1))
    below = sum((n - mean_n) ** 2 for n, _ in half)
    return sum((n - mean_n) * (m - mean_m) for n, m in half) / below if below else 0.0


def load(bench, binary, requests, connections, seed):
    """Runs the load; returns its sums and the points (requests, bytes of memory)."""
    path = bench.stack.path("plan.jsonl")
    plan(bench, seed, path)
    argv = [binary, "-plan", path, "-address", f"127.0.0.1:{bench.gateway.port}", "-requests", str(requests), "-connections", str(connections)]
    points, sums, told = [], None, 0
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            sums = json.loads(line)
            points.append((sums["done"], bench.rss()))
            if sums["done"] >= told + requests // 10:
                told = sums["done"]
                print(f"  {told} requests, Envoy has {points[-1][1] / 2**20:.1f} MiB", flush=True)
    return sums, points


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--load", required=True)
    parse.add_argument("--requests", type=int, default=1_000_000)
    parse.add_argument("--connections", type=int, default=16)
    parse.add_argument("--seed", default=secrets.token_hex(4))
    options = parse.parse_args()
    print(f"seed {options.seed}", flush=True)
    bench = Bench()
    try:
        bench.write()
        # A warm-up: VMs, caches and connections get their size.
        load(bench, options.load, min(20_000, options.requests // 5), options.connections, options.seed + "w")
        started = time.monotonic()
        sums, points = load(bench, options.load, options.requests, options.connections, options.seed)
        seconds = time.monotonic() - started
        traps, grows = bench.traps(), slope(points)
        alive = bench.gateway.alive()
    finally:
        bench.stack.end()
    for example in sums["examples"] or []:
        print(f"FOUND {example}")
    for trap in traps[:5]:
        print(f"FOUND a trap: {trap}")
    print(f"statuses: {sums['statuses']}")
    wrong = {k: sums[k] for k in ("leaks", "wrong_refusals", "own_data_missing", "no_answer")}
    print(f"{sums['done']} requests, {sums['hostile']} of them hostile, in {seconds:.0f} s: "
          + ", ".join(f"{v} {k.replace('_', ' ')}" for k, v in wrong.items())
          + f", {len(traps)} traps, {grows:+.2f} MiB per 100,000 requests over the second half, {points[-1][1] / 2**20:.0f} MiB at the end")
    results.record("soak", requests=sums["done"], traps=len(traps), mib_per_100000=round(grows, 2), **wrong)
    sys.exit(0 if alive and not any(wrong.values()) and not traps and grows < 1 else 1)


if __name__ == "__main__":
    main()
