"""The ways into the dashboard: a link that works once, and the session that it opens.

Only digests are stored, so whoever reads the database, or a copy of it, gets in nowhere. Neither a link nor a session
ever becomes more than it was made for: what its person may see is asked again at each request.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import structlog

from bot import audit
from bot.audit import OPERATOR, By
from bot.chat import Actor
from bot.clock import micros, moment
from bot.errors import NotAllowed
from bot.i18n import text
from bot.ops.board.rights import Rights
from bot.people import find, persons_of
from bot.quota.standing import listed
from bot.rights import Who, owned_teams, who_is
from bot.spaces import rules_of
from bot.storage.connection import Connection, Row
from bot.storage.database import Database

log = structlog.get_logger(__name__)

SECOND = 1_000_000
LINK_GOOD = 10 * 60 * SECOND
SESSION_GOOD = 12 * 3600 * SECOND
KEPT = 24 * 3600 * SECOND  # after its end, so that who comes with it later is told apart from a forger
BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Whom a key was made for. space: where they asked for it, "" for nowhere. rights: what they had then."""

    person: str
    name: str
    space: str
    rights: Rights


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """form: what each form of this session sends back. until: when it ends, whatever is done meanwhile."""

    holder: Holder
    rights: Rights
    form: str
    until: datetime


Operates = Callable[[str, str], bool]
"""Whether an account of a platform (its name, the user's id) is an operator's at this moment."""


def holder_of(connection: Connection, who: Who) -> Holder:
    """Whom a key is made for, with what they may see: the operator everything, an admin their space, an owner their
    teams, anybody else what is theirs.
    """
    space = "" if who.operator else who.space
    return Holder(person=who.by.id, name=who.by.name, space=space, rights=_rights(connection, who))


def rights_now(connection: Connection, holder: Holder, operates: Operates) -> Rights | None:
    """What is left of the holder's rights, None for nothing: never more places than the key was made for."""
    had = holder.rights
    if holder.person == OPERATOR.id:  # whoever has the command line has the machine
        return had
    if connection.row("SELECT 1 FROM people WHERE id=:id", id=holder.person) is None:
        return None
    persons = persons_of(connection, holder.person)
    match had.kind:
        case "operator":
            accounts = connection.rows("SELECT adapter, user_id FROM actors WHERE person=:id", id=holder.person)
            return had if any(operates(each["adapter"], each["user_id"]) for each in accounts) else None
        case "space":
            free = tuple(each for each in had.spaces if not _is_blocked(connection, each, persons))
            return replace(had, spaces=free, teams=_teams(connection, persons), persons=persons) if free else None
        case "team":
            teams = _teams(connection, persons)
            return replace(had, teams=teams, persons=persons) if teams else None
        case _:
            return replace(had, persons=persons)


def _teams(connection: Connection, persons: tuple[str, ...]) -> tuple[str, ...]:
    """Those that they own, without the ones in whose space they are blocked."""
    homes = {
        team: connection.row("SELECT space FROM teams WHERE id=:team", team=team)
        for team in owned_teams(connection, persons)
    }
    return tuple(team for team, home in homes.items() if home and not _is_blocked(connection, home["space"], persons))


def _is_blocked(connection: Connection, space: str, persons: tuple[str, ...]) -> bool:
    """Whether one of their accounts on the space's platform is blocked there: rules name people as platforms do."""
    blocked = rules_of(connection, space).blocked
    if not blocked:
        return False
    sql, values = listed("SELECT user_id FROM actors WHERE adapter=:adapter AND person IN ({})", persons)
    rows = connection.rows(sql, adapter=space.partition("/")[0], **values)
    return any(row["user_id"] in blocked for row in rows)


def no_admin(connection: Connection, person: str, space: str, at: int) -> None:
    """A platform says that this person is no admin there: end what they opened as one."""
    connection.execute(
        "UPDATE dashboard_keys SET used_at=:at WHERE person=:person AND space=:space AND used_at=0"
        ' AND rights LIKE \'%"kind": "space"%\'',
        person=person,
        space=space,
        at=at,
    )


def new_link(connection: Connection, holder: Holder, at: int) -> str:
    """The key of a link that opens one session within ten minutes. Links to the dashboard carry it behind a `#`."""
    connection.execute("DELETE FROM dashboard_keys WHERE expires_at < :old", old=at - KEPT)
    return _new(connection, "link", holder, at, LINK_GOOD)


def enter(connection: Connection, link: str, at: int) -> str | None:
    """The token of a session for a link that nobody used yet; None for any other."""
    digest = _digest(link)
    taken = connection.execute(
        "UPDATE dashboard_keys SET used_at=:at"
        " WHERE digest=:digest AND kind='link' AND used_at=0 AND created_at <= :at AND expires_at > :at",
        digest=digest,
        at=at,
    )
    row = connection.row("SELECT * FROM dashboard_keys WHERE digest=:digest AND kind='link'", digest=digest)
    if row is None:  # forged: it leaves no row, or anybody could fill the table
        return None
    holder = _holder(row)
    if taken:
        return open_session(connection, holder, at)
    # Noted once, and from then on as good as forged: nobody fills the log with an old link.
    if connection.execute("DELETE FROM dashboard_keys WHERE digest=:digest AND kind='link'", digest=digest):
        _note(connection, holder, "dashboard refused", "used link" if row["used_at"] else "expired link", at)
    return None


