"""Configurations that change under traffic: nothing fails, nothing is unauthenticated, nothing hangs."""

import copy
import threading
import time
import unittest

import faults
from faults import Bench, Traffic
from reload import FileGateway, RestartedGateway


class AConfigurationInAFile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bench = Bench("reload", FileGateway)
        cls.addClassCleanup(cls.bench.close)

    def tearDown(self):
        self.assertTrue(self.bench.gateway.pushed(self.bench.document))
        self.bench.quiet(60)
        self.assertEqual(self.bench.traps(), [])
        self.assertTrue(self.bench.gateway.alive())

    def changed(self, n):
        document = copy.deepcopy(self.bench.document)
        document["upstreams"][0]["prometheus"]["max_points"] = 10_000 + n
        return document

    def bad(self, n):
        """Configurations that must be refused, each for another reason."""
        document = copy.deepcopy(self.bench.document)
        spoil = [
            lambda d: d.update(unknown_field=1), lambda d: d.pop("auth"), lambda d: d["upstreams"].append({"nothing": {}}),
            lambda d: d["auth"]["issuers"][0].update(algorithms=["none"]), lambda d: d.update(limits={"grant_share": 0}),
            lambda d: d["upstreams"].append(d["upstreams"][0]),
        ]
        spoil[n % len(spoil)](document)
        return document

    def test_fifty_updates_good_and_bad_by_turns_fail_no_request(self):
        """Good ones take over, bad ones are refused, and the one before goes on serving (F-017)."""
        with Traffic(self.bench) as traffic:
            taken = []
            for n in range(50):
                taken.append(self.bench.gateway.pushed(self.changed(n) if n % 2 == 0 else self.bad(n // 2)))
                since = time.monotonic()
                self.bench.stack.wait("an answer after an update", lambda: traffic.count(since), 30)
        self.assertEqual(taken, [n % 2 == 0 for n in range(50)])
        self.assertEqual(traffic.wrong, [])
        self.assertEqual(traffic.statuses(), {200})

    def test_a_request_that_waits_for_keys_while_the_configuration_changes_ends(self):
        """F-018: the old VM finishes it or refuses it; no call-out returns into a context that is gone."""
        stranger = faults.issuer.Issuer(url="https://fetched.test", kid="stranger")
        self.bench.keys.hang = True
        statuses = []

        def ask():
            try:
                statuses.append(self.bench.gateway.client(stranger.token("team-a")).get("/api/v1/labels").status)
            except OSError:
                statuses.append(0)

        threads = [threading.Thread(target=ask) for _ in range(10)]
        with Traffic(self.bench) as traffic:
            for thread in threads:
                thread.start()
            time.sleep(0.3)
            self.assertTrue(self.bench.gateway.pushed(self.changed(1000)))
            self.bench.keys.hang = False
            for thread in threads:
                thread.join(60)
        self.assertEqual(len(statuses), 10)
        self.assertTrue(set(statuses) <= {401, 503, 0}, statuses)
        self.assertEqual(traffic.wrong, [])
        self.assertEqual(traffic.statuses(), {200})


class AHotRestart(unittest.TestCase):
    def test_a_new_process_takes_over_and_no_request_fails(self):
        """The listener's socket passes from the old Envoy to the new one, which loads the module anew."""
        bench = Bench("restart", RestartedGateway)
        self.addCleanup(bench.close)
        with Traffic(bench) as traffic:
            time.sleep(1)
            for _ in range(2):
                old = bench.stack.processes[bench.gateway.name]
                bench.gateway.start()
                old.wait(60)
                bench.stack.wait("service", bench.serves, 30)
            time.sleep(1)
        self.assertEqual(traffic.wrong, [])
        self.assertEqual(traffic.statuses(), {200})
        self.assertEqual(bench.traps(), [])

    def test_a_gateway_that_is_drained_answers_what_it_has_taken(self):
        """Draining ends listeners, not requests: one that is under way gets its whole answer."""
        bench = Bench("drain")
        self.addCleanup(bench.close)
        bench.prometheus.mode, bench.prometheus.delay = "slow", 1.5
        answers = []
        threads = [threading.Thread(target=lambda t=t: answers.append(bench.rules(t))) for t in faults.WORDS]
        for thread in threads:
            thread.start()
        time.sleep(0.7)
        bench.gateway.get("/drain_listeners?graceful", "POST")
        for thread in threads:
            thread.join(30)
        self.assertEqual([a.status for a in answers], [200, 200])
        for answer in answers:
            self.assertEqual(sum(w in answer.text for w in faults.WORDS.values()), 1)
        self.assertEqual(bench.traps(), [])


if __name__ == "__main__":
    unittest.main()
