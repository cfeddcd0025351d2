"""Server-sent events from bytes, without I/O: feed what arrived, get the frames that are complete.

Tolerant as the standard asks: any split, LF, CRLF or CR, comments, several `data:` lines, unknown fields.
A frame that was cut before its blank line is never given.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

MOST_AHEAD = 64 * 1024 * 1024  # bytes that wait to be looked at: as much as one frame may have


@dataclass(frozen=True, slots=True)
class Frame:
    """`event` is "" where the server named none."""

    event: str
    data: str

    def json(self) -> dict[str, Any] | None:
        try:
            data = json.loads(self.data)
        except (ValueError, RecursionError):
            return None
        return data if isinstance(data, dict) else None


class FrameTooLong(ValueError):
    pass


class Decoder:
    """One stream. `most` bounds the bytes of one frame, which is held in memory.

    Frames with links have a few hundred bytes. Some gateways put base64 there unasked, and the largest picture
    that is expected, a 4K PNG of 40 MB, has 53 MiB of it.
    """

    def __init__(self, most: int = 64 * 1024 * 1024) -> None:
        self._most = most
        self._line: list[bytes] = []
        self._held = 0
        self._event = ""
        self._data: list[str] = []
        self._after_cr = False
        self._first = True

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        if not chunk:
            return
        if self._after_cr:
            # The CR before already ended the line: an LF right after it belongs to it.
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        *ended, rest = _lines(chunk)
        for part in ended:
            self._hold(len(part))
            self._line.append(part)
            line, self._line = b"".join(self._line), []
            yield from self._take(line)
        self._after_cr = chunk.endswith(b"\r")
        self._line.append(rest)
        self._hold(len(rest))

    def _take(self, line: bytes) -> Iterator[Frame]:
        if self._first:
            line = line.removeprefix(b"\xef\xbb\xbf")
            self._first = False
        if not line:
            if self._data:
                yield Frame(self._event, "\n".join(self._data))
            self._event, self._data, self._held = "", [], 0
            return
        name, _, value = line.partition(b":")
        words = value.removeprefix(b" ").decode("utf-8", "replace")
        if name == b"event":
            self._event = words
        elif name == b"data":
            self._data.append(words)

    def _hold(self, count: int) -> None:
        self._held += count
        if self._held > self._most:
            raise FrameTooLong(f"a frame longer than {self._most} bytes")


def _lines(chunk: bytes) -> list[bytes]:
    return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")


async def read_ahead(
    source: AsyncGenerator[T, None],
    most: int = 32,
    *,
    weight: Callable[[T], int] = lambda _: 0,
    heaviest: int = MOST_AHEAD,
) -> AsyncGenerator[T, None]:
    """The same, read while the caller is busy with what came before; `most` of it wait.

    A connection that breaks takes with it what has arrived and was not read yet. weight: bytes of one; nothing more is
    read while more than `heaviest` wait.
    """
    ready: asyncio.Queue[T] = asyncio.Queue(most)
    held, taken = 0, asyncio.Event()

    async def read() -> None:
        nonlocal held
        async with aclosing(source):
            async for one in source:
                held += weight(one)
                await ready.put(one)
                while held > heaviest:
                    taken.clear()
                    await taken.wait()

    reading = asyncio.create_task(read())
    try:
        while True:
            coming = asyncio.ensure_future(ready.get())
            await asyncio.wait((coming, reading), return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                coming.cancel()
                break
            held -= weight(coming.result())
            taken.set()
            yield coming.result()
        await reading
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
