"""Several processes with one app: one hears, another stands by, and those that only post need no long connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.feishu.adapter import FeishuAdapter
from adapters.feishu.connect import connect
from bot.chat import CannotPost, Post
from bot.media.fit import Fitter
from tests.adapters.feishu.posting import GENERATION, Desk, desk, reply
from tests.adapters.feishu.stage import LARGEST, FakeDoor, told_by
from tests.fakes import FakeBlobs
from tests.simulators.feishu.fake import FakeFeishu


@asynccontextmanager
async def entered(fake: FakeFeishu, door: FakeDoor, folder: Path) -> AsyncIterator[FeishuAdapter]:
    """As a process has it that knows who the bot is, and does not listen."""
    made = connect(
        app_id=fake.app_id,
        app_secret=fake.app_secret,
        domain=fake.url,
        door=door,
        blobs=FakeBlobs(),
        fitter=Fitter(),
        clock=told_by(fake),
        folder=folder,
        max_bytes=LARGEST,
        oldest=timedelta(hours=1),
        zone="UTC",
    )
    made._pauses = (0.05,)
    async with made as adapter:
        door.post = adapter.post
        yield adapter
    await door.close()


async def asks(fake: FakeFeishu, door: FakeDoor, name: str) -> None:
    """Somebody asks, and reads the answer."""
    await fake.until(lambda: len(fake.connections) == 1)
    person, before = fake.person(name), len(door.completed)
    await person.says("a fox")
    await fake.until(lambda: len(door.completed) > before)
    await fake.until(lambda: "Done." in [each.text for each in fake.messages(person.direct)])


async def test_who_left_may_listen_again(fake: FakeFeishu, door: FakeDoor, tmp_path: Path) -> None:
    async with entered(fake, door, tmp_path) as adapter:
        for turn in range(3):
            async with adapter.listening():
                await asks(fake, door, f"person {turn}")
            await fake.until(lambda: len(fake.connections) == 0)

    assert (len(door.accepted), fake.connections.made) == (3, 3)


async def test_two_that_take_turns_answer_each_asking_once(fake: FakeFeishu, tmp_path: Path) -> None:
    doors = [FakeDoor(), FakeDoor()]
    async with entered(fake, doors[0], tmp_path / "0") as one, entered(fake, doors[1], tmp_path / "1") as other:
        for turn, adapter in enumerate((one, other, one, other)):
            async with adapter.listening():
                await asks(fake, doors[turn % 2], f"person {turn}")
            await fake.until(lambda: len(fake.connections) == 0)

    assert [len(door.accepted) for door in doors] == [2, 2]
    assert fake.tokens.given == 1  # each asked for its own, and neither took the other's away


async def test_who_no_longer_listens_is_not_troubled_by_its_line(
    fake: FakeFeishu, door: FakeDoor, tmp_path: Path
) -> None:
    async with entered(fake, door, tmp_path) as adapter:
        fake.connections.refuse(403, times=1000)
        async with adapter.listening():
            await fake.until(lambda: adapter.trouble())
        assert adapter.trouble() == ""


async def test_who_only_posts_is_no_longer_troubled_once_feishu_is_back(
    fake: FakeFeishu, door: FakeDoor, tmp_path: Path
) -> None:
    """It never listens, so nothing else finds out."""
    fake.faults.add("bot.info", status=502, times=4)
    async with entered(fake, door, tmp_path) as adapter:
        assert "cannot be reached" in adapter.trouble()
        await fake.until(lambda: adapter.trouble() == "")
        async with adapter.listening():
            await asks(fake, door, "Ann")


@pytest.mark.slow
async def test_limits_that_each_process_counts_for_itself_lose_nothing(tmp_path: Path) -> None:
    """Together they send twice of what Feishu takes; whoever it refuses comes again."""

    async def post(one: Desk, number: int) -> str:
        place = one.place(ann, group, message=asked.id)
        key = f"{GENERATION}:{number}"
        while True:
            try:
                return await one.ladder.post(Post(key=key, place=place, reply=reply(f"Number {number}")))
            except CannotPost as problem:
                if problem.final or problem.retry_after is None:
                    raise
                waits.append(number)
                one.fake.clock.advance(problem.retry_after)

    waits: list[int] = []
    async with desk(tmp_path) as first:
        ann = first.fake.person("Ann")
        group = first.fake.group("Studio", ann)
        asked, _ = await first.asked(ann, group)
        second = replace(first)
        first.fake.clock.advance(2.0)
        messages = await asyncio.gather(*(post((first, second)[number % 2], number) for number in range(24)))

        assert sorted(each.id for each in first.bots(group)) == sorted(messages)
        assert len(set(messages)) == 24
        assert waits
        first.fake.complaints.clear()  # of too many in a second, which was the point
