"""Writes the tables of both READMEs between their markers: the commands and the settings, from the code itself.

    python scripts/readme.py

What a setting means stands in `bot/settings.py`, in English; its Chinese stands in `settings.zh_CN.toml` beside this
file, under the English sentence, so that a sentence that changes asks for a new translation. `tests/test_docs.py` says
what is missing or out of date.
"""

import asyncio
import re
import tempfile
import tomllib
from functools import partial
from pathlib import Path

from bot.app import running
from bot.command import CommandTable, markdown
from bot.i18n import say
from bot.settings import Settings, describe

ROOT = Path(__file__).parent.parent
READMES = {"README.md": "en", "README.zh-CN.md": "zh-CN"}
CHINESE = Path(__file__).parent / "settings.zh_CN.toml"
HEADS = {"en": ("Setting", "Default", "What it means"), "zh-CN": ("设置", "默认值", "含义")}


async def command_table() -> CommandTable:
    """The table of a bot without keys. Every provider's bot has the same commands."""
    with tempfile.TemporaryDirectory() as folder:
        async with running(Settings(data_dir=folder, providers=["sandbox"]), listen=False) as app:
            return app.table


def translations() -> dict[str, str]:
    return tomllib.loads(CHINESE.read_text(encoding="utf-8"))


def settings_table(language: str) -> str:
    """Raises `KeyError` for a sentence that has no translation."""
    known = translations() if language == "zh-CN" else {}
    rows = [" | ".join(HEADS[language]), " | ".join("---" for _ in HEADS[language])]
    for setting in describe():
        meaning = known[setting.description] if known else setting.description
        default = f"`{setting.default}`" if setting.default else ""
        rows.append(f"`{setting.name}` | {default} | {meaning}".replace("|  |", "| |"))
    return "".join(f"| {row} |\n" for row in rows)


def between(name: str, table: str, words: str) -> str:
    """The words with this table between the markers of this name. Raises `ValueError` where there are none."""
    marked = re.compile(rf"(<!-- {name} -->\n).*(<!-- /{name} -->)", re.DOTALL)
    if not marked.search(words):
        raise ValueError(f"there are no markers <!-- {name} --> … <!-- /{name} -->")
    return marked.sub(lambda found: f"{found[1]}{table}{found[2]}", words)


def written(file: str, table: CommandTable) -> str:
    """A README as it should be."""
    language = READMES[file]
    words = (ROOT / file).read_text(encoding="utf-8")
    words = between("commands", markdown(table, partial(say, language=language)), words)
    return between("settings", settings_table(language), words)


def main() -> None:
    table = asyncio.run(command_table())
    for file in READMES:
        (ROOT / file).write_text(written(file, table), encoding="utf-8")


if __name__ == "__main__":
    main()
