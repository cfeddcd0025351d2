"""What Feishu pushes becomes what the core asks for.

The samples were written by hand after the shapes that the platform's documents name; none was recorded from it.
"""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.feishu.event import Event, File
from adapters.feishu.inbound import Us, Way, read
from adapters.feishu.words import FORWARDED, TAKEN, WELCOME
from tests.adapters.feishu.parsing import SAMPLES, heard, heard_of, named, sample, us
from tests.fakes import attached

BOB, EVE = named("Bob"), named("Eve")

# The fields of each event that are worth a look; what is not named has its default.
EVENTS: dict[str, dict[str, Any]] = {
    "p2p_words": {"line": "a fox in the snow", "kind": "p2p", "thread": False, "private": True, "room": ""},
    "p2p_command": {"line": "/imagine a fox --ratio 16:9"},
    "p2p_command_in_chinese": {"line": "／画一只狐狸 🦊"},
    "p2p_words_with_a_mention_of_the_bot": {"line": "a fox"},
    "p2p_reply": {"line": "make it night", "meant": True},
    "p2p_reply_in_a_thread": {"line": "make it night", "meant": True, "thread": True},
    "p2p_several_lines": {"line": "a fox\n\nin the snow "},
    "p2p_post": {"line": "make it night", "files": ["image"]},
    "p2p_post_of_every_part": {"line": "A fox\nin the snow\nwith stars\nand **moon**", "files": ["image"]},
    "group_mention": {"line": "a fox in the snow", "kind": "group", "private": False, "room": "group"},
    "group_mention_in_the_middle": {"line": "hey a fox"},
    "group_mention_without_a_space": {"line": "画一只狐狸"},
    "group_mention_alone": {"line": ""},
    "group_command": {"line": "/imagine a fox --count 2"},
    "group_command_about_a_person": {"line": f"/admin limit <@{BOB}> 20"},
    "group_words_about_a_person": {"line": "@Bob as a knight with @Eve"},
    "group_mention_of_twelve": {"line": " ".join(f"@P{number}" for number in range(2, 13))},
    "group_everybody_and_the_bot": {"line": "a fox"},
    "group_reply": {"line": "make it night", "meant": True},
    "group_post": {"line": "For the party\nput @Bob in the snow", "files": ["image"]},
    "group_in_a_thread": {"line": "make it night", "meant": True, "thread": True},
    "topic_head": {"line": "a fox", "kind": "topic_group", "thread": True, "meant": False},
    "topic_reply": {"line": "make it night", "kind": "topic_group", "thread": True, "meant": True},
    "menu_quota": {"command": "quota", "kind": "", "private": True, "chat": ""},
    "menu_with_a_slash": {"command": "history"},
}
PRESSES: dict[str, dict[str, Any]] = {
    "press_button": {"press": "again:k3f9w2ab:0", "kind": "group", "private": False, "room": "group", "card": True},
    "press_in_place": {"press": "cancel:k3f9w2ab:0"},
    "press_of_a_form": {
        "command": "edit",
        "press": "",
        "values": {"prompt": "make it night", "model": "seedream-4"},
        "generation": ("k3f9w2ab", 2),
    },
    "press_beside_the_words_of_a_form": {"press": "vary:k3f9w2ab:1", "command": "", "values": {}},
    "press_of_a_form_without_words": {"press": "edit:k3f9w2ab:0", "command": ""},
    "press_of_a_select": {"press": "show:k3f9w2ab:3"},
    "press_of_an_unknown_id": {"press": "from an old version"},
    "press_outside_of_a_chat": {"press": "details:k3f9w2ab:0", "chat": "", "private": True, "card": False},
}
PICTURES_ALONE = {
    "p2p_picture": ["image"],
    "p2p_picture_as_a_file": ["Fox.PNG"],
    "p2p_post_of_pictures_alone": ["image", "image"],
}
TOLD = {
    "p2p_another_file": TAKEN,
    "p2p_audio": TAKEN,
    "p2p_video": TAKEN,
    "p2p_sticker": TAKEN,
    "p2p_shared_contact": TAKEN,
    "p2p_forward": FORWARDED,
    "bot_added": WELCOME,
}
NOT_FOR_US = (
    "group_everybody",
    "group_talk_among_others",
    "group_another_bot",
    "group_picture",
    "group_by_another_app",
    "p2p_system",
    "press_of_nothing",
    "menu_of_somebody_else",
    "message_read",
)
ASKINGS = {**EVENTS, **PRESSES}


def names(files: tuple[File, ...]) -> list[str]:
    return [file.name or file.kind for file in files]


def shown(event: Event) -> dict[str, Any]:
    where, meant = event.where, event.meant
    chats = {sample("group_mention")["event"]["message"]["chat_id"]: "group"}
    return {
        **event.model_dump(),
        **where.model_dump(),
        "files": names(event.files),
        "meant": bool(meant and meant.message == sample("p2p_reply")["event"]["message"]["parent_id"]),
        "generation": (meant.generation, meant.index) if meant else None,
        "private": event.place.private,
        "room": chats.get(event.place.room, event.place.room),
        "card": bool(where.card),
    }


@pytest.mark.parametrize("name", ASKINGS)
def test_what_feishu_pushes_becomes_what_was_asked(name: str) -> None:
    found = heard_of(name)
    event = shown(found.event)

    assert {key: event[key] for key in ASKINGS[name]} == ASKINGS[name]
    assert found.way is (Way.PRESSES if name in PRESSES else Way.ASKS)


@pytest.mark.parametrize("name", [*ASKINGS, *PICTURES_ALONE])
def test_an_event_is_the_same_after_it_was_stored(name: str) -> None:
    event = heard_of(name).event
    stored = json.dumps(event.model_dump(mode="json"), ensure_ascii=False)

    assert Event.model_validate(json.loads(stored)) == event


