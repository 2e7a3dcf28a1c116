"""Remote-write and remote-read messages, as far as the tests speak them."""

import struct


def varint(n):
    out = bytearray()
    n &= (1 << 64) - 1
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def message(number, payload):
    payload = payload.encode() if isinstance(payload, str) else payload
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def integer(number, value):
    return varint(number << 3) + varint(value)


def write_request(series):
    """A remote-write 1.0 request of (labels, [(time in ms, value)]), and perhaps the labels of an
    exemplar at the last of these times."""
    out = []
    for labels, samples, *exemplar in series:
        made = pairs(labels)
        made += b"".join(message(2, double(1, v) + integer(2, at)) for at, v in samples)
        made += b"".join(message(3, pairs(e) + double(2, 1.0) + integer(3, samples[-1][0])) for e in exemplar)
        out.append(message(1, made))
    return compress(b"".join(out))


def pairs(labels):
    """Labels, sorted as they must be."""
    return b"".join(message(1, message(1, n) + message(2, v)) for n, v in sorted(labels.items()))


def double(number, value):
    return varint(number << 3 | 1) + struct.pack("<d", value)


WRITE_HEADERS = {
    "content-type": "application/x-protobuf",
    "content-encoding": "snappy",
    "x-prometheus-remote-write-version": "0.1.0",
}
READ_HEADERS = {
    "content-type": "application/x-protobuf",
    "content-encoding": "snappy",
    "x-prometheus-remote-read-version": "0.1.0",
}
EQUAL, NOT_EQUAL, REGEX, NOT_REGEX = range(4)
SAMPLES, CHUNKS = 0, 1


def read_request(matchers, start, end, kinds=(SAMPLES,)):
    """A remote read of one query; matchers are (kind, name, value), times in ms."""
    query = integer(1, start) + integer(2, end)
    query += b"".join(message(3, integer(1, k) + message(2, n) + message(3, v)) for k, n, v in matchers)
    return compress(message(1, query) + b"".join(integer(2, k) for k in kinds))


def read_series(answer):
    """The label sets of an answer to a remote read, of either kind."""
    if "streamed" in answer.headers.get("content-type", ""):
        return [labels(s) for frame in frames(answer.body) for n, s in fields(frame) if n == 1]
    results = (r for n, r in fields(decompress(answer.body)) if n == 1)
    return [labels(s) for result in results for n, s in fields(result) if n == 1]


def labels(series):
    """Labels are the first field of a series of samples and of one of chunks."""
    pairs = (dict(fields(part)) for n, part in fields(series) if n == 1)
    return {p.get(1, b"").decode(): p.get(2, b"").decode() for p in pairs}


def frames(body):
    at = 0
    while at < len(body):
        size, at = read_varint(body, at)
        yield body[at + 4 : at + 4 + size]
        at += 4 + size


def fields(data):
    """The fields of a message: (number, bytes or integer)."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        if key & 7 == 0:
            value, at = read_varint(data, at)
        elif key & 7 == 1:
            value, at = data[at : at + 8], at + 8
        elif key & 7 == 2:
            size, at = read_varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"wire type {key & 7}")
        yield key >> 3, value


def read_varint(data, at):
    n = shift = 0
    while True:
        byte = data[at]
        at += 1
        n |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return n, at


def compress(data):
    """A snappy block of literals only: any reader takes it."""
    out = [varint(len(data))]
    for i in range(0, len(data), 60000):
        part = data[i : i + 60000]
        out.append(bytes([61 << 2]) + struct.pack("<H", len(part) - 1) + part)
    return b"".join(out)


def decompress(data):
    """A snappy block, whole."""
    size, at = read_varint(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            length = (tag >> 2) + 1
            if length > 60:
                more = length - 60
                length = int.from_bytes(data[at : at + more], "little") + 1
                at += more
            out += data[at : at + length]
            at += length
            continue
        if tag & 3 == 1:
            length, back, used = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[at], 1
        else:
            used = 2 if tag & 3 == 2 else 4
            length, back = (tag >> 2) + 1, int.from_bytes(data[at : at + used], "little")
        at += used
        for _ in range(length):
            out.append(out[-back])
    if len(out) != size:
        raise ValueError("a snappy block of another size than it says")
    return bytes(out)
