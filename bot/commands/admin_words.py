"""What an admin orders, read from plain words: `limit person @bob 20 images per day`. Pure.

Every order has one form and one example, in the reader's language; whatever does not fit is answered with both. People,
rooms and roles are known by their mark, and come beside the words.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from bot.errors import UsageError
from bot.grammar import QUOTED
from bot.i18n import Text, text, verbatim
from bot.quota.windows import resets
from bot.suggest import fold, nearest, same, shortened

# Of pictures, or of micro-USD: no team comes near, and a slip of the finger does.
MOST = 10**12
MOST_NAME = 60
MICRO = 1_000_000

AREAS = (
    *("space", "team", "limit", "tier", "role", "block", "unblock"),
    *("refund", "grants", "audit", "export", "dashboard"),
)
# Other words for the areas, and for what stands in them.
ALSO_AREAS = {
    "空间": "space",
    "规则": "space",
    "团队": "team",
    "额度": "limit",
    "限额": "limit",
    "limits": "limit",
    "teams": "team",
    "tiers": "tier",
    "roles": "role",
    "等级": "tier",
    "角色": "role",
    "身份组": "role",
    "屏蔽": "block",
    "拉黑": "block",
    "解除屏蔽": "unblock",
    "退还": "refund",
    "退款": "refund",
    "赠额": "grants",
    "grant": "grants",
    "审计": "audit",
    "记录": "audit",
    "导出": "export",
    "看板": "dashboard",
    "后台": "dashboard",
}
TEAM_VERBS = ("create", "rename", "close", "add", "remove", "owner", "member", "show")
LIMIT_KINDS = ("person", "team", "tier", "space", "all", "share")
TIER_VERBS = ("create", "drop", "set", "give", "take", "show")
EXPORTS = ("usage", "ledger", "audit")
TIER_RULES = ("models", "size", "references", "series", "rank", "in_flight", "priority")
ALSO = {
    "创建": "create",
    "新建": "create",
    "改名": "rename",
    "重命名": "rename",
    "关闭": "close",
    "解散": "close",
    "添加": "add",
    "加入": "add",
    "移除": "remove",
    "移出": "remove",
    "负责人": "owner",
    "成员": "member",
    "查看": "show",
    "list": "show",
    "列表": "show",
    "个人": "person",
    "团队": "team",
    "等级": "tier",
    "空间": "space",
    "全部": "all",
    "所有人": "all",
    "everyone": "all",
    "份额": "share",
    "删除": "drop",
    "delete": "drop",
    "设置": "set",
    "给": "give",
    "给予": "give",
    "收回": "take",
    "用量": "usage",
    "账本": "ledger",
    "审计": "audit",
    "模型": "models",
    "model": "models",
    "尺寸": "size",
    "参考图": "references",
    "组图": "series",
    "排序": "rank",
    "并发": "in_flight",
    "in-flight": "in_flight",
    "优先级": "priority",
    "结束": "end",
    "关": "off",
    "取消": "off",
}
NOTHING, NO_END, BACK = "none", "unlimited", "default"
_KEYWORDS = {
    "none": NOTHING,
    "nothing": NOTHING,
    "无": NOTHING,
    "禁止": NOTHING,
    "unlimited": NO_END,
    "不限": NO_END,
    "无限": NO_END,
    "无限制": NO_END,
    "default": BACK,
    "默认": BACK,
}
_UNITS = {
    **dict.fromkeys(("images", "image", "pictures", "picture", "张", "张图", "张图片", "图", "图片", "幅"), "images"),
    **dict.fromkeys(("usd", "$", "dollar", "dollars", "美元", "美金"), "usd"),
}
_WINDOWS = {
    **dict.fromkeys(("day", "daily", "每天", "每日", "天"), "day"),
    **dict.fromkeys(("week", "weekly", "每周", "周"), "week"),
    **dict.fromkeys(("month", "monthly", "每月", "月"), "month"),
    **dict.fromkeys(("total", "all", "总共", "总计", "合计", "总"), "total"),
}
_GLUE = frozenset({"per", "a", "in", "each", "every", "of", "每"})
_NUMBER = re.compile(r"\+?(?P<whole>\d{1,3}(?:,\d{3})+|\d{1,30})(?:\.(?P<part>\d{1,30}))?", re.ASCII)
_GLUED = (
    (re.compile(r"(每[天日周月]|总共|总计|合计)(?=\S)"), r"\1 "),
    (re.compile(r"(?<=\d)(张图片|张图|张|幅|美元|美金|images?\b|usd\b)", re.IGNORECASE), r" \1"),
    (re.compile(r"(?<=\S)/(?=(?:day|week|month|天|周|月)\b)", re.IGNORECASE), " "),
    (re.compile(r"\$(?=\d)"), "$ "),
)
_LIKE_A_NUMBER = re.compile(r"[-+−–]?[\d.,]+(e[-+]?\d+)?|[-+−–]?(inf|infinity|nan)")  # it is said what is wrong
_SPAN = re.compile(r"(?P<n>\d{1,4})\s*(?P<unit>hours?|days?|weeks?|h|d|w|小时|天|周)", re.ASCII)
_SPANS = {"h": "hours", "d": "days", "w": "weeks", "小": "hours", "天": "days", "周": "weeks"}
_MONTH_END = frozenset({"end of month", "end of the month", "month end", "month", "月底", "本月底"})
_WEEK_END = frozenset({"end of week", "end of the week", "week", "周末", "本周末"})
_DAY_END = frozenset({"end of day", "end of the day", "tonight", "today", "今天", "今晚"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How an order is written, and one that somebody may really give."""

    written: str
    example: Text


