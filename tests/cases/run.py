"""Runs case files in real Envoy: see scripts/cases --help."""

import argparse
import concurrent.futures
import json
import os
import sys
import threading
import time
from dataclasses import dataclass, field

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import client  # noqa: E402
import config  # noqa: E402
import expect  # noqa: E402
import results  # noqa: E402
import tokens  # noqa: E402
import values  # noqa: E402
from envoy import Envoy  # noqa: E402
from promql import Parser  # noqa: E402
from upstream import KeyServer, Upstream  # noqa: E402


@dataclass
class Sent:
    """What the client sent, for comparison."""

    method: str
    target: bytes
    body: bytes
    parameters: list


@dataclass
class Result:
    case: dict
    wrong: list = field(default_factory=list)
    skipped: str = ""
    seconds: float = 0.0
    log: str = ""

    def late_only(self):
        return bool(self.wrong) and all("ms, expected at most" in w for w in self.wrong)

    def is_of_time(self):
        """Whether a busy machine may be why it failed: it was late, or refused for want of keys that were
        to be fetched in time. What passed that must not is never tried again."""
        refused = any(f"status {status}, expected 200" in w for w in self.wrong for status in (401, 503))
        return self.late_only() or "jwks_server" in self.case and refused


class Runner:
    def __init__(self, options):
        self.options = options
        self.keys = tokens.Keys()
        self.parser = Parser(options.parser)
        self.print_lock = threading.Lock()

    # Cases of one configuration share an Envoy; one that plays with keys or start-up has its own.

    def units(self, cases):
        shared, single = {}, []
        for case in cases:
            if "jwks_server" in case or "startup" in case["expect"]:
                single.append([case])
            else:
                shared.setdefault(case["config"], []).append(case)
        # Those that wait longest come first.
        single.sort(key=lambda unit: -sum(then.get("after_s", 0) for then in unit[0].get("then", [])))
        return sorted(shared.values(), key=len, reverse=True)[:1] + single + sorted(shared.values(), key=len, reverse=True)[1:]

    def run(self, cases):
        results = [self.skip(case) for case in cases if skip_reason(case)]
        units = self.units([case for case in cases if not skip_reason(case)])
        with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as pool:
            for done in pool.map(self.unit, units):
                results += done
        # A machine with other work is no reason to fail on time: once more, alone.
        again = [r for r in results if r.is_of_time()]
        for late in again:
            results.remove(late)
            self.say(f"again {late.case['id']}: it failed on time while other cases ran beside it")
            results += self.unit([late.case])
        return results

    def skip(self, case):
        return self.report(Result(case, skipped=skip_reason(case)))

    def unit(self, cases):
        try:
            return [self.report(r) for r in self.unit_results(cases)]
        except config.Unknown as e:
            return [self.report(Result(case, skipped=str(e))) for case in cases]

    def unit_results(self, cases):
        bench = None
        try:
            for case in cases:
                started = time.monotonic()
                if bench and not bench.trusted:
                    bench.close()
                    bench = None
                try:
                    bench = bench or Bench(self, case)
                    result = Result(case, bench.run(case))
                except config.Unknown:
                    raise
                except Exception as e:  # a case that the runner cannot run has failed; the others run
                    result = Result(case, [f"the runner failed: {type(e).__name__}: {e}"])
                result.seconds = time.monotonic() - started
                if result.wrong and bench:
                    result.log = bench.envoy.tail()
                yield result
        finally:
            if bench:
                bench.close()

    def report(self, result):
        id, title = result.case["id"], result.case.get("title", "")
        if result.skipped:
            self.say(f"skip {id}: {result.skipped}")
        elif result.wrong:
            lines = [f"FAIL {id} ({result.case['config']}): {title}"] + [f"     {w}" for w in result.wrong]
            if self.options.verbose and result.log:
                lines += ["     Envoy said:"] + [f"       {line}" for line in result.log.splitlines()]
            self.say("\n".join(lines))
        elif self.options.verbose:
            self.say(f"ok   {id} {result.seconds * 1000:.0f} ms: {title}")
        return result

    def say(self, text):
        with self.print_lock:
            print(text, flush=True)


def skip_reason(case):
    if case.get("skip"):
        return case["skip"]
    if case.get("words"):
        return "words: a test of its own"
    unknown = expect.unknown_words(case["expect"])
    for then in case.get("then", []):
        unknown += expect.unknown_words(then["expect"])
    return f"expects what this runner does not know: {', '.join(unknown)}" if unknown else ""


