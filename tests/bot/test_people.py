"""The person behind an actor, and what they chose."""

import asyncio
from types import SimpleNamespace

import pytest

from bot import people
from bot.chat import Actor
from bot.people import Owned, Person
from bot.storage.connection import Connection
from bot.storage.database import Database


def actor(user: str = "u1", *, adapter: str = "fake", space: str = "team", name: str = "bob") -> Actor:
    return Actor(adapter=adapter, user=user, name=name, space=space)


async def test_who_rules_a_space_is_known_from_what_they_do_there(database: Database) -> None:
    async def seen(user: str, at: int, *, admin: bool, space: str = "team") -> str:
        who = Actor(adapter="fake", user=user, name=user, space=space, admin=admin)
        return (await database.transaction(people.find, who, at)).id

    async def admins(at: int = 10 * people.DAY, space: str = "fake/team") -> list[frozenset[str]]:
        return await database.read(people.admins_of, space, at)

    ann, bob = await seen("ann", 1, admin=True), await seen("bob", 2, admin=False)
    assert await admins() == [{ann}]
    await seen("bob", 3, admin=True)
    assert await admins() == [{bob}, {ann}]
    await seen("ann", 3 * people.DAY, admin=True)  # seen again
    assert await admins() == [{ann}, {bob}]
    assert await admins(2 * people.DAY + people.ADMINS_KEPT) == [{ann}]
    await seen("ann", 4 * people.DAY, admin=False, space="other")  # says nothing of this one
    assert await admins() == [{ann}, {bob}]
    await seen("ann", 4 * people.DAY, admin=False)
    assert await admins() == [{bob}]


def asked_by(person: Person) -> Owned:
    return SimpleNamespace(person=person.id)


async def test_the_same_actor_is_the_same_person(database: Database) -> None:
    first = await database.transaction(people.find, actor(), 1)
    again = await database.transaction(people.find, actor(name="Bobby", space="other"), 2)

    assert again.id == first.id
    assert (again.name, again.space) == ("Bobby", "fake/other")


async def test_a_name_that_could_not_be_told_at_first_is_put_in_later(database: Database) -> None:
    await database.transaction(people.find, actor("u1", name="u1"), 1)
    await database.transaction(people.find, actor("u1", name="Ann Lee"), 2)
    await database.transaction(people.find, actor("u1", name="u1"), 3)

    assert [row["name"] for row in await database.fetch("SELECT name FROM people")] == ["Ann Lee"]


async def test_two_who_come_first_at_the_same_moment_are_one_person(database: Database) -> None:
    found = await asyncio.gather(*(database.transaction(people.find, actor(), 1) for _ in range(50)))

    assert len({each.id for each in found}) == 1
    assert len(await database.fetch("SELECT id FROM people")) == 1


async def test_the_same_name_elsewhere_is_somebody_else(database: Database) -> None:
    found = [
        await database.transaction(people.find, who, 1) for who in (actor(), actor("u2"), actor(adapter="elsewhere"))
    ]

    assert len({each.id for each in found}) == 3


async def test_an_admin_is_whom_the_platform_calls_one_today(database: Database) -> None:
    admin = Actor(adapter="fake", user="u1", name="bob", space="team", admin=True)

    assert (await database.transaction(people.find, admin, 1)).admin
    assert not (await database.transaction(people.find, actor(), 2)).admin


async def test_settings_are_changed_one_by_one_and_taken_back(database: Database) -> None:
    person = await database.transaction(people.find, actor(), 1)

    assert await database.transaction(people.change_settings, person.id, {"size": "4K", "language": "zh-CN"})
    now = await database.transaction(people.change_settings, person.id, {"size": "", "model": "seedream-4"})
    assert now == {"language": "zh-CN", "model": "seedream-4"}
    found = await database.transaction(people.find, actor(), 1)
    assert found.settings == now
    assert found.settings["language"] == "zh-CN"


async def test_what_people_chose_is_in_memory_for_all_their_actors(database: Database) -> None:
    person = await database.transaction(people.find, actor(), 1)
    await database.transaction(people.find, actor("u2"), 1)
    preferences = people.Preferences(database)
    settings = await preferences.change(person.id, {"private": "yes", "size": ""})

    assert settings == preferences.of(actor()) == {"private": "yes"}
    assert preferences.of(actor("u2")) == preferences.of(actor(adapter="elsewhere")) == {}
    later = people.Preferences(database)
    await later.load()
    assert later.of(actor()) == {"private": "yes"}


async def test_a_person_has_the_roles_that_the_platform_names(database: Database) -> None:
    known = Actor(adapter="fake", user="u1", name="bob", space="team", roles=("r1", "r2"))

    assert (await database.transaction(people.find, known, 1)).roles == ("r1", "r2")
    assert (await database.transaction(people.find, known, 2)).roles == ("r1", "r2")
    assert (await database.transaction(people.find, actor(), 3)).roles == ()


async def test_what_linked_accounts_asked_for_is_ones_own(database: Database) -> None:
    one, other, stranger = [await database.transaction(people.find, actor(user), 1) for user in ("u1", "u2", "u3")]

    def linked(connection: Connection) -> None:
        for each in (one, other):
            connection.execute("UPDATE people SET linked='g1' WHERE id=:id", id=each.id)

    await database.transaction(linked)
    again = await database.transaction(people.find, actor("u2"), 2)

    assert again.persons == tuple(sorted((one.id, other.id)))
    assert (one.persons, stranger.persons) == ((one.id,), (stranger.id,))
    assert again.owns(asked_by(one))
    assert again.owns(asked_by(other))
    assert not again.owns(asked_by(stranger))


async def test_settings_of_who_is_forgotten_are_known_no_more(database: Database) -> None:
    person = await database.transaction(people.find, actor(), 1)
    told: list[str] = []
    preferences = people.Preferences(database, told.append)
    await preferences.change(person.id, {"size": "4K"})
    await preferences.forget([("fake", "u1")])

    assert preferences.of(actor()) == {}
    assert told == [person.id, ""]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ann\n\nApproved by root\u2028now", "Ann Approved by root now"),
        ("\u202enna\u202c \u2066x\u2069\u200f", "nna x"),
        ("a\x00b\x1b[31m", "a b [31m"),
        ("x" * 500, "x" * 80),
        ("\u202e \n", "u1"),
        ("\U0001f469\u200d\U0001f4bb 李 雷 <@everyone>", "\U0001f469\u200d\U0001f4bb 李 雷 <@everyone>"),
    ],
)
async def test_a_name_stays_on_its_line(database: Database, name: str, shown: str) -> None:
    actor = Actor(adapter="fake", user="u1", name=name, space="team")
    first = await database.transaction(people.find, actor, 1)
    again = await database.transaction(people.find, actor, 1)

    assert (first.name, again.name) == (shown, shown)
    (row,) = await database.fetch("SELECT name FROM people")
    assert row["name"] == shown
