"""Connections that send exactly the bytes they are told, over HTTP/1.1 and HTTP/2."""

import socket

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

TIMEOUT = 30.0


def connect(port):
    conn = socket.create_connection(("127.0.0.1", port), TIMEOUT)
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return conn


class H1:
    """One connection that is used until the other side closes it."""

    def __init__(self, port):
        self.port, self.conn, self.buffer = port, None, b""

    def send(self, data, head_only=False):
        """The status of the answer, or 0 if there was none."""
        fresh = self.conn is None
        if fresh:
            self.conn, self.buffer = connect(self.port), b""
        try:
            self.conn.sendall(data)
            status, keep = self.answer(head_only)
        except (OSError, EOFError, ValueError):
            self.close()
            # A connection that the other side had closed meanwhile says nothing about the request.
            return 0 if fresh else self.send(data, head_only)
        if not keep:
            self.close()
        return status

    def answer(self, head_only):
        while True:
            head = self.until(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            status = int(lines[0].split(b" ")[1])
            if status >= 200:
                break
        fields = dict(line.split(b": ", 1) for line in lines[1:] if b": " in line)
        keep = fields.get(b"connection") != b"close" and lines[0].startswith(b"http/1.1")
        if head_only or status in (204, 304):
            return status, keep
        if fields.get(b"transfer-encoding") == b"chunked":
            while size := int(self.until(b"\r\n").split(b";")[0], 16):
                self.take(size + 2)
            while self.until(b"\r\n"):
                pass
        elif b"content-length" in fields:
            self.take(int(fields[b"content-length"]))
        else:
            keep = False
        return status, keep

    def until(self, mark):
        while (at := self.buffer.find(mark)) < 0:
            self.more()
        out, self.buffer = self.buffer[:at], self.buffer[at + len(mark):]
        return out

    def take(self, n):
        while len(self.buffer) < n:
            self.more()
        self.buffer = self.buffer[n:]

    def more(self):
        data = self.conn.recv(65536)
        if not data:
            raise EOFError
        self.buffer += data

    def close(self):
        if self.conn:
            self.conn.close()
        self.conn = None


class H2:
    """One HTTP/2 connection with prior knowledge, one stream after the other."""

    def __init__(self, port):
        self.port, self.conn, self.h2 = port, None, None

    def send(self, headers, body, trailers):
        """The status of the answer, or 0 if there was none."""
        if self.conn is None:
            config = h2.config.H2Configuration(
                client_side=True, header_encoding=None, validate_outbound_headers=False,
                normalize_outbound_headers=False, validate_inbound_headers=False,
            )
            self.conn, self.h2 = connect(self.port), h2.connection.H2Connection(config)
            self.h2.initiate_connection()
        try:
            stream = self.h2.get_next_available_stream_id()
            self.h2.send_headers(stream, headers, end_stream=body is None and not trailers)
            if body is not None:
                room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
                self.h2.send_data(stream, body[:room], end_stream=not trailers)
            if trailers:
                self.h2.send_headers(stream, trailers, end_stream=True)
            self.conn.sendall(self.h2.data_to_send())
            return self.answer(stream)
        except (OSError, EOFError, h2.exceptions.ProtocolError):
            self.close()
            return 0

    def answer(self, stream):
        status = 0
        while True:
            data = self.conn.recv(65536)
            if not data:
                raise EOFError
            over = False
            for event in self.h2.receive_data(data):
                if isinstance(event, h2.events.ConnectionTerminated):
                    raise EOFError
                if getattr(event, "stream_id", None) != stream:
                    continue
                if isinstance(event, h2.events.ResponseReceived):
                    status = int(dict(event.headers)[b":status"])
                elif isinstance(event, h2.events.DataReceived):
                    self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
                elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                    over = True
            out = self.h2.data_to_send()
            if out:
                self.conn.sendall(out)
            if over:
                return status

    def close(self):
        if self.conn:
            self.conn.close()
        self.conn = None


class Parked:
    """Connections whose request may never be answered: sent, kept for a while, closed."""

    def __init__(self, port, most=64):
        self.port, self.most, self.open = port, most, []

    def send(self, data):
        try:
            conn = connect(self.port)
            self.open.append(conn)
            conn.sendall(data)
        except OSError:
            pass
        if len(self.open) > self.most:
            self.open.pop(0).close()

    def close(self):
        for conn in self.open:
            conn.close()
        self.open = []
