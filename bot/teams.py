"""Teams: who is in them, by hand or by a role, which tiers are held, and what is known of all this from memory.

Functions of a connection belong into transactions; those that change something write their audit row. Whether somebody
may change it is decided by who calls them.
"""

import asyncio
import json
import secrets
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import structlog

from bot import audit
from bot.audit import By
from bot.chat import Actor
from bot.errors import NotAllowed, NotThere, UsageError
from bot.i18n import text
from bot.linking import persons_of
from bot.people import space_of
from bot.quota import tiers
from bot.quota.tiers import Tier
from bot.storage.connection import Connection, Row
from bot.storage.database import Database
from bot.suggest import fold, nearest, same, shortened

log = structlog.get_logger(__name__)

Kept = TypeVar("Kept")

OWNER, MEMBER = "owner", "member"
BY_HAND = "admin"
NOBODY = "none"
"""Instead of a team's name: for oneself alone."""
RESERVED = frozenset({NOBODY, "default", "all", "off", "无", "默认", "全部"})
MOST_LETTERS = 40
KNOW_AGAIN = (0.2, 1.0, 3.0)  # seconds after which what was stored is read again, where it could not be

# Whoever was seen in a room or with a role so long ago may have left it, and ask from a linked account since.
LEFT_ROOM = timedelta(days=30) // timedelta(microseconds=1)
SEEN_AGAIN = timedelta(days=1) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """space: its home. role, person: of whom was asked for, what they are in it, and by which of their accounts."""

    id: str
    space: str
    name: str
    role: str = ""
    person: str = ""

    @property
    def owned(self) -> bool:
        return self.role == OWNER


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One human in a team. person: the account that is the member; persons: all that are, of linked ones.

    sources: `admin` where somebody added them, `role:SPACE/ROLE` for each role that did.
    """

    person: str
    persons: tuple[str, ...]
    name: str
    role: str
    sources: tuple[str, ...]
    since: int

    @property
    def owns(self) -> bool:
        return self.role == OWNER


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleMap:
    """kind: `team` (target is its id) or `tier` (target is its name). name: what the role is called."""

    space: str
    role: str
    name: str
    kind: str
    target: str


# --- teams


def create(connection: Connection, space: str, name: str, by: By, at: int) -> Team:
    """Raises `UsageError` for a name that is taken there, or that cannot be one."""
    name = checked_name(name)
    connection.lock(f"teams of {space}")
    _check_free(connection, space, name)
    team = Team(id=secrets.token_hex(6), space=space, name=name)
    connection.execute(
        "INSERT INTO teams (id, space, name, same_name, created_at) VALUES (:id, :space, :name, :same, :at)",
        id=team.id,
        space=space,
        name=name,
        same=same(name),
        at=at,
    )
    audit.note(connection, space, by, "team", None, _named(team), at)
    return team


def rename(connection: Connection, team: Team, name: str, by: By, at: int) -> Team:
    name = checked_name(name)
    connection.lock(f"teams of {team.space}")
    before = alive(connection, team.id)
    if name == before.name:
        return before
    if same(name) != same(before.name):
        _check_free(connection, team.space, name)
    after = Team(id=team.id, space=team.space, name=name)
    connection.execute(
        "UPDATE teams SET name=:name, same_name=:same WHERE id=:id", name=name, same=same(name), id=team.id
    )
    audit.note(connection, team.space, by, "team", _named(before), _named(after), at)
    return after


def close(connection: Connection, team: Team, by: By, at: int) -> None:
    """Its members and roles go; what it used stays in the books, and its name is free."""
    before = alive(connection, team.id)
    left = [_told(connection, before, each.person, each.role) for each in members(connection, before)]
    connection.execute("UPDATE teams SET closed_at=:at WHERE id=:id", at=at, id=team.id)
    connection.execute("DELETE FROM team_members WHERE team=:id", id=team.id)
    connection.execute("DELETE FROM role_maps WHERE kind='team' AND target=:id", id=team.id)
    connection.execute("DELETE FROM tier_holders WHERE holder=:holder", holder=f"team:{team.id}")
    audit.note(connection, team.space, by, "team", {**_named(before), "members": left}, None, at)


def by_name(connection: Connection, space: str, name: str) -> Team:
    """The team of this space by its name or id; space "" stands for all of them. `NotThere` names the nearest."""
    rows = connection.rows(
        "SELECT id, space, name, same_name FROM teams WHERE closed_at=0 AND (:everywhere OR space=:space)"
        " ORDER BY created_at, id",
        everywhere=not space,
        space=space,
    )
    known = [_team(row) for row in rows]
    found = [each for each in known if name in (each.id, each.name)] or [
        each for each in known if same(each.name) == same(name)
    ]
    if len(found) > 1:
        ids = tuple(f"{each.id} ({each.space})" for each in found)
        raise UsageError(text("Several teams are called {name}; say which by its id: {ids}.", name=name, ids=ids))
    if not found:
        raise unknown(name, [each.name for each in known])
    return found[0]


def unknown(name: str, known: Sequence[str]) -> NotThere:
    said = {"name": shortened(name), "near": nearest(name, known)}
    if said["near"]:
        return NotThere(text("There is no team “{name}” here. Do you mean {near}?", **said))
    return NotThere(text("There is no team “{name}” here.", **said))


def team_of(teams: Sequence[Team], name: str) -> Team | None:
    """Whom of these a name means: one's own name or id, None for `none`. Raises `UsageError`, which names them."""
    if same(name) == NOBODY:
        return None
    for each in teams:
        if name == each.id or same(name) == same(each.name):
            return each
    names = tuple(each.name for each in teams)
    if not names:
        raise UsageError(text("You are in no team. Without one you draw for yourself."))
    said = {"name": shortened(name), "teams": names, "near": nearest(name, names)}
    if said["near"]:
        raise UsageError(text("You are in {teams}, not in “{name}”. Do you mean {near}?", **said))
    raise UsageError(text("You are in {teams}, not in “{name}”.", **said))