class Bench:
    """An Envoy with its upstream and key server."""

    def __init__(self, runner, case):
        self.runner, self.trusted = runner, True
        setting = config.Setting(case["config"])
        server = case.get("jwks_server")
        document = config.document(setting, runner.keys, remote=server is not None)
        self.upstream, self.key_server = Upstream(), None
        keys_port = None
        if isinstance(server, list):
            self.key_server = KeyServer(server, runner.keys, self.upstream.address)
            keys_port = self.key_server.port
        elif server == "down":
            closed = Upstream()
            keys_port = closed.port
            closed.close()
        options = runner.options
        self.envoy = Envoy(
            options.binary,
            options.module,
            document,
            setting,
            self.upstream.port,
            keys_port,
            keep=options.keep,
            struct=options.struct,
        )
        self.started = None
        try:
            self.started = self.envoy.wait()
        except TimeoutError as e:
            self.refusal = str(e)
        if self.started and server is not None:
            self.wait_for_keys()

    def wait_for_keys(self):
        if self.key_server is None:
            time.sleep(1)
        elif self.key_server.answered.wait(1):
            time.sleep(0.1)

    def run(self, case):
        if "startup" in case["expect"]:
            return self.check_refusal()
        if not self.started:
            return [f"Envoy did not start: {self.why()}"]
        wrong = []
        mint = tokens.Mint(self.runner.keys, self.upstream.address)
        script = case.get("upstream_response")
        self.upstream.start_case(script)
        steps = [case] + [{"token": case.get("token"), **then} for then in case.get("then", [])]
        for i, step in enumerate(steps):
            time.sleep(step.get("after_s", 0))
            where = f"then[{i - 1}]: " if i else ""
            for number in range(step["request"].get("times", 1)):
                wrong += [where + w for w in self.step(step, mint, number)]
                if wrong or not self.envoy.alive():
                    break
        fetches = case["expect"].get("key_fetches")
        if fetches and self.key_server and not fetches[0] <= self.key_server.fetches <= fetches[1]:
            wrong.append(f"{self.key_server.fetches} key fetches, expected {fetches[0]} to {fetches[1]}")
        if not self.envoy.alive():
            wrong.append(f"Envoy died: exit {self.envoy.process.returncode}")
            self.trusted = False
        return wrong

    def check_refusal(self):
        self.trusted = False
        if self.started is None:
            return [self.refusal]
        if self.started:
            return ["Envoy started, expected a refusal"]
        code = self.envoy.process.returncode
        return [] if code > 0 else [f"Envoy ended with {code}, expected an orderly refusal"]

    def why(self):
        if self.started is None:
            return self.refusal
        log = self.envoy.tail(40).splitlines()
        told = [line for line in log if "promfence" in line or "wasm" in line or "error" in line.lower()]
        return expect.short(" | ".join(told or log[-3:]), 900)

    def step(self, step, mint, number):
        mark = self.upstream.mark()
        answer, sent = self.send(step, mint, number)
        time.sleep(0.005 if 200 <= answer.status < 300 else 0.03)
        arrived = self.upstream.since(mark)
        wrong = expect.check_answer(step["expect"], answer)
        wrong += expect.check_upstream(step["expect"], answer, arrived, sent, self.runner.parser)
        wanted = step["expect"].get("upstream")
        if not wrong and isinstance(wanted, dict) and wanted.get("framing") == "exact" and arrived:
            wrong += self.check_framing(step, mint, number, arrived[-1])
        if wrong and answer.status in (0, 500, 503):
            self.trusted = False  # a VM that trapped must not fail the cases after it
        return wrong

    def check_framing(self, step, mint, number, first):
        """The next request on the connection must be whole, and the same as this one."""
        mark = self.upstream.mark()
        self.send(step, mint, number)
        time.sleep(0.005)
        arrived = [r for r in self.upstream.since(mark) if not r.is_lookup()]
        broken = [r.fault for r in arrived if r.fault] + [r.fault for r in [first] if r.fault]
        if broken:
            return [f"framing: {b}" for b in broken]
        if len(arrived) != 1 or not arrived[0].whole:
            return [f"framing: the next request is not whole: {', '.join(map(expect.describe, arrived)) or 'none came'}"]
        if (arrived[0].method, arrived[0].target, arrived[0].body) != (first.method, first.target, first.body):
            return [f"framing: the same request arrived otherwise: {expect.describe(arrived[0])}"]
        if arrived[0].connection != first.connection:
            return ["framing: the connection to the upstream was not used again"]
        return []

    def send(self, step, mint, number):
        request = step["request"]
        body = values.body(request.get("body"))
        whole = body.whole if body and not (body.pause == 0 and len(body.pieces) > 256) else b""
        if "raw" in request:
            head = mint._place(request["raw"]).replace(b"{length}", str(len(whole)).encode())
            line = head.split(b"\r\n")[0].split(b" ")
            target = line[1] if len(line) > 1 else b""
            answer = client.send_h1(self.envoy.port, head, body, head_only=line[0] == b"HEAD")
            return answer, self.sent(line[0].decode("latin-1"), target, [], whole)
        carried, query = mint.headers(step.get("token"), number)
        target = values.raw(request["path"])
        if query:
            target += (b"&" if b"?" in target else b"?") + query.encode()
        own = [
            (n, v.replace(b"{upstream}", self.upstream.address.encode())) for n, v in values.pairs(request.get("headers"))
        ]
        names = {n.lower() for n, _ in own}
        length = []
        if body is not None and not names & {"content-length", "transfer-encoding"}:
            length = [("content-length", b"%d" % sum(map(len, body.pieces)))]
        method = request["method"]
        sent = self.sent(method, target, own, whole)
        if request.get("proto") == "h2":
            pseudo = [(":method", method.encode()), (":scheme", b"http"), (":path", target)]
            pseudo.append((":authority", dict(own).get("host", b"metrics.example")))
            headers = carried + [(n.lower(), v) for n, v in own if n.lower() != "host"] + length
            return client.send_h2(self.envoy.port, pseudo, headers, body), sent
        host = [] if "host" in names else [("host", b"metrics.example")]
        chunked = any(n.lower() == "transfer-encoding" and v.strip().lower() == b"chunked" for n, v in own)
        head = client.head_bytes(method, target, host + carried + own + length)
        return client.send_h1(self.envoy.port, head, body, chunked, head_only=method == "HEAD"), sent

    def sent(self, method, target, headers, body):
        content_type = b",".join(v for n, v in headers if n.lower() == "content-type").decode("latin-1")
        pairs = expect.parameters(target.partition(b"?")[2], method, content_type, body)
        return Sent(method, target, body, pairs)

    def close(self):
        self.envoy.stop()
        self.upstream.close()
        if self.key_server:
            self.key_server.close()


