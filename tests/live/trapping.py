"""The built module with a trap put into one callback, to see what the host makes of it."""


def read(data, at):
    """An unsigned LEB128 number, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def write(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes([*out, n])


def sections(module):
    at, out = 8, []
    while at < len(module):
        kind = module[at]
        size, start = read(module, at + 1)
        out.append((kind, module[start:start + size]))
        at = start + size
    return out


def imported(section):
    """The number of imported functions."""
    count, at = read(section, 0)
    functions = 0
    for _ in range(count):
        for _ in range(2):
            size, at = read(section, at)
            at += size
        kind, at = section[at], at + 1
        functions += kind == 0
        if kind != 0:
            raise ValueError("the module imports more than functions")
        _, at = read(section, at)
    return functions


def trapping(module, callback):
    """The module whose export `callback` is a function that traps."""
    parts = sections(module)
    by_kind = dict(parts)
    imports = imported(by_kind[2])
    own, types_at = read(by_kind[3], 0)
    exported, export = find(by_kind[7], callback.encode())
    types, at = [], types_at
    while at < len(by_kind[3]):
        one, at = read(by_kind[3], at)
        types.append(one)
    changed = {
        3: write(own + 1) + by_kind[3][types_at:] + write(types[exported - imports]),
        7: export(imports + own),
        10: write(own + 1) + by_kind[10][read(by_kind[10], 0)[1]:] + b"\x03\x00\x00\x0b",
    }
    out = module[:8]
    for kind, data in parts:
        data = changed.get(kind, data)
        out += bytes([kind]) + write(len(data)) + data
    return out


def find(section, name):
    """The function that is exported by a name, and the section with another in its place."""
    count, at = read(section, 0)
    for _ in range(count):
        size, at = read(section, at)
        found, at = section[at:at + size], at + size
        kind, at = section[at], at + 1
        start = at
        index, at = read(section, at)
        if found == name and kind == 0:
            return index, lambda other: section[:start] + write(other) + section[at:]
    raise ValueError(f"there is no export {name!r}")
