"""`setup`: joins a chat platform to the bot, with a person at the terminal.

What is asked and done is the platform's own matter. Its `adapters.<name>.setup` holds `ASKED`, the settings that it
cannot do without and the question for each, and `set_up`, which does the rest and tells what it does. It may have
`SHOWN`, of these what is no secret, and `CREATE` with `create`, which make them instead of asking for them.
"""

import asyncio
import importlib
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import typer
from dotenv import set_key
from pydantic import SecretStr

from bot.command import CommandTable
from bot.errors import CannotStart
from bot.i18n import Text, language_of, say, text
from bot.platforms import Platforms
from bot.settings import Settings
from bot.sources import PREFIX

PICTURE = Path(__file__).parents[1] / "welcome.jpg"
DOTENV = Path(".env")  # in the folder where the bot is started: `bot.sources` reads it there
Table = Callable[[], Awaitable[CommandTable]]


class Platform(Protocol):
    """A platform's own part. `set_up` tells what it does.

    It returns False where something must be mended first, and None where what was entered is of no use.
    """

    ASKED: Mapping[str, Text]

    async def set_up(
        self,
        values: Mapping[str, Any],
        tell: Callable[[Text], object],
        *,
        table: Table,
        picture: Path,
        channel: str,
        language: str,
    ) -> bool | None: ...


@runtime_checkable
class Maker(Protocol):
    """A platform that can make what is asked for, after a yes to `CREATE`. `create` raises `CannotStart`."""

    CREATE: Text

    async def create(self, values: Mapping[str, Any], tell: Callable[[Text], object]) -> Mapping[str, str]: ...


def set_up(name: str, settings: Settings, *, table: Table, channel: str = "") -> int:
    """Returns the exit code. channel: the id of one that gets a test picture. Raises `CannotStart`.

    Questions are asked outside of the event loop: within it, Ctrl-C would have to be pressed twice.
    """
    platform = _platform(name)
    language = language_for(settings, os.environ)
    values = {key: _plain(value) for key, value in getattr(settings, name)}
    values |= {"public_url": settings.web.public_url}
    missing = {key: question for key, question in platform.ASKED.items() if not values.get(key)}

    def tell(words: Text) -> None:
        typer.echo(say(words, language))

    if missing.keys() == platform.ASKED.keys() and isinstance(platform, Maker) and _agreed(platform.CREATE, language):
        made = asyncio.run(platform.create(values, tell))
        _offer_to_keep({_variable(name, key): value for key, value in made.items()}, language)  # it is told only once
        values, missing = {**values, **made}, {}
    shown = getattr(platform, "SHOWN", ())
    entered = {
        key: _ask(question, _variable(name, key), language, hidden=key not in shown)
        for key, question in missing.items()
    }
    well = asyncio.run(
        platform.set_up({**values, **entered}, tell, table=table, picture=PICTURE, channel=channel, language=language)
    )
    if entered and well is not None:
        _offer_to_keep({_variable(name, key): value for key, value in entered.items()}, language)
    return 0 if well else 1


def language_for(settings: Settings, environment: Mapping[str, str]) -> str:
    """The operator's language: as it is set for the bot, else as the terminal has it."""
    if "language" in settings.model_fields_set:
        return settings.language
    locale = next((tag for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (tag := environment.get(name))), "")
    return language_of(locale.partition(".")[0])


def keep(secrets: Mapping[str, str], file: Path) -> None:
    """Write them into a `.env`, which from then on only its owner reads; other lines stay as they are."""
    file = file.resolve()
    file.touch(mode=0o600)
    file.chmod(0o600)  # the rewritten file has the mode of the one that was there
    for name, value in secrets.items():
        set_key(file, name, value)


def _offer_to_keep(secrets: Mapping[str, str], language: str) -> None:
    names = tuple(secrets)
    question = text("Write {names} into {file}, which then only you can read?", names=names, file=str(DOTENV))
    if typer.confirm(say(question, language), default=True):
        keep(secrets, DOTENV)
        done = text("It is in {file}.", file=str(DOTENV))
    else:
        done = text("Then set {names} yourself: in the environment, in {file}, or as a file.", names=names, file=".env")
    typer.echo(say(done, language))


def _platform(name: str) -> Platform:
    if name not in Platforms.model_fields:
        raise CannotStart(f"there is no platform {name} to set up; there is {', '.join(Platforms.model_fields)}")
    module: Any = importlib.import_module(f"adapters.{name}.setup")
    platform: Platform = module
    return platform


def _agreed(question: Text, language: str) -> bool:
    """Without a terminal nobody can agree; what is missing is then named."""
    return sys.stdin.isatty() and typer.confirm(say(question, language), default=True)


def _ask(question: Text, variable: str, language: str, *, hidden: bool) -> str:
    """What is hidden is typed or pasted without being shown."""
    if not sys.stdin.isatty():
        raise CannotStart(f"{variable} is not set, and there is no terminal to ask for it")
    answer: str = typer.prompt(say(question, language), hide_input=hidden)
    return answer.strip()


def _variable(platform: str, key: str) -> str:
    return f"{PREFIX}{platform}__{key}".upper()


def _plain(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
