"""The data of two tenants, whose every part that only one of them has carries that tenant's word."""

import http.server
import json
import threading

# A tenant's word stands in its metric names, labels, exemplars, rules, annotations and comments, and
# nowhere in what the other tenant may see.
WORDS = {"team-a": "alpha", "team-b": "beta"}


def exposition(word):
    """What an application of a tenant exposes: OpenMetrics with an exemplar."""
    return f"""\
# HELP requests Requests served.
# TYPE requests counter
requests_total{{path="/{word}/pay"}} 7 # {{trace_id="{word}-trace"}} 1
# HELP latency_seconds Time to answer.
# TYPE latency_seconds histogram
latency_seconds_bucket{{path="/{word}/pay",le="0.1"}} 3 # {{trace_id="{word}-slow-trace"}} 0.07
latency_seconds_bucket{{path="/{word}/pay",le="+Inf"}} 7
latency_seconds_sum{{path="/{word}/pay"}} 2.5
latency_seconds_count{{path="/{word}/pay"}} 7
# HELP {word}_only A gauge that only {word} has.
# TYPE {word}_only gauge
{word}_only{{{word}_label="{word}-value"}} 3
# EOF
"""


class Applications:
    """One server that exposes the metrics of each tenant under `/WORD`."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = exposition(self.path.strip("/").split("?")[0]).encode()
                self.send_response(200)
                self.send_header("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()


def scrape_configs(port):
    """Both tenants' applications; a relabelling makes the tenant's label. One target is dropped."""
    relabel = [
        {"source_labels": ["word"], "regex": word, "target_label": "tenant_id", "replacement": tenant}
        for tenant, word in WORDS.items()
    ]
    dropped = [{"source_labels": ["word"], "regex": ".*-dropped", "action": "drop"}]
    return [
        {
            "job_name": f"{word}-job",
            "metrics_path": f"/{word}",
            "relabel_configs": relabel + dropped,
            "static_configs": [
                {"targets": [f"127.0.0.1:{port}"], "labels": {"word": word}},
                {"targets": [f"{word}-dropped.test:80"], "labels": {"word": f"{word}-dropped"}},
            ],
        }
        for word in WORDS.values()
    ]


def recording(tenant, word, name):
    return {"record": f"{word}:{name}", "expr": f'sum(requests_total{{tenant_id="{tenant}"}})', "labels": {"tenant_id": tenant}}


def alerting(tenant, word, name):
    return {
        "alert": f"{word}_{name}",
        "expr": f'{word}_only{{tenant_id="{tenant}"}} > 0',
        "labels": {"tenant_id": tenant, "severity": "page"},
        "annotations": {"summary": f"{word}-annotation", "description": "it is {{ $value }}"},
    }


def rules():
    """Rules of each tenant in a group of its own and in one for both, and one without a tenant."""
    groups = [
        {"name": f"{word}-group", "rules": [recording(tenant, word, "requests:sum"), alerting(tenant, word, "alone")]}
        for tenant, word in WORDS.items()
    ]
    mixed = [make(t, w, n) for t, w in WORDS.items() for make, n in ((recording, "mixed:sum"), (alerting, "mixed"))]
    groups.append({"name": "mixed-group", "rules": mixed})
    platform = {
        "alert": "PlatformBusy",
        "expr": "requests_total > 0",
        "labels": {"severity": "info"},
        "annotations": {"summary": "{{ $labels.path }} is busy"},
    }
    groups.append({"name": "platform-group", "rules": [platform]})
    return json.dumps({"groups": groups})


def alerts_fire(client):
    """Whether an upstream, asked directly, tells that every alert of every tenant fires."""
    listed = client.get("/api/v1/alerts").json()["data"]
    shown = listed.get("alerts", listed.get("Alerts")) or []
    firing = {alert["labels"]["alertname"] for alert in shown if alert["state"] == "firing"}
    return firing >= {f"{word}_{name}" for word in WORDS.values() for name in ("alone", "mixed")}


def series(tenant, times):
    """Series of a tenant for remote-write, without the label that a receiver adds by itself."""
    word = WORDS[tenant]
    steps = list(enumerate(times))
    counted = {"__name__": "requests_total", "path": f"/{word}/pay", "job": f"{word}-job"}
    return [
        (counted, [(t, 5.0 * i) for i, t in steps], {"trace_id": f"{word}-trace"}),
        ({"__name__": f"{word}_only", f"{word}_label": f"{word}-value"}, [(t, 3.0) for _, t in steps]),
        ({"__name__": "shared_gauge", "zone": f"{word}-zone"}, [(t, i % 5 + 0.5) for i, t in steps]),
    ]


def archive(word, end, steps=60):
    """An hour of a series up to a time in seconds, as OpenMetrics for `promtool tsdb create-blocks-from`."""
    lines = [f'{word}_archived{{vault="{word}-vault"}} {i} {end - 60 * (steps - i)}' for i in range(steps)]
    return "\n".join([f"# TYPE {word}_archived gauge", *lines, "# EOF", ""])
