"""The person behind an actor: found or made at the first contact, with their own defaults."""

import asyncio
import json
import re
import secrets
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bot import returning
from bot.chat import Actor
from bot.storage.connection import Connection
from bot.storage.database import Database

MOST_LETTERS = 80  # of a name
DAY = 24 * 3600 * 1_000_000
SEEN_AGAIN, ADMINS_KEPT = DAY, 90 * DAY  # whoever ruled a space so long ago, and said nothing since, may have left it


class Owned(Protocol):
    @property
    def person(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """settings: what this person chose by `/settings` (model, size, ratio, format, optimize,
    language, watermark, private, team). admin: in `space`, where they ask; everywhere: in each other one, too.
    linked: the other accounts of the same human. roles: as the platform names them there, and `room:ID` of the room.
    keyed: they have a key to the dashboard, of an admin of that space, that still opens something.
    """

    id: str
    name: str
    settings: Mapping[str, str]
    admin: bool
    space: str
    everywhere: bool = False
    linked: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    keyed: bool = False

    @property
    def persons(self) -> tuple[str, ...]:
        """Every account of this human by its person's id, this one among them, in the order of their names."""
        return tuple(sorted({self.id, *self.linked}))

    def owns(self, generation: Owned) -> bool:
        """Whether it was asked for by any account of theirs."""
        return generation.person == self.id or generation.person in self.linked

    def rules(self, space: str) -> bool:
        """Whether they are an admin there. Anybody can make a space of their own, and is nobody in all others."""
        return self.everywhere or (self.admin and space == self.space)


@dataclass
class Preferences:
    """What people chose by `/settings`, in memory: the kind of a platform's first answer waits for no database.

    told: called with a person who has chosen something else.
    """

    database: Database
    told: Callable[[str], object] = lambda person: None
    _known: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)  # what was stored last is what is known

    async def load(self) -> None:
        async with self._changing:
            self._known = await self.database.read(_chosen)

    def of(self, actor: Actor) -> Mapping[str, str]:
        return self._known.get((actor.adapter, actor.user), {})

    async def forget(self, actors: Iterable[tuple[str, str]]) -> None:
        """These accounts, as (adapter, user), are gone."""
        async with self._changing:
            for actor in actors:
                self._known.pop(actor, None)
        self.told("")

    async def change(self, person: str, changes: Mapping[str, str]) -> dict[str, str]:
        """Store new defaults, as `change_settings` does, and know them from then on."""
        async with self._changing:
            settings, actors = await self.database.transaction(_change, person, changes)
            self._known.update(dict.fromkeys(actors, settings))
        self.told(person)
        return settings

    async def refresh(self, person: str) -> None:
        """Another process has changed what this person chose."""
        async with self._changing:
            settings, actors = await self.database.read(_chosen_by, person)
            self._known.update(dict.fromkeys(actors, settings))


def called(actor: Actor) -> str:
    """Their name on one line, without the signs that would turn the words around it."""
    shown = "".join(" " if each.isspace() or unicodedata.category(each) == "Cc" else each for each in actor.name)
    return " ".join(_TURNING.sub("", shown).split())[:MOST_LETTERS] or actor.user


_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def space_of(actor: Actor) -> str:
    """The space as it is stored: unique over all platforms."""
    return f"{actor.adapter}/{actor.space}"


def find(connection: Connection, actor: Actor, at: int) -> Person:
    """The person of this actor; a first contact makes one."""
    space, name = space_of(actor), called(actor)
    # Asked along with the rest, since nearly nobody has such a key.
    keyed = (
        "SELECT 1 FROM dashboard_keys WHERE person=p.id AND space=:space AND used_at=0 AND expires_at>:at"
        ' AND rights LIKE \'%"kind": "space"%\''
    )
    ruled = "SELECT seen_at FROM space_admins WHERE space=:space AND person=p.id"
    row = connection.row(
        f"SELECT p.id, p.name, p.settings, p.linked, EXISTS ({keyed}) AS keyed, ({ruled}) AS ruled"
        " FROM actors a JOIN people p ON p.id=a.person WHERE a.adapter=:adapter AND a.user_id=:user",
        adapter=actor.adapter,
        user=actor.user,
        space=space,
        at=at,
    )
    if row and row["name"] == actor.user != name:  # nobody could tell it before
        connection.execute("UPDATE people SET name=:name WHERE id=:id", id=row["id"], name=name)
    if row:
        _note_admin(connection, space, row["id"], row["ruled"], admin=actor.admin, at=at)
        return Person(
            id=row["id"],
            name=name,
            settings=json.loads(row["settings"]),
            admin=actor.admin,
            space=space,
            linked=_others(connection, row["id"], row["linked"]),
            roles=actor.roles,
            keyed=bool(row["keyed"]),
        )
    person = secrets.token_hex(6)
    first = connection.execute(
        "INSERT INTO actors (adapter, user_id, person) VALUES (:adapter, :user, :person) ON CONFLICT DO NOTHING",
        adapter=actor.adapter,
        user=actor.user,
        person=person,
    )
    if not first:  # they said two things at once
        return find(connection, actor, at)
    connection.execute(
        "INSERT INTO people (id, name, created_at) VALUES (:id, :name, :at)", id=person, name=name, at=at
    )
    returning.recognise(connection, actor.adapter, actor.user, person, at)
    _note_admin(connection, space, person, None, admin=actor.admin, at=at)
    return Person(id=person, name=name, settings={}, admin=actor.admin, space=space, roles=actor.roles)


