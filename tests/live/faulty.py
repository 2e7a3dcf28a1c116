"""A receiver that fails as it is told: no real one can be made to. What it takes it hands on."""

import http.client
import http.server
import itertools
import socket
import threading
import time


class Faulty:
    """Stands before a real receiver on loopback.

    `script` is repeated for ever: a status is answered as it is, `(status, headers, body)` likewise,
    "cut" ends the connection without an answer, "lost" hands the request on and then ends the
    connection, a number of seconds under 100 waits and hands on, None hands on at once.
    """

    def __init__(self, port, target, script):
        self.target, self.script = target, itertools.cycle(script)
        self.seen, self.lock = {}, threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                outer.serve(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()

    def serve(self, request):
        body = self.body(request)
        with self.lock:
            act = next(self.script)
            self.seen[str(act)] = self.seen.get(str(act), 0) + 1
        if act == "cut":
            return self.cut(request)
        if isinstance(act, tuple):
            return self.answer(request, *act)
        if isinstance(act, int) and act >= 100:
            return self.answer(request, act, [], b"as told\n")
        time.sleep(act if isinstance(act, (int, float)) else 0)
        try:
            status, headers, answer = self.hand_on(request, body)
        except OSError:
            return self.cut(request)  # the real one is down
        if act == "lost":
            return self.cut(request)
        return self.answer(request, status, headers, answer)

    def body(self, request):
        if request.headers.get("transfer-encoding", "").lower() != "chunked":
            return request.rfile.read(int(request.headers.get("content-length", 0)))
        out = b""
        while size := int(request.rfile.readline(), 16):
            out += request.rfile.read(size)
            request.rfile.readline()
        request.rfile.readline()
        return out

    def hand_on(self, request, body):
        headers = {k: v for k, v in request.headers.items() if k.lower() not in ("transfer-encoding", "content-length", "connection")}
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=60)
        try:
            connection.request("POST", request.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def answer(self, request, status, headers, body):
        try:
            request.send_response(status)
            for name, value in headers:
                if name.lower() not in ("content-length", "transfer-encoding", "date", "server", "connection"):
                    request.send_header(name, value)
            request.send_header("content-length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)
        except OSError:
            request.close_connection = True

    def cut(self, request):
        request.close_connection = True
        request.connection.shutdown(socket.SHUT_RDWR)