@pytest.mark.parametrize("name", ASKINGS)
def test_an_invocation_says_one_thing_and_who_asked_when(name: str) -> None:
    event, payload = heard_of(name).event, sample(name)
    invocation = event.invocation(event.actor(), lambda file: attached(b""), lambda message: _nothing())
    message = payload["event"].get("message", {})
    seconds = int(payload["header"]["create_time"][:10])

    assert invocation.id == f"feishu:{message.get('message_id') or payload['header']['event_id']}"
    assert sum(map(bool, (invocation.line, invocation.command, invocation.press))) <= 1
    assert invocation.received == datetime.fromtimestamp(seconds, UTC)
    assert invocation.actor.space == payload["header"]["tenant_key"]
    assert invocation.actor.user == sample("p2p_words")["event"]["sender"]["sender_id"]["open_id"]


async def _nothing() -> tuple[()]:
    return ()


@pytest.mark.parametrize("name", PICTURES_ALONE)
def test_pictures_without_words_are_shown_and_ask_for_nothing_yet(name: str) -> None:
    found = heard_of(name)

    assert (found.way, names(found.event.files)) == (Way.SHOWS, PICTURES_ALONE[name])


@pytest.mark.parametrize("name", TOLD)
def test_what_cannot_be_taken_is_told_what_can(name: str) -> None:
    found = heard_of(name)

    assert (found.way, found.answer) == (Way.IS_TOLD, TOLD[name])


@pytest.mark.parametrize("name", NOT_FOR_US)
def test_what_is_not_meant_for_us_is_nothing(name: str) -> None:
    assert heard(name) is None


def test_who_opens_the_chat_tells_of_what_kind_it_is() -> None:
    found = heard_of("chat_entered")

    assert (found.way, found.event.where.kind) == (Way.ENTERS, "p2p")


def test_every_sample_is_used() -> None:
    used = {*ASKINGS, *PICTURES_ALONE, *TOLD, *NOT_FOR_US, "chat_entered"}

    assert {file.stem for file in SAMPLES.glob("*.json")} == used
    assert len(used) >= 30


def test_a_sample_holds_no_secret() -> None:
    for file in SAMPLES.glob("*.json"):
        data = file.read_text("utf-8")
        assert data.count('token":') == data.count('token": "scrubbed"'), file.name


def test_the_bot_is_known_by_its_id_and_by_no_name() -> None:
    payload = sample("group_mention")
    payload["event"]["message"]["mentions"][0]["name"] = "Another name"
    other = sample("group_another_bot")
    other["event"]["message"]["mentions"][0]["name"] = "Seedream"

    assert read(payload, us()) is not None
    assert read(other, us()) is None
    assert read(payload, Us(bot="")) is None


def test_an_id_that_no_database_takes_is_no_event() -> None:
    payload = sample("p2p_words")
    payload["event"]["message"]["message_id"] = "om_1'; DROP TABLE inbox"

    assert read(payload, us()) is None


@pytest.mark.parametrize("content", ["", "[]", "{", "7", '{"text": 7}', '{"text": null}', "[" * 100_000])
def test_a_content_of_no_known_shape_is_something_that_cannot_be_taken(content: str) -> None:
    payload = sample("p2p_words")
    payload["event"]["message"]["content"] = content
    found = read(payload, us())

    assert found is not None
    assert found.way is Way.IS_TOLD


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("@_user_1", ""),
        ("@_user_1 @_all\ta fox", "a fox"),
        ("a fox @_user_1", "a fox"),
        ("a @_user_1 fox", "a fox"),
        ("a fox\n@_user_1\nin the snow", "a fox\n\nin the snow"),
        ("@_user_1\n  indented", "indented"),
        ("a  fox   in @_user_1, please", "a  fox   in , please"),
        ("@_user_12 foxes", "2 foxes"),
        ("me@_user.org @_user_1 @_user_x", "me@_user.org @_user_x"),
    ],
)
def test_nothing_but_the_mention_is_taken_out_of_the_words(said: str, line: str) -> None:
    payload = sample("group_mention")
    payload["event"]["message"]["content"] = json.dumps({"text": said})
    found = read(payload, us())

    assert found is not None
    assert found.event.line == line


def test_hostile_words_are_read_as_quickly_as_others() -> None:
    """Nobody else is answered meanwhile: a search that begins anew at each space takes the square of their number."""
    payload = sample("group_mention")
    payload["event"]["message"]["content"] = json.dumps({"text": " " * 75_000 + "@_user_1 " * 8_000})
    begun = time.process_time()
    found = read(payload, us())

    assert found is not None
    assert time.process_time() - begun < 1


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_no_event_is_an_error_whatever_stands_in_it(data: st.DataObject) -> None:
    """One field of a real event, wherever it is, holds anything at all."""
    payload = sample(data.draw(st.sampled_from(sorted((*ASKINGS, *PICTURES_ALONE, *TOLD)))))
    place: Any = payload
    while True:
        key = data.draw(st.sampled_from(sorted(place)) if isinstance(place, dict) else st.just(0))
        inner = place[key]
        if not (isinstance(inner, dict | list) and inner) or data.draw(st.booleans()):
            break
        place = inner
    if key == "content":
        place[key] = json.dumps(data.draw(ANYTHING))
    else:
        place[key] = data.draw(ANYTHING)

    found = read(payload, us())
    assert found is None or Event.model_validate(found.event.model_dump(mode="json")) == found.event


@given(ANYTHING)
def test_a_post_of_any_shape_is_read(content: Any) -> None:
    payload = sample("p2p_post")
    payload["event"]["message"]["content"] = json.dumps({"title": content, "content": content, "zh_cn": content})

    assert read(payload, us()) is not None
