"""What Discord really sends, through discord.py's own parser, becomes what the core asks for.

The samples are what the fake Discord sent to the adapter, without tokens and signatures; see `samples`.
"""

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from adapters.discord import inbound
from adapters.discord.event import Event, File
from adapters.discord.messages import Heard, answers, heard
from adapters.discord.pictures import linked, without_links
from adapters.discord.presses import Form, asks, pressed
from adapters.discord.target import target
from adapters.discord.words import HIDDEN_PICTURE, HIDDEN_WORDS
from tests.adapters.discord.parsing import Parser
from tests.adapters.discord.stage import drawing_table
from tests.fakes import attached

SAMPLES = Path(__file__).parent / "samples"
ELSEWHERE = {"member": False}
PRESS = {"command": "", "values": {}}

# The fields of each event that are worth a look; what is not named has its default.
EVENTS: dict[str, dict[str, Any]] = {
    "slash_words": {
        "command": "imagine",
        "values": {"prompt": "a fox in the snow"},
        "name": "Bob",
        "language": "en-US",
    },
    "slash_every_kind": {
        "values": {"prompt": "雪中的狐狸 🦊", "count": 2, "private": True, "model": "seedream-4"},
    },
    "slash_one_picture": {"command": "edit", "values": {"prompt": "make it night"}, "pictures": ["image1"]},
    "slash_several_pictures": {"command": "blend", "pictures": ["image1", "image2", "image3"]},
    "slash_in_a_direct_message": {"space": "dm", "where": {"guild": "", "member": True}},
    "slash_by_an_admin": {"command": "admin", "values": {"area": "space"}, "admin": True},
    "slash_person_and_channel": {"values": {"area": "space", "member": "ann", "channel": "general"}},
    "slash_in_chinese": {"language": "zh-CN", "values": {"prompt": "狐狸"}},
    "slash_as_user_install": {"where": ELSEWHERE, "space": "guild"},
    "slash_in_a_group_conversation": {"where": {**ELSEWHERE, "guild": ""}, "space": "dm"},
    "slash_in_an_age_restricted_channel": {"where": {"nsfw": True}},
    "slash_in_a_thread": {"where": {"nsfw": False, "member": True}},
    "slash_with_a_nickname": {"name": "Bobby 🦊"},
    "press_again": {**PRESS, "press": "again:k3f9w2ab:0", "where": {"update": False}},
    "press_in_place": {**PRESS, "press": "cancel:k3f9w2ab:0", "where": {"update": True}},
    "press_of_an_unknown_id": {**PRESS, "press": "from-an-old-version"},
    "select_of_a_picture": {**PRESS, "press": "vary:k3f9w2ab:1"},
    "form_of_a_button": {
        "command": "edit",
        "values": {"prompt": "make it night", "size": "2K"},
        "files": ["fox.png", "cat.png"],
        "generation": ("k3f9w2ab", 2),
    },
    "form_of_a_menu": {"command": "edit", "values": {"prompt": "make it night"}},
    "mention": {"line": "a fox"},
    "mention_in_the_middle": {"line": "hey a fox"},
    "mention_with_pictures": {"line": "make it night", "files": ["fox.png", "cat.png"]},
    "mention_with_a_link": {"line": "night", "files": ["fox.png"]},
    "mention_without_words": {"line": ""},
    "mention_by_an_admin": {"line": "a fox", "admin": True},
    "mention_with_other_files": {"line": "this", "files": ["notes.txt"]},
    "direct_words": {"line": "a fox", "space": "dm", "where": {"guild": ""}},
    "direct_forward": {"line": "", "files": ["cat.png"]},
    "reply_to_a_picture": {"line": "night", "quoted": ["cat.png"]},
    "reply_to_a_forward": {"line": "night", "quoted": ["cat.png"]},
    "reply_to_an_embed": {"line": "night", "quoted": ["fox.png"]},
    "reply_to_ours_without_a_mention": {"line": "night", "quoted": ["a.png"], "generation": ("k3f9w2ab", None)},
    "reply_to_words": {"line": "a fox", "quoted": None},
}
FORMS = {
    "press_that_asks": Form(command="edit", generation="k3f9w2ab", index=2),
}
MENUS = {
    "menu_edit_their_picture": ("Edit picture", ["cat.png"], ""),
    "menu_reference": ("Use as reference", ["cat.png"], ""),
    "menu_details_of_ours": ("Details", ["a.png"], "k3f9w2ab"),
    "menu_details_of_theirs": ("Details", [], ""),
}
UNREADABLE = {
    "reply_to_what_may_not_be_read": HIDDEN_PICTURE,
    "reply_that_may_not_be_read": HIDDEN_WORDS,
}
NOT_FOR_US = ("talk_among_others", "another_bot")


