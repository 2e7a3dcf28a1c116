"""The chart: what it renders is what istio/ has, and values that would not protect are refused."""

import os
import tempfile
import unittest

import yaml

import mesh as meshes
import stack as stacks
from shared import shared
from test_manifests import istioctl, run

CHART = os.path.join(stacks.ROOT, "istio", "chart")
SEALS = {"receive": "seal-of-receive-replace-me-replace-me", "query": "seal-of-query-replace-me-replace-me"}


class TheChart(unittest.TestCase):
    maxDiff = None

    def helm(self, verb, values):
        """Runs helm with values in a file; returns status and output."""
        with tempfile.TemporaryDirectory(prefix="promfence-helm-") as home:
            path = os.path.join(home, "values.yaml")
            with open(path, "w") as f:
                yaml.safe_dump(values, f)
            name = ["promfence"] if verb == "template" else []
            argv = [stacks.tool("helm"), verb, *name, CHART, "-f", path, "--namespace", "istio-ingress"]
            return run(*argv, env={**os.environ, "HOME": home, "HELM_NO_PLUGINS": "1"})

    def render(self, **values):
        status, said = self.helm("template", {"seals": SEALS, **values})
        self.assertEqual(status, 0, said)
        return said, [d for d in yaml.safe_load_all(said) if d]

    def judged(self, said, documents):
        """Istio's tools, the API server and `promfence check` find nothing."""
        with tempfile.TemporaryDirectory(prefix="promfence-chart-") as directory:
            path = os.path.join(directory, "rendered.yaml")
            with open(path, "w") as f:
                f.write(said)
            status, found = istioctl("validate", "-f", path)
            self.assertEqual(status, 0, found)
            self.assertNotIn("can't unmarshal Any nested proto", found)
            status, found = run(stacks.command(), "check", "--strict", path)
            self.assertEqual(status, 0, found)
        shared().mesh.apply(*documents, dry=True)

    def test_helm_lints_it(self):
        status, said = self.helm("lint", {"seals": SEALS})
        self.assertEqual(status, 0, said)
        self.assertNotIn("[WARNING]", said)
        self.assertNotIn("[ERROR]", said)

    def test_it_renders_what_the_files_say(self):
        _, documents = self.render(kubernetes={"enabled": True})
        made = {(d["kind"], d["spec"].get("host", "")): d["spec"] for d in documents if "spec" in d}
        files = ("gateway.yaml", "wasmplugin.yaml", "authorization.yaml")
        wanted = {(d["kind"], d["spec"].get("host", "")): d["spec"] for f in files for d in meshes.shipped(f) if "spec" in d}
        self.assertEqual(made, wanted)

    def test_the_envoy_filter_is_that_of_the_file(self):
        _, documents = self.render(load="envoyfilter", kubernetes={"enabled": True})
        made = next(d for d in documents if d["kind"] == "EnvoyFilter")
        self.assertEqual(made["spec"], meshes.shipped("envoyfilter.yaml")[0]["spec"])

    def test_every_form_is_accepted_everywhere(self):
        for values in (
            {}, {"load": "envoyfilter"}, {"gateway": {"targetRef": "promfence"}}, {"networkPolicy": {"enabled": True}},
            {"kubernetes": {"enabled": True}}, {"authorization": {"enabled": False}},
        ):
            with self.subTest(str(values)):
                self.judged(*self.render(**values))

    def test_values_that_would_not_protect_are_refused(self):
        same = dict.fromkeys(SEALS, "x" * 32)
        for wanted, values in (
            ("seals", {"seals": {}}),
            ("seals.query", {"seals": {"receive": SEALS["receive"]}}),
            ("are the same", {"seals": same}),
            ("seals", {"seals": {**SEALS, "query": "short"}}),
            ("seals", {"seals": {**SEALS, "query": "*" * 40}}),
            ("digest", {"image": {"digest": "latest"}}),
            ("url", {"image": {"url": "oci://registry.example/promfence@sha256:0"}}),
            ("gatway", {"gatway": {}}),
            ("load", {"load": "both"}),
            ("hosts", {"hosts": []}),
            ("targetRef", {"load": "envoyfilter", "gateway": {"targetRef": "x"}}),
        ):
            status, said = self.helm("template", {"seals": SEALS, **values})
            self.assertNotEqual(status, 0, f"{values}: {said}")
            self.assertIn(wanted, said)
