"""Bodies of writes made by hand: what no honest sender sends."""

import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "cases"))
from values import message, snappy, varint  # noqa: E402

V1 = {"content-type": "application/x-protobuf", "content-encoding": "snappy", "x-prometheus-remote-write-version": "0.1.0"}
V2 = {**V1, "content-type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
      "x-prometheus-remote-write-version": "2.0.0"}
OTLP = {"content-type": "application/x-protobuf"}


def now():
    return int(time.time() * 1000)


def double(number, value):
    return varint(number << 3 | 1) + struct.pack("<d", value)


def fixed(number, value):
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def number(field, value):
    return varint(field << 3) + varint(value)


def v1(*series, at=None, value=1.0):
    """Remote-write 1.0, decoded: one sample for each series, a list of (name, value) in order."""
    sample = message(2, double(1, value) + number(2, at or now()))
    made = (b"".join(message(1, message(1, n.encode()) + message(2, v.encode())) for n, v in labels) for labels in series)
    return b"".join(message(1, labels + sample) for labels in made)


def v2(*series, at=None, value=1.0, exemplar=None):
    """Remote-write 2.0, decoded; with an exemplar for each series if `exemplar` has labels."""
    at = at or now()
    table = {"": 0}

    def refs(labels):
        texts = (t for pair in labels for t in pair)
        return message(1, b"".join(varint(table.setdefault(text, len(table))) for text in texts))

    made = []
    for labels in series:
        one = refs(labels) + message(2, double(1, value) + number(2, at))
        if exemplar:
            one += message(4, refs(exemplar) + double(2, value) + number(3, at))
        made.append(message(5, one + message(5, number(1, 2))))
    return b"".join([message(4, t.encode()) for t in table] + made)


def otlp(*points, resource=(), scope=(), name="forged", at=None, value=1.0):
    """OTLP: a gauge with one point for each list of attributes."""
    at = (at or now()) * 1_000_000

    def attributes(field, pairs):
        return b"".join(message(field, message(1, k.encode()) + message(2, message(1, v.encode()))) for k, v in pairs)

    data = b"".join(message(1, attributes(7, p) + fixed(3, at) + double(4, value)) for p in points)
    metric = message(1, name.encode()) + message(5, data)
    inner = message(1, message(1, b"s") + attributes(3, scope)) + message(2, metric)
    return message(1, message(1, attributes(1, resource)) + message(2, inner))


__all__ = ["message", "snappy", "varint"]
