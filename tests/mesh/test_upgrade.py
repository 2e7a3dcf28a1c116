"""The README's chapter on upgrading: module and policy change while requests run, and go back."""

import threading
import time

import stack as stacks
from shared import CANARIES, OnTheMesh, eventually


class Traffic:
    """A tenant that asks again and again, and keeps what it was told."""

    def __init__(self, test):
        self.test, self.seen, self.ended = test, [], threading.Event()
        self.token = test.shared.token("team-a")
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.ended.is_set():
            answer = self.test.query("{__name__=~'canary_.*'}", self.token)
            tenants = None
            if answer.status == 200:
                tenants = sorted({r["metric"].get("tenant_id") for r in answer.json()["data"]["result"]})
            self.seen.append((answer.status, tenants))
            time.sleep(0.02)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join(30)


class AnUpgradeUnderTraffic(OnTheMesh):
    """A release is another module: here the same one with a section of its own, so other bytes."""

    def setUp(self):
        self.shared.load(*self.files)
        self.gateway.settle()
        token = self.shared.token("team-a")
        self.assertTrue(eventually(lambda: self.query(CANARIES["team-a"], token).status == 200))

    def release(self, name):
        """The module with a custom section, which says nothing to the machine."""
        with open(stacks.module(), "rb") as f:
            module = f.read()
        section = bytes([len(name)]) + name.encode()
        path = self.shared.stack.path(f"{name}.wasm")
        with open(path, "wb") as f:
            f.write(module + b"\0" + bytes([len(section)]) + section)
        return path

    def documents(self, change):
        documents = self.shared.here(*self.files)
        for d in documents:
            if d["kind"] == "WasmPlugin":
                change(d["spec"])
        return documents

    def changes_to(self, change, word):
        """Applies a change under traffic; every answer is the tenant's own, before, meanwhile and after."""
        with Traffic(self) as traffic:
            eventually(lambda: len(traffic.seen) > 20)
            self.shared.have(*self.documents(change))
            self.assertTrue(eventually(lambda: word in self.gateway.get("/config_dump"), 60), f"{word} does not arrive")
            before = len(traffic.seen)
            self.assertTrue(eventually(lambda: len(traffic.seen) > before + 100, 60))
        for status, tenants in traffic.seen:
            self.assertEqual((status, tenants), (200, ["team-a"]))

    def test_a_new_module_takes_over_and_the_old_one_again(self):
        path = self.release("release-2")
        self.changes_to(lambda spec: spec.update(url=f"file://{path}"), path)
        self.changes_to(lambda spec: None, stacks.module())

    def test_module_and_policy_change_in_one_manifest(self):
        path = self.release("release-3")

        def change(spec):
            spec["url"] = f"file://{path}"
            spec["pluginConfig"]["tenancy"]["select"] = {"header": "x-chosen-tenant"}

        self.changes_to(change, "x-chosen-tenant")
        both = self.shared.token("team-a", "team-b")
        chosen = self.query("{__name__=~'canary_.*'}", both, headers={"x-chosen-tenant": "team-b"})
        self.assertEqual([m["tenant_id"] for m in self.values(chosen)], ["team-b"])

    def test_a_release_that_does_not_start_changes_nothing(self):
        path = self.shared.stack.path("broken.wasm")
        with open(path, "wb") as f:
            f.write(b"\0asm\1\0\0\0 and no more")
        token = self.shared.token("team-a")
        with Traffic(self) as traffic:
            self.shared.have(*self.documents(lambda spec: spec.update(url=f"file://{path}")))
            self.assertTrue(eventually(lambda: path in self.gateway.get("/config_dump") or path in self.shared.stack.log("running", 10**6), 60))
            before = len(traffic.seen)
            self.assertTrue(eventually(lambda: len(traffic.seen) > before + 100, 60))
        for status, tenants in traffic.seen:
            self.assertEqual((status, tenants), (200, ["team-a"]))
        self.shared.load(*self.files)
        self.gateway.settle()
        self.assertEqual(self.query(CANARIES["team-a"], token).status, 200)
