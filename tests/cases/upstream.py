"""The servers behind Envoy: an upstream that records raw bytes and answers by script, and one for keys."""

import json
import re
import socket
import threading
import time
from dataclasses import dataclass, field

import values

LOOKUP = re.compile(rb"/api/v2/silence/[^/?]+")
METHOD = re.compile(rb"[A-Za-z][A-Za-z-]{0,31}")


@dataclass
class Arrived:
    """One request as it arrived; not whole if it was cut off."""

    connection: int
    method: bytes
    target: bytes
    headers: list
    body: bytes = b""
    trailers: list = field(default_factory=list)
    whole: bool = False
    fault: str = ""

    @property
    def path(self):
        return self.target.split(b"?", 1)[0]

    @property
    def query(self):
        return self.target.partition(b"?")[2]

    def values(self, name):
        return [v for n, v in self.headers if n == name]

    def is_lookup(self):
        return self.method == b"GET" and LOOKUP.fullmatch(self.target) is not None


class Server:
    """A TCP server with a thread a connection."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.open = set()
        self.count = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.count += 1
                self.open.add(conn)
                number = self.count
            threading.Thread(target=self._run, args=(conn, number), daemon=True).start()

    def _run(self, conn, number):
        try:
            self.serve(conn, number)
        except (OSError, EOFError):
            pass
        finally:
            with self.lock:
                self.open.discard(conn)
            conn.close()

    def close(self):
        self.listener.close()
        with self.lock:
            for conn in self.open:
                try:
                    conn.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


class Stream:
    """Buffered reading from a connection."""

    def __init__(self, conn):
        self.conn, self.buffer = conn, bytearray()

    def more(self):
        data = self.conn.recv(256 * 1024)
        if not data:
            raise EOFError
        self.buffer += data

    def until(self, mark, most=1 << 20):
        start = 0
        while (at := self.buffer.find(mark, start)) < 0:
            if len(self.buffer) > most:
                raise EOFError
            start = max(0, len(self.buffer) - len(mark) + 1)
            self.more()
        out = bytes(self.buffer[:at])
        del self.buffer[: at + len(mark)]
        return out

    def take(self, n):
        """Up to n bytes, at least one."""
        if not self.buffer:
            self.more()
        out = bytes(self.buffer[:n])
        del self.buffer[:n]
        return out


class Upstream(Server):
    """Records every request, and answers by the script of the case that runs."""

    def __init__(self):
        self.arrived = []
        self.script = None
        super().__init__()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start_case(self, script):
        with self.lock:
            self.arrived = []
            self.script = script

    def mark(self):
        with self.lock:
            return len(self.arrived)

    def since(self, mark):
        with self.lock:
            return list(self.arrived[mark:])

    def serve(self, conn, number):
        stream = Stream(conn)
        while True:
            head = stream.until(b"\r\n\r\n")
            line, *rest = head.split(b"\r\n")
            parts = line.split(b" ")
            headers = []
            for each in rest:
                name, _, value = each.partition(b":")
                headers.append((name.decode("latin-1").lower(), value.strip().decode("latin-1")))
            request = Arrived(number, parts[0], parts[1] if len(parts) > 1 else b"", headers)
            if len(parts) != 3 or parts[2] != b"HTTP/1.1" or not METHOD.fullmatch(parts[0]):
                request.fault = f"what followed on the connection is no request: {line[:60]!r}"
            with self.lock:
                self.arrived.append(request)
                script = self.script
            if request.fault:
                return
            if request.values("expect"):
                conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.read_body(stream, request)
            conn.sendall(self.answer(request, script))

    def read_body(self, stream, request):
        pieces = []
        chunked = request.values("transfer-encoding")
        lengths = request.values("content-length")
        if chunked and lengths or len(lengths) > 1 or chunked not in ([], ["chunked"]):
            request.fault = f"framing is in doubt: {chunked} {lengths}"
        try:
            if chunked:
                while left := int(stream.until(b"\r\n").split(b";")[0], 16):
                    while left:
                        pieces.append(stream.take(left))
                        left -= len(pieces[-1])
                    if stream.until(b"\r\n"):
                        raise ValueError("a chunk is longer than it says")
                while line := stream.until(b"\r\n"):
                    name, _, value = line.partition(b":")
                    request.trailers.append((name.decode("latin-1").lower(), value.strip().decode("latin-1")))
            elif lengths:
                left = int(lengths[0])
                while left:
                    pieces.append(stream.take(left))
                    left -= len(pieces[-1])
            request.body = b"".join(pieces)
            request.whole = True
        except ValueError as e:
            request.fault = f"the chunks are broken: {e}"
            raise EOFError from e
        except (EOFError, OSError):
            request.body = b"".join(pieces)
            raise

    def answer(self, request, script):
        found = script
        if isinstance(script, list):
            found = None
            for one in script:
                wanted = one.get("for", {})
                if (
                    wanted.get("method", request.method.decode("latin-1")) == request.method.decode("latin-1")
                    and wanted.get("path", request.path.decode("latin-1")) == request.path.decode("latin-1")
                ):
                    found = one
                    break
        status, headers, body, trailers = default_answer(request) if found is None else scripted(found, self.address)
        return encode_answer(request.method, status, headers, body, trailers)


def scripted(found, address):
    headers = [(n, v.replace(b"{upstream}", address.encode())) for n, v in values.pairs(found.get("headers"))]
    body = values.body(found.get("body"))
    return found.get("status", 200), headers, body.whole if body else b"", values.pairs(found.get("trailers"))


def default_answer(request):
    """What an empty server says."""
    path, data = request.path.decode("latin-1"), None
    if path.startswith("/api/v2/"):
        if LOOKUP.fullmatch(request.path):
            return 404, [], b"", []
        data = []
        if request.method == b"POST" and path.endswith("/silences"):
            data = {"silenceID": "00000000-0000-4000-8000-000000000001"}
    elif path.startswith(("/api/v1/", "/prom/api/v1/")):
        data = []
        if path.endswith(("/query", "/query_range")):
            kind = "matrix" if path.endswith("_range") else "vector"
            data = {"resultType": kind, "result": []}
        elif path.endswith("/rules"):
            data = {"groups": []}
        elif path.endswith("/alerts"):
            data = {"alerts": []}
        data = {"status": "success", "data": data}
    if data is None:
        return 200, [], b"", []
    return 200, [("content-type", b"application/json")], json.dumps(data, separators=(",", ":")).encode(), []


def encode_answer(method, status, headers, body, trailers):
    chunked = bool(trailers) or any(
        n.lower() == "transfer-encoding" and v.strip().lower() == b"chunked" for n, v in headers
    )
    lines = [b"HTTP/1.1 %d x" % status]
    lines += [n.encode() + b": " + v for n, v in headers]
    names = {n.lower() for n, _ in headers}
    bodyless = status in (204, 304) or status < 200
    if chunked and "transfer-encoding" not in names:
        lines.append(b"transfer-encoding: chunked")
    elif not chunked and "content-length" not in names and not bodyless:
        lines.append(b"content-length: %d" % len(body))
    out = b"\r\n".join(lines) + b"\r\n\r\n"
    if method == b"HEAD" or bodyless:
        return out
    if not chunked:
        return out + body
    # Several chunks, so that a filter has to join them.
    step = max(1, min(len(body) // 3 + 1, 64 * 1024))
    for i in range(0, len(body), step):
        part = body[i : i + step]
        out += b"%x\r\n" % len(part) + part + b"\r\n"
    return out + b"0\r\n" + b"".join(n.encode() + b": " + v + b"\r\n" for n, v in trailers) + b"\r\n"


class KeyServer(Server):
    """Gives the n-th fetch the n-th answer, and later ones the last."""

    def __init__(self, answers, keys, upstream):
        self.answers, self.keys, self.upstream = answers, keys, upstream
        self.fetches = 0
        self.answered = threading.Event()
        super().__init__()

    def serve(self, conn, number):
        stream = Stream(conn)
        while True:
            stream.until(b"\r\n\r\n")
            with self.lock:
                self.fetches += 1
                answer = self.answers[min(self.fetches, len(self.answers)) - 1]
            if answer.get("hang"):
                while True:
                    stream.more()
            if "keys" in answer:
                body = json.dumps(self.keys.jwks(answer["keys"])).encode() + b" " * answer.get("pad", 0)
                out = (200, [("content-type", b"application/json")], body, [])
            else:
                out = scripted(answer, self.upstream)
                out = (out[0], out[1], out[2] + b" " * answer.get("pad", 0), out[3])
            self.write(conn, encode_answer(b"GET", *out), answer.get("drip_ms"))
            self.answered.set()

    def write(self, conn, data, drip_ms):
        if drip_ms is None:
            conn.sendall(data)
            return
        head, mark, body = data.partition(b"\r\n\r\n")
        conn.sendall(head + mark)
        for i in range(len(body)):
            conn.sendall(body[i : i + 1])
            time.sleep(drip_ms / 1000)
