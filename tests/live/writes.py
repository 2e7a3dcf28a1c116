"""Receivers, senders and what they stored, for the tests of writes."""

import json
import time

import stack as stacks
import web

RECEIVE_SEAL = "receive-seal-of-these-tests-"


def receive(stack, name="receive", *more):
    """Starts a Thanos Receive; returns its ports: remote-write, gRPC, HTTP."""
    write, grpc, http = (stack.port() for _ in range(3))
    start_receive(stack, name, write, grpc, http, *more)
    return write, grpc, http


def start_receive(stack, name, write, grpc, http, *more):
    argv = [
        stacks.tool("thanos"), "receive", f"--tsdb.path={stack.path(name + '-data')}", "--log.level=info",
        f"--grpc-address=127.0.0.1:{grpc}", f"--http-address=127.0.0.1:{http}",
        f"--remote-write.address=127.0.0.1:{write}", "--receive.tenant-header=THANOS-TENANT",
        "--receive.tenant-label-name=tenant_id", f"--receive.capnproto-address=127.0.0.1:{stack.port()}",
        '--label=replica="0"', "--tsdb.max-exemplars=100000",
        "--tsdb.enable-native-histograms", "--tsdb.retention=1d", "--http-grace-period=1s", "--grpc-grace-period=1s", *more,
    ]
    stack.start(name, argv, f"http://127.0.0.1:{http}/-/ready")


def query(stack, *stores):
    """Starts a Thanos Query over stores; returns its port once it sees them."""
    http, grpc = stack.port(), stack.port()
    argv = [stacks.tool("thanos"), "query", "--log.level=warn", f"--http-address=127.0.0.1:{http}",
            f"--grpc-address=127.0.0.1:{grpc}", *(f"--endpoint=127.0.0.1:{s}" for s in stores)]
    stack.start("query", argv, f"http://127.0.0.1:{http}/-/ready")

    def sees():
        found = web.request(http, "GET", "/api/v1/stores").json()["data"] or {}
        return sum(len(s) for s in found.values()) >= len(stores)

    stack.wait("Query to see its stores", sees, 60)
    return http


def prometheus(stack, name="prometheus", *more, config="global: {}\n"):
    """Starts a Prometheus that takes writes; returns its port."""
    port = stack.port()
    path = stack.write(f"{name}.yml", config)
    argv = [stacks.tool("prometheus"), f"--config.file={path}", f"--web.listen-address=127.0.0.1:{port}",
            f"--storage.tsdb.path={stack.path(name + '-data')}", "--web.enable-remote-write-receiver",
            "--web.enable-otlp-receiver", "--enable-feature=exemplar-storage", "--log.level=warn", *more]
    stack.start(name, argv, f"http://127.0.0.1:{port}/-/ready")
    return port


def upstream(kind, cluster, prefix, **options):
    """An `upstreams` entry of the gateway, under a prefix of its own."""
    return {kind: {"hosts": ["127.0.0.1", "gateway.test"], "cluster": cluster, "prefix": f"/{prefix}",
                   "seal": f"{RECEIVE_SEAL}{prefix}", **options}}


def agent(stack, name, writes, scrapes, *more, external=None):
    """Starts a Prometheus in agent mode; returns its port.

    `writes` are `remote_write` entries; `scrapes` are `scrape_configs` entries, or a callable that
    makes them of the agent's own port.
    """
    port = stack.port()
    if callable(scrapes):
        scrapes = scrapes(port)
    config = {
        "global": {"scrape_interval": "1s", "scrape_native_histograms": True, "external_labels": external or {}},
        "scrape_configs": scrapes,
        "remote_write": writes,
    }
    path = stack.write(f"{name}.yml", json.dumps(config, indent=1))
    argv = [stacks.tool("prometheus"), "--agent", f"--config.file={path}", f"--web.listen-address=127.0.0.1:{port}",
            f"--storage.agent.path={stack.path(name + '-data')}", "--log.level=info",
            "--enable-feature=exemplar-storage,metadata-wal-records", *more]
    stack.start(name, argv, f"http://127.0.0.1:{port}/-/ready")
    return port


def remote_write(name, url, token=None, v2=False, headers=None, **more):
    """A `remote_write` entry that sends everything it can, soon."""
    entry = {
        "name": name, "url": url, "send_exemplars": True, "send_native_histograms": True,
        "headers": headers or {},
        "queue_config": {"batch_send_deadline": "500ms", "min_backoff": "50ms", "max_backoff": "500ms", "max_shards": 2},
        "metadata_config": {"send": not v2, "send_interval": "2s"},
        **more,
    }
    if token:
        entry["authorization"] = {"credentials": token}
    if v2:
        entry["protobuf_message"] = "io.prometheus.write.v2.Request"
    return entry


def metrics_of(port, path="/metrics"):
    """The samples of a metrics page, by name with labels."""
    out = {}
    for line in web.request(port, "GET", path).text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            out[name] = float(value)
    return out


def queues(port, metric):
    """A metric of an agent's queues, by the name of the queue."""
    name = f"prometheus_remote_storage_{metric}"
    found = {}
    for key, value in metrics_of(port).items():
        if key.split("{")[0] == name:
            remote = key.partition('remote_name="')[2].partition('"')[0]
            found[remote] = found.get(remote, 0) + value
    return found


def stored(client, path, selector, seconds, at=None, without=("tenant_id", "replica", "receive")):
    """All raw samples of the selected series: label set -> [(time, value)], histograms as they are.

    A label set that stands twice fails: nothing may hide behind a label that is left out.
    """
    form = {"query": f"{selector}[{seconds}s]", "time": at or time.time()}
    answer = client.form(path, form)
    if answer.status != 200:
        raise AssertionError(f"{selector}: {answer}")
    out = {}
    for series in answer.json()["data"]["result"]:
        labels = tuple(sorted((k, v) for k, v in series["metric"].items() if k not in without))
        samples = [(t, v) for t, v in series.get("values", [])]
        samples += [(t, json.dumps(h, sort_keys=True)) for t, h in series.get("histograms", [])]
        if labels in out:
            raise AssertionError(f"twice: {labels}")
        out[labels] = sorted(samples)
    return out


def exemplars(client, path, selector, seconds, without=("tenant_id", "replica", "receive")):
    """All exemplars of the selected series, as text."""
    now = time.time()
    answer = client.form(path, {"query": selector, "start": now - seconds, "end": now + 1})
    if answer.status != 200:
        raise AssertionError(f"{selector}: {answer}")
    out = set()
    for series in answer.json()["data"]:
        labels = tuple(sorted((k, v) for k, v in series["seriesLabels"].items() if k not in without))
        for e in series["exemplars"]:
            out.add((labels, tuple(sorted(e["labels"].items())), e["value"], e["timestamp"]))
    return out


