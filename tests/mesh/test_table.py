"""The table of mistakes in README.md is the list that is tested."""

import os
import re
import unittest

import mistakes
import stack as stacks


class TheTableOfMistakes(unittest.TestCase):
    maxDiff = None

    def test_it_says_what_the_tests_say(self):
        with open(os.path.join(stacks.ROOT, "README.md")) as f:
            chapter = f.read().partition("### What happens when something is missing")[2].partition("\n## ")[0]
        rows = [tuple(cells) for cells in re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", chapter, re.M)]
        self.assertEqual(rows[1:], [(m.what, str(m.running), str(m.fresh)) for m in mistakes.mistakes("")])
