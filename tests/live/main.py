"""Runs files of tests, and leaves the outcome of each for scripts/figures."""

import collections
import os
import sys
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import results  # noqa: E402

COUNTS = {}


class Result(unittest.TextTestResult):
    """Counts by file."""

    def count(self, test, how):
        test = getattr(test, "test_case", test)
        # What fails for a whole class has the class's name in its own.
        name = type(test).__module__
        if name.startswith("unittest"):
            name = str(test).partition("(")[2].partition(".")[0]
        COUNTS.setdefault(name, collections.Counter())[how] += 1

    def addSuccess(self, test):
        super().addSuccess(test)
        self.count(test, "passed")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.count(test, "failed")

    def addError(self, test, err):
        super().addError(test, err)
        self.count(test, "failed")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.count(test, "skipped")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.count(test, "failed")


def main():
    runner = unittest.TextTestRunner(verbosity=2, resultclass=Result)
    done = unittest.main(module=None, argv=["scripts/live", *sys.argv[1:]], testRunner=runner, catchbreak=True, exit=False)
    for name, counts in COUNTS.items():
        if name in sys.argv[1:]:
            results.record("live-" + name.removeprefix("test_"), **{k: counts[k] for k in ("passed", "failed", "skipped")})
    sys.exit(not done.result.wasSuccessful())


if __name__ == "__main__":
    main()
