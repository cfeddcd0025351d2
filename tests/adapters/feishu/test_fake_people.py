"""The fake Feishu's people: what their messages look like to the app, and what they press, choose and fill in."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.fakes import painted
from tests.simulators.feishu.demo_app import DemoApp
from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.model import Message
from tests.simulators.feishu.people import Person

pytestmark = pytest.mark.wire

Json = dict[str, Any]
TOAST = {"toast": {"type": "success", "content": "Drawing", "i18n": {"zh_cn": "正在画"}}}


def plain(words: str) -> Json:
    return {"tag": "plain_text", "content": words}


def button(words: str, **more: Any) -> Json:
    return {"tag": "button", "text": plain(words), "behaviors": [{"type": "callback", "value": {"id": words}}], **more}


MODELS = {
    "tag": "select_static",
    "placeholder": plain("Model"),
    "options": [{"text": plain("Seedream 4.5"), "value": "4.5"}, {"text": plain("Seedream 5"), "value": "5"}],
}
FORM = {
    "tag": "form",
    "name": "edit",
    "elements": [
        {"tag": "input", "name": "words", "required": True, "max_length": 20, "placeholder": plain("Words")},
        {**MODELS, "name": "model", "initial_option": "Seedream 4.5"},
        button("Draw", name="draw", form_action_type="submit"),
    ],
}


def card(*elements: Json) -> Json:
    return {"schema": "2.0", "body": {"elements": [*elements]}}


@pytest.fixture
async def fake() -> AsyncIterator[FakeFeishu]:
    async with FakeFeishu() as fake:
        yield fake


@pytest.fixture
async def app(fake: FakeFeishu) -> AsyncIterator[DemoApp]:
    async with DemoApp(fake) as app:
        await app.connect()
        yield app


@pytest.fixture
def ann(fake: FakeFeishu) -> Person:
    return fake.person("Ann")


async def shown(app: DemoApp, ann: Person, *elements: Json) -> Message:
    """A card of the bot in Ann's chat with it, whose presses are answered with a toast."""
    app.answer = lambda event: (200, TOAST)
    await app.send(ann.direct.id, "interactive", card(*elements))
    return ann.sees()[-1]


def action(app: DemoApp) -> Json:
    found: Json = app.events[-1]["event"]["action"]
    return found


async def test_mentions_are_keys_with_entries(fake: FakeFeishu, app: DemoApp, ann: Person) -> None:
    bob = fake.person("Bob")
    group = fake.group("studio", ann, bob)

    message = await ann.says("draw {Bob} {all}", to=group, mentions=(fake.bot, bob))

    told = app.events[0]["event"]["message"]
    assert json.loads(told["content"]) == {"text": "@_user_1 draw @_user_2 @_all"}
    assert [(one["key"], one["id"]["open_id"]) for one in told["mentions"]] == [
        ("@_user_1", fake.bot.open_id),
        ("@_user_2", bob.open_id),
    ]
    assert message.text == "@Seedream draw @Bob @_all"


async def test_a_post_has_lines_mentions_and_pictures(fake: FakeFeishu, app: DemoApp, ann: Person) -> None:
    message = await ann.posts("{bot} make it blue", painted("fox"), "please", title="A fox", to=fake.group("g", ann))

    content = json.loads(app.events[0]["event"]["message"]["content"])
    assert content["title"] == "A fox"
    assert [[part["tag"] for part in line] for line in content["content"]] == [["at", "text"], ["img"], ["text"]]
    assert content["content"][0][0]["user_id"] == "@_user_1"
    assert message.pictures == [painted("fox")]


async def test_a_reply_carries_parent_and_root(app: DemoApp, ann: Person) -> None:
    first = await ann.says("first")
    second = await ann.says("second", reply_to=first)
    await ann.says("third", reply_to=second)

    told = app.events[2]["event"]["message"]
    assert (told["parent_id"], told["root_id"]) == (second.id, first.id)


async def test_a_press_tells_who_pressed_what_and_brings_a_toast(app: DemoApp, ann: Person) -> None:
    message = await shown(app, ann, button("Again"))

    toast = await ann.presses(message, "Again")

    event = app.events[-1]["event"]
    assert action(app) == {"timezone": "Asia/Shanghai", "tag": "button", "value": {"id": "Again"}}
    assert event["operator"]["open_id"] == ann.open_id
    assert event["context"] == {"open_message_id": message.id, "open_chat_id": ann.direct.id}
    assert toast is not None
    assert (toast.kind, toast.content, toast.i18n["zh_cn"]) == ("success", "Drawing", "正在画")


