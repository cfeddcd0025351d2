"""What is kept of a person, given to them whole; and forgotten whole, but for the sums in the books.

What was spent stays counted for the pools that paid for it, under a key that leads to nobody.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot import audit, returning
from bot.audit import By
from bot.chat import Reply
from bot.clock import micros, moment
from bot.errors import UsageError
from bot.generation import accepting, deleting, inbox, record
from bot.generation.notices import PREFIX, is_to
from bot.generation.record import note
from bot.generation.states import IN_FLIGHT, WAITING, listed
from bot.i18n import Text, plural
from bot.people import Person, Preferences
from bot.quota import ledger
from bot.reports import MARKED
from bot.storage.connection import Connection, Row
from bot.storage.database import Database
from bot.teams import Memberships, teams_of

log = structlog.get_logger(__name__)

CHAT = "web"  # the platform whose messages are kept here

# Rows of `meta` for what is still to be taken away once everything else is forgotten.
_BLOB, _PLACE, _ROOM = "forgotten blob ", "forgotten place ", "forgotten room "
_DIRECT = "direct:"  # a room of one person on the page, called by their name
# So long an open page of theirs has to hear that nothing is left.
_HEARS = timedelta(hours=1) // timedelta(microseconds=1)
_NOWHERE = json.dumps({"data": {}, "private": False, "room": ""})


@dataclass(frozen=True, kw_only=True)
class Privacy:
    """remove: takes a blob away that no picture needs any more. changed: told generations that look different now."""

    database: Database
    preferences: Preferences
    memberships: Memberships
    clock: Callable[[], datetime]
    remove: Callable[[str], Awaitable[None]]
    changed: Callable[[str], object]

    async def mine(self, person: Person) -> dict[str, Any]:
        """Everything that is kept of all their linked accounts, as JSON."""
        return await self.database.read(mine, person.persons)

    async def forget(self, person: Person, asked: str, words: Text) -> Reply | None:
        """Stop what waits, then forget it all. Raises `UsageError` while something is drawn that must be paid for.

        asked, words: the invocation, and its answer, which is kept with it until it is given: after a crash nobody
        knows any more whose it was. Returns the answer, None where it was given before.
        """
        at = micros(self.clock())
        stopped, runs = await self.database.transaction(stop, person.persons, at)
        for generation in stopped:
            self.changed(generation)
        if runs:
            raise UsageError(_being_drawn(runs))
        forgotten, reply = await self.database.transaction(_forget_once, person.persons, at, asked, words)
        await self.preferences.forget(forgotten.actors)
        await self.memberships.changed()
        for generation in forgotten.generations:
            self.changed(generation)
        try:
            await self.tidy()
        except Exception:  # a door: they are forgotten, and are told so; the janitor takes away what is left
            log.exception("what somebody who was forgotten had could not be taken away yet")
        return reply

    async def tidy(self) -> None:
        """Take away what is left of those who were forgotten; also after a crash on the way."""
        at = micros(self.clock())
        await self.database.transaction(returning.tidy, at)
        for blob in await self.database.transaction(_pending, at):
            await self.remove(blob)
            await self.database.transaction(_removed, blob)


def mine(connection: Connection, persons: Collection[str]) -> dict[str, Any]:
    """Everything that is kept of these accounts of one human. Amounts are pictures or micro-USD, times are in UTC."""
    accounts = _accounts(connection, persons)
    return {
        "people": [_person(connection, each) for each in sorted(persons)],
        "teams": [{"id": each.id, "name": each.name, "role": each.role} for each in teams_of(connection, persons)],
        "tiers": _each(
            connection, "SELECT space, tier FROM tier_holders WHERE holder=:v", _prefixed("person", persons)
        ),
        "limits": _each(
            connection, "SELECT * FROM limits WHERE account=:v ORDER BY unit, win", _limited(persons, accounts)
        ),
        "balances": _each(connection, "SELECT * FROM balances WHERE account=:v ORDER BY unit, win, period", accounts),
        "entries": _each(
            connection,
            "SELECT e.* FROM holds h JOIN entries e"
            " ON e.generation=h.generation AND e.account=h.account AND e.unit=h.unit WHERE h.account=:v"
            " ORDER BY e.at, e.generation, e.unit, e.kind",
            accounts,
        ),
        "grants": _each(connection, "SELECT * FROM grants WHERE person=:v ORDER BY seq", persons),
        "generations": [
            _generation(connection, row["id"])
            for row in _each(connection, "SELECT id FROM generations WHERE person=:v ORDER BY seq", persons)
        ],
        "messages": _messages(connection, persons),
        "audit": [_audited(row) for row in _about(connection, persons)],
    }


def stop(connection: Connection, persons: Collection[str], at: int) -> tuple[list[str], int]:
    """Cancel all that waits. Returns what was stopped or told to, and how many are being drawn all the same."""
    rows = _open(connection, persons)
    for row in rows:
        asker = Person(id=row["person"], name="", settings={}, admin=False, space="")
        accepting.cancel(connection, row["id"], asker, at)
    return [row["id"] for row in rows], len(_open(connection, persons))


def forget(connection: Connection, persons: Collection[str], at: int) -> list[str]:
    """Leave nothing of these accounts but sums; returns the blobs that nobody needs any more.

    They are also noted, to be removed by `Privacy.tidy` whatever happens meanwhile. Raises `UsageError` while anything
    of theirs waits or runs.
    """
    return _forget(connection, persons, at).blobs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Forgotten:
    blobs: list[str]
    generations: list[str]
    actors: list[tuple[str, str]]


def _forget_once(
    connection: Connection, persons: Collection[str], at: int, asked: str, words: Text
) -> tuple[_Forgotten, Reply | None]:
    if not inbox.begin(connection, asked):
        return _Forgotten(blobs=[], generations=[], actors=[]), inbox.said(connection, asked)
    forgotten = _forget(connection, persons, at, asked)
    inbox.say(connection, asked, words)
    return forgotten, Reply(text=words, private=True)


def _forget(connection: Connection, persons: Collection[str], at: int, asked: str = "") -> _Forgotten:
    # Nobody deletes the same pictures, has something accepted or links an account meanwhile.
    for name in ("linking", "deleting", "line"):
        connection.lock(name)
    if runs := _open(connection, persons):
        raise UsageError(_being_drawn(len(runs)))
    keys = {person: returning.anonymous() for person in sorted(persons)}
    actors = [
        (row["adapter"], row["user_id"])
        for row in _each(connection, "SELECT adapter, user_id FROM actors WHERE person=:v", persons)
    ]
    _forget_audit(connection, keys)  # while their names are still known
    blobs = _forget_messages(connection, actors, at, asked) | _forget_charts(connection, keys)
    _forget_notices(connection, persons)
    _forget_blocked(connection, actors)
    generations = []
    for person, key in keys.items():
        ids, used = _forget_generations(connection, person, key, at)
        generations += ids
        blobs |= used
        _rename_accounts(connection, person, key)
        _keep_bounds(connection, person, key, at)
        _forget_person(connection, person, key, at)
    unneeded = deleting.unneeded(connection, blobs)
    _remember(connection, _BLOB, unneeded)
    _remember(connection, _PLACE, generations)
    audit.note(connection, "", By(next(iter(keys.values())), ""), "forgotten", None, None, at)
    return _Forgotten(blobs=unneeded, generations=generations, actors=actors)


def _forget_generations(connection: Connection, person: str, key: str, at: int) -> tuple[list[str], set[str]]:
    """Their words, pictures and names go; what was asked of whom, when and for how much stays."""
    rows = connection.rows("SELECT id, request, others FROM generations WHERE person=:person", person=person)
    theirs = "generation IN (SELECT id FROM generations WHERE person=:person)"
    made = connection.rows(f"SELECT DISTINCT blob FROM images WHERE {theirs}", person=person)
    asked = {row["id"]: json.loads(row["request"]) for row in rows}
    given = [each for row in rows for each in (*asked[row["id"]]["references"], *json.loads(row["others"]))]
    connection.execute(f"UPDATE images SET state='removed', blob='', title='' WHERE {theirs}", person=person)
    connection.execute(f"UPDATE jobs SET failure='', error='' WHERE {theirs}", person=person)
    bare = [
        {"id": id, "request": json.dumps({**request, "prompt": "", "references": [], "seed": None})}
        for id, request in asked.items()
    ]
    connection.execute_many("UPDATE generations SET request=:request WHERE id=:id", bare)
    connection.execute(
        "UPDATE generations SET person=:key, person_name='', others='[]', notes='[]', failure='',"
        " deleted_at=CASE WHEN deleted_at=0 THEN :at ELSE deleted_at END WHERE person=:person",
        key=key,
        person=person,
        at=at,
    )
    for id in asked:
        note(connection, id, "deleted", at)
        accepting.want_post(connection, id)
    return list(asked), {each["blob"] for each in (*given, *made)} - {""}


def _rename_accounts(connection: Connection, person: str, key: str) -> None:
    """The books under another name."""
    for account in _accounts(connection, (person,)):
        names = {"old": account, "new": account.removesuffix(person) + key}
        connection.execute(
            "UPDATE entries SET account=:new WHERE account=:old"
            " AND generation IN (SELECT generation FROM holds WHERE account=:old)",
            **names,
        )
        connection.execute("UPDATE holds SET account=:new WHERE account=:old", **names)
        connection.execute("UPDATE balances SET account=:new WHERE account=:old", **names)
    for table in ("usage_days", "person_months"):
        connection.execute(f"UPDATE {table} SET person=:key WHERE person=:person", key=key, person=person)


def _keep_bounds(connection: Connection, person: str, key: str, at: int) -> None:
    """Whoever comes from the same account soon goes on where they were, be it that they are forgotten once more."""
    bound = returning.former(connection, person, at) or key
    for row in connection.rows("SELECT adapter, user_id FROM actors WHERE person=:person", person=person):
        returning.keep(connection, row["adapter"], row["user_id"], bound, at)
    returning.drop(connection, person)
    own = {"own": f"person:{person}", "share": f"share:%/{person}"}
    for row in connection.rows("DELETE FROM limits WHERE account=:own OR account LIKE :share RETURNING *", **own):
        account = row["account"].removesuffix(person) + bound
        ledger.set_limit(connection, account, row["unit"], row["win"], row["amount"])
    held = connection.rows("DELETE FROM tier_holders WHERE holder=:own RETURNING space, tier", own=own["own"])
    connection.execute_many(
        "INSERT INTO tier_holders (space, holder, tier) VALUES (:space, :holder, :tier)"
        " ON CONFLICT (space, holder) DO UPDATE SET tier=:tier",
        [{"space": row["space"], "holder": f"person:{bound}", "tier": row["tier"]} for row in held],
    )


def _forget_person(connection: Connection, person: str, key: str, at: int) -> None:
    """Who they are, and what they are part of."""
    row = connection.row("SELECT linked FROM people WHERE id=:person", person=person)
    for table in ("people WHERE id", *(f"{each} WHERE person" for each in _OF_PERSONS)):
        connection.execute(f"DELETE FROM {table}=:person", person=person)
    connection.execute("DELETE FROM link_codes WHERE typed_by=:person", person=person)
    connection.execute("DELETE FROM meta WHERE value LIKE :any", any=f"%{person}%")  # ways to their own data
    connection.execute(
        "UPDATE grants SET person=:key, ended_at=CASE WHEN ended_at=0 THEN :at ELSE ended_at END WHERE person=:person",
        key=key,
        person=person,
        at=at,
    )
    for table in ("grants", "reviews"):
        connection.execute(f"UPDATE {table} SET by=:key, by_name='' WHERE by=:person", key=key, person=person)
    if row and row["linked"]:
        left = connection.rows("SELECT id FROM people WHERE linked=:linked AND linked <> ''", linked=row["linked"])
        if len(left) == 1:
            connection.execute("UPDATE people SET linked='' WHERE id=:id", id=left[0]["id"])


_OF_PERSONS = ("actors", "team_members", "link_codes", "dashboard_keys", "space_admins")


def _forget_audit(connection: Connection, keys: dict[str, str]) -> None:
    """What they did and what was done to them stays on record, of somebody without a name."""
    for person, key in keys.items():
        connection.execute("UPDATE audit SET person=:key, name='' WHERE person=:person", key=key, person=person)
        for row in _mentioning(connection, person):
            connection.execute(
                "UPDATE audit SET what=:what, before=:before, after=:after WHERE seq=:seq",
                what=row["what"].replace(person, key),
                before=_without(row["before"], person, key),
                after=_without(row["after"], person, key),
                seq=row["seq"],
            )


def _forget_messages(connection: Connection, actors: Iterable[tuple[str, str]], at: int, asked: str) -> set[str]:
    """What they wrote on the page, and what was answered. The rows stay: an open page must hear that they are empty.

    asked: the message that asks for it, which is still to be answered: for so long it stays known whose it is.
    """
    blobs: set[str] = set()
    for user in sorted(user for adapter, user in actors if adapter == CHAT):
        rows = connection.rows(
            "SELECT id, uploads FROM chat_messages WHERE room=:direct OR private_to=:user OR (author=:user AND bot=0)"
            " OR (bot=1 AND reply_to IN (SELECT id FROM chat_messages WHERE author=:user AND bot=0)) ORDER BY born",
            user=user,
            direct=_DIRECT + user,
        )
        blobs |= {upload["blob"] for row in rows for upload in json.loads(row["uploads"])}
        connection.execute("UPDATE chat_revisions SET last=last+:many", many=len(rows))
        last = connection.row("SELECT last FROM chat_revisions")
        first = (last["last"] if last else 0) - len(rows) + 1
        connection.execute_many(
            "UPDATE chat_messages SET removed=1, words='', uploads='[]', press=NULL, reply=NULL, private_to='',"
            " author=CASE WHEN bot=1 OR id=:asked THEN author ELSE '' END, revision=:revision WHERE id=:id",
            [{"id": row["id"], "asked": asked, "revision": first + place} for place, row in enumerate(rows)],
        )
        connection.execute(
            "INSERT INTO meta (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value=:value",
            name=_ROOM + user,
            value=f"{at + _HEARS} {last['last'] if last else 0}",
        )
    return blobs


def _forget_charts(connection: Connection, persons: Iterable[str]) -> set[str]:
    """Charts that were drawn for them and for nobody else."""
    rows = [
        row
        for person in persons
        for row in connection.rows(
            "DELETE FROM meta WHERE name LIKE :all AND value LIKE :theirs RETURNING name",
            all=f"{MARKED}%",
            theirs=f"% {person}",
        )
    ]
    return {row["name"].removeprefix(MARKED) for row in rows}


def _forget_notices(connection: Connection, persons: Iterable[str]) -> None:
    """What the bot told them by itself, and of them, and where: they are its keys that say to whom it was said."""
    for row in connection.rows("SELECT key, generation FROM postings WHERE generation LIKE :all", all=f"{PREFIX}%"):
        said = row["generation"]
        if any(is_to(row["key"], said, person) or f'"{person}"' in said for person in persons):
            connection.execute("DELETE FROM posted_messages WHERE key=:key", key=row["key"])
            connection.execute("DELETE FROM postings WHERE key=:key", key=row["key"])


def _forget_blocked(connection: Connection, actors: Iterable[tuple[str, str]]) -> None:
    """Who is blocked stays so, by the account alone."""
    for adapter, user in actors:
        for row in connection.rows("SELECT id FROM spaces WHERE id LIKE :here ORDER BY id", here=f"{adapter}/%"):
            connection.lock(f"rules of {row['id']}")
            stored = connection.row("SELECT rules FROM spaces WHERE id=:id", id=row["id"])
            rules = json.loads(stored["rules"]) if stored else {}
            if user in rules.get("blocked", {}):
                rules["blocked"][user] = user
                written = json.dumps(rules, ensure_ascii=False)
                connection.execute("UPDATE spaces SET rules=:rules WHERE id=:id", rules=written, id=row["id"])
        noted = "SELECT * FROM audit WHERE what='space blocked' AND space LIKE :here"
        for row in connection.rows(noted, here=f"{adapter}/%"):
            told = {side: json.loads(row[side]) for side in ("before", "after")}
            if not any(user in names for names in told.values()):
                continue
            told = {
                side: {id: id if id == user else name for id, name in names.items()} for side, names in told.items()
            }
            connection.execute(
                "UPDATE audit SET before=:before, after=:after WHERE seq=:seq",
                seq=row["seq"],
                **{side: json.dumps(names, ensure_ascii=False) for side, names in told.items()},
            )


# --- afterwards


def _pending(connection: Connection, at: int) -> list[str]:
    """The blobs that are still to be removed; where a message was told of its end, its place is forgotten, too."""
    for row in connection.rows("SELECT name, value FROM meta WHERE name LIKE :all", all=f"{_ROOM}%"):
        until, last = map(int, row["value"].split())
        if until <= at:
            _empty_room(connection, row["name"].removeprefix(_ROOM), last)
            connection.execute("DELETE FROM meta WHERE name=:name", name=row["name"])
    for row in connection.rows("SELECT name FROM meta WHERE name LIKE :all", all=f"{_PLACE}%"):
        generation = row["name"].removeprefix(_PLACE)
        busy = connection.row(
            "SELECT 1 AS one FROM postings WHERE generation=:id AND state IN ('to post', 'posting')", id=generation
        )
        if busy is None:
            connection.execute(
                "DELETE FROM posted_messages WHERE key IN (SELECT key FROM postings WHERE generation=:id)",
                id=generation,
            )
            connection.execute(
                "UPDATE postings SET place=:nowhere, message='' WHERE generation=:id", nowhere=_NOWHERE, id=generation
            )
            connection.execute("DELETE FROM meta WHERE name=:name", name=row["name"])
    rows = connection.rows("SELECT name FROM meta WHERE name LIKE :all ORDER BY name", all=f"{_BLOB}%")
    blobs = {row["name"].removeprefix(_BLOB) for row in rows}
    free = deleting.unneeded(connection, blobs)  # the same picture may have come again
    for blob in blobs - set(free):
        _removed(connection, blob)
    return free


def _empty_room(connection: Connection, user: str, last: int) -> None:
    """Not even that they had a room of their own is left; but what they wrote there since they came back, if they did.

    last: the revision at which they were forgotten.
    """
    back = connection.row(
        "SELECT 1 AS one FROM actors WHERE adapter=:adapter AND user_id=:user", adapter=CHAT, user=user
    )
    connection.execute(
        "DELETE FROM chat_messages WHERE (room=:room OR private_to=:user) AND (born<=:last OR :gone)",
        room=_DIRECT + user,
        user=user,
        last=last,
        gone=back is None,
    )
    connection.execute(
        "UPDATE chat_messages SET author='' WHERE author=:user AND bot=0 AND removed=1 AND born<=:last",
        user=user,
        last=last,
    )


def _removed(connection: Connection, blob: str) -> None:
    connection.execute("DELETE FROM meta WHERE name=:name", name=f"{_BLOB}{blob}")


def _remember(connection: Connection, prefix: str, names: Iterable[str]) -> None:
    connection.execute_many(
        "INSERT INTO meta (name, value) VALUES (:name, '') ON CONFLICT DO NOTHING",
        [{"name": f"{prefix}{each}"} for each in names],
    )


# --- reading


def _open(connection: Connection, persons: Collection[str]) -> list[Row]:
    states = listed((*WAITING, *IN_FLIGHT))
    sql = f"SELECT id, person FROM generations WHERE person=:v AND state IN ({states}) ORDER BY seq"
    return _each(connection, sql, persons)


def _accounts(connection: Connection, persons: Collection[str]) -> list[str]:
    """Their own accounts and their shares, as far as anything was ever held there."""
    return [
        row["account"]
        for person in sorted(persons)
        for row in connection.rows(
            "SELECT account FROM balances WHERE win='total' AND (account=:own OR account LIKE :share)"
            " GROUP BY account ORDER BY account",
            own=f"person:{person}",
            share=f"share:%/{person}",
        )
    ]


def _limited(persons: Collection[str], accounts: Sequence[str]) -> list[str]:
    return sorted({*_prefixed("person", persons), *accounts})


def _prefixed(kind: str, persons: Collection[str]) -> list[str]:
    return [f"{kind}:{each}" for each in sorted(persons)]


def _person(connection: Connection, person: str) -> dict[str, Any]:
    row = connection.row("SELECT * FROM people WHERE id=:id", id=person)
    actors = connection.rows("SELECT adapter, user_id FROM actors WHERE person=:id ORDER BY adapter", id=person)
    if row is None:
        return {"id": person}
    return {
        "id": person,
        "name": row["name"],
        "known since": _time(row["created_at"]),
        "settings": json.loads(row["settings"]),
        "accounts": [{"platform": each["adapter"], "id": each["user_id"]} for each in actors],
        "admin of": [
            {"space": each["space"], "seen": _time(each["seen_at"])}
            for each in connection.rows("SELECT * FROM space_admins WHERE person=:id ORDER BY space", id=person)
        ],
    }


def _generation(connection: Connection, id: str) -> dict[str, Any]:
    found = record.load(connection, id)
    request = found.request
    row = connection.row("SELECT team FROM generations WHERE id=:id", id=id)
    return {
        "id": found.id,
        "asked at": _time(found.created_at),
        "space": found.space,
        "team": row["team"] if row else "",
        "state": str(found.state),
        "prompt": request.prompt,
        "mode": str(request.mode),
        "model": request.model,
        "provider": found.provider,
        "size": request.size,
        "pictures asked for": request.count,
        "pictures charged": found.charged,
        "cost in micro-USD": found.cost,
        "private": found.private,
        "deleted": found.deleted,
        "made from": f"{found.parent}:{found.parent_index}" if found.parent else "",
        "pictures given": [
            {"blob": each.blob, "width": each.width, "height": each.height} for each in request.references
        ],
        "pictures made": [
            {"blob": each.blob, "width": each.width, "height": each.height, "state": each.state}
            for each in found.images
        ],
    }


def _messages(connection: Connection, persons: Collection[str]) -> list[dict[str, Any]]:
    """What they wrote on the page that is kept here."""
    actors = _each(connection, f"SELECT user_id FROM actors WHERE person=:v AND adapter='{CHAT}'", persons)
    sql = "SELECT room, at, words FROM chat_messages WHERE author=:v AND bot=0 AND removed=0 ORDER BY born"
    rows = _each(connection, sql, [row["user_id"] for row in actors])
    return [{"room": row["room"], "at": _time(row["at"]), "words": row["words"]} for row in rows]


def _about(connection: Connection, persons: Collection[str]) -> list[Row]:
    """Rows of the audit by them or about them."""
    own = _each(connection, "SELECT * FROM audit WHERE person=:v", persons)
    about = [row for person in persons for row in _mentioning(connection, person)]
    return sorted({row["seq"]: row for row in (*own, *about)}.values(), key=lambda row: int(row["seq"]))


def _mentioning(connection: Connection, person: str) -> list[Row]:
    return connection.rows(
        "SELECT * FROM audit WHERE what LIKE :any OR before LIKE :any OR after LIKE :any ORDER BY seq",
        any=f"%{person}%",
    )


def _audited(row: Row) -> dict[str, Any]:
    return {
        "at": _time(row["at"]),
        "space": row["space"],
        "by": row["name"],
        "what": row["what"],
        "before": json.loads(row["before"]),
        "after": json.loads(row["after"]),
    }


def _without(stored: str, person: str, key: str) -> str:
    """A value of the audit in which this person has no name and another key."""

    def scrubbed(value: Any) -> Any:
        match value:
            case str():
                return value.replace(person, key)
            case list():
                return [scrubbed(each) for each in value]
            case dict():
                about = any(isinstance(each, str) and person in each for each in value.values())
                return {
                    scrubbed(name): "" if about and name == "name" else scrubbed(each) for name, each in value.items()
                }
        return value

    return json.dumps(scrubbed(json.loads(stored)), ensure_ascii=False)


def _each(connection: Connection, sql: str, values: Iterable[str]) -> list[Row]:
    """The rows of a statement for each value in turn, as `:v`."""
    return [dict(row) for value in sorted(set(values)) for row in connection.rows(sql, v=value)]


def _time(at: int) -> str:
    return moment(at).isoformat()


def _being_drawn(count: int) -> Text:
    return plural(
        "A request of yours is being drawn and cannot be taken back any more. Please ask again when it has ended.",
        "{count} requests of yours are being drawn and cannot be taken back any more."
        " Please ask again when they have ended.",
        count,
    )
