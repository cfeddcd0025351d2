"""A colour profile in which red means blue: small, valid, and impossible to overlook."""

import struct
from io import BytesIO

RED, GREEN, BLUE = (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7139)  # sRGB, under D50
D50 = (0.9642, 1.0, 0.8249)


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_fixed(value) for value in values)


def swapping_profile() -> bytes:
    """A version 2 matrix profile with the primaries of red and blue exchanged."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    name = b"Red is blue\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(78)
    tags = {
        b"desc": description,
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": _xyz(D50),
        b"rXYZ": _xyz(BLUE),
        b"gXYZ": _xyz(GREEN),
        b"bXYZ": _xyz(RED),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    table, body = BytesIO(), BytesIO()
    start = 128 + 4 + 12 * len(tags)
    for kind, value in tags.items():
        table.write(kind + struct.pack(">II", start + body.tell(), len(value)))
        body.write(value + bytes(-len(value) % 4))
    rest = struct.pack(">I", len(tags)) + table.getvalue() + body.getvalue()
    head = struct.pack(">I4sI4s4s4s", 128 + len(rest), b"none", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + b"".join(map(_fixed, D50))
    return head.ljust(128, b"\0") + rest
