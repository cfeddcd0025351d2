"""The long connection's frames: protobuf written by hand, so that it is no copy of what the SDK does.

A frame is proto2: 1 SeqID, 2 LogID, 3 service, 4 method (0 control, 1 data), 5 headers {1 key, 2 value}, 6 encoding and
7 type of the payload, 8 payload, 9 LogIDNew; the first four are required.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

CONTROL, DATA = 0, 1
_VARINT, _BYTES = 0, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    method: int
    service: int
    headers: dict[str, str] = field(default_factory=dict)
    payload: bytes = b""
    seq: int = 0
    log: int = 0


def encode(frame: Frame) -> bytes:
    numbers = {1: frame.seq, 2: frame.log, 3: frame.service, 4: frame.method}
    parts = [_tag(number, _VARINT) + _varint(value) for number, value in numbers.items()]
    for key, value in frame.headers.items():
        parts.append(_sized(5, _sized(1, key.encode()) + _sized(2, value.encode())))
    if frame.payload:
        parts.append(_sized(8, frame.payload))
    return b"".join(parts)


def decode(raw: bytes) -> Frame:
    """ValueError where this is no frame."""
    numbers: dict[int, int] = {}
    headers: dict[str, str] = {}
    payload = b""
    for number, value in _fields(raw):
        match number, value:
            case 1 | 2 | 3 | 4, int():
                numbers[number] = value
            case 5, bytes():
                pair = dict(_fields(value))
                headers[_text(pair.get(1))] = _text(pair.get(2))
            case 8, bytes():
                payload = value
            case 6 | 7 | 9, bytes():
                pass
            case _:
                raise ValueError(f"no such field of a frame: {number}")
    if numbers.keys() != {1, 2, 3, 4}:
        raise ValueError("a required field of the frame is missing")
    return Frame(
        seq=numbers[1], log=numbers[2], service=numbers[3], method=numbers[4], headers=headers, payload=payload
    )


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(raw):
        key, at = _read_varint(raw, at)
        match key & 7:
            case 0:
                value, at = _read_varint(raw, at)
                yield key >> 3, value
            case 2:
                size, at = _read_varint(raw, at)
                if at + size > len(raw):
                    raise ValueError("the frame breaks off")
                yield key >> 3, raw[at : at + size]
                at += size
            case wire:
                raise ValueError(f"wire type {wire} does not occur in a frame")


def _read_varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(raw) or shift > 63:
            raise ValueError("a number breaks off")
        value |= (raw[at] & 0x7F) << shift
        at += 1
        if not raw[at - 1] & 0x80:
            return value, at
        shift += 7


def _varint(value: int) -> bytes:
    value &= 2**64 - 1  # negative numbers take ten bytes
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _tag(number: int, wire: int) -> bytes:
    return _varint(number << 3 | wire)


def _sized(number: int, data: bytes) -> bytes:
    return _tag(number, _BYTES) + _varint(len(data)) + data


def _text(value: int | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else ""
