"""A client that sends exactly the bytes it is told, over HTTP/1.1 or HTTP/2."""

import gzip
import select
import socket
import threading
import time
import zlib
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions

TIMEOUT = 40.0


@dataclass
class Answer:
    """What came back; status 0 where no answer did."""

    status: int = 0
    headers: list = field(default_factory=list)
    body: bytes = b""
    trailers: list = field(default_factory=list)
    whole: bool = False
    ms: float = 0.0
    note: str = ""

    def values(self, name):
        return [v for n, v in self.headers if n == name]

    def decoded(self):
        for encoding in self.values("content-encoding"):
            try:
                if encoding == "gzip":
                    return gzip.decompress(self.body)
                if encoding == "deflate":
                    return zlib.decompress(self.body)
            except (OSError, EOFError, zlib.error):
                return self.body
        return self.body


def head_bytes(method, target, headers):
    lines = [f"{method} ".encode() + target + b" HTTP/1.1"]
    lines += [name.encode() + b": " + value for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def framed(body, chunked):
    """The pieces of a body as they go over the wire."""
    if body is None:
        return
    for piece in body.pieces:
        if not chunked:
            yield piece
        elif piece:
            yield b"%x" % len(piece) + body.ext + b"\r\n" + piece + b"\r\n"
    if chunked:
        yield b"0\r\n" + b"".join(n.encode() + b": " + v + b"\r\n" for n, v in body.trailers) + b"\r\n"


def send_h1(port, head, body=None, chunked=False, head_only=False):
    """Sends a head and a body and reads the answer, which may come before all is sent."""
    answer = Answer()
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as conn:
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stop = threading.Event()

        def write():
            try:
                pieces = framed(body, chunked)
                if body is None or body.pause == 0:
                    first = [head]
                    for piece in pieces:
                        first.append(piece)
                        if sum(map(len, first)) > 256 * 1024:
                            conn.sendall(b"".join(first))
                            first = []
                        if stop.is_set():
                            return
                    conn.sendall(b"".join(first))
                    return
                conn.sendall(head)
                for i, piece in enumerate(pieces):
                    if i and stop.wait(body.pause):
                        return
                    conn.sendall(piece)
            except OSError:
                pass  # the other side has had enough; its answer tells

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        try:
            read_h1(Reader(conn, started + TIMEOUT), answer, head_only)
        except (OSError, EOFError, ValueError) as e:
            answer.note = f"{type(e).__name__}: {e}"
        answer.ms = (time.monotonic() - started) * 1000
        stop.set()
        try:
            conn.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        writer.join()
    return answer


class Reader:
    """Bytes from a socket until a deadline."""

    def __init__(self, conn, deadline):
        self.conn, self.deadline, self.buffer = conn, deadline, bytearray()

    def more(self):
        left = self.deadline - time.monotonic()
        if left <= 0 or not select.select([self.conn], [], [], left)[0]:
            raise TimeoutError("no answer in time")
        data = self.conn.recv(256 * 1024)
        if not data:
            raise EOFError("the connection was closed")
        self.buffer += data

    def until(self, mark):
        start = 0
        while (at := self.buffer.find(mark, start)) < 0:
            start = max(0, len(self.buffer) - len(mark) + 1)
            self.more()
        out = bytes(self.buffer[:at])
        del self.buffer[: at + len(mark)]
        return out

    def exactly(self, n):
        while len(self.buffer) < n:
            self.more()
        out = bytes(self.buffer[:n])
        del self.buffer[:n]
        return out


def fields(lines):
    out = []
    for line in lines:
        name, _, value = line.partition(b":")
        out.append((name.decode("latin-1").lower(), value.strip().decode("latin-1")))
    return out


def read_h1(reader, answer, head_only):
    while True:
        line, *rest = reader.until(b"\r\n\r\n").split(b"\r\n")
        answer.status = int(line.split(b" ")[1])
        answer.headers = fields(rest)
        if answer.status >= 200 or answer.status == 101:
            break
    if head_only or answer.status in (101, 204, 304):
        answer.whole = True
        return
    body = bytearray()
    try:
        if answer.values("transfer-encoding") == ["chunked"]:
            while size := int(reader.until(b"\r\n").split(b";")[0], 16):
                body += reader.exactly(size)
                reader.exactly(2)
            while line := reader.until(b"\r\n"):
                answer.trailers += fields([line])
        elif length := answer.values("content-length"):
            n = int(length[0])
            while len(reader.buffer) < n:
                reader.more()
            body += reader.exactly(n)
        else:
            try:
                while True:
                    reader.more()
            except EOFError:
                body += reader.buffer
        answer.whole = True
    finally:
        if not answer.whole:
            body += reader.buffer
        answer.body = bytes(body)


def send_h2(port, pseudo, headers, body=None):
    """The same over HTTP/2 with prior knowledge."""
    answer = Answer()
    started = time.monotonic()
    config = h2.config.H2Configuration(
        client_side=True,
        header_encoding=None,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
        validate_inbound_headers=False,
    )
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as conn:
        h2c = h2.connection.H2Connection(config)
        h2c.initiate_connection()
        h2c.send_headers(1, [(n.encode(), v) for n, v in pseudo + headers], end_stream=body is None)
        conn.sendall(h2c.data_to_send())
        session = Session(conn, h2c, answer, started + TIMEOUT)
        try:
            if body is not None:
                session.write(body)
            while not session.over:
                session.read()
        except (OSError, EOFError, h2.exceptions.ProtocolError) as e:
            answer.note = f"{type(e).__name__}: {e}"
        answer.ms = (time.monotonic() - started) * 1000
    return answer


class Session:
    """One HTTP/2 stream on one connection."""

    def __init__(self, conn, h2c, answer, deadline):
        self.conn, self.h2, self.answer, self.deadline = conn, h2c, answer, deadline
        self.over = False

    def write(self, body):
        """Sends the body as the windows allow, until an answer ends the stream."""
        pieces = list(body.pieces) or [b""]
        for i, piece in enumerate(pieces):
            if i and body.pause:
                time.sleep(body.pause)
            last = i == len(pieces) - 1
            while True:
                if self.over:
                    return
                room = min(self.h2.local_flow_control_window(1), self.h2.max_outbound_frame_size)
                if piece and not room:
                    self.read()
                    continue
                part, piece = piece[:room], piece[room:]
                self.h2.send_data(1, part, end_stream=last and not piece and not body.trailers)
                self.conn.sendall(self.h2.data_to_send())
                if not piece:
                    break
                if select.select([self.conn], [], [], 0)[0]:
                    self.read()
        if body.trailers:
            self.h2.send_headers(1, [(n.encode(), v) for n, v in body.trailers], end_stream=True)
            self.conn.sendall(self.h2.data_to_send())

    def read(self):
        left = self.deadline - time.monotonic()
        if left <= 0 or not select.select([self.conn], [], [], left)[0]:
            raise TimeoutError("no answer in time")
        data = self.conn.recv(256 * 1024)
        if not data:
            raise EOFError("the connection was closed")
        for event in self.h2.receive_data(data):
            self.take(event)
        out = self.h2.data_to_send()
        if out:
            self.conn.sendall(out)

    def take(self, event):
        answer = self.answer
        if isinstance(event, h2.events.ResponseReceived):
            found = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in event.headers]
            answer.status = int(dict(found)[":status"])
            answer.headers = [(n, v) for n, v in found if not n.startswith(":")]
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, 1)
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in event.headers]
        elif isinstance(event, h2.events.StreamEnded):
            answer.whole = self.over = True
        elif isinstance(event, h2.events.StreamReset):
            answer.note = f"the stream was reset ({event.error_code})"
            self.over = True
        elif isinstance(event, h2.events.ConnectionTerminated):
            answer.note = f"the connection was ended ({event.error_code})"
            self.over = True