def admins_of(connection: Connection, space: str, at: int) -> list[frozenset[str]]:
    """Those who were seen as its admins of late, whoever was seen last first: the accounts of each human."""
    rows = connection.rows(
        "SELECT a.person, p.linked FROM space_admins a JOIN people p ON p.id=a.person"
        " WHERE a.space=:space AND a.seen_at>:since ORDER BY a.seen_at DESC, a.person",
        space=space,
        since=at - ADMINS_KEPT,
    )
    humans: dict[str, set[str]] = {}
    for row in rows:
        humans.setdefault(row["linked"] or row["person"], set()).add(row["person"])
    return [frozenset(persons) for persons in humans.values()]


def _note_admin(connection: Connection, space: str, person: str, seen: int | None, *, admin: bool, at: int) -> None:
    """Whether they rule this space is known only from what they do there."""
    if admin and (seen is None or seen < at - SEEN_AGAIN):
        connection.execute(
            "INSERT INTO space_admins (space, person, seen_at) VALUES (:space, :person, :at)"
            " ON CONFLICT (space, person) DO UPDATE SET seen_at=:at",
            space=space,
            person=person,
            at=at,
        )
    elif not admin and seen is not None:
        connection.execute("DELETE FROM space_admins WHERE space=:space AND person=:person", space=space, person=person)


def change_settings(connection: Connection, person: str, changes: Mapping[str, str]) -> dict[str, str]:
    """Store a person's new defaults; an empty value takes one back. Returns all that now hold."""
    row = connection.lock_row("SELECT settings FROM people WHERE id=:id", id=person)
    settings: dict[str, str] = {**json.loads(row["settings"] if row else "{}"), **changes}
    settings = {name: value for name, value in settings.items() if value}
    connection.execute(
        "UPDATE people SET settings=:settings WHERE id=:id",
        settings=json.dumps(settings, ensure_ascii=False),
        id=person,
    )
    return settings


def persons_of(connection: Connection, person: str) -> tuple[str, ...]:
    """Every account of the human to whom this one belongs, itself among them, in the order of their names."""
    row = connection.row("SELECT linked FROM people WHERE id=:id", id=person)
    return tuple(sorted({person, *_others(connection, person, row["linked"] if row else "")}))


def _others(connection: Connection, person: str, linked: str) -> tuple[str, ...]:
    if not linked:
        return ()
    # The condition of the index as it stands there: without it all people would be read.
    rows = connection.rows(
        "SELECT id FROM people WHERE linked=:linked AND linked <> '' AND id<>:id ORDER BY id", linked=linked, id=person
    )
    return tuple(row["id"] for row in rows)


def _change(
    connection: Connection, person: str, changes: Mapping[str, str]
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    settings = change_settings(connection, person, changes)
    rows = connection.rows("SELECT adapter, user_id FROM actors WHERE person=:person", person=person)
    return settings, [(row["adapter"], row["user_id"]) for row in rows]


def _chosen_by(connection: Connection, person: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    rows = connection.rows(
        "SELECT a.adapter, a.user_id, p.settings FROM actors a JOIN people p ON p.id=a.person WHERE p.id=:person",
        person=person,
    )
    settings: dict[str, str] = json.loads(rows[0]["settings"]) if rows else {}
    return settings, [(row["adapter"], row["user_id"]) for row in rows]


def _chosen(connection: Connection) -> dict[tuple[str, str], Mapping[str, str]]:
    rows = connection.rows(
        "SELECT a.adapter, a.user_id, p.settings FROM actors a JOIN people p ON p.id=a.person WHERE p.settings<>'{}'"
    )
    return {(row["adapter"], row["user_id"]): json.loads(row["settings"]) for row in rows}