def paying(teams: Sequence[Team], name: str, usual: str) -> Team | None:
    """For whom it is asked: the team that was named, else that of somebody's settings, else their only one.

    usual: its id, or `none`. Raises `UsageError` for a team that is not one of these.
    """
    if name:
        return team_of(teams, name)
    if usual == NOBODY:
        return None
    found = next((each for each in teams if each.id == usual), None)
    return found or (teams[0] if len(teams) == 1 else None)


def alive(connection: Connection, team: str) -> Team:
    """The team, by its id, and nobody else changes it meanwhile. Raises `NotThere` once it is closed."""
    row = connection.lock_row("SELECT id, space, name FROM teams WHERE id=:id AND closed_at=0", id=team)
    if row is None:
        raise NotThere(text("This team was closed."))
    return _team(row)


def teams_in(connection: Connection, space: str) -> list[Team]:
    """The teams whose home this is, by name; of everywhere for ""."""
    rows = connection.rows(
        "SELECT id, space, name FROM teams WHERE closed_at=0 AND (:everywhere OR space=:space) ORDER BY same_name, id",
        everywhere=not space,
        space=space,
    )
    return [_team(row) for row in rows]


def checked_name(name: str) -> str:
    words = " ".join(fold(name).split())
    if not words:
        raise UsageError(text("Give the team a name."))
    if len(words) > MOST_LETTERS:
        raise UsageError(text("A team's name has at most {most} characters.", most=MOST_LETTERS))
    if same(words) in RESERVED or words[0] in "@#/-<" or not words.isprintable() or _mixes(words):
        raise UsageError(text("A team cannot be called “{name}”; please choose another name.", name=shortened(words)))
    return words


def _mixes(words: str) -> bool:
    """One word has letters of alphabets that look alike: it is to be taken for another one's name."""
    kinds = ({unicodedata.name(letter, "").partition(" ")[0] for letter in word} for word in words.split())
    return any(len(each & {"LATIN", "CYRILLIC", "GREEK"}) > 1 for each in kinds)


