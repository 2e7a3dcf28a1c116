"""A TCP relay in front of a real program, which can do to it what a bad network does."""

import socket
import struct
import threading
import time


class Relay:
    """Passes bytes to 127.0.0.1:`to`. `mode` is read for each connection and each piece:

    pass     as they come
    refuse   connections are reset at once
    hang     connections are taken and nothing is passed
    slow     answers come after `delay` seconds
    cut      a connection is reset after `after` bytes of answers
    """

    def __init__(self, port, to):
        self.to, self.mode, self.delay, self.after = to, "pass", 1.0, 400
        self.port = port
        self.listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.open, self.lock = set(), threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        with self.lock:
            self.open.add(conn)
        try:
            if self.mode == "refuse":
                return reset(conn)
            there = socket.create_connection(("127.0.0.1", self.to), 5)
            there.settimeout(None)
            with self.lock:
                self.open.add(there)
            threading.Thread(target=self._pass, args=(conn, there, False), daemon=True).start()
            self._pass(there, conn, True)
        except OSError:
            reset(conn)

    def _pass(self, source, target, answer):
        passed = 0
        try:
            while data := source.recv(65536):
                while self.mode == "hang":
                    time.sleep(0.02)
                if self.mode == "refuse":
                    break
                if answer and self.mode == "slow":
                    time.sleep(self.delay)
                if answer and self.mode == "cut":
                    if passed + len(data) > self.after:
                        target.sendall(data[:max(0, self.after - passed)])
                        break
                    passed += len(data)
                target.sendall(data)
        except OSError:
            pass
        finally:
            for conn in (target, source):
                reset(conn)
                with self.lock:
                    self.open.discard(conn)

    def drop(self):
        """Resets every connection that is open."""
        with self.lock:
            for conn in list(self.open):
                reset(conn)

    def close(self):
        self.listener.close()
        self.mode = "refuse"
        self.drop()


def reset(conn):
    """Closes with RST, as a killed peer's kernel may."""
    try:
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        conn.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    conn.close()
