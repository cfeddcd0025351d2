"""The text grammar: a typed line becomes a command's name and its values, and back. Pure.

`/imagine a red fox --ratio 16:9 --count 2`: whatever is no option is the person's own words, kept letter by letter.
Where a line can be read in two ways it is refused rather than guessed: a guess would cost a picture.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.command import NO, YES, Command, CommandTable, Kind, Option, mention
from bot.errors import UsageError
from bot.i18n import text
from bot.suggest import fold, nearest, same, shortened

QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "「": "」", "『": "』", "＂": "＂"}
# Phones turn `--` into one long dash, Chinese keyboards write two of them.
MARK = re.compile(r"(?<!\S)(?:[-－]{2}|(?P<long>[—–―]{1,2}))(?P<name>[^\W\d_][^\s=＝]*)(?P<equals>[=＝])?")
ESCAPE = re.compile(r"\s*[-－]{2}(?!\S)")
# A closing quote ends a word: the one in 'a fox's den' does not close.
QUOTED = re.compile("|".join(rf"{opening}(.*?){closing}(?!\S)" for opening, closing in QUOTES.items()), re.DOTALL)
WORD = re.compile(r"\S+")
SPACE = re.compile(r"\s*")
LONGEST = 20_000  # five times the longest prompt; a platform may let through more, and who waits is everybody


@dataclass(frozen=True, slots=True)
class Parsed:
    """A command as it was written: its own name, and the values by the options' own names."""

    command: str
    values: dict[str, str]


def parse(line: str, table: CommandTable) -> Parsed | None:
    """What a line says, or None where it is plain words. Raises `UsageError`, and nothing else."""
    line = line.strip()
    if not line.startswith(("/", "／")):
        return None
    if len(line) > LONGEST:
        raise UsageError(
            text(
                "This is too long to be read: {length} characters, and at most {most}.", length=len(line), most=LONGEST
            )
        )
    command, rest = _command(line[1:], table)
    values, words = _options(rest, command)
    return Parsed(command.name, values | _positional(words, command, values))


def plain_words(words: str, command: Command) -> dict[str, str]:
    """What words without a command say to this one: what they would behind its name, but that people write dashes.

    An option that it has not is words, too. Raises `UsageError` for the same as `parse` otherwise.
    """
    if len(words) > LONGEST:  # too many for any picture, which is said with how many there may be
        return _positional(words, command, {})
    values, rest = _options(words, command, plain=True)
    return values | _positional(rest, command, values)


def line(command: Command, values: Mapping[str, object]) -> str:
    """The line that `parse` reads back as these values. Pictures cannot be written and are left out."""
    written = {name: _written(value) for name, value in values.items() if _writable(value)}
    words = next((each.name for each in command.positional if each.verbatim), "")
    prompt = written.pop(words, "").strip()
    escaped = bool(MARK.search(prompt) or ESCAPE.match(prompt))
    bare: list[str] = []
    for each in command.positional:
        value = written.get(each.name, "")
        if escaped or each.name == words or not _plain(value):
            break
        bare.append(written.pop(each.name))
    named = [_named(each, written[each.name]) for each in command.options if each.name in written]
    parts = [*bare, *named, "--", prompt] if escaped else [*bare, prompt, *named]
    return " ".join((f"/{command.name}", *filter(None, parts)))


def _command(line: str, table: CommandTable) -> tuple[Command, str]:
    """The command, and what follows its name. Chinese names need no space behind them: `/画一只狐狸`."""
    found = WORD.match(line)
    name = found[0] if found else ""
    try:
        return table.find(name), line[len(name) :]
    except UsageError:
        aliases = [alias for each in table.listed for alias in each.aliases if not alias.isascii()]
        for alias in sorted(aliases, key=len, reverse=True):
            if name.startswith(alias):
                return table.find(alias), line[len(alias) :]
        raise


def _options(rest: str, command: Command, *, plain: bool = False) -> tuple[dict[str, str], str]:
    """The values that have a name, and the words between them. plain: an option that it has not is words, too."""
    values: dict[str, str] = {}
    words = ""
    at = 0
    while True:
        if not words.strip() and (escape := ESCAPE.match(rest, at)):
            return values, rest[escape.end() :]
        mark = _next_mark(rest, at, command, plain=plain)
        words = _joined(words, rest[at : mark.start() if mark else len(rest)])
        if mark is None:
            return values, words
        option = _option(mark["name"], command)
        if option.name in values:
            raise _twice(option)
        values[option.name], at = _value(rest, mark, option, command, plain=plain)


def _joined(words: str, more: str) -> str:
    """Words on both sides of an option; a line break between them stays one."""
    if not words.strip() or not more.strip():
        return words + more
    left, right = words.rstrip(), more.lstrip()
    broken = "\n" in words[len(left) :] or "\n" in more[: len(more) - len(right)]
    return left + ("\n" if broken else " ") + right


def _next_mark(rest: str, at: int, command: Command, *, plain: bool) -> re.Match[str] | None:
    for mark in MARK.finditer(rest, at):
        if not (plain or mark["long"]) or command.option(mark["name"]):
            return mark
    return None


