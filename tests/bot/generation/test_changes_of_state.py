"""The table of states is true: no story changes a generation in a way that it does not name."""

from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio

from bot.clock import micros
from bot.errors import ContentRefused, OutcomeUnknown, ProviderBusy
from bot.generation import accepting
from bot.generation.states import NEXT, State
from bot.storage.connection import Connection
from tests.bot.generation.core import Core
from tests.fakes import DONE, Make, Ticket

WATCH = {
    "sqlite": [
        "CREATE TABLE seen (seq INTEGER PRIMARY KEY, state TEXT NOT NULL)",
        "CREATE TRIGGER seeing AFTER UPDATE OF state ON generations BEGIN INSERT INTO seen (state) VALUES (new.state);"
        " END",
    ],
    "postgres": [
        "CREATE TABLE seen (seq SERIAL PRIMARY KEY, state TEXT NOT NULL)",
        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO seen (state) VALUES (new.state); RETURN NULL; END'",
        "CREATE TRIGGER seeing AFTER UPDATE OF state ON generations FOR EACH ROW EXECUTE FUNCTION see()",
    ],
}
FORGET = {"sqlite": ["DROP TRIGGER seeing"], "postgres": ["DROP FUNCTION see CASCADE"]}


@pytest_asyncio.fixture
async def watched(core: Core, engine: str) -> AsyncIterator[None]:
    """It keeps every change of a generation's state in the table `seen`."""

    def execute(connection: Connection, statements: list[str]) -> None:
        for sql in statements:
            connection.execute(sql)

    await core.database.transaction(execute, WATCH[engine])
    yield
    await core.database.transaction(execute, [*FORGET[engine], "DROP TABLE seen"])


@pytest.mark.parametrize(
    "first",
    [(Make(0), DONE), (ContentRefused("words"),), (OutcomeUnknown(),), (Ticket("t"), Make(0), DONE)],
    ids=["made", "refused", "unknown", "ticket"],
)
@pytest.mark.parametrize("cancelled", [False, True], ids=["", "cancelled"])
@pytest.mark.usefixtures("watched")
async def test_every_change_of_state_stands_in_the_table(core: Core, first: tuple[Any, ...], cancelled: bool) -> None:
    core.provider.by_number[0].append(first)
    core.provider.by_number[1].append((ProviderBusy(),))
    waiting = await core.run(count=2)
    if cancelled:
        await core.database.transaction(accepting.cancel, waiting.id, await core.person(), micros(core.clock()))
    await core.run_again(waiting.id)

    rows = await core.database.fetch("SELECT state FROM seen ORDER BY seq")
    states = [State.QUEUED, *(State(row["state"]) for row in rows)]
    assert states[-1] in (State.SETTLED, State.UNKNOWN, State.REFUSED, State.CANCELLED)
    assert [pair for pair in pairwise(states) if pair[0] != pair[1] and pair[1] not in NEXT[pair[0]]] == []
