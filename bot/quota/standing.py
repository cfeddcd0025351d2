"""Where somebody stands: the accounts that their request draws on, what of each may be used, and by which tiers.

All of it is read in the caller's transaction, in as few questions as that takes: each is a way to the server and back.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot import returning
from bot.chat import ALONE
from bot.errors import NotAllowed
from bot.i18n import Text, text, verbatim
from bot.quota import grants, limits, own_zones, tiers, windows
from bot.quota.grants import Grant
from bot.quota.limits import UNITS, UNLIMITED, Account, Policy, admins_limit
from bot.quota.tiers import Asked, Tier
from bot.quota.windows import WINDOWS, Zones
from bot.storage.connection import Connection, Row

Caps = Mapping[tuple[str, str, str], int | None]
"""(account, unit, window) -> amount; None is unlimited, 0 none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds at this moment: the limits of settings, the time, the bot's zone, and the tiers of settings.

    zone: as the settings say, for times that are shown; periods go by what `own_zones` knows, which has all changes.
    """

    policy: Policy
    now: datetime
    zone: str
    tiers: Mapping[str, Tier] = field(default_factory=dict)

    @property
    def at(self) -> int:
        return round(self.now.timestamp() * 1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """Who pays: the account of a person on one platform, in a space, perhaps for a team (its id).

    persons: the linked ones as they were known when it was asked; the books look again. roles: as the platform names
    them in that space, and `room:ID`.
    """

    person: str
    space: str
    persons: tuple[str, ...] = ()
    team: str = ""
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """tiers: the best of the operator's and the best of the space's that the payer holds. persons: all accounts of the
    human. zones: by the account's name. grants: what stands in for personal accounts, in the order in which it is used.
    former: the anonymous ones who they were until they had themselves forgotten, whose limits go on for a while.
    caps: of what is limited; own: of these, what was set for one account by its name. bound: accounts and units that
    the operator has limited, for which only the operator's own grants stand in. space_rules: those of the payer's space
    as they are stored, "" for none.
    """

    payer: Payer
    persons: tuple[str, ...]
    tiers: tuple[Tier, ...]
    accounts: tuple[Account, ...]
    caps: Caps
    zones: Mapping[str, Zones]
    grants: tuple[Grant, ...]
    own: Caps = field(default_factory=dict)
    bound: frozenset[tuple[str, str]] = frozenset()
    team_name: str = ""
    former: frozenset[str] = frozenset()
    space_rules: str = ""

    @property
    def tier(self) -> Tier | None:
        """The one to be called theirs: the operator's before the space's."""
        return self.tiers[0] if self.tiers else None

    @property
    def in_flight(self) -> int:
        """How many requests at once, 0 for as many as is usual."""
        return next((tier.in_flight for tier in self.tiers if tier.in_flight is not None), 0)

    @property
    def priority(self) -> int:
        return next((tier.priority for tier in self.tiers if not tier.space), 0)

    def cap(self, account: Account, unit: str, window: str) -> int:
        found = self.caps.get((account.name, unit, window))
        return UNLIMITED if found is None else found

    def periods(self, now: datetime) -> dict[str, dict[str, str]]:
        """The running period of every window, by the account's name."""
        return periods_of(self.zones, now)


def of(connection: Connection, payer: Payer, rules: Rules) -> Standing:
    """Raises `NotAllowed` where the payer is not in the team that is to pay."""
    linked, former, space_rules, usual, team_zones, team_name = _known(connection, payer, rules)
    space_zones = zones_of(space_rules, usual)
    persons = tuple(sorted({payer.person, *linked}))
    member = _member(connection, payer.team, persons)
    current = limits.accounts_of(payer.person, payer.space, linked=linked, team=payer.team, member=member)
    before = _before(payer, member, former)
    accounts = tuple(sorted({*current, *before}))
    held = _held(connection, payer, (*persons, *former.values()), rules)
    own = own_limits_of(
        connection,
        [account.name for account in accounts]
        + [limits.admins_limit(payer.space).name]
        + ([limits.members_default(payer.team).name] if payer.team else []),
    )
    # What was set anew for somebody since they came back counts for what they were before, too.
    own |= {
        (old.name, unit, window): own[account.name, unit, window]
        for old, account in before.items()
        for unit in UNITS
        for window in WINDOWS
        if (account.name, unit, window) in own
    }
    zones = {
        account.name: team_zones if account.team else space_zones if account.space else usual for account in accounts
    }
    pools = [account.name for account in accounts if account.is_pool]
    found = grants.active(connection, persons, pools, rules.at)
    caps = _caps(current, own, rules.policy, held, shared=limits.share_in_space(payer.space, payer.person))
    if before:
        was = former.get(payer.person, payer.person)
        caps |= _caps(before, own, rules.policy, held, shared=limits.share_in_space(payer.space, was))
    return Standing(
        payer=payer,
        persons=persons,
        tiers=held,
        accounts=accounts,
        caps=caps | {(grant.account.name, grant.unit, "total"): grant.amount for grant in found},
        zones=zones | {grant.account.name: usual for grant in found},
        grants=tuple(found),
        own=own,
        bound=_bound(accounts, own, held) if found else frozenset(),
        team_name=team_name,
        former=frozenset(former.values()),
        space_rules=space_rules,
    )


