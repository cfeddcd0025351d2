"""Small versions of our own pictures, made once and kept in a folder that may be emptied at any time.

What people send is not decoded here: a few hundred KiB of theirs can be billions of pixels.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.errors import NotThere
from bot.i18n import text
from bot.media.fit import Fitter
from bot.media.store import KEY, Blob, Blobs


class Thumbnails:
    """is_ours: whether a blob is a picture that was made here."""

    def __init__(
        self, blobs: Blobs, fitter: Fitter, folder: Path, *, is_ours: Callable[[str], Awaitable[bool]]
    ) -> None:
        self._is_ours = is_ours
        self._blobs = blobs
        self._fitter = fitter
        self._folder = folder
        self._making: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def __call__(self, blob: str, longest: int) -> Path:
        """The file of the thumbnail. Raises `NotThere` for a blob that is gone, `PictureError` for a damaged one."""
        kept = self._folder / f"{blob}-{longest}"
        if not await self._is_ours(blob):
            raise NotThere(text("This picture is no longer kept."))
        await self._blobs.size(blob)  # raises: what was deleted must not live on in small
        if await asyncio.to_thread(kept.exists):
            return kept
        async with self._making[kept.name]:
            if not await asyncio.to_thread(kept.exists):
                await self._make(blob, longest, kept)
        self._making.pop(kept.name, None)
        return kept

    def blobs(self) -> AsyncIterator[Blob]:
        """The originals."""
        return self._blobs.blobs()

    async def delete(self, key: str) -> None:
        """Remove an original, and what was made small of it."""
        await self._blobs.delete(key)
        if KEY.fullmatch(key):
            await asyncio.to_thread(self._forget, key)

    def _forget(self, key: str) -> None:
        for kept in self._folder.glob(f"{key}-*"):
            kept.unlink(missing_ok=True)

    async def _make(self, blob: str, longest: int, kept: Path) -> None:
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self._folder, prefix="making-") as work:
            original = Path(work, "original")
            await self._blobs.copy_to(blob, original)
            made = await self._fitter.thumbnail(original, longest, Path(work))
            await asyncio.to_thread(made.replace, kept)
