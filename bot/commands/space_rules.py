"""The rules of a space as its admins write and read them: `/admin space RULE VALUE`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import available_timezones

from bot.asking import Asking
from bot.audit import Audited
from bot.catalogue.router import Router
from bot.chat import Reply
from bot.command import NO, YES
from bot.commands.choosing import usable_default
from bot.errors import UsageError
from bot.i18n import LANGUAGES, Text, plural, text, verbatim
from bot.moderation.policy import ALWAYS, NEVER
from bot.moderation.reviews import waiting
from bot.moderation.words import VERDICTS, added, read
from bot.spaces import Change, SpaceRules, Spaces, WordRule, name_of
from bot.suggest import fold, nearest, same, shortened

RULES = (
    *("show", "channels", "model", "size", "private", "language", "log", "block", "unblock"),
    *("zone", "words", "models", "watermark", "review", "alerts", "digest"),
)
# Other words for the rules, and for what stands in them.
ALSO_RULES = {
    "查看": "show",
    "频道": "channels",
    "模型": "model",
    "尺寸": "size",
    "私密": "private",
    "语言": "language",
    "日志": "log",
    "屏蔽": "block",
    "解除屏蔽": "unblock",
    "时区": "zone",
    "词语": "words",
    "词表": "words",
    "可用模型": "models",
    "水印": "watermark",
    "审核": "review",
    "提醒": "alerts",
    "周报": "digest",
}
_ALSO = {
    "添加": "add",
    "移除": "remove",
    "删除": "remove",
    "拒绝": "refuse",
    "审核": "review",
    "允许": "allow",
    "放行": "allow",
    "全部": "all",
    "默认": "default",
    "关": "off",
    "关闭": "off",
    "开": "on",
    "总是": ALWAYS,
    "从不": NEVER,
}
DEFAULT, OFF, ALL = "default", "off", "all"
MOST_SHOWN = 1500  # characters of a list of words


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleAsked:
    """One `/admin space` as it was written: after the rule all words of its value, spaces and quotes as they were.

    member, channel: ids, "" where none was named.
    """

    rule: str
    value: str
    member: str
    channel: str


@dataclass(frozen=True, kw_only=True)
class RuleReader:
    spaces: Spaces
    router: Router

    async def change(self, request: RuleAsked, asking: Asking) -> Change | None:
        """What is to become of the rules; None where they are only looked at. Raises `UsageError`."""
        if request.channel:
            _check_id(request.channel, asking.invocation.place.room)
            if not (request.rule == "channels" and same(request.value) == "remove"):
                check_room(request.channel, asking.invocation.rooms)
        match request.rule:
            case "channels" if request.value or request.channel:
                return _rooms(request.value, request.channel or asking.invocation.place.room)
            case "log" if request.value or request.channel:
                return _log(request.value, request.channel)
            case "alerts" if request.value or request.channel:
                return _alerts(request.value, request.channel)
            case "review" if request.value or request.channel:
                return _review(request.value, request.channel)
            case "zone" if request.value:
                return _default("zone", _zone(request.value))
            case "words" if request.value:
                return _words(request.value)
            case "models" if request.value:
                return _default("models", self._models(request.value))
            case "watermark" if request.value:
                return _default("watermark", _chosen("watermark", request.value, (ALWAYS, NEVER, DEFAULT)))
            case "digest" if request.value:
                return _default("digest", "weekly" if _switched(request.value) else "")
            case "block" | "unblock":
                return await self._blocking(request, asking)
            case "model" | "size" | "private" | "language" as rule if request.value:
                return _default(rule, self._checked(rule, request.value))
        return None

    def _checked(self, rule: str, value: str) -> str:
        if same(value) == DEFAULT:
            return ""
        match rule:
            case "private":
                if same(value) not in YES | NO:
                    raise _not_taken(rule, value, ("yes", "no", DEFAULT))
                return "yes" if same(value) in YES else "no"
            case "language":
                known = {same(language): language for language in LANGUAGES}
                if same(value) not in known:
                    raise _not_taken(rule, value, (*LANGUAGES, DEFAULT))
                return known[same(value)]
        return usable_default(self.router, rule, value)

    def _models(self, value: str) -> tuple[str, ...]:
        if _meant(value) in (ALL, DEFAULT):
            return ()
        names = (self.router.offers(name)[0].name for name in fold(value).replace("、", ",").replace(",", " ").split())
        return tuple(dict.fromkeys(names))

    async def show(self, words: Text, rules: SpaceRules, space: str) -> Reply:
        """The rules, and what waits for an admin's eyes."""
        reply = told(words, rules)
        waits, lost = await self.spaces.database.read(waiting, space)
        notes = []
        if waits:
            notes.append(plural("One result waits for a review.", "{count} results wait for a review.", waits))
        if lost:
            notes.append(
                text("I cannot post to the review channel. Name another one: /admin space review #name; “off” ends it.")
            )
        return replace(reply, notes=tuple(notes))

    async def _blocking(self, request: RuleAsked, asking: Asking) -> Change:
        user = request.member or request.value
        if not user:
            raise UsageError(text("Say whom: /admin space {rule} @name", rule=request.rule))
        if request.rule == "unblock":
            return lambda rules: replace(
                rules, blocked={id: name for id, name in rules.blocked.items() if user not in (id, name)}
            )
        _check_id(user, asking.invocation.actor.user)
        name = await self.spaces.database.read(name_of, asking.invocation.actor.adapter, user) or user
        return lambda rules: replace(rules, blocked={**rules.blocked, user: name})


