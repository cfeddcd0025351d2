"""The webhook as the fake Feishu calls it: encrypted and signed by the fake's own hand, over a socket."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters.feishu.webhook import Webhook
from tests.simulators.feishu.fake import FakeFeishu

pytestmark = pytest.mark.wire

KEY, TOKEN = "an-encrypt-key", "a-verification-token"


class Bot:
    """What the listener does with a platform's call, and nothing more."""

    def __init__(self) -> None:
        self.taken: list[Mapping[str, Any]] = []
        self.webhook: Webhook | None = None

    async def take(self, event: Mapping[str, Any]) -> Mapping[str, Any] | None:
        self.taken.append(event)
        return None

    async def answer(self, request: web.Request) -> web.Response:
        assert self.webhook
        status, answer = await self.webhook(request.headers, await request.read())
        return web.json_response(answer, status=status)


@pytest.fixture
def bot() -> Bot:
    return Bot()


@pytest.fixture
async def fake(bot: Bot) -> AsyncIterator[FakeFeishu]:
    application = web.Application()
    application.router.add_post("/hooks/feishu", bot.answer)
    async with TestServer(application) as server:
        url = str(server.make_url("/hooks/feishu"))
        async with FakeFeishu(webhook=url, encrypt_key=KEY, verification_token=TOKEN) as fake:
            bot.webhook = Webhook(
                encrypt_key=KEY,
                verification_token=TOKEN,
                take=bot.take,
                clock=lambda: datetime.fromtimestamp(fake.clock(), UTC),
            )
            yield fake


async def test_what_people_write_comes_through(fake: FakeFeishu, bot: Bot) -> None:
    message = await fake.person("Ann").says("/imagine 一只狐狸")

    (event,) = bot.taken
    assert event["event"]["message"]["message_id"] == message.id
    assert "一只狐狸" in event["event"]["message"]["content"]


async def test_the_address_is_proven_when_it_is_entered_in_the_console(fake: FakeFeishu, bot: Bot) -> None:
    answer = await fake.challenge()

    assert answer
    assert bot.taken == []


@pytest.mark.parametrize("how", ["signature", "old", "unsigned", "token"])
async def test_what_is_forged_never_comes_through(fake: FakeFeishu, bot: Bot, how: str) -> None:
    message = await fake.person("Ann").says("/imagine a fox")
    bot.taken.clear()

    assert await fake.forge(message, how) == 401
    assert bot.taken == []


async def test_what_is_sent_once_more_has_the_same_id(fake: FakeFeishu, bot: Bot) -> None:
    message = await fake.person("Ann").says("/imagine a fox")

    assert await fake.forge(message, "replay") == 200
    first, second = bot.taken
    assert first == second
