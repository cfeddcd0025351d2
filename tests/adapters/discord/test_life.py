"""The adapter's own life: coming up, going down, and what happens when Discord or its portal does not play along."""

import asyncio
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientHttpProxyError, ClientSession, TCPConnector

from adapters.discord.callbacks import Callbacks, First
from adapters.discord.invalid import ENOUGH, WINDOW, InvalidRequests
from adapters.discord.proxy import through
from bot.chat import CannotPost, Place, Post, Reply
from bot.errors import CannotStart
from bot.i18n import text
from tests.adapters.discord.stage import FakeDoor, connected, drawing_table
from tests.fakes import painted
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.faults import Fault
from tests.simulators.discord.forms import Upload
from tests.simulators.discord.model import Guild
from tests.simulators.discord.permissions import bits
from tests.simulators.discord.world import Event

pytestmark = pytest.mark.slow

ME = "/users/@me"
CONTENT = 1 << 15
FOX = Upload("fox.png", painted("fox"))


# aiohttp 4 will want headers instead, which discord.py cannot hand on.
proxy_auth = pytest.mark.filterwarnings("ignore:The 'proxy_auth' parameter:DeprecationWarning")


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor(drawing_table())


def post_to(fake: FakeDiscord, words: str = "late") -> Post:
    data = {"application": fake.bot.id, "channel": fake.channel.id, "user": fake.owner.id, "member": True}
    place = Place(adapter="discord", data={**data, "guild": fake.guild.id}, room=fake.channel.id)
    return Post(key="g:0", place=place, reply=Reply(text=text(words), language="en"))


def joins(fake: FakeDiscord, name: str, *, without: tuple[str, ...] = ()) -> Guild:
    """A new server, told as Discord tells it: without the word on outages that comes with servers known before."""
    tell = fake.tell

    def told(event: Event) -> None:
        tell(replace(event, data={key: value for key, value in event.data.items() if key != "unavailable"}))

    fake.tell = told
    guild = fake.new_guild(name, fake.owner, bot=False)
    guild.roles[0].permissions &= ~bits(*without)
    fake.join(guild, fake.bot)
    fake.tell = tell
    return guild


async def asks_and_is_answered(fake: FakeDiscord) -> None:
    await (await fake.person("somebody").slash("imagine", prompt="a fox")).answered()


async def test_a_token_that_discord_does_not_know_is_named_at_the_start(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path
) -> None:
    with pytest.raises(CannotStart, match="BOT_DISCORD__TOKEN"):
        async with connected(fake, door, tmp_path, token="wrong"):
            pass


async def test_a_start_without_discord_goes_on_and_is_made_up_for(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path
) -> None:
    fake.goes_wrong("GET", ME, Fault.RESET, times=2)
    async with connected(fake, door, tmp_path):
        await asks_and_is_answered(fake)

    assert len(door.accepted) == 1


