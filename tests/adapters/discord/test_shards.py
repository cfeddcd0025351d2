"""One bot in several processes, each with its part of Discord's shards."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import ValidationError

from adapters.discord.adapter import DiscordAdapter
from bot.platforms import Discord, sharded
from bot.settings import SettingsError, load
from tests.adapters.discord.stage import FakeDoor, connected, drawing_table
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.model import Guild
from tests.simulators.discord.people import Person

Process = tuple[FakeDoor, DiscordAdapter]


def shard(guild: Guild) -> int:
    return (int(guild.id) >> 22) % 2


@pytest.fixture
def servers(fake: FakeDiscord) -> list[Guild]:
    """One of each of two shards."""
    found = {shard(fake.guild): fake.guild}
    while len(found) < 2:
        fake.clock.advance(timedelta(milliseconds=1))  # the time decides on an id, and the id on the shard
        guild = fake.new_guild("atelier", fake.owner)
        found[shard(guild)] = guild
    return [found[0], found[1]]


@pytest.fixture
def bob(fake: FakeDiscord, servers: list[Guild]) -> Person:
    bob = fake.person("bob")
    for guild in servers:
        fake.join(guild, bob.user)
    return bob


@pytest_asyncio.fixture
async def processes(fake: FakeDiscord, servers: list[Guild], tmp_path: Path) -> AsyncIterator[list[Process]]:
    first, second = (FakeDoor(drawing_table()) for _ in range(2))
    async with (
        connected(fake, first, tmp_path / "first", shards="0-0/2") as one,
        connected(fake, second, tmp_path / "second", shards="1/2") as other,
    ):
        await fake.ready(2)
        yield [(first, one), (second, other)]


async def test_each_process_hears_its_own_servers_and_answers_there(
    fake: FakeDiscord, processes: list[Process], servers: list[Guild], bob: Person
) -> None:
    for guild, (door, _) in zip(servers, processes, strict=True):
        asked = await bob.slash("imagine", prompt="a fox", in_=guild.channels[0])
        await bob.say("a cat", in_=guild.channels[0], mentions=[fake.bot])
        await asked.answered()
        await fake.until(lambda door=door: len(door.accepted) == 2, what="both askings")  # type: ignore[misc]
    await fake.until(lambda: all("Done." in guild.channels[0].last.text for guild in servers), what="the answers")

    assert [one["shard"] for one in fake.gateway.identified] == [[0, 2], [1, 2]]
    for guild, (door, _) in zip(servers, processes, strict=True):
        assert {invocation.actor.space for invocation, _ in door.accepted} == {guild.id}


async def test_direct_messages_come_to_the_process_with_the_first_shard(
    fake: FakeDiscord, processes: list[Process], bob: Person
) -> None:
    (first, _), (second, _) = processes
    await bob.say("a fox", in_=bob.direct)
    await fake.until(lambda: "Done." in bob.direct.last.text, what="the answer")

    assert (first.last.line, second.accepted) == ("a fox", [])


async def test_only_the_process_with_the_first_shard_puts_commands_and_each_shows_a_presence(
    fake: FakeDiscord, servers: list[Guild], tmp_path: Path
) -> None:
    async with connected(fake, FakeDoor(drawing_table()), tmp_path / "first", shards="0/2"):
        await fake.until(lambda: any("activities" in one for one in fake.gateway.presences), what="a presence")
        # As if another version had put its own since: whoever syncs would put ours back.
        fake.commands.put(None, [])
        shown, looked = len(fake.gateway.presences), len(fake.asked_for("GET", "/applications/{}/commands"))
        async with connected(fake, FakeDoor(drawing_table()), tmp_path / "second", shards="1/2") as other:
            await other._client.wait_until_ready()  # type: ignore[union-attr]
            await fake.until(lambda: len(fake.gateway.presences) > shown, what="a presence for the other servers")

    assert len(fake.asked_for("GET", "/applications/{}/commands")) == looked


@pytest.mark.parametrize("shards", ["", "0/1", "0-3/8", " 2/8 ", "4-7/8"])
def test_a_process_may_have_all_shards_some_or_one(shards: str) -> None:
    assert Discord(shards=shards).shards == shards.strip()


@pytest.mark.parametrize(
    ("shards", "told"),
    [
        ("0-3", 'such as "0-3/8"'),
        ("-1/8", 'such as "0-3/8"'),
        ("0/0", 'such as "0-3/8"'),
        ("0-8/8", "the last of 8 is 7"),
        ("3-1/8", "the first comes first"),
    ],
)
def test_shards_that_cannot_be_are_refused_with_the_reason(shards: str, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Discord(shards=shards)


def test_what_is_typed_wrongly_is_called_as_it_was_typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError) as typed:
        load(data_dir=tmp_path, **sharded("9/8"))
    monkeypatch.setenv("BOT_DISCORD__SHARDS", "9/8")
    with pytest.raises(SettingsError) as written:
        load(data_dir=tmp_path)

    assert str(typed.value).startswith("--shards names 9/8")
    assert str(written.value).startswith("BOT_DISCORD__SHARDS names 9/8")
