"""The audit in words: who did what to whom. Rows keep ids, which stay; whoever reads them gets the names of today."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bot.audit import Audited
from bot.clock import moment
from bot.commands import space_rules
from bot.generation import unseen
from bot.i18n import Text, text, verbatim
from bot.moderation import reviews
from bot.quota import limits
from bot.quota.limits import Account
from bot.storage.connection import Connection
from bot.suggest import shortened

_ID = re.compile(r"(?:gone-)?[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What people and teams are called now, and the roles that give or gave something, by their ids."""

    people: Mapping[str, str]
    teams: Mapping[str, str]
    roles: Mapping[str, str]

    def person(self, id: str) -> Text:
        return verbatim(self.people[id]) if self.people.get(id) else text("somebody who was forgotten")

    def team(self, id: str) -> str:
        return self.teams.get(id, id)

    def pool(self, name: str) -> Text:
        account = Account(name)
        if account.team:
            return verbatim(self.team(account.team))
        return text("this space") if account.space else text("what everybody may use")

    def account(self, name: str) -> Text:
        """What a limit holds for."""
        account = Account(name.removeprefix("local:"))
        match account.kind:
            case "person":
                return self.person(account.person)
            case "share" if account.space:
                return text("{name} in this space", name=self.person(account.person))
            case "share" if account.team:
                return text("{name} in {team}", name=self.person(account.person), team=self.team(account.team))
            case "share":
                return text("each member of {team}", team=self.team(name.removeprefix("share:team:")))
            case "all" | "space" | "team":
                return self.pool(account.name)
        return verbatim(name)

    def holder(self, name: str) -> Text:
        """Of a tier: `person:ID`, `team:ID`, `space:ID`, `role:ROLE` or `role:SPACE/ROLE`."""
        kind, _, id = name.partition(":")
        match kind:
            case "person":
                return self.person(id)
            case "team":
                return verbatim(self.team(id))
            case "space":
                return text("everybody in this space")
        role = id.rpartition("/")[2]
        if room := role.partition("room:")[2]:
            return verbatim(f"<#{room}>")
        return verbatim(self.roles.get(role, role))


def names_in(connection: Connection, changes: Iterable[Audited]) -> Names:
    """The names of whatever these rows speak of."""
    changes = list(changes)
    told = " ".join(f"{each.what} {each.before} {each.after}" for each in changes)
    ids = sorted(set(_ID.findall(told)))
    places = {f"i{number}": id for number, id in enumerate(ids)}
    inside = ", ".join(f":{name}" for name in places) or "NULL"
    people = connection.rows(f"SELECT id, name FROM people WHERE id IN ({inside})", **places)
    teams = connection.rows(f"SELECT id, name FROM teams WHERE id IN ({inside})", **places)
    roles = connection.rows("SELECT role, name FROM role_maps") if "role:" in told else []
    return Names(
        people={row["id"]: row["name"] for row in people},
        teams={row["id"]: row["name"] for row in teams},
        roles={row["role"]: row["name"] for row in roles},
    )


def in_words(change: Audited, names: Names) -> Text:
    """Who did what, how it was before and how it is now."""
    if change.what.startswith("space "):
        return space_rules.audited(change)
    words = next((said(change, names) for what, said in _SAID.items() if change.what.startswith(what)), None)
    if words is not None:
        return text("{name}: {words}", name=change.name, words=words)
    values = {"name": change.name, "what": change.what, "before": _compact(change.before)}
    values["after"] = _compact(change.after)
    if change.before in _EMPTY:
        return text("{name}: {what}: {after}", **values)
    if change.after in _EMPTY:
        return text("{name}: {what}, which was {before}, is gone", **values)
    return text("{name}: {what}, from {before} to {after}", **values)


def _team(change: Audited, names: Names) -> Text | None:
    match change.before, change.after:
        case None, {"name": str(team)}:
            return text("The team {team} is there now.", team=team)
        case {"name": str(team)}, None:
            return text("The team {team} is closed.", team=team)
        case {"name": str(before)}, {"name": str(team)}:
            return text("The team {before} is called {team} now.", before=before, team=team)
    return None


def _member(change: Audited, names: Names) -> Text | None:
    match change.before, change.after:
        case {"person": str(person), "team": str(team)}, None:
            return text("{name} is no longer in {team}.", name=names.person(person), team=team)
        case _, {"person": str(person), "team": str(team), "role": "owner"}:
            return text("{name} is an owner of {team} now.", name=names.person(person), team=team)
        case {"role": "owner"}, {"person": str(person), "team": str(team)}:
            return text("{name} is a member of {team} now, and no owner.", name=names.person(person), team=team)
        case _, {"person": str(person), "team": str(team)}:
            return text("{name} is in {team} now.", name=names.person(person), team=team)
    return None