# --- members


def add(connection: Connection, team: Team, person: str, by: By, at: int, *, role: str = MEMBER) -> bool:
    """Have somebody in it by hand; False where they were, in that role. Nobody is made less than they are."""
    team = alive(connection, team.id)
    before = _by_hand(connection, team, person)
    if before and role in (MEMBER, before["role"]):
        return False
    _put(connection, team, before["person"] if before else person, role, at)
    old = _told(connection, team, person, before["role"]) if before else None
    audit.note(connection, team.space, by, "team member", old, _told(connection, team, person, role), at)
    return True


def set_role(
    connection: Connection, team: Team, person: str, role: str, by: By, at: int, *, admin: bool = False
) -> bool:
    """Make a member an owner, or an owner a member; False where it is so.

    admin: may also take the last owner's part from them. Raises `NotAllowed`, and `NotThere` for who is not in it.
    """
    team = alive(connection, team.id)
    found = _of(connection, team, person)
    if found is None:
        raise _not_in(connection, team, person)
    if found.role == role:
        return False
    if role != OWNER:
        _check_last_owner(connection, team, found, admin=admin)
    by_hand = _by_hand(connection, team, person)
    _put(connection, team, by_hand["person"] if by_hand else found.person, role, at)
    before = _told(connection, team, person, found.role)
    audit.note(connection, team.space, by, "team member", before, _told(connection, team, person, role), at)
    return True


def remove(connection: Connection, team: Team, person: str, by: By, at: int, *, admin: bool = False) -> None:
    """Take somebody out. Raises `NotThere` for who is not in it, `UsageError` for whom a role would bring back.

    admin: may also remove the last owner.
    """
    team = alive(connection, team.id)
    found = _of(connection, team, person)
    if found is None:
        raise _not_in(connection, team, person)
    if any(source != BY_HAND for source in found.sources):
        raise UsageError(
            text(
                "{name} is in {team} by a role: take that role away, or /admin role … off ends what it does.",
                name=found.name,
                team=team.name,
            )
        )
    _check_last_owner(connection, team, found, admin=admin)
    for each in found.persons:
        connection.execute(
            "DELETE FROM team_members WHERE team=:team AND person=:person AND source=:source",
            team=team.id,
            person=each,
            source=BY_HAND,
        )
    before = _told(connection, team, person, found.role)
    audit.note(connection, team.space, by, "team member", before, None, at)


def teams_of(connection: Connection, persons: Iterable[str]) -> list[Team]:
    """The teams in which any of these accounts is, by name, with what it is there."""
    ids = sorted(set(persons))
    rows = connection.rows(
        "SELECT t.id, t.space, t.name, m.person, m.role FROM team_members m JOIN teams t ON t.id=m.team"
        f" WHERE m.person IN ({_marks(ids)}) AND t.closed_at=0 ORDER BY t.same_name, t.id, m.person",
        **_values(ids),
    )
    return _merged(rows)


def members(connection: Connection, team: Team) -> list[Member]:
    """Owners first, then by name; linked accounts are one member."""
    rows = connection.rows(
        "SELECT m.person, m.role, m.source, m.added_at, p.name, p.linked FROM team_members m"
        " LEFT JOIN people p ON p.id=m.person WHERE m.team=:team ORDER BY m.person, m.source",
        team=team.id,
    )
    humans: dict[str, list[Row]] = {}
    for row in rows:
        humans.setdefault(row["linked"] or row["person"], []).append(row)
    found = [_member(each) for each in humans.values()]
    return sorted(found, key=lambda each: (not each.owns, same(each.name), each.person))


def owners(connection: Connection, team: str) -> tuple[str, ...]:
    """What its owners are called."""
    rows = connection.rows(
        "SELECT DISTINCT p.name FROM team_members m JOIN people p ON p.id=m.person"
        " WHERE m.team=:team AND m.role='owner' ORDER BY p.name",
        team=team,
    )
    return tuple(row["name"] for row in rows)


