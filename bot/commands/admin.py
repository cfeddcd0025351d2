"""The commands of admins: /admin, by which those who may manage a space set its rules, and see who changed them."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from bot.asking import Answer, Asking
from bot.catalogue.router import Router
from bot.chat import Reply
from bot.clock import micros
from bot.command import NO, YES, Command, Kind, option
from bot.commands.choosing import usable_default
from bot.errors import UsageError
from bot.i18n import LANGUAGES, Text, text, verbatim
from bot.spaces import Audited, Change, SpaceRules, Spaces, name_of
from bot.suggest import same, shortened

RULES = ("show", "channels", "model", "size", "private", "language", "log", "block", "unblock")
MOST_AUDITED = 10
DEFAULT, OFF = "default", "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    area: str = option(
        Kind.CHOICE,
        text("The rules of this space, or the audit: who changed what"),
        default="space",
        choices=("space", "audit"),
    )
    rule: str = option(Kind.CHOICE, text("Which rule to change"), default="show", choices=RULES)
    value: str = option(Kind.CHOICE, text("What it shall be; “default” takes it back"), default="")
    member: str = option(Kind.PERSON, text("Whom to block or unblock"), default="")
    channel: str = option(Kind.ROOM, text("Which channel is meant; else the one where you are"), default="")


@dataclass(frozen=True, kw_only=True)
class Admin:
    spaces: Spaces
    router: Router
    clock: Callable[[], datetime]

    async def admin(self, request: Rule, asking: Asking) -> Answer:
        if request.area == "audit":
            return await self._audit(asking)
        change = await self._change(request, asking)
        if change is None:
            return _told(text("The rules here. Change one: /admin space model seedream-4.5"), asking.rules)
        rules, changed = await self.spaces.change(
            asking.person.space, change, by=asking.person, at=micros(self.clock())
        )
        words = text("Changed. The rules here are now:") if changed else text("It is so already. The rules here:")
        language = {**rules.defaults, **asking.person.settings}.get("language", "")
        return replace(_told(words, rules), language=language)

    async def _audit(self, asking: Asking) -> Answer:
        found = await self.spaces.audit(asking.person.space, MOST_AUDITED)
        if not found:
            return Reply(text=text("Nobody has changed a rule here yet."), private=True)
        rows = tuple((text("{time}", time=each.at), _audited(each)) for each in found)
        return Reply(text=text("The last changes, the newest first:"), rows=rows, private=True)

    async def _change(self, request: Rule, asking: Asking) -> Change | None:
        """What is to become of the rules; None where they are only looked at. Raises `UsageError`."""
        if request.channel:
            _check_id(request.channel, asking.invocation.place.room)
        match request.rule:
            case "channels" if request.value or request.channel:
                return _rooms(request.value, request.channel or asking.invocation.place.room)
            case "log" if request.value or request.channel:
                return _log(request.value, request.channel)
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

    async def _blocking(self, request: Rule, asking: Asking) -> Change:
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


def commands(admin: Admin) -> tuple[Command, ...]:
    models = admin.router.models()
    tiers = tuple(dict.fromkeys(tier for model in models for tier in model.tiers))
    names = tuple(model.name for model in models)
    return (
        Command(
            name="admin",
            summary=text("The rules of this space, for its admins"),
            request=Rule,
            handle=admin.admin,
            aliases=("管理",),
            suggestions={"value": ("add", "remove", "all", *names, *tiers, "yes", "no", *LANGUAGES, OFF, DEFAULT)},
            examples=("/admin space channels add #drawings", "/管理 space language zh-CN"),
            admins_only=True,
            private=True,
        ),
    )


def _check_id(value: str, like: str) -> None:
    """Where a platform's ids are numbers, a name that somebody only typed means nobody, and nothing."""
    if like.isdecimal() and not value.isdecimal():
        raise UsageError(
            text(
                "“{value}” is only a name to me. Choose it from what is offered, or give its id.",
                value=shortened(value),
            )
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


def _default(rule: str, value: str) -> Change:
    return lambda rules: SpaceRules(**{**asdict(rules), rule: value})


def _not_taken(rule: str, value: str, choices: tuple[str, ...]) -> UsageError:
    said = {"rule": rule, "choices": choices, "value": shortened(value)}
    return UsageError(text("{rule} can be one of {choices}, not “{value}”.", **said))


def _told(words: Text, rules: SpaceRules) -> Reply:
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
}


def _audited(change: Audited) -> Text:
    rule = change.what.removeprefix("space ")
    before, after = change.before, change.after
    if isinstance(before, Mapping) and isinstance(after, Mapping):  # a long list, of which one name came or went
        before, after = _without(before, after), _without(after, before)
    return text(
        "{name}: {what}, from {before} to {after}",
        name=change.name,
        what=_LABELS.get(rule, change.what),
        before=_shown(rule, before),
        after=_shown(rule, after),
    )


def _without(names: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    return {id: name for id, name in names.items() if id not in others}


def _shown(rule: str, value: object) -> Text:
    """A rule's value in words; channels as `<#id>`, which an adapter may draw as a link."""
    match rule, value:
        case "rooms", (list() | tuple()) as rooms:
            return verbatim(", ".join(f"<#{room}>" for room in rooms)) if rooms else text("everywhere")
        case "log", str(room):
            return verbatim(f"<#{room}>") if room else text("off")
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
