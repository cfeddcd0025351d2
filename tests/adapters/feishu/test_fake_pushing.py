"""The fake Feishu's events on the long connection and as webhooks: frames, answers, repeats, silence and refusals."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.fakes import painted
from tests.simulators.feishu.demo_app import DemoApp
from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.frames import DATA, Frame, decode, encode
from tests.simulators.feishu.scopes import GROUP_MESSAGES

pytestmark = pytest.mark.wire

RECEIVED = "im.message.receive_v1"


@pytest.fixture
async def fake() -> AsyncIterator[FakeFeishu]:
    async with FakeFeishu() as fake:
        yield fake


@pytest.fixture
async def app(fake: FakeFeishu) -> AsyncIterator[DemoApp]:
    """Connected."""
    async with DemoApp(fake) as app:
        await app.connect()
        yield app


def texts(app: DemoApp) -> list[str]:
    """Words of the messages that the app was told of."""
    told = [event["event"]["message"] for event in app.events if event["header"]["event_type"] == RECEIVED]
    return [json.loads(one["content"])["text"] for one in told]


def test_a_frame_is_read_as_it_was_written() -> None:
    frame = Frame(
        method=DATA, service=2**31 - 1, headers={"type": "event", "名": "值"}, payload=bytes(300), seq=7, log=2**63
    )

    assert decode(encode(frame)) == frame


@pytest.mark.parametrize("raw", [b"", b"\x08", b"\x08\x01\x10\x01\x18\x01", b"\x2a\x05ab", b"\x0d\x01\x02\x03\x04"])
def test_what_is_no_frame_is_not_read(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"frame|number"):
        decode(raw)


async def test_an_event_waits_for_its_answer(fake: FakeFeishu, app: DemoApp) -> None:
    ann = fake.person("Ann")

    message = await ann.says("/help")

    (event,) = app.events
    assert event["event"]["message"]["message_id"] == message.id
    assert event["event"]["sender"]["sender_id"]["open_id"] == ann.open_id
    assert (event["header"]["app_id"], event["header"]["tenant_key"]) == (fake.app_id, fake.tenant)
    assert [(ack.kind, ack.code, ack.attempt) for ack in fake.acks] == [(RECEIVED, 200, 0)]


async def test_the_bot_hears_what_its_scopes_and_mentions_allow(fake: FakeFeishu, app: DemoApp) -> None:
    ann = fake.person("Ann")
    group, other = fake.group("studio", ann), fake.group("without", ann, with_bot=False)

    await ann.says("not for the bot", to=group)
    await ann.says("{all} everybody", to=group)
    await ann.sends_picture(painted("fox"), to=group)
    await ann.says("{bot} /help", to=group)
    await ann.says("{bot} where", to=other)
    fake.scopes.add(GROUP_MESSAGES)
    await ann.says("anything", to=group)

    assert texts(app) == ["@_user_1 /help", "anything"]


async def test_without_a_good_answer_an_event_comes_again_rung_by_rung(fake: FakeFeishu, app: DemoApp) -> None:
    app.answer = lambda event: (500, None) if len(app.events) < 3 else (200, None)
    message = await fake.person("Ann").says("hi")

    fake.clock.advance(15)
    await fake.until(lambda: len(app.events) == 2)
    fake.clock.advance(300)
    await fake.until(lambda: len(app.events) == 3)
    fake.clock.advance(100_000)
    fake.push_again(message)
    await fake.until(lambda: len(fake.acks) == 4)

    assert len({event["header"]["event_id"] for event in app.events}) == 1
    assert [ack.code for ack in fake.acks] == [500, 500, 200, 200]


async def test_an_event_without_a_connection_comes_with_the_next_rung(fake: FakeFeishu) -> None:
    fake.repush = (0.05, 0.05)
    async with DemoApp(fake) as app:
        await fake.person("Ann").says("hi", wait=False)
        await app.connect()
        await fake.until(lambda: fake.acks)

    assert texts(app) == ["hi"]


@pytest.mark.parametrize("reversed", [False, True])
async def test_an_event_in_parts_is_one_event(fake: FakeFeishu, app: DemoApp, reversed: bool) -> None:
    fake.split, fake.split_reversed = 4, reversed

    await fake.person("Ann").says("a fox in the snow 狐狸")

    order = [frame.headers["seq"] for frame in app.frames]
    assert order == (["3", "2", "1", "0"] if reversed else ["0", "1", "2", "3"])
    assert texts(app) == ["a fox in the snow 狐狸"]


async def test_each_event_goes_to_one_of_several_connections(fake: FakeFeishu, app: DemoApp) -> None:
    async with DemoApp(fake) as second:
        await second.connect()
        for number in range(20):
            await fake.person(f"P{number}").says(str(number))

        assert len(fake.connections) == 2
        assert sorted(map(int, texts(app) + texts(second))) == [*range(20)]
        assert app.events
        assert second.events


async def test_a_ping_is_answered_with_the_configuration(fake: FakeFeishu, app: DemoApp) -> None:
    socket = await app.connect()

    await app.ping(socket, fake.connections.open[-1].service)
    await fake.until(lambda: app.frames)

    assert json.loads(app.frames[-1].payload)["PingInterval"] == 0.2
    assert (len(fake.pings), fake.complaints) == (1, [])


async def test_a_frozen_connection_says_nothing_until_it_thaws(fake: FakeFeishu, app: DemoApp) -> None:
    fake.connections.freeze()
    await fake.person("Ann").says("hi", wait=False)
    socket = await app.connect()  # a new one is not frozen
    await app.ping(socket, fake.connections.open[-1].service)
    await fake.until(lambda: app.frames)
    silent = texts(app) if fake.pushes[0].acks else []

    fake.connections.thaw()
    await fake.until(lambda: fake.acks)

    assert (silent, texts(app)) == ([], ["hi"])


async def test_a_cut_ends_every_connection(fake: FakeFeishu, app: DemoApp) -> None:
    fake.connections.cut()

    await fake.until(lambda: not len(fake.connections))

    assert fake.connections.made == 1


async def test_the_endpoint_refuses_as_scripted(fake: FakeFeishu, app: DemoApp) -> None:
    fake.connections.refuse(1, 2)
    fake.connections.refuse(1000040350)

    answers = [await app.endpoint() for _ in range(4)]

    assert [one["code"] for one in answers] == [1, 1, 1000040350, 0]


async def test_a_ticket_is_good_for_one_connection(fake: FakeFeishu, app: DemoApp) -> None:
    url = (await app.endpoint())["data"]["URL"]
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url):
            pass
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(url)

    assert refused.value.headers is not None
    assert refused.value.headers["Handshake-Status"] == "514"


async def test_an_unknown_event_and_one_not_subscribed(fake: FakeFeishu, app: DemoApp) -> None:
    ann = fake.person("Ann")
    fake.push_unknown()
    fake.subscribed.discard("application.bot.menu_v6")
    await ann.taps_menu("quota")
    fake.subscribed.add("application.bot.menu_v6")
    await ann.taps_menu("help")

    unknown, menu = app.events
    assert unknown["header"]["event_type"] == "im.weather.changed_v9"
    assert menu["event"]["event_key"] == "help"
    assert menu["event"]["operator"]["operator_id"]["open_id"] == ann.open_id


async def test_the_app_is_told_where_its_bot_comes_and_goes(fake: FakeFeishu, app: DemoApp) -> None:
    ann = fake.person("Ann")
    told = ("im.chat.member.bot.added_v1", "im.chat.member.bot.deleted_v1", "im.message.recalled_v1")
    entered = "im.chat.access_event.bot_p2p_chat_entered_v1"
    fake.subscribed |= {*told, entered}

    group = fake.group("studio", ann)
    fake.remove_bot(group, ann)
    fake.add_bot(group, ann)
    await fake.until(lambda: len(fake.acks) == 3)
    await ann.opens()
    await ann.recalls(await ann.says("hi"))

    kinds = [event["header"]["event_type"] for event in app.events]
    assert kinds == [told[0], told[1], told[0], entered, RECEIVED, told[2]]
    assert app.events[0]["event"]["chat_id"] == group.id
    assert app.events[3]["event"]["chat_id"] == ann.direct.id


async def test_an_ack_for_nothing_is_complained_about(fake: FakeFeishu, app: DemoApp) -> None:
    socket = await app.connect()

    await socket.send_bytes(encode(Frame(method=DATA, service=1, headers={"type": "event", "message_id": "none"})))
    await socket.send_bytes(b"\x00")

    await fake.until(lambda: len(fake.complaints) == 2)


@dataclass
class Receiver:
    """An app's listener for webhooks, which opens what is sealed and checks the signature by itself."""

    key: str
    bodies: list[dict[str, Any]] = field(default_factory=list)
    good: list[bool] = field(default_factory=list)
    status: int = 200

    async def take(self, request: web.Request) -> web.Response:
        raw, headers = await request.read(), request.headers
        signing = headers.get("X-Lark-Request-Timestamp", "") + headers.get("X-Lark-Request-Nonce", "") + self.key
        self.good.append(headers.get("X-Lark-Signature") == hashlib.sha256(signing.encode() + raw).hexdigest())
        sealed = base64.b64decode(json.loads(raw)["encrypt"])
        key = hashlib.sha256(self.key.encode()).digest()
        opened = Cipher(algorithms.AES(key), modes.CBC(sealed[:16])).decryptor().update(sealed[16:])
        body = json.loads(opened[: -opened[-1]])
        self.bodies.append(body)
        answer = {"challenge": body["challenge"]} if "challenge" in body else {}
        return web.json_response(answer, status=self.status)