def refresh(connection: Connection, person: str, space: str, roles: Iterable[str], at: int) -> bool:
    """Have somebody in the teams that their roles in this space give, and in no other by a role of it.

    roles: all that they have there, and `room:ID` of the room where they ask. A room is not left by asking in another
    one: whoever has not asked in it for 30 days is no longer in it. A role is gone once they ask without it. Returns
    whether anything changed; that they were seen is noted once a day.
    """
    maps = connection.rows("SELECT role, target FROM role_maps WHERE space=:space AND kind='team'", space=space)
    has = set(roles)
    due = {(row["target"], row["role"]) for row in maps if row["role"] in has}
    mapped = {(row["target"], row["role"]) for row in maps}
    start = _source(space, "")
    rows = connection.rows("SELECT team, source, added_at FROM team_members WHERE person=:person", person=person)
    now = {
        (row["team"], row["source"].removeprefix(start)): row["added_at"]
        for row in rows
        if row["source"].startswith(start)
    }
    gone = {each for each in now if each not in due and not (each in mapped and _may_be_in(each[1], now[each], at))}
    for team, role in sorted(gone):
        connection.execute(
            "DELETE FROM team_members WHERE team=:team AND person=:person AND source=:source",
            team=team,
            person=person,
            source=start + role,
        )
    fresh = {each for each in due if each not in now or now[each] < at - SEEN_AGAIN}
    for team, role in sorted(fresh):
        connection.execute(
            "INSERT INTO team_members (team, person, role, source, added_at)"
            " SELECT id, :person, 'member', :source, :at FROM teams WHERE id=:team AND closed_at=0"
            " ON CONFLICT (team, person, source) DO UPDATE SET added_at=:at",
            team=team,
            person=person,
            source=start + role,
            at=at,
        )
    return bool(gone or fresh)


def expire(connection: Connection, at: int) -> int:
    """Take those out of teams whom a role or a room brought there, and whom nobody has seen with it for 30 days."""
    return connection.execute(
        "DELETE FROM team_members WHERE source LIKE 'role:%' AND added_at<:left", left=at - LEFT_ROOM
    )


# --- roles and tiers


def map_role(
    connection: Connection, space: str, role: str, kind: str, target: str, by: By, at: int, *, name: str = ""
) -> bool:
    """What a role of a space gives: being in a team (target: its id), or a tier (its name). False where it did."""
    if kind == "team":
        alive(connection, target)
    added = connection.execute(
        "INSERT INTO role_maps (space, role, name, kind, target) VALUES (:space, :role, :name, :kind, :target)"
        " ON CONFLICT DO NOTHING",
        space=space,
        role=role,
        name=name or role,
        kind=kind,
        target=target,
    )
    if added:
        given = _mapped(connection, RoleMap(space=space, role=role, name=name or role, kind=kind, target=target))
        audit.note(connection, space, by, "role", None, given, at)
    return bool(added)


def unmap_role(
    connection: Connection, space: str, role: str, by: By, at: int, *, kind: str = "", target: str = ""
) -> int:
    """The role gives nothing more, or not this; who was in a team by it is so no longer. Returns how much it gave."""
    gone = [
        each
        for each in role_maps(connection, space)
        if each.role == role and kind in ("", each.kind) and target in ("", each.target)
    ]
    for each in gone:
        connection.execute(
            "DELETE FROM role_maps WHERE space=:space AND role=:role AND kind=:kind AND target=:target",
            space=space,
            role=role,
            kind=each.kind,
            target=each.target,
        )
        if each.kind == "team":
            connection.execute(
                "DELETE FROM team_members WHERE team=:team AND source=:source",
                team=each.target,
                source=_source(space, role),
            )
        audit.note(connection, space, by, "role", _mapped(connection, each), None, at)
    return len(gone)


def role_maps(connection: Connection, space: str) -> list[RoleMap]:
    rows = connection.rows("SELECT * FROM role_maps WHERE space=:space ORDER BY name, role, kind, target", space=space)
    return [_role_map(row) for row in rows]