def check(connection: Connection, standing: Standing, asked: Asked, rules: Rules) -> None:
    """Raises `NotAllowed` for what the payer's tiers do not include, with the names of those that do."""
    if not tiers.allows(standing.tiers, asked):
        tiers.check(standing.tiers, asked, known_tiers(connection, standing.payer.space, rules))


def known_tiers(connection: Connection, space: str, rules: Rules) -> list[Tier]:
    """The operator's tiers, and those of a space ("" for none)."""
    rows = connection.rows("SELECT space, name, rules FROM tiers WHERE space IN ('', :space)", space=space)
    stored = [tiers.from_json(row["name"], json.loads(row["rules"]), row["space"]) for row in rows]
    replaced = {tier.name for tier in stored if not tier.space}
    return [tier for tier in rules.tiers.values() if tier.name not in replaced] + stored


def periods_of(zones: Mapping[str, Zones], now: datetime) -> dict[str, dict[str, str]]:
    """The running period of every window, by the account's name."""
    named = {moves: windows.periods_at(now, moves) for moves in set(zones.values())}
    return {name: named[moves] for name, moves in zones.items()}


def own_limits_of(connection: Connection, accounts: Iterable[str]) -> dict[tuple[str, str, str], int | None]:
    """The limits that were set for these very accounts."""
    sql, values = listed("SELECT account, unit, win, amount FROM limits WHERE account IN ({})", accounts)
    return {(row["account"], row["unit"], row["win"]): row["amount"] for row in connection.rows(sql, **values)}


def operators(connection: Connection, accounts: Collection[str]) -> set[tuple[str, str]]:
    """Of accounts on which one request drew, those with their units that no admin may give of: pools, the operator's
    grants, and the person's own where the operator set limits for them, by name or by a tier of theirs, their space or
    team. Who has a role is up to the admins anyway.
    """
    known = sorted(Account(name) for name in accounts)
    seqs = [account.name for account in known if account.kind == "grant"]
    given = [grant.account for grant in grants.in_order(connection, seqs) if grant.is_operators] if seqs else []
    kept = {account for account in known if account.is_pool or account in given}
    sql, values = listed("SELECT count(*) AS n FROM tier_holders WHERE space='' AND holder IN ({})", sorted(accounts))
    tiered = connection.row(sql, **values)
    if tiered and tiered["n"]:
        kept |= {account for account in known if account.kind == "person"}
    own = own_limits_of(connection, [account.name for account in known])
    return {(account.name, unit) for account in kept for unit in UNITS} | _bound(known, own, ())


def listed(sql: str, values: Iterable[str], prefix: str = "v") -> tuple[str, dict[str, Any]]:
    """A statement with a place for each value in its braces, and the values by their places."""
    named = {f"{prefix}{number}": value for number, value in enumerate(values)}
    return sql.format(", ".join(f":{name}" for name in named)), named


def zones_of(stored: str, usual: Zones) -> Zones:
    """The zones of a space by its rules as they are stored, "" for none. usual: the bot's own."""
    if not stored:
        return usual
    rules = json.loads(stored)
    moves: Sequence[Any] = rules.get("zones") or ()
    return windows.history([(str(zone), int(at)) for zone, at in moves], usual)


