"""The WasmPlugin bound to a Gateway of the Gateway API by `targetRefs`, as its file shows in a comment."""

import os
import re

import yaml

import agent
import stack as stacks
from shared import CANARIES, OnTheMesh, eventually


def with_target():
    """istio/wasmplugin.yaml with the selector out and the commented `targetRefs` in."""
    with open(os.path.join(stacks.ROOT, "istio", "wasmplugin.yaml")) as f:
        text = f.read()
    text, once = re.subn(r"  selector:\n    matchLabels:\n      istio: ingressgateway\n  # targetRefs:\n  # - ", "  targetRefs:\n  - ", text)
    if once != 1:
        raise RuntimeError("the file has no such comment")
    return [d for d in yaml.safe_load_all(text) if d]


class TheGatewayThatIsATarget(OnTheMesh):
    @classmethod
    def prepare(cls):
        cls.shared.have(*cls.shared.here("gateway.yaml"), *cls.world.here(with_target()))
        labels = {"istio": "ingressgateway", "gateway.networking.k8s.io/gateway-name": "promfence"}
        cls.target = agent.AgentProxy(cls.mesh, "target", 9, labels=labels)
        cls.addClassCleanup(cls.mesh.delete, cls.target.moved())
        cls.target.start()
        cls.addClassCleanup(cls.shared.stack.stop, "target")

    def test_it_has_the_filter(self):
        token = self.shared.token("team-a")
        answer = eventually(lambda: (a := self.query(CANARIES["team-a"], token, self.target)).status == 200 and a)
        self.assertTrue(answer, self.query(CANARIES["team-a"], token, self.target))
        self.assertEqual([m["tenant_id"] for m in self.values(answer)], ["team-a"])
        self.assertEqual(self.values(self.query(CANARIES["team-b"], token, self.target)), [])
        self.assertEqual(self.query(CANARIES["team-a"], None, self.target).status, 401)

    def test_a_gateway_that_is_no_target_answers_nobody(self):
        self.gateway.settle()
        for token in (None, self.shared.token("team-a")):
            self.assertEqual(self.query(CANARIES["team-a"], token).status, 404)
