"""The memory of writes. An instance of the module never gives memory back: what it has was its peak.

PROMFENCE_REQUESTS says how many writes each worker gets (5000; 100000 takes minutes).
"""

import os
import socket
import threading
import unittest

import bodies
import issuer
import stack
import writes
from sink import MIB, Sink

REQUESTS = int(os.environ.get("PROMFENCE_REQUESTS", "5000"))


class Memory(unittest.TestCase):
    def start(self, workers=1, **options):
        made = stack.Stack("memory")
        self.addCleanup(made.end)
        self.issuer = issuer.Issuer()
        write = {"limits": {"decoded": "64MiB", "compressed": "64MiB"}, **options}
        document = {"auth": {"issuers": [self.issuer.config()]}, "upstreams": [writes.upstream("receive", "sink", "w", write=write)]}
        # Every worker gets as many connections as the next.
        balance = {"connection_balance_config": {"exact_balance": {}}}
        return Sink(made, document, workers=workers, listener=balance).start()

    def request(self, body, headers=bodies.V1, tenant="t"):
        lines = ["POST /w/api/v1/receive HTTP/1.1", "host: gateway.test", f"authorization: Bearer {self.issuer.token(tenant)}"]
        lines += [f"{n}: {v}" for n, v in headers.items()] + [f"content-length: {len(body)}"]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def send(self, connection, requests, count, at_once=20):
        """Sends requests one behind the other, and reads as many answers."""
        for start in range(0, count, at_once):
            connection.sendall(b"".join(requests[i % len(requests)] for i in range(start, start + at_once)))
            seen = b""
            while seen.count(b"HTTP/1.1 ") < at_once or not seen.endswith(b"\r\n\r\n"):
                piece = connection.recv(1 << 16)
                if not piece:
                    raise ConnectionError(f"the connection ended after {seen[-500:]}")
                seen += piece
            if seen.count(b"HTTP/1.1 200") != at_once:
                raise ConnectionError(f"not all were taken: {seen[:500]}")

    def load(self, gateway, workers, requests, count):
        """As many requests for each worker, over a connection each."""
        failed = []

        def one(connection):
            try:
                self.send(connection, requests, count)
            except OSError as e:
                failed.append(e)

        connections = [socket.create_connection(("127.0.0.1", gateway.port), 120) for _ in range(workers)]
        threads = [threading.Thread(target=one, args=(c,)) for c in connections]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for connection in connections:
            connection.close()
        self.assertEqual(failed, [])

    def test_a_worker_takes_little_after_many_requests(self):
        taken, grown = {}, {}
        for workers in (1, 3):
            gateway = self.start(workers, series_label="overwrite")
            series = ([("__name__", "m"), ("job", "j"), ("n", f"{i:05}")] for i in range(100))
            body = bodies.snappy(bodies.v1(*series))
            requests = [self.request(body, tenant=f"t{i}") for i in range(20)]
            self.load(gateway, workers, requests, 200)
            before = gateway.memory()
            self.load(gateway, workers, requests, REQUESTS)
            taken[workers], modules = gateway.memory(), gateway.modules()
            grown[workers] = taken[workers] - before
            gateway.stack.end()
        # Whatever is there once for the whole process falls out of the difference.
        worker = (taken[3] - taken[1]) / 2
        print(f"{REQUESTS} requests for each worker: {worker / MIB:.1f} MiB for a worker more; one grew by "
              f"{grown[1] / MIB:.1f} MiB, three by {grown[3] / MIB:.1f}; the largest instance has {modules[0] / MIB:.1f}", end=" ", flush=True)
        self.assertLess(worker, 32 * MIB)
        self.assertEqual(len(modules), 3 + 2, modules)
        self.assertLess(modules[0], 32 * MIB)
        self.assertLess(grown[1], 16 * MIB)

    def test_a_large_body_takes_at_most_three_times_its_size(self):
        # Values that do not compress: the body is as large before as after.
        series = [[("__name__", "m"), ("job", os.urandom(60).hex()), ("n", f"{i:06}")] for i in range(60_000)]
        for version, headers, make in ((1, bodies.V1, bodies.v1), (2, bodies.V2, bodies.v2)):
            whole = make(*series)
            for kind in ("overwrite", "verify"):
                gateway = self.start(series_label=kind, absent="allow")
                small = self.request(bodies.snappy(make([("__name__", "m")])), headers)
                large = self.request(bodies.snappy(whole), headers)
                with socket.create_connection(("127.0.0.1", gateway.port), 120) as connection:
                    self.send(connection, [small], 20)
                    before, module = gateway.memory(), gateway.modules()[0]
                    self.send(connection, [large], 1, at_once=1)
                    filter = (gateway.modules()[0] - module) / len(whole)
                    envoy = (gateway.memory("VmHWM") - before) / len(whole)
                    self.send(connection, [large], 10, at_once=1)
                    again = (gateway.modules()[0] - module) / len(whole)
                print(f"v{version} {kind}: {module / MIB:.1f} MiB idle, {len(whole) / MIB:.1f} MiB sent, {filter:.2f} of it taken "
                      f"by the filter, {again:.2f} after ten more, {envoy:.2f} by the whole Envoy at most;", end=" ", flush=True)
                self.assertGreater(filter, 1)
                self.assertLessEqual(filter, 3)
                self.assertLessEqual(again, 3)
                # Envoy's own buffers before the filter and behind it.
                self.assertLess(envoy, 3 + 2)
                gateway.stack.end()