FORMS = {
    "team create": Form(written="/admin team create NAME", example=text("/admin team create Design")),
    "team rename": Form(
        written="/admin team rename NAME to NAME", example=text("/admin team rename Design to Brand design")
    ),
    "team close": Form(written="/admin team close NAME", example=text("/admin team close Design")),
    "team add": Form(written="/admin team add NAME @person", example=text("/admin team add Design @bob")),
    "team remove": Form(written="/admin team remove NAME @person", example=text("/admin team remove Design @bob")),
    "team owner": Form(written="/admin team owner NAME @person", example=text("/admin team owner Design @bob")),
    "team member": Form(written="/admin team member NAME @person", example=text("/admin team member Design @bob")),
    "team": Form(
        written="/admin team create|rename|close|add|remove|owner|member|show NAME",
        example=text("/admin team create Design"),
    ),
    "limit person": Form(
        written="/admin limit person @person AMOUNT images|usd per day|week|month|total",
        example=text("/admin limit person @bob 20 images per day"),
    ),
    "limit team": Form(
        written="/admin limit team NAME AMOUNT images|usd per day|week|month|total",
        example=text("/admin limit team Design 500 images per month"),
    ),
    "limit tier": Form(
        written="/admin limit tier NAME AMOUNT images|usd per day|week|month|total",
        example=text("/admin limit tier pro 100 images per day"),
    ),
    "limit space": Form(
        written="/admin limit space AMOUNT images|usd per day|week|month|total",
        example=text("/admin limit space 50 usd per month"),
    ),
    "limit all": Form(
        written="/admin limit all AMOUNT images|usd per day|week|month|total",
        example=text("/admin limit all 200.50 usd per month"),
    ),
    "limit share": Form(
        written="/admin limit share TEAM [@person] AMOUNT images|usd per day|week|month|total",
        example=text("/admin limit share Design 10 images per day"),
    ),
    "limit": Form(
        written="/admin limit person|team|tier|space|all|share [NAME] AMOUNT images|usd per day|week|month|total",
        example=text("/admin limit person @bob 20 images per day"),
    ),
    "tier create": Form(written="/admin tier create NAME", example=text("/admin tier create pro")),
    "tier drop": Form(written="/admin tier drop NAME", example=text("/admin tier drop pro")),
    "tier set": Form(
        written="/admin tier set NAME models|size|references|series|rank|in_flight|priority VALUE",
        example=text("/admin tier set pro size 4K"),
    ),
    "tier give": Form(
        written="/admin tier give NAME @person|@role|team TEAM|space", example=text("/admin tier give pro @bob")
    ),
    "tier take": Form(
        written="/admin tier take NAME @person|@role|team TEAM|space", example=text("/admin tier take pro @bob")
    ),
    "tier": Form(written="/admin tier create|drop|set|give|take|show NAME", example=text("/admin tier create pro")),
    "role": Form(
        written="/admin role @role|#room team NAME|tier NAME|off",
        example=text("/admin role #design team Design"),
    ),
    "block": Form(written="/admin block @person", example=text("/admin block @bob")),
    "unblock": Form(written="/admin unblock @person", example=text("/admin unblock @bob")),
    "refund": Form(written="/admin refund ID REASON", example=text("/admin refund k3f9w2ab the picture was torn")),
    "grants": Form(written="/admin grants [end NUMBER]", example=text("/admin grants end 3")),
    "export": Form(written="/admin export usage|ledger|audit", example=text("/admin export usage")),
    "audit": Form(written="/admin audit", example=text("/admin audit")),
    "dashboard": Form(written="/admin dashboard", example=text("/admin dashboard")),
    "grant": Form(
        written="/grant @person AMOUNT [images|usd] until DATE|3d|end of month",
        example=text("/grant @bob 20 images until end of month"),
    ),
    "share": Form(
        written="/team share [@person] AMOUNT images|usd per day|week|month|total",
        example=text("/team share @bob 10 images per day"),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """Whom and what is meant of what has a mark: ids as the platform has them, "" where none is named."""

    member: str = ""
    channel: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """So much of a unit in a window: None is unlimited. back: no amount, but what holds without one is to hold again.

    unit, window: "" where everything is meant, which only `back` can.
    """

    amount: int | None = None
    unit: str = ""
    window: str = ""
    back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamOrder:
    verb: str
    name: str = ""
    to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitOrder:
    """amount: None where the limit is only looked at."""

    kind: str
    name: str = ""
    amount: Amount | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TierOrder:
    """values: of `set`. holder: "person", "role", "team" or "space", of `give` and `take`; target: the team's name."""

    verb: str
    name: str = ""
    rule: str = ""
    values: tuple[str, ...] = ()
    holder: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleOrder:
    """kind: "team", "tier", "off", or "" where they are only looked at."""

    kind: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    generation: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantsOrder:
    """ends: the number of the grant that is to end, 0 where they are only looked at."""

    ends: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOrder:
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockOrder:
    """user: the platform's id."""

    block: bool
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOrder:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardOrder:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantOrder:
    """until: the moment at which it ends."""

    amount: int
    unit: str
    until: datetime
    pool: str = ""


Order = (
    TeamOrder
    | LimitOrder
    | TierOrder
    | RoleOrder
    | RefundOrder
    | GrantsOrder
    | ExportOrder
    | BlockOrder
    | AuditOrder
    | DashboardOrder
)


@dataclass(slots=True)
class Words:
    """Words one after the other; what was in quotes is a name and nothing else. form: how they should have been."""

    said: list[tuple[str, bool]] = field(default_factory=list)
    form: str = ""

    def __bool__(self) -> bool:
        return bool(self.said)

    def take(self) -> str:
        return self.said.pop(0)[0] if self.said else ""

    def rest(self) -> str:
        words = " ".join(word for word, _ in self.said)
        self.said = []
        return words

    def wrong(self, reason: Text) -> UsageError:
        return wrong(reason, self.form) if self.form else UsageError(reason)

    def done(self) -> None:
        """Raises where words are left."""
        if self.said:
            raise self.wrong(text("I do not know what to do with “{words}”.", words=shortened(self.rest())))

    def name(self, *, needed: bool = True) -> str:
        """All that is left, as a name."""
        found = " ".join(self.rest().split())
        if needed and not found:
            raise self.wrong(text("A name is missing."))
        if len(found) > MOST_NAME:
            raise self.wrong(text("A name has at most {most} characters.", most=MOST_NAME))
        if any(not character.isprintable() for character in found) or re.search(r"[<>@#]", found):
            raise self.wrong(text("A name has none of the signs {signs} in it.", signs="<>@#"))
        return found


def wrong(reason: Text, form: str) -> UsageError:
    """The refusal that shows how it is written."""
    known = FORMS[form]
    return UsageError(
        text(
            "{reason} Write: {form} – for example: {example}", reason=reason, form=known.written, example=known.example
        )
    )


def read(area: str, words: str, marked: Marked) -> Order:
    """The order that these words are, behind the name of their area. Raises `UsageError`, and nothing else."""
    said = split(words)
    match area:
        case "team":
            return _team(said, marked)
        case "limit":
            return _limit(said, marked)
        case "tier":
            return _tier(said, marked)
        case "role":
            return _role(said, marked)
        case "block" | "unblock":
            said.form = area
            user = marked.member or said.take()
            if not user:
                raise said.wrong(text("Say whom."))
            said.done()
            return BlockOrder(block=area == "block", user=user)
        case "refund":
            return _refund(said)
        case "grants":
            return _grants(said)
        case "export":
            said.form = "export"
            what = _one_of(said, EXPORTS)
            said.done()
            return ExportOrder(what=what)
        case "audit":
            said.form = "audit"
            said.done()
            return AuditOrder()
        case "dashboard":
            said.form = "dashboard"
            said.done()
            return DashboardOrder()
    raise UsageError(text("{option} takes {taken}, not “{value}”.", option="area", taken=AREAS, value=shortened(area)))


def split(words: str) -> Words:
    """Words and quoted names, as they are compared."""
    words = fold(words)
    found: list[tuple[str, bool]] = []
    at = 0
    while at < len(words):
        if words[at].isspace():
            at += 1
        elif quoted := QUOTED.match(words, at):
            found.append((quoted[quoted.lastindex or 0].strip(), True))
            at = quoted.end()
        else:
            word = re.compile(r"\S+").match(words, at)
            assert word is not None
            found.append((word[0], False))
            at = word.end()
    return Words(found)


def amount_of(said: Words) -> Amount | None:
    """The amount, unit and window at the end of the words, which are taken away; None where there is nothing of it.

    They may stand in any order: `20 images per day`, `每天 20 张`. Raises `UsageError` where only a part is there.
    """
    said.said = _unglued(said.said)
    found: dict[str, str] = {}
    left = list(said.said)
    while left:
        word, quoted = left[-1]
        part = "" if quoted else _part(same(word), found)
        if not part and (quoted or same(word) not in _GLUE or not found):
            break
        if part:
            found[part] = same(word)
        left.pop()
    if "amount" not in found:
        if not found:
            return None
        said.said = left
        raise said.wrong(_no_amount(left))
    said.said = left
    keyword = _KEYWORDS.get(found["amount"], "")
    unit = _UNITS.get(found.get("unit", ""), "")
    window = _WINDOWS.get(found.get("window", ""), "")
    if keyword == BACK:
        if bool(unit) != bool(window):
            raise said.wrong(text("Say both what is counted, images or usd, and for which time."))
        return Amount(unit=unit, window=window, back=True)
    if not unit:
        raise said.wrong(text("Say what is counted: images or usd."))
    if not window:
        raise said.wrong(text("Say for which time: per day, week, month, or total."))
    if keyword:
        return Amount(amount=None if keyword == NO_END else 0, unit=unit, window=window)
    return Amount(amount=number(found["amount"], unit, said.form), unit=unit, window=window)


def number(word: str, unit: str, form: str) -> int:
    """So many pictures, or micro-USD. Raises `UsageError` for what is none."""
    if re.fullmatch(r"[-−–]\s*[\d.,]+", word):
        if form.startswith(("limit", "share")):
            raise wrong(text("An amount cannot be below zero; “none” allows nothing at all."), form)
        raise wrong(text("An amount cannot be below zero."), form)
    found = _NUMBER.fullmatch(word)
    if found is None:
        raise wrong(text("“{word}” is no amount.", word=shortened(word)), form)
    value = Decimal(found["whole"].replace(",", "") + "." + (found["part"] or "0"))
    if unit == "usd":
        value *= MICRO
        if value != value.to_integral_value():
            raise wrong(text("Money has at most six decimals."), form)
    elif value != value.to_integral_value():
        raise wrong(text("Pictures are counted in whole numbers."), form)
    if value > MOST:
        raise wrong(text("This is more than I can count; “unlimited” sets no limit."), form)
    return int(value)


def grant(words: str, now: datetime, zone: str) -> GrantOrder:
    """`20 images until end of month from Design`; what is granted, until when, and out of which pool."""
    said = split(words)
    said.form = "grant"
    before, until, pool = _parts(said.said)
    said.said = _unglued(before)
    unit = "images"
    amounts = [word for word, _ in said.said]
    units = [_UNITS[same(word)] for word in amounts if same(word) in _UNITS]
    numbers = [word for word in amounts if same(word) not in _UNITS]
    if len(units) > 1 or len(numbers) > 1:
        raise said.wrong(text("I do not know what to do with “{words}”.", words=shortened(" ".join(amounts))))
    if units:
        (unit,) = units
    if not numbers:
        raise said.wrong(text("An amount is missing."))
    given = number(same(numbers[0]), unit, "grant")
    if not given:
        raise said.wrong(text("Nothing is no gift: say how much."))
    if not until:
        raise said.wrong(text("Say until when; whatever is granted ends one day."))
    return GrantOrder(amount=given, unit=unit, until=moment_of(until, now, zone), pool=pool)


def moment_of(words: str, now: datetime, zone: str) -> datetime:
    """`3d`, `2026-12-31` (to the end of that day), `end of month`, `月底`. Raises `UsageError`."""
    written = same(words)
    if written in _MONTH_END | _WEEK_END | _DAY_END:
        window = "month" if written in _MONTH_END else "week" if written in _WEEK_END else "day"
        until = resets(window, now, zone)
        assert until is not None
        return until
    if span := _SPAN.fullmatch(written):
        passed = timedelta(**{_SPANS[span["unit"][0]]: int(span["n"])})
        if timedelta() < passed <= timedelta(days=3660):
            return now + passed
    elif re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}", written, re.ASCII):
        try:
            year, month, day = map(int, written.split("-"))
            last = datetime(year, month, day) + timedelta(days=1)  # noqa: DTZ001 - a local day gets its zone next
        except (ValueError, OverflowError):
            raise wrong(text("There is no such day as {day}.", day=written), "grant") from None
        until = last.replace(tzinfo=ZoneInfo(zone))
        if until <= now:
            raise wrong(text("{day} has passed already.", day=written), "grant")
        if until - now > timedelta(days=3660):
            raise wrong(text("That is more than ten years away."), "grant")
        return until
    raise wrong(text("“{words}” is no time that I know.", words=shortened(words)), "grant")


def share(words: str) -> tuple[str, Amount]:
    """`/team share [@bob] 10 images per day`: the team's name, "" for the only one, and the amount."""
    said = split(words)
    said.form = "share"
    amount = amount_of(said)
    if amount is None:
        raise said.wrong(text("An amount is missing."))
    return said.name(needed=False), amount


def _team(said: Words, marked: Marked) -> TeamOrder:
    said.form = "team"
    if not said and not marked.member:
        return TeamOrder(verb="show")
    verb = _one_of(said, TEAM_VERBS)
    said.form = f"team {verb}" if f"team {verb}" in FORMS else "team"
    if verb == "show":
        return TeamOrder(verb=verb, name=said.name(needed=False))
    if verb == "rename":
        name, to = _both_names(said)
        return TeamOrder(verb=verb, name=name, to=to)
    name = said.name()
    if verb in ("add", "remove", "owner", "member") and not marked.member:
        raise said.wrong(text("Say whom."))
    return TeamOrder(verb=verb, name=name)


def _both_names(said: Words) -> tuple[str, str]:
    marks = [place for place, (word, quoted) in enumerate(said.said) if not quoted and same(word) in ("to", "为", "成")]
    parts = [said.said[: marks[-1]], said.said[marks[-1] + 1 :]] if marks else []
    if not marks and len(said.said) == 2:
        parts = [said.said[:1], said.said[1:]]
    if not parts or not all(parts):
        raise said.wrong(text("Say both names."))
    old, new = (Words(part, said.form).name() for part in parts)
    return old, new


def _limit(said: Words, marked: Marked) -> LimitOrder:
    said.form = "limit"
    if not said and not marked.member:
        return LimitOrder(kind="space")
    kind = _one_of(said, LIMIT_KINDS)
    said.form = f"limit {kind}"
    amount = amount_of(said)
    if amount is None and kind in ("person", "all") and said and (marked.member or kind == "all"):
        raise said.wrong(_no_amount(said.said))  # nothing but an amount can stand here
    if kind == "all":
        said.done()
    if kind == "person" and not (marked.member or said):
        raise said.wrong(text("Say whom."))
    name = said.name(needed=kind in ("team", "tier", "share"))
    if kind == "person" and marked.member and name:
        raise said.wrong(text("I do not know what to do with “{words}”.", words=shortened(name)))
    return LimitOrder(kind=kind, name=name, amount=amount)


def _tier(said: Words, marked: Marked) -> TierOrder:
    said.form = "tier"
    if not said:
        return TierOrder(verb="show")
    verb = _one_of(said, TIER_VERBS)
    said.form = f"tier {verb}" if f"tier {verb}" in FORMS else "tier"
    if verb == "show":
        return TierOrder(verb=verb, name=said.name(needed=False))
    if verb in ("create", "drop"):
        return TierOrder(verb=verb, name=_word(said))
    name = said.take()
    if not name:
        raise said.wrong(text("A name is missing."))
    if verb == "set":
        rule = _one_of(said, TIER_RULES)
        values = tuple(word.strip(",") for word, _ in said.said)
        if not values:
            raise said.wrong(text("Say what {rule} shall be; “default” sets no bound.", rule=rule))
        return TierOrder(verb=verb, name=name, rule=rule, values=values)
    if marked.member or marked.role or marked.channel:
        said.done()
        return TierOrder(verb=verb, name=name, holder="person" if marked.member else "role")
    if not said:
        raise said.wrong(text("Say who: a person, a role, “team” and its name, or “space” for everybody here."))
    holder = _one_of(said, ("team", "space"))
    target = said.name() if holder == "team" else ""
    said.done()
    return TierOrder(verb=verb, name=name, holder=holder, target=target)


def _role(said: Words, marked: Marked) -> RoleOrder:
    said.form = "role"
    named = marked.role or marked.channel or marked.member
    if not said and not named:
        return RoleOrder()
    if not named:
        raise said.wrong(text("Say which role, or which channel."))
    kind = _one_of(said, ("team", "tier", "off"))
    if kind == "off":
        said.done()
        return RoleOrder(kind=kind)
    return RoleOrder(kind=kind, target=said.name())


def _refund(said: Words) -> RefundOrder:
    said.form = "refund"
    generation = same(said.take()).removeprefix("#")
    if not generation:
        raise said.wrong(text("Say which: the short id that stands under the picture."))
    reason = said.rest().strip()
    if not reason:
        raise said.wrong(text("Say why; the reason stands in the books."))
    if len(reason) > 300:
        raise said.wrong(text("A reason has at most {most} characters.", most=300))
    return RefundOrder(generation=generation.partition(":")[0], reason=reason)


def _grants(said: Words) -> GrantsOrder:
    said.form = "grants"
    if not said:
        return GrantsOrder()
    _one_of(said, ("end",))
    which = same(said.take()).removeprefix("#")
    if not re.fullmatch(r"[1-9]\d{0,15}", which, re.ASCII):
        raise said.wrong(text("Say which: the number that stands before it."))
    said.done()
    return GrantsOrder(ends=int(which))


def _one_of(said: Words, choices: Sequence[str]) -> str:
    """The next word, which is one of these."""
    typed = said.take()
    if (found := _known(typed, choices)) is not None:
        return found
    if not typed:
        raise said.wrong(text("This is not all: {choices} comes next.", choices=_either(choices)))
    if near := nearest(typed, (*choices, *(other for other, own in ALSO.items() if own in choices))):
        raise said.wrong(text("I do not know “{word}”; did you mean {nearest}?", word=shortened(typed), nearest=near))
    raise said.wrong(
        text("I do not know “{word}”; it is one of {choices}.", word=shortened(typed), choices=tuple(choices))
    )


def _known(typed: str, choices: Sequence[str]) -> str | None:
    written = same(typed)
    return next((each for each in (written, ALSO.get(written, "")) if each in choices), None)


def _either(choices: Sequence[str]) -> Text:
    return verbatim("|".join(choices))


def _word(said: Words) -> str:
    """A tier's name: one word, since values may follow it."""
    name = said.name()
    if " " in name:
        raise said.wrong(text("The name of a tier is one word."))
    return name


def _part(word: str, found: Mapping[str, str]) -> str:
    """What of an amount this word is, if that was not there yet."""
    kinds = {
        "unit": word in _UNITS,
        "window": word in _WINDOWS,
        "amount": word in _KEYWORDS
        or bool(re.fullmatch(r"[-+−–]?[\d.,]+(e[-+]?\d+)?|[-+−–]?(inf|infinity|nan)", word)),
    }
    return next((kind for kind, fits in kinds.items() if fits and kind not in found), "")


def _unglued(said: list[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """`每天20张` is three words, `$5` two."""
    found: list[tuple[str, bool]] = []
    for word, quoted in said:
        if not quoted:
            for pattern, apart in _GLUED:
                word = pattern.sub(apart, word)
        found += [(word, True)] if quoted else [(each, False) for each in word.split()]
    return found


def _no_amount(left: Sequence[tuple[str, bool]]) -> Text:
    return text("“{word}” is no amount.", word=shortened(left[-1][0])) if left else text("An amount is missing.")


def _parts(said: list[tuple[str, bool]]) -> tuple[list[tuple[str, bool]], str, str]:
    """What stands before `until`, behind it, and behind `from`."""
    where = "amount"
    parts: dict[str, list[tuple[str, bool]]] = {"amount": [], "until": [], "from": []}
    marks = {
        "until": "until",
        "till": "until",
        "到": "until",
        "至": "until",
        "直到": "until",
        "from": "from",
        "从": "from",
    }
    for word, quoted in said:
        if not quoted and (mark := marks.get(same(word))) and not parts[mark]:
            where = mark
        else:
            parts[where].append((word, quoted))
    until, pool = (" ".join(word for word, _ in parts[name]) for name in ("until", "from"))
    return parts["amount"], until, pool
