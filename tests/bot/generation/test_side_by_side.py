"""Two bots' worth of connections on one PostgreSQL database: what is decided at the same time is decided once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
import pytest_asyncio

from bot import people, spaces
from bot.chat import Place
from bot.clock import micros
from bot.errors import BotError, QuotaExceeded, Unavailable
from bot.generation import deleting, inbox, queue
from bot.generation.accepting import Draft
from bot.generation.queue import Admitted, Capacity
from bot.generation.states import State
from bot.quota.limits import Policy
from bot.storage.connection import Connection
from bot.storage.postgres import PostgresDatabase
from tests.bot.generation.core import PICTURE, Core
from tests.postgres import BOTH, Emptied

pytestmark = [*BOTH[1].marks]

ASKED = 50
TEN_A_DAY: Policy = {("person", "images", "day"): 10}
TEN_FOR_ALL: Policy = {("all", "images", "day"): 10}


@pytest_asyncio.fixture
async def pair(emptied: Emptied, tmp_path: Path) -> AsyncIterator[tuple[Core, Core]]:
    """Two cores on one database, each with connections of its own."""
    url = emptied()
    async with AsyncExitStack() as stack:
        cores = []
        for name in ("a", "b"):
            folder = tmp_path / name
            folder.mkdir()
            database = await stack.enter_async_context(PostgresDatabase(url))
            cores.append(Core(database=database, folder=folder, most_waiting=1000))
        yield cores[0], cores[1]


async def at_once(*asked: Awaitable[Any]) -> list[Any]:
    """Whatever each came to; what nobody expects is raised."""
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    for each in outcomes:
        if isinstance(each, BaseException) and not isinstance(each, BotError):
            raise each
    return outcomes


def asking(pair: tuple[Core, Core], persons: int = 1, **wanted: Any) -> list[Awaitable[str]]:
    """So many requests, in turn through either of them."""
    return [
        pair[number % 2].accepted(by=f"person {number % persons}", **wanted, event=f"{number}")
        for number in range(ASKED)
    ]


@pytest.mark.parametrize(("policy", "persons"), [(TEN_A_DAY, 1), (TEN_FOR_ALL, 10)], ids=["of one", "of all"])
async def test_fifty_at_once_never_get_more_than_the_limit(
    pair: tuple[Core, Core], policy: Policy, persons: int
) -> None:
    for core in pair:
        core.service.policy = policy

    outcomes = await at_once(*asking(pair, persons))

    assert sum(isinstance(each, str) for each in outcomes) == 10
    assert sum(isinstance(each, QuotaExceeded) for each in outcomes) == ASKED - 10
    await pair[0].check_books()


async def test_the_last_places_in_the_line_are_given_once(pair: tuple[Core, Core]) -> None:
    for core in pair:
        core.service.most_waiting = 10

    outcomes = await at_once(*asking(pair, 10))

    assert sum(isinstance(each, str) for each in outcomes) == 10
    assert sum(isinstance(each, Unavailable) for each in outcomes) == ASKED - 10


async def test_a_first_window_that_many_open_at_once_refuses_nobody(pair: tuple[Core, Core]) -> None:
    assert all(isinstance(each, str) for each in await at_once(*asking(pair, 10)))
    await pair[0].check_books()


async def test_two_that_admit_at_once_keep_every_limit(pair: tuple[Core, Core]) -> None:
    ids = await at_once(*asking(pair, 10))
    capacity = Capacity(per_person=2, running=15, images_per_minute=24)
    now = micros(datetime.now(UTC))

    admitted: list[list[Admitted]] = await at_once(
        *(pair[number % 2].database.transaction(queue.admit, f"{number}", now, 9, capacity) for number in range(8))
    )

    taken = [each.id for some in admitted for each in some]
    rows = await pair[0].database.fetch("SELECT person, state FROM generations WHERE state<>'queued'")
    assert len(taken) == len(set(taken)) == len(rows) == 12  # the burst of 24 a minute; nobody was admitted twice
    assert set(taken) <= set(ids)
    assert max(Counter(row["person"] for row in rows).values()) <= 2


async def test_a_person_who_says_several_things_at_once_is_one(pair: tuple[Core, Core]) -> None:
    found = await at_once(*(pair[number % 2].person("new") for number in range(20)))

    assert len({person.id for person in found}) == 1
    assert len(await pair[0].database.fetch("SELECT 1 FROM people")) == 1


async def test_changes_at_once_lose_nothing(pair: tuple[Core, Core]) -> None:
    person = await pair[0].person()

    def add(number: int) -> spaces.Change:
        return lambda rules: replace(rules, rooms=(*rules.rooms, f"{number}"))

    await at_once(
        *(pair[n % 2].database.transaction(people.change_settings, person.id, {f"s{n}": "x"}) for n in range(10)),
        *(pair[n % 2].database.transaction(spaces.change_rules, "web/team", add(n), person, 0) for n in range(10)),
    )

    kept = await pair[0].database.transaction(people.change_settings, person.id, {})
    rules = await pair[0].database.read(spaces.rules_of, "web/team")
    assert set(kept) == {f"s{number}" for number in range(10)}
    assert set(rules.rooms) == {f"{number}" for number in range(10)}


async def test_go_pressed_again_and_again_and_cancelled_holds_once_or_not_at_all(pair: tuple[Core, Core]) -> None:
    person = await pair[0].person()
    for story in range(6):
        generation = await _question(pair[0], person, f"question {story}")
        presses = [f"press {story} {number}" for number in range(6)]
        for press in presses:
            await pair[0].database.transaction(inbox.receive, press, "fake", {}, 0)
        await at_once(
            *(pair[number % 2].service.go(generation, press, person) for number, press in enumerate(presses)),
            pair[1].service.cancel(generation, person),
        )
    await pair[0].check_books()


async def test_of_two_that_share_a_picture_and_go_at_once_the_last_takes_its_file(pair: tuple[Core, Core]) -> None:
    person = await pair[0].person()
    for _ in range(5):
        ids = [(await pair[0].run()).id for _ in range(2)]
        blob = (await pair[0].load(ids[0])).images[0].blob
        await pair[0].database.transaction(_share, ids, blob)

        gone = await at_once(
            *(core.database.transaction(deleting.delete, id, person, 0) for core, id in zip(pair, ids, strict=True))
        )

        assert sorted(gone) == [[], [blob]]


async def test_whatever_meets_whatever_the_books_agree(pair: tuple[Core, Core]) -> None:
    """Cancels, deletes, admissions, steps of runners and two settlements of the same, all at once."""
    chance, person = Random(7), await pair[0].person("person 0")
    ids = await at_once(*asking(pair))
    admitted: list[Admitted] = []

    async def admit(core: Core) -> None:
        admitted.extend(await core.admitted(free=9))

    async def run(core: Core) -> None:
        if admitted:
            await core.runner.run(chance.choice(admitted))

    async def cancel(core: Core) -> None:
        await core.service.cancel(chance.choice(ids), person)

    async def delete(core: Core) -> None:
        await core.database.transaction(deleting.delete, chance.choice(ids), person, core.at)

    for _ in range(8):
        steps = chance.choices([admit, run, run, cancel, delete], k=12)
        await at_once(*(step(pair[number % 2]) for number, step in enumerate(steps)))
        await pair[0].check_books()

    rows = await pair[0].database.fetch("SELECT state, count(*) AS n FROM generations GROUP BY state")
    ends = {row["state"]: row["n"] for row in rows}
    assert ends[State.SETTLED] > 0
    assert ends[State.CANCELLED] > 0


def _share(connection: Connection, generations: list[str], blob: str) -> None:
    for generation in generations:
        connection.execute(
            "UPDATE images SET blob=:blob WHERE generation=:generation", blob=blob, generation=generation
        )


async def _question(core: Core, person: people.Person, event: str) -> str:
    await core.database.transaction(inbox.receive, event, "fake", {}, 0)
    place = Place(adapter="fake", data={"room": "studio"})
    draft = Draft(
        invocation=event, person=person, place=place, language="en", request=core.request(), price=PICTURE, ask=True
    )
    taken = await core.service.accept(draft)
    assert taken is not None
    return taken.generation
