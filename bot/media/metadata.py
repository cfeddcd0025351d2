"""How a picture was made, written into its file: PNG as an iTXt chunk, JPEG as a comment. The pixels are not touched.

The entry stands where we put it (behind the PNG header, behind the JPEG's application segments), so writing again
replaces it and reading looks at the first bytes only. Other kinds of files are left as they are.
"""

import asyncio
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from struct import pack
from typing import BinaryIO
from zlib import crc32

from bot.media.spool import disk_full_is_unavailable, removed_on_failure

KEYWORD = b"parameters"  # the word under which viewers of generated pictures look
PNG_HEADER = 8 + 25  # signature and IHDR chunk
PNG_ENTRY = KEYWORD + b"\0\0\0\0\0"  # not compressed, no language, no translated keyword
JPEG_ENTRY = KEYWORD + b": "
JPEG_MOST = 65_533  # a segment's length is two bytes and counts itself
APPLICATION = range(0xE0, 0xF0)
COMMENT = 0xFE
LONGEST = 1024 * 1024  # an entry longer than this is not ours


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where our entry stands in the file, or would (start == end), and the words in it."""

    kind: str
    start: int
    end: int
    words: bytes = b"{}"


async def write(file: Path, parameters: Mapping[str, str]) -> bool:
    """Put the parameters into a PNG or JPEG, replacing what was written before; False where the file takes none."""
    return await asyncio.to_thread(_write, file, dict(parameters))


async def read(file: Path) -> dict[str, str]:
    """The parameters that `write` put into the file, empty where there are none."""
    return await asyncio.to_thread(_read, file)


def weight(parameters: Mapping[str, str]) -> int:
    """How many bytes writing them adds to a file, at most."""
    return len(_words(parameters)) + len(PNG_ENTRY) + 12 if parameters else 0


def _words(parameters: Mapping[str, str]) -> bytes:
    return json.dumps(dict(parameters), ensure_ascii=False).encode()


def _write(file: Path, parameters: dict[str, str]) -> bool:
    changed = file.with_name(file.name + ".new")
    with disk_full_is_unavailable(), removed_on_failure(changed), file.open("rb") as old:
        found = _find(old)
        entry = _entry(found.kind, _words(parameters)) if found else None
        if found is None or entry is None:
            return False
        with changed.open("wb") as new:
            old.seek(0)
            new.write(old.read(found.start))
            new.write(entry)
            old.seek(found.end)
            shutil.copyfileobj(old, new, 1024 * 1024)
        changed.replace(file)
    return True


def _read(file: Path) -> dict[str, str]:
    with file.open("rb") as source:
        found = _find(source)
    try:
        data = json.loads(found.words) if found else {}
    except ValueError:
        return {}
    return {str(name): str(value) for name, value in data.items()} if isinstance(data, dict) else {}


def _entry(kind: str, words: bytes) -> bytes | None:
    if kind == "png":
        body = b"iTXt" + PNG_ENTRY + words
        return pack(">I", len(body) - 4) + body + pack(">I", crc32(body))
    segment = JPEG_ENTRY + words
    return pack(">BBH", 0xFF, COMMENT, len(segment) + 2) + segment if len(segment) <= JPEG_MOST else None


def _find(file: BinaryIO) -> _Entry | None:
    head = file.read(PNG_HEADER)
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR":
        return _find_in_png(file)
    if head.startswith(b"\xff\xd8\xff"):
        file.seek(2)
        return _find_in_jpeg(file)
    return None


def _find_in_png(file: BinaryIO) -> _Entry:
    header = file.read(8)
    length = int.from_bytes(header[:4], "big")
    if header[4:] == b"iTXt" and len(PNG_ENTRY) <= length <= LONGEST:
        body = file.read(length)
        if body.startswith(PNG_ENTRY):
            return _Entry("png", PNG_HEADER, PNG_HEADER + 12 + length, body[len(PNG_ENTRY) :])
    return _Entry("png", PNG_HEADER, PNG_HEADER)


def _find_in_jpeg(file: BinaryIO) -> _Entry:
    while True:
        start = file.tell()
        mark = file.read(4)
        length = int.from_bytes(mark[2:], "big")
        known = len(mark) == 4 and mark[0] == 0xFF and length >= 2
        if known and mark[1] in APPLICATION:
            file.seek(length - 2, 1)
            continue
        if known and mark[1] == COMMENT:
            body = file.read(length - 2)
            if body.startswith(JPEG_ENTRY):
                return _Entry("jpeg", start, start + 2 + length, body[len(JPEG_ENTRY) :])
        return _Entry("jpeg", start, start)
