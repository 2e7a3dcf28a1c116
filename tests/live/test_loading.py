"""How the filter gets its configuration: what is wrong stops Envoy, and tells why."""

import json
import os
import unittest

import gateway
import issuer
import stack
import upstreams
import web

SEAL = "seal-of-" + "x" * 24


class Loading(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack("loading")
        cls.addClassCleanup(cls.stack.end)
        cls.issuer = issuer.Issuer()

    def document(self, **more):
        upstream = {"hosts": ["gateway.test"], "cluster": "upstream", "seal": SEAL}
        return {"auth": {"issuers": [self.issuer.config()]}, "upstreams": [{"prometheus": upstream}], **more}

    def gateway(self, name, document, **more):
        return gateway.Gateway(self.stack, document, {"upstream": self.stack.port()}, name=name, **more)

    def refused(self, name, document, filters=None):
        """Starts Envoy, expects it to end, and returns its log."""
        with self.assertRaisesRegex(RuntimeError, "ended with"):
            self.gateway(name, document, filters=filters).start()
        return self.stack.log(name, 20000)

    def test_every_problem_is_logged_with_its_path_and_envoy_ends(self):
        document = self.document(limits={"parameters": "many", "worker_memory": "2 EiB"})
        document["auth"]["issuers"][0]["audience"] = ["x"]
        document["upstreams"][0]["prometheus"]["clutser"] = "x"
        log = self.refused("wrong", document)
        for path in ("limits.parameters: ", "limits.worker_memory: ", "auth.issuers[0].audience: ", "upstreams[0].prometheus.clutser: "):
            self.assertIn(f"promfence configuration: {path}", log)

    def test_what_contradicts_itself_is_logged_with_every_path_too(self):
        document = self.document()
        document["upstreams"][0]["prometheus"]["hosts"] = []
        document["auth"]["issuers"][0]["tenants"] = [{"claim": "no pointer"}]
        log = self.refused("contradiction", document)
        self.assertIn("upstreams[0].prometheus.hosts: ", log)
        self.assertIn("auth.issuers[0].tenants[0].claim: ", log)

    def test_a_secret_of_an_unset_variable_stops_envoy_and_names_it(self):
        document = self.document()
        document["upstreams"][0]["prometheus"]["seal"] = {"env": "NO_SUCH_SEAL"}
        filters = [gateway.wasm({"seal": {"header": gateway.SEAL}, **document})]
        log = self.refused("unset", self.document(), filters)
        self.assertIn("NO_SUCH_SEAL", log)

    def test_a_secret_of_a_variable_is_used_and_never_logged(self):
        secret = "s3cret-" * 5
        document = self.document()
        document["upstreams"][0]["prometheus"]["seal"] = {"env": "SEAL"}
        filters = [gateway.wasm({"seal": {"header": gateway.SEAL}, **document}, environment={"SEAL": secret})]
        with_text = self.document()
        with_text["upstreams"][0]["prometheus"]["seal"] = secret
        port = prometheus(self.stack)
        served = gateway.Gateway(self.stack, with_text, {"upstream": port}, name="env", filters=filters).start()
        answer = served.client(self.issuer.token("a")).get("/api/v1/query", {"query": "1"})
        self.assertEqual(answer.status, 200, answer)
        self.assertNotIn(secret, self.stack.log("env", 100000))

    def test_a_struct_is_read_as_its_json(self):
        document = {"seal": {"header": gateway.SEAL}, **self.document(limits={"parameters": 8})}
        filter_ = gateway.wasm(document)
        filter_["typed_config"]["config"]["configuration"] = {
            "@type": gateway.TYPE + "google.protobuf.Struct", "value": document,
        }
        served = gateway.Gateway(self.stack, document, {"upstream": prometheus(self.stack)}, name="struct", filters=[filter_]).start()
        client = served.client(self.issuer.token("a"))
        self.assertEqual(client.get("/api/v1/query", {"query": "1"}).status, 200)
        many = client.get("/api/v1/query", [("query", "1"), *(("x", i) for i in range(8))])
        self.assertEqual(many.status, 400, many)

    def test_func_e_runs_the_same(self):
        made = gateway.Gateway(self.stack, self.document(), {"upstream": prometheus(self.stack)}, name="func-e")
        path = self.stack.write("func-e.json", json.dumps(made.bootstrap()))
        self.stack.start(
            "func-e",
            [stack.tool("func-e"), "run", "-c", path, "--concurrency", "1"],
            f"http://127.0.0.1:{made.admin}/ready",
            env={"ENVOY_PATH": stack.tool("envoy"), "HOME": self.stack.directory, "FUNC_E_HOME": self.stack.path("func-e-home")},
        )
        token = self.issuer.token("a")
        self.assertEqual(web.Client(made.port, token).get("/api/v1/query", {"query": "up"}).status, 200)
        self.assertEqual(web.Client(made.port).get("/api/v1/query", {"query": "up"}).status, 401)


PROMETHEUS = {}


def prometheus(started):
    """One Prometheus for all tests of the stack."""
    if started.directory not in PROMETHEUS:
        PROMETHEUS[started.directory] = upstreams.prometheus(started)
    return PROMETHEUS[started.directory]


class Compose(unittest.TestCase):
    def test_the_compose_file_pins_images_that_the_tools_are_too(self):
        import yaml

        with open(os.path.join(stack.ROOT, "envoy", "compose.yaml")) as f:
            services = yaml.safe_load(f)["services"]
        with open(os.path.join(stack.ROOT, "scripts", "tools")) as f:
            tools = f.read()
        for name, service in services.items():
            with self.subTest(service=name):
                self.assertRegex(service["image"], r":v\d+\.\d+\.\d+$")
                self.assertIn(service["image"].rpartition(":v")[2], tools)
                for volume in service.get("volumes", []):
                    source = volume.split(":")[0]
                    if source.startswith("./"):
                        self.assertTrue(os.path.exists(os.path.join(stack.ROOT, "envoy", source)), source)
