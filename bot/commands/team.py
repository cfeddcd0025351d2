"""The commands of teams: /team, what one is in and what is left there, and /grant, extra for somebody until a day."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.asking import Answer, Asking
from bot.catalogue.router import Router
from bot.chat import Reply
from bot.command import Command, Kind, option
from bot.commands import offering
from bot.commands.admin import Admin, dashboard
from bot.commands.admin_words import LimitOrder, Marked, TeamOrder, grant, share, split, wrong
from bot.commands.once import once
from bot.commands.orders import Orders
from bot.errors import UsageError
from bot.i18n import plural, text, verbatim
from bot.quota.ledger import Rules
from bot.rights import who_is
from bot.storage.connection import Connection
from bot.storage.database import Database
from bot.suggest import same
from bot.teams import Team

ACTIONS = ("show", "add", "remove", "share", "grant", "dashboard")
ALSO = {
    "查看": "show",
    "添加": "add",
    "加入": "add",
    "移除": "remove",
    "份额": "share",
    "赠送": "grant",
    "看板": "dashboard",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WhichTeam:
    action: str = option(
        Kind.CHOICE, text("What to do; owners add, remove, share and grant"), default="", suggestions=ACTIONS
    )
    value: str = option(
        Kind.WORDS,
        text("The team's name, or the amount: 10 images per day"),
        default="",
        suggestions=("10 images per day", "20 images until end of month"),
    )
    member: str = option(Kind.PERSON, text("Who is meant"), default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Granting:
    value: str = option(
        Kind.WORDS,
        text("How much, and until when: 20 images until end of month"),
        default="",
        suggestions=("20 images until end of month", "5 usd until 3d"),
    )
    member: str = option(Kind.PERSON, text("Who gets it"), default="")


@dataclass(frozen=True, kw_only=True)
class Teams:
    admin: Admin
    database: Database
    router: Router
    rules: Callable[[], Rules]

    async def team(self, request: WhichTeam, asking: Asking) -> Answer:
        orders = self._orders(asking, request.member)
        action, value = _action(request)
        match action:
            case "grant":
                return await self._grant(value, request.member, asking)
            case "dashboard":
                return await self.database.transaction(dashboard, self.admin.link, orders.who, orders.at)
            case "share":
                name, amount = share(value)
                shared = LimitOrder(kind="share", name=name or _only(asking).name, amount=amount)
                return await self.database.transaction(once, asking.invocation.id, orders.limit, shared)
            case "add" | "remove" as verb:
                if not request.member:
                    raise UsageError(text("Say whom: /team {action} @name", action=verb))
                named = split(value).name(needed=False) or _only(asking).name
                order = TeamOrder(verb=verb, name=named)
                return await self.admin.memberships.change(once, asking.invocation.id, orders.team, order)
        return await self.database.read(_shown, orders, asking, value)

    async def grant(self, request: Granting, asking: Asking) -> Answer:
        return await self._grant(request.value, request.member, asking)

    async def _grant(self, words: str, member: str, asking: Asking) -> Answer:
        orders = self._orders(asking, member)
        if not member:
            raise wrong(text("Say whom."), "grant")
        zone = asking.rules.zone or orders.rules.zone
        order = grant(words, orders.rules.now, zone)
        return await self.database.transaction(once, asking.invocation.id, orders.grant, order)

    def _orders(self, asking: Asking, member: str) -> Orders:
        return Orders(
            who=who_is(asking.person),
            marked=Marked(member=member),
            rules=self.rules(),
            router=self.router,
            names=dict(asking.invocation.names),
        )


def commands(teams: Teams) -> tuple[Command, ...]:
    return (
        Command(
            name="team",
            summary=text("Your teams: who is in them, and what is left"),
            request=WhichTeam,
            handle=teams.team,
            follows=offering.team(),
            private=True,
            aliases=("团队",),
            examples=("/team", "/team add @bob", "/team share @bob 10 images per day"),
        ),
        Command(
            name="grant",
            summary=text("Give somebody more for a while, out of your team or space"),
            request=Granting,
            handle=teams.grant,
            private=True,
            aliases=("赠送",),
            examples=("/grant @bob 20 images until end of month", "/赠送 @bob 20 张 到 月底"),
        ),
    )


def _action(request: WhichTeam) -> tuple[str, str]:
    """What to do, and with what: a word that is no action is a team's name."""
    word = same(request.action)
    action = ALSO.get(word, word)
    if action in ACTIONS:
        return action, request.value
    return "show", f"{request.action} {request.value}".strip()


def _shown(connection: Connection, orders: Orders, asking: Asking, value: str) -> Reply:
    name = split(value).name(needed=False)
    if name:
        return orders.shown_team(connection, orders.team_named(connection, name))
    if len(asking.teams) == 1:
        return orders.shown_team(connection, asking.teams[0])
    if not asking.teams:
        return Reply(text=text("You are in no team. An admin can add you: /admin team add NAME @you"), private=True)
    usual = asking.team_for()
    rows = tuple((verbatim(team.name), text("owner") if team.owned else text("member")) for team in asking.teams)
    chosen = next((team.name for team in asking.teams if team.id == usual), "")
    notes = (
        text("You draw for {team}. Choose another: /settings --team NAME", team=chosen)
        if chosen
        else text("You draw for yourself. Choose a team: /settings --team NAME"),
        text("/team NAME shows who is in it."),
    )
    words = plural("You are in one team:", "You are in {count} teams:", len(asking.teams))
    return Reply(text=words, rows=rows, notes=notes, private=True)


def _only(asking: Asking) -> Team:
    """The team that needs no name: the one that they own, or are in."""
    owned = [team for team in asking.teams if team.owned] or list(asking.teams)
    if len(owned) == 1:
        return owned[0]
    names = tuple(team.name for team in asking.teams)
    if not names and asking.person.admin:
        raise UsageError(text("You are in no team. For one of this space: /admin team, /admin limit share"))
    if not names:
        raise UsageError(text("You are in no team."))
    raise UsageError(text("Say which team: {teams}.", teams=names))
