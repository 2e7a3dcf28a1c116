"""What has been seen to crash Envoy, hang requests or smuggle: the filter must not reach any of it.

The cases in words of hostile.jsonl, and the tests that hold them:

  F-001 F-003   here: ATrap (FAIL_CLOSED, FAIL_RELOAD)
  F-005         here: ATrap (in a call-out's callback); wasm_host::lifecycle
  F-007         promql guards (unit tests of src/promql), cases Q-047 to Q-050
  F-008         test_faults: the memory of a worker is bounded; scripts/soak
  F-010 F-011   wasm_host::lifecycle: a refused body is answered once; here: Bodies
  F-017 F-018   test_reload; wasm_host::isolation
  F-019 F-020   here: RoutesAndOtherFilters; promfence check
  F-021         here: RoutesAndOtherFilters (internal redirect)
  F-024         wasm_host::isolation
  F-026         scripts/soak; wasm_host::lifecycle, in small
  J-115         wasm_host::time
  Q-058         scripts/differential
"""

import http.server
import json
import os
import threading
import time
import unittest

import yaml

import gateway
import issuer
import stack as stacks
import trapping
import web
from faults import FORM, head, raw

HOST = "gateway.test"


class Scripted:
    """An upstream that answers what a test wants, and remembers what it was asked."""

    def __init__(self, port, answer):
        self.asked = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if self.headers.get("transfer-encoding") == "chunked":
                    while size := int(self.rfile.readline().split(b";")[0].strip() or b"0", 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                owner.asked.append((self.command, self.path, dict(self.headers), body))
                status, headers, data = answer(self.path)
                self.send_response(status)
                for name, value in {"content-type": "application/json", "content-length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


EMPTY = b'{"status":"success","data":{"resultType":"vector","result":[]}}'


class Hazard(unittest.TestCase):
    """A stack with one scripted upstream for each test."""

    def make(self, answer=lambda _: (200, {}, EMPTY), change=None, **more):
        self.stack = stacks.Stack("hazard")
        self.addCleanup(self.stack.end)
        port = self.stack.port()
        self.upstream = Scripted(port, answer)
        self.addCleanup(self.upstream.close)
        self.issuer = issuer.Issuer()
        document = {
            "auth": {"issuers": [self.issuer.config()]},
            "upstreams": [{"prometheus": {"hosts": [HOST], "cluster": "prometheus", "seal": "p" * 32, "max_response": "32MiB"}}],
        }
        made = gateway.Gateway(self.stack, document, {"prometheus": port, "keys": self.stack.port()}, **more)
        if change:
            change(made)
        self.gateway = made.start()
        self.client = made.client(self.issuer.token("team-a"))
        return made

    def query(self):
        return self.client.get("/api/v1/query", {"query": "up"})

    def served_and_confined(self):
        answer = self.query()
        self.assertEqual(answer.status, 200, answer)
        self.assertIn("tenant_id%3D%22team-a%22", self.upstream.asked[-1][1])


class ATrap(Hazard):
    """A trap cannot be reached; this puts one into the built module, to hold what the settings promise."""

    def trapping(self, callback, policy, issuers=(), **http):
        def change(made):
            made.document["auth"]["issuers"] += issuers
            with open(stacks.module(), "rb") as f:
                path = made.stack.path("trapping.wasm")
                with open(path, "wb") as out:
                    out.write(trapping.trapping(f.read(), callback))
            made.filters = [gateway.wasm(made.document, path=path)]
            config = made.filters[0]["typed_config"]["config"]
            config["failure_policy"] = policy
            if policy != "FAIL_RELOAD":
                del config["reload_config"]

        return self.make(change=change, http={"http_protocol_options": {"enable_trailers": True}, **http}, timeout="4s")

    def trap(self):
        """A request with trailers: its callback is the one that traps."""
        sent = head("POST", "/api/v1/query", self.issuer.token("team-a"), "content-type: " + FORM["content-type"], "transfer-encoding: chunked")
        conn = raw(self.gateway.port, sent + b"8\r\nquery=up\r\n0\r\nx-t: 1\r\n\r\n")
        conn.settimeout(20)
        try:
            return conn.recv(65536).decode("latin-1")
        except OSError:
            return ""
        finally:
            conn.close()

    def test_with_the_shipped_policy_a_trap_loses_one_request_and_the_next_is_served_and_confined(self):
        """F-003."""
        self.trapping("proxy_on_request_trailers", "FAIL_RELOAD")
        self.served_and_confined()
        self.assertNotIn(" 200 ", self.trap().split("\r\n")[0])
        self.assertTrue(gateway.traps(self.gateway.log(100_000)))
        self.stack.wait("a new VM", lambda: self.query().status == 200, 5)
        self.served_and_confined()

    def test_with_a_closed_policy_nothing_passes_after_a_trap(self):
        """F-001."""
        self.trapping("proxy_on_request_trailers", "FAIL_CLOSED")
        self.served_and_confined()
        self.trap()
        asked = len(self.upstream.asked)
        for _ in range(10):
            self.assertEqual(self.query().status, 503)
        self.assertEqual(len(self.upstream.asked), asked)

    def test_a_request_that_waits_when_the_module_traps_ends_at_a_time_out(self):
        """F-005: no route applies before the filter has sealed the request, so `request_timeout` must."""
        fetched = issuer.Issuer(url="https://fetched.test")
        remote = {"cluster": "keys", "authority": "x", "path": "/keys", "timeout": "1s"}

        issuers = [fetched.config(keys={"remote": remote})]
        self.trapping("proxy_on_http_call_response", "FAIL_RELOAD", issuers, request_timeout="3s", stream_idle_timeout="6s")
        began = time.monotonic()
        try:
            status = self.gateway.client(fetched.token("team-a")).get("/api/v1/query", {"query": "up"}).status
        except OSError:
            status = 0
        self.assertNotEqual(status, 200)
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual(self.upstream.asked, [])


def rules(megabytes):
    """An answer of rules, half of them of each tenant."""
    pad = "x" * 1000
    groups = [
        {"name": f"g{i}", "file": "f", "interval": 1, "rules": [
            {"name": "r", "type": "recording", "query": pad, "health": "ok", "labels": {"tenant_id": t, "mark": f"mark of {t}"}}
        ]} for i in range(megabytes * 400) for t in ("team-a", "team-b")
    ]
    return json.dumps({"status": "success", "data": {"groups": groups}}).encode()


class Bodies(Hazard):
    SMALL = {"per_connection_buffer_limit_bytes": 32768}

    def test_an_answer_far_over_the_buffer_limit_is_filtered_and_the_process_lives(self):
        """Replacing a held answer that is larger than the connection's buffer kills Envoy: it must not be held there."""
        body = rules(8)
        self.make(lambda _: (200, {}, body), listener=self.SMALL)
        for _ in range(3):
            answer = self.client.get("/api/v1/rules")
            self.assertEqual(answer.status, 200)
            self.assertIn("mark of team-a", answer.text)
            self.assertNotIn("mark of team-b", answer.text)
            self.assertGreater(len(answer.body), 3 << 20)
        self.assertTrue(self.gateway.alive())

    def test_a_form_far_over_the_buffer_limit_arrives_whole_and_the_connection_stays_in_step(self):
        """The form changes its length: a stale content-length would make the next request begin in its middle."""
        self.make(listener=self.SMALL)
        query = " or ".join(f'm{i}{{a="{"x" * 100}"}}' for i in range(400))
        for _ in range(5):
            self.assertEqual(self.client.form("/api/v1/query", {"query": query}).status, 200)
            self.served_and_confined()
        for method, target, headers, body in self.upstream.asked[::2]:
            self.assertEqual((method, target), ("POST", "/api/v1/query"))
            self.assertEqual(body.count(b"tenant_id%3D%22team-a%22"), 400)
            self.assertNotIn("content-length", {k.lower() for k in headers if headers.get("transfer-encoding")})

    def test_without_the_setting_that_holds_heads_back_forms_are_served_and_refused_alike(self):
        """`allow_on_headers_stop_iteration` cannot be set in a WasmPlugin: nothing may hang without it."""

        def change(made):
            made.filters = [gateway.wasm(made.document)]
            del made.filters[0]["typed_config"]["config"]["allow_on_headers_stop_iteration"]

        self.make(change=change)
        for _ in range(3):
            self.assertEqual(self.client.form("/api/v1/query", {"query": "up"}).status, 200)
            self.assertEqual(self.client.form("/api/v1/query", {"query": "up("}).status, 400)
            self.assertEqual(self.client.form("/api/v1/status/config", {}).status, 404)
            self.served_and_confined()

    def test_a_denial_of_a_grpc_request_shows_nothing_and_reaches_nobody(self):
        """Envoy makes HTTP 200 with a grpc-status of it: still a denial."""
        self.make()
        for token in (None, self.issuer.token("team-a")):
            client = self.gateway.client(token, headers={"content-type": "application/grpc"})
            answer = client.send("POST", "/thanos.Store/Series", b"\0\0\0\0\0")
            self.assertTrue(answer.status in (401, 404) or answer.headers.get("grpc-status", "0") != "0", answer.headers)
        self.assertEqual(self.upstream.asked, [])

    def test_bytes_that_are_no_text_in_any_header_trap_nothing(self):
        self.make()
        token = self.issuer.token("team-a")
        for name in (b"accept", b"x-a", b"cookie", b"content-type", b"accept-encoding", b"traceparent", b"x-promfence-tenant"):
            sent = head("GET", "/api/v1/query?query=up", token)[:-2] + name + b": \xff\xfe\x80\r\n\r\n"
            conn = raw(self.gateway.port, sent)
            conn.settimeout(20)
            self.assertTrue(conn.recv(100).startswith(b"HTTP/1.1 "))
            conn.close()
            self.served_and_confined()
        self.assertEqual(gateway.traps(self.gateway.log(100_000)), [])


class RoutesAndOtherFilters(Hazard):
    def test_where_a_route_switches_the_filter_off_there_is_no_way_to_the_upstream(self):
        """F-019: without the filter nobody seals the request."""
        off = {"promfence": {"@type": gateway.TYPE + "envoy.config.route.v3.FilterConfig", "disabled": True}}

        def change(made):
            host = {"name": "all", "domains": ["*"], "routes": made.routes(), "typed_per_filter_config": off}
            made.http["route_config"] = {"virtual_hosts": [host]}

        self.make(change=change)
        # Before it is sealed a request fits no route, so that Envoy finds no override either: the filter runs.
        self.assertIn(self.query().status, (200, 404))
        forged = self.client.get("/api/v1/query", {"query": "up"}, {"x-promfence-seal": "guess"})
        self.assertIn(forged.status, (200, 404))
        for _, path, _, _ in self.upstream.asked:
            self.assertIn("tenant_id%3D%22team-a%22", path)

    def test_an_earlier_filter_that_sets_a_tenant_changes_nothing(self):
        """F-020: what came before the filter is the client's, to it."""
        mutation = {
            "name": "mutate", "typed_config": {
                "@type": gateway.TYPE + "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
                "mutations": {"request_mutations": [
                    {"append": {"header": {"key": "thanos-tenant", "value": "team-b"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}},
                    {"append": {"header": {"key": "x-scope-orgid", "value": "team-b"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}},
                ]},
            },
        }
        self.make(before=[mutation])
        self.served_and_confined()
        headers = {k.lower(): v for k, v in self.upstream.asked[-1][2].items()}
        self.assertEqual(headers["thanos-tenant"], "team-a")
        self.assertNotIn("x-scope-orgid", headers)

    def test_in_the_shipped_configuration_the_filter_is_the_last_before_the_router(self):
        """F-020, F-019: and no route overrides it."""
        with open(os.path.join(stacks.ROOT, "envoy", "envoy.yaml")) as f:
            text = f.read()
        shipped = yaml.safe_load(text)
        manager = shipped["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        names = [f["name"] for f in manager["http_filters"]]
        self.assertEqual(names[-2:], ["promfence", "envoy.filters.http.router"])
        self.assertNotIn("typed_per_filter_config", text)
        self.assertNotIn("internal_redirect", text)

    def test_an_upstream_that_redirects_inside_the_gateway_reaches_nothing_unjudged(self):
        """F-021: the second pass is judged like the first; it has no credential any more, or no seal."""
        def answer(path):
            return (200, {}, EMPTY) if "moved" in path or "config" in path else (307, {"location": f"http://{HOST}/api/v1/status/config"}, b"")

        def change(made):
            routes = made.routes()
            for route in routes:
                route["route"]["internal_redirect_policy"] = {"max_internal_redirects": 3, "redirect_response_codes": [302, 303, 307, 308]}
            made.http["route_config"] = {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]}

        self.make(answer, change=change)
        answer = self.query()
        self.assertNotEqual(answer.status, 200, answer)
        self.assertEqual([path for _, path, _, _ in self.upstream.asked if "config" in path], [])
        self.assertTrue(self.gateway.alive())

    def test_an_upgrade_of_the_connection_is_not_made(self):
        self.make(http={"upgrade_configs": [{"upgrade_type": "websocket"}]})
        answer = web.request(self.gateway.port, "GET", "/api/v1/query?query=up", {
            "authorization": f"Bearer {self.issuer.token('team-a')}", "connection": "upgrade", "upgrade": "websocket",
        }, host=HOST)
        self.assertEqual(answer.status, 400, answer)
        self.assertEqual(self.upstream.asked, [])


if __name__ == "__main__":
    unittest.main()
