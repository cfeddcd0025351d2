"""The command model: one declaration of a command, from which every platform's own form of it is made.

A command's options are the fields of its request dataclass. Nothing here does I/O or knows a platform.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from bot.chat import Attachment
from bot.errors import NotAllowed, UsageError
from bot.i18n import Text, plural, text
from bot.suggest import Completion, fold, nearest, same, shortened, starting

NAMED_PICTURES = 10  # picture options with a name of their own; more come as attachments
YES = frozenset({"yes", "on", "true", "1", "是", "开"})
NO = frozenset({"no", "off", "false", "0", "否", "关"})
# Other names of options, wherever a command has them.
ALIASES = {
    "prompt": ("提示词",),
    "model": ("模型",),
    "size": ("尺寸", "大小"),
    "ratio": ("比例", "ar"),
    "count": ("数量", "张数"),
    "format": ("格式",),
    "watermark": ("水印",),
    "private": ("私密",),
    "optimize": ("优化",),
    "background": ("背景",),
    "search": ("联网", "搜索"),
    "seed": ("种子",),
    "guidance": ("引导强度", "引导"),
    "language": ("语言",),
    "area": ("范围",),
    "rule": ("规则",),
    "value": ("值",),
    "member": ("成员",),
    "channel": ("频道",),
    "role": ("身份组", "角色"),
    "team": ("团队",),
    "action": ("操作",),
    "code": ("代码",),
}
# How people, rooms and roles are written in a line: `<@123>`, `<@!123>`, `@name`; `<#123>`, `#name`; `<@&123>`.
_PERSON = re.compile(r"<@!?(?P<id>[^\s<>@#&]{1,100})>|@(?P<name>[^\s<>@#]{1,100})")
_ROLE = re.compile(r"<@&(?P<id>[^\s<>@#&]{1,100})>|@(?P<name>[^\s<>@#]{1,100})")
_ROOM = re.compile(r"<#(?P<id>[^\s<>@#]{1,100})>|#(?P<name>[^\s<>@#]{1,100})")
TEAM, TIER = "{team}", "{tier}"
"""In what may follow: any team, any tier that there is."""
_BARE_ID = re.compile(r"[^\s<>@#]{1,100}")


class Kind(StrEnum):
    """What an option takes. CHOICE without choices takes any one word; ID is `k3f9`, or `k3f9:2` for one picture.

    NUMBER may have decimals. PERSON, ROOM and ROLE are the platform's own ids of a person, of a channel or chat, and of
    a role, where it has some.
    """

    WORDS = "words"
    INTEGER = "integer"
    NUMBER = "number"
    CHOICE = "choice"
    SWITCH = "switch"
    IMAGES = "images"
    ID = "id"
    PERSON = "person"
    ROOM = "room"
    ROLE = "role"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of a command. `default` is `dataclasses.MISSING` where it must be given.

    suggestions: values to offer where others are possible too. also: other words for its choices.
    low, high: bounds of a number (high 0: none above), or how many pictures are needed and taken.
    """

    name: str
    kind: Kind
    help: Text
    required: bool
    default: Any
    choices: tuple[str, ...] = ()
    low: int = 0
    high: int = 0
    suggestions: tuple[str, ...] = ()
    also: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The names under which values come: `image1` to `image10` for `images`, else its own."""
        if self.kind is not Kind.IMAGES or self.high <= 1:
            return (self.name,)
        stem = self.name.removesuffix("s")
        return tuple(f"{stem}{number}" for number in range(1, min(self.high, NAMED_PICTURES) + 1))

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other names that people may type for it."""
        return ALIASES.get(self.name, ())

    @property
    def verbatim(self) -> bool:
        """It takes a person's own words, of which nothing may be changed."""
        return self.kind is Kind.WORDS and not self.suggestions

    @property
    def takes_rest(self) -> bool:
        """It takes all the words that are left behind the other options."""
        return self.kind is Kind.WORDS

    def check(self, value: object) -> Any:
        """The value in the option's own type; a `UsageError` says what came and what is taken."""
        match self.kind, value:
            case Kind.WORDS, str():
                return value if self.verbatim else fold(value)
            case Kind.INTEGER, int() | str() if not isinstance(value, bool):
                return self._integer(value)
            case Kind.NUMBER, int() | float() | str() if not isinstance(value, bool):
                return self._number(value)
            case Kind.CHOICE, str():
                return self._choice(fold(value))
            case Kind.SWITCH, bool():
                return value
            case Kind.SWITCH, str() if same(value) in YES | NO:
                return same(value) in YES
            case Kind.IMAGES, Attachment():
                return (value,)
            case Kind.IMAGES, tuple() if all(isinstance(one, Attachment) for one in value):
                return value
            case Kind.ID, str():
                return self._id(value)
            case Kind.PERSON | Kind.ROOM | Kind.ROLE, str():
                return self._mentioned(value)
        raise UsageError(self._refusal(value))

    def _integer(self, value: int | str) -> int:
        # 18 digits: `int` refuses very long ones with an error of its own.
        written = fold(str(value))
        if re.fullmatch(r"[+-]?[0-9]{1,18}", written):
            number = int(written)
            if self._within(number):
                return number
        raise UsageError(self._refusal(value))

    def _number(self, value: float | str) -> float:
        written = fold(str(value))
        if re.fullmatch(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?", written):
            number = float(written)
            if self._within(number):
                return number
        raise UsageError(self._refusal(value))

    def _within(self, number: float) -> bool:
        return self.low <= number and (not self.high or number <= self.high)

    def _choice(self, value: str) -> str:
        if not self.choices:
            return value
        for choice in self.choices:
            if same(choice) in (same(value), same(self.also.get(same(value), ""))):
                return choice
        raise UsageError(self._refusal(value))

    def _id(self, value: str) -> str:
        written = same(value).removeprefix("#")
        if not re.fullmatch(r"[0-9a-z_-]{1,60}(:[0-9]{1,4})?", written):
            raise UsageError(self._refusal(value))
        return written

    def _mentioned(self, value: str) -> str:
        written = fold(value)
        if found := mention(self.kind, written):
            return found
        if _BARE_ID.fullmatch(written):
            return written
        raise UsageError(self._refusal(value))

    def _refusal(self, value: object) -> Text:
        came = shortened(str(value)) if isinstance(value, str | int | float) else type(value).__name__
        said = {"option": self.name, "taken": self._taken(), "value": came}
        if near := nearest(came, self.choices):
            return text("{option} takes {taken}, not “{value}”. Did you mean {nearest}?", **said, nearest=near)
        return text("{option} takes {taken}, not “{value}”.", **said)

    def _taken(self) -> Text:
        match self.kind:
            case Kind.INTEGER if self.high:
                return text("a whole number from {low} to {high}", low=self.low, high=self.high)
            case Kind.INTEGER:
                return text("a whole number from {low} up", low=self.low)
            case Kind.NUMBER:
                return text("a number from {low} to {high}", low=self.low, high=self.high)
            case Kind.CHOICE if self.choices:
                return text("one of {choices}", choices=self.choices)
            case Kind.SWITCH:
                return text("yes or no")
            case Kind.IMAGES:
                return text("an attached picture")
            case Kind.ID:
                return text("the short id that stands under a picture")
            case Kind.PERSON:
                return text("a person, such as @name")
            case Kind.ROOM:
                return text("a channel, such as #name")
            case Kind.ROLE:
                return text("a role, such as @name")
            case _:
                return text("words")


def mention(kind: Kind, word: str) -> str:
    """The id in a word that is marked as a person, a room or a role, whichever is asked for; "" where it is not."""
    pattern = {Kind.PERSON: _PERSON, Kind.ROOM: _ROOM, Kind.ROLE: _ROLE}.get(kind)
    found = pattern.fullmatch(word) if pattern else None
    return (found["id"] or found["name"]) if found else ""


def option(
    kind: Kind,
    help: Text,
    *,
    default: Any = MISSING,
    choices: tuple[str, ...] = (),
    suggestions: tuple[str, ...] = (),
    also: Mapping[str, str] | None = None,
    low: int = 0,
    high: int = 0,
) -> Any:
    """A field of a request dataclass that people may give; without a default they must.

    Pictures never need a default: `low` says how many are needed.
    """
    required = default is MISSING
    if kind is Kind.IMAGES:
        required, default, high = low > 0, (), max(low, high, 1)
    own: dict[str, Any] = {"choices": choices, "suggestions": suggestions, "low": low, "high": high, "also": also or {}}
    declared = Option(name="", kind=kind, help=help, required=required, default=default, **own)
    return field(default=default, metadata={"option": declared})


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One entry of the command table: `handle(request, context)` answers a bound `request`.

    choices, suggestions: by option name, what is known only when the table is built. hidden: options that do not
    exist here, because nothing that is configured has them.
    listed: False for what only a button reaches. admins_only: refused to all others, and not shown to them. judges: it
    decides by itself whom it refuses, and only is not shown to others.
    follows: what may come behind its first words, by these words: a positional option's values by those before it.
    private: its answer is for the asker alone, whatever is asked. foresee: raises what is certain to be refused of a
    request, by the defaults that hold for the asker; it waits for nothing.
    """

    name: str
    summary: Text
    request: type
    handle: Callable[[Any, Any], Awaitable[Any]]
    aliases: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    suggestions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    follows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    listed: bool = True
    admins_only: bool = False
    judges: bool = False
    private: bool = False
    foresee: Callable[[Any, Mapping[str, str], Callable[[str], bool]], None] | None = None
    options: tuple[Option, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        declared = tuple(
            replace(
                each.metadata["option"],
                name=each.name,
                choices=self.choices.get(each.name, each.metadata["option"].choices),
                suggestions=self.suggestions.get(each.name, each.metadata["option"].suggestions),
            )
            for each in fields(self.request)
            if "option" in each.metadata
        )
        if unknown := {*self.choices, *self.suggestions, *self.hidden} - {each.name for each in declared}:
            raise ValueError(f"/{self.name} has no option {', '.join(sorted(unknown))}")
        object.__setattr__(self, "options", tuple(each for each in declared if each.name not in self.hidden))

    @property
    def positional(self) -> tuple[Option, ...]:
        """The options that words without a name fill, in order; verbatim words come last and take all the rest.

        People, rooms and roles are none of them: in a line they are known by their mark, wherever they stand.
        """
        marked = (Kind.SWITCH, Kind.IMAGES, Kind.PERSON, Kind.ROOM, Kind.ROLE)
        single = [each for each in self.options if each.kind not in marked]
        for position, each in enumerate(single):
            if each.verbatim:
                return (*(before for before in single[:position] if before.required), each)
        return tuple(single)

    def option(self, name: str) -> Option | None:
        """The option that takes values under this name, in any case."""
        wanted = same(name)
        return next((each for each in self.options if wanted in (each.name, *each.names, *each.aliases)), None)

    def following(self, option: Option, chosen: Mapping[str, str]) -> tuple[str, ...] | None:
        """What may stand in it behind the other options as they are chosen; None where these do not matter."""
        place = self.positional.index(option) if option in self.positional else 0
        if not self.follows or not place:
            return None
        words = (same(chosen.get(each.name) or str(each.default)) for each in self.positional[:place])
        return self.follows.get(" ".join(words), ())

    def usage(self) -> str:
        """One line that shows how it is written: `/edit prompt image1 [image2..image10] [--count 1-4]`."""
        return " ".join((self.subject(), *self.flags()))

    def subject(self) -> str:
        """The first part of the usage line: what is written or attached without a name."""
        parts = [each.name if each.required else f"[{each.name}]" for each in self._bare()]
        for each in self.options:
            if each.kind is Kind.IMAGES:
                parts += [*each.names[: each.low], *_span(each.names[each.low :])]
        return " ".join((f"/{self.name}", *parts))

    def flags(self) -> tuple[str, ...]:
        """The second part of the usage line: what is written with a name."""
        bare = self._bare()
        named = [each for each in self.options if each not in bare and each.kind is not Kind.IMAGES]
        return tuple(_flag(each) if each.required else f"[{_flag(each)}]" for each in named)

    def _bare(self) -> tuple[Option, ...]:
        """Positional options that are clearest without a name; several optional ones are not."""
        if len(self.positional) == 1:
            return self.positional
        return tuple(each for each in self.positional if each.required or each.verbatim)

    def check_allowed(self, *, admin: bool) -> None:
        """Raises `NotAllowed` for whoever may not use it."""
        if self.admins_only and not admin:
            raise NotAllowed(text("/{command} is for admins.", command=self.name))

    def bind(
        self,
        values: Mapping[str, object],
        attachments: tuple[Attachment, ...] = (),
        *,
        pictures_coming: int = 0,
    ) -> Any:
        """The request, from text or typed values by option name; blank ones count as not given.

        Attachments fill the picture options after those that have a name. `pictures_coming` says how many pictures
        the caller will put before them: they count for what is needed and for the most.
        """
        given: dict[str, Any] = {}
        pictures: dict[str, dict[int, tuple[Attachment, ...]]] = {}
        for name, value in values.items():
            if value is None or (isinstance(value, str) and not value.strip()):
                continue
            option = self._named(name)
            if option.kind is Kind.IMAGES:
                position = ("", *option.names).index(same(name)) if same(name) in option.names else 0
                pictures.setdefault(option.name, {})[position] = option.check(value)
            else:
                given[option.name] = option.check(value)
        given |= self._pictures(pictures, attachments, pictures_coming)
        self._require(given, pictures_coming)
        return self.request(**given)

    def _named(self, name: str) -> Option:
        if option := self.option(name):
            return option
        said = {"option": shortened(name), "usage": self.usage()}
        if near := nearest(name, (known for each in self.options for known in each.names)):
            raise UsageError(text("There is no option {option}; did you mean {nearest}?", **said, nearest=near))
        raise UsageError(text("There is no option {option}. Write: {usage}", **said))

    def _pictures(
        self,
        named: Mapping[str, Mapping[int, tuple[Attachment, ...]]],
        attachments: tuple[Attachment, ...],
        coming: int,
    ) -> dict[str, tuple[Attachment, ...]]:
        """What each picture option gets; the named ones in the order of their numbers, then the attachments."""
        given = {}
        for option in self.options:
            if option.kind is Kind.IMAGES:
                slots = named.get(option.name, {})
                own = tuple(picture for number in sorted(slots) for picture in slots[number])
                room = max(0, option.high - coming - len(own))
                given[option.name] = own + attachments[:room]
                attachments = attachments[room:]
                if coming + len(own) > option.high:
                    raise UsageError(self._too_many())
        if attachments:
            raise UsageError(self._too_many())
        return given

    def _too_many(self) -> Text:
        most = sum(each.high for each in self.options if each.kind is Kind.IMAGES)
        if not most:
            return text("/{command} takes no pictures.", command=self.name)
        said = {"command": self.name}
        return plural("/{command} takes one picture.", "/{command} takes at most {count} pictures.", most, **said)

    def _require(self, given: Mapping[str, Any], coming: int) -> None:
        """Nothing that is needed is missing."""
        said = {"command": self.name, "usage": self.usage()}
        for option in self.options:
            if option.kind is Kind.IMAGES and len(given[option.name]) + coming < option.low:
                raise UsageError(
                    plural(
                        "/{command} needs a picture: attach it, or reply to one. Write: {usage}",
                        "/{command} needs {count} pictures: attach them, or reply to some. Write: {usage}",
                        option.low,
                        **said,
                    )
                )
            if option.required and option.verbatim and self.examples and option.name not in given:
                raise UsageError(
                    text(
                        "Write what you want behind /{command}, as in: {examples}",
                        **said,
                        examples=tuple(f"“{each}”" for each in self.examples),
                    )
                )
            if option.required and option.kind is not Kind.IMAGES and option.name not in given:
                raise UsageError(text("/{command} needs {option}. Write: {usage}", **said, option=option.name))


def _span(names: tuple[str, ...]) -> tuple[str, ...]:
    match names:
        case ():
            return ()
        case (only,):
            return (f"[{only}]",)
        case _:
            return (f"[{names[0]}..{names[-1]}]",)


def _flag(option: Option) -> str:
    match option.kind:
        case Kind.SWITCH:
            return f"--{option.name}"
        case Kind.INTEGER | Kind.NUMBER if option.high:
            return f"--{option.name} {option.low}-{option.high}"
        case Kind.PERSON | Kind.ROLE:
            return f"@{option.name}"
        case Kind.ROOM:
            return f"#{option.name}"
        case _:
            return f"--{option.name} …"


class CommandTable:
    """All commands, by every name they have."""

    def __init__(self, commands: Iterable[Command]) -> None:
        self.commands = tuple(commands)
        self.listed = tuple(each for each in self.commands if each.listed)
        self._names: dict[str, Command] = {}
        for command in self.commands:
            for name in (command.name, *command.aliases):
                if self._names.setdefault(same(name), command) is not command:
                    raise ValueError(f"two commands are called /{name}")

    def find(self, name: str) -> Command:
        """The command of this name or alias, in any case; `UsageError` names the nearest."""
        if command := self._names.get(same(name)):
            return command
        known = [known for each in self.listed for known in (each.name, *each.aliases)]
        if near := nearest(name, known):
            raise UsageError(
                text("No command is called /{name}; did you mean /{nearest}?", name=shortened(name), nearest=near)
            )
        raise UsageError(text("No command is called /{name}. /help lists them all.", name=shortened(name)))

    def listed_for(self, *, admin: bool) -> tuple[Command, ...]:
        """The commands that this person is shown."""
        return tuple(each for each in self.listed if admin or not each.admins_only)

    def complete(self, line: str, *, admin: bool = False) -> tuple[Completion, ...]:
        """What may stand in place of the last word of a command that is being typed; fast enough for every key."""
        if not line.startswith(("/", "／")):
            return ()
        *before, last = re.split(r"\s+", line[1:])
        if not before:
            shown = self.listed_for(admin=admin)
            names = ((f"/{name}", each.summary) for each in shown for name in (each.name, *each.aliases))
            return starting(f"/{last}", names)
        command = self._names.get(same(before[0]))
        if command is None or (command.admins_only and not admin):
            return ()
        return _arguments(command, [same(word) for word in before[1:]], last)


def _arguments(command: Command, before: list[str], last: str) -> tuple[Completion, ...]:
    """What may follow the words `before`: option names once a dash is typed, else the values of the option in turn."""
    if last.startswith(("-", "－")):
        named = [each for each in command.options if each.kind is not Kind.IMAGES and f"--{each.name}" not in before]
        return starting(last, ((f"--{each.name}", each.help) for each in named))
    plain = not any(word.startswith("-") for word in before) and len(before) < len(command.positional)
    if plain and before:
        names = (each.name for each in command.positional)
        option = command.positional[len(before)]
        words = command.following(option, dict(zip(names, before, strict=False))) or ()
        return starting(last, ((value, option.help) for value in words if TEAM not in value and TIER not in value))
    chosen = command.positional[0] if plain else None
    if before and before[-1].startswith("--"):
        chosen = command.option(before[-1][2:])
    return starting(last, ((value, chosen.help) for value in chosen.choices + chosen.suggestions)) if chosen else ()


def markdown(table: CommandTable, say: Callable[[Text], str]) -> str:
    """The table of commands as the README shows it, in the language of `say`."""
    heads = (text("Command"), text("What it does"), text("Options"))
    rows = [" | ".join(say(head) for head in heads), " | ".join("---" for _ in heads)]
    for command in table.listed:
        names = ", ".join(f"`{name}`" for name in (command.subject(), *(f"/{alias}" for alias in command.aliases)))
        summary = say(command.summary).replace("|", "\\|")
        rows.append(f"{names} | {summary} | {' '.join(f'`{flag}`' for flag in command.flags())}")
    return "".join(f"| {row} |\n" for row in rows)
