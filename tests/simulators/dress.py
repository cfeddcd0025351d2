"""How a good answer is dressed: everything that the documents leave open and a client has to live with."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from aiohttp import web

_UNEVEN = (1, 7, 2, 31, 3)  # how many bytes leave at a time
_PREVIEW = {"type": "image_generation.partial_image", "partial_image_index": 0, "b64_json": "iVBORw0KGgo="}
_UNKNOWN = {"type": "image_generation.thinking", "thought": "…"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dress:
    """Of any answer. times: sizes as 2048×2048. without: keys left out of the answer and of its entries.
    stop_at: the index at which an internal error ends a series; whole_error: 200, no entry and an error beside them.
    empty_strings: "" for the other of `url` and `b64_json`. gaps: seconds before each picture.

    Of a stream. newline: "\\n", "\\r\\n" or "\\r". split: at arbitrary bytes. comments, multi_line, previews and
    unknown put such lines and events among the others. completed, done: whether these two end it. error_after: the
    index after which an error for the whole request comes.
    """

    times: bool = False
    without: frozenset[str] = frozenset()
    stop_at: int = -1
    whole_error: bool = False
    empty_strings: bool = False
    gaps: float = 0.0
    newline: str = "\n"
    split: bool = False
    comments: bool = False
    multi_line: bool = False
    previews: bool = False
    unknown: bool = False
    completed: bool = True
    done: bool = True
    error_after: int = -1

    def of(self, data: dict[str, Any]) -> dict[str, Any]:
        """An answer, an entry or an event in this dress."""
        kept = {name: value for name, value in data.items() if name not in self.without}
        if self.times and "size" in kept:
            kept["size"] = kept["size"].replace("x", "×")
        if self.empty_strings and ("url" in kept or "b64_json" in kept):
            kept = {"url": "", "b64_json": "", **kept}
        if "data" in kept:
            kept["data"] = [self.of(entry) for entry in kept["data"]]
        return kept

    def frames(self, event: dict[str, Any]) -> bytes:
        """One event, and what else stands around it."""
        extra = [_PREVIEW] * self.previews + [_UNKNOWN] * self.unknown
        words = "".join(self._frame(each) for each in (*extra, self.of(event)))
        return ((": keep-alive\n\n" if self.comments else "") + words).replace("\n", self.newline).encode()

    def last(self) -> bytes:
        return "data: [DONE]\n\n".replace("\n", self.newline).encode() if self.done else b""

    async def write(self, response: web.StreamResponse, data: bytes) -> None:
        if not self.split:
            await response.write(data)
            return
        for piece in _pieces(data):
            await response.write(piece)
            await asyncio.sleep(0)  # so that it leaves by itself

    def _frame(self, event: dict[str, Any]) -> str:
        words = json.dumps(event, indent=1 if self.multi_line else None)
        lines = "\n".join(f"data: {line}" for line in words.splitlines())
        return f"event: {event['type']}\n{lines}\n\n"


def _pieces(data: bytes) -> Iterator[bytes]:
    at = 0
    for size in cycle(_UNEVEN):
        if at >= len(data):
            return
        yield data[at : at + size]
        at += size