async def test_a_post_before_the_login_is_to_be_tried_again(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> None:
    async with connected(fake, door, tmp_path) as adapter:
        pass
    with pytest.raises(CannotPost) as refused:
        await adapter.post(post_to(fake))

    assert (refused.value.final, refused.value.unknown, refused.value.retry_after) == (False, False, None)


async def test_the_connection_is_taken_up_where_it_was(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> None:
    async with connected(fake, door, tmp_path):
        fake.gateway.close(0)
        await fake.until(lambda: fake.gateway.resumed, what="the resume")
        await fake.ready()
        await asks_and_is_answered(fake)
        fake.gateway.reconnect()
        await fake.until(lambda: len(fake.gateway.resumed) == 2, what="the second resume")
        await fake.ready()
        await asks_and_is_answered(fake)

    assert len(fake.gateway.identified) == 1


async def test_what_was_said_meanwhile_comes_with_the_resume(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> None:
    bob = fake.person("bob")
    async with connected(fake, door, tmp_path):
        fake.gateway.close(0)
        await fake.until(lambda: not fake.gateway.connected, what="the loss")
        await bob.say("a fox", mentions=[fake.bot])
        await fake.until(lambda: door.accepted, what="the invocation")

    assert door.last.line == "a fox"


async def test_who_left_the_gateway_can_still_post(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> None:
    async with connected(fake, door, tmp_path) as adapter:
        await adapter._client.hang_up()  # type: ignore[union-attr]
        await fake.until(lambda: not fake.gateway.connected, what="the end of the connection")
        await adapter.post(post_to(fake))

    assert "late" in fake.channel.last.text


async def test_stopping_waits_for_what_is_being_taken_up(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> None:
    noted: list[Any] = []

    class Slow(FakeDoor):
        async def accept(self, *arguments: Any) -> bool:
            began.set()
            await asyncio.sleep(0.2)
            noted.append(arguments)
            return False

    began = asyncio.Event()
    async with connected(fake, Slow(door.table), tmp_path):
        await fake.person("bob").slash("imagine", prompt="a fox")
        await began.wait()

    assert len(noted) == 1


async def test_the_intents_are_the_least_and_content_is_a_choice(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path
) -> None:
    for wanted in (False, True):
        async with connected(fake, door, tmp_path, message_content=wanted):
            pass

    without, with_content = (one["intents"] for one in fake.gateway.identified)
    assert without == 1 << 0 | 1 << 9 | 1 << 12
    assert with_content == without | CONTENT


async def test_an_intent_that_the_portal_does_not_allow_is_done_without(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path
) -> None:
    fake.privileged.discard("message_content")
    async with connected(fake, door, tmp_path, message_content=True):
        await asks_and_is_answered(fake)

    assert [one["intents"] & CONTENT for one in fake.gateway.identified] == [0]


async def test_a_process_may_have_a_part_of_the_shards(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> None:
    own = int(fake.guild.id) >> 22
    async with connected(fake, door, tmp_path, shard_ids=[own % 3], shard_count=3):
        await fake.person("somebody").say("a fox", mentions=[fake.bot])  # a command may not stand yet
        await fake.until(lambda: door.accepted, what="the asking")

    assert [one["shard"] for one in fake.gateway.identified] == [[own % 3, 3]]


@proxy_auth
async def test_everything_to_discord_goes_through_the_proxy(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> None:
    def direct() -> TCPConnector:
        return TCPConnector(ssl=fake.authority.for_client())

    with_password = fake.proxy.url.replace("//", "//bob:opensesame@")
    async with connected(fake, door, tmp_path, connector=direct, proxy=with_password):
        await (await fake.person("bob").slash("edit", prompt="make it night", image1=FOX)).answered()

    assert {"discord.com", "gateway.discord.gg", "cdn.discordapp.com"} == set(fake.proxy.led)
    assert (fake.proxy.refused, door.pictures) == ([], [FOX.data])


@proxy_auth
async def test_the_password_of_the_proxy_is_sent_and_stands_in_no_error() -> None:
    """Errors are logged with all that they say."""
    heads: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        way = through(f"http://bob:opensesame@127.0.0.1:{server.sockets[0].getsockname()[1]}")
        async with ClientSession() as session:
            with pytest.raises(ClientHttpProxyError) as refused:
                await session.get("https://discord.com/api/v10/gateway", **way)

    assert b"Basic " + b64encode(b"bob:opensesame") in heads[0]
    assert "407" in str(refused.value)
    assert "opensesame" not in str(refused.value)


async def test_the_presence_shows_the_model_or_the_line(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = [0]

    async def waiting() -> int:
        return line[0]

    monkeypatch.setattr("adapters.discord.adapter.SHOW_AGAIN", 0.02)
    async with connected(fake, door, tmp_path, waiting=waiting):
        await fake.until(lambda: "Drawing with seedream-4.5" in shown(fake), what="the model")
        line[0] = 2
        await fake.until(lambda: "2 requests in line" in shown(fake), what="the line")

    assert shown(fake) == ["Drawing with seedream-4.5", "2 requests in line"]  # only what changed


def shown(fake: FakeDiscord) -> list[str]:
    return [one["activities"][0]["state"] for one in fake.gateway.presences if "activities" in one]


async def test_joining_a_server_is_followed_by_a_word_in_its_channel_for_greetings(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path
) -> None:
    async with connected(fake, door, tmp_path) as adapter:
        await adapter._client.wait_until_ready()  # type: ignore[union-attr]
        guild = joins(fake, "atelier")
        await fake.until(lambda: guild.channels[0].messages, what="the welcome")

    welcome = guild.channels[0].last
    assert all(f"{step}. " in welcome.text for step in (1, 2, 3))
    assert "I lack these permissions here" not in welcome.text
    assert welcome.pinged == set()


async def test_where_it_may_not_write_the_owner_is_told_what_is_missing(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path
) -> None:
    async with connected(fake, door, tmp_path) as adapter:
        await adapter._client.wait_until_ready()  # type: ignore[union-attr]
        joins(fake, "atelier", without=("send_messages", "attach_files"))
        direct = fake.direct_channel(fake.owner)
        await fake.until(lambda: direct.messages, what="the welcome")

    assert "I lack these permissions here: Send Messages, Attach Files." in direct.last.text


async def test_what_is_only_nice_to_have_stops_when_discord_refuses_much(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path
) -> None:
    async with connected(fake, door, tmp_path) as adapter:
        await adapter._client.wait_until_ready()  # type: ignore[union-attr]
        for _ in range(ENOUGH):
            adapter.invalid.note(403)
        guild = joins(fake, "atelier")
        await asks_and_is_answered(fake)

    assert guild.channels[0].messages == []
    assert fake.direct_channel(fake.owner).messages == []


def test_refusals_count_for_ten_minutes() -> None:
    now = 0.0
    invalid = InvalidRequests(lambda: now, enough=3)
    for status in (200, 404, 401, 403, 429):
        invalid.note(status)
    after_three = invalid.count, invalid.spare
    now = WINDOW

    assert after_three == (3, False)
    assert (invalid.count, invalid.spare) == (0, True)


async def test_refusals_of_every_kind_of_request_are_counted(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> None:
    async with connected(fake, door, tmp_path) as adapter:
        callbacks = Callbacks(connector=fake.connector, proxy=None, invalid=adapter.invalid)
        fake.goes_wrong("POST", "/interactions/{}/{}/callback", Fault.BUSY)
        async with callbacks:
            refused = await callbacks.answer(1, "unknown", First.CHOICES, {"choices": []})

    assert refused is False
    assert adapter.invalid.count == 1
