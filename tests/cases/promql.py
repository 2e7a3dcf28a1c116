"""How Prometheus and Alertmanager read a query, a selector or a filter: their own parsers, asked over a pipe."""

import json
import subprocess
import threading


class Parser:
    def __init__(self, binary):
        self.process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lock = threading.Lock()
        self.known = {}

    def read(self, kind, text):
        """`{"ast": .., "selectors": ..}` or `{"error": ..}`."""
        data = text if isinstance(text, bytes) else text.encode()
        with self.lock:
            if (kind, data) not in self.known:
                self.process.stdin.write(json.dumps({"kind": kind, "hex": data.hex()}).encode() + b"\n")
                self.process.stdin.flush()
                self.known[kind, data] = json.loads(self.process.stdout.readline())
            return self.known[kind, data]

    def expected(self, kind, text):
        """The same for the text of a case, which must be readable."""
        read = self.read(kind, text)
        if "error" in read:
            raise ValueError(f"the case's {kind} {text!r} is not readable: {read['error']}")
        return read

    def same(self, kind, expected, forwarded):
        read = self.read(kind, forwarded)
        return "error" not in read and read["ast"] == self.expected(kind, expected)["ast"]

    def matcher(self, text):
        """One matcher, in the spelling of the answers."""
        (one,) = self.expected("selector", "{%s}" % text)["selectors"][0]
        return one

    def all_confined(self, kind, matcher, forwarded):
        """Whether every selector has the matcher. What the upstream's parser refuses is confined."""
        read = self.read(kind, forwarded)
        return "error" in read or all(self.matcher(matcher) in s for s in read.get("selectors") or [])

    def close(self):
        self.process.stdin.close()
        self.process.wait()
