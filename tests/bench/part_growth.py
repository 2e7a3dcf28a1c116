"""`scripts/bench growth`: instructions of the core for work of growing size, and the exponent of each.

Callgrind counts them, so that the figures do not depend on how busy the machine is. An exponent of 1
is linear; it is fitted to the three largest sizes, where what every request costs weighs least.
"""

import math

import core
import guard

TIMES = 3
SIZES = {
    "query": ("bytes of a query", (64, 256, 1024, 4096, 16384)),
    "selectors": ("selectors of a query", (1, 4, 16, 64, 256)),
    "tenants": ("tenants of the grant", (1, 8, 64, 256, 640)),
    "series1": ("series of a checked body, 1.0", (50, 200, 800, 3200, 12800)),
    "series2": ("series of a checked body, 2.0", (50, 200, 800, 3200, 12800)),
}


def run(stack, options, report):
    program = core.build()
    for dimension, (what, sizes) in SIZES.items():
        found = [guard.instructions(program, TIMES, "grow", dimension, size, TIMES) for size in sizes]
        exponent = fit(sizes[-3:], found[-3:])
        report.add({"load": what, "size": size, "instructions": n} for size, n in zip(sizes, found))
        report.add([{"load": what, "exponent": round(exponent, 2)}])
        if exponent > 1.1:
            raise RuntimeError(f"{what}: the cost grows with an exponent of {exponent:.2f}")


def fit(sizes, costs):
    """The slope of the line through the logarithms, by least squares."""
    xs, ys = [math.log(s) for s in sizes], [math.log(c) for c in costs]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys)) / sum((a - x) ** 2 for a in xs)
