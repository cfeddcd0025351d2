"""Two gateways with a half of Discord each, a worker and the page; and a third gateway that may have neither half."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio

from bot.generation.states import IN_FLIGHT, listed
from bot.storage.postgres import connected
from tests.crash.home import Bot, Home
from tests.crash.promises import wrong
from tests.crash.provider import Provider
from tests.crash.stored import Row
from tests.postgres import NEEDED
from tests.scale.cluster import Server
from tests.scale.team import LEASE, PATIENCE, Seat, Team, gone, until, working
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.interactions import Asked
from tests.simulators.discord.model import Channel, Guild
from tests.simulators.discord.openapi import at_hand
from tests.simulators.discord.people import Person

pytestmark = [*NEEDED, pytest.mark.crash, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

SLOW_RATE = "1"  # pictures a minute: the first one at once
SIZE = {"model": "seedream-4", "size": "1280x720"}

# How often the person of the flood was served while this one waited.
ADMITTED_BETWEEN = (
    "SELECT count(*) AS n FROM generations g JOIN generations o ON o.invocation=:id"
    " WHERE g.person<>o.person AND g.started_at BETWEEN o.created_at AND o.started_at"
)
QUEUED = "SELECT id FROM generations WHERE state='queued' ORDER BY seq"
# What was admitted and taken by nobody before all came to their end is the newer version's to run.
RUN_BY_SOMEBODY = f"SELECT id FROM generations WHERE state IN ({listed(IN_FLIGHT)}) AND owner<>''"


@dataclass
class Sharded:
    """channels: one of each shard."""

    team: Team
    fake: FakeDiscord
    bob: Person
    channels: list[Channel]

    async def draw(self, words: str, channel: Channel, **options: object) -> Asked:
        prompt = self.team.home.prompt(words)
        return await self.bob.slash("imagine", in_=channel, prompt=prompt, **{**SIZE, **options})

    def shards(self) -> set[int]:
        """Which of them somebody hears."""
        return {session.shard[0] for session in self.fake.gateway.connected}

    def check(self) -> None:
        found = [*wrong(self.team.home), *self.team.errors(), *self.fake.complaints]
        assert found == []

    async def quiet(self) -> None:
        await gone(self.team.stored.unfinished)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sharded(tmp_path_factory: pytest.TempPathFactory, quick: Provider, server: Server) -> AsyncIterator[Sharded]:
    database = server.cluster.database()
    async with FakeDiscord(openapi=at_hand(), shards=2) as fake:
        bob = fake.person("bob")
        guilds = {shard_of(fake.guild): fake.guild}
        while len(guilds) < 2:
            guild = fake.new_guild("another", fake.owner)
            guilds[shard_of(guild)] = guild
        for guild in guilds.values():
            fake.join(guild, bob.user)
        home = Home(
            tmp_path_factory.mktemp("shards") / "data",
            quick,
            {
                **fake.environment(),
                "BOT_DATABASE_URL": database.near,
                "BOT_DISCORD__TOKEN": fake.token,
                "BOT_DISCORD__PROXY": fake.proxy.url,
                "BOT_QUEUE__LEASE": LEASE,
                "BOT_LIMITS__PERSON": '{"images": {"day": 100000}}',
                "PYTHONWARNINGS": "ignore",
            },
        )
        home.folder.mkdir()
        team = Team(home, database.far)
        team.add("gateway-1", "--shards", "0-0/2")
        team.add("gateway-2", "--shards", "1-1/2")
        team.add("worker-1")
        team.add("web-1")
        async with working(team):
            found = Sharded(team, fake, bob, [guilds[shard].channels[0] for shard in (0, 1)])
            await until(lambda: found.shards() == {0, 1} and fake.commands.syncs, "both gateways hear")
            yield found


async def test_each_gateway_hears_its_shard_and_one_worker_draws_for_both(sharded: Sharded) -> None:
    asked = [await sharded.draw(f"shard {shard}", channel) for shard, channel in enumerate(sharded.channels)]
    for one in asked:
        message = await one.answered(within=PATIENCE)
        await until(lambda shown=message: shown.pictures, "its picture")  # type: ignore[misc]

    assert [one.ack is not None for one in asked] == [True, True]
    await sharded.quiet()
    sharded.check()


async def test_a_cancel_at_a_gateway_reaches_the_worker_that_waits_for_its_turn(sharded: Sharded) -> None:
    """One of four pictures is sent, and the others wait until the provider may be asked again: for minutes."""
    team = sharded.team
    await again(team["worker-1"], BOT_QUEUE__IMAGES_PER_MINUTE=SLOW_RATE)
    asked = await sharded.draw("four foxes", sharded.channels[1], count=4)
    await until(lambda: team.home.paid("four foxes"), "the first paid request is out")
    message = await asked.answered(within=PATIENCE)
    await until(lambda: "Cancel" in message.buttons, "the button")
    before = team.home.paid("four foxes")
    await sharded.bob.press(message, "Cancel")
    ended = "SELECT 1 FROM generations WHERE invocation=:id AND state IN ('settled', 'cancelled')"
    await until(lambda: team.stored.one(ended, id=f"discord:{asked.id}"), "its end")
    await sharded.quiet()
    await again(team["worker-1"])

    assert 0 < before < 4
    assert team.home.paid("four foxes") == before  # nothing was sent after the cancel
    assert len(message.pictures) == before
    sharded.check()


async def test_a_gateway_whose_shards_others_have_stands_by_until_they_are_gone(sharded: Sharded) -> None:
    team, fake = sharded.team, sharded.fake
    identified = len(fake.gateway.identified)
    third = team.add("gateway-3", "--shards", "0-1/2")
    await third.start()
    await third.ready()
    told = await until(lambda: third.said("stands by"), "it stands by and says so")
    assert str(told[0]["holder"]).split()[-3] in {str(team[name].pid) for name in ("gateway-1", "gateway-2")}
    await team["gateway-1"].kill()
    await until(lambda: sharded.shards() == {1}, "one is gone")
    assert len(fake.gateway.identified) == identified
    await team["gateway-2"].stop()
    await until(lambda: sharded.shards() == {0, 1}, "the third one hears both", seconds=30)
    asked = [await sharded.draw(f"third {shard}", channel) for shard, channel in enumerate(sharded.channels)]
    for one in asked:
        message = await one.answered(within=PATIENCE)
        await until(lambda shown=message: shown.pictures, "its picture")  # type: ignore[misc]

    assert [one["shard"][0] for one in fake.gateway.identified[identified:]] == [0, 1]
    await sharded.quiet()
    sharded.check()


async def test_who_has_three_hundred_waiting_delays_another_by_one_turn(sharded: Sharded) -> None:
    """Two workers, and one request at a time altogether."""
    team = sharded.team
    await again(team["worker-1"], BOT_QUEUE__RUNNING="1")
    await team.add("worker-2").start(BOT_QUEUE__RUNNING="1")
    async with at_page(team) as page:
        while team.stored.rows("SELECT 1 FROM generations WHERE state='queued' LIMIT 300 OFFSET 299") == []:
            await asyncio.gather(*(page.draw("a flood", person="alice") for _ in range(20)))
        await team["worker-2"].ready()
        await until(lambda: admitted(team, "alice"), "the first of the flood")
        other = await page.draw("a boat", person="carol")
    await team.home.reaches(other, generation="settled")

    (turn,) = team.stored.rows(ADMITTED_BETWEEN, id=other.id)
    waiting = team.stored.rows("SELECT 1 FROM generations WHERE state='queued'")
    assert turn["n"] <= 1
    assert len(waiting) > 200
    assert team.stored.problems() == ()


async def test_a_newer_version_in_the_database_ends_what_this_one_accepts(sharded: Sharded) -> None:
    """The flood still waits, and none of it is begun any more."""
    team = sharded.team
    with connected(team.home.settings["BOT_DATABASE_URL"]) as raw:
        raw.execute("UPDATE alembic_version SET version_num='9999'")
    seats = [seat for seat in team.seats.values() if seat.lives]
    for seat in seats:
        await until(lambda seat=seat: superseded(seat), f"{seat.name} says so")  # type: ignore[misc]
    async with at_page(team) as page:
        late = await page.draw("too late", person="carol")
        await until(lambda: team.stored.answers(late.id), "a word about it")
    await until(lambda: not team.stored.rows(RUN_BY_SOMEBODY), "what runs has ended")
    left = team.stored.rows(QUEUED)
    new = team.add("worker-9")
    await new.start()
    ended = await new.ended()

    assert team.stored.answers(late.id)[0]["tone"] == "refusal"
    assert ended == 1
    (sentence,) = [line for line in new.log.read_text().splitlines() if not line.startswith("{")]
    assert "9999" in sentence
    assert team.stored.rows(QUEUED) == left
    assert all(seat.lives for seat in seats)
    assert team.stored.problems() == ()


async def again(seat: Seat, **settings: str) -> None:
    """Restarted with these settings."""
    await seat.stop()
    await seat.start(**settings)
    await seat.ready()


@asynccontextmanager
async def at_page(team: Team) -> AsyncIterator[Bot]:
    seat = team["web-1"]
    assert seat.process is not None
    async with aiohttp.ClientSession() as http:
        yield Bot(seat.process, team.home, http, url=seat.url)


def admitted(team: Team, person: str) -> list[Row]:
    return team.stored.rows("SELECT 1 FROM generations WHERE person_name=:person AND started_at>0", person=person)


def superseded(seat: Seat) -> bool:
    return any(one["level"] == "error" and one.get("database") == "9999" for one in seat.said())


def shard_of(guild: Guild) -> int:
    return (int(guild.id) >> 22) % 2
