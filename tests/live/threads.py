"""The CPU time of one thread of Envoy."""

import os


def worker(pid):
    """The thread of Envoy's only worker."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/comm") as f:
            if f.read().startswith("wrk:worker_0"):
                return f"/proc/{pid}/task/{task}/schedstat"
    raise RuntimeError("Envoy has no worker")


def spent(thread):
    """Nanoseconds of CPU of a thread."""
    with open(thread) as f:
        return int(f.read().split()[0])