def open_session(connection: Connection, holder: Holder, at: int) -> str:
    """The token of a new session, which ends twelve hours later."""
    connection.execute("DELETE FROM dashboard_keys WHERE expires_at < :old", old=at - KEPT)
    _note(connection, holder, "dashboard opened", holder.rights.kind, at)
    return _new(connection, "session", holder, at, SESSION_GOOD)


def session(connection: Connection, token: str, at: int, operates: Operates) -> Session | None:
    """A session that is good, with the rights of this moment; None for one that is over or never was.

    Raises `NotAllowed` where nothing is left of the rights. It only reads: `revoke` then ends it.
    """
    row = connection.row(
        "SELECT * FROM dashboard_keys WHERE digest=:digest AND kind='session' AND used_at=0 AND expires_at > :at",
        digest=_digest(token),
        at=at,
    )
    if row is None:
        return None
    holder = _holder(row)
    rights = rights_now(connection, holder, operates)
    if rights is None:
        raise NotAllowed(text("You may not look at the dashboard any more."))
    return Session(holder=holder, rights=rights, form=_form(token), until=moment(row["expires_at"]))


def revoke(connection: Connection, token: str, at: int) -> None:
    """End a session whose person may not look any more; noted once, however often they try."""
    if row := _end(connection, token, at):
        _note(connection, _holder(row), "dashboard refused", "no rights any more", at)


def leave(connection: Connection, token: str, at: int) -> None:
    if row := _end(connection, token, at):
        _note(connection, _holder(row), "dashboard left", None, at)


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The same for those who have no connection at hand.

    operates: asked at each request. An admin of the local page is an operator: it is behind loopback, or a token.
    """

    database: Database
    operates: Operates
    clock: Callable[[], datetime]

    async def enter(self, link: str) -> str | None:
        token = await self.database.transaction(enter, link, self._at())
        if token is None:
            log.warning("a link to the dashboard was refused")
        return token

    async def open_for(self, actor: Actor) -> str:
        return await self.database.transaction(self._open_for, actor)

    async def session(self, token: str) -> Session | None:
        try:
            return await self.database.read(session, token, self._at(), self.operates)
        except NotAllowed:
            await self.database.transaction(revoke, token, self._at())
            raise

    async def leave(self, token: str) -> None:
        await self.database.transaction(leave, token, self._at())

    def _open_for(self, connection: Connection, actor: Actor) -> str:
        person = find(connection, actor, self._at())
        who = replace(who_is(person), operator=self.operates(actor.adapter, actor.user))
        return open_session(connection, holder_of(connection, who), self._at())

    def _at(self) -> int:
        return micros(self.clock())


def _new(connection: Connection, kind: str, holder: Holder, at: int, good: int) -> str:
    token = secrets.token_urlsafe(BYTES)
    connection.execute(
        "INSERT INTO dashboard_keys (digest, kind, person, name, space, rights, created_at, expires_at)"
        " VALUES (:digest, :kind, :person, :name, :space, :rights, :at, :until)",
        digest=_digest(token),
        kind=kind,
        person=holder.person,
        name=holder.name,
        space=holder.space,
        rights=json.dumps(asdict(holder.rights), ensure_ascii=False),
        at=at,
        until=at + good,
    )
    return token


def _end(connection: Connection, token: str, at: int) -> Row | None:
    digest = _digest(token)
    ended = connection.execute(
        "UPDATE dashboard_keys SET used_at=:at WHERE digest=:digest AND kind='session' AND used_at=0",
        digest=digest,
        at=at,
    )
    return connection.row("SELECT * FROM dashboard_keys WHERE digest=:digest", digest=digest) if ended else None


def _note(connection: Connection, holder: Holder, what: str, after: Any, at: int) -> None:
    audit.note(connection, holder.space, By(holder.person, holder.name), what, None, after, at)


def _holder(row: Row) -> Holder:
    stored: dict[str, Any] = json.loads(row["rights"])
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}
    return Holder(person=row["person"], name=row["name"], space=row["space"], rights=Rights(**given))


def _digest(token: str) -> str:
    """Of random bytes: nothing slower is needed to keep anybody from finding them."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _form(token: str) -> str:
    return hmac.digest(token.encode(), b"dashboard form", hashlib.sha256).hex()


def _rights(connection: Connection, who: Who) -> Rights:
    if who.operator:
        return Rights(kind="operator", persons=who.persons, name=who.by.name)
    teams = owned_teams(connection, who.persons)
    if who.admin:
        return Rights(kind="space", spaces=(who.space,), teams=teams, persons=who.persons, name=who.by.name)
    return Rights(kind="team" if teams else "person", teams=teams, persons=who.persons, name=who.by.name)