def caps_of(
    connection: Connection, accounts: Sequence[Account], rules: Rules
) -> dict[tuple[str, str, str], int | None]:
    """Of accounts whoever draws on them: as far as no role is needed to tell which tier holds."""
    names = [account.name for account in accounts]
    spaces = {account.space for account in accounts if account.kind == "space"}
    names += [limits.admins_limit(space).name for space in sorted(spaces)]
    teams = {account.team for account in accounts if account.kind == "share" and account.team}
    names += [limits.members_default(team).name for team in sorted(teams)]
    own = own_limits_of(connection, names)
    held = _held_by_persons(connection, accounts, rules)
    caps: dict[tuple[str, str, str], int | None] = {}
    for account in accounts:
        tier = held.get((account.space if account.kind == "share" else "", account.person))
        caps |= _caps((account,), own, rules.policy, (tier,) if tier else ())
    return caps


def zones_by_account(connection: Connection, accounts: Sequence[Account], rules: Rules) -> dict[str, Zones]:
    """The zones by which the windows of accounts go, whoever draws on them."""
    teams = sorted({account.team for account in accounts} - {""})
    sql, values = listed("SELECT id, space FROM teams WHERE id IN ({})", teams)
    home = {row["id"]: row["space"] for row in connection.rows(sql, **values)} if teams else {}
    spaces = sorted({account.space for account in accounts} - {""} | set(home.values()))
    sql, values = listed("SELECT id, rules FROM spaces WHERE id IN ({})", spaces)
    stored = {row["id"]: row["rules"] for row in connection.rows(sql, **values)} if spaces else {}
    usual = own_zones.kept(connection, rules.zone)
    return {
        account.name: zones_of(stored.get(home.get(account.team, "") or account.space, ""), usual)
        for account in accounts
    }


def _before(payer: Payer, member: str, former: Mapping[str, str]) -> dict[Account, Account]:
    """The accounts of those who were forgotten and came back, each with the one that they have instead since."""
    found = {limits.of_person(gone): limits.of_person(person) for person, gone in former.items()}
    if gone := former.get(payer.person):
        found[limits.share_in_space(payer.space, gone)] = limits.share_in_space(payer.space, payer.person)
    if payer.team and (gone := former.get(member)):
        found[limits.share_of_team(payer.team, gone)] = limits.share_of_team(payer.team, member)
    return found


def _known(
    connection: Connection, payer: Payer, rules: Rules
) -> tuple[list[str], dict[str, str], str, Zones, Zones, str]:
    """The linked accounts, who of them was forgotten before and as whom, the rules of the space as they are stored, the
    zones of the bot and of the team, and its name.
    """
    sql = (
        "SELECT 'linked' AS kind, o.id AS name, '' AS rules FROM people p JOIN people o ON o.linked=p.linked"
        " WHERE p.id=:person AND p.linked<>'' AND o.linked<>'' AND o.id<>p.id"
        " UNION ALL SELECT 'space', id, rules FROM spaces WHERE id=:space"
        " UNION ALL SELECT 'zones', name, value FROM meta WHERE name=:zones"
        " UNION ALL SELECT 'former', name, value FROM meta WHERE name=:former"
        " UNION ALL SELECT 'former', m.name, m.value FROM people p JOIN people o ON o.linked=p.linked"
        " JOIN meta m ON m.name=:before || o.id WHERE p.id=:person AND p.linked<>'' AND o.linked<>'' AND o.id<>p.id"
    )
    if payer.team:
        sql += (
            " UNION ALL SELECT 'team', t.name, coalesce(s.rules, '') FROM teams t LEFT JOIN spaces s ON s.id=t.space"
            " WHERE t.id=:team AND t.closed_at=0"
        )
    team = {"team": payer.team} if payer.team else {}
    before = {"former": returning.FORMER + payer.person, "before": returning.FORMER}
    rows = connection.rows(sql, person=payer.person, space=payer.space, zones=own_zones.NAME, **before, **team)
    found: dict[str, list[Row]] = {"linked": [], "former": [], "space": [], "zones": [], "team": []}
    for row in rows:
        found[row["kind"]].append(row)
    if payer.team and not found["team"]:
        raise NotAllowed(text("That team is closed; choose another one with /settings --team NAME."))

    def rules_of(kind: str) -> str:
        return found[kind][0]["rules"] if found[kind] else ""

    name = str(found["team"][0]["name"]) if payer.team else ""
    read = ((row["name"].removeprefix(returning.FORMER), row["rules"]) for row in found["former"])
    former = {person: gone for person, value in read if (gone := returning.read(value, rules.at))}
    linked = [row["name"] for row in found["linked"]]
    usual = own_zones.read(rules_of("zones"), rules.zone)
    return linked, former, rules_of("space"), usual, zones_of(rules_of("team"), usual), name