@asynccontextmanager
async def hooked() -> AsyncIterator[tuple[FakeFeishu, Receiver]]:
    receiver = Receiver("the key")
    application = web.Application()
    application.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        async with FakeFeishu(webhook=address, encrypt_key="the key", verification_token="token") as fake:
            yield fake, receiver
    finally:
        await runner.cleanup()


async def test_a_webhook_is_sealed_and_signed() -> None:
    async with hooked() as (fake, receiver):
        await fake.person("Ann").says("hi")

        assert (receiver.good, len(fake.acks)) == ([True], 1)
        assert receiver.bodies[0]["header"]["token"] == "token"
        assert await fake.challenge() == receiver.bodies[1]["challenge"]


async def test_webhooks_are_forged_in_each_way() -> None:
    async with hooked() as (fake, receiver):
        message = await fake.person("Ann").says("hi")

        for how in ("signature", "old", "unsigned", "token", "replay"):
            assert await fake.forge(message, how) == 200

        assert receiver.good == [True, False, True, False, True, True]
        assert receiver.bodies[4]["header"]["token"] == "wrong"
        assert receiver.bodies[5] == receiver.bodies[0]


async def test_a_webhook_that_fails_comes_again() -> None:
    async with hooked() as (fake, receiver):
        receiver.status = 500
        await fake.person("Ann").says("hi")
        receiver.status = 200
        fake.clock.advance(15)

        async with asyncio.timeout(5):
            await fake.until(lambda: fake.pushes[0].done)

        assert [ack.code for ack in fake.acks] == [500, 200]
