"""The fake Discord's gateway, driven by the real discord.py: sessions, resuming, compression, intents, close codes."""

import asyncio
from datetime import timedelta

import aiohttp
import discord
import pytest

from tests.simulators.discord.demo_bot import DemoBot, drawn
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.forms import Upload
from tests.simulators.discord.running import running

pytestmark = pytest.mark.slow

FOX = Upload("fox.png", drawn(32, "navy"))


@pytest.mark.parametrize("how", ["cut", "close 4000", "op 7", "op 9"])
async def test_what_happens_meanwhile_is_told_after_resuming(fake: FakeDiscord, bot: DemoBot, how: str) -> None:
    bob = fake.person("bob")
    fake.gateway.accepting = False
    match how:
        case "cut":
            fake.gateway.close(0)
        case "close 4000":
            fake.gateway.close(4000)
        case "op 7":
            fake.gateway.reconnect()
        case "op 9":
            fake.gateway.invalidate(resumable=True)
    await fake.until(lambda: not fake.gateway.connected)
    asked = await bob.slash("imagine", prompt="meanwhile")
    fake.gateway.accepting = True
    await asked.acknowledged()
    await fake.until(lambda: bot.resumes)

    assert (len(fake.gateway.identified), len(fake.gateway.resumed), bot.resumes) == (1, 1, 1)
    assert (await asked.answered()).text == "meanwhile"


async def test_a_session_that_is_forgotten_begins_anew(fake: FakeDiscord, bot: DemoBot) -> None:
    fake.gateway.invalidate(resumable=False)
    await fake.until(lambda: bot.connects == 2)

    assert (len(fake.gateway.identified), fake.gateway.resumed) == (2, [])


async def test_resuming_what_is_forgotten_begins_anew(fake: FakeDiscord, bot: DemoBot) -> None:
    fake.gateway.accepting = False
    fake.gateway.close(0)
    await fake.until(lambda: not fake.gateway.connected)
    fake.gateway.forget()
    fake.gateway.accepting = True
    await fake.until(lambda: bot.connects == 2)

    assert (len(fake.gateway.identified), len(fake.gateway.resumed)) == (2, 1)


async def test_a_heartbeat_without_an_answer_ends_the_connection(fake: FakeDiscord) -> None:
    fake.gateway.heartbeat_interval = 0.05
    fake.gateway.answers_heartbeats = False

    async with running(fake, heartbeat_timeout=0.2) as bot:
        await fake.until(lambda: bot.resumes)

    assert fake.gateway.heartbeats
    assert fake.gateway.resumed


async def test_a_wrong_token_is_no_login(fake: FakeDiscord) -> None:
    bot = DemoBot(connector=fake.connector())

    async with bot:
        with pytest.raises(discord.LoginFailure):
            await bot.start("wrong")

    assert fake.limits.invalid == 1


async def test_an_intent_that_the_portal_does_not_grant_is_refused(fake: FakeDiscord) -> None:
    fake.privileged.clear()

    async with DemoBot(connector=fake.connector()) as bot:
        with pytest.raises(discord.PrivilegedIntentsRequired):
            await bot.start(fake.token)


async def test_without_the_content_intent_others_messages_come_empty_unless_they_name_the_bot(
    fake: FakeDiscord,
) -> None:
    fake.privileged.discard("message_content")
    bob = fake.person("bob")

    async with running(fake, content=False) as bot:
        shown = await bob.say("hello", attachments=[FOX])
        await bob.say("hello you", mentions=[fake.bot], attachments=[FOX])
        await bob.say("hello", in_=bob.direct, attachments=[FOX])
        await fake.until(lambda: len(bot.heard) == 3)
        fetched = await bot.get_partial_messageable(int(fake.channel.id)).fetch_message(int(shown.id))
        chosen = await (await bob.menu("Edit picture", shown)).answered()

    assert [(bool(one.content), len(one.attachments)) for one in bot.heard] == [(False, 0), (True, 1), (True, 1)]
    assert fetched.attachments == []
    assert chosen.pictures == [FOX.data]


@pytest.mark.parametrize("shard", [0, 1])
async def test_each_shard_hears_of_its_own_servers(fake: FakeDiscord, shard: int) -> None:
    bob = fake.person("bob")
    while len({int(one) >> 22 & 1 for one in fake.guilds}) < 2:
        fake.clock.advance(timedelta(milliseconds=1))
        fake.new_guild("another", fake.owner)
    own = [one for one in fake.guilds.values() if (int(one.id) >> 22) % 2 == shard]
    others = [one for one in fake.guilds.values() if one not in own]

    async with running(fake, shard_id=shard, shard_count=2) as bot:
        for guild in [*others, *own]:
            await bob.say("hello", in_=guild.channels[0])
        await fake.until(lambda: len(bot.heard) >= len(own))

    assert {str(one.id) for one in bot.guilds} == {one.id for one in own}
    assert [str(one.channel.id) for one in bot.heard] == [one.channels[0].id for one in own]


async def test_the_presence_that_the_bot_shows_is_kept(fake: FakeDiscord, bot: DemoBot) -> None:
    await bot.change_presence(activity=discord.CustomActivity("3 in line"))
    await fake.until(lambda: fake.gateway.presences)

    assert fake.gateway.presences[-1]["activities"][0]["state"] == "3 in line"


async def test_shards_are_as_many_as_discord_recommends(fake: FakeDiscord) -> None:
    fake.shards = 2

    class Sharded(discord.AutoShardedClient):
        async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
            """Without the 5 s between two shards."""

    client = Sharded(intents=discord.Intents(guilds=True), connector=fake.connector(), guild_ready_timeout=0.01)
    async with client, asyncio.TaskGroup() as tasks:
        tasks.create_task(client.start(fake.token))
        await fake.ready(sessions=2)
        await fake.until(client.is_ready)
        await client.close()

    assert sorted(one["shard"] for one in fake.gateway.identified) == [[0, 2], [1, 2]]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ("no JSON", 4002),
        ('{"op": 99}', 4001),
        ('{"op": 3, "d": {}}', 4003),
        ('{"op": 2, "d": {"token": "bot.token.of-a-test", "intents": 1, "shard": [2, 2]}}', 4010),
        ('{"op": 2, "d": {"token": "bot.token.of-a-test", "intents": 4503599627370496}}', 4013),
        ('{"op": 6, "d": {"token": "wrong", "session_id": "s", "seq": 1}}', 4004),
    ],
)
async def test_what_breaks_the_gateways_rules_ends_the_connection(fake: FakeDiscord, payload: str, code: int) -> None:
    url = "wss://gateway.discord.gg/?v=10&encoding=json"
    async with aiohttp.ClientSession(connector=fake.connector()) as session, session.ws_connect(url) as socket:
        hello = await socket.receive_json()
        await socket.send_str(payload)
        await socket.receive()

    assert (hello["op"], socket.close_code) == (10, code)


async def test_a_bot_that_sends_too_much_is_cut_off(fake: FakeDiscord, bot: DemoBot) -> None:
    url = "wss://gateway.discord.gg/?v=10&encoding=json"
    async with aiohttp.ClientSession(connector=fake.connector()) as session, session.ws_connect(url) as socket:
        for _ in range(121):
            await socket.send_json({"op": 1, "d": None})
        answers = [message async for message in socket]

    assert (len(answers), socket.close_code) == (121, 4008)
