"""Where pictures are kept: blobs named by the SHA-256 of their bytes, in a local folder or an S3-compatible bucket.

A blob that `put` has returned is complete and survives a power cut; one that it has not returned is not to be seen.
"""

import asyncio
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from bot.errors import CannotStart, NotThere
from bot.i18n import text
from bot.media.bucket import Bucket, StoreUnavailable
from bot.media.sniff import HEAD, sniff
from bot.media.spool import disk_full_is_unavailable, removed_on_failure, spool

if TYPE_CHECKING:
    from obstore.store import ObjectStore

CHUNK = 1024 * 1024
PIECE = 128 * 1024  # of many readers at once each holds a few of these
KEY = re.compile(r"[0-9a-f]{64}")
INCOMING = ".incoming"
ABANDONED = 3600.0  # seconds after which a file in the incoming folder belongs to no living `put`
BELIEVED = 30.0  # seconds for which a bucket that kept something is taken to be well
DOUBTED = 5.0  # seconds for which one that did not is taken to be ill


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    key: str
    size: int
    stored: datetime


class Blobs:
    """The blobs under one address: `file:///folder`, `s3://bucket/prefix`, or `memory:///` for a moment.

    Keys come from our own tables and, as parts of links, from strangers: a key that is not one is `NotThere`. Where a
    bucket gives no good answer, every call raises `Unavailable`. access: how a bucket is reached, as `Bucket` takes it.
    """

    def __init__(self, url: str, **access: Any) -> None:
        self._url = url
        parts = urlsplit(url)
        self._folder = Path(unquote(parts.path)) if parts.scheme == "file" else None
        self._bucket = Bucket(url, **access) if parts.scheme == "s3" else None
        self._seen: tuple[float, StoreUnavailable | None] = 0.0, None
        self._looking = asyncio.Lock()

    @cached_property
    def _store(self) -> "ObjectStore":
        from obstore.store import LocalStore, from_url  # 6 MiB that an idle bot does without

        if self._folder is not None:
            return LocalStore(self._folder, mkdir=True)
        return self._bucket.reading if self._bucket else from_url(self._url)

    async def prepare(self) -> None:
        """Make ready for a start. Raises `CannotStart` where a bucket could keep nothing."""
        await self.sweep()
        if self._bucket is None:
            return
        try:
            await self._bucket.probe()
        except StoreUnavailable as error:
            raise CannotStart(f"{error.wrong}; {error.cure}") from error

    async def check_room(self) -> None:
        """Raises `Unavailable` where a bucket would keep nothing just now; of a folder the disk itself tells."""
        if self._bucket is None:
            return
        async with self._looking:
            until, trouble = self._seen
            if time.monotonic() >= until:
                trouble = await self._look(self._bucket)
                self._seen = time.monotonic() + (DOUBTED if trouble else BELIEVED), trouble
        if trouble:
            raise StoreUnavailable(trouble.wrong, trouble.cure)

    async def put(self, file: Path) -> str:
        """Keep the file's bytes and return their key; the same bytes again are the same blob, stored anew.

        Raises `Unavailable` where the disk is full.
        """
        if self._folder is not None:
            return await asyncio.to_thread(_put_durably, file, self._folder)
        key, media_type = await asyncio.to_thread(_digest, file)
        if self._bucket is None:
            await self._store.put_async(_path(key), file)
            return key
        try:
            await self._bucket.put(_path(key), file, media_type=media_type)
        except StoreUnavailable:
            self._seen = 0.0, None
            raise
        self._seen = time.monotonic() + BELIEVED, None
        return key

    async def read(self, key: str) -> AsyncIterator[bytes]:
        path = _path(key)
        with self._answering(key):
            result = await self._store.get_async(path)
            async for chunk in result.stream(min_chunk_size=PIECE):
                yield bytes(chunk)

    async def copy_to(self, key: str, file: Path) -> None:
        """Write the blob to a file of the caller's; no file stays if that fails."""
        if self._folder is not None:
            with removed_on_failure(file), disk_full_is_unavailable():
                try:
                    await asyncio.to_thread(shutil.copyfile, self._folder / _path(key), file)
                except FileNotFoundError as error:
                    raise _gone(key) from error
            return
        await spool(self.read(key), file, max_bytes=await self.size(key))

    async def link(self, key: str, seconds: float) -> str | None:
        """An address at which everybody can fetch this blob for so long, as long as it is kept.

        None where there is none: in a folder, or in a bucket that is not reached from outside. Raises `NotThere`.
        """
        if self._bucket is None or not self._bucket.is_public:
            return None
        path = _path(key)
        with self._answering(key):
            return await self._bucket.link(path, seconds)

    async def size(self, key: str) -> int:
        path = _path(key)
        with self._answering(key):
            try:
                return (await self._store.head_async(path))["size"]
            except FileNotFoundError:
                if self._bucket:
                    await self._bucket.really_missing(path)
                raise

    async def exists(self, key: str) -> bool:
        try:
            await self.size(key)
        except NotThere:
            return False
        return True

    async def delete(self, key: str) -> None:
        """Remove a blob; one that is not there is as good as removed."""
        path = _path(key)
        with suppress(NotThere), self._answering(key):
            await self._store.delete_async(path)

    async def blobs(self) -> AsyncIterator[Blob]:
        """All blobs in no order, streamed from the store's own listing."""
        with self._answering(""):
            async for batch in self._store.list():
                for entry in batch:
                    key = entry["path"].rpartition("/")[2]
                    if KEY.fullmatch(key) and entry["path"] == _path(key):
                        yield Blob(key=key, size=entry["size"], stored=entry["last_modified"])

    async def total(self) -> int:
        """Bytes kept, counted from the listing."""
        return sum([blob.size async for blob in self.blobs()])

    async def sweep(self) -> int:
        """Remove what processes that died in the middle of a `put` left behind; returns how many files."""
        if self._folder is None:
            return 0
        return await asyncio.to_thread(_sweep, self._folder / INCOMING)

    async def _look(self, bucket: Bucket) -> StoreUnavailable | None:
        try:
            await bucket.probe()
        except StoreUnavailable as error:
            return error
        return None

    @contextmanager
    def _answering(self, key: str) -> Iterator[None]:
        try:
            with self._bucket.answering() if self._bucket else nullcontext():
                yield
        except FileNotFoundError as error:
            raise _gone(key) from error


