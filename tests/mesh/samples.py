"""Remote-write requests with one sample, made by hand."""

import struct
import time


def body(labels, value=1.0):
    """A snappy-compressed remote-write 1.0 request with one series of one sample, now."""
    pairs = b"".join(field(1, field(1, n.encode()) + field(2, v.encode())) for n, v in sorted(labels.items()))
    sample = b"\x09" + struct.pack("<d", value) + b"\x10" + varint(int(time.time() * 1000))
    return snappy(field(1, pairs + field(2, sample)))


HEADERS = {
    "content-type": "application/x-protobuf",
    "content-encoding": "snappy",
    "x-prometheus-remote-write-version": "0.1.0",
}


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def snappy(data):
    """Snappy's block format, literals only."""
    out = varint(len(data))
    for i in range(0, len(data), 60):
        part = data[i:i + 60]
        out += bytes([len(part) - 1 << 2]) + part
    return out
