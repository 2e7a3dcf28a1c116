"""Compares what the filter believes of a request with what Go's net/http makes of it: see scripts/twoparsers --help."""

import argparse
import collections
import json
import multiprocessing
import os
import secrets
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import gateway  # noqa: E402
import results  # noqa: E402
import stack  # noqa: E402
from generate import Generator  # noqa: E402
from judge import Finding, judge  # noqa: E402
from tokens_of_two import Tokens  # noqa: E402
from wire import H1, H2, Parked  # noqa: E402

KINDS = ("prometheus", "thanos", "receive", "alertmanager")
BATCH = 250


class Bench:
    """Envoy, as permissive as it can be made, before the Go server; each kind on a host of its own."""

    def __init__(self, binary, tokens, filtered=True):
        self.stack = stack.Stack("twoparsers")
        ports = {kind: self.stack.port() for kind in KINDS}
        self.control = self.stack.port()
        argv = [binary, f"-control=127.0.0.1:{self.control}", *(f"-{k}=127.0.0.1:{p}" for k, p in ports.items())]
        self.stack.start("upstream", argv, f"http://127.0.0.1:{self.control}/ready")
        upstreams = [
            {kind: {"hosts": [f"{kind}.test"], "cluster": kind, "seal": kind.ljust(32, "s"), **self.options(kind)}} for kind in KINDS
        ]
        left = {"properties": ["tenant", "endpoint", "decision"]}
        document = {"auth": {"issuers": [tokens.issuer.config()]}, "upstreams": upstreams, "log": left}
        http1 = {"enable_trailers": True, "allow_chunked_length": True, "accept_http_10": True, "default_host_for_http_10": "prometheus.test"}
        self.log = self.stack.path("access.log")
        made = gateway.Gateway(
            self.stack, document, {k: cluster(k, p) for k, p in ports.items()}, workers=2,
            http={
                "http_protocol_options": http1, "http2_protocol_options": {"allow_connect": True, "allow_metadata": False},
                "upgrade_configs": [{"upgrade_type": "websocket"}], "access_log": [access_log(self.log)],
                "stream_error_on_invalid_http_message": True, "max_request_headers_kb": 96,
                **({} if filtered else {"http_filters": [gateway.ROUTER], "route_config": unfiltered()}),
            },
        )
        self.gateway = made.start()

    def options(self, kind):
        return {
            "prometheus": {"federate": True, "public": ["/-/ready"]}, "thanos": {"public": ["/-/ready"]}, "receive": {}, "alertmanager": {},
        }[kind]

    def traps(self):
        return gateway.traps(self.gateway.log(50_000_000))


def cluster(name, port):
    kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    options = {"@type": gateway.TYPE + kind, "explicit_http_config": {"http_protocol_options": {"enable_trailers": True}}}
    return gateway.cluster(name, port, typed_extension_protocol_options={kind: options})


def access_log(path):
    words = {n: f"%FILTER_STATE(wasm.promfence.{n}:PLAIN)%" for n in ("tenant", "endpoint", "decision")}
    return {
        "name": "file",
        "typed_config": {
            "@type": gateway.TYPE + "envoy.extensions.access_loggers.file.v3.FileAccessLog", "path": path,
            "log_format": {"json_format": {"id": "%REQ(USER-AGENT)%", "status": "%RESPONSE_CODE%", **words}},
        },
    }


