"""What is kept in memory while other processes change it: the newest that is stored is what is known in the end."""

import asyncio
from typing import Any

from bot import people
from bot.chat import Actor
from bot.people import Person, Preferences
from bot.spaces import SpaceRules, Spaces
from bot.storage.database import Database

ROOT = Person(id="p0", name="root", settings={}, admin=True, space="fake/team")
BOB = Actor(adapter="fake", user="u1", name="bob", space="team")


class Slow:
    """A database whose answers to reads come late."""

    def __init__(self, database: Database) -> None:
        self.transaction = database.transaction
        self._database = database
        self.read_at = asyncio.Event()
        self.go = asyncio.Event()

    async def read(self, *given: Any, **named: Any) -> Any:
        answer = await self._database.read(*given, **named)
        self.read_at.set()
        await self.go.wait()
        return answer


async def meanwhile(slow: Slow, loading: Any, changing: Any) -> None:
    """What is changed while all is read anew: after the reading, and before its answer."""
    load = asyncio.create_task(loading)
    await slow.read_at.wait()
    change = asyncio.create_task(changing)
    await asyncio.wait([change], timeout=0.3)  # it may have to wait for the other
    slow.go.set()
    await asyncio.gather(load, change)


async def test_rules_that_are_changed_while_all_are_read_anew_are_known(database: Database) -> None:
    slow: Any = Slow(database)
    spaces = Spaces(slow)
    changing = spaces.change("fake/team", lambda _: SpaceRules(private="yes"), by=ROOT, at=1)
    await meanwhile(slow, spaces.load(), changing)

    assert spaces.of("fake/team").private == "yes"


async def test_so_is_what_somebody_chooses(database: Database) -> None:
    slow: Any = Slow(database)
    person = await database.transaction(people.find, BOB, 1)
    preferences = Preferences(slow)
    await meanwhile(slow, preferences.load(), preferences.change(person.id, {"private": "yes"}))

    assert preferences.of(BOB) == {"private": "yes"}
