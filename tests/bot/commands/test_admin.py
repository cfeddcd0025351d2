"""/admin: who may use it, what it changes, and what it says where it does not fit."""

from typing import Any

import pytest

from bot.chat import Place, Reply, Tone
from bot.command import Kind
from bot.i18n import say
from bot.spaces import NO_RULES, SpaceRules
from tests.bot.generation.core import Core

SPACE = "fake/team"
HERE = Place(adapter="fake", data={"room": "7"}, room="7")


async def told(core: Core, line: str, **more: Any) -> Reply:
    """What an admin is answered."""
    return await core.answer(line, **{"by": "root", "admin": True, "place": HERE, **more})


async def rules(core: Core, *lines: str) -> SpaceRules:
    for line in lines:
        reply = await told(core, line)
        assert reply.tone is Tone.ANSWER, str(reply.text)
        assert reply.private
    return core.spaces.of(SPACE)


@pytest.mark.parametrize("line", ["/admin", "/admin space size 4K", "/管理 space block @eve", "/help admin"])
async def test_others_are_refused(running: Core, line: str) -> None:
    reply = await running.answer(line, by="eve")

    assert (reply.tone, reply.private) == (Tone.REFUSAL, True)
    assert "/admin is for admins" in str(reply.text)
    assert running.spaces.of(SPACE) == NO_RULES


async def test_it_is_shown_to_admins_alone(running: Core) -> None:
    assert "/admin" not in {str(name) for name, _ in (await running.answer("/help")).rows}
    assert "/admin" in {str(name) for name, _ in (await told(running, "/help")).rows}
    assert "/admin" not in {each.insert for each in running.table.complete("/a")}
    assert running.table.complete("/admin s") == ()
    assert "/admin" in {each.insert for each in running.table.complete("/a", admin=True)}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["/admin space channels add #42"], {"rooms": ("42",)}),
        (["/admin space channels <#42>", "/admin space channels add <#43>"], {"rooms": ("42", "43")}),
        (["/admin space channels add"], {"rooms": ("7",)}),
        (["/admin space channels add #42", "/admin space channels add #42"], {"rooms": ("42",)}),
        (
            ["/admin space channels #4", "/admin space channels #5", "/admin space channels remove #4"],
            {"rooms": ("5",)},
        ),
        (["/admin space channels #42", "/admin space channels all"], {}),
        (["/admin space model 4"], {"model": "seedream-4"}),
        (["/admin space model 4", "/admin space model default"], {}),
        (["/admin space size 4k"], {"size": "4K"}),
        (["/admin space private 是"], {"private": "yes"}),
        (["/admin space private yes", "/admin space private off"], {"private": "no"}),
        (["/管理 space language zh-cn"], {"language": "zh-CN"}),
        (["/admin space log #99"], {"log": "99"}),
        (["/admin space log #99", "/admin space log off"], {}),
        (["/admin space block <@!5>"], {"blocked": {"5": "5"}}),
        (["/admin space block 5", "/admin space unblock @5"], {}),
        (["/admin --rule block --member 5"], {"blocked": {"5": "5"}}),
    ],
)
async def test_a_rule_is_changed(running: Core, lines: list[str], expected: dict[str, Any]) -> None:
    assert await rules(running, *lines) == SpaceRules(**expected)


async def test_typed_options_change_it_as_well(running: Core) -> None:
    values = {"area": "space", "rule": "channels", "value": "add", "channel": "42"}
    await told(running, command="admin", values=values, line="")

    assert running.spaces.of(SPACE).rooms == ("42",)


async def test_a_blocked_person_has_the_name_that_they_are_known_by(running: Core) -> None:
    await running.answer("/quota", by="eve")
    await rules(running, "/admin space block @eve")

    assert running.spaces.of(SPACE).blocked == {"eve": "eve"}
    assert (await running.answer("/quota", by="eve")).tone is Tone.REFUSAL
    await rules(running, "/admin space unblock eve")
    assert (await running.answer("/quota", by="eve")).tone is Tone.ANSWER


