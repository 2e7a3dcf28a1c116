"""The bench of the fault tests: real Prometheus and Alertmanager behind relays, a key server, traffic."""

import http.client
import http.server
import json
import socket
import threading
import time

import gateway
import issuer
import relay
import stack as stacks
import web

HOST = "gateway.test"
WORDS = {"team-a": "canary_of_team_a", "team-b": "canary_of_team_b"}
RULES = """
groups:
{groups}
"""
GROUP = """
- name: group-{tenant}
  interval: 1s
  rules:
{rules}
"""
RULE = """
  - record: marked
    expr: vector(1)
    labels: {{ tenant_id: {tenant}, word: {word}, n: "{n}" }}
"""
ROUTE_TIMEOUT = 8


class Keys:
    """An HTTP server of a key set, which can be silent."""

    def __init__(self, port, document):
        self.document, self.hang, self.fetches, self.port = document, False, 0, port
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                owner.fetches += 1
                while owner.hang:
                    time.sleep(0.02)
                body = json.dumps(owner.document).encode()
                try:
                    self.send_response(200)
                    self.send_header("content-type", "application/json")
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.hang = False
        self.server.shutdown()
        self.server.server_close()


class Bench:
    """A gateway before Prometheus and Alertmanager. `issuer` has inline keys, `fetched` is asked for."""

    def __init__(self, name, gateway_class=gateway.Gateway, limits=None, **more):
        self.stack = stacks.Stack(name)
        self.issuer = issuer.Issuer()
        self.fetched = issuer.Issuer(url="https://fetched.test", kid="fetched")
        self.keys = Keys(self.stack.port(), self.fetched.jwks())
        self.prometheus_port = self.stack.port()
        self.start_prometheus()
        self.prometheus = relay.Relay(self.stack.port(), self.prometheus_port)
        self.alertmanager = relay.Relay(self.stack.port(), self.start_alertmanager())
        self.document = {
            "auth": {"issuers": [self.issuer.config(leeway="0s"), self.fetched.config(keys={"remote": self.remote()})]},
            "upstreams": [
                {"prometheus": {"hosts": [HOST], "cluster": "prometheus", "seal": "p" * 32}},
                {"alertmanager": {"hosts": [HOST], "cluster": "alertmanager", "seal": "a" * 32}},
            ],
            "limits": {"worker_memory": "8MiB", "grant_share": 50, "lookup_timeout": "2s", **(limits or {})},
        }
        clusters = {"prometheus": self.prometheus.port, "alertmanager": self.alertmanager.port, "keys": self.keys.port}
        self.gateway = gateway_class(self.stack, self.document, clusters, timeout=f"{ROUTE_TIMEOUT}s", workers=2, **more).start()
        self.stack.wait("data of both", self.serves, 60)

    def remote(self):
        return {"cluster": "keys", "authority": "fetched.test", "path": "/keys", "refresh": "300s", "timeout": "3s"}

    def start_prometheus(self):
        groups = "".join(
            GROUP.format(tenant=t, rules="".join(RULE.format(tenant=t, word=w, n=n) for n in range(60))) for t, w in WORDS.items()
        )
        rules = self.stack.write("rules.yml", RULES.format(groups=groups))
        config = self.stack.write("prometheus.yml", json.dumps({"rule_files": [rules]}))
        url = f"127.0.0.1:{self.prometheus_port}"
        self.stack.start("prometheus", [
            stacks.tool("prometheus"), f"--config.file={config}", f"--web.listen-address={url}", f"--storage.tsdb.path={self.stack.path('data')}",
            "--log.level=error",
        ], f"http://{url}/-/ready")

    def start_alertmanager(self):
        port = self.stack.port()
        config = self.stack.write("alertmanager.yml", json.dumps({"route": {"receiver": "none"}, "receivers": [{"name": "none"}]}))
        self.stack.start("alertmanager", [
            stacks.tool("alertmanager"), f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
            f"--storage.path={self.stack.path('am')}", "--log.level=error",
        ], f"http://127.0.0.1:{port}/-/ready")
        return port

    def client(self, tenant):
        return self.gateway.client(self.issuer.token(tenant, seconds=86400))

    def ask(self, tenant):
        """The status of a query, 0 without an answer; fails if it has the other's data or not its own."""
        try:
            answer = self.client(tenant).get("/api/v1/query", {"query": "marked"})
        except OSError:
            return 0
        own, other = WORDS[tenant], next(w for t, w in WORDS.items() if t != tenant)
        if other in answer.text:
            raise AssertionError(f"{tenant} sees {other}: {answer}")
        if answer.status == 200 and own not in answer.text:
            return -1  # served, without data
        return answer.status

    def rules(self, tenant):
        return self.client(tenant).get("/api/v1/rules")

    def serves(self):
        return all(self.ask(t) == 200 for t in WORDS)

    def traps(self):
        return gateway.traps(self.gateway.log(10_000_000))

    def active(self):
        """Requests that Envoy has under way (the question itself is not one of the listener's)."""
        return self.gateway.stats("http.gateway.downstream_rq_active").get("", 0)

    def quiet(self, seconds=20):
        """Waits until nothing is under way: no stream hangs."""
        self.stack.wait("no request to be under way", lambda: self.active() == 0, seconds)

    def holds_nothing(self, test):
        """A tenant's whole share is free again: several forms at once that fill most of it are all served."""
        size = 900 << 10
        body = b"query=vector(1)&" + b"&" * 40 + b"query_=" + b"x" * size
        for _ in range(6):
            status = self.client("team-a").send("POST", "/api/v1/query", body, FORM).status
            # Refused for its parameters, when the whole of it had been held; a leak would say 503.
            test.assertEqual(status, 400)

    def close(self):
        self.prometheus.close()
        self.alertmanager.close()
        self.keys.close()
        self.stack.end()