def unfiltered():
    """Routes by host alone: what happens without the filter."""
    hosts = [{"name": k, "domains": [f"{k}.test"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": k}}]} for k in KINDS]
    return {"virtual_hosts": hosts}


class Worker:
    """Sends the requests of one worker and judges what arrived."""

    def __init__(self, number, seed, tokens, port, control, log):
        self.number, self.control = number, control
        self.generator = Generator(seed, number, tokens)
        self.h1, self.h2, self.parked = H1(port), H2(port), Parked(port)
        self.log, self.rest = open(log, "rb"), b""
        self.sent, self.believed, self.waiting = {}, {}, []
        self.findings, self.arrived, self.counts = [], collections.Counter(), collections.Counter()

    def run(self, numbers):
        for at in range(0, len(numbers), BATCH):
            for n in numbers[at:at + BATCH]:
                self.one(n)
            self.collect()
        self.parked.close()
        end = time.monotonic() + 20
        while time.monotonic() < end:
            time.sleep(0.3)
            self.collect()
            if not self.waiting and time.monotonic() > end - 18:
                break
        for report in self.waiting:
            self.findings += judge(report, self.sent.get(report["id"]), None)
        for id, r in self.sent.items():
            if r.plain and not r.parked and self.arrived[id] != 1:
                self.findings.append(Finding("a plain request that did not arrive once", id, f"{self.arrived[id]} times, status {r.status}"))
        return self.findings, self.counts, {f.id: self.sent[f.id].show() for f in self.findings if f.id in self.sent}

    def one(self, n):
        r = self.generator.make(n)
        self.sent[r.id] = r
        r.status = 0
        if r.h2:
            r.status = self.h2.send(*r.frames())
            self.counts["over HTTP/2"] += 1
        elif r.parked:
            self.parked.send(r.wire())
            self.counts["not waited for"] += 1
        else:
            r.status = self.h1.send(r.wire(), r.method == b"HEAD")
        self.counts["sent"] += 1
        self.counts["plain"] += r.plain and not r.parked
        self.counts[f"status {r.status}"] += not r.parked
        if r.plain and not r.parked and r.status != 200:
            self.findings.append(Finding("a plain request was refused", r.id, f"status {r.status}"))

    def collect(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.control}/reports/w{self.number}", timeout=30) as answer:
            self.waiting += json.load(answer)
        self.read_log()
        left = []
        for report in self.waiting:
            id = report["id"]
            if id in self.sent and id not in self.believed:
                left.append(report)
                continue
            self.counts["cut off" if report.get("aborted") else "arrived"] += 1
            self.arrived[id] += 1
            if self.arrived[id] > 1 and id in self.sent:
                self.findings.append(Finding("a request arrived twice", id, report["path"]))
            self.findings += judge(report, self.sent.get(id), self.believed.get(id))
        self.waiting = left

    def read_log(self):
        data = self.rest + self.log.read()
        lines = data.split(b"\n")
        self.rest = lines.pop()
        own = b'"w%d-' % self.number
        for line in lines:
            if own in line:
                entry = json.loads(line)
                self.believed[entry["id"].split(" ")[0]] = entry


def work(number, seed, tokens, port, control, log, numbers, pipe):
    pipe.send(Worker(number, seed, tokens, port, control, log).run(numbers))


def compare(options):
    """Runs it; returns findings, counts and the requests of the findings."""
    tokens = Tokens()
    bench = Bench(options.upstream, tokens, filtered=not options.without_filter)
    try:
        if options.only:
            worker, _, n = options.only[1:].partition("-")
            plan = [(int(worker), [int(n)])]
        else:
            share = options.requests // options.workers
            plan = [(k, range(share + (options.requests % options.workers if k == 0 else 0))) for k in range(options.workers)]
        jobs = []
        for number, numbers in plan:
            here, there = multiprocessing.Pipe(False)
            job = multiprocessing.Process(
                target=work, args=(number, options.seed, tokens, bench.gateway.port, bench.control, bench.log, numbers, there), daemon=True
            )
            job.start()
            there.close()
            jobs.append((job, here))
        findings, counts, shown = [], collections.Counter(), {}
        for job, pipe in jobs:
            found, counted, show = pipe.recv()
            findings += found
            counts += counted
            shown.update(show)
            job.join()
        findings += [Finding("a trap", "", line) for line in bench.traps()]
        if not bench.gateway.alive():
            findings.append(Finding("Envoy died", "", bench.gateway.log()))
        if options.only:
            print(Generator(options.seed, plan[0][0], tokens).make(plan[0][1][0]).show())
        return findings, counts, shown
    finally:
        bench.stack.end()


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--upstream", required=True)
    parse.add_argument("--requests", type=int, default=50_000)
    parse.add_argument("--workers", type=int, default=2)
    parse.add_argument("--seed", default=secrets.token_hex(4))
    parse.add_argument("--only", default="")
    parse.add_argument("--without-filter", action="store_true")
    options = parse.parse_args()
    print(f"seed {options.seed}", flush=True)
    started = time.monotonic()
    findings, counts, shown = compare(options)
    seconds = time.monotonic() - started
    kinds = collections.Counter(f.what for f in findings)
    seen = collections.Counter()
    for f in findings:
        seen[f.what] += 1
        if seen[f.what] <= 5:
            print(f"FOUND {f.what} in {f.id}: {f.detail}\n      {shown.get(f.id, '')}")
    for what, n in kinds.most_common():
        print(f"{n:7} {what}")
    told = ", ".join(f"{counts[k]} {k}" for k in ("plain", "over HTTP/2", "not waited for"))
    print(f"statuses: {', '.join(f'{k[7:]}: {v}' for k, v in sorted(counts.items()) if k.startswith('status'))}")
    print(f"{counts['sent']} requests sent ({told}), {counts['arrived']} arrived and compared, {counts['cut off']} heads whose body was refused, {len(findings)} differences, {seconds:.0f} s")
    if not options.without_filter and not options.only:
        results.record("twoparsers", requests=counts["sent"], arrived=counts["arrived"], differences=len(findings))
    if options.without_filter:
        # Without the filter every class of difference must be seen, or the comparison sees nothing.
        missing = [w for w in MUST_BE_SEEN if w not in kinds]
        print(f"not noticed: {missing}" if missing else "every class of difference was noticed")
        sys.exit(1 if missing else 0)
    sys.exit(1 if findings or not counts["arrived"] else 0)


MUST_BE_SEEN = [
    "unauthenticated", "not one tenant header", "the tenant of somebody else", "a header that must not pass", "a credential in a header",
    "an endpoint that is not open", "an unknown parameter", "a parameter twice", "a selector that is not confined",
    "alerts that are not confined", "the form is read in two ways", "parameters in two places", "trailers", "a request that nobody sent",
    "a body without a place", "the method is another", "no selector at all",
]

if __name__ == "__main__":
    main()