@cache
def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))


def parsed(name: str, changed: Any = None) -> tuple[Parser, Any]:
    world, one = sample("world"), changed or sample(name)
    parser = Parser(world["me"], world["guild"])
    return parser, parser.parse(one["event"], one["data"])


def event_of(name: str, *, reads_all: bool = True) -> Event:
    parser, got = parsed(name)
    if sample(name)["event"] == "MESSAGE_CREATE":
        found = heard(got, parser.user, answers(got), reads_all=reads_all)  # type: ignore[arg-type]
        assert found is not None
        assert found.problem is None
        return found.event
    match sample(name)["data"]["type"]:
        case 2:
            return inbound.command(got)
        case 3:
            return inbound.press(got)
        case _:
            form = Form.read(got.data["custom_id"])
            assert form is not None
            return inbound.submitted(got, form, None)


def names(files: tuple[File, ...]) -> list[str]:
    return [file.name for file in files]


@pytest.mark.parametrize("name", EVENTS)
def test_what_discord_sends_becomes_what_was_asked(name: str) -> None:
    event, wanted, world = event_of(name), EVENTS[name], sample("world")
    known = {str(sample(name)["data"].get("guild_id", "")): "guild", f"dm:{event.where.user}": "dm"}
    ids = {one["id"]: one["name"] for one in world["guild"]["channels"]} | {boss_asks_about(): "ann"}
    shown: dict[str, Any] = {
        **event.model_dump(),
        "values": {key: ids.get(str(value), value) for key, value in event.values.items()},
        "pictures": [*event.pictures],
        "files": names(event.files),
        "quoted": names(event.meant.files) if event.meant else None,
        "generation": (event.meant.generation, event.meant.index) if event.meant else None,
        "space": known.get(event.actor.space, event.actor.space),
        "where": {key: event.where.model_dump()[key] for key in wanted.get("where", {})},
    }

    assert {key: shown[key] for key in wanted} == wanted


def boss_asks_about() -> str:
    options = sample("slash_person_and_channel")["data"]["data"]["options"]
    return str(next(one["value"] for one in options if one["name"] == "member"))


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_is_the_same_after_it_was_stored(name: str) -> None:
    event = event_of(name)
    stored = json.dumps(event.model_dump(mode="json"), ensure_ascii=False)

    assert Event.model_validate(json.loads(stored)) == event


@pytest.mark.parametrize("name", EVENTS)
def test_an_invocation_says_one_thing_and_has_an_id_of_its_own(name: str) -> None:
    event = event_of(name)
    invocation = event.invocation(lambda file: attached(b"", file.name))

    assert invocation.id == f"discord:{sample(name)['data']['id']}"
    assert sum(map(bool, (invocation.command, invocation.press))) <= 1
    assert invocation.place.room == (event.where.parent or event.where.channel) != ""
    assert invocation.received.tzinfo is UTC


@pytest.mark.parametrize("name", FORMS)
def test_a_button_that_asks_for_words_opens_its_form(name: str) -> None:
    form = asks(pressed(sample(name)["data"]["data"]), drawing_table())

    assert form == FORMS[name]


@pytest.mark.parametrize("name", MENUS)
def test_a_menu_knows_the_message_that_it_was_opened_on(name: str) -> None:
    parser, interaction = parsed(name)
    entry, files, generation = MENUS[name]
    assert parser.user is not None
    meant = inbound.meant_by(inbound.target_message(interaction), parser.user.id)

    assert interaction.data["name"] == entry
    assert (names(meant.files), meant.generation) == (files, generation)


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_may_not_be_read_is_explained_and_with_the_intent_it_is_not(name: str) -> None:
    parser, message = parsed(name)
    assert parser.user is not None
    hidden = heard(message, parser.user, answers(message), reads_all=False)
    seen = heard(message, parser.user, answers(message), reads_all=True)

    assert (hidden or Heard(event_of("mention"))).problem == UNREADABLE[name]
    assert seen is not None
    assert seen.problem is None


@pytest.mark.parametrize("name", NOT_FOR_US)
def test_what_is_not_meant_for_us_is_nothing(name: str) -> None:
    parser, message = parsed(name)

    assert heard(message, parser.user, answers(message), reads_all=True) is None  # type: ignore[arg-type]


def test_a_picture_that_is_shown_twice_is_one() -> None:
    """Its link is signed anew each time, and each file has two hosts."""
    one = json.loads(json.dumps(sample("reply_to_a_picture")))
    answered = one["data"]["referenced_message"]
    path = answered["attachments"][0]["url"].partition("?")[0].removeprefix("https://cdn.discordapp.com")
    answered["content"] = f"https://media.discordapp.net{path}?ex=1&is=2&hm=3"
    answered["embeds"] = [{"type": "image", "thumbnail": {"url": f"https://cdn.discordapp.com{path}?ex=4&is=5&hm=6"}}]
    parser, message = parsed("reply_to_a_picture", one)
    found = heard(message, parser.user, answers(message), reads_all=True)  # type: ignore[arg-type]

    assert found is not None
    assert found.event.meant is not None
    assert [file.id for file in found.event.meant.files] == [answered["attachments"][0]["id"]]