def put_tier(connection: Connection, space: str, tier: Tier, by: By, at: int) -> bool:
    """Define a tier of this space ("": the operator's), or define it anew; False where it was so."""
    connection.lock(f"tiers of {space}")
    before = tier_named(connection, space, tier.name)
    if before == tier:
        return False
    connection.execute(
        "INSERT INTO tiers (space, name, rules) VALUES (:space, :name, :rules)"
        " ON CONFLICT (space, name) DO UPDATE SET rules=:rules",
        space=space,
        name=tier.name,
        rules=json.dumps(tiers.to_json(tier), ensure_ascii=False),
    )
    old = tiers.to_json(before) if before else None
    audit.note(connection, space, by, f"tier {tier.name}", old, tiers.to_json(tier), at)
    return True


def drop_tier(connection: Connection, space: str, name: str, by: By, at: int) -> None:
    """It exists no more, and whoever held it does not. Raises `NotThere`."""
    connection.lock(f"tiers of {space}")
    before = tier_named(connection, space, name)
    if before is None:
        raise unknown_tier(name, [each.name for each in tiers_in(connection, space)])
    connection.execute("DELETE FROM tiers WHERE space=:space AND name=:name", space=space, name=before.name)
    connection.execute("DELETE FROM tier_holders WHERE space=:space AND tier=:name", space=space, name=before.name)
    connection.execute(
        "DELETE FROM role_maps WHERE space=:space AND kind='tier' AND target=:name", space=space, name=before.name
    )
    audit.note(connection, space, by, f"tier {before.name}", tiers.to_json(before), None, at)


def hold_tier(connection: Connection, space: str, holder: str, tier: str, by: By, at: int) -> bool:
    """Give a tier of this space to `person:ID`, `team:ID`, `space:ID` or `role:ROLE`; "" takes it back.

    Everybody holds one of a space at most. False where it was so.
    """
    connection.lock(f"tiers of {space}")
    row = connection.row(
        "SELECT tier FROM tier_holders WHERE space=:space AND holder=:holder", space=space, holder=holder
    )
    before = row["tier"] if row else ""
    if before == tier:
        return False
    if tier:
        connection.execute(
            "INSERT INTO tier_holders (space, holder, tier) VALUES (:space, :holder, :tier)"
            " ON CONFLICT (space, holder) DO UPDATE SET tier=:tier",
            space=space,
            holder=holder,
            tier=tier,
        )
    else:
        connection.execute("DELETE FROM tier_holders WHERE space=:space AND holder=:holder", space=space, holder=holder)
    audit.note(connection, space, by, f"tier of {holder}", before, tier, at)
    return True


def tier_named(connection: Connection, space: str, name: str) -> Tier | None:
    return next((each for each in tiers_in(connection, space) if same(each.name) == same(name)), None)


def tiers_in(connection: Connection, space: str) -> list[Tier]:
    """The tiers that are kept for this space ("": the operator's, but for those of the settings), by name."""
    rows = connection.rows("SELECT name, rules FROM tiers WHERE space=:space ORDER BY name", space=space)
    return [tiers.from_json(row["name"], json.loads(row["rules"]), space) for row in rows]


def unknown_tier(name: str, known: Sequence[str]) -> NotThere:
    said = {"name": shortened(name), "near": nearest(name, known)}
    if said["near"]:
        return NotThere(text("There is no tier “{name}” here. Do you mean {near}?", **said))
    return NotThere(text("There is no tier “{name}” here.", **said))


# --- from memory


@dataclass(frozen=True, slots=True)
class _Known:
    """What menus need of the tables: everybody who is in a team, holds a tier or is linked, and what roles give."""

    person: Mapping[tuple[str, str], str]
    actors: Mapping[str, Sequence[tuple[str, str]]]
    persons: Mapping[str, tuple[str, ...]]
    members: Mapping[str, Sequence[Row]]
    teams: Mapping[str, Team]
    maps: Mapping[str, Sequence[RoleMap]]
    tiers: Mapping[tuple[str, str], Tier]
    holders: Mapping[tuple[str, str], str]


