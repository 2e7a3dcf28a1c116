"""Seeds of the fuzz targets, and what of their findings is kept.

make DIR SHARED TARGET...   writes seeds for each target into DIR/TARGET
keep NEW CORPUS SEEDS       adds inputs of NEW to CORPUS, the smallest first, up to a size
"""

import glob
import hashlib
import json
import os
import struct
import sys

# Of a target's corpus, in bytes and in files: all of it stays in the repository.
MOST, FILES = 20 * 1024, 150
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def lines(pattern):
    for path in sorted(glob.glob(pattern)):
        with open(path, encoding="utf-8") as f:
            for line in f:
                if line.strip():
                    yield json.loads(line)


def queries(shared):
    for one in [*lines(f"{ROOT}/tests/promql/own.jsonl"), *lines(f"{shared}/corpus/promql/*.jsonl")]:
        text = one.get("query") or one.get("input")
        if isinstance(text, str):
            yield text.encode("utf-8", "surrogatepass")


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def write1():
    label = lambda n, v: field(1, field(1, n) + field(2, v))
    sample = field(2, field(1, 1.5) + field(2, 1750000000000))
    exemplar = field(3, field(1, field(1, "trace") + field(2, "x")) + field(2, 1.0) + field(3, 1))
    for labels in [[], [("t", "b")], [("h", "x"), ("t", "a"), ("u1", "y")], [("t", "a"), ("t", "b")], [("a", ""), ("z", "1")]]:
        series = label("__name__", "up") + b"".join(label(n, v) for n, v in labels)
        yield field(1, series + sample)
        yield field(1, series + sample + exemplar) * 2 + field(3, field(1, 1) + field(2, "up"))
        yield field(1, series + field(4, field(1, 3) + field(3, 1.0) + field(15, 1)))


def write2():
    for symbols, refs in [
        (["", "__name__", "up", "t", "b"], [1, 2, 3, 4]),
        (["", "t", "a", "u1", "h"], [1, 2, 3, 2, 4, 2]),
        (["", "a", "b"], [1, 2, 1, 2]),
        ([""], []),
    ]:
        packed = field(1, b"".join(varint(r) for r in refs))
        series = packed + field(2, field(1, 1.0) + field(2, 1)) + field(5, field(1, 1) + field(3, 0))
        yield b"".join(field(4, s) for s in symbols) + field(5, series)
        yield b"".join(field(4, s) for s in symbols) + field(5, series + field(4, packed + field(2, 1.0))) * 2


def otlp():
    attribute = lambda number, n, v: field(number, field(1, n) + field(2, field(1, v)))
    point = lambda n: attribute(7, n, "b") + varint(3 << 3 | 1) + bytes(8) + field(4, 1.0)
    for name in ["t", "u.x", "job", "h"]:
        gauge = field(1, "up") + field(5, field(1, point(name)))
        scope = field(1, field(1, "s") + attribute(3, name, "x"))
        yield field(1, field(1, attribute(1, name, "b")) + field(2, scope + field(2, gauge)))
        total = field(1, "x.total") + field(3, "1") + field(7, field(1, point(name)) + field(2, 2) + field(3, 1))
        yield field(1, field(2, field(2, total)))


def read():
    for kind, name, value in [(0, "t", "b"), (2, "t", ".*"), (1, "a", ""), (3, "t", "a")]:
        matcher = field(1, kind) + field(2, name) + field(3, value)
        yield field(1, field(1, 1) + field(2, 2) + field(3, matcher)) + field(2, 1)


def snappy(message):
    """One literal after the length."""
    out, n = varint(len(message)), len(message)
    if n == 0:
        return out
    head = bytes([(n - 1) << 2]) if n <= 60 else bytes([61 << 2]) + struct.pack("<H", n - 1)
    return out + head + message


