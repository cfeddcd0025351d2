"""Taking a picture that a person adds: refused at its first bytes if it is none, counted while it comes."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from adapters.web.incoming import MOST_BYTES
from adapters.web.messages import Upload
from adapters.web.ports import Blobs
from adapters.web.words import NOT_A_PICTURE
from bot.errors import PictureError
from bot.i18n import Text
from bot.media.sniff import HEAD, sniff
from bot.media.spool import spool


async def take(name: str, chunks: AsyncIterator[bytes], blobs: Blobs) -> Upload:
    """Keep the bytes as they come. Whether they can be drawn with is for the core to find out.

    Raises `PictureError` for what is no picture or too large, and `Unavailable` where the disk is full.
    """
    head = b""
    while len(head) < HEAD and (chunk := await anext(chunks, b"")):
        head += chunk
    media_type = sniff(head[:HEAD])
    if not media_type:
        raise PictureError(Text(NOT_A_PICTURE.message, {"name": name}))
    with tempfile.TemporaryDirectory(prefix="upload-") as folder:
        file = Path(folder) / "picture"
        size = await spool(_again(head, chunks), file, max_bytes=MOST_BYTES)
        return Upload(name=name, blob=await blobs.put(file), media_type=media_type, size=size)


async def _again(head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for chunk in rest:
        yield chunk
