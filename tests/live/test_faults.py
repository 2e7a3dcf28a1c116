"""Faults while traffic runs: nothing leaks, nothing hangs, nothing traps, and it recovers within a second."""

import os
import time
import unittest

import faults
import relay
from faults import FORM, ROUTE_TIMEOUT, Bench, Traffic, head, raw

# What a second's recovery may take on a machine that does other things too.
RECOVERY = 1.0
SLACK = 4.0
SILENCE = "/api/v2/silence/00000000-0000-4000-8000-000000000001"


class Fault(unittest.TestCase):
    """What every fault must leave as it was."""

    bench = None

    def after_fault(self, traffic, healed):
        """Nothing wrong was seen, it is served again a second after the fault's end, and nothing is left behind."""
        self.bench.stack.wait("service after the fault", self.bench.serves, RECOVERY + SLACK)
        since = max(time.monotonic(), healed + RECOVERY)
        self.bench.stack.wait("traffic after the fault", lambda: traffic.count(since) >= 6, 20)
        self.assertEqual(traffic.statuses(after=since), {200})
        self.assertEqual(traffic.wrong, [])
        self.assertLess(traffic.longest(), ROUTE_TIMEOUT + SLACK)

    def tearDown(self):
        self.bench.prometheus.mode = self.bench.alertmanager.mode = "pass"
        self.bench.keys.hang = False
        self.bench.quiet()
        self.assertEqual(self.bench.traps(), [])
        self.assertTrue(self.bench.gateway.alive())
        self.bench.holds_nothing(self)


class WhileTrafficRuns(Fault):
    @classmethod
    def setUpClass(cls):
        cls.bench = Bench("faults")
        cls.addClassCleanup(cls.bench.close)

    def test_an_upstream_that_is_killed_and_started_again_is_served_again(self):
        """While it is down: 503 and no data. Unsaved data may be gone; the rules make it anew."""
        with Traffic(self.bench) as traffic:
            time.sleep(0.5)
            self.bench.stack.stop("prometheus", kill=True)
            self.bench.prometheus.drop()
            down = time.monotonic()
            time.sleep(1.5)
            self.assertTrue(traffic.statuses(after=down) <= {503}, traffic.statuses(after=down))
            self.bench.start_prometheus()
            self.bench.stack.wait("the rules to run", self.bench.serves, 60)
            self.after_fault(traffic, time.monotonic())

    def test_an_upstream_that_refuses_connections_costs_nothing_but_its_own_answers(self):
        with Traffic(self.bench) as traffic:
            self.bench.prometheus.mode = "refuse"
            self.bench.prometheus.drop()
            time.sleep(1)
            self.bench.prometheus.mode = "pass"
            self.after_fault(traffic, time.monotonic())
            self.assertIn(503, traffic.statuses())

    def test_an_upstream_that_answers_late_is_waited_for(self):
        with Traffic(self.bench) as traffic:
            self.bench.prometheus.mode = "slow"
            slow = time.monotonic()
            time.sleep(3)
            self.bench.prometheus.mode = "pass"
            self.after_fault(traffic, time.monotonic())
            self.assertEqual(traffic.statuses(after=slow), {200})

    def test_an_upstream_that_never_answers_is_given_up_at_the_time_out_of_the_route(self):
        with Traffic(self.bench) as traffic:
            hung = time.monotonic() - 1  # with the requests that are under way just now
            self.bench.prometheus.mode = "hang"
            time.sleep(ROUTE_TIMEOUT + 1)
            self.bench.prometheus.mode = "pass"
            self.bench.prometheus.drop()
            self.after_fault(traffic, time.monotonic())
            self.assertIn(504, traffic.statuses(after=hung))

    def test_an_answer_that_is_filtered_and_breaks_off_is_never_shown_in_part(self):
        """The client gets an error or a broken answer, without a rule of anybody's."""
        whole = self.bench.rules("team-a")
        self.assertEqual(whole.status, 200)
        self.assertIn(faults.WORDS["team-a"], whole.text)
        self.assertNotIn(faults.WORDS["team-b"], whole.text)
        with Traffic(self.bench) as traffic:
            self.bench.prometheus.mode = "cut"
            for after in (1, 150, 1000, 5000, 12000):
                self.bench.prometheus.after = after
                self.bench.prometheus.drop()
                for _ in range(5):
                    self.assertNotIn("canary", self.broken(), after)
            self.bench.prometheus.mode = "pass"
            self.bench.prometheus.drop()
            self.after_fault(traffic, time.monotonic())

    def broken(self):
        """All bytes that a client gets of an answer, whatever they are."""
        conn = raw(self.bench.gateway.port, head("GET", "/api/v1/rules", self.bench.issuer.token("team-a"), "connection: close"))
        conn.settimeout(ROUTE_TIMEOUT + SLACK)
        out = b""
        try:
            while data := conn.recv(65536):
                out += data
        except OSError:
            pass
        finally:
            conn.close()
        return out.decode("latin-1")

    def test_without_a_key_server_tokens_of_known_keys_go_on_and_unknown_ones_are_refused(self):
        known = self.bench.fetched.token("team-a")
        client = self.bench.gateway.client(known)
        self.bench.stack.wait("fetched keys", lambda: client.get("/api/v1/labels").status == 200, 20)
        with Traffic(self.bench) as traffic:
            self.bench.keys.hang = True
            stranger = faults.issuer.Issuer(url="https://fetched.test", kid="new")
            began = time.monotonic()
            unknown = self.bench.gateway.client(stranger.token("team-a")).get("/api/v1/labels")
            self.assertIn(unknown.status, (401, 503), unknown)
            self.assertLess(time.monotonic() - began, ROUTE_TIMEOUT + SLACK)
            self.assertEqual(client.get("/api/v1/labels").status, 200)
            self.bench.keys.hang = False
            self.after_fault(traffic, time.monotonic())
            # Of the inline keys' tenants nothing was refused at any time.
            self.assertEqual(traffic.statuses(), {200})

    def test_a_token_that_lives_two_seconds_is_not_taken_after_them(self):
        token = self.bench.issuer.token("team-a", seconds=3)
        client, ends = self.bench.gateway.client(token), time.time() + 3
        self.assertEqual(client.get("/api/v1/labels").status, 200)
        seen = []
        while time.time() < ends + 2:
            began = time.time()
            seen.append((began, client.get("/api/v1/labels").status))
            time.sleep(0.05)
        late = {s for began, s in seen if began > ends + 0.1}
        self.assertEqual(late, {401})

    def test_the_memory_of_a_worker_is_bounded_and_the_other_tenant_has_its_part(self):
        """Over a tenant's share: 503 with Retry-After. The other tenant is served meanwhile."""
        token = self.bench.issuer.token("team-a")
        sent = head("POST", "/api/v1/query", token, "content-type: " + FORM["content-type"], "content-length: 1000000")
        with Traffic(self.bench) as traffic:
            # Two workers hold 4 MiB of one tenant each: of 24 uploads some are refused.
            held = [raw(self.bench.gateway.port, sent + b"query=" + b"x" * 900_000) for _ in range(24)]
            time.sleep(1)
            answers = []
            for conn in held:
                conn.settimeout(0.2)
                try:
                    answers.append(conn.recv(4096).decode("latin-1").lower())
                except OSError:
                    answers.append("")
                relay.reset(conn)
            refused = [a for a in answers if a]
            self.assertTrue(refused)
            self.assertLess(len(refused), 24)
            for answer in refused:
                self.assertTrue(answer.startswith("http/1.1 503"), answer)
                self.assertIn("retry-after:", answer)
            self.after_fault(traffic, time.monotonic())
            self.assertEqual(traffic.statuses(), {200})


