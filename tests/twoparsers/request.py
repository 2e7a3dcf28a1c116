"""A request before it becomes bytes, and what the generator promises of it."""

import urllib.parse
from dataclasses import dataclass, field


def escape(text):
    return urllib.parse.quote(text, safe="").encode()


@dataclass
class Request:
    """What is sent. Strings are bytes, so that anything can be."""

    id: str
    kind: str
    method: bytes = b"GET"
    path: bytes = b"/"
    url: list = field(default_factory=list)  # encoded pairs
    form: list = field(default_factory=list)
    joint: bytes = b"&"
    headers: list = field(default_factory=list)
    body: bytes = None
    host: bytes = b""
    version: bytes = b"HTTP/1.1"
    target: bytes = None  # in place of path and pairs
    framing: str = "length"
    extension: bytes = b""
    trailers: list = field(default_factory=list)
    after: bytes = b""  # bytes that follow on the connection
    h2: bool = False
    pseudo: list = field(default_factory=list)  # more or other pseudo headers of HTTP/2
    # What is promised.
    tenants: set = field(default_factory=set)  # of the valid tokens in it
    secrets: list = field(default_factory=list)  # what must not be forwarded
    plain: bool = True  # must be served
    public: bool = False
    parked: bool = False  # may never be answered
    told: list = field(default_factory=list)  # what was done to it, in words

    def whole_target(self):
        if self.target is not None:
            return self.target
        query = self.joint.join(self.url)
        return self.path + (b"?" + query if self.url else b"")

    def whole_body(self):
        return self.body if self.body is not None else (self.joint.join(self.form) if self.form else None)

    def wire(self):
        """The bytes of HTTP/1.1."""
        body, headers = self.whole_body(), list(self.headers)
        names = {n.lower() for n, _ in headers}
        data = body or b""
        if self.framing == "chunked":
            headers.append((b"transfer-encoding", b"chunked"))
            half = len(data) // 2
            pieces = [p for p in (data[:half], data[half:]) if p]
            data = b"".join(b"%x%s\r\n%s\r\n" % (len(p), self.extension, p) for p in pieces) + b"0\r\n"
            data += b"".join(n + b": " + v + b"\r\n" for n, v in self.trailers) + b"\r\n"
        elif self.framing == "length" and body is not None and b"content-length" not in names:
            headers.append((b"content-length", b"%d" % len(data)))
        lines = [self.method + b" " + self.whole_target() + b" " + self.version]
        if b"host" not in names and self.host:
            lines.append(b"host: " + self.host)
        lines += [n + b": " + v for n, v in headers]
        return b"\r\n".join(lines) + b"\r\n\r\n" + data + self.after

    def frames(self):
        """Headers, body and trailers of HTTP/2."""
        pseudo = [(b":method", self.method), (b":scheme", b"http"), (b":path", self.whole_target()), (b":authority", self.host)]
        return pseudo + self.pseudo + self.headers, self.whole_body(), self.trailers

    def show(self):
        text = self.wire()
        return f"{'HTTP/2 ' if self.h2 else ''}{' '.join(self.told) or 'plain'}\n" + repr(text[:1500])
