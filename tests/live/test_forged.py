"""Many tokens: ten thousand that live, and floods of forged ones at the shipped front door."""

import http.client
import os
import threading
import time
import unittest

import gateway
import signer
import stack
import yaml
from signer import Key, claims, token
from threads import spent, worker

QUERY = ("/api/v1/query", {"query": "up"})
MIB = 1 << 20
JSON = {"header": {"key": "content-type", "value": "application/json"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


class Pipe:
    """One connection that is used again and again."""

    def __init__(self, port):
        self.conn = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def statuses(self, tokens):
        """The statuses of queries with these tokens, in order."""
        out = []
        for made in tokens:
            self.conn.request("GET", "/api/v1/query?query=up", headers={"host": "gateway.test", "authorization": f"Bearer {made}"})
            answer = self.conn.getresponse()
            answer.read()
            out.append(answer.status)
        return out

    def close(self):
        self.conn.close()


class Behind(unittest.TestCase):
    """A gateway with one worker. What the filter seals is answered at once, by the route itself."""

    def setUp(self):
        self.stack = stack.Stack("forged")
        self.addCleanup(self.stack.end)

    def start(self, keys, before=(), **auth):
        config = signer.issuer(keys, algorithms=sorted({k.alg for k in keys}))
        document = {
            "auth": {"issuers": [config], **auth},
            "upstreams": [{"thanos": {"hosts": ["gateway.test"], "cluster": "query", "seal": "q" * 32}}],
        }
        seal = {"name": gateway.SEAL, "string_match": {"exact": "q" * 32}}
        answer = {"status": 200, "body": {"inline_string": '{"status":"success","data":{"resultType":"vector","result":[]}}'}}
        route = {"match": {"prefix": "/", "headers": [seal]}, "direct_response": answer, "response_headers_to_add": [JSON]}
        more = {"route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]}, "access_log": []}
        self.gateway = gateway.Gateway(self.stack, document, {"query": self.stack.port()}, before=before, http=more).start()

    def pipe(self):
        pipe = Pipe(self.gateway.port)
        self.addCleanup(pipe.close)
        return pipe

    def resident(self):
        """Bytes of memory that Envoy has."""
        with open(f"/proc/{self.stack.processes['envoy'].pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def remembered(self):
        """Tokens that the worker remembers, and the bytes it counts for them."""
        found = self.gateway.stats()
        return found.get("cached_tokens", 0), found.get("cached_token_bytes", 0)


class ManyTokens(Behind):
    def minted(self, key, number, tenant, start=0):
        return [token(key, claims(tenant, sub=f"user-{n}@{tenant}.example", email=f"user-{n}@{tenant}.example", name="A User",
                                  groups=["metrics", "developers"])) for n in range(start, start + number)]

    def test_ten_thousand_live_tokens_take_less_than_16_mib(self):
        key = Key("ES256")
        self.start([key])
        pipe = self.pipe()
        # What the worker takes for any traffic, and what Envoy takes for the first tokens of all.
        self.assertEqual(set(pipe.statuses(self.minted(key, 300, "warm"))), {200})
        self.assertEqual(set(pipe.statuses(self.minted(key, 1, "warm") * 1500)), {200})
        before, (had, _) = self.resident(), self.counted(301)
        tokens = self.minted(key, 10_000, "a")
        self.assertEqual(set(pipe.statuses(tokens)), {200})
        grown, (has, counted) = self.resident() - before, self.counted(10_000)
        print(f"  {has - had} tokens of {len(tokens[0])} bytes: {counted / MIB:.1f} MiB counted, Envoy grew by {grown / MIB:.1f} MiB")
        self.assertGreaterEqual(has, 10_000)
        self.assertLess(grown, 16 * MIB)

    def counted(self, least):
        self.stack.wait("the count of tokens", lambda: self.remembered()[0] >= least, 30)
        return self.remembered()

    def test_one_caller_with_many_tokens_pushes_out_only_its_own(self):
        """20,000 tokens of one tenant go through a small cache: those of the others stay in it."""
        # Verifying an ES512 signature takes Envoy milliseconds: a token that had gone would show.
        slow, quick = Key("ES512"), Key("ES256")
        self.start([slow, quick], cache={"size": "1MiB"})
        others = [t for n in range(20) for t in self.minted(slow, 5, f"quiet-{n}")]
        pipe = self.pipe()
        self.assertEqual(set(pipe.statuses(others)), {200})
        known = self.cost(pipe, others)
        flood = self.minted(quick, 20_000, "loud")
        self.assertEqual(set(pipe.statuses(flood)), {200})
        after = self.cost(pipe, others)
        fresh = self.cost(pipe, [t for n in range(20) for t in self.minted(slow, 5, f"new-{n}")])
        print(f"  us of CPU for each of the others' tokens: {known:.0f} before the flood, {after:.0f} after it, {fresh:.0f} if new")
        self.assertGreater(fresh, 3 * known)
        self.assertLess(after, known + (fresh - known) / 3)
        self.assertLessEqual(self.remembered()[1], MIB)

    def cost(self, pipe, tokens):
        """Microseconds of the worker's CPU for each of these tokens."""
        thread = worker(self.stack.processes["envoy"].pid)
        before = spent(thread)
        self.assertEqual(set(pipe.statuses(tokens)), {200})
        return (spent(thread) - before) / 1e3 / len(tokens)


class TheShippedDoor(Behind):
    """The filters of envoy/envoy.yaml before ours."""

    def shipped(self):
        with open(os.path.join(stack.ROOT, "envoy", "envoy.yaml")) as f:
            listener = yaml.safe_load(f)["static_resources"]["listeners"][0]
        filters = listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]
        names = [f["name"] for f in filters]
        return filters[:names.index("promfence")]

    def test_a_flood_of_forged_tokens_is_cut_down_before_any_signature_is_verified(self):
        before = self.shipped()
        self.assertEqual([f["name"] for f in before], ["envoy.filters.http.local_ratelimit"])
        bucket = before[0]["typed_config"]["token_bucket"]
        self.assertEqual(bucket["fill_interval"], "1s")
        # A twentieth of the shipped rate, so that this client is a flood on any machine.
        for name in ("max_tokens", "tokens_per_fill"):
            bucket[name] //= 20
        most, rate = bucket["max_tokens"], bucket["tokens_per_fill"]
        key, forger = Key("RS256"), Key("RS256", "forger")
        forger.kid = key.kid
        self.start([key], before=before)
        forged = [token(forger, claims("a", sub=f"{n}")) for n in range(50)] * 6
        seen, pipes, began = [], [self.pipe() for _ in range(6)], time.monotonic()

        def flood():
            seen.extend(pipes.pop().statuses(forged))

        callers = [threading.Thread(target=flood) for _ in range(6)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        took = time.monotonic() - began
        self.assertEqual(len(seen), 6 * len(forged))
        self.assertEqual(set(seen), {401, 429})
        judged = seen.count(401)
        print(f"  {len(seen)} forged tokens in {took:.1f} s: {judged} judged, {seen.count(429)} sent away before")
        self.assertLessEqual(judged, most + rate * (took + 1))
        # Those that were sent away never came to the filter. It tells its counters once a second.
        counted = lambda: sum(self.gateway.stats("wasmcustom.promfence.denied").values())  # noqa: E731
        self.stack.wait("the filter's count", lambda: counted() >= judged)
        time.sleep(1.5)
        self.assertEqual(counted(), judged)
        # It ends with the flood.
        self.assertEqual(self.gateway.client(token(key, claims("a"))).get(*QUERY).status, 200)


if __name__ == "__main__":
    unittest.main()
