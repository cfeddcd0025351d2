"""The command table as Discord's commands, and when they are put there."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.discord import tree
from bot.chat import Actor
from bot.command import Command, CommandTable, Option
from tests.adapters.discord.stage import FakeDoor, connected, drawing_table
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.wire import Code

STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, NUMBER, ATTACHMENT = 3, 4, 5, 6, 7, 8, 10, 11
GLOBAL, SERVER = "/applications/{application_id}/commands", "/applications/{application_id}/guilds/{guild_id}/commands"


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor(drawing_table())


def command(name: str) -> Any:
    return next(one for one in tree.payload(drawing_table()) if one["name"] == name)


def option(command: Any, name: str) -> Any:
    return next(one for one in command["options"] if one["name"] == name)


@pytest.mark.parametrize(
    ("of", "name", "wanted"),
    [
        ("imagine", "prompt", {"type": STRING, "required": True, "min_length": 1, "max_length": 4000}),
        ("imagine", "model", {"type": STRING, "autocomplete": True}),
        ("imagine", "count", {"type": INTEGER, "min_value": 1, "max_value": 4}),
        ("imagine", "private", {"type": BOOLEAN}),
        ("imagine", "image1", {"type": ATTACHMENT}),
        ("edit", "image1", {"type": ATTACHMENT, "required": True}),
        ("admin", "member", {"type": USER}),
        ("admin", "channel", {"type": CHANNEL}),
        ("admin", "role", {"type": ROLE}),
        ("admin", "id", {"type": STRING, "max_length": 100}),
        ("admin", "area", {"type": STRING, "choices": [{"name": n, "value": n} for n in ("space", "audit")]}),
    ],
)
def test_each_kind_of_option_is_discords_own(of: str, name: str, wanted: dict[str, Any]) -> None:
    found = option(command(of), name)

    assert {key: found.get(key) for key in wanted} == wanted


def test_no_command_has_more_options_than_discord_takes_and_what_must_be_given_is_first() -> None:
    for one in tree.payload(drawing_table()):
        required = [bool(each.get("required")) for each in one.get("options", [])]

        assert len(required) <= 25
        assert required == sorted(required, reverse=True)


def test_names_and_descriptions_are_chinese_too() -> None:
    imagine = command("imagine")

    assert imagine["name_localizations"] == {"zh-CN": "画"}
    assert imagine["description_localizations"]["zh-CN"] != imagine["description"]
    assert option(imagine, "prompt")["name_localizations"] == {"zh-CN": "提示词"}


def test_what_only_admins_may_use_is_shown_to_them_alone_and_only_in_servers() -> None:
    admin, imagine = command("admin"), command("imagine")

    assert (admin["default_member_permissions"], admin["contexts"], admin["integration_types"]) == ("32", [0], [0])
    assert "default_member_permissions" not in imagine
    assert (imagine["contexts"], imagine["integration_types"]) == ([0, 1, 2], [0, 1])


def test_a_message_has_three_entries_in_its_menu() -> None:
    menus = [one["name"] for one in tree.payload(drawing_table()) if one["type"] == 3]

    assert menus == ["Edit picture", "Use as reference", "Details"]


async def test_discord_takes_the_commands_and_they_are_put_once(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path
) -> None:
    async with connected(fake, door, tmp_path):
        pass
    async with connected(fake, door, tmp_path):
        await fake.until(lambda: len(fake.asked_for("GET", GLOBAL)) == 2)

    assert len(fake.asked_for("PUT", GLOBAL)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"description": "Other words"},
        {"description_localizations": {"zh-CN": "别的话"}},
        {"default_member_permissions": "32"},
        {"options": []},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_commands_that_differ_at_discord_are_put_again(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path, change: dict[str, Any]
) -> None:
    async with connected(fake, door, tmp_path):
        pass
    fake.commands.by_guild[None][0] |= change
    async with connected(fake, door, tmp_path):
        await fake.until(lambda: fake.commands.syncs == 2, what="the second sync")

    assert tree.same(tree.payload(door.table), fake.commands.by_guild[None])


async def test_a_command_more_at_discord_is_a_difference(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> None:
    async with connected(fake, door, tmp_path):
        there = fake.commands.by_guild[None]

    assert tree.same(tree.payload(door.table), there)
    assert not tree.same(tree.payload(door.table), [*there, {**there[0], "name": "old"}])
    assert not tree.same(tree.payload(door.table), there[1:])


async def test_in_development_one_server_gets_the_commands(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> None:
    async with connected(fake, door, tmp_path, guilds=[fake.guild.id]):
        pass

    assert len(fake.asked_for("PUT", SERVER)) == 1
    assert fake.asked_for("PUT", GLOBAL) == []


async def test_commands_that_cannot_be_put_keep_nobody_from_asking(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path
) -> None:
    async with connected(fake, door, tmp_path):
        pass
    door.table = CommandTable(door.table.commands[:2])
    fake.goes_wrong("PUT", GLOBAL, Code.MISSING_ACCESS)
    async with connected(fake, door, tmp_path):
        await fake.until(lambda: len(fake.asked_for("PUT", GLOBAL)) == 2)
        await (await fake.person("bob").slash("imagine", prompt="a fox")).answered()

    assert door.last.command == "imagine"


async def test_what_is_typed_is_completed(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> None:
    async with connected(fake, door, tmp_path):
        bob = fake.person("bob")
        everything = await (await bob.autocomplete("imagine", "model", "")).acknowledged()
        some = await (await bob.autocomplete("imagine", "model", "5-PRO", prompt="a fox")).acknowledged()
        none = await (await bob.autocomplete("imagine", "model", "no such model")).acknowledged()

    assert "seedream-4.5" in [one["value"] for one in everything.choices]
    assert [one["value"] for one in some.choices] == ["seedream-5-pro"]
    assert none.choices == []


async def test_only_what_a_person_may_use_is_offered(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> None:
    def suggest(actor: Actor, command: Command, option: Option) -> Sequence[str]:
        return [f"{actor.name}'s {command.name} {option.name}"]

    door.suggests = suggest
    async with connected(fake, door, tmp_path):
        asked = await (await fake.person("bob").autocomplete("imagine", "model", "")).acknowledged()

    assert [one["value"] for one in asked.choices] == ["Bob's imagine model"]


async def test_more_than_discord_shows_is_cut(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> None:
    values = [f"a{number}" for number in range(30)] + ["b" * 101, "ba"]
    door.suggests = lambda actor, command, option: values
    async with connected(fake, door, tmp_path):
        bob = fake.person("bob")
        many = await (await bob.autocomplete("imagine", "model", "a")).acknowledged()
        long = await (await bob.autocomplete("imagine", "model", "b")).acknowledged()

    assert [one["value"] for one in many.choices] == values[:25]
    assert [one["value"] for one in long.choices] == ["ba"]
