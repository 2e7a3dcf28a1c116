"""The tables that scripts/figures writes, and those that are written."""

import json
import os
import sys
import tempfile
import unittest
from unittest import mock

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import figures  # noqa: E402
import results  # noqa: E402


class Figures(unittest.TestCase):
    def test_the_written_tables_have_the_form_that_the_program_gives(self):
        for file, (name, _, _) in figures.TABLES.items():
            with open(os.path.join(results.ROOT, file)) as f:
                text, _ = figures.block(f.read(), name)
            self.assertIsNotNone(text, f"{file} has no markers")
            self.assertTrue(figures.well_formed(name_of(name), text), text)

    def test_a_table_that_was_changed_by_hand_has_another_form(self):
        good = figures.figures(figures.SAMPLE)
        self.assertTrue(figures.well_formed("README.md", good), good)
        for old, new in [("1,000", "many"), ("0123456+", "yesterday"), ("| Run |", "| Test |"), ("0 leaks", "no leaks"), ("2026-01-31 |", "2026-01-31 | x |")]:
            self.assertIn(old, good)
            self.assertFalse(figures.well_formed("README.md", good.replace(old, new)), new)
        table = figures.families(figures.SAMPLE)
        self.assertTrue(figures.well_formed(".github/SECURITY.md", table), table)
        self.assertFalse(figures.well_formed(".github/SECURITY.md", table.replace("| 3 |", "| all |")))

    def test_what_runs_leave_is_summed_and_what_failed_is_told(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, {"PROMFENCE_RESULTS": folder}):
            self.assertEqual(results.read(), {})
            results.record("cases-hostile-1.40", families={"H": [60, 1, 4], "J": [70, 0, 5]})
            results.record("cases-identity-1.40", families={"ID": [80, 0, 0]})
            results.record("cases-identity-1.36", families={"ID": [79, 1, 0]})
            results.record("live-faults", passed=10, failed=0, skipped=0)
            results.record("live-reload", passed=5, failed=2, skipped=0)
            results.record("live-thanos", passed=100, failed=0, skipped=0)
            results.record("differential", queries=1_000_000, wrong=3)
            found = results.read()
            with open(os.path.join(folder, "differential.json")) as f:
                self.assertEqual(json.load(f)["queries"], 1_000_000)
        table = figures.figures(found).splitlines()
        self.assertEqual([line.split(" | ")[1:3] for line in table[2:]],
                         [["289", "2 failed"], ["1,000,000", "3 wrong"], ["15", "2 failed"]])
        table = figures.families(found).splitlines()
        self.assertEqual(table[2:], ["| HTTP: paths, framing, headers | 60 | 0 | 1 |", "| Tokens, certificates, secrets | 150 | 79 | 1 |"])

    def test_every_case_belongs_to_a_family(self):
        letters = {prefix for all_of in figures.FAMILIES.values() for prefix in all_of}
        here = os.path.dirname(os.path.abspath(__file__))
        for file in os.listdir(here):
            if file.endswith(".jsonl"):
                with open(os.path.join(here, file)) as f:
                    self.assertLessEqual({json.loads(line)["id"].split("-")[0] for line in f if line.strip()}, letters, file)


def name_of(name):
    return next(file for file, (n, _, _) in figures.TABLES.items() if n == name)


if __name__ == "__main__":
    unittest.main()