def exceptions(path):
    """The cases that a file lists, each with its reason."""
    if not path:
        return {}
    with open(path, encoding="utf-8") as f:
        lines = [line.strip() for line in f if line.strip() and not line.startswith("#")]
    return dict(line.split(None, 1) for line in lines)


def load(paths, only):
    cases = []
    for path in paths:
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                if line.strip():
                    case = json.loads(line)
                    case.setdefault("id", f"{path}:{number}")
                    cases.append(case)
    if only:
        wanted = set(only.split(","))
        missing = wanted - {case["id"] for case in cases}
        if missing:
            sys.exit(f"scripts/cases: no such case: {', '.join(sorted(missing))}")
        cases = [case for case in cases if case["id"] in wanted]
    return cases


def keep(options, all_results):
    """Leaves the outcome by family, for scripts/figures."""
    families = {}
    for r in all_results:
        counts = families.setdefault(r.case["id"].split("-")[0], [0, 0, 0])
        counts[1 if r.wrong else 2 if r.skipped else 0] += 1
    files = "+".join(sorted(os.path.splitext(os.path.basename(f))[0] for f in options.files))
    version = "1.36" if "1.36" in options.binary else "1.40" if "1.40" in options.binary else "other"
    results.record(f"cases-{files}-{version}", families=families)


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("files", nargs="+")
    parse.add_argument("--binary", required=True)
    parse.add_argument("--parser", required=True)
    parse.add_argument("--module", default="")
    parse.add_argument("--only", default="")
    parse.add_argument("--except", dest="excepted", default="")
    parse.add_argument("--jobs", type=int, default=4)
    parse.add_argument("--struct", action="store_true")
    parse.add_argument("--keep", action="store_true")
    parse.add_argument("-v", "--verbose", action="store_true")
    options = parse.parse_args()
    cases = load(options.files, options.only)
    for case in cases:
        if case["id"] in (reasons := exceptions(options.excepted)):
            case["skip"] = reasons[case["id"]]
    started = time.monotonic()
    runner = Runner(options)
    done = runner.run(cases)
    failed = sorted(r.case["id"] for r in done if r.wrong)
    skipped = sum(bool(r.skipped) for r in done)
    if not options.only and options.module:
        keep(options, done)
    if failed:
        print(f"failed: {','.join(failed)}")
    print(f"{len(done)} cases in {time.monotonic() - started:.0f} s")
    print(f"{len(done) - len(failed) - skipped} passed, {len(failed)} failed, {skipped} skipped", flush=True)
    sys.exit(1 if failed or not done else 0)


if __name__ == "__main__":
    main()