def _check_id(value: str, like: str) -> None:
    """Where a platform's ids are numbers, a name that somebody only typed means nobody, and nothing."""
    if like.isdecimal() and not value.isdecimal():
        raise UsageError(
            text(
                "“{value}” is only a name to me. Choose it from what is offered, or give its id.",
                value=shortened(value),
            )
        )


def check_room(room: str, known: tuple[str, ...]) -> None:
    """known: none where the platform does not tell; there it takes only those that are there."""
    if known and room not in known:
        rooms = tuple(verbatim(f"#{each}") for each in known)
        raise UsageError(
            text("There is no channel “{value}” here. There are: {rooms}.", value=shortened(room), rooms=rooms)
        )


def _rooms(value: str, room: str) -> Change:
    match same(value):
        case "all" | "default":
            return lambda rules: replace(rules, rooms=())
        case "add" | "remove" | "" if not room:
            raise UsageError(text("Say which channel: /admin space channels add #name"))
        case "add" | "":
            return lambda rules: replace(rules, rooms=tuple(dict.fromkeys((*rules.rooms, room))))
        case "remove":
            return lambda rules: replace(rules, rooms=tuple(each for each in rules.rooms if each != room))
    raise _not_taken("channels", value, ("add", "remove", "all"))


def _log(value: str, room: str) -> Change:
    if room:
        return lambda rules: replace(rules, log=room)
    if same(value) in (OFF, DEFAULT):
        return lambda rules: replace(rules, log="")
    raise UsageError(text("Say which channel: /admin space log #name. “off” ends it."))


def _alerts(value: str, room: str) -> Change:
    if room:
        return lambda rules: replace(rules, alerts=room)
    if _meant(value) in (OFF, DEFAULT):
        return lambda rules: replace(rules, alerts="")
    raise UsageError(text("Say which channel: /admin space alerts #name. “off” ends it."))


def _review(value: str, room: str) -> Change:
    if room:
        every = _chosen("review", value, (ALL, "words")) == ALL if value else False
        return lambda rules: replace(rules, review=room, review_all=every)
    if _meant(value) in (OFF, DEFAULT):
        return lambda rules: replace(rules, review="", review_all=False)
    raise UsageError(
        text("Say which channel: /admin space review #name, or #name all for every result. “off” ends it.")
    )


def _words(value: str) -> Change:
    """`add refuse|review|allow WORDS`, `remove WORDS`, or `remove all`."""
    verb, _, rest = value.strip().partition(" ")
    match _meant(verb):
        case "add":
            verdict, _, rest = rest.strip().partition(" ")
            verdict = _chosen("words add", verdict, VERDICTS)
            if found := read(rest):
                return lambda rules: replace(rules, words=added(rules.words, found, verdict))
        case "remove" if _meant(rest) == ALL:
            return lambda rules: replace(rules, words=())
        case "remove":
            if found := read(rest):
                return lambda rules: replace(rules, words=_without_words(rules.words, found))
    raise UsageError(
        text("Write it so: /admin space words add refuse blood “red light” f*ck, or /admin space words remove blood")
    )


def _without_words(rules: tuple[WordRule, ...], words: tuple[str, ...]) -> tuple[WordRule, ...]:
    known = [rule.words for rule in rules]
    if strange := next((word for word in words if word not in known), None):
        said = {"word": shortened(strange)}
        if near := nearest(strange, known):
            raise UsageError(text("“{word}” is in no list here. Did you mean {nearest}?", **said, nearest=near))
        raise UsageError(text("“{word}” is in no list here.", **said))
    return tuple(rule for rule in rules if rule.words not in words)


def _zone(value: str) -> str:
    if _meant(value) == DEFAULT:
        return ""
    zones = available_timezones()
    known = {same(zone): zone for zone in zones}
    written = same(value).replace(" ", "_")
    if written in known:
        return known[written]
    cities = {zone.rpartition("/")[2]: zone for zone in sorted(zones) if "/" in zone}
    city = {same(name): zone for name, zone in cities.items()}.get(written)
    near = city or nearest(written, zones) or cities.get(nearest(written.rpartition("/")[2], cities), "")
    said = {"value": shortened(value)}
    if near:
        raise UsageError(text("There is no time zone “{value}”. Did you mean {nearest}?", **said, nearest=near))
    raise UsageError(text("There is no time zone “{value}”. Write one as Asia/Shanghai.", **said))


