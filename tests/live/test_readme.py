"""Every command and every example of the README, run or parsed as it stands."""

import os
import re
import subprocess
import unittest

import stack

with open(os.path.join(stack.ROOT, "README.md")) as f:
    README = f.read()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.M | re.S)
# What stands for something of the reader's own in a line of the README.
PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b|…|\.\.\.|<")


def blocks(language):
    return [text for kind, text in BLOCKS if kind == language]


class TheReadme(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.command = stack.command()
        cls.path = os.path.dirname(cls.command) + os.pathsep + os.environ["PATH"]

    def run_line(self, line):
        return subprocess.run(
            ["bash", "-c", line], cwd=stack.ROOT, text=True, capture_output=True, timeout=120,
            env={**os.environ, "PATH": self.path}, stdin=subprocess.DEVNULL,
        )

    def test_every_configuration_passes_promfence_check(self):
        found = [b for b in blocks("yaml") if re.search(r"^(upstreams|.*\bupstreams):", b, re.M)]
        self.assertGreaterEqual(len(found), 1)
        for text in found:
            with self.subTest(text=text[:60]):
                done = subprocess.run([self.command, "check", "-"], input=text, text=True, capture_output=True)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertIn("1 configuration, 0 errors", done.stdout)

    def test_every_promfence_line_runs(self):
        lines = [line for b in blocks("sh") for line in joined(b) if line.startswith("promfence ")]
        self.assertGreaterEqual(len(lines), 1)
        for line in lines:
            with self.subTest(line=line):
                if PLACEHOLDER.search(line):
                    done = self.run_line(" ".join(line.split()[:2]) + " --help")
                    for option in re.findall(r"(?<=\s)--[a-z-]+", line):
                        self.assertIn(option, done.stdout)
                else:
                    done = self.run_line(line)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_script_is_there_and_explains_itself(self):
        named = set(re.findall(r"\bscripts/[a-z-]+", README))
        self.assertGreaterEqual(len(named), 3)
        for script in sorted(named):
            with self.subTest(script=script):
                done = self.run_line(f"{script} --help")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertTrue(done.stdout.strip())

    def test_every_option_of_a_script_that_it_names_exists(self):
        lines = [line for b in blocks("sh") for line in joined(b) if line.startswith("scripts/")]
        for line in lines:
            script, *words = line.split("#")[0].split()
            text = self.run_line(f"{script} --help").stdout
            for option in (w for w in words if w.startswith("-")):
                with self.subTest(line=line):
                    self.assertIn(option, text)

    def test_every_file_it_links_to_is_there(self):
        for target in re.findall(r"\]\(([^)#:]+)\)", README):
            self.assertTrue(os.path.exists(os.path.join(stack.ROOT, target)), target)

    def test_its_promql_examples_come_out_as_it_says(self):
        before, after = re.search(r"`([^`]+)` becomes:\n\n```\n(.+)\n```", README).groups()
        done = subprocess.run(
            [self.command, "confine", "--label", "tenant_id", "--tenant", "team-a", before],
            text=True, capture_output=True,
        )
        self.assertEqual(done.stdout.strip(), after)


def joined(block):
    """The block's lines, with those that end in a backslash joined to the next."""
    return [line.strip() for line in block.replace("\\\n", " ").splitlines() if line.strip()]


class TheEndpointTable(unittest.TestCase):
    """The README's table of endpoints, against what the core says of each row."""

    CONFIG = {
        "prometheus": """
  - prometheus: {hosts: [h], cluster: c, federate: true, remote_read: true, metadata: empty, targets: empty,
      public: [/-/healthy, /-/ready], series_label: overwrite}
""",
        "thanos": "\n  - thanos: {hosts: [h], cluster: c, metadata: empty, targets: empty, public: [/-/healthy, /-/ready]}\n",
        "receive": "\n  - receive: {hosts: [h], cluster: c}\n",
        "alertmanager": "\n  - alertmanager: {hosts: [h], cluster: c, post_alerts: true, status: empty}\n",
    }

    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack("readme")
        cls.addClassCleanup(cls.stack.end)
        cls.command = stack.command()
        auth = "auth: {anonymous: {tenants: [a], write: a}}\nupstreams:"
        cls.configs = {kind: cls.stack.write(f"{kind}.yaml", auth + text) for kind, text in cls.CONFIG.items()}

    def verdict(self, kind, method, path):
        argv = [self.command, "explain", self.configs[kind], method, "http://h" + path]
        done = subprocess.run(argv, text=True, capture_output=True)
        return done.stdout + done.stderr

    def rows(self):
        """The paths of each row, with the methods of each kind of upstream that has them."""
        table = README[README.index("| Endpoint |"):]
        for line in table.splitlines()[2:]:
            if not line.startswith("|"):
                return
            cells = [c.strip() for c in line.strip("|").split("|")]
            names = re.findall(r"`([^`]+)`", cells[0])
            methods = set(cells[1].split())
            whole = ("/api/", "/-/", "/federate")
            for name in names:
                path = name if name.startswith(whole) else os.path.dirname(names[0]) + name
                path = path.replace("<name>", "job").replace("<id>", "00000000-0000-4000-8000-000000000000")
                if "Alertmanager" in cells[0]:
                    yield path if path.startswith("/api") else "/api/v2" + path, {"alertmanager": methods}
                elif "Receive" in cells[0]:
                    yield path, {"receive": methods}
                else:
                    yield path, {k: methods if v != "–" else set() for k, v in zip(("prometheus", "thanos"), cells[2:])}

    def test_each_method_is_known_exactly_where_the_table_says(self):
        listed = {}
        for path, kinds in self.rows():
            for kind, methods in kinds.items():
                listed.setdefault((kind, path), set()).update(methods)
        self.assertGreater(len(listed), 40)
        for (kind, path), methods in listed.items():
            for method in ("GET", "POST", "DELETE"):
                with self.subTest(kind=kind, method=method, path=path):
                    text = self.verdict(kind, method, path)
                    self.assertIn("decision ", text)
                    known = not re.search(r"denied with 40[45] \((endpoint|method)\)", text)
                    self.assertEqual(known, method in methods, text)
