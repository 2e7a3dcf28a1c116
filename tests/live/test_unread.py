"""An answer that the request has confined already is not read: it costs the same whatever its size."""

import collections
import json
import re
import unittest

import gateway
import issuer
import stack
import talker
from talker import chunked


class AnAnswerThatIsNotRead(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack("unread")
        cls.addClassCleanup(cls.stack.end)
        cls.talker = talker.Talker()
        cls.addClassCleanup(cls.talker.end)
        issued = issuer.Issuer()
        document = {
            "auth": {"issuers": [issued.config()]},
            "limits": {"hold_head": "256KiB", "worker_memory": "1MiB"},
            "upstreams": [{"prometheus": {"hosts": ["gateway.test"], "cluster": "talker", "seal": "p" * 32}}],
        }
        cls.gateway = gateway.Gateway(cls.stack, document, {"talker": cls.talker.port}).start()
        cls.token = issued.token("team-a")

    def calls(self, path, size):
        """How often the module calls the host for one request whose answer has that size, by call."""
        body = json.dumps({"status": "success", "data": ["x" * 30] * (size // 34)}).encode()
        self.talker.say = chunked(body, 16 << 10)
        talker.ask(self.gateway.port, path, self.token)
        self.gateway.get("/logging?wasm=trace", "POST")
        before = len(self.gateway.log(10**9))
        answer = talker.ask(self.gateway.port, path, self.token)
        self.stack.wait("the log", lambda: "proxy_on_delete" in self.gateway.log(10**9)[before:])
        trace = self.gateway.log(10**9)[before:]
        self.gateway.get("/logging?wasm=info", "POST")
        self.assertEqual((answer.status, answer.body == body), (200, True))
        asked = re.findall(r"\[host->vm\] (?:\w+\.)?(\w+)\(", trace)
        return collections.Counter(re.findall(r"\[vm->host\] (?:\w+\.)?(\w+)\(", trace)), asked.count("proxy_on_response_body")

    def test_the_host_is_called_as_often_for_10_mib_as_for_1_kib(self):
        for path in ("/api/v1/label/job/values", "/api/v1/query?query=up", "/api/v1/series?match[]=up"):
            with self.subTest(path=path):
                small, _ = self.calls(path, 1 << 10)
                large, pieces = self.calls(path, 10 << 20)
                self.assertGreater(pieces, 10)
                self.assertGreater(sum(small.values()), 5)
                steady = lambda calls: {k: n for k, n in calls.items() if "time" not in k}
                self.assertEqual(steady(small), steady(large))
                self.assertFalse([k for k in large if "buffer" in k], large)


if __name__ == "__main__":
    unittest.main()