def _option(name: str, command: Command) -> Option:
    option = command.option(name)
    said = {"option": shortened(name), "command": command.name}
    if option and option.kind is Kind.IMAGES:
        raise UsageError(text("Pictures are attached, or replied to: please leave out --{option}.", **said))
    if option:
        return option
    named = [each for each in command.options if each.kind is not Kind.IMAGES]
    names = [each.name for each in named]
    aliases = [alias for each in named for alias in each.aliases]
    typed = re.split(r"[^\w-]", name)[0]
    if near := nearest(typed, names + aliases):
        raise UsageError(text("There is no option --{option}; did you mean --{nearest}?", **said, nearest=near))
    if not names:
        raise UsageError(text("There is no option --{option}: /{command} has none.", **said))
    options = tuple(f"--{each}" for each in names)
    if not any(each.verbatim for each in command.positional):
        raise UsageError(text("There is no option --{option}. /{command} has {options}.", **said, options=options))
    raise UsageError(
        text(
            "There is no option --{option}. /{command} has {options}. If that is a part of your words, put a lone --"
            " before all of them: /{command} -- … --{option}",
            **said,
            options=options,
        )
    )


def _value(rest: str, mark: re.Match[str], option: Option, command: Command, *, plain: bool) -> tuple[str, int]:
    """The value behind a mark, and where it ends."""
    if option.kind is Kind.SWITCH and not mark["equals"]:
        return _switch(rest, mark.end(), option, command, plain=plain)
    start = mark.end() if mark["equals"] else _skip(rest, mark.end())
    if quoted := QUOTED.match(rest, start):
        value, end = quoted[quoted.lastindex or 0], quoted.end()
    else:
        following = _next_mark(rest, start, command, plain=plain)
        limit = following.start() if following else len(rest)
        word = WORD.match(rest, start, limit)
        end = limit if option.verbatim else word.end() if word else start
        value = rest[start:end]
    value = value.strip() if option.verbatim else fold(value)
    if not value:
        raise UsageError(text("--{option} needs a value behind it.", option=option.name))
    return value, end


def _switch(rest: str, at: int, option: Option, command: Command, *, plain: bool) -> tuple[str, int]:
    word = WORD.match(rest, _skip(rest, at))
    if word is None or same(word[0]) not in YES | NO:
        return "yes", at
    after = _skip(rest, word.end())
    following = _next_mark(rest, after, command, plain=plain)
    clear = after == len(rest) or ESCAPE.match(rest, after) or (following and following.start() == after)
    if not clear and any(each.verbatim for each in command.positional):
        said = {"word": word[0], "option": option.name}
        raise UsageError(
            text("Does “{word}” belong to --{option}? Write --{option}={word}, or put --{option} at the end.", **said)
        )
    return "yes" if same(word[0]) in YES else "no", word.end()


def _positional(words: str, command: Command, named: Mapping[str, str]) -> dict[str, str]:
    """The words without a name, given to the options that take them."""
    values, words = _mentions(words.strip(), command, named)
    for option in command.positional:
        if option.name in named:
            if option.verbatim and words:
                raise _twice(option)
            continue
        if not words:
            break
        if option.takes_rest:
            values[option.name], words = (words if option.verbatim else fold(words)), ""
        elif quoted := QUOTED.match(words):
            values[option.name], words = fold(quoted[quoted.lastindex or 0]), words[quoted.end() :].lstrip()
        else:
            word = words.split(maxsplit=1)[0]
            values[option.name], words = fold(word), words[len(word) :].lstrip()
    if words:
        said = {"command": command.name, "words": shortened(words), "usage": command.usage()}
        raise UsageError(text("/{command} does not know what to do with “{words}”. Write: {usage}", **said))
    return values


def _mentions(words: str, command: Command, named: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """People and rooms, which are known by their mark, and the words without them. Nobody's own words are searched."""
    if any(each.verbatim for each in command.positional):
        return {}, words
    values: dict[str, str] = {}
    rest = []
    for word in words.split():
        option = next((each for each in command.options if mention(each.kind, fold(word))), None)
        if option is None:
            rest.append(word)
        elif option.name in named or option.name in values:
            raise _twice(option)
        else:
            values[option.name] = fold(word)
    return (values, " ".join(rest)) if values else ({}, words)


def _twice(option: Option) -> UsageError:
    return UsageError(text("{option} is given twice.", option=option.name))


def _skip(rest: str, at: int) -> int:
    found = SPACE.match(rest, at)
    return found.end() if found else at


def _writable(value: object) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and bool(value.strip()))


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _plain(value: str) -> bool:
    return bool(WORD.fullmatch(value)) and value[0] not in QUOTES and not MARK.match(value) and not ESCAPE.match(value)


def _named(option: Option, value: str) -> str:
    if option.kind is Kind.SWITCH and same(value) in YES:
        return f"--{option.name}"
    if _plain(value) and not option.verbatim:
        return f"--{option.name} {value}"
    for opening, closing in QUOTES.items():
        if not re.search(rf"{closing}(?=\s)", value):
            return f"--{option.name} {opening}{value}{closing}"
    raise ValueError(f"{option.name} holds every kind of quotation mark")
