"""Pictures that people sent: opened when they are wanted, and looked for in the message that somebody replies to."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.feishu.event import File, Where
from bot.chat import Attachment
from bot.errors import BotError, PictureError
from tests.adapters.feishu.stage import FakeDoor, Stage, set_up
from tests.fakes import painted
from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.model import Chat, Message
from tests.simulators.feishu.people import Person
from tests.simulators.feishu.scopes import GROUP_MESSAGES

FOX, CAT = painted("fox"), painted("cat")
GET, RESOURCE = "im.message.get", "im.message.resource.get"


@pytest_asyncio.fixture
async def stage(fake: FakeFeishu, door: FakeDoor, tmp_path: Path) -> AsyncIterator[Stage]:
    async with set_up(fake, door, tmp_path) as stage:
        yield stage


@pytest.fixture
def ann(fake: FakeFeishu) -> Person:
    return fake.person("Ann")


def where(chat: Chat, *, thread: bool = False) -> Where:
    return Where.model_validate(
        {"tenant": "t", "user": "u", "chat": chat.id, "kind": chat.kind, "thread": thread, "at": 1}
    )


async def look(stage: Stage, message: Message, *, thread: bool = False) -> tuple[Attachment, ...]:
    return await stage.files.look(where(message.chat, thread=thread), message.id)


async def read(attachment: Attachment) -> bytes:
    return b"".join([chunk async for chunk in attachment.read()])


async def refused(stage: Stage, message: Message) -> str:
    with pytest.raises(BotError) as caught:
        await look(stage, message)
    return str(caught.value.text)


async def test_every_kind_of_message_shows_its_pictures(stage: Stage, ann: Person) -> None:
    sent = [
        await ann.sends_picture(FOX, wait=False),
        await ann.sends_file(CAT, "cat.webp", wait=False),
        await ann.posts("{bot} look", CAT, FOX, wait=False),
        await ann.sends_file(b"notes", "notes.txt", wait=False),
        await ann.says("a fox", wait=False),
    ]
    found = [[await read(each) for each in await look(stage, message)] for message in sent]

    assert found == [[FOX], [CAT], [CAT, FOX], [], []]


async def test_a_message_that_was_recalled_is_no_longer_there(stage: Stage, ann: Person) -> None:
    message = await ann.sends_picture(FOX, wait=False)
    await ann.recalls(message, wait=False)

    assert "no longer there" in await refused(stage, message)


async def test_a_forward_cannot_be_opened(stage: Stage, ann: Person) -> None:
    message = await ann.forwards(await ann.sends_picture(FOX, wait=False), wait=False)

    assert "forwarded" in await refused(stage, message)


async def test_a_card_of_ours_has_no_picture_to_look_for(fake: FakeFeishu, stage: Stage, ann: Person) -> None:
    """Pictures of ours are known without looking; words in reply to a question or a refusal stand for themselves."""
    card = {"schema": "2.0", "body": {"elements": [{"tag": "div", "text": {"tag": "plain_text", "content": "Hello"}}]}}
    await stage.rest.send(ann.direct.id, "interactive", card, uuid="one")

    assert await look(stage, ann.sees()[-1]) == ()


async def test_a_card_of_somebody_else_is_told_apart(fake: FakeFeishu, stage: Stage, ann: Person) -> None:
    message = fake.post(ann.direct, ann.user, "interactive", {"elements": []})

    assert "out of this card" in await refused(stage, message)


async def test_what_a_group_hides_is_explained_and_the_operator_hears_which_scope_it_needs(
    fake: FakeFeishu, stage: Stage, ann: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    message = await ann.sends_picture(FOX, to=fake.group("party", ann), wait=False)
    words = await refused(stage, message)

    assert "Send the picture and your words in one message" in words
    (told,) = (json.loads(line) for line in capsys.readouterr().out.splitlines() if '"code": 230027' in line)
    assert told["advice"] == f"Grant one of these scopes, then publish a version: {GROUP_MESSAGES}."


@pytest.mark.parametrize("trouble", [{"status": 502, "html": True}, {"times": 2}, {"code": 230001}])
async def test_what_cannot_be_looked_at_now_may_be_tried_again(
    fake: FakeFeishu, stage: Stage, ann: Person, trouble: dict[str, int]
) -> None:
    message = await ann.sends_picture(FOX, wait=False)
    fake.faults.add(GET, **trouble)  # type: ignore[arg-type]

    assert "Please try again" in await refused(stage, message)


async def test_the_head_of_a_topic_stops_no_words(fake: FakeFeishu, stage: Stage, ann: Person) -> None:
    group = fake.group("topics", ann, topics=True)
    head = await ann.sends_picture(FOX, to=group, wait=False)
    hidden = await look(stage, head, thread=True)
    fake.scopes.add(GROUP_MESSAGES)
    seen = await look(stage, head, thread=True)

    assert (hidden, [await read(each) for each in seen]) == ((), [FOX])


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (234003, "The picture is no longer there."),
        (234037, "The picture is larger than 1 MiB."),
        (234043, "I cannot take pictures out of forwarded messages."),
        (230002, "I may not open the pictures of this chat."),
        (234001, "The picture could not be fetched from Feishu."),
    ],
)
async def test_a_picture_that_is_not_to_be_had_says_why(
    fake: FakeFeishu, stage: Stage, ann: Person, code: int, words: str
) -> None:
    (picture,) = await look(stage, await ann.sends_picture(FOX, wait=False))
    fake.faults.add(RESOURCE, code=code)
    with pytest.raises(PictureError) as caught:
        await read(picture)

    assert str(caught.value.text).startswith(words)


async def test_a_picture_that_cannot_be_fetched_now_may_be_tried_again(
    fake: FakeFeishu, stage: Stage, ann: Person
) -> None:
    (picture,) = await look(stage, await ann.sends_picture(FOX, wait=False))
    fake.faults.add(RESOURCE, status=502, html=True)
    with pytest.raises(PictureError) as caught:
        await read(picture)

    assert "Please try again" in str(caught.value.text)
    assert await read(picture) == FOX


async def test_no_more_than_is_taken_is_handed_on(fake: FakeFeishu, stage: Stage, ann: Person) -> None:
    message = await ann.sends_picture(FOX + bytes(2**22), wait=False)
    got = 0

    async def take_in() -> None:
        nonlocal got
        async for chunk in stage.files.read(File(message=message.id, key=message.picture_keys[0])):
            got += len(chunk)

    with pytest.raises(PictureError):
        await take_in()

    assert got <= 2**20