def _switched(value: str) -> bool:
    if same(value) in YES | {"weekly"}:
        return True
    if same(value) in NO | {DEFAULT}:
        return False
    raise _not_taken("digest", value, ("on", "off"))


def _chosen(rule: str, value: str, choices: tuple[str, ...]) -> str:
    """The one that was written, "" for the default."""
    if _meant(value) not in choices:
        raise _not_taken(rule, value, choices)
    return "" if _meant(value) == DEFAULT else _meant(value)


def _meant(word: str) -> str:
    return _ALSO.get(same(word), same(word))


def _default(rule: str, value: str | tuple[str, ...]) -> Change:
    changed: dict[str, Any] = {rule: value}
    return lambda rules: replace(rules, **changed)


def _not_taken(rule: str, value: str, choices: tuple[str, ...]) -> UsageError:
    said = {"rule": rule, "choices": choices, "value": shortened(value)}
    return UsageError(text("{rule} can be one of {choices}, not “{value}”.", **said))


def told(words: Text, rules: SpaceRules) -> Reply:
    rows = tuple((label, _shown(name, getattr(rules, name))) for name, label in _LABELS.items())
    return Reply(text=words, rows=rows, private=True)


_LABELS = {
    "rooms": text("Channels where I draw"),
    "model": text("Usual model"),
    "size": text("Usual size"),
    "private": text("Private by default"),
    "language": text("Language"),
    "log": text("Log channel"),
    "blocked": text("Blocked"),
    "zone": text("Time zone"),
    "words": text("Words"),
    "models": text("Models that may be used"),
    "watermark": text("Watermark"),
    "review": text("Review channel"),
    "alerts": text("Alerts channel"),
    "digest": text("Weekly digest"),
    "review_all": text("What is reviewed"),
}


def audited(change: Audited) -> Text:
    rule = change.what.removeprefix("space ")
    before, after = change.before, change.after
    if rule == "words" and isinstance(before, list) and isinstance(after, list):
        before, after = ([each for each in some if each not in others] for some, others in _both(before, after))
    if isinstance(before, Mapping) and isinstance(after, Mapping):  # a long list, of which one name came or went
        before, after = _without(before, after), _without(after, before)
    return text(
        "{name}: {what}, from {before} to {after}",
        name=change.name,
        what=_LABELS.get(rule, change.what),
        before=_shown(rule, before),
        after=_shown(rule, after),
    )


def _both(before: list[object], after: list[object]) -> tuple[tuple[list[object], list[object]], ...]:
    return (before, after), (after, before)


def _without(names: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    return {id: name for id, name in names.items() if id not in others}


def _shown(rule: str, value: object) -> Text:
    """A rule's value in words; channels as `<#id>`, which an adapter may draw as a link."""
    match rule, value:
        case "rooms", (list() | tuple()) as rooms:
            return verbatim(", ".join(f"<#{room}>" for room in rooms)) if rooms else text("everywhere")
        case "log" | "review" | "alerts", str(room):
            return verbatim(f"<#{room}>") if room else text("off")
        case "words", (list() | tuple()) as words:
            return _listed(words)
        case "models", (list() | tuple()) as models:
            return verbatim(", ".join(models)) if models else text("all")
        case "review_all", bool(every):
            return text("every result") if every else text("what words ask for")
        case "digest", str(digest):
            return text("on") if digest else text("off")
        case "watermark", "always":
            return text("always")
        case "watermark", "never":
            return text("never")
        case "blocked", Mapping() as blocked:
            names = (name if name == id else f"{name} ({id})" for id, name in blocked.items())
            return verbatim(", ".join(names)) if blocked else text("nobody")
        case "private", "yes":
            return text("on")
        case "private", "no":
            return text("off")
        case _, "":
            return text("default")
        case "language", str(language):
            return verbatim(LANGUAGES.get(language, language))
    return verbatim(str(value))


def _listed(rules: Iterable[WordRule | Mapping[str, str]]) -> Text:
    """Each verdict with its words: `refuse: blood, f*ck; allow: blood orange`. The audit has them as JSON."""
    known = [rule if isinstance(rule, WordRule) else WordRule(**rule) for rule in rules]
    lists = {verdict: [rule.words for rule in known if rule.verdict == verdict] for verdict in VERDICTS}
    written = "; ".join(f"{verdict}: {', '.join(words)}" for verdict, words in lists.items() if words)
    if not written:
        return text("none")
    return verbatim(written if len(written) <= MOST_SHOWN else written[: MOST_SHOWN - 1] + "…")