async def test_a_card_in_the_answer_replaces_the_message(app: DemoApp, ann: Person) -> None:
    message = await shown(app, ann, button("Again"))
    app.answer = lambda event: (200, {"card": {"type": "raw", "data": card(button("Stop"))}})

    toast = await ann.presses(message, "Again")

    assert (toast, message.labels, len(message.edits)) == (None, ["Stop"], 1)


@pytest.mark.parametrize(("as_card_frames", "kind"), [(False, "event"), (True, "card")])
async def test_a_press_comes_in_a_frame_of_either_kind(
    fake: FakeFeishu, app: DemoApp, ann: Person, as_card_frames: bool, kind: str
) -> None:
    fake.as_card_frames = as_card_frames
    message = await shown(app, ann, button("Again"))

    await ann.presses(message, "Again")

    assert app.frames[-1].headers["type"] == kind


async def test_a_form_sends_what_was_filled_in(app: DemoApp, ann: Person) -> None:
    message = await shown(app, ann, FORM)

    await ann.presses(message, "Draw", words="a fox")
    first = action(app)
    await ann.presses(message, "Draw", values={"words": "an owl", "model": "Seedream 5"})

    assert (first["name"], first["form_value"]) == ("draw", {"words": "a fox", "model": "4.5"})
    assert action(app)["form_value"] == {"words": "an owl", "model": "5"}


async def test_a_select_sends_the_chosen_value(app: DemoApp, ann: Person) -> None:
    message = await shown(app, ann, {**MODELS, "behaviors": [{"type": "callback", "value": {"do": "model"}}]})

    await ann.chooses(message, "Model", "Seedream 5")

    assert (message.placeholders, action(app)["option"], action(app)["value"]) == (["Model"], "5", {"do": "model"})


IMPOSSIBLE: dict[str, Callable[[Person, Message], Any]] = {
    "no such button": lambda ann, message: ann.presses(message, "Nothing"),
    "switched off": lambda ann, message: ann.presses(message, "Off"),
    "words are required": lambda ann, message: ann.presses(message, "Draw"),
    "no such input": lambda ann, message: ann.presses(message, "Draw", words="a fox", size="4K"),
    "too long": lambda ann, message: ann.presses(message, "Draw", words="x" * 21),
    "no such option": lambda ann, message: ann.presses(message, "Draw", words="a fox", model="Midjourney"),
    "within a form": lambda ann, message: ann.chooses(message, "Model", "Seedream 5"),
}


@pytest.mark.parametrize("press", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
async def test_what_nobody_could_press_cannot_be_pressed(
    app: DemoApp, ann: Person, press: Callable[[Person, Message], Any]
) -> None:
    message = await shown(app, ann, FORM, button("Off", disabled=True))

    with pytest.raises((LookupError, ValueError)):
        await press(ann, message)

    assert app.events == []


async def test_strangers_and_late_comers_cannot_press(fake: FakeFeishu, app: DemoApp, ann: Person) -> None:
    message = await shown(app, ann, button("Again"))
    with pytest.raises(LookupError, match="is not in"):
        await fake.person("Bob").presses(message, "Again")

    fake.clock.advance(15 * 86_400)

    with pytest.raises(LookupError, match="too old"):
        await ann.presses(message, "Again")


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (None, "a press was not answered within 0.1 s (200340)"),
        ((500, None), "a press was answered with 500 (200341)"),
        ((200, {"toast": {"type": "good", "content": "x"}}), "a toast cannot be {'type': 'good', 'content': 'x'}"),
        ((200, {"tost": {}}), "the answer to a press is {'tost': {}} (200672)"),
        ((200, {"card": card()}), "the answer's card cannot be {'schema': '2.0', 'body': {'elements': []}}"),
    ],
)
async def test_a_bad_answer_to_a_press_is_complained_about(
    fake: FakeFeishu, app: DemoApp, ann: Person, answer: tuple[int, Any] | None, complaint: str
) -> None:
    message = await shown(app, ann, button("Again"))
    fake.presses.within = 0.1
    app.answer = lambda event: answer

    toast = await ann.presses(message, "Again")

    assert (toast, fake.complaints) == (None, [complaint])


async def test_a_press_allows_two_later_changes_of_the_card(app: DemoApp, ann: Person) -> None:
    message = await shown(app, ann, button("Again"))
    await ann.presses(message, "Again")
    token = app.events[-1]["event"]["token"]

    codes = [
        (await app.call("POST", "/interactive/v1/card/update", {"token": token, "card": card(button(words))})).code
        for words in ("One", "Two", "Three")
    ]

    assert (codes, message.labels) == ([0, 0, 300030], ["Two"])