_NOTHING = _Known({}, {}, {}, {}, {}, {}, {}, {})


@dataclass
class Memberships:
    """For menus, and to foresee what will be refused: what decides is read where something is held.

    operator: the tiers of the settings. told: called when something has changed.
    """

    database: Database
    operator: Mapping[str, Tier] = field(default_factory=dict)
    told: Callable[[str], object] = lambda what: None
    _known: _Known = _NOTHING
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)  # what was stored last is what is known
    _wanted: int = 0
    _loaded: int = 0

    async def load(self) -> None:
        """Know what is stored now. Those who want this at the same time read it together."""
        self._wanted += 1
        mine = self._wanted
        async with self._changing:
            if self._loaded >= mine:  # whoever read it began to after this was asked for
                return
            wanted = self._wanted
            self._known = await self.database.read(_all)
            self._loaded = wanted

    async def expire(self, at: int) -> None:
        """Take those out of teams who have left what brought them there; and know what could not be read so far."""
        if await self.database.transaction(expire, at):
            await self.changed()
        elif self._loaded < self._wanted:
            await self.load()

    async def change(self, function: Callable[..., Kept], *arguments: Any, **named: Any) -> Kept:
        """Run a transaction that changes teams, roles, tiers or links, and know it from then on."""
        kept = await self.database.transaction(function, *arguments, **named)
        await self.changed()
        return kept

    async def changed(self) -> None:
        """Know what was just stored. It is done by then, so whoever did it is told no failure of the reading."""
        self.told("")
        for pause in (*KNOW_AGAIN, None):
            try:
                await self.load()
                return
            except self.database.passing as error:
                log.warning("what has changed about teams is known late", problem=type(error).__name__)
            if pause is not None:
                await asyncio.sleep(pause)

    def teams_of(self, actor: Actor) -> tuple[Team, ...]:
        known = self._known
        rows = [row for person in self._persons(actor) for row in known.members.get(person, ())]
        homes = ((known.teams.get(row["team"]), row) for row in rows)
        found = [{"id": team.id, "space": team.space, "name": team.name, **row} for team, row in homes if team]
        return tuple(_merged(sorted(found, key=lambda each: (same(each["name"]), each["id"], each["person"]))))

    def teams_in(self, space: str) -> tuple[Team, ...]:
        """Those whose home this is, by name."""
        here = [team for team in self._known.teams.values() if team.space == space]
        return tuple(sorted(here, key=lambda team: (same(team.name), team.id)))

    def tiers_of(self, actor: Actor, room: str = "", team: str = "") -> tuple[Tier, ...]:
        """The operator's and that of the space, as far as they hold one of each. team: for whom they ask, by its id."""
        space = space_of(actor)
        found = (tiers.best(self._held(each, actor, room, team)) for each in ("", space))
        return tuple(each for each in found if each)

    def tier_of(self, actor: Actor, room: str = "", team: str = "") -> Tier | None:
        """The one to be called theirs: the operator's before the space's."""
        return next(iter(self.tiers_of(actor, room, team)), None)

    def every_tier(self, space: str) -> tuple[Tier, ...]:
        """All that could be held there."""
        here = {**{("", name): tier for name, tier in self.operator.items()}, **self._known.tiers}
        return tuple(tier for (home, _), tier in here.items() if home in ("", space))

    def is_fresh(self, actor: Actor, room: str, at: int = 0) -> bool:
        """Whether `refresh` would change nothing, as far as is known. at: 0 where it is all one when they were seen."""
        space, person = space_of(actor), self._known.person.get((actor.adapter, actor.user), "")
        start = _source(space, "")
        maps = [each for each in self._known.maps.get(space, ()) if each.kind == "team"]
        has = roles_in(actor, room)
        due = {(each.target, start + each.role) for each in maps if each.role in has}
        rows = [row for row in self._known.members.get(person, ()) if row["source"].startswith(start)]
        now = {(row["team"], row["source"]) for row in rows}
        rooms = any(_is_room(source.removeprefix(start)) for _, source in now)  # these fall due by the clock
        seen = all(row["added_at"] >= at - SEEN_AGAIN for row in rows)
        return due == now and seen and not rooms

    def accounts_of(self, actor: Actor) -> frozenset[tuple[str, str]]:
        """Theirs on every platform, as (adapter, user), this one among them."""
        linked = (each for person in self._persons(actor) for each in self._known.actors.get(person, ()))
        return frozenset({(actor.adapter, actor.user), *linked})

    def _persons(self, actor: Actor) -> tuple[str, ...]:
        person = self._known.person.get((actor.adapter, actor.user))
        return self._known.persons.get(person, (person,)) if person else ()

    def _held(self, home: str, actor: Actor, room: str, team: str) -> list[Tier]:
        space, roles = space_of(actor), roles_in(actor, room)
        names = {
            *(f"person:{each}" for each in self._persons(actor)),
            *(f"role:{each}" for each in roles),
            *(f"role:{space}/{each}" for each in roles),
            f"space:{space}",
            f"team:{team}",
        }
        held = {self._known.holders.get((home, name), "") for name in names}
        if home:
            maps = self._known.maps.get(space, ())
            held |= {each.target for each in maps if each.kind == "tier" and each.role in roles}
        found = (self._known.tiers.get((home, name)) or (None if home else self.operator.get(name)) for name in held)
        return [each for each in found if each]


