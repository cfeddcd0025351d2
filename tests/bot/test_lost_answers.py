"""A commit whose answer is lost: nobody is told that what is kept has failed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from bot.chat import Reply
from bot.generation.accepting import Accepted
from bot.generation.states import State
from bot.storage.postgres import PostgresDatabase
from tests.bot.generation.core import Core, working
from tests.postgres import BOTH, Emptied

pytestmark = [*BOTH[1].marks, pytest.mark.slow]


class LossyCable:
    """Forwards to the server of `url`. The first connection that says `about` and then commits ends there: the server
    has committed, and its answer goes no further.
    """

    def __init__(self, url: str, about: bytes) -> None:
        self._url = urlsplit(url)
        self._about = about
        self.lost = 0
        self._ended: list[asyncio.Event] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for each in self._ended:  # whoever was connected has gone
            await each.wait()

    @property
    def url(self) -> str:
        user, at, _ = self._url.netloc.rpartition("@")
        port = self._server.sockets[0].getsockname()[1]
        return self._url._replace(netloc=f"{user}{at}127.0.0.1:{port}").geturl()

    async def _forward(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        self._ended.append(ended := asyncio.Event())
        far_in, far_out = await asyncio.open_connection(self._url.hostname, self._url.port or 5432)
        said = committed = False

        async def ask() -> None:
            nonlocal said, committed
            while asked := await near_in.read(65536):
                said = said or self._about in asked
                committed = said and not self.lost and b"COMMIT" in asked
                far_out.write(asked)

        async def answer() -> None:
            while answered := await far_in.read(65536):
                if committed:
                    self.lost += 1
                    break
                near_out.write(answered)

        tasks = [asyncio.create_task(ask()), asyncio.create_task(answer())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in (near_out, far_out):
            each.close()
            with suppress(OSError):
                await each.wait_closed()
        ended.set()


@pytest_asyncio.fixture
async def cable(emptied: Emptied) -> AsyncIterator[LossyCable]:
    async with LossyCable(emptied(), b"INSERT INTO generations") as cable:
        yield cable


async def test_a_request_that_is_kept_is_no_failure(cable: LossyCable, tmp_path: Path) -> None:
    async with PostgresDatabase(cable.url) as database:
        core = Core(database=database, folder=tmp_path)
        async with working(core):
            accepted = await core.ask("/imagine a red fox")
            assert isinstance(accepted, Accepted)
            async with asyncio.timeout(60):
                reply = await core.delivery.end_of(accepted.generation)

        assert cable.lost == 1
        assert reply.state == State.SETTLED
        assert [post.key for post in core.adapter.shown if post.reply.state == "failed"] == []
        assert len(await database.fetch("SELECT 1 FROM generations")) == 1
        await core.check_books()


async def test_one_that_was_not_kept_is(emptied: Emptied, tmp_path: Path) -> None:
    async with LossyCable(emptied(), b"INSERT INTO people") as cable, PostgresDatabase(cable.url) as database:
        core = Core(database=database, folder=tmp_path)
        async with working(core):
            reply = await core.ask("/imagine a red fox")

        assert cable.lost == 1
        assert isinstance(reply, Reply)
        assert reply.state == "failed"
        assert await database.fetch("SELECT 1 FROM generations") == []
