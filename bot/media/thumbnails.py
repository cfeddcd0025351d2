"""Small versions of stored pictures, made once and kept in a folder that may be emptied at any time."""

import asyncio
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.media.fit import Fitter
from bot.media.store import Blobs


class Thumbnails:
    def __init__(self, blobs: Blobs, fitter: Fitter, folder: Path) -> None:
        self._blobs = blobs
        self._fitter = fitter
        self._folder = folder
        self._making: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def __call__(self, blob: str, longest: int) -> Path:
        """The file of the thumbnail. Raises `NotThere` for a blob that is gone, `PictureError` for a damaged one."""
        kept = self._folder / f"{blob}-{longest}"
        await self._blobs.size(blob)  # raises: what was deleted must not live on in small
        if await asyncio.to_thread(kept.exists):
            return kept
        async with self._making[kept.name]:
            if not await asyncio.to_thread(kept.exists):
                await self._make(blob, longest, kept)
        self._making.pop(kept.name, None)
        return kept

    async def _make(self, blob: str, longest: int, kept: Path) -> None:
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self._folder, prefix="making-") as work:
            original = Path(work, "original")
            await self._blobs.copy_to(blob, original)
            made = await self._fitter.thumbnail(original, longest, Path(work))
            await asyncio.to_thread(made.replace, kept)
