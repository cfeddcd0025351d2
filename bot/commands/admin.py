"""The commands of admins: /admin, by which a space is governed and money is divided; what it changes can be looked up.

The same words do it on every platform, and for the operator on the command line (`bot.ops.administration`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from bot import audit
from bot.asking import Answer, Asking
from bot.catalogue.router import Router
from bot.chat import Reply
from bot.clock import micros
from bot.command import Command, Kind, option
from bot.commands import offering
from bot.commands.admin_words import (
    ALSO_AREAS,
    AREAS,
    AuditOrder,
    BlockOrder,
    DashboardOrder,
    ExportOrder,
    GrantsOrder,
    LimitOrder,
    Marked,
    Order,
    RefundOrder,
    RoleOrder,
    TeamOrder,
    TierOrder,
    read,
)
from bot.commands.audited import in_words, names_in
from bot.commands.once import once
from bot.commands.orders import Orders
from bot.commands.space_rules import ALSO_RULES, DEFAULT, OFF, RULES, RuleAsked, RuleReader, check_room, told
from bot.errors import NotAllowed, UsageError
from bot.i18n import Link, text
from bot.quota.ledger import Rules
from bot.rights import Deed, Who, who_is
from bot.spaces import Spaces
from bot.storage.connection import Connection
from bot.storage.database import Database
from bot.suggest import nearest, same, shortened
from bot.teams import Memberships

MOST_AUDITED = 10

LinkTo = Callable[[Connection, Who, int], str]
"""Makes a link to the dashboard that works once, for whoever asks, at a moment; "" where it is not served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    area: str = option(
        Kind.CHOICE,
        text("What it is about: the rules of this space, teams, limits, tiers…"),
        default="space",
        choices=AREAS,
        also=ALSO_AREAS,
    )
    rule: str = option(Kind.CHOICE, text("Which rule to change, or what to do"), default="")
    value: str = option(Kind.WORDS, text("What it shall be; “default” takes it back"), default="")
    member: str = option(Kind.PERSON, text("Who is meant"), default="")
    channel: str = option(Kind.ROOM, text("Which channel is meant; else the one where you are"), default="")
    role: str = option(Kind.ROLE, text("Which role is meant"), default="")


@dataclass(frozen=True, kw_only=True)
class Admin:
    """rules: what holds at this moment. link: to the dashboard, where one is served."""

    spaces: Spaces
    router: Router
    clock: Callable[[], datetime]
    database: Database
    memberships: Memberships
    rules: Callable[[], Rules]
    link: LinkTo | None = None
    changed: Callable[[str], object] = lambda generation: None

    async def admin(self, request: Rule, asking: Asking) -> Answer:
        who = who_is(asking.person)
        try:
            if request.area == "space":
                return await self._space(request, asking, who)
            words = f"{request.rule} {request.value}".strip()
            marked = Marked(member=request.member, channel=request.channel, role=request.role)
            return await self.obey(request.area, words, marked, who, dict(asking.invocation.names), asking)
        except NotAllowed:
            await self.database.transaction(_refused, who, f"{request.area} {request.rule}".strip(), self._at())
            raise

    async def obey(
        self,
        area: str,
        words: str,
        marked: Marked,
        who: Who,
        names: Mapping[str, str],
        asking: Asking | None = None,
    ) -> Reply | None:
        """Do what was ordered, and say what came of it. Raises `BotError`, and then nothing has changed.

        asking: where it was asked in a chat; on the command line there is none.
        """
        _check_any_right(area, who, owns=asking is not None and any(team.owned for team in asking.teams))
        order = read(area, words, marked)
        if isinstance(order, BlockOrder):
            return await self._block(order, who, asking)
        if asking is not None and marked.channel and _gives(order):
            check_room(marked.channel, asking.invocation.rooms)
        orders = Orders(who=who, marked=marked, rules=self.rules(), router=self.router, names=dict(names))
        keeps = isinstance(order, TeamOrder | TierOrder | RoleOrder) or (
            isinstance(order, LimitOrder) and order.kind == "tier"
        )
        only_looks = isinstance(order, AuditOrder | ExportOrder | DashboardOrder)
        asked = "" if asking is None or only_looks else asking.invocation.id
        change = self.memberships.change if keeps else self.database.transaction
        reply = await change(_obeyed_once, asked, self.link, orders, order)
        if isinstance(order, RefundOrder):
            self.changed(order.generation)
        return reply

    async def _block(self, order: BlockOrder, who: Who, asking: Asking | None) -> Reply:
        """As `/admin space block`."""
        if asking is None:
            raise UsageError(text("Block people in their space: /admin block @name, as one of its admins."))
        rule = "block" if order.block else "unblock"
        return await self._space(Rule(area="space", rule=rule, member=order.user), asking, who)

    async def _space(self, request: Rule, asking: Asking, who: Who) -> Reply:
        who.check(Deed.RULES, asking.person.space)
        rule = _rule(request.rule)
        asked = RuleAsked(rule=rule, value=request.value, member=request.member, channel=request.channel)
        reader = RuleReader(spaces=self.spaces, router=self.router)
        change = await reader.change(asked, asking)
        if change is None:
            words = text("The rules here. Change one: /admin space model seedream-4.5")
            return await reader.show(words, asking.rules, asking.person.space)
        rules, changed = await self.spaces.change(asking.person.space, change, by=asking.person, at=self._at())
        words = text("Changed. The rules here are now:") if changed else text("It is so already. The rules here:")
        language = {**rules.defaults, **asking.person.settings}.get("language", "")
        return replace(told(words, rules), language=language)

    def _at(self) -> int:
        return micros(self.clock())