def _member(connection: Connection, team: str, persons: Sequence[str]) -> str:
    """Which of these accounts of one human is in the team; of several, the first."""
    if not team:
        return ""
    sql, values = listed("SELECT min(person) AS person FROM team_members WHERE team=:team AND person IN ({})", persons)
    row = connection.row(sql, team=team, **values)
    if row is None or row["person"] is None:
        raise NotAllowed(text("You are not in that team; choose another one with /settings --team NAME."))
    return str(row["person"])


def _held(connection: Connection, payer: Payer, persons: Sequence[str], rules: Rules) -> tuple[Tier, ...]:
    """The best of the operator's tiers that the payer holds, and the best of the space's."""
    holders = [f"person:{each}" for each in persons] + [f"space:{payer.space}"]
    holders += [f"team:{payer.team}"] if payer.team else []
    holders += [f"role:{role}" for role in payer.roles] + [f"role:{payer.space}/{role}" for role in payer.roles]
    sql, values = listed(
        "SELECT h.space, h.tier AS name, t.rules FROM tier_holders h"
        " LEFT JOIN tiers t ON t.space=h.space AND t.name=h.tier"
        " WHERE h.space IN ('', :space) AND h.holder IN ({})",
        holders,
    )
    if payer.roles:
        mapped, more = listed(
            " UNION ALL SELECT m.space, m.target, t.rules FROM role_maps m"
            " LEFT JOIN tiers t ON t.space=m.space AND t.name=m.target"
            " WHERE m.space=:space AND m.kind='tier' AND m.role IN ({})",
            payer.roles,
            "r",
        )
        sql, values = sql + mapped, values | more
    found = [_tier(row, rules) for row in connection.rows(sql, space=payer.space, **values)]
    held = [tier for tier in found if tier]
    chosen = tiers.best(tier for tier in held if not tier.space), tiers.best(tier for tier in held if tier.space)
    return tuple(tier for tier in chosen if tier)


def _held_by_persons(connection: Connection, accounts: Sequence[Account], rules: Rules) -> dict[tuple[str, str], Tier]:
    """By (space, person): the tiers that people were given by name."""
    persons = sorted({account.person for account in accounts if account.is_personal})
    if not persons:
        return {}
    sql, values = listed(
        "SELECT h.space, h.holder, h.tier AS name, t.rules FROM tier_holders h"
        " LEFT JOIN tiers t ON t.space=h.space AND t.name=h.tier WHERE h.holder IN ({})",
        [f"person:{each}" for each in persons],
    )
    found = ((row, _tier(row, rules)) for row in connection.rows(sql, **values))
    return {(row["space"], row["holder"].removeprefix("person:")): tier for row, tier in found if tier}


def _tier(row: Row, rules: Rules) -> Tier | None:
    """None for one that was dropped meanwhile."""
    if row["rules"] is not None:
        return tiers.from_json(row["name"], json.loads(row["rules"]), row["space"])
    return None if row["space"] else rules.tiers.get(row["name"])


def _caps(
    accounts: Iterable[Account],
    own: Mapping[tuple[str, str, str], int | None],
    policy: Policy,
    held: Iterable[Tier],
    shared: Account | None = None,
) -> dict[tuple[str, str, str], int | None]:
    """shared: the payer's share in the space, before which the usual limit of a person gives way."""
    general = next((tier for tier in held if not tier.space), None)
    local = next((tier for tier in held if tier.space), None)
    # Only where anything says something of a window: that is a few of many, and this is done for every request.
    said = {key[1:] for key in (*own, *policy)}
    for tier in (general, local):
        said |= tier.limits.keys() if tier else set()
    return {
        (account.name, unit, window): cap
        for account in accounts
        for unit, window in said
        if (cap := _cap(account, unit, window, own, policy, general, local, shared)) is not None
    }


