"""Loads: the requests of one kind, and wrk sending them."""

import itertools
import json
import os
import subprocess
import urllib.parse

import stack as stacks

HERE = os.path.dirname(os.path.abspath(__file__))
HOST = "gateway.test"
NUMBERS = itertools.count()
FORM = "application/x-www-form-urlencoded"


class Load:
    """Requests as templates (load.lua says what @N@, @S@ and @T@ stand for), and their tokens.

    `cold`: no token is sent twice to a candidate, so a round ends when its share is used up.
    `refused`: every request must be refused; without it, none.
    """

    def __init__(self, name, templates, tokens, *, connections=16, pause_ms=0, cold=False, warm=2000, workers=1, size=0,
                 refused=False):
        self.name, self.templates, self.tokens = name, templates, tokens
        self.connections, self.pause_ms, self.cold = connections, pause_ms, cold
        self.warm, self.workers, self.size, self.refused = warm, workers, size, refused

    def write(self, stack):
        """Writes the file for load.lua and returns its path."""
        path = stack.path(f"load-{next(NUMBERS)}")
        with open(path, "wb") as f:
            f.write(f"{len(self.templates)} {len(self.tokens)}\n".encode())
            for item in [*self.templates, *(t.encode() for t in self.tokens)]:
                f.write(f"{len(item)}\n".encode() + item + b"\n")
        return path


def request(method, path, body=b"", kind=None, headers=(), host=HOST):
    """A request as bytes, with the token's place."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "User-Agent: Grafana/12.1", "Authorization: Bearer @T@"]
    lines += [f"{n}: {v}" for n, v in headers]
    if method == "POST":
        lines += [f"Content-Type: {kind}", f"Content-Length: {length(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def length(body):
    """The length of a body once its places are filled."""
    return len(body) + body.count(b"@N@") * (9 - 3)


def query_path(path, **parameters):
    """A path with parameters; the places of load.lua stay as they are."""
    return path + "?" + urllib.parse.urlencode(parameters, quote_via=urllib.parse.quote, safe="@")


def run(load, path, port, *, seconds=2, start=0, count=0):
    """One run of wrk; returns its figures."""
    argv = [stacks.tool("wrk"), "-t", 1, "-c", load.connections, "-d", f"{seconds}s", "--timeout", "20s"]
    argv += ["-s", os.path.join(HERE, "load.lua"), f"http://127.0.0.1:{port}/", "--", path, start, count]
    env = {**os.environ, "BENCH_PAUSE_MS": str(load.pause_ms)}
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, env=env)
    for line in done.stdout.splitlines():
        if line.startswith("BENCH "):
            return json.loads(line[6:])
    raise RuntimeError(f"wrk failed: {done.stdout[-500:]} {done.stderr[-500:]}")