def _path(key: str) -> str:
    if not KEY.fullmatch(key):
        raise _gone(key)
    return f"{key[:2]}/{key[2:4]}/{key}"


def _gone(key: str) -> NotThere:
    return NotThere(text("This picture is no longer kept."), detail=f"blob {key[:64]!r}")


def _digest(file: Path) -> tuple[str, str]:
    """The key of its bytes, and their media type."""
    with file.open("rb") as source:
        media_type = sniff(source.read(HEAD))
        source.seek(0)
        return hashlib.file_digest(source, "sha256").hexdigest(), media_type


def _put_durably(file: Path, folder: Path) -> str:
    # obstore's LocalStore renames into place but flushes nothing: after a power cut the name may stand over no bytes.
    incoming = folder / INCOMING / secrets.token_hex(16)
    with disk_full_is_unavailable(), removed_on_failure(incoming):
        incoming.parent.mkdir(parents=True, exist_ok=True)
        key = _copy_and_flush(file, incoming)
        target = folder / _path(key)
        new_folders = _make_folders(target.parent, folder)
        incoming.replace(target)
        for changed in (target.parent, *new_folders):
            _flush_folder(changed)
    return key


def _copy_and_flush(file: Path, target: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as source, target.open("xb", buffering=0) as sink:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            view = memoryview(chunk)
            while view:
                view = view[sink.write(view) :]
        os.fsync(sink.fileno())
    return digest.hexdigest()


def _make_folders(wanted: Path, root: Path) -> list[Path]:
    """Make the folders down to `wanted`; returns the parents whose entries must reach the disk too."""
    # The parents are flushed even where they stood already: another `put` may have made them a moment ago.
    wanted.mkdir(parents=True, exist_ok=True)
    return [wanted.parent, root]


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # Windows opens no folders; its file systems journal the names
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(incoming: Path) -> int:
    if not incoming.is_dir():
        return 0
    stale = [file for file in incoming.iterdir() if time.time() - file.stat().st_mtime > ABANDONED]
    for file in stale:
        file.unlink(missing_ok=True)
    return len(stale)