def roles_in(actor: Actor, room: str) -> tuple[str, ...]:
    """The roles of somebody who asks in this room, by which teams and tiers are given."""
    return (*actor.roles, f"{_ROOM}{room}") if room else actor.roles


_ROOM = "room:"


def _all(connection: Connection) -> _Known:
    told = "SELECT person FROM team_members UNION SELECT id FROM people WHERE linked <> ''"
    holders = connection.rows("SELECT space, holder, tier FROM tier_holders")
    actors = connection.rows(
        f"SELECT adapter, user_id, person FROM actors WHERE person IN ({told}"
        " UNION SELECT substr(holder, 8) FROM tier_holders WHERE holder LIKE 'person:%')"
    )
    groups: dict[str, list[str]] = {}
    for row in connection.rows("SELECT id, linked FROM people WHERE linked <> '' ORDER BY id"):
        groups.setdefault(row["linked"], []).append(row["id"])
    found: dict[str, list[Row]] = {}
    for row in connection.rows("SELECT team, person, role, source, added_at FROM team_members"):
        found.setdefault(row["person"], []).append(row)
    accounts: dict[str, list[tuple[str, str]]] = {}
    for row in actors:
        accounts.setdefault(row["person"], []).append((row["adapter"], row["user_id"]))
    maps: dict[str, list[RoleMap]] = {}
    for row in connection.rows("SELECT * FROM role_maps"):
        maps.setdefault(row["space"], []).append(_role_map(row))
    kept = connection.rows("SELECT space, name, rules FROM tiers")
    return _Known(
        person={(row["adapter"], row["user_id"]): row["person"] for row in actors},
        actors=accounts,
        persons={person: tuple(group) for group in groups.values() for person in group},
        members=found,
        teams={team.id: team for team in teams_in(connection, "")},
        maps=maps,
        tiers={
            (row["space"], row["name"]): tiers.from_json(row["name"], json.loads(row["rules"]), row["space"])
            for row in kept
        },
        holders={(row["space"], row["holder"]): row["tier"] for row in holders},
    )


# --- rows


def _team(row: Row) -> Team:
    return Team(id=row["id"], space=row["space"], name=row["name"])


def _role_map(row: Row) -> RoleMap:
    return RoleMap(**{name: row[name] for name in ("space", "role", "name", "kind", "target")})


def _merged(rows: Iterable[Row]) -> list[Team]:
    """One of each team, as an owner if any account owns it; the account is the smallest id."""
    found: dict[str, Team] = {}
    for row in rows:
        before = found.get(row["id"])
        role = OWNER if OWNER in (row["role"], before.role if before else "") else MEMBER
        person = min(row["person"], before.person) if before else row["person"]
        found[row["id"]] = Team(id=row["id"], space=row["space"], name=row["name"], role=role, person=person)
    return list(found.values())


