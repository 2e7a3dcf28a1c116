"""The files of istio/ before Istio's own tools, the API server and `promfence check`."""

import glob
import os
import shutil
import subprocess
import unittest

import mesh as meshes
import stack as stacks
from shared import shared

ISTIO = os.path.join(stacks.ROOT, "istio")
SETS = {
    "the WasmPlugin": ["gateway.yaml", "wasmplugin.yaml", "authorization.yaml", "networkpolicy.yaml", "mtls.yaml"],
    "the EnvoyFilter": ["gateway.yaml", "envoyfilter.yaml", "authorization.yaml"],
    "RequestAuthentication": ["gateway.yaml", "authentication.yaml", "authorization.yaml"],
    "the sidecar": ["sidecar.yaml", "mtls.yaml"],
}


def files():
    """All shipped manifests."""
    found = sorted(os.path.basename(f) for f in glob.glob(os.path.join(ISTIO, "*.yaml")))
    return [f for f in found if f != "kustomization.yaml"]


def run(*argv, **more):
    """A program's exit status and all that it said."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ISTIO, **more)
    return done.returncode, done.stdout


def istioctl(*argv):
    return run(stacks.tool("istioctl"), *argv, env={**os.environ, "HOME": "/nonexistent"})


class TheShippedManifests(unittest.TestCase):
    def test_every_file_belongs_to_a_set(self):
        self.assertEqual(sorted({f for s in SETS.values() for f in s}), files())

    def test_istioctl_validates_each(self):
        for name in files():
            status, said = istioctl("validate", "-f", name)
            self.assertEqual(status, 0, f"{name}: {said}")
            self.assertNotIn("can't unmarshal Any nested proto", said, name)
            self.assertNotIn("unknown field", said.lower(), name)

    def test_istioctl_analyzes_each_set_without_a_finding(self):
        for what, names in SETS.items():
            around = os.path.join(stacks.ROOT, "tests", "mesh", "around.yaml")
            status, said = istioctl("analyze", "--use-kube=false", *names, around)
            self.assertEqual(status, 0, f"{what}: {said}")
            self.assertIn("No validation issues found", said, what)

    def test_the_api_server_takes_each(self):
        for name in files():
            shared().mesh.apply(*meshes.shipped(name), dry=True)

    def test_the_api_server_refuses_a_field_that_it_does_not_know(self):
        plugin = meshes.shipped("wasmplugin.yaml")[0]
        plugin["spec"]["failStrategie"] = "FAIL_CLOSE"
        with self.assertRaisesRegex(meshes.Refused, "failStrategie"):
            shared().mesh.apply(plugin, dry=True)

    def test_promfence_check_finds_nothing(self):
        for what, names in SETS.items():
            status, said = run(stacks.command(), "check", "--strict", *names)
            self.assertEqual(status, 0, f"{what}: {said}")

    def test_the_kustomization_names_files_that_are_there(self):
        named = meshes.shipped("kustomization.yaml")[0]["resources"]
        self.assertLessEqual(set(named), set(files()))
        if shutil.which("kubectl"):
            status, said = run("kubectl", "kustomize", ".")
            self.assertEqual(status, 0, said)
            for kind in ("WasmPlugin", "Gateway", "VirtualService", "AuthorizationPolicy", "NetworkPolicy"):
                self.assertIn(f"kind: {kind}\n", said)