FORM = {"content-type": "application/x-www-form-urlencoded"}


class Traffic:
    """Both tenants ask all the time, and so does somebody without a credential."""

    def __init__(self, bench):
        self.bench, self.over = bench, threading.Event()
        self.seen, self.wrong = [], []
        self.threads = [threading.Thread(target=self._ask, args=(t,), daemon=True) for t in WORDS]
        self.threads.append(threading.Thread(target=self._stranger, daemon=True))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(30)

    def _ask(self, tenant):
        while not self.over.wait(0.02):
            started = time.monotonic()
            try:
                status = self.bench.ask(tenant)
            except AssertionError as e:
                self.wrong.append(str(e))
                return
            except (OSError, http.client.HTTPException):
                status = 0  # an answer that breaks off while the fault lasts
            self.seen.append((started, time.monotonic(), status))

    def _stranger(self):
        while not self.over.wait(0.05):
            try:
                answer = web.request(self.bench.gateway.port, "GET", "/api/v1/query?query=marked", host=HOST)
            except OSError:
                continue
            if answer.status == 200 or "canary" in answer.text:
                self.wrong.append(f"unauthenticated: {answer}")

    def statuses(self, after=0.0, before=float("inf")):
        """Statuses of the requests that began in a span of time."""
        return {s for began, _, s in self.seen if after <= began < before}

    def count(self, after):
        """How many requests began after a time and have ended."""
        return sum(began >= after for began, _, _ in self.seen)

    def longest(self):
        return max((end - began for began, end, _ in self.seen), default=0)


def raw(port, data, wait=0.0):
    """A connection on which bytes were sent; the caller closes it."""
    conn = socket.create_connection(("127.0.0.1", port), 10)
    conn.sendall(data)
    if wait:
        time.sleep(wait)
    return conn


def head(method, target, token, *more):
    lines = [f"{method} {target} HTTP/1.1", f"host: {HOST}", f"authorization: Bearer {token}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
