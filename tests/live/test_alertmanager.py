"""Every endpoint of a real Alertmanager, for every caller, under a prefix on both sides."""

import datetime
import json

import callers
import data
import gateway
import issuer
import stack
import upstreams
from callers import Sight

JSON = {"content-type": "application/json"}
NO_PARAMETER = ["A+B as B, by parameter"]


def setUpModule():
    global STACK, ISSUER, PORT, GATEWAY, CALLERS
    STACK = stack.Stack("alertmanager")
    ISSUER = issuer.Issuer()
    try:
        PORT = upstreams.alertmanager(STACK, prefix="/am")
        GATEWAY = gateway.Gateway(STACK, document(), {"alertmanager": PORT}, rewrite={"alertmanager": "/am"}).start()
        CALLERS = callers.callers(GATEWAY.port, ISSUER, prefix="/alertmanager")
        for name, tenant in (("A", callers.A), ("B", callers.B)):
            post_alerts(CALLERS[name], data.WORDS[tenant])
        STACK.wait("alerts to be grouped", lambda: direct("/api/v2/alerts/groups").text.count('"alertname"') >= 6, 60)
    except BaseException:
        STACK.end()
        raise


def tearDownModule():
    STACK.end()
    callers.tell("alertmanager")


def document():
    host = {"hosts": ["gateway.test"], "cluster": "alertmanager"}
    served = {"prefix": "/alertmanager", "upstream_prefix": "/am", "post_alerts": True}
    off = {"prefix": "/off", "upstream_prefix": "/am"}
    return {
        "auth": {"issuers": [ISSUER.config(admins={"claim": "/role", "any_of": ["admin"], "read": "all", "write": "all"})]},
        "upstreams": [
            {"alertmanager": {**host, **served, "seal": "s" * 32}},
            {"alertmanager": {**host, **off, "seal": "o" * 32}},
            {"alertmanager": {**host, "prefix": "/told", "upstream_prefix": "/am", "status": "empty", "seal": "t" * 32}},
        ],
    }


def direct(path):
    return callers.Caller(PORT).get("/am" + path)


def post_alerts(client, word):
    alerts = [
        {
            "labels": {"alertname": name, "path": f"/{word}/pay"},
            "annotations": {"summary": f"{word}-annotation"},
            "generatorURL": f"http://{word}.test/graph",
        }
        for name in ("SharedAlert", f"{word}_alert", f"{word}_other")
    ]
    answer = client.send("POST", "/api/v2/alerts", json.dumps(alerts).encode(), JSON)
    if answer.status != 200:
        raise AssertionError(answer)


def silence(word, matchers, **more):
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "matchers": matchers,
        "startsAt": now.isoformat(),
        "endsAt": (now + datetime.timedelta(hours=1)).isoformat(),
        "createdBy": f"{word}-operator",
        "comment": f"{word}-comment",
        **more,
    }


def matcher(name, value, **more):
    return {"name": name, "value": value, "isRegex": False, **more}


def post(client, body):
    return client.send("POST", "/api/v2/silences", json.dumps(body).encode(), JSON)


class Alertmanager(Sight):
    @classmethod
    def setUpClass(cls):
        cls.callers = CALLERS


