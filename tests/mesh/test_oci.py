"""The WasmPlugin as it is shipped: the module out of a registry, by digest, fetched by Istio's agent."""

import contextlib
import os
import re
import shutil
import subprocess

import agent
import mesh as meshes
import stack as stacks
from shared import CANARIES, OnTheMesh, eventually
from test_package import package


# Where Istio's agent keeps modules; it cannot be told another place.
CACHE = "/var/lib/istio/data"


@contextlib.contextmanager
def agents_cache():
    """The directory of the agent, without what it is given meanwhile."""
    os.makedirs(CACHE, exist_ok=True)
    had = set(os.listdir(CACHE))
    yield
    for name in set(os.listdir(CACHE)) - had:
        shutil.rmtree(os.path.join(CACHE, name), ignore_errors=True)


class TheModuleOutOfARegistry(OnTheMesh):
    @classmethod
    def prepare(cls):
        stack = cls.shared.stack
        cls.enterClassContext(agents_cache())
        directory = os.path.join(stack.directory, "package")
        said = package(directory)
        cls.digest = said.strip().rpartition("@")[2]
        port = stack.port()
        cls.registry = f"127.0.0.1:{port}"
        crane = stacks.tool("crane")
        stack.start("registry", [crane, "registry", "serve", "--address", cls.registry], f"http://{cls.registry}/v2/")
        cls.addClassCleanup(stack.stop, "registry")
        image = os.path.join(directory, "image")
        pushed = subprocess.run([crane, "push", "--insecure", image, f"{cls.registry}/promfence:0.1.0"], capture_output=True, text=True)
        if pushed.returncode:
            raise RuntimeError(pushed.stderr)
        cls.pushed = pushed.stdout.strip()
        cls.proxy = agent.AgentProxy(cls.mesh, "agent", 5, cls.registry)
        cls.addClassCleanup(cls.mesh.delete, cls.proxy.moved())

    def plugin(self, digest):
        """The shipped files but for the registry's name and the digest."""
        documents = self.shared.here("gateway.yaml", "authorization.yaml")
        plugin = meshes.shipped("wasmplugin.yaml")[0]
        url = plugin["spec"]["url"].replace("registry.example", self.registry)
        plugin["spec"]["url"] = re.sub("sha256:[0-9a-f]+", digest, url)
        return [*documents, plugin]

    def test_the_registry_has_the_digest_that_was_printed(self):
        self.assertTrue(self.pushed.endswith(self.digest), f"{self.pushed} {self.digest}")

    def test_the_gateway_serves_with_the_right_digest(self):
        self.shared.have(*self.plugin(self.digest))
        self.proxy.start()
        self.addCleanup(self.shared.stack.stop, "agent")
        token = self.shared.token("team-a")
        answer = eventually(lambda: (a := self.query(CANARIES["team-a"], token, self.proxy)).status == 200 and a, 60)
        self.assertTrue(answer, f"{self.query(CANARIES['team-a'], token, self.proxy)} {self.shared.stack.log('agent')}")
        self.assertEqual([m["tenant_id"] for m in self.values(answer)], ["team-a"])
        self.assertEqual(self.values(self.query(CANARIES["team-b"], token, self.proxy)), [])
        self.assertEqual(self.query(CANARIES["team-a"], None, self.proxy).status, 401)

    def test_with_another_digest_nobody_is_answered(self):
        self.shared.have(*self.plugin("sha256:" + "1" * 64))
        self.proxy.start()
        self.addCleanup(self.shared.stack.stop, "agent")
        for token in (None, self.shared.token("team-a")):
            answer = self.query(CANARIES["team-a"], token, self.proxy)
            self.assertIn(answer.status, (0, 403, 500, 503), answer)
        self.assertEqual(set(self.proxy.asked().values()) - {0}, set())
