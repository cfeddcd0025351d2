"""The fake Feishu with the unmodified lark-oapi at its other end: client, frames, uploads, webhooks, typed models."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.fakes import painted
from tests.simulators.feishu.demo_app import DemoApp
from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.hook import Request

pytestmark = [pytest.mark.wire, pytest.mark.slow]


@asynccontextmanager
async def sdk(fake: FakeFeishu) -> AsyncIterator[None]:
    """The demo bot's process, with its long connection."""
    module = "tests.simulators.feishu.demo_bot"
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, fake.url, fake.app_id, fake.app_secret)
    try:
        await fake.until(lambda: len(fake.connections), within=60, what="the SDK's connection")
        yield
    finally:
        process.kill()
        await process.wait()


async def test_the_sdks_client_lives_with_the_fake() -> None:
    async with FakeFeishu(typed=True) as fake, sdk(fake):
        ann = fake.person("Ann")
        group = fake.group("studio", ann)

        await ann.says("a fox")
        fake.split, fake.split_reversed = 3, True
        await ann.says("{bot} in parts 狐狸", to=group)
        fake.split = 1
        await ann.sends_picture(painted("owl"))
        toast = await ann.presses(ann.sees()[1], "Again")
        before = len(fake.pings)
        await fake.until(lambda: len(fake.pings) > before, what="a ping")
        fake.connections.cut()
        await fake.until(lambda: fake.connections.made == 2 and len(fake.connections), what="the SDK coming back")
        await ann.says("after the cut")
        unknown = fake.push_unknown()
        await fake.until(lambda: unknown.acks, what="the answer to an event that nobody handles")

        assert [message.text for message in ann.sees()] == ["a fox", "a fox", "", "", "after the cut", "after the cut"]
        assert group.messages[-1].text == "@_user_1 in parts 狐狸"
        assert ann.sees()[3].pictures == [painted("owl")]
        assert toast is not None
        assert toast.content == "again"
        # The SDK takes an event without a handler for an error, so it would come again.
        assert [ack.code for ack in fake.acks] == [200] * 5 + [500]
        assert fake.complaints == []


def dispatched(request: Request, key: str, token: str) -> tuple[int, list[Any]]:
    """What the SDK's own dispatcher makes of a webhook: the status, and the events that it handed on."""
    import lark_oapi as lark

    heard: list[Any] = []
    builder = lark.EventDispatcherHandler.builder(key, token)
    raw = lark.RawRequest()
    raw.uri, raw.body, raw.headers = "/hook", request.body, request.headers
    answer = builder.register_p2_im_message_receive_v1(heard.append).build().do(raw)
    return answer.status_code, heard


async def test_the_sdks_dispatcher_opens_what_the_fake_sealed() -> None:
    async with FakeFeishu(typed=True, encrypt_key="the key", verification_token="token") as fake:
        message = await fake.person("Ann").says("hi", wait=False)
        body = fake.pushes[0].body
        good, forged = fake.hook.signed(body), fake.hook.signed(body, key="another")

        status, heard = await asyncio.to_thread(dispatched, good, "the key", "token")
        refused, _ = await asyncio.to_thread(dispatched, forged, "the key", "token")

        assert (status, [event.event.message.message_id for event in heard]) == (200, [message.id])
        assert refused == 500


async def test_requests_are_held_to_the_sdks_typed_models() -> None:
    async with FakeFeishu(typed=True) as fake, DemoApp(fake) as app:
        ann = fake.person("Ann")
        text = json.dumps({"text": "hi"})

        await app.call("POST", "/im/v1/messages?receive_id_type=chat_id&sort=1", {"receive_id": ann.direct.id})
        await app.send(ann.direct.id, "text", {"text": "hi"}, reply_in_thread=True)
        await app.reply(ann.sees()[0].id, "text", {"text": "hi"}, uuid="1", reply_in_thread=False)
        await app.call("PATCH", f"/im/v1/messages/{ann.sees()[0].id}", {"msg_type": "text", "content": text})
        await app.call(
            "POST",
            "/application/v7/app_slash_commands",
            {"command": "a", "description": {"default_value": "b", "i18n": {}}, "icon": {"key": "c"}},
        )

        assert fake.complaints == [
            "im.message.create: the query's 'sort' is unknown",
            "im.message.create: body.reply_in_thread is unknown",
            "im.message.patch: body.msg_type is unknown",
            "application.app_slash_command.create: body.icon.key is unknown",
        ]
