"""Uploads are fetched at once, and never too many of them at the same time."""

import asyncio
from pathlib import Path

from aiohttp import TCPConnector

from adapters.discord.event import File
from adapters.discord.files import MOST_AT_ONCE, Files


class Slow:
    """Every download waits until it is let go. most: how many were under way at the same time."""

    def __init__(self) -> None:
        self.let_go, self.full = asyncio.Event(), asyncio.Event()
        self.now = self.most = 0

    async def fetch(self, url: str, *, into: Path, hosts: tuple[str, ...], max_bytes: int) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        if self.now == MOST_AT_ONCE:
            self.full.set()
        await self.let_go.wait()
        await asyncio.to_thread(into.write_bytes, url.encode())
        self.now -= 1


async def test_so_many_uploads_come_at_once_and_the_others_after_them(tmp_path: Path) -> None:
    folder, fetcher = tmp_path / "uploads", Slow()
    uploads = [File(id=str(id), name="a.png", url=f"https://x.org/{id}", fleeting=True) for id in range(50)]
    async with Files(folder=folder, fetcher=fetcher, max_bytes=100, connector=TCPConnector, proxy=None) as files:
        files.keep(uploads)
        await asyncio.wait_for(fetcher.full.wait(), 10)
        fetcher.let_go.set()
        read = [b"".join([chunk async for chunk in files.read(each)]).decode() for each in uploads]
        await files.forget(uploads)

    assert read == [each.url for each in uploads]
    assert fetcher.most == MOST_AT_ONCE
    assert [*folder.iterdir()] == []
