"""One mesh, one Thanos and one running gateway for all tests of a run."""

import atexit
import functools
import unittest

import agent
import mesh as meshes
import samples
import stack as stacks
import web
import world as worlds

CANARIES = {"team-a": "canary_of_a", "team-b": "canary_of_b"}


@functools.lru_cache(maxsize=None)
def shared():
    """The mesh with the gateway as shipped; started on first use, ended with the process."""
    return Shared()


class Shared:
    def __init__(self):
        self.stack = stacks.Stack("mesh")
        atexit.register(self.stack.end)
        self.mesh = meshes.Mesh(self.stack).start()
        self.world = worlds.World(self.mesh).start()
        self.write_canaries()
        self.loaded = []
        self.running = agent.AgentProxy(self.mesh, "running", 1)
        self.load("gateway.yaml", "wasmplugin.yaml")
        self.running.start()

    def here(self, *files):
        return [d for f in files for d in self.world.here(meshes.shipped(f))]

    def load(self, *files):
        """The shipped files, and nothing else of ours, in the mesh."""
        self.have(*self.here(*files))

    def have(self, *documents):
        """These manifests and no others of ours in the mesh."""
        key = self.mesh.path_of
        wanted = {key(d): d for d in documents}
        had = dict((key(d), d) for d in self.loaded)
        self.mesh.delete(*(d for k, d in had.items() if k not in wanted))
        # One manager applies all: what it leaves out is taken away, as by `kubectl apply`.
        self.mesh.apply(*(d for k, d in wanted.items() if had.get(k) != d))
        self.loaded = list(documents)

    def write_canaries(self):
        """One series for each tenant, straight into Thanos, and the wait until it can be read."""
        for tenant, name in CANARIES.items():
            body = samples.body({"__name__": name})
            sent = {**samples.HEADERS, "THANOS-TENANT": tenant}
            self.stack.wait(
                "Receive to take a sample",
                lambda: web.request(self.world.receive, "POST", "/api/v1/receive", sent, body).status == 200, 60,
            )
        for name in CANARIES.values():
            path = "/api/v1/query?" + web.encode({"query": name})
            self.stack.wait(name, lambda: web.request(self.world.query, "GET", path).json()["data"]["result"], 60)

    def token(self, *tenants, **more):
        return self.world.issuer.token(*tenants, **more)


class OnTheMesh(unittest.TestCase):
    """A test on the shared mesh; `files` are what of istio/ is loaded."""

    files = ("gateway.yaml", "wasmplugin.yaml", "authorization.yaml")
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.shared = shared()
        cls.mesh, cls.world, cls.gateway = cls.shared.mesh, cls.shared.world, cls.shared.running
        cls.prepare()

    @classmethod
    def prepare(cls):
        cls.shared.load(*cls.files)
        cls.gateway.settle()

    def query(self, text, token=None, proxy=None, **more):
        return (proxy or self.gateway).client(token, **more).get("/api/v1/query", {"query": text})

    def values(self, answer):
        """The series of a query's answer, which must be a success, as label sets."""
        self.assertEqual(answer.status, 200, answer)
        return [r["metric"] for r in answer.json()["data"]["result"]]


def eventually(check, seconds=30):
    """The value of `check()` as soon as it is true, or its last one."""
    import time

    end = time.monotonic() + seconds
    while not (value := check()) and time.monotonic() < end:
        time.sleep(0.2)
    return value
