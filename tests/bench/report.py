"""The figures as a table on standard output, and as JSON."""

import json
import os
import platform
import time

COLUMNS = [
    ("load", "load", "<16"), ("size", "size", ">7"), ("instructions", "instructions", ">13"),
    ("exponent", "exponent", ">8"), ("workers", "w", ">1"), ("candidate", "candidate", "<29"),
    ("requests_s", "req/s", ">7"), ("p50_us", "p50 us", ">7"), ("p99_us", "p99 us", ">7"), ("cpu_us", "cpu us", ">8"),
    ("x_bare", "x bare", ">7"), ("x_noop", "x empty", ">8"), ("chain_x", "chain x", ">8"),
    ("x_jwt", "x jwt", ">7"), ("x_401", "x 401", ">7"), ("mb_s", "MB/s", ">7"), ("filter_mb_s", "own MB/s", ">8"),
    ("own_us", "own us", ">7"), ("ns", "ns", ">9"), ("x_go", "x Go", ">6"), ("sent", "requests", ">9"),
    ("rss_mib", "MiB", ">6"), ("vm_mib", "VM MiB", ">6"), ("mib_100k", "MiB/100k", ">8"),
    ("body_mib", "body MiB", ">8"), ("taken_mib", "taken MiB", ">9"), ("ms", "ms", ">7"), ("more_ms", "ms more", ">7"),
]


def shown(value):
    return "" if value is None else str(value)


class Report:
    """Rows of one part, printed as they come."""

    def __init__(self, part):
        self.part, self.rows, self.columns = part, [], None

    def add(self, rows):
        rows = list(rows.values()) if isinstance(rows, dict) else list(rows)
        columns = [col for col in COLUMNS if any(col[0] in r for r in rows)]
        if columns != self.columns:
            self.columns = columns
            print("\n" + "  ".join(f"{title:{form}}" for _, title, form in columns), flush=True)
        for r in rows:
            print("  ".join(f"{shown(r.get(key)):{form}}" for key, _, form in columns), flush=True)
        self.rows += rows

    def write(self, directory):
        """Writes PART.json and returns its path."""
        path = os.path.join(directory, f"{self.part}.json")
        os.makedirs(directory, exist_ok=True)
        with open(path, "w") as f:
            json.dump({"part": self.part, "machine": machine(), "rows": self.rows}, f, indent=1)
            f.write("\n")
        return path


def machine():
    model = ""
    try:
        with open("/proc/cpuinfo") as f:
            model = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), "")
    except OSError:
        pass
    return {
        "cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "load_average": round(os.getloadavg()[0], 1),
    }
