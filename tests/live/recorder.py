"""An upstream that remembers every request it gets, to prove what passed and what did not."""

import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Request:
    """One request as it arrived."""

    def __init__(self, method, target, headers, body):
        self.method, self.headers, self.body = method, headers, body
        self.path, _, query = target.partition("?")
        form = body.decode(errors="replace") if "urlencoded" in headers.get("content-type", "") else ""
        self.parameters = urllib.parse.parse_qs("&".join(p for p in (query, form) if p), keep_blank_values=True)

    @property
    def tenant(self):
        return self.headers.get("thanos-tenant")

    @property
    def query(self):
        return self.parameters.get("query", [None])[0]

    def __repr__(self):
        return f"{self.method} {self.path} {self.parameters} {self.headers}"


class Recorder:
    """Answers every request with an empty success. Use `taken` for what arrived since the last call."""

    def __init__(self, stack):
        self.requests, self.lock = [], threading.Lock()
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.read_body()
                headers = {k.lower(): ", ".join(self.headers.get_all(k)) for k in self.headers}
                with recorder.lock:
                    recorder.requests.append(Request(self.command, self.path, headers, body))
                text = b'{"status":"success","data":{"resultType":"vector","result":[]}}'
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def read_body(self):
                if self.headers.get("transfer-encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("content-length") or 0))
                body = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                while self.rfile.readline().strip():
                    pass
                return body

            do_GET = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.port = stack.port()
        self.server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def taken(self):
        """The requests that arrived since the last call."""
        with self.lock:
            taken, self.requests = self.requests, []
        return taken

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, *_):
        """A client that goes away is none of the tests' business."""