def _bound(
    accounts: Iterable[Account], own: Mapping[tuple[str, str, str], int | None], held: Iterable[Tier]
) -> frozenset[tuple[str, str]]:
    """The person's accounts and units for which the operator decided, by a limit of their own or by a tier.

    Of such a one all windows are: what it holds is one amount.
    """
    named = {account.name for account in accounts if account.kind == "person"}
    found = {(name, unit) for (name, unit, _), amount in own.items() if name in named and amount is not None}
    general = next((tier for tier in held if not tier.space), None)
    if general:
        units = {unit for (unit, _), amount in general.limits.items() if amount is not None}
        found |= {(name, unit) for name in named for unit in units}
    return frozenset(found)


def _cap(
    account: Account,
    unit: str,
    window: str,
    own: Mapping[tuple[str, str, str], int | None],
    policy: Policy,
    general: Tier | None,
    local: Tier | None,
    shared: Account | None,
) -> int | None:
    key, kind = (account.name, unit, window), account.kind
    usual = policy.get((kind, unit, window))
    match kind:
        case "person" if key not in own:
            if general and (unit, window) in general.limits:
                return general.limits[unit, window]
            return None if shared and (shared.name, unit, window) in own else usual
        case "share" if key not in own and account.team:
            return own.get((limits.members_default(account.team).name, unit, window))
        case "share" if key not in own:
            return local.limits.get((unit, window)) if local else None
        case "space":
            cap = own.get(key, usual)
            lower = own.get((limits.admins_limit(account.space).name, unit, window))
            return min((each for each in (cap, lower) if each is not None), default=None)
        case _:
            return own.get(key, usual)


def owners_of(connection: Connection, team: str) -> tuple[str, ...]:
    """The names of a team's owners."""
    sql = (
        "SELECT DISTINCT p.name FROM team_members m JOIN people p ON p.id=m.person"
        " WHERE m.role='owner' AND m.team=:team ORDER BY p.name"
    )
    return tuple(row["name"] for row in connection.rows(sql, team=team)) if team else ()


def giver(payer: Standing, account: Account, unit: str, window: str, policy: Policy, owners: Sequence[str]) -> Text:
    """Who can give more than the payer has of an account in a window: by a limit, or by a grant beside it.

    owners: the names of those of the payer's team.
    """
    key = (account.name, unit, window)
    ruled = not payer.payer.space.partition("/")[2].startswith(ALONE)
    admin, home = text("an admin of this space"), text("an admin of the team's space")
    named = Text("{words}", {"words": tuple(owners)}) if owners else None  # the same in every language
    match account.kind:
        case "team":
            return home  # an owner divides what the team has, and has no more
        case "share" if account.team:
            return named or home
        case "share":
            return admin
        case "space":
            most = payer.own.get(key, policy.get(("space", unit, window)))
            lower = payer.own.get((admins_limit(account.space).name, unit, window))
            if lower is not None and (most is None or lower < most):
                return admin
        case "person" if key not in payer.own and (unit, window) not in _operators_tier(payer.tiers).limits:
            # It is the usual one, before which an admin's goes, and for which whatever is granted stands in: but for
            # that only where the operator has limited nothing of this unit.
            if (account.name, unit) in _bound((account,), payer.own, payer.tiers):
                named = None
            if named and ruled:
                return text("{owners} or an admin of this space", owners=named)
            if named or ruled:
                return named or admin
    return text("the bot's operator")


def _operators_tier(held: Iterable[Tier]) -> Tier:
    return next((tier for tier in held if not tier.space), Tier(name=""))


def titles(connection: Connection, accounts: Sequence[Account]) -> dict[str, Text]:
    """As somebody else reads them: with the names of people and teams."""
    teams = _names(connection, "SELECT id, name FROM teams WHERE id IN ({})", {each.team for each in accounts})
    persons = {each.person for each in accounts if each.is_personal}
    people = _names(connection, "SELECT id, name FROM people WHERE id IN ({})", persons)
    return {account.name: _title(account, people, teams) for account in accounts}


def _title(account: Account, people: Mapping[str, str], teams: Mapping[str, str]) -> Text:
    if account.is_personal:
        person = people.get(account.person, account.person)
        if account.team:
            return text("{person}'s share of {team}", person=person, team=teams.get(account.team, account.team))
        return text("{person}'s share", person=person) if account.kind == "share" else verbatim(person)
    if account.team:
        return text("Team {team}", team=teams.get(account.team, account.team))
    return account.title


def _names(connection: Connection, sql: str, ids: set[str]) -> dict[str, str]:
    sql, values = listed(sql, sorted(ids - {""}))
    return {row["id"]: row["name"] for row in connection.rows(sql, **values)} if values else {}
