"""One tenant stalls uploads and reads slowly, as many as it can, while another is served as before."""

import os
import select
import socket
import statistics
import time
import unittest

import faults
import gateway
import issuer
import relay
import stack as stacks
import upstreams
import web
from faults import FORM, WORDS, head, raw

HOST = "gateway.test"
UPLOADS = int(os.environ.get("PROMFENCE_STALLS", "500"))
READERS = 12
WORKERS, REQUESTS = 2, 64
RULES = 1500


class OneTenantThatStalls(unittest.TestCase):
    """Prometheus takes 512 connections, which all requests under way share: `limits.requests` keeps most of them free."""

    @classmethod
    def setUpClass(cls):
        cls.stack = stacks.Stack("stalls")
        cls.addClassCleanup(cls.stack.end)
        groups = "".join(
            faults.GROUP.format(tenant=t, rules="".join(faults.RULE.format(tenant=t, word=w, n=n) for n in range(RULES)))
            for t, w in WORDS.items()
        ).replace("interval: 1s", "interval: 5s")
        port = upstreams.prometheus(cls.stack, rules=faults.RULES.format(groups=groups), flags=["--log.level=error"])
        cls.issuer = issuer.Issuer()
        document = {
            "auth": {"issuers": [cls.issuer.config()]},
            "upstreams": [{"prometheus": {"hosts": [HOST], "cluster": "prometheus", "seal": "p" * 32}}],
            "limits": {"worker_memory": "8MiB", "grant_share": 50, "requests": REQUESTS},
        }
        cls.gateway = gateway.Gateway(cls.stack, document, {"prometheus": port}, workers=WORKERS, timeout="120s").start()
        # The rules of a group run one after the other.
        last = {"query": f'marked{{n="{RULES - 1}"}}'}
        cls.stack.wait("data of all rules", lambda: all(w in cls.client(t).get("/api/v1/query", last).text for t, w in WORDS.items()), 120)

    @classmethod
    def client(cls, tenant):
        return cls.gateway.client(cls.issuer.token(tenant))

    @classmethod
    def query(cls, tenant):
        return cls.client(tenant).get("/api/v1/query", {"query": 'marked{n="7"}'})

    def setUp(self):
        self.open = []
        self.addCleanup(self.leave)

    def leave(self):
        for conn in self.open:
            relay.reset(conn)
        self.open = []

    def served(self, tenant):
        """The median of the seconds that each of 30 questions took; each is answered, with the tenant's own data."""
        own, other, took = WORDS[tenant], next(w for t, w in WORDS.items() if t != tenant), []
        for _ in range(30):
            began = time.monotonic()
            answer = self.query(tenant)
            took.append(time.monotonic() - began)
            self.assertEqual(answer.status, 200, answer)
            self.assertIn(own, answer.text)
            self.assertNotIn(other, answer.text)
        return statistics.median(took)

    def stall(self, number):
        """Uploads of a form that never goes on; returns how many were refused, which is seen within seconds."""
        token = self.issuer.token("team-a")
        sent = head("POST", "/api/v1/query", token, "content-type: " + FORM["content-type"], "content-length: 900000")
        self.open += [raw(self.gateway.port, sent + b"query=" + b"x" * 3000) for _ in range(number)]
        refused = set()
        end = time.monotonic() + 20
        while len(refused) < number - WORKERS * REQUESTS and time.monotonic() < end:
            for conn in set(self.open) - refused:
                conn.setblocking(False)
                try:
                    answer = conn.recv(4096).decode("latin-1").lower()
                except BlockingIOError:
                    continue
                self.assertTrue(answer.startswith("http/1.1 503"), answer[:200])
                self.assertIn("retry-after:", answer)
                refused.add(conn)
            time.sleep(0.1)
        return len(refused)

    def test_uploads_that_stall_leave_the_other_tenant_all_its_answers(self):
        before = self.served("team-b")
        refused = self.stall(UPLOADS)
        # Each worker lets in so many of one tenant; all others are told to come again, at once.
        self.assertGreaterEqual(refused, UPLOADS - WORKERS * REQUESTS)
        self.assertLess(refused, UPLOADS)
        active = self.gateway.stats("cluster.prometheus.upstream_cx_active").get("", 0)
        self.assertLessEqual(active, WORKERS * REQUESTS + 10)
        during = self.served("team-b")
        print(f"  {UPLOADS} stalled, {refused} refused, {active} connections to Prometheus; median {before * 1e3:.1f} ms before, {during * 1e3:.1f} ms during")
        self.assertEqual(self.query("team-a").status, 503)
        self.leave()
        self.recovers()

    def test_readers_that_do_not_read_leave_the_other_tenant_all_its_answers(self):
        # 270 points of 1,000 series: Prometheus shows the last sample for five minutes.
        span = {"query": 'marked{n=~"[0-9]{1,3}"}', "start": int(time.time()) - 20, "end": int(time.time()) + 250, "step": 1}
        whole = self.client("team-a").get("/api/v1/query_range", span)
        self.assertEqual(whole.status, 200)
        self.assertGreater(len(whole.body), 4_000_000)
        before = self.served("team-b")
        sent = head("GET", "/api/v1/query_range?" + web.encode(span), self.issuer.token("team-a"))
        for _ in range(READERS):
            conn = socket.socket()
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            conn.connect(("127.0.0.1", self.gateway.port))
            conn.sendall(sent)
            self.open.append(conn)
        self.stack.wait("their answers to have begun", lambda: self.answered() >= READERS, 60)
        time.sleep(1)
        # They are being answered, and most stay under way, for nobody takes the bytes: the kernel's
        # buffers grow as they like, and may hold the whole answer of some.
        self.assertGreaterEqual(self.under_way(), READERS // 2)
        during = self.served("team-b")
        print(f"  {READERS} readers; median {before * 1e3:.1f} ms before, {during * 1e3:.1f} ms during")
        self.leave()
        self.recovers()

    def answered(self):
        """Answers whose head has come from Prometheus for requests that are under way."""
        return sum(bool(conn.recv(12, socket.MSG_PEEK | socket.MSG_DONTWAIT)) for conn in self.open if readable(conn))

    def under_way(self):
        return self.gateway.stats("http.gateway.downstream_rq_active").get("", 0)

    def recovers(self):
        """Nothing is left behind: both are served, no request hangs, nothing trapped."""
        self.stack.wait("no request to be under way", lambda: self.under_way() == 0, 20)
        self.served("team-a")
        self.assertEqual(gateway.traps(self.gateway.log(10**7)), [])
        self.assertTrue(self.gateway.alive())
        self.assertLessEqual(set(self.gateway.stats("wasmcustom.promfence.denied.reason")), {"requests"})


def readable(conn):
    return bool(select.select([conn], [], [], 0)[0])


if __name__ == "__main__":
    unittest.main()
