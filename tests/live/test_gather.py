"""Bodies that are held until they are whole have a deadline, on both sides."""

import socket
import threading
import time
import unittest

import gateway
import issuer
import stack
import upstreams


class Staller:
    """An upstream that sends the head of an answer and half of its body, and then nothing."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.kept = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.kept.append(connection)
            connection.recv(65536)
            connection.sendall(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"status":"canary')

    def end(self):
        for connection in [self.socket, *self.kept]:
            connection.close()


class AGatherHasADeadline(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack("gather")
        cls.addClassCleanup(cls.stack.end)
        cls.staller = Staller()
        cls.addClassCleanup(cls.staller.end)
        cls.issuer = issuer.Issuer()
        clusters = {"prometheus": upstreams.prometheus(cls.stack), "staller": cls.staller.port}
        document = {
            "auth": {"issuers": [cls.issuer.config()]},
            "limits": {"gather_timeout": "3s"},
            "upstreams": [
                {"prometheus": {"hosts": ["gateway.test"], "cluster": "prometheus", "seal": "p" * 32}},
                {"prometheus": {"hosts": ["gateway.test"], "cluster": "staller", "seal": "s" * 32, "prefix": "/stalls"}},
            ],
        }
        cls.gateway = gateway.Gateway(cls.stack, document, clusters).start()

    def open(self, method, path, *headers):
        connection = socket.create_connection(("127.0.0.1", self.gateway.port), timeout=25)
        self.addCleanup(connection.close)
        lines = [f"{method} {path} HTTP/1.1", "host: gateway.test", f"authorization: Bearer {self.issuer.token('team-a')}", *headers]
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return connection

    def works(self):
        answer = self.gateway.client(self.issuer.token("team-a")).form("/api/v1/query", {"query": "1+1"})
        self.assertEqual(answer.status, 200, answer)

    def test_a_form_that_stalls_gets_408_and_the_next_request_works(self):
        form = "content-type: application/x-www-form-urlencoded"
        for start in (b"", b"query=u"):
            with self.subTest(start=start):
                connection = self.open("POST", "/api/v1/query", form, "content-length: 10")
                connection.sendall(start)
                answer = connection.recv(65536).decode()
                self.assertIn(" 408 ", answer.splitlines()[0])
                self.works()
        self.assertGreaterEqual(self.gateway.stats()["denied.reason.late"], 2)

    def test_a_slow_form_in_time_passes(self):
        connection = self.open("POST", "/api/v1/query", "content-type: application/x-www-form-urlencoded", "content-length: 11")
        connection.sendall(b"query")
        time.sleep(0.2)
        connection.sendall(b"=1%2B1")
        self.assertIn(" 200 ", connection.recv(65536).decode().splitlines()[0])

    def test_an_answer_that_stalls_is_cut_without_a_byte_of_it(self):
        connection = self.open("GET", "/stalls/api/v1/rules")
        answer = b""
        while part := connection.recv(65536):
            answer += part
        self.assertNotIn(b"canary", answer)
        self.assertFalse(answer.endswith(b"0\r\n\r\n"), "the answer looks whole")
        self.assertGreaterEqual(self.gateway.stats()["answers_refused.reason.late"], 1)
        self.works()

    def test_many_that_stall_are_all_given_up(self):
        form = "content-type: application/x-www-form-urlencoded"
        opened = [self.open("POST", "/api/v1/query", form, "content-length: 10") for _ in range(100)]
        for connection in opened:
            connection.sendall(b"query")
        for connection in opened:
            self.assertIn(b" 408 ", connection.recv(65536).splitlines()[0])
        self.works()
        self.assertTrue(self.gateway.alive())
