"""The files of istio/ before Istio's own tools, the API server and `promfence check`."""

import glob
import os
import subprocess
import unittest

import yaml

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


def by_name(documents):
    return {(d["kind"], d["metadata"].get("namespace"), d["metadata"]["name"]): d for d in documents}


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

    def test_the_kustomization_is_its_files(self):
        kustomization = meshes.shipped("kustomization.yaml")[0]
        status, said = run(stacks.tool("kustomize"), "build", ".")
        self.assertEqual(status, 0, said)
        made = [d for d in yaml.safe_load_all(said) if d]
        files = [d for f in kustomization["resources"] for d in meshes.shipped(f)]
        self.assertEqual(by_name(made), by_name(files))
        shared().mesh.apply(*made, dry=True)
