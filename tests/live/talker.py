"""An upstream that says, piece by piece, what a test tells it to, and a client that sees how it ends."""

import http.client
import json
import socket
import threading
import time


def head(*more, status="200 OK", kind="application/json"):
    """The head of a chunked answer."""
    return ("\r\n".join([f"HTTP/1.1 {status}", f"content-type: {kind}", "transfer-encoding: chunked", *more]) + "\r\n\r\n").encode()


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


END = b"0\r\n\r\n"


def chunked(body, size=16384, **more):
    """A whole answer in chunks, each sent by itself."""
    return [head(**more), *(chunk(body[i:i + size]) for i in range(0, len(body), size)), END]


class Talker:
    """Answers each request with `say`: bytes are sent, numbers are seconds of silence, None closes."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.socket.getsockname()[1]
        self.say, self.kept = [], []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.kept.append(connection)
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        try:
            while True:
                asked = b""
                while b"\r\n\r\n" not in asked:
                    part = connection.recv(65536)
                    if not part:
                        return
                    asked += part
                for word in self.say:
                    if word is None:
                        connection.shutdown(socket.SHUT_RDWR)
                        return
                    if isinstance(word, (int, float)):
                        time.sleep(word)
                    else:
                        connection.sendall(word)
        except OSError:
            pass
        finally:
            connection.close()

    def end(self):
        for connection in [self.socket, *self.kept]:
            connection.close()


class Ending:
    """How an answer ended: its status, what of its body came, and whether it was whole."""

    def __init__(self, status, headers, body, whole):
        self.status, self.headers, self.body, self.whole = status, headers, body, whole

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status}, {len(self.body)} bytes, {'whole' if self.whole else 'cut'}: {self.body[:300]!r}"


def ask(port, path, token, host="gateway.test", timeout=30):
    """A GET whose answer may be cut."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"host": host, "authorization": f"Bearer {token}"})
        try:
            answer = connection.getresponse()
        except (http.client.BadStatusLine, ConnectionError):
            return Ending(0, {}, b"", False)
        headers = {k.lower(): v for k, v in answer.getheaders()}
        try:
            return Ending(answer.status, headers, answer.read(), True)
        except http.client.IncompleteRead as e:
            return Ending(answer.status, headers, e.partial, False)
        except ConnectionError:
            return Ending(answer.status, headers, b"", False)
    finally:
        connection.close()
