"""Several processes with one bot: one hears, another stands by, and those that only post need no gateway."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.discord import adapter as adapters
from adapters.discord.adapter import DiscordAdapter
from bot.chat import CannotPost, Place, Post, Reply
from bot.i18n import text
from tests.adapters.discord.stage import FakeDoor, connected, drawing_table, entered
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.faults import Fault

pytestmark = pytest.mark.slow

ME = "/users/@me"
SECONDS = 60.0


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "PAUSES", (0.05,))
    monkeypatch.setattr(adapters, "LONGEST_PAUSE", 0.05)


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor(drawing_table())


def post_to(fake: FakeDiscord, words: str, key: str = "g:0") -> Post:
    data = {"application": fake.bot.id, "channel": fake.channel.id, "user": fake.owner.id, "member": True}
    place = Place(adapter="discord", data={**data, "guild": fake.guild.id}, room=fake.channel.id)
    return Post(key=key, place=place, reply=Reply(text=text(words), language="en"))


async def asks(fake: FakeDiscord, name: str) -> None:
    await (await fake.person(name).slash("imagine", prompt="a fox")).answered()


async def posted(adapter: DiscordAdapter, post: Post) -> str:
    """As delivery does it: again, until it is taken."""
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                return await adapter.post(post)
            except CannotPost as problem:
                if problem.final:
                    raise
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("shards", [{}, {"shards": "0-1/2"}], ids=["all", "two shards"])
async def test_who_left_may_listen_again(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path, shards: dict[str, str]
) -> None:
    count = 2 if shards else 1
    async with entered(fake, door, tmp_path, **shards) as adapter:
        for turn in range(3):
            async with adapter.listening():
                await fake.ready(count)
                await fake.until(lambda: fake.commands.syncs, what="the commands")
                await asks(fake, f"person {turn}")
            await fake.until(lambda: not fake.gateway.connected, what="the end of the connection")
            await adapter.post(post_to(fake, f"after {turn}", f"g{turn}:0"))

    assert len(door.accepted) == 3
    assert len(fake.gateway.identified) == 3 * count
    said = [each.text for each in fake.channel.messages if "after" in each.text]
    assert said == [f"after {turn}" for turn in range(3)]


async def test_two_that_take_turns_answer_each_asking_once(fake: FakeDiscord, tmp_path: Path) -> None:
    doors = [FakeDoor(drawing_table()) for _ in range(2)]
    async with entered(fake, doors[0], tmp_path / "0") as one, entered(fake, doors[1], tmp_path / "1") as other:
        for turn, adapter in enumerate((one, other, one, other)):
            async with adapter.listening():
                await fake.ready()
                await fake.until(lambda: fake.commands.syncs, what="the commands")
                await asks(fake, f"person {turn}")
            await fake.until(lambda: not fake.gateway.connected, what="the end of the connection")

    assert [len(door.accepted) for door in doors] == [2, 2]


async def test_who_only_posts_logs_in_as_soon_as_discord_is_back(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path
) -> None:
    fake.goes_wrong("GET", ME, Fault.RESET, times=3)
    async with entered(fake, door, tmp_path) as adapter:
        with pytest.raises(CannotPost) as refused:
            await adapter.post(post_to(fake, "early"))
        await posted(adapter, post_to(fake, "late"))

    assert not refused.value.final
    assert [each.text for each in fake.channel.messages] == ["late"]
    assert fake.gateway.identified == []


async def test_who_stood_by_while_discord_was_away_listens_all_the_same(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path
) -> None:
    fake.goes_wrong("GET", ME, Fault.RESET, times=3)
    async with entered(fake, door, tmp_path) as adapter, adapter.listening():
        await fake.ready()
        await fake.until(lambda: fake.commands.syncs, what="the commands")
        await asks(fake, "bob")

    assert len(fake.gateway.identified) == 1


async def test_who_lost_its_turn_before_it_could_log_in_can_post_later(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path
) -> None:
    """It hears nothing any more, as another process does; what it is given to post it has to post."""
    fake.goes_wrong("GET", ME, Fault.RESET, times=6)
    async with entered(fake, door, tmp_path) as adapter:
        async with adapter.listening():
            pass
        await posted(adapter, post_to(fake, "late"))

    assert [each.text for each in fake.channel.messages] == ["late"]
    assert fake.gateway.identified == []


@pytest.mark.parametrize("late", [False, True], ids=["while the token lives", "after it"])
async def test_an_answer_that_one_process_deferred_is_filled_by_others_without_the_gateway(
    fake: FakeDiscord, tmp_path: Path, late: bool
) -> None:
    doors = [FakeDoor(drawing_table(), answers=False) for _ in range(3)]
    message = ""
    async with (
        connected(fake, doors[0], tmp_path / "gateway"),
        entered(fake, doors[1], tmp_path / "one") as one,
        entered(fake, doors[2], tmp_path / "two") as two,
    ):
        asked = await fake.person("bob").slash("imagine", prompt="a fox")
        await fake.until(lambda: doors[0].accepted, what="the asking")
        place = doors[0].last.place
        for adapter, words in ((one, "In line"), (two, "Drawing"), (one, "Drawn")):
            reply = Reply(text=text(words), language="en", generation="g")
            post = Post(key="g:0", place=place, reply=reply, message=message, elsewhere=True)
            message = await adapter.post(post)
            if late:
                fake.clock.advance(timedelta(minutes=8))

    assert [each.text for each in fake.channel.messages] == ["Drawn"]
    assert (await asked.answered()).id == message.partition("/")[2]
    assert len(fake.gateway.identified) == 1


@pytest.mark.parametrize("everywhere", [False, True], ids=["of a channel", "of the bot"])
async def test_limits_that_each_process_counts_for_itself_lose_nothing(
    fake: FakeDiscord, tmp_path: Path, everywhere: bool
) -> None:
    """Together they send more than Discord takes; whoever it refuses comes again."""
    if everywhere:
        fake.limits.per_second = 10
    else:
        fake.limits.set("POST", "/channels/{}/messages", 5, per=1.0)
    doors = [FakeDoor(drawing_table()) for _ in range(2)]
    async with entered(fake, doors[0], tmp_path / "0") as one, entered(fake, doors[1], tmp_path / "1") as other:
        posts = [post_to(fake, f"number {number}", f"g{number}:0") for number in range(24)]
        ids = await asyncio.gather(*(posted((one, other)[n % 2], post) for n, post in enumerate(posts)))

    assert fake.limits.refused
    assert sorted(ids) == sorted(f"{fake.channel.id}/{each.id}" for each in fake.channel.messages)
    assert len(set(ids)) == len(posts)