def answers():
    def labels(t):
        return '"labels":{"tenant_id":"tenant-%s"}' % t

    alert = '{%s,"annotations":{},"state":"firing","activeAt":"x","value":"1e+00"}'
    rule = '{"name":"r","query":"up",%s,"alerts":[%s],"type":"alerting","state":"firing"}'
    both = ",".join(rule % (labels(t), alert % labels(t)) for t in "ab")
    wrap = '{"status":"success","data":%s,"warnings":["PromQL info: x","store y"]}'
    yield wrap % ('{"groups":[{"name":"g","file":"f","rules":[%s]}]}' % both)
    yield wrap % ('{"groups":[{"name":"g","rules":[%s]}],"groupNextToken":"t"}' % (rule % ('"labels":{}', alert % labels("a"))))
    yield wrap % ('{"alerts":[%s,%s]}' % (alert % labels("a"), alert % labels("b")))
    yield wrap % ('{"activeTargets":[{"discoveredLabels":{},%s},{%s}],"droppedTargets":[{}],"droppedTargetCounts":{"a":1}}' % (labels("a"), labels("b")))
    yield wrap % '[{"seriesLabels":{"tenant_id":"tenant-a"},"exemplars":[]},{"seriesLabels":{"tenant_id":"tenant-b"}}]'
    yield wrap % '{"up":[{"type":"gauge","help":"","unit":""}],"down":[]}'
    yield wrap % '{"resultType":"vector","result":[{"metric":{"tenant_id":"tenant-a"},"value":[1,"2"]}]}'
    yield wrap % '[{"tenant_id":"tenant-a"},{"tenant_id":"tenant-b"}]'
    matcher = '{"name":"tenant_id","value":"tenant-%s","isRegex":false,"isEqual":true}'
    silence = '{"id":"0","matchers":[%s],"startsAt":"2025-06-15T15:06:40Z","endsAt":"2025-06-16T15:06:40Z","createdBy":"x","comment":"y"}'
    yield silence % (matcher % "a")
    yield "[%s,%s]" % (silence % (matcher % "a"), silence % (matcher % "b"))
    yield '[{%s},{%s}]' % (labels("a"), labels("b"))
    yield '[{"labels":{},"receiver":{"name":"r"},"alerts":[{%s},{%s}]}]' % (labels("a"), labels("b"))
    yield 'up{tenant_id="tenant-a"} 1 2\n# HELP x y\nup{a="b",tenant_id="tenant-b"} 1\n'
    yield '{"status":"error","errorType":"x","error":"store {tenant_id=\\"b\\"} 3:5: parse error"}'


def vectors():
    with open(f"{ROOT}/tests/jwt/vectors.json", encoding="utf-8") as f:
        return f.read()


def tokens():
    for text in vectors().split('"'):
        if text.startswith("eyJ") and text.count(".") == 2 and len(text) < 1000:
            yield b"Bearer " + text.encode()
    yield b"bearer  eyJhbGciOiJub25lIn0.e30."
    yield b"Basic dTpw"


def key_sets():
    known = json.loads(vectors())
    stack = [known]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if "kty" in value:
                yield json.dumps({"keys": [value, {"kty": "x"}]}).encode()
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
    yield b'{"iss":"m","aud":"a","exp":1800000100,"t":["x"]}'


def make(target, shared):
    encoded = [a.encode() for a in answers()]
    plain = {
        "promql": lambda: queries(shared),
        "params": lambda: [b"query=up%7Ba%3D%22b%22%7D&time=1\nstep=15s", b"\nquery=up&start=1&end=2&step=1", b"match[]=up&match%5B%5D=x&limit=3\n",
                           b"filter=a%3D%22b%22&active=true\n", b"query=1;2&x=%zz\n", b"query=up&query=up\nquery=up"],
        "respond": lambda: encoded,
        "respond_stream": lambda: [bytes([7]) + e for e in encoded],
        "respond_lossless": lambda: [bytes(range(200)), bytes(7 * i % 256 for i in range(300))],
        "auth_token": tokens,
        "auth_keys": key_sets,
        "auth_claims": lambda: [b'"t":"a","l":{"x":"y"}', b'"t":["a","b"],"g":["g-x","y"],"w":"c d","l":{"x":["y"]}', b'"t":{"a":1},"l":{}'],
        "auth_der": lambda: [b"\1" + bytes(64), b"\2" + b"\xff" * 96, b"\0\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\0" + bytes(32)],
        "remote_read": read,
        "write_v1": write1,
        "write_v2": write2,
        "write_otlp": otlp,
        "write_raw": lambda: [snappy(m) for m in [*write1(), *write2(), *read()]] + [*otlp(), b"\xff\xff\xff\xff\x0f\0"],
        "exchange": lambda: [hashlib.shake_128(bytes([i])).digest(40 + 20 * i) for i in range(40)],
    }
    name = target if target in plain else target.split("_")[0]
    return plain[name]()


def add(folder, data):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, hashlib.sha1(data).hexdigest()[:16]), "wb") as f:
        f.write(data)


def digests(folder):
    found = {}
    for path in glob.glob(os.path.join(folder, "*")):
        with open(path, "rb") as f:
            found[f.read()] = path
    return found


def keep(new, corpus, seeds):
    """Queries of other projects are seeds, and are not copied into this one."""
    have, foreign = digests(corpus), digests(seeds) if "promql" in corpus else {}
    size = sum(map(len, have))
    for data in sorted(set(digests(new)) - set(have) - set(foreign), key=lambda d: (len(d), d)):
        if size + len(data) > MOST or len(have) >= FILES:
            break
        add(corpus, data)
        have[data] = None
        size += len(data)
    print(f"{corpus}: {len(have)} inputs, {size} bytes")


def main(argv):
    if argv[:1] == ["make"] and len(argv) > 3:
        for target in argv[3:]:
            os.makedirs(os.path.join(argv[1], target), exist_ok=True)
            for seed in make(target, argv[2]):
                add(os.path.join(argv[1], target), seed)
    elif argv[:1] == ["keep"] and len(argv) == 4:
        keep(*argv[1:])
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