async def test_an_admin_who_is_blocked_can_undo_it(running: Core) -> None:
    await rules(running, "/admin space block @root")

    assert (await rules(running, "/admin space unblock @root")).blocked == {}


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("/admin space model seedream-99", "seedream-99"),
        ("/admin space size 64K", "64K"),
        ("/admin space private perhaps", "yes, no, default"),
        ("/admin space language fr", "zh-CN"),
        ("/admin space channels close #4", "add, remove, all"),
        ("/admin space log nonsense", "#name"),
        ("/admin space block", "@name"),
        ("/admin space colour red", "colour"),
        ("/admin moon", "space, team, limit"),
        ("/admin space block @a @b", "twice"),
        ("/admin space size 4K and more", "and more"),
    ],
)
async def test_what_does_not_fit_is_said_and_changes_nothing(running: Core, line: str, word: str) -> None:
    reply = await told(running, line)

    assert reply.tone is Tone.REFUSAL
    assert word in str(reply.text)
    assert running.spaces.of(SPACE) == NO_RULES
    assert await running.spaces.audit(SPACE, 10) == []


async def test_a_place_without_a_room_must_name_one(running: Core) -> None:
    reply = await told(running, "/admin space channels add", place=Place(adapter="fake", data={}))

    assert "#name" in str(reply.text)


async def test_it_shows_every_rule(running: Core) -> None:
    await rules(running, "/admin space channels #42", "/admin space size 4K", "/admin space block 5")
    shown = {str(label): str(value) for label, value in (await told(running, "/admin")).rows}

    assert shown["Channels where I draw"] == "<#42>"
    assert (shown["Usual size"], shown["Blocked"], shown["Usual model"]) == ("4K", "5", "default")
    assert (await told(running, "/admin space")).rows == (await told(running, "/admin space show")).rows


async def test_the_audit_says_who_changed_what(running: Core) -> None:
    assert "Nobody" in str((await told(running, "/admin audit")).text)
    await rules(running, "/admin space size 4K", "/admin space size 4K", "/admin space channels #42")
    reply = await told(running, "/admin audit")

    assert [str(value) for _, value in reply.rows] == [
        "root: Channels where I draw, from everywhere to <#42>",
        "root: Usual size, from default to 4K",
    ]
    assert "2026-11-21 12:00" in str(reply.rows[0][0])


async def test_the_new_language_is_that_of_the_answer(running: Core) -> None:
    reply = await told(running, "/admin space language zh-CN")

    assert reply.language == "zh-CN"
    assert "简体中文" in [say(value, "zh-CN") for _, value in reply.rows]


async def test_a_space_is_changed_by_its_own_admins_only(running: Core) -> None:
    await rules(running, "/admin space size 4K")

    assert running.spaces.of("fake/other") == NO_RULES


async def test_whom_the_operator_lists_is_an_admin_everywhere(core: Core) -> None:
    core.dispatcher.admins = ["fake/ann"]
    async with core.delivery, core.dispatcher:
        assert (await core.answer("/admin space size 4K", by="ann", place=HERE)).tone is Tone.ANSWER
        assert (await core.answer("/admin space size 2K", by="ben", place=HERE)).tone is Tone.REFUSAL

    assert core.spaces.of(SPACE).size == "4K"


def test_people_and_channels_are_options_of_their_own_kind(core: Core) -> None:
    command = core.table.find("管理")

    kinds = {each.name: each.kind for each in command.options}
    assert (kinds["member"], kinds["channel"]) == (Kind.PERSON, Kind.ROOM)


@pytest.mark.parametrize(
    ("line", "name"),
    [("/admin space block @eve", "eve"), ("/admin space channels add #general", "general")],
)
async def test_a_name_that_was_only_typed_is_nobody_where_ids_are_numbers(running: Core, line: str, name: str) -> None:
    reply = await told(running, line, by="42")

    assert reply.tone is Tone.REFUSAL
    assert f"“{name}” is only a name to me" in str(reply.text)
    assert running.spaces.of(SPACE) == NO_RULES


async def test_the_audit_of_a_long_list_says_who_came_and_who_went(running: Core) -> None:
    await rules(running, "/admin space block 1", "/admin space block 2", "/admin space unblock 1")
    newest, before, _ = [str(words) for _, words in (await told(running, "/admin audit")).rows]

    assert newest.endswith("from 1 to nobody")
    assert before.endswith("from nobody to 2")
