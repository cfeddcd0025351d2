"""Where settings come from: arguments, environment, `.env`, secret files and TOML, the first one first.

Names and places only; what a value must be is `bot.settings`' matter. Nothing is raised here: what cannot be used
becomes a sentence, so that a person sees everything that is wrong at once.
"""

import difflib
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

PREFIX = "BOT_"
FOR_TESTS = "BOT_TEST_"
CONFIG = "BOT_CONFIG"
DEFAULT_CONFIG = "bot.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting as a person meets it: its variable, its default as it would be written, and what it means."""

    name: str
    default: str
    description: str
    path: tuple[str, ...]
    secret: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The values of one source, and how it calls a setting: by `{name}` or by `{path}`."""

    calls: str
    values: Mapping[str, Any]

    def has(self, path: Sequence[object]) -> bool:
        values: object = self.values
        for key in path:
            if not isinstance(values, Mapping) or key not in values:
                return False
            values = values[key]
        return True


def read_sources(arguments: Mapping[str, Any], settings: Iterable[Setting]) -> tuple[list[Source], list[str]]:
    """Every source in order, and a sentence for each thing in them that cannot be used."""
    known = {setting.name: setting for setting in settings}
    problems: list[str] = []
    environment = _ours(os.environ)
    dotenv = _ours(_read_dotenv(Path(".env"), problems))
    everywhere = dotenv | environment
    problems += [*_misspelt(environment, known, place=""), *_misspelt(dotenv, known, place=" in .env")]
    config = Path(everywhere.get(CONFIG, DEFAULT_CONFIG))
    sources = [
        Source(calls="{path}", values=arguments),
        Source(calls="{name}", values=_nested(environment, known)),
        Source(calls="{name} in .env", values=_nested(dotenv, known)),
        Source(calls="What {name}_FILE names", values=_nested(_read_secrets(everywhere, known, problems), known)),
        Source(calls=f"{{path}} in {config}", values=_read_toml(config, problems, required=CONFIG in everywhere)),
    ]
    return sources, problems


def merge(sources: Sequence[Source]) -> dict[str, Any]:
    """The first source that has a setting decides it, whole: a person's limits are one setting and are not mixed."""
    merged: dict[str, Any] = {}
    for source in reversed(sources):
        for key, value in source.values.items():
            below = merged.get(key)
            merged[key] = {**below, **value} if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def nearest(name: str, names: Iterable[str]) -> str:
    return difflib.get_close_matches(name, sorted(names), n=1, cutoff=0)[0]


def _ours(variables: Mapping[str, str | None]) -> dict[str, str]:
    """The variables that are the bot's. An empty one is as good as none: compose files pass them on like that."""
    return {
        name.upper(): value
        for name, value in variables.items()
        if value and name.upper().startswith(PREFIX) and not name.upper().startswith(FOR_TESTS)
    }


def _misspelt(variables: Mapping[str, str], known: Mapping[str, Setting], *, place: str) -> Iterator[str]:
    names = {CONFIG, *known, *(f"{name}_FILE" for name, setting in known.items() if setting.secret)}
    for name in sorted(variables.keys() - names):
        yield f"{name}{place} is not a setting; the nearest is {nearest(name, names)}."


def _nested(variables: Mapping[str, str], known: Mapping[str, Setting]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in variables.keys() & known.keys():
        match known[name].path:
            case [section, key]:
                values.setdefault(section, {})[key] = variables[name]
            case [key]:
                values[key] = variables[name]
    return values


def _read_dotenv(path: Path, problems: list[str]) -> Mapping[str, str | None]:
    try:
        return dotenv_values(path, encoding="utf-8") if path.exists() else {}
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path} cannot be read: {_reason(error)}.")
        return {}


def _read_secrets(variables: Mapping[str, str], known: Mapping[str, Setting], problems: list[str]) -> dict[str, str]:
    """What the files hold that `..._FILE` variables name."""
    secrets = {}
    for name, setting in known.items():
        path = variables.get(f"{name}_FILE")
        if path is None or not setting.secret:
            continue
        try:
            secrets[name] = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{name}_FILE names {path}, which cannot be read: {_reason(error)}.")
    return secrets


def _read_toml(path: Path, problems: list[str], *, required: bool) -> Mapping[str, Any]:
    if not required and not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{path} is not valid TOML: {error}.")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path} cannot be read: {_reason(error)}.")
    return {}


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror or type(error).__name__
