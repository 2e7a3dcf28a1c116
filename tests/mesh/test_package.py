"""What scripts/package makes: reproducible, complete, and what its checksums say."""

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import unittest

import stack as stacks


def package(directory):
    """Runs scripts/package; returns its output."""
    script = os.path.join(stacks.ROOT, "scripts", "package")
    argv = [sys.executable, script, "--module", stacks.module(), "--out", directory]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def tree(directory):
    found = {}
    for where, _, files in os.walk(directory):
        for name in files:
            path = os.path.join(where, name)
            with open(path, "rb") as f:
                found[os.path.relpath(path, directory)] = f.read()
    return found


class ThePackage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="promfence-package-")
        cls.addClassCleanup(temporary.cleanup)
        cls.directory = os.path.join(temporary.name, "one")
        cls.other = os.path.join(temporary.name, "two")
        cls.said = package(cls.directory)
        cls.files = tree(cls.directory)
        with open(stacks.module(), "rb") as f:
            cls.module = f.read()

    def blob(self, digest):
        data = self.files["image/blobs/sha256/" + digest.removeprefix("sha256:")]
        self.assertEqual("sha256:" + hashlib.sha256(data).hexdigest(), digest)
        return data

    def test_two_runs_give_the_same_bytes(self):
        self.assertEqual(package(self.other), self.said)
        self.assertEqual(tree(self.other), self.files)

    def test_the_image_has_one_layer_with_the_module_alone(self):
        digest = self.said.strip().rpartition("@")[2]
        index = json.loads(self.files["image/index.json"])
        self.assertEqual([m["digest"] for m in index["manifests"]], [digest])
        manifest = json.loads(self.blob(digest))
        self.assertEqual([layer["mediaType"] for layer in manifest["layers"]], ["application/vnd.oci.image.layer.v1.tar+gzip"])
        self.blob(manifest["config"]["digest"])
        self.blob(manifest["layers"][0]["digest"])
        path = os.path.join(self.directory, "image/blobs/sha256", manifest["layers"][0]["digest"].removeprefix("sha256:"))
        with tarfile.open(path) as tar:
            self.assertEqual(tar.getnames(), ["plugin.wasm"])
            self.assertEqual(tar.extractfile("plugin.wasm").read(), self.module)

    def test_the_checksums_are_those_of_the_files(self):
        lines = self.files["SHA256SUMS"].decode().splitlines()
        self.assertEqual(len(lines), 3)
        for digest, name in (line.split("  ") for line in lines):
            self.assertEqual(hashlib.sha256(self.files[name]).hexdigest(), digest, name)

    def test_the_archive_has_module_schema_and_examples(self):
        name = next(n for n in self.files if n.endswith(".tar.gz"))
        with tarfile.open(os.path.join(self.directory, name)) as tar:
            inside = {m.name.partition("/")[2]: tar.extractfile(m).read() for m in tar.getmembers()}
        for wanted in ("promfence.wasm", "promfence.cdx.json", "envoy/promfence.schema.json", "envoy/envoy.yaml",
                       "istio/wasmplugin.yaml", "istio/gateway.yaml", "LICENSE", "README.md"):
            self.assertIn(wanted, inside)
        for digest, name in (line.split("  ") for line in inside["SHA256SUMS"].decode().splitlines()):
            self.assertEqual(hashlib.sha256(inside[name]).hexdigest(), digest, name)

    def test_the_bill_of_materials_names_what_is_linked_and_the_module(self):
        bill = json.loads(self.files["promfence.cdx.json"])
        names = {c["name"] for c in bill["components"]}
        self.assertLessEqual({"proxy-wasm", "serde_json", "promql-parser", "jwt-simple"}, names)
        self.assertFalse({"clap", "rustls", "proptest", "wasmi"} & names, "not in the module")
        self.assertEqual(bill["metadata"]["component"]["hashes"][0]["content"], hashlib.sha256(self.module).hexdigest())
        known = {c["bom-ref"] for c in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
        for entry in bill["dependencies"]:
            self.assertIn(entry["ref"], known)
            self.assertLessEqual(set(entry["dependsOn"]), known)
        for component in bill["components"]:
            self.assertTrue(component["hashes"] and component["licenses"], component["name"])