class WhatAlertsShow(Alertmanager):
    def test_alerts(self):
        own = ["{word}_alert", "{word}-annotation", "http://{word}.test/graph", '"tenant_id":"{tenant}"']
        self.shows("GET alerts", lambda c: c.get("/api/v2/alerts"), *own)
        asked = {"active": "true", "silenced": "true", "filter": ['alertname=~".*_alert"', 'path!=""']}
        self.shows("GET alerts, filter", lambda c: c.get("/api/v2/alerts", asked), "{word}_alert")

    def test_groups(self):
        own = ["{word}_alert", "{word}-annotation", "SharedAlert"]
        self.shows("GET alerts/groups", lambda c: c.get("/api/v2/alerts/groups"), *own)
        self.shows("GET alerts/groups, filter", lambda c: c.get("/api/v2/alerts/groups", {"filter": 'path!=""'}), *own)

    def test_a_filter_for_the_other_tenant_only_narrows(self):
        for text in ('tenant_id="team-b"', "tenant_id=team-b", 'tenant_id=~".*"', 'tenant_id!="team-a"'):
            answer = self.callers["A"].get("/api/v2/alerts", {"filter": text})
            self.assertEqual(answer.status, 200, answer)
            self.hides(answer.text, callers.B)

    def test_an_alert_is_the_callers_whatever_its_labels_say(self):
        forged = [{"labels": {"alertname": "alpha_forged", "tenant_id": "team-b"}, "annotations": {}}]
        answer = self.callers["A"].send("POST", "/api/v2/alerts", json.dumps(forged).encode(), JSON)
        self.assertIn(answer.status, (200, 400), answer)
        self.assertNotIn("forged", self.callers["B"].get("/api/v2/alerts").text)

    def test_alerts_are_posted_where_it_is_enabled_and_by_nobody_without_a_credential(self):
        body = json.dumps([{"labels": {"alertname": "x"}}]).encode()
        self.assertEqual(self.callers["nobody"].send("POST", "/api/v2/alerts", body, JSON).status, 401)
        off = callers.callers(GATEWAY.port, ISSUER, prefix="/off")
        self.assertIn(off["A"].send("POST", "/api/v2/alerts", body, JSON).status, (404, 405))
        shown = off["A"].get("/api/v2/alerts")
        self.assertIn("alpha_alert", shown.text)
        self.hides(shown.text, callers.B)


class WhatSilencesShow(Alertmanager):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ids = {}
        for name, tenant in (("A", callers.A), ("B", callers.B)):
            word = data.WORDS[tenant]
            answer = post(cls.callers[name], silence(word, [matcher("alertname", f"{word}_other")]))
            assert answer.status == 200, answer
            cls.ids[tenant] = answer.json()["silenceID"]

    def test_silences_are_listed_for_their_tenant_alone(self):
        own = ["{word}-comment", "{word}-operator", "{word}_other", '"tenant_id"']
        self.shows("GET silences", lambda c: c.get("/api/v2/silences"), *own)
        asked = {"filter": 'alertname=~".*_other"'}
        self.shows("GET silences, filter", lambda c: c.get("/api/v2/silences", asked))

    def test_a_silence_is_seen_by_its_id_by_its_tenant_alone(self):
        for tenant, id in self.ids.items():
            for name, client in self.callers.items():
                if name in NO_PARAMETER:
                    continue
                with self.subTest(tenant=tenant, caller=name):
                    answer = client.get(f"/api/v2/silence/{id}")
                    sees = callers.SIGHT[name]
                    self.assertEqual(answer.status, 401 if sees is None else 200 if tenant in sees else 404, answer)
                    self.assertEqual(answer.status == 200, data.WORDS[tenant] in answer.text)
                    callers.PROVEN.setdefault("GET silence/<id>", []).append(name)

    def test_a_silence_is_ended_by_its_tenant_alone(self):
        for name, client in self.callers.items():
            if name == "admin" or name in NO_PARAMETER:
                continue
            for tenant, word in data.WORDS.items():
                with self.subTest(tenant=tenant, caller=name):
                    made = post(self.callers["A" if tenant == callers.A else "B"], silence(word, [matcher("alertname", "end")]))
                    answer = client.send("DELETE", f"/api/v2/silence/{made.json()['silenceID']}")
                    sees = callers.SIGHT[name]
                    self.assertEqual(answer.status, 401 if sees is None else 200 if tenant in sees else 404, answer)
                    state = direct(f"/api/v2/silence/{made.json()['silenceID']}").json()["status"]["state"]
                    self.assertEqual(state, "expired" if tenant in (sees or ()) else "active")
                    callers.PROVEN.setdefault("DELETE silence/<id>", []).append(name)

    def test_a_silence_of_another_tenant_is_not_updated(self):
        for name, tenant in (("B", callers.A), ("without data", callers.A), ("A", callers.B)):
            body = silence("gamma", [matcher("alertname", "x")], id=self.ids[tenant])
            answer = post(self.callers[name], body)
            self.assertEqual(answer.status, 404, answer)
            self.assertIn(data.WORDS[tenant] + "-comment", direct(f"/api/v2/silence/{self.ids[tenant]}").text)

    def test_the_own_silence_is_updated(self):
        made = post(self.callers["A"], silence("alpha", [matcher("alertname", "x")])).json()["silenceID"]
        seen = self.callers["A"].get(f"/api/v2/silence/{made}").json()
        body = {k: seen[k] for k in ("id", "matchers", "startsAt", "endsAt", "createdBy")}
        answer = post(self.callers["A"], {**body, "comment": "alpha-changed"})
        self.assertEqual(answer.status, 200, answer)
        self.assertIn("alpha-changed", direct(f"/api/v2/silence/{answer.json()['silenceID']}").text)

    def test_a_silence_mutes_own_alerts_alone(self):
        every = [matcher("alertname", ".+", isRegex=True)]
        made = post(self.callers["A"], silence("alpha", every)).json()["silenceID"]
        muted = lambda: {a["labels"].get("tenant_id") for a in direct("/api/v2/alerts").json() if made in a["status"]["silencedBy"]}
        STACK.wait("alerts to be silenced", muted, 30)
        self.assertEqual(muted(), {callers.A})
        self.callers["A"].send("DELETE", f"/api/v2/silence/{made}")

    def test_matchers_that_reach_beyond_the_tenant_do_not(self):
        for matchers in (
            [matcher("tenant_id", "other")],
            [matcher("tenant_id", ".*", isRegex=True)],
            [matcher("tenant_id", "team-a", isEqual=False)],
            [matcher("alertname", "SharedAlert"), matcher("tenant_id", "team-[ab]", isRegex=True)],
        ):
            answer = post(self.callers["A"], silence("alpha", matchers))
            self.assertIn(answer.status, (200, 400), answer)
            if answer.status == 200:
                kept = direct(f"/api/v2/silence/{answer.json()['silenceID']}").json()["matchers"]
                exact = [m for m in kept if m["name"] == "tenant_id" and m["value"] == "team-a" and not m["isRegex"] and m["isEqual"]]
                self.assertTrue(exact, kept)


