"""What the bot says without having been asked: it is written down as a posting, and delivered as carefully as pictures.

Such a posting belongs to no generation. In its place stands what is to be said, as JSON, so that whoever posts it needs
to know nothing else: the same words come out however late, and however often, it is drawn.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.chat import Place, Reply
from bot.generation.record import read_place, write_place
from bot.storage.connection import Connection

PREFIX = "notice:"
LOOKED_AT = 50  # postings of a space, the newest ones, among which one in another room is looked for

Words = Callable[[Mapping[str, Any]], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Where a notice goes. who: a word for it that stays the same. private: it is for one person alone."""

    who: str
    place: Place
    language: str

    @property
    def private(self) -> bool:
        return self.place.private


@dataclass(frozen=True, kw_only=True)
class Notices:
    """kinds: what puts each kind of notice into words."""

    kinds: Mapping[str, Words]

    def has(self, generation: str) -> bool:
        """Whether a posting's generation is none, but a notice."""
        return generation.startswith(PREFIX)

    async def reply(self, generation: str) -> Reply:
        said = json.loads(generation.removeprefix(PREFIX))
        reply = await self.kinds[said["kind"]](said)
        return replace(reply, language=said["language"], private=bool(said["private"]))


def want(connection: Connection, to: Receiver, kind: str, values: Mapping[str, Any]) -> bool:
    """Have it posted; False where the same was said to them before."""
    said = {"kind": kind, **values, "language": to.language, "private": int(to.private)}
    written = PREFIX + json.dumps(said, ensure_ascii=False, sort_keys=True)
    return bool(
        connection.execute(
            "INSERT INTO postings (key, generation, adapter, place, state, wanted)"
            " VALUES (:key, :generation, :adapter, :place, 'to post', 1) ON CONFLICT (key) DO NOTHING",
            key=key_of(kind, values, to.who),
            generation=written,
            adapter=to.place.adapter,
            place=write_place(to.place),
        )
    )


def is_to(key: str, generation: str, who: str) -> bool:
    """Whether the posting of a notice, with this key, was meant for them."""
    said = json.loads(generation.removeprefix(PREFIX))
    values = {name: value for name, value in said.items() if name not in ("kind", "language", "private")}
    return key == key_of(said["kind"], values, who)


def key_of(kind: str, values: Mapping[str, Any], who: str) -> str:
    told = json.dumps([kind, values, who], sort_keys=True)
    return f"{kind}-{hashlib.sha256(told.encode()).hexdigest()[:16]}:0"


def room_in(connection: Connection, space: str, room: str, language: str) -> Receiver | None:
    """A room of a space, reached as its log room is: by way of a place where somebody asked. None before anybody did.

    One in another room is better: a place in the room itself still says whom to answer there.
    """
    rows = connection.rows(
        "SELECT p.adapter, p.place FROM generations g JOIN postings p ON p.key=g.id||':0'"
        " WHERE g.space=:space AND p.state='posted' ORDER BY g.seq DESC LIMIT :most",
        space=space,
        most=LOOKED_AT,
    )
    places = [read_place(row) for row in rows]
    place = next((each for each in places if each.room != room), places[0] if places else None)
    if place is None or not room:
        return None
    return Receiver(who=room, place=replace(place, room=room, private=False), language=language)


def privately(connection: Connection, persons: Collection[str], language: str) -> Receiver | None:
    """One person, where they last asked, seen by them alone; None for whoever never asked. persons: their accounts."""
    found = [row for person in sorted(persons) for row in _last(connection, person)]
    if not found:
        return None
    row = max(found, key=lambda each: int(each["seq"]))
    chosen = json.loads(row["settings"]).get("language", "") if row["settings"] else ""
    place = replace(read_place(row), private=True)
    return Receiver(who=row["person"], place=place, language=chosen or row["language"] or language)


def _last(connection: Connection, person: str) -> Sequence[Mapping[str, Any]]:
    return connection.rows(
        "SELECT g.seq, g.person, g.language, p.adapter, p.place, o.settings FROM generations g"
        " JOIN postings p ON p.key=g.id||':0' LEFT JOIN people o ON o.id=g.person"
        " WHERE g.person=:person AND p.state='posted' ORDER BY g.seq DESC LIMIT 1",
        person=person,
    )
