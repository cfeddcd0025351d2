"""Kills while the bot starts, and two bots on one data folder."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.clock import micros
from bot.ops.ownership import Ownership, is_owned
from bot.storage import schema
from tests.crash.home import Bot, Home
from tests.postgres import ENGINE

pytestmark = pytest.mark.crash

# The leases of the dead are given up where nobody else can be there; else they run out, and there is a queue.
TAKEN_UP = {
    "sqlite": ("after queue.orphan", "after queue.admit"),
    "postgres": ("after queue.admit", "after queue.start"),
}


async def draws(home: Home, bot: Bot) -> None:
    """The bot does what it is for."""
    asked = await bot.draw("a fox")
    await home.reaches(asked, generation="settled")
    await home.quiet()


@pytest.mark.parametrize("table", [1, 8, 16])
async def test_a_first_start_that_was_killed_while_it_made_its_tables_is_made_good_by_the_next(
    empty: Home, table: int
) -> None:
    async with empty.starting(f"after create_table@{table}") as bot:
        await bot.died()

    async with empty.running() as bot:
        await draws(empty, bot)

    assert schema.current(empty.place) == schema.head()


@pytest.mark.long
async def test_a_first_start_may_be_killed_at_any_moment(empty: Home) -> None:
    for moment in range(1, 11):  # over a start's whole length, which is some 200 ms with the modules at hand
        async with empty.starting() as bot:
            with pytest.raises(TimeoutError):
                await bot.ended(within=moment / 50)
            await bot.kill()

    async with empty.running() as bot:
        await draws(empty, bot)


@pytest.mark.parametrize("point", ["after demo.prepare", "after messages.add@2"])
async def test_a_demonstration_whose_first_start_was_killed_begins_with_one_welcome(empty: Home, point: str) -> None:
    demo = ("demo", "--no-open", "--port", "0")
    async with empty.starting(point, command=demo) as bot:
        await bot.died()

    async with empty.running(command=demo) as bot:
        await draws(empty, bot)
        assert (await bot.page()).count("welcome") > 0

    rooms = empty.stored.rows("SELECT room, count(*) AS n FROM chat_messages WHERE key LIKE 'welcome:%' GROUP BY room")
    assert [room["n"] for room in rooms] == [1] * 5


async def test_what_runs_is_taken_up_although_the_next_start_was_killed_too(home: Home) -> None:
    home.settings["BOT_QUEUE__LEASE"] = "3"
    async with home.running("after settling.sending") as bot:
        asked = await bot.draw("a fox")
        await bot.died()
    for point in (*TAKEN_UP[ENGINE], "before settling.conclude", "after post:end"):
        async with home.starting(point) as bot:
            await bot.died()

    async with home.running():
        await home.quiet()

    assert home.stored.moment(asked.id).generation == "unknown"
    assert home.paid("a fox") == 0


async def test_a_second_bot_on_the_same_folder_refuses_and_names_the_first(home: Home) -> None:
    async with home.running() as bot:
        code, _, said = await home.command("run")

        assert code == 1
        assert f"is in use by process {bot.process.pid}" in said
        assert len(said.splitlines()) == 1
        await draws(home, bot)


def test_looking_whether_a_folder_is_in_use_keeps_nobody_from_taking_it(tmp_path: Path) -> None:
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.0005):
            is_owned(tmp_path)

    with ThreadPoolExecutor() as lookers, ExitStack() as finally_:
        finally_.callback(done.set)
        looking = [lookers.submit(look) for _ in range(2)]
        for _ in range(300):
            with Ownership(tmp_path):
                assert is_owned(tmp_path)
    assert [each.exception() for each in looking] == [None, None]


def test_those_who_look_whether_a_folder_is_in_use_do_not_take_each_other_for_its_owner(tmp_path: Path) -> None:
    with Ownership(tmp_path):
        pass

    with ThreadPoolExecutor(4) as lookers:
        seen = list(lookers.map(lambda _: is_owned(tmp_path), range(2000)))

    assert not any(seen)


async def test_the_folder_is_free_once_its_bot_was_killed(home: Home) -> None:
    async with home.running() as bot:
        await bot.kill()

    assert (home.folder / "owner.json").exists()  # of nobody
    code, out, _ = await home.command("doctor")
    assert "none runs here" in out
    assert code == 0
    async with home.running() as bot:
        await draws(home, bot)


async def test_what_was_asked_too_long_ago_is_not_drawn_but_answered(home: Home) -> None:
    async with home.running("hang dispatch") as bot:
        asked = await bot.draw("a fox")
        await bot.kill()
    home.change("UPDATE inbox SET received_at=:at", at=micros(datetime.now(UTC) - timedelta(days=8)))

    async with home.running():
        await home.quiet()

    (answer,) = home.stored.answers(asked.id)
    assert answer["tone"] == "refusal"
    assert home.paid("a fox") == 0


async def test_one_message_that_cannot_be_taken_up_keeps_neither_the_bot_nor_the_others_waiting(home: Home) -> None:
    home.troubled = True
    async with home.running("hang dispatch") as bot:
        unreadable, other = await bot.draw("a fox"), await bot.draw("a hen")
        await bot.kill()
    (stored,) = home.stored.rows("SELECT raw FROM inbox WHERE id=:id", id=unreadable.id)
    home.change("UPDATE inbox SET raw='{}' WHERE id=:id", id=unreadable.id)

    async with home.running():
        await home.reaches(other, shown="settled", posting="posted")

    assert home.stored.moment(unreadable.id).inbox == "received"
    home.change("UPDATE inbox SET raw=:raw WHERE id=:id", raw=stored["raw"], id=unreadable.id)
    async with home.running():
        await home.quiet()


async def test_the_ledgers_own_command_finds_nothing_wrong_beside_the_bot_and_after_it(home: Home) -> None:
    async with home.running("after settling.conclude") as bot:
        code, out, _ = await home.command("ledger", "verify")
        assert (code, out[:15]) == (0, "The books agree")
        await bot.draw("a fox")
        await bot.died()

    code, out, _ = await home.command("ledger", "verify")
    assert (code, out[:15]) == (0, "The books agree")
    async with home.running():
        await home.quiet()
