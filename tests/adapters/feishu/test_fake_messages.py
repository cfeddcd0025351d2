"""The fake Feishu's messages: sending, changing, reading and taking back, as the open platform has it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.fakes import painted
from tests.simulators.feishu.demo_app import DemoApp
from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.scopes import GROUP_MESSAGES

pytestmark = pytest.mark.wire

TEXT = {"text": "hello"}
DAY = 86_400


def card(words: str = "a fox", **more: Any) -> dict[str, Any]:
    element = {"tag": "div", "text": {"tag": "plain_text", "content": words}, **more}
    return {"schema": "2.0", "body": {"elements": [element]}}


def shows(key: str) -> dict[str, Any]:
    picture = {"tag": "img", "img_key": key, "alt": {"tag": "plain_text", "content": ""}}
    return {"schema": "2.0", "body": {"elements": [picture]}}


def changed(content: Any) -> dict[str, str]:
    return {"content": json.dumps(content)}


@pytest.fixture
async def fake() -> AsyncIterator[FakeFeishu]:
    async with FakeFeishu() as fake:
        yield fake


@pytest.fixture
async def app(fake: FakeFeishu) -> AsyncIterator[DemoApp]:
    async with DemoApp(fake) as app:
        yield app


async def test_a_reply_stands_below_what_it_answers(fake: FakeFeishu, app: DemoApp) -> None:
    ann = fake.person("Ann")
    asked = await ann.says("/help", wait=False)

    answer = await app.reply(asked.id, "interactive", card("all commands"))

    assert (answer.status, answer.data["parent_id"], answer.data["chat_id"]) == (200, asked.id, ann.direct.id)
    assert (ann.sees()[-1].text, ann.sees()[-1].reply_to) == ("all commands", asked)
    assert fake.complaints == []


async def test_a_message_by_open_id_opens_the_chat_of_two(fake: FakeFeishu, app: DemoApp) -> None:
    ann = fake.person("Ann")
    body = {"receive_id": ann.open_id, "msg_type": "text", "content": json.dumps(TEXT)}

    answer = await app.call("POST", "/im/v1/messages?receive_id_type=open_id", body)

    assert (answer.data["chat_id"], [one.text for one in ann.sees()]) == (ann.direct.id, ["hello"])


async def test_a_uuid_makes_one_message_in_an_hour(fake: FakeFeishu, app: DemoApp) -> None:
    chat = fake.person("Ann").direct
    fake.faults.add("im.message.create", after=True)

    with pytest.raises(aiohttp.ServerDisconnectedError):
        await app.send(chat.id, "text", TEXT, uuid="job:1")
    again = await app.send(chat.id, "text", TEXT, uuid="job:1")
    fake.clock.advance(3601)
    await app.send(chat.id, "text", TEXT, uuid="job:1")

    first, later = fake.messages(chat)
    assert again.data["message_id"] == first.id != later.id
    assert fake.complaints == []


async def test_a_uuid_for_something_else_is_complained_about(fake: FakeFeishu, app: DemoApp) -> None:
    chat, other = fake.person("Ann").direct, fake.person("Ben").direct
    await app.send(chat.id, "text", TEXT, uuid="job:1")

    await app.send(chat.id, "text", {"text": "newer"}, uuid="job:1")
    assert fake.complaints == []
    await app.send(other.id, "text", TEXT, uuid="job:1")
    too_long = await app.send(chat.id, "text", TEXT, uuid="x" * 51)

    assert (len(chat.messages), len(other.messages), too_long.code) == (1, 0, 99992402)
    assert fake.complaints == ["the uuid job:1 was used again for something else", "a uuid of 51 characters"]


async def test_the_sixth_send_of_a_second_to_one_chat_waits(fake: FakeFeishu, app: DemoApp) -> None:
    chat = fake.person("Ann").direct

    answers = [await app.send(chat.id, "text", TEXT) for _ in range(6)]
    fake.clock.advance(1)
    later = await app.send(chat.id, "text", TEXT)

    assert [one.code for one in answers] == [0] * 5 + [230020]
    assert (answers[5].status, answers[5].headers["x-ogw-ratelimit-reset"], later.code) == (429, "1", 0)
    assert fake.complaints == ["more than 5 sends a second to one chat"]


async def test_the_sixth_change_of_a_second_of_one_card_waits(fake: FakeFeishu, app: DemoApp) -> None:
    sent = await app.send(fake.person("Ann").direct.id, "interactive", card())
    path = f"/im/v1/messages/{sent.data['message_id']}"

    codes = [(await app.call("PATCH", path, changed(card(str(number))))).code for number in range(6)]

    assert codes == [0] * 5 + [230020]


async def test_a_card_is_changed_for_everybody_to_see(fake: FakeFeishu, app: DemoApp) -> None:
    ann = fake.person("Ann")
    sent = await app.send(ann.direct.id, "interactive", card("drawing"))
    image = (await app.upload(painted("fox"))).data["image_key"]

    await app.call("PATCH", f"/im/v1/messages/{sent.data['message_id']}", changed(shows(image)))

    (message,) = ann.sees()
    assert (message.pictures, message.text, len(message.edits)) == ([painted("fox")], "", 1)


@pytest.mark.parametrize(("days", "code"), [(13.9, 0), (14.1, 230031)])
async def test_a_card_is_changed_for_two_weeks(fake: FakeFeishu, app: DemoApp, days: float, code: int) -> None:
    sent = await app.send(fake.person("Ann").direct.id, "interactive", card())
    fake.clock.advance(days * DAY)
    await app.fresh_token()

    answer = await app.call("PATCH", f"/im/v1/messages/{sent.data['message_id']}", changed(card("new")))

    assert answer.code == code


async def test_only_the_bots_own_cards_are_changed(fake: FakeFeishu, app: DemoApp) -> None:
    ann = fake.person("Ann")
    theirs = await ann.says("hi", wait=False)
    text = await app.send(ann.direct.id, "text", TEXT)

    codes = [
        (await app.call("PATCH", f"/im/v1/messages/{id}", changed(card()))).code
        for id in (theirs.id, text.data["message_id"], "om_unknown")
    ]

    assert codes == [230001, 230001, 231003]


async def test_what_was_recalled_is_neither_answered_nor_changed(fake: FakeFeishu, app: DemoApp) -> None:
    ann = fake.person("Ann")
    asked = await ann.says("hi", wait=False)
    sent = await app.send(ann.direct.id, "interactive", card())
    await ann.recalls(asked)
    recalled = await app.call("DELETE", f"/im/v1/messages/{sent.data['message_id']}")

    reply = await app.reply(asked.id, "text", TEXT)
    change = await app.call("PATCH", f"/im/v1/messages/{sent.data['message_id']}", changed(card()))
    read = await app.call("GET", f"/im/v1/messages/{asked.id}")

    assert (recalled.code, reply.code, change.code, ann.sees()) == (0, 230011, 231003, [])
    assert (read.code, read.data["items"][0]["deleted"]) == (0, True)


async def test_a_card_that_is_wrong_is_refused_and_complained_about(fake: FakeFeishu, app: DemoApp) -> None:
    answer = await app.send(fake.person("Ann").direct.id, "interactive", card(colour="red"))

    assert (answer.status, answer.code) == (400, 230099)
    assert "ErrCode: 11310" in answer.body["msg"]
    assert answer.body["error"]["log_id"] == answer.headers["X-Tt-Logid"]
    assert fake.complaints == ["card.body.elements[0].colour: unknown property"]


async def test_what_the_platforms_filter_knows_is_refused(fake: FakeFeishu, app: DemoApp) -> None:
    answer = await app.send(fake.person("Ann").direct.id, "interactive", card("这是敏感词"))

    assert (answer.code, fake.complaints) == (230022, [])


async def test_a_picture_of_somebody_else_cannot_be_shown(fake: FakeFeishu, app: DemoApp) -> None:
    ann = fake.person("Ann")
    theirs = (await ann.sends_picture(painted("fox"), wait=False)).picture_keys[0]

    marked = {"schema": "2.0", "body": {"elements": [{"tag": "markdown", "content": f"![fox]({theirs})"}]}}
    codes = [
        (await app.send(ann.direct.id, "interactive", shows(theirs))).code,
        (await app.send(ann.direct.id, "interactive", marked)).code,
        (await app.send(ann.direct.id, "image", {"image_key": "img_none"})).code,
    ]

    assert codes == [230017, 230017, 230017]
    assert len(fake.complaints) == 3


async def test_a_mention_in_a_text_is_complained_about(fake: FakeFeishu, app: DemoApp) -> None:
    await app.send(fake.person("Ann").direct.id, "text", {"text": '<at user_id="all">all</at>'})

    assert fake.complaints == ["""a mention in the text '<at user_id="all">all</at>'"""]


async def test_the_bot_writes_only_where_it_may(fake: FakeFeishu, app: DemoApp) -> None:
    ann, bob = fake.person("Ann"), fake.person("Bob", reachable=False)
    places = [
        bob.direct,
        fake.group("silent", ann, speaks=False),
        fake.group("without", ann, with_bot=False),
        fake.group("with", ann),
    ]

    codes = [(await app.send(chat.id, "text", TEXT)).code for chat in places]

    assert codes == [230013, 230018, 230002, 0]


async def test_reading_in_a_group_needs_a_scope_of_its_own(fake: FakeFeishu, app: DemoApp) -> None:
    ann = fake.person("Ann")
    group = fake.group("studio", ann)
    there = await ann.says("hi", to=group, wait=False)
    here = await ann.says("{bot} hi", wait=False)

    before = await app.call("GET", f"/im/v1/messages/{there.id}")
    fake.scopes.add(GROUP_MESSAGES)
    after = await app.call("GET", f"/im/v1/messages/{there.id}")
    direct = await app.call("GET", f"/im/v1/messages/{here.id}")

    assert (before.code, after.code) == (230027, 0)
    assert direct.data["items"][0]["mentions"][0]["id"] == fake.bot.open_id


async def test_replies_in_a_topic_stay_in_it(fake: FakeFeishu, app: DemoApp) -> None:
    ann = fake.person("Ann")
    head = await ann.says("{bot} first", to=fake.group("topics", ann, topics=True), wait=False)
    second = await ann.says("{bot} second", reply_to=head, wait=False)

    answer = await app.reply(second.id, "text", TEXT)

    assert (answer.data["thread_id"], answer.data["root_id"]) == (head.thread, head.id)
    assert second.reply_to is head


async def test_a_topic_whose_head_was_recalled_takes_no_reply(fake: FakeFeishu, app: DemoApp) -> None:
    ann = fake.person("Ann")
    head = await ann.says("{bot} first", to=fake.group("topics", ann, topics=True), wait=False)
    second = await ann.says("{bot} second", reply_to=head, wait=False)
    await ann.recalls(head, wait=False)

    assert (await app.reply(second.id, "text", TEXT)).code == 230019


async def test_a_reply_can_begin_a_topic(fake: FakeFeishu, app: DemoApp) -> None:
    asked = await fake.person("Ann").says("hi", wait=False)

    answer = await app.reply(asked.id, "text", TEXT, reply_in_thread=True)

    assert answer.data["thread_id"] == asked.thread != ""


async def test_reactions_are_seen_and_taken_away(fake: FakeFeishu, app: DemoApp) -> None:
    message = await fake.person("Ann").says("hi", wait=False)
    path = f"/im/v1/messages/{message.id}/reactions"

    added = await app.call("POST", path, {"reaction_type": {"emoji_type": "OnIt"}})
    seen = [*message.reactions]
    await app.call("DELETE", f"{path}/{added.data['reaction_id']}")

    assert (seen, message.reactions) == ([("OnIt", fake.bot.open_id)], [])


async def test_faults_come_when_and_how_they_were_scripted(fake: FakeFeishu, app: DemoApp) -> None:
    chat = fake.person("Ann").direct
    fake.faults.add("im.message.create", code=230020, retry_after=2)
    fake.faults.add("im.message.create", status=502, html=True)
    fake.faults.add("im.message.create", code=99991663, status=200)

    answers = [await app.send(chat.id, "text", TEXT) for _ in range(4)]
    fake.faults.add("im.message.create", delay=5)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await app.send(chat.id, "text", TEXT)

    assert [one.status for one in answers] == [429, 502, 200, 200]
    assert answers[0].headers["x-ogw-ratelimit-reset"] == "2"
    assert (answers[1].headers["Content-Type"], answers[2].code, len(chat.messages)) == ("text/html", 99991663, 1)
    assert [one.code for one in fake.called("im.message.create")] == [230020, None, 99991663, 0, None]


def test_a_misspelt_call_is_found_where_it_is_scripted() -> None:
    with pytest.raises(ValueError, match=r"no im\.message\.send"):
        FakeFeishu().faults.add("im.message.send", code=1)