def _role(change: Audited, names: Names) -> Text | None:
    match change.before, change.after:
        case None, {"name": str(role), "team": str(team)}:
            return text("{role} gives the team {team}.", role=role, team=team)
        case None, {"name": str(role), "tier": str(tier)}:
            return text("{role} gives the tier {tier}.", role=role, tier=tier)
        case {"name": str(role), "team": str(team)}, None:
            return text("{role} gives the team {team} no more.", role=role, team=team)
        case {"name": str(role), "tier": str(tier)}, None:
            return text("{role} gives the tier {tier} no more.", role=role, tier=tier)
    return None


def _held(change: Audited, names: Names) -> Text | None:
    holder = names.holder(change.what.removeprefix("tier of "))
    if change.after:
        return text("{name} has the tier {tier} now.", name=holder, tier=str(change.after))
    return text("{name} has the tier {tier} no more.", name=holder, tier=str(change.before))


def _tier(change: Audited, names: Names) -> Text | None:
    tier = change.what.removeprefix("tier ")
    match change.before, change.after:
        case None, _:
            return text("The tier {tier} is there now.", tier=tier)
        case _, None:
            return text("The tier {tier} is no more.", tier=tier)
        case {**before}, {**after}:
            keys = [str(key) for key in (*before, *after) if before.get(key) != after.get(key)]
            old, new = (
                _compact({key: rules[key] for key in sorted({*keys}) if key in rules}) for rules in (before, after)
            )
            return text("The tier {tier}: from {before} to {after}", tier=tier, before=old, after=new)
    return None


def _grant(change: Audited, names: Names) -> Text | None:
    number = change.what.removeprefix("grant ")
    match change.before, change.after:
        case None, {"person": person, "pool": pool, "unit": str(unit), "amount": int(amount), "until": int(until)}:
            return text(
                "{name} gets {amount} until {time}, out of {pool} (number {number}).",
                name=names.person(person),
                amount=limits.amount(unit, amount),
                time=moment(until),
                pool=names.pool(pool),
                number=number,
            )
        case {"person": person, "unit": str(unit), "amount": int(amount)}, None:
            return text(
                "{name} gets no more of the {amount} (number {number}).",
                name=names.person(person),
                amount=limits.amount(unit, amount),
                number=number,
            )
    return None


def _refund(change: Audited, names: Names) -> Text | None:
    ours = {unseen.WHY: text("the platform shows it to nobody"), reviews.WHY: text("refused by an admin")}
    reason = ours.get(str(change.after), str(change.after))  # the other ones are in the words of who gave it back
    return text("{id} is refunded: {reason}", id=change.what.removeprefix("refund "), reason=reason)


def _review(change: Audited, names: Names) -> Text | None:
    id = change.what.removeprefix("review ")
    return {"approved": text("{id} may be seen.", id=id), "refused": text("{id} is not shown.", id=id)}.get(
        str(change.after)
    )


def _limit(change: Audited, names: Names) -> Text | None:
    return text(
        "The limit of {name} is {after} now; it was {before}.",
        name=names.account(change.what.removeprefix("limit ")),
        before=_compact(change.before),
        after=_compact(change.after),
    )


def _decided(change: Audited, names: Names) -> Text | None:
    id = change.what.removeprefix("possibly billed ")
    return {
        "charged": text("{id}, which was possibly billed, is charged.", id=id),
        "released": text("{id}, which was possibly billed, is not charged.", id=id),
    }.get(str(change.after))


def _joined(change: Audited, names: Names) -> Text | None:
    if not isinstance(change.after, list):
        return None
    return text("linked: {names}", names=tuple(names.person(str(each)) for each in change.after))


def _parted(change: Audited, names: Names) -> Text | None:
    if not isinstance(change.after, list):
        return None
    return text("no longer linked with {names}", names=tuple(names.person(str(each)) for each in change.after))


_SAID: dict[str, Callable[[Audited, Names], Text | None]] = {
    "team member": _member,
    "team": _team,
    "role": _role,
    "tier of ": _held,
    "tier ": _tier,
    "grant ": _grant,
    "refund ": _refund,
    "review ": _review,
    "limit ": _limit,
    "cancel ": lambda change, names: text("stopped {id}", id=change.what.removeprefix("cancel ")),
    "possibly billed ": _decided,
    "dashboard opened": lambda change, names: text("opened the dashboard"),
    "dashboard refused": lambda change, names: text("was refused the dashboard"),
    "dashboard left": lambda change, names: text("left the dashboard"),
    "refused": lambda change, names: text("was refused {command}", command=str(change.after)),
    "link refused": lambda change, names: text("typed a wrong code"),
    "link": _joined,
    "unlink": _parted,
    "forgotten": lambda change, names: text("somebody was forgotten"),
}
"""By how what was done begins; the first that fits."""

_EMPTY: tuple[object, ...] = (None, "", [], {})


def _compact(value: object) -> Text:
    if value in _EMPTY:
        return text("nothing")
    if isinstance(value, Mapping):
        return verbatim(shortened(", ".join(f"{name} {_plain(each)}" for name, each in value.items())))
    return verbatim(shortened(_plain(value)))


def _plain(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(_plain, value))
    if isinstance(value, Mapping):
        return " ".join(f"{name} {_plain(each)}" for name, each in value.items())
    return str(value)
