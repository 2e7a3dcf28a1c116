"""Strings, headers and bodies as a case writes them, turned into bytes."""

import gzip
import struct
import urllib.parse
from dataclasses import dataclass, field

LONG = ("repeat", "concat", "range_join")


def is_long(value):
    return isinstance(value, dict) and any(k in value for k in LONG)


def text(value):
    """A string, or one of the long forms."""
    if isinstance(value, str):
        return value
    if "repeat" in value:
        s, n = value["repeat"]
        out = text(s) * n
    elif "concat" in value:
        out = "".join(text(v) for v in value["concat"])
    elif "range_join" in value:
        fmt, n, sep = value["range_join"]
        out = sep.join(fmt.replace("%d", str(i)) for i in range(n))
    else:
        raise ValueError(f"not a string: {value!r}")
    return urllib.parse.quote(out, safe="") if value.get("pct") else out


def raw(value):
    """A string or `{"hex": ..}`, as bytes."""
    if isinstance(value, dict) and "hex" in value:
        return bytes.fromhex(text(value["hex"]))
    return text(value).encode()


def pairs(headers):
    """Headers, an object or a list of pairs, as a list of (name, bytes)."""
    items = headers.items() if isinstance(headers, dict) else (headers or [])
    return [(name, raw(value)) for name, value in items]


@dataclass
class Body:
    """The pieces in which a body is written, and what goes around them."""

    pieces: list
    ext: bytes = b""
    trailers: list = field(default_factory=list)
    pause: float = 0.0

    @property
    def whole(self):
        return self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)


PIECE = 64 * 1024


def body(value):
    """A body of any form; None where there is none."""
    if value is None:
        return None
    if isinstance(value, str) or is_long(value):
        return Body([text(value).encode()])
    if "hex" in value:
        return Body([raw(value)])
    if "gzip" in value:
        return Body([gzip.compress(body(value["gzip"]).whole, mtime=0)])
    if "snappy" in value:
        return Body([snappy(body(value["snappy"]).whole)])
    if "multipart" in value:
        return Body([multipart(value["multipart"], value["boundary"])])
    if "chunks" in value:
        return Body(
            [body(v).whole for v in value["chunks"]],
            ext=text(value.get("ext", "")).encode(),
            trailers=pairs(value.get("trailers")),
            pause=value.get("delay_ms", 0) / 1000,
        )
    if "size" in value:
        n = value["size"]
        block = bytes(range(256)) * (PIECE // 256)
        return Body([block] * (n // PIECE) + ([block[: n % PIECE]] if n % PIECE else []))
    if "drip" in value:
        whole = body(value["drip"]).whole
        return Body([whole[i : i + 1] for i in range(len(whole))], pause=value["ms"] / 1000)
    if "rw1" in value:
        return Body([snappy(write_request(value["rw1"]))])
    raise ValueError(f"not a body: {sorted(value)}")


def multipart(fields, boundary):
    out = []
    for name, value in fields:
        out.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{text(name)}"\r\n\r\n{text(value)}\r\n')
    return ("".join(out) + f"--{boundary}--\r\n").encode()


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def snappy(data):
    """The block format, literals only: any reader takes it."""
    out = [varint(len(data))]
    for i in range(0, len(data), PIECE):
        part = data[i : i + PIECE]
        out.append(bytes([61 << 2]) + struct.pack("<H", len(part) - 1) + part)
    return b"".join(out)


def message(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def write_request(series):
    """A remote-write 1.0 request: one sample of value 1 for each series."""
    sample = message(2, b"\x09" + struct.pack("<d", 1.0) + b"\x10" + varint(1_700_000_000_000))
    out = []

    def add(labels, i):
        made = b""
        for name, value in labels:
            name, value = (text(s).replace("%d", str(i)).encode() for s in (name, value))
            made += message(1, message(1, name) + message(2, value))
        out.append(message(1, made + sample))

    for one in series:
        if isinstance(one, dict):
            labels, n = one["repeat"]
            for i in range(n):
                add(labels, i)
        else:
            add(one, 0)
    return b"".join(out)