class ClientsThatLeave(Fault):
    """Thirty clients at a time end their connection at one point of a request: nothing is left behind."""

    @classmethod
    def setUpClass(cls):
        cls.bench = Bench("leaving")
        cls.addClassCleanup(cls.bench.close)

    def leave(self, data, wait=0.05, n=30):
        with Traffic(self.bench) as traffic:
            open_ones = [raw(self.bench.gateway.port, data) for _ in range(n)]
            time.sleep(wait)
            for i, conn in enumerate(open_ones):
                conn.close() if i % 2 else relay.reset(conn)
            self.bench.prometheus.mode = self.bench.alertmanager.mode = "pass"
            self.bench.keys.hang = False
            self.after_fault(traffic, time.monotonic())

    def token(self):
        return self.bench.issuer.token("team-a")

    def form(self, length=900_000):
        return head("POST", "/api/v1/query", self.token(), "content-type: " + FORM["content-type"], f"content-length: {length}")

    def test_before_the_head_of_the_request_ends(self):
        self.leave(head("GET", "/api/v1/query?query=marked", self.token())[:-10])

    def test_between_head_and_body(self):
        self.leave(self.form())

    def test_within_the_body(self):
        self.leave(self.form() + b"query=" + b"x" * 100_000, wait=0.5)

    def test_while_keys_are_fetched(self):
        stranger = faults.issuer.Issuer(url="https://fetched.test", kid="newer")
        self.bench.keys.hang = True
        self.leave(head("GET", "/api/v1/query?query=marked", stranger.token("team-a")), wait=1)

    def test_while_keys_are_fetched_within_the_body(self):
        stranger = faults.issuer.Issuer(url="https://fetched.test", kid="newest")
        self.bench.keys.hang = True
        sent = head("POST", "/api/v1/query", stranger.token("team-a"), "content-type: " + FORM["content-type"], "content-length: 90000")
        self.leave(sent + b"query=" + b"x" * 20_000, wait=1)

    def test_while_a_silence_is_looked_up(self):
        self.bench.alertmanager.mode = "hang"
        self.leave(head("DELETE", SILENCE, self.token()), wait=0.5)

    def test_while_the_silence_of_a_body_is_looked_up(self):
        self.bench.alertmanager.mode = "hang"
        body = (
            b'{"id":"00000000-0000-4000-8000-000000000001","comment":"c","createdBy":"c","startsAt":"2026-01-01T00:00:00Z",'
            b'"endsAt":"2036-01-01T00:00:00Z","matchers":[{"name":"a","value":"b","isRegex":false}]}'
        )
        sent = head("POST", "/api/v2/silences", self.token(), "content-type: application/json", f"content-length: {len(body)}")
        self.leave(sent + body, wait=0.5)

    def test_while_the_upstream_is_waited_for(self):
        self.bench.prometheus.mode = "hang"
        self.leave(head("GET", "/api/v1/rules", self.token()), wait=0.5)

    def test_within_an_answer_that_is_filtered(self):
        self.bench.prometheus.mode, self.bench.prometheus.delay = "slow", 0.3
        self.leave(head("GET", "/api/v1/rules", self.token()), wait=0.45)


if __name__ == "__main__":
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    unittest.main()