def _member(rows: Sequence[Row]) -> Member:
    return Member(
        person=min(row["person"] for row in rows),
        persons=tuple(sorted({row["person"] for row in rows})),
        name=rows[0]["name"] or "",
        role=OWNER if any(row["role"] == OWNER for row in rows) else MEMBER,
        sources=tuple(sorted({row["source"] for row in rows})),
        since=min(row["added_at"] for row in rows),
    )


def _of(connection: Connection, team: Team, person: str) -> Member | None:
    """Somebody as a member, by whichever of their accounts."""
    mine = set(persons_of(connection, person))
    return next((each for each in members(connection, team) if mine & set(each.persons)), None)


def _by_hand(connection: Connection, team: Team, person: str) -> Row | None:
    ids = persons_of(connection, person)
    rows = connection.rows(
        "SELECT person, role FROM team_members WHERE team=:team AND source=:source"
        f" AND person IN ({_marks(ids)}) ORDER BY CASE role WHEN 'owner' THEN 0 ELSE 1 END, person",
        team=team.id,
        source=BY_HAND,
        **_values(ids),
    )
    return rows[0] if rows else None


def _put(connection: Connection, team: Team, person: str, role: str, at: int) -> None:
    connection.execute(
        "INSERT INTO team_members (team, person, role, source, added_at) VALUES (:team, :person, :role, :source, :at)"
        " ON CONFLICT (team, person, source) DO UPDATE SET role=:role",
        team=team.id,
        person=person,
        role=role,
        source=BY_HAND,
        at=at,
    )


def _check_free(connection: Connection, space: str, name: str) -> None:
    row = connection.row(
        "SELECT name FROM teams WHERE space=:space AND same_name=:same AND closed_at=0", space=space, same=same(name)
    )
    if row:
        raise UsageError(text("There is a team “{name}” here already.", name=row["name"]))


def _check_last_owner(connection: Connection, team: Team, member: Member, *, admin: bool) -> None:
    if admin or not member.owns:
        return
    if sum(each.owns for each in members(connection, team)) == 1:
        raise NotAllowed(
            text(
                "{name} is the only owner of {team}: make somebody else one first, or ask an admin.",
                name=member.name,
                team=team.name,
            )
        )


def _not_in(connection: Connection, team: Team, person: str) -> NotThere:
    return NotThere(text("{name} is not in {team}.", name=_name(connection, person), team=team.name))


def _name(connection: Connection, person: str) -> str:
    row = connection.row("SELECT name FROM people WHERE id=:id", id=person)
    return str(row["name"]) if row else ""


def _named(team: Team) -> dict[str, Any]:
    return {"team": team.id, "name": team.name}


def _told(connection: Connection, team: Team, person: str, role: str) -> dict[str, Any]:
    """A member as the audit keeps it."""
    return {"team": team.name, "person": person, "name": _name(connection, person), "role": role}


def _mapped(connection: Connection, given: RoleMap) -> dict[str, Any]:
    row = connection.row("SELECT name FROM teams WHERE id=:id", id=given.target) if given.kind == "team" else None
    return {"role": given.role, "name": given.name, given.kind: row["name"] if row else given.target}


def _source(space: str, role: str) -> str:
    return f"role:{space}/{role}"


def _is_room(role: str) -> bool:
    return role.startswith(_ROOM)


def _may_be_in(role: str, seen: int, at: int) -> bool:
    """Whether somebody whom nobody sees there just now still has that role."""
    return _is_room(role) and seen > at - LEFT_ROOM


def _marks(values: Sequence[str]) -> str:
    """Named parameters for the values of an IN; NULL, which nothing equals, for none."""
    return ", ".join(f":v{place}" for place in range(len(values))) or "NULL"


def _values(values: Sequence[str]) -> dict[str, str]:
    return {f"v{place}": value for place, value in enumerate(values)}