class WhatTheStatusTells(Alertmanager):
    """What Grafana asks for when an Alertmanager data source is saved and tested."""

    @classmethod
    def setUpClass(cls):
        cls.callers = callers.callers(GATEWAY.port, ISSUER, prefix="/told")

    def test_the_test_of_grafana_finds_an_alertmanager_of_prometheus(self):
        # With a success here it takes the gateway for another implementation.
        self.assertEqual(self.callers["A"].get("/alertmanager/api/v2/status").status, 404)
        self.shows("GET status", lambda c: c.get("/api/v2/status"), '"versionInfo"')

    def test_it_has_the_shape_of_alertmanager_and_nothing_of_the_real_one(self):
        told, real = self.callers["A"].get("/api/v2/status"), direct("/api/v2/status").json()
        shape = lambda value: {k: shape(v) for k, v in sorted(value.items())} if isinstance(value, dict) else type(value).__name__
        wanted = shape(real)
        wanted["cluster"].pop("name", None)
        wanted["cluster"]["peers"] = "list"
        self.assertEqual(shape(told.json()), wanted)
        self.assertEqual(told.headers["content-type"], "application/json")
        for secret in (real["versionInfo"]["goVersion"], real["uptime"], "group_by", "alertname"):
            self.assertIn(secret, json.dumps(real))
            self.assertNotIn(secret, told.text)

    def test_no_receiver_is_told(self):
        self.shows("GET receivers", lambda c: c.get("/api/v2/receivers"), "[]")
        self.assertEqual(self.callers["A"].get("/api/v2/receivers").json(), [])


class WhatIsDenied(Alertmanager):
    def test_what_is_off_or_unknown_does_not_exist_for_anybody(self):
        paths = [
            "/api/v2/status", "/api/v2/receivers", "/metrics", "/", "/api/v1/alerts", "/-/reload", "/-/ready", "/debug/pprof/heap",
            "/api/v2/alerts/", "/api/v2/silence/", "/api/v2/silence/not-a-uuid", "/am/api/v2/alerts",
        ]
        for path in paths:
            for name, client in self.callers.items():
                with self.subTest(path=path, caller=name):
                    answer = client.get(path)
                    self.assertIn(answer.status, (400, 404, 405), answer)
                    for tenant in data.WORDS:
                        self.hides(answer.text, tenant)

    def test_the_prefix_is_part_of_the_path(self):
        answer = callers.callers(GATEWAY.port, ISSUER)["A"].get("/api/v2/alerts")
        self.assertEqual(answer.status, 404, answer)
