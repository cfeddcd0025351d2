"""Which process hears a platform: always one, whatever goes wrong with the platform, or with the proof that it may."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.chat import Hook, Invocation, Post
from bot.ops import together
from bot.ops.together import Together
from bot.roles import Role
from bot.storage.postgres import connected
from tests.crash.waiting import until
from tests.postgres import Emptied, needs_postgres, new_schema

SECONDS = 60.0


@pytest.fixture
def url(emptied: Emptied) -> Iterator[str]:
    with new_schema(emptied.url) as url:
        yield url


@dataclass
class Platform:
    """heard: who was entered. problems: raised by the next entries and exits of `listening`, in this order."""

    entering: list[Exception] = field(default_factory=list)
    leaving: list[Exception] = field(default_factory=list)
    name: str = "fake"
    pace: float = 0.0
    hook: Hook | None = None
    alone: Mapping[str, bool] = field(default_factory=lambda: {"fake": False})
    times: int = 0
    hears: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> "Platform":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        if self.entering:
            raise self.entering.pop()
        self.hears, self.times = True, self.times + 1
        self.news.set()
        try:
            yield
        finally:
            self.hears = False
            self.news.set()
        if self.leaving:
            raise self.leaving.pop()

    async def post(self, post: Post) -> str:
        raise NotImplementedError

    async def replay(self, raw: Mapping[str, Any]) -> Invocation | None:
        raise NotImplementedError

    def trouble(self) -> str:
        return ""

    async def until(self, times: int) -> None:
        async with asyncio.timeout(SECONDS):
            while not (self.hears and self.times >= times):
                self.news.clear()
                await self.news.wait()


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "HEAR_AGAIN", 0.05)


def _end_the_sessions_with_claims(url: str) -> None:
    with connected(url) as raw:
        raw.execute(
            "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid=l.database"
            " WHERE l.locktype='advisory' AND d.datname=current_database() AND l.pid<>pg_backend_pid()"
        )


@needs_postgres
async def test_a_claim_that_was_lost_is_taken_up_again(url: str) -> None:
    platform = Platform()
    async with Together(url, Role.GATEWAY).listening(platform):
        for times in (1, 2, 3):
            await platform.until(times)
            await asyncio.to_thread(_end_the_sessions_with_claims, url)
        await platform.until(4)

    assert not platform.hears


@needs_postgres
async def test_a_platform_that_cannot_be_left_well_is_heard_again(url: str) -> None:
    platform = Platform(leaving=[OSError("the connection was gone already")])
    with capture_logs() as logged:
        async with Together(url, Role.GATEWAY).listening(platform):
            await platform.until(1)
            await asyncio.to_thread(_end_the_sessions_with_claims, url)
            await platform.until(2)

    assert [entry["event"] for entry in logged if entry["log_level"] == "error"] == ["a platform could not be heard"]


@needs_postgres
async def test_a_platform_that_cannot_be_heard_at_once_is_tried_again_by_whoever_is_next(url: str) -> None:
    broken = Platform(entering=[OSError("no route")] * 1000)
    works = Platform()
    async with Together(url, Role.GATEWAY).listening(broken):
        await until(lambda: len(broken.entering) < 1000, "the first try")
        async with Together(url, Role.GATEWAY).listening(works):
            await works.until(1)
            assert not broken.hears


@needs_postgres
async def test_who_stands_by_can_be_stopped(url: str) -> None:
    active, standby = Platform(), Platform()
    async with Together(url, Role.GATEWAY).listening(active):
        await active.until(1)
        async with Together(url, Role.GATEWAY).listening(standby):
            pass
        assert active.hears

    assert standby.times == 0