def commands(admin: Admin) -> tuple[Command, ...]:
    models = admin.router.models()
    tiers = tuple(dict.fromkeys(tier for model in models for tier in model.tiers))
    names = tuple(model.name for model in models)
    return (
        Command(
            name="admin",
            summary=text("Rules, teams and limits of this space, for its admins"),
            request=Rule,
            handle=admin.admin,
            aliases=("管理",),
            suggestions={"rule": RULES, "value": (OFF, DEFAULT)},
            follows=offering.admin(names, tiers),
            examples=(
                "/admin space channels add #drawings",
                "/admin limit person @bob 20 images per day",
                "/admin team create Design",
                "/管理 额度 个人 @bob 每天 20 张",
            ),
            admins_only=True,
            judges=True,
            private=True,
        ),
    )


def _gives(order: Order) -> bool:
    """To whoever has a role or asks in a room. What is taken back may be of a room that is gone."""
    return (isinstance(order, RoleOrder) and order.kind in ("team", "tier")) or (
        isinstance(order, TierOrder) and order.verb == "give"
    )


def _obeyed_once(connection: Connection, asked: str, link: LinkTo | None, orders: Orders, order: Order) -> Reply | None:
    """asked: by which invocation, "" where it may be done as often as it is asked for."""
    if not asked:
        return _obeyed(connection, link, orders, order)
    return once(connection, asked, _obeyed, link, orders, order)


def _obeyed(connection: Connection, link: LinkTo | None, orders: Orders, order: Order) -> Reply:
    match order:
        case TeamOrder():
            return orders.team(connection, order)
        case LimitOrder():
            return orders.limit(connection, order)
        case TierOrder():
            return orders.tier(connection, order)
        case RoleOrder():
            return orders.role_order(connection, order)
        case RefundOrder():
            return orders.refund(connection, order)
        case GrantsOrder():
            return orders.grants(connection, order)
        case AuditOrder():
            return _audit(connection, orders.who)
        case DashboardOrder():
            return dashboard(connection, link, orders.who, orders.at)
        case ExportOrder(what=what):
            return _export(connection, link, orders, what)
        case _:
            raise AssertionError(order)


def dashboard(connection: Connection, link: LinkTo | None, who: Who, at: int) -> Reply:
    address = link(connection, who, at) if link else ""
    if not address:
        raise UsageError(text("The dashboard is not served here; the operator can set BOT_WEB__PUBLIC_URL."))
    words = text(
        "{link} opens the dashboard. It works once, for ten minutes, and is for you alone.",
        link=Link("dashboard", address),
    )
    return Reply(text=words, private=True)


def _export(connection: Connection, link: LinkTo | None, orders: Orders, what: str) -> Reply:
    if not orders.who.may(Deed.EXPORT, orders.space):
        owns = bool(orders.owned(connection))
        orders.who.check(Deed.EXPORT, orders.space, owns=owns)
    reply = dashboard(connection, link, orders.who, orders.at)
    words = text("On its page Export you find {what} as a CSV file.", what=what)
    return replace(reply, notes=(words,))


def _audit(connection: Connection, who: Who) -> Reply:
    who.check(Deed.AUDIT, who.space)
    found = audit.entries(connection, who.space or None, MOST_AUDITED)
    if not found:
        return Reply(text=text("Nobody has changed a rule here yet."), private=True)
    names = names_in(connection, found)
    rows = tuple((text("{time}", time=each.at), in_words(each, names)) for each in found)
    return Reply(text=text("The last changes, the newest first:"), rows=rows, private=True)


def _rule(typed: str) -> str:
    """One of the rules of a space, in any case."""
    if not typed:
        return "show"
    typed = ALSO_RULES.get(same(typed), typed)
    found = next((each for each in RULES if same(each) == same(typed)), None)
    if found:
        return found
    said = {"option": "rule", "taken": text("one of {choices}", choices=RULES), "value": shortened(typed)}
    if near := nearest(typed, RULES):
        raise UsageError(text("{option} takes {taken}, not “{value}”. Did you mean {nearest}?", **said, nearest=near))
    raise UsageError(text("{option} takes {taken}, not “{value}”.", **said))


_OWNERS_TOO = frozenset({"team", "limit", "grants", "export", "dashboard"})


def _check_any_right(area: str, who: Who, *, owns: bool) -> None:
    """Whoever is nobody here learns nothing of how it is written. owns: any team."""
    if not (owns and area in _OWNERS_TOO):
        who.check(Deed.RULES, who.space)


def _refused(connection: Connection, who: Who, what: str, at: int) -> None:
    audit.note(connection, who.space, who.by, "refused", None, f"/admin {what}", at)