@pytest.mark.parametrize("address", ["https://[x/fox.png", "https://[x]/fox.png", "https://ex\u2100mple/fox.png"])
def test_an_address_that_nobody_can_read_is_no_picture(address: str) -> None:
    one = json.loads(json.dumps(sample("reply_to_a_picture")))
    one["data"]["content"] += f" {address}"
    one["data"]["referenced_message"]["content"] = address
    one["data"]["referenced_message"]["embeds"] = [{"type": "image", "image": {"url": address, "proxy_url": address}}]
    parser, message = parsed("reply_to_a_picture", one)
    found = heard(message, parser.user, answers(message), reads_all=True)  # type: ignore[arg-type]

    assert found is not None
    assert (found.event.line, found.event.files) == (f"night {address}", ())
    assert found.event.meant is not None
    assert names(found.event.meant.files) == ["cat.png"]


def test_links_are_told_apart_from_words() -> None:
    words = "a (https://x.org/a.png) <https://x.org/b.JPG?key=1> https://x.org/page https://x.org/?f=c.webp <b> d.png"

    assert names(linked(words)) == ["b.JPG", "picture"]
    assert without_links(words) == "a (https://x.org/a.png)  https://x.org/page  <b> d.png"


def test_hostile_words_are_read_as_quickly_as_others() -> None:
    """It would take minutes to try every end of every link with every start, and nobody would be answered meanwhile."""
    words = "http://.png?" * 1_500 + "<x"

    assert (linked(words), without_links(words)) == ((), words)


def test_what_holds_in_a_channel_holds_in_its_threads() -> None:
    """The rules of a server name channels; the answer still goes into the thread."""
    event = event_of("slash_in_a_thread")
    there = target(event.place)

    assert event.place.room == event.where.parent
    assert (there.channel, there.log) == (event.where.channel, False)
    assert event.where.parent not in ("", event.where.channel)


def test_who_is_typing_is_known_without_what_they_typed() -> None:
    _, interaction = parsed("autocomplete_model")

    assert inbound.person(interaction).name == "Bobby 🦊"


def test_every_sample_is_used() -> None:
    used = {*EVENTS, *FORMS, *MENUS, *UNREADABLE, *NOT_FOR_US, "autocomplete_model", "reply_to_a_deleted_message"}

    assert {file.stem for file in SAMPLES.glob("*.json")} == used | {"world"}
    assert len(used) >= 30


def test_a_sample_holds_no_secret() -> None:
    for file in SAMPLES.glob("*.json"):
        data = file.read_text("utf-8")
        assert data.count('"token"') == data.count('"token": "scrubbed"'), file.name
        assert data.count("hm=") == data.count("hm=scrubbed"), file.name


def test_a_token_is_good_for_a_minute_less_than_discord_says() -> None:
    event = event_of("slash_words")
    made = event.invocation(lambda file: attached(b"")).received

    assert datetime.fromtimestamp(event.where.expires / 1_000_000, UTC) - made == (
        datetime(2026, 1, 1, 0, 14, tzinfo=UTC) - datetime(2026, 1, 1, tzinfo=UTC)
    )


@pytest.mark.parametrize("raw", [{}, {"id": "gone"}, {"id": "1", "name": "x", "where": {}}, {"id": "1", "more": 1}])
def test_what_is_not_an_event_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Event.model_validate(raw)


def test_words_are_kept_without_what_a_database_cannot_hold() -> None:
    where = event_of("mention").where
    event = Event(id="1", name="b\0b", where=where, line="a \ud83d fox\0", values={"prompt": "a\0 fox"})

    assert (event.name, event.line, event.values) == ("bb", "a ? fox", {"prompt": "a fox"})


def test_numbers_and_switches_stay_what_they_are() -> None:
    event = Event(id="1", name="b", where=event_of("mention").where, values={"a": True, "b": 1, "c": 1.5, "d": "1"})
    again = Event.model_validate_json(event.model_dump_json())

    assert [type(value) for value in again.values.values()] == [bool, int, float, str]


def test_an_answer_keeps_its_kind_with_its_place() -> None:
    event = event_of("slash_words").acknowledged(deferred=True, ephemeral=True)

    assert (event.place.private, event.place.data["deferred"], event.place.data["ephemeral"]) == (True, True, True)
