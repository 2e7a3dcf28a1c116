"""A server of keys that does what a test tells it to, well or badly."""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler

from recorder import Server


class KeyServer:
    """Serves `answer`: an object (as JSON), bytes, or a callable that takes the request's handler.

    Not listening until `open`; `close` refuses connections again.
    """

    def __init__(self, stack, answer=None):
        self.port = stack.port()
        self.answer, self.headers, self.fetches = answer, {}, []
        self.server = None

    def open(self):
        keys = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if keys.server is None:
                    self.close_connection = True
                    return None
                keys.fetches.append((time.monotonic(), self.path, self.headers.get("host")))
                answer = keys.answer
                if callable(answer):
                    return answer(self)
                return self.reply(200, answer if isinstance(answer, bytes) else json.dumps(answer).encode())

            def reply(self, status, body=b"", **headers):
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                for name, value in {**keys.headers, **headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(body)
                return None

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def close(self):
        """Stops listening; connections that are open are cut at their next request."""
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def config(self, **more):
        """The `keys` of an issuer, refreshed every second."""
        return {"remote": {"cluster": "keys", "authority": "keys.test", "path": "/jwks", "refresh": "1s",
                           "timeout": "1s", "max_stale": "1h", **more}}


def jwks(*keys):
    return {"keys": [k if isinstance(k, dict) else k.jwk() for k in keys]}


def hang(handler):
    """Takes the request and never answers."""
    handler.connection.settimeout(30)
    try:
        handler.connection.recv(1)
    except (OSError, socket.timeout):
        pass
    handler.close_connection = True
