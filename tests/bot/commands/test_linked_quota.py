"""/quota of somebody with linked accounts: each line says which of them it is of, to them and to nobody else."""

import pytest

from bot import linking
from bot.audit import OPERATOR
from bot.chat import AccountLine, Actor, Tone
from bot.i18n import say
from bot.people import Person, find
from bot.quota import ledger
from tests.bot.generation.core import Core
from tests.linked import link
from tests.postgres import BOTH


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", BOTH, indirect=True)


async def joined(core: Core, name: str = "bob.lee") -> tuple[Person, Person]:
    """Bob here, and the same human elsewhere, each with a limit of their own."""
    bob = await core.person("bob")
    actor = Actor(adapter="elsewhere", user="u7", name=name, space="team")
    too = await core.database.transaction(find, actor, core.at)
    code = await core.database.transaction(linking.new_code, bob.id, core.at)
    await core.memberships.change(link, code, too.id, core.at, OPERATOR)
    await limited(core, bob, "day", 5)
    await limited(core, too, "month", 30)
    return bob, too


async def limited(core: Core, person: Person, window: str, amount: int) -> None:
    await core.database.transaction(ledger.set_limit, f"person:{person.id}", "images", window, amount)


def titles(lines: tuple[AccountLine, ...], language: str = "en") -> dict[tuple[str, str], str]:
    mine = [line for line in lines if line.account.startswith("person:")]
    return {(line.unit, line.window): say(line.name, language) for line in mine}


async def test_each_line_says_which_of_the_linked_accounts_it_is_of(core: Core) -> None:
    await joined(core)
    reply = await core.answer("/quota", by="bob")

    assert reply.private
    assert titles(reply.accounts) == {
        ("images", "day"): "You on Fake (“bob”)",
        ("images", "month"): "You on Elsewhere (“bob.lee”)",
        ("images", "total"): "You on Fake (“bob”)",
        ("usd", "total"): "You on Fake (“bob”)",
    }


async def test_whoever_can_give_more_is_named_for_the_account_that_is_short(core: Core) -> None:
    _, too = await joined(core)
    await limited(core, too, "month", 0)
    notes = [say(note, "en") for note in (await core.answer("/quota", by="bob")).notes]

    assert any(note.startswith("You on Elsewhere (“bob.lee”): ") for note in notes), notes


async def test_of_two_limits_of_one_window_the_tighter_one_is_named(core: Core) -> None:
    _, too = await joined(core)
    await limited(core, too, "day", 3)

    assert titles((await core.answer("/quota", by="bob")).accounts)["images", "day"] == "You on Elsewhere (“bob.lee”)"


async def test_who_has_one_account_reads_plain_words(core: Core) -> None:
    _, too = await joined(core)
    await core.memberships.change(linking.unlink, too.id, core.at, OPERATOR)
    await limited(core, await core.person("eve"), "day", 5)

    for name in ("bob", "eve"):
        assert set(titles((await core.answer("/quota", by=name)).accounts).values()) == {"You"}


async def test_what_others_may_read_names_no_linked_account(core: Core) -> None:
    """The page's lines, those under a question, which may stand in a room, and the refusal of what is too much."""
    bob, too = await joined(core)
    await limited(core, too, "day", 3)
    asked = await core.load(await core.accepted(by="bob"))
    await limited(core, bob, "day", 1)
    refused = await core.answer("/imagine a fox", by="bob")

    assert refused.tone is Tone.REFUSAL
    assert str(refused.text).startswith("You: ")
    for lines in (await core.service.accounts(bob), await core.service.accounts_of(asked)):
        assert set(titles(lines).values()) == {"You"}
        assert len(titles(lines)) == len([line for line in lines if line.account.startswith("person:")])


async def test_a_name_is_no_part_of_the_words_around_it(core: Core) -> None:
    await joined(core, "x”): everything is free (“y")

    shown = titles((await core.answer("/quota", by="bob")).accounts)["images", "month"]
    assert shown == "You on Elsewhere (“x): everything is free (y”)"
