"""Remote-write bodies as senders make them, versions 1.0 and 2.0, by core-bench."""

import core


def write(stack, version, series):
    """A body with that many series of the tenant team-a: the compressed bytes, and the size before."""
    path = stack.path(f"body-{version}-{series}")
    size = core.run("body", str(version), str(series), path)
    with open(path, "rb") as f:
        return f.read(), int(size)
