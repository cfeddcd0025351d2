"""The frames of the long connection, written and read by Google's protobuf.

lark-oapi carries a protobuf of its own, in plain Python, which takes eight times as long for a frame and its answer.
tests/adapters/feishu/test_sdk.py compares what stands in a frame with what lark-oapi was generated from.
"""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

Json = Mapping[str, Any]

CONTROL, DATA = 0, 1  # a frame's method
HEADER = ("required string key", "required string value")  # the first is field 1
FRAME = (
    "required uint64 SeqID",
    "required uint64 LogID",
    "required int32 service",
    "required int32 method",
    "repeated message headers",
    "optional string payload_encoding",
    "optional string payload_type",
    "optional bytes payload",
    "optional string LogIDNew",
)


class NotAFrame(ValueError):
    """What came is none of the long connection's frames."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A frame as it came; `frame` is protobuf's own object, from which the answer is made."""

    method: int
    headers: Mapping[str, str]
    payload: bytes
    frame: Any


class Codec:
    """new: makes a frame, empty or of its fields. broken: what protobuf raises where it cannot read one."""

    def __init__(self, new: Callable[..., Any], broken: type[Exception]) -> None:
        self._new = new
        self._broken = broken

    def read(self, raw: bytes) -> Arrived:
        """Raises `NotAFrame`."""
        frame = self._new()
        try:
            frame.ParseFromString(raw)
        except self._broken as error:
            raise NotAFrame from error
        headers = {header.key: header.value for header in frame.headers}
        # One without all it must have could not be answered; words that are not UTF-8 are handed out as bytes.
        if not frame.IsInitialized() or not all(isinstance(word, str) for pair in headers.items() for word in pair):
            raise NotAFrame
        return Arrived(frame.method, headers, frame.payload, frame)

    def ping(self, service: int) -> bytes:
        headers = [{"key": "type", "value": "ping"}]
        written: bytes = self._new(
            SeqID=0, LogID=0, service=service, method=CONTROL, headers=headers
        ).SerializeToString()
        return written

    def answer(self, arrived: Arrived, code: int, data: Json | None, *, took: float) -> bytes:
        """The same frame with an answer in it, to be made once. took: seconds."""
        frame = arrived.frame
        frame.headers.add(key="biz_rt", value=str(round(took * 1000)))
        payload: dict[str, Any] = {"code": code}
        if data is not None:
            payload["data"] = base64.b64encode(json.dumps(data).encode()).decode()
        frame.payload = json.dumps(payload).encode()
        written: bytes = frame.SerializeToString()
        return written


async def load() -> Codec:
    """The first call imports protobuf (0.02 s, 2 MiB), in a thread."""
    return await asyncio.to_thread(_codec)


@cache
def _codec() -> Codec:
    from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

    file = descriptor_pb2.FileDescriptorProto(
        name="pbbp2.proto", syntax="proto2", message_type=[_described("Header", HEADER), _described("Frame", FRAME)]
    )
    pool = descriptor_pool.DescriptorPool()  # of its own: somebody else's may know frames, too
    pool.Add(file)
    return Codec(message_factory.GetMessageClass(pool.FindMessageTypeByName("Frame")), message.DecodeError)


def _described(message: str, fields: tuple[str, ...]) -> Json:
    found = []
    for number, field in enumerate(fields, 1):
        label, kind, name = field.split()
        of = {"type_name": "Header"} if kind == "message" else {}
        kinds = {"label": f"LABEL_{label.upper()}", "type": f"TYPE_{kind.upper()}"}
        found.append({"name": name, "number": number, **kinds, **of})
    return {"name": message, "field": found}
