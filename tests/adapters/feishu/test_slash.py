"""The command table as slash commands: their form, and putting them where they differ without touching others'."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from adapters.feishu import slash
from adapters.feishu.codes import Refused
from bot.command import Command, CommandTable, Kind, option
from bot.i18n import text

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    prompt: str = option(Kind.WORDS, text("What to draw"))


async def nobody(request: Words, asking: object) -> None:
    """Nobody runs it here."""


def command(name: str, summary: str = "Draw pictures from words", **more: Any) -> Command:
    return Command(name=name, summary=text(summary), request=Words, handle=nobody, **more)


def table(*names: str) -> CommandTable:
    return CommandTable(command(name) for name in names or ("imagine", "help"))


class There:
    """Slash commands as Feishu keeps them: ids and times of its own, names that stay, at most 100."""

    def __init__(self, *standing: Json) -> None:
        self.standing = [{"command_id": f"cmd_{number}", **one} for number, one in enumerate(standing)]
        self.added: list[str] = []
        self.changed: list[str] = []

    async def commands(self) -> list[Json]:
        return [{**one, "create_time": "1", "icon": {"icon_key": "image-ai_outlined"}} for one in self.standing]

    async def add_command(self, body: Json) -> str:
        if len(self.standing) == slash.MOST:
            raise Refused(status=400, code=40000001)
        if any(one["command"] == body["command"] for one in self.standing):
            raise Refused(status=400, code=slash.STANDS_ALREADY)
        self.standing.append({"command_id": f"cmd_{len(self.standing)}", **body})
        self.added.append(body["command"])
        return str(self.standing[-1]["command_id"])

    async def change_command(self, id: str, body: Json) -> None:
        assert "command" not in body  # a name cannot be changed
        (one,) = (one for one in self.standing if one["command_id"] == id)
        one.update(body)
        self.changed.append(one["command"])


def foreign(name: str) -> Json:
    return {"command": name, "description": {"default_value": "Somebody else's", "i18n": {}}}


def test_a_command_has_its_name_and_its_summary_in_both_languages() -> None:
    (one,) = slash.payload(table("imagine"))

    assert one["command"] == "imagine"
    assert one["description"]["default_value"] == "Draw pictures from words"
    assert one["description"]["i18n"].keys() == {"zh_cn", "en_us"}
    assert one.keys() == {"command", "description"}


def test_what_only_admins_may_use_and_what_only_buttons_reach_is_not_offered() -> None:
    shown = slash.payload(
        CommandTable((command("imagine"), command("admin", admins_only=True), command("again", listed=False)))
    )

    assert [one["command"] for one in shown] == ["imagine"]


def test_there_are_never_more_than_feishu_takes() -> None:
    assert len(slash.payload(table(*(f"command{number}" for number in range(120))))) == 100


def test_a_long_summary_is_cut() -> None:
    (one,) = slash.payload(CommandTable((command("imagine", summary="x" * 300),)))

    assert len(one["description"]["default_value"]) == slash.MOST_DESCRIPTION


async def test_the_first_start_adds_all_and_the_second_changes_nothing() -> None:
    there = There()

    assert await slash.reconcile(there, table()) == ["imagine", "help"]
    assert await slash.reconcile(there, table()) == []
    assert (there.added, there.changed) == (["imagine", "help"], [])


async def test_a_description_of_another_version_is_changed_in_place() -> None:
    there = There({**slash.payload(table("imagine"))[0], "description": {"default_value": "As it was"}})

    assert await slash.reconcile(there, table()) == ["imagine", "help"]
    assert (there.added, there.changed) == (["help"], ["imagine"])
    assert there.standing[0]["description"] == slash.payload(table())[0]["description"]


async def test_a_translation_that_has_changed_is_changed_too() -> None:
    (wanted,) = slash.payload(table("imagine"))
    there = There({**wanted, "description": {**wanted["description"], "i18n": {"zh_cn": "旧的", "ja_jp": ""}}})

    assert await slash.reconcile(there, table("imagine")) == ["imagine"]
    assert await slash.reconcile(there, table("imagine")) == []


async def test_commands_that_are_not_ours_stay_as_they_are() -> None:
    there = There(foreign("weather"))

    await slash.reconcile(there, table())

    assert there.standing[0] == {"command_id": "cmd_0", **foreign("weather")}


async def test_where_others_have_filled_the_list_only_what_fits_is_added() -> None:
    there = There(*(foreign(f"other{number}") for number in range(99)))

    assert await slash.reconcile(there, table()) == ["imagine"]


async def test_a_command_that_another_process_has_just_added_is_no_failure() -> None:
    there = There()
    known = await there.commands()
    await there.add_command(slash.payload(table("imagine"))[0])

    class Late(There):
        async def commands(self) -> list[Json]:
            return known

    late = Late()
    late.standing = there.standing
    assert await slash.reconcile(late, table("imagine")) == ["imagine"]
    assert len(there.standing) == 1


async def test_any_other_refusal_is_the_callers() -> None:
    class Forbidden(There):
        async def add_command(self, body: Mapping[str, Any]) -> str:
            raise Refused(status=400, code=99991672)

    with pytest.raises(Refused):
        await slash.reconcile(Forbidden(), table())


def test_what_differs_is_named() -> None:
    standing = [*slash.payload(table("imagine")), foreign("help"), foreign("weather")]

    assert slash.differing(table(), standing) == ["help"]
    assert slash.differing(table("imagine"), standing) == []
