"""What docs/discord.md claims is so: permissions, names, figures, rules, steps and the sentences that people see."""

import inspect
import re
import warnings
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

with warnings.catch_warnings():
    # discord.py itself imports what Python 3.13 drops.
    warnings.filterwarnings("ignore", "'audioop' is deprecated", DeprecationWarning)
    import discord  # noqa: F401

from adapters.discord import callbacks, event, fitting, limits, modals, tree
from adapters.discord.adapter import DiscordAdapter
from adapters.discord.client import intents
from adapters.discord.ladder import Ladder
from adapters.discord.permissions import NEEDED, needed, server_link
from bot.commands import admin
from bot.settings import describe
from tests.simulators.discord.interactions import MOST_FOLLOW_UPS
from tests.test_docs import load

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "discord.md").read_text(encoding="utf-8")
PICTURES = sorted((ROOT / "docs" / "images").glob("discord-*.svg"))
SVG = "{http://www.w3.org/2000/svg}"
OF_DISCORD_ITSELF = {"The application did not respond", "None"}


def marked(name: str) -> str:
    (found,) = re.findall(rf"<!-- {name} -->(.*?)<!-- /{name} -->", PAGE, re.DOTALL)
    return str(found).strip()


def rows(name: str) -> list[list[str]]:
    """The cells of the table between markers, without its head."""
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in marked(name).splitlines()[2:]]


@pytest.fixture(scope="module")
def translations() -> ModuleType:
    return load("translations")


def test_the_permissions_are_those_that_the_link_asks_for() -> None:
    assert rows("permissions") == [[str(each.name), str(each.why)] for each in NEEDED]
    (number,) = re.findall(r"the number (\d+) in the link", PAGE)
    assert int(number) == needed().value
    assert all(f"`{scope}`" in PAGE for scope in re.findall(r"scope=([^&]+)", server_link(1))[0].split("+"))


def test_the_settings_are_all_there_are_of_discord() -> None:
    there = [setting.name for setting in describe() if setting.path[:1] == ("discord",)]

    assert there
    assert {row[0].strip("`") for row in rows("settings")} == set(there)


def test_the_intents_and_menus_are_those_of_the_code() -> None:
    assert marked("intents") == ", ".join(f"`{name}`" for name, on in intents(reads_all=False) if on)
    assert {name for name, on in intents(reads_all=True) if on} - {
        name for name, on in intents(reads_all=False) if on
    } == {"message_content"}
    assert marked("menus") == ", ".join(f"**{name}**" for name in tree.MENUS)


def test_the_figures_are_the_codes() -> None:
    life, margin = event.TOKEN_LIFE // timedelta(minutes=1), event.TOKEN_MARGIN // timedelta(seconds=1)
    assert callbacks.PATIENCE < 3  # of Discord's patience, a little goes by on the way

    assert [row[1] for row in rows("figures")] == [
        "3 s",
        f"{DiscordAdapter.pace:g} s",
        f"{life} min, of which the last {margin} s are not used",
        f"{fitting.MOST_FILES}",
        f"{limits.REQUEST // limits.MIB} MiB",
        f"{limits.FLOOR // limits.MIB} MiB",
        f"{modals.MOST_UPLOADS}",
        f"{tree.MOST_WORDS:,} characters",
    ]
    assert f"Discord allows {MOST_FOLLOW_UPS} follow-ups" in PAGE
    assert f"up\n  to {modals.MOST_UPLOADS} more pictures" in PAGE


def test_the_ladder_has_the_steps_of_the_code_in_their_order() -> None:
    ways = re.findall(r'yield "([^"]+)"', inspect.getsource(Ladder._ways))
    for_new_messages = [way for way in ways if way not in ("token", "bot")]

    assert [row[0] for row in rows("ladder")] == for_new_messages
    drawn = "".join(ElementTree.parse(ROOT / "docs/images/discord-ladder.svg").getroot().itertext()).lower()
    places = [drawn.index(f"{number}. {step}") for number, step in enumerate([*for_new_messages, "kept"], 1)]
    assert places == sorted(places)


def test_every_rule_of_a_server_is_told_once() -> None:
    told = [row[0].strip("`") for row in rows("rules")]

    assert told == list(admin.RULES)
    for name, example, _ in rows("rules"):
        line = example.strip("`").split()
        assert line[:2] == ["/admin", "space"]
        assert line[2:3] in ([], [name.strip("`")])


def test_every_sentence_in_quotes_is_one_that_people_see(translations: ModuleType) -> None:
    known = {sentence for message in translations.extracted() for sentence in [message.id] if isinstance(sentence, str)}
    quoted = set(re.findall(r"“([^”]+)”", PAGE)) - OF_DISCORD_ITSELF

    assert len(quoted) > 10
    for sentence in quoted:
        begun = sentence.removesuffix("…").rstrip()
        assert any(each == sentence or (begun != sentence and each.startswith(begun)) for each in known), sentence


def test_what_the_fields_of_the_slash_command_are_called() -> None:
    told = re.findall(r"a field for\neach word \((.+?)\)", PAGE)

    assert told == [", ".join(f"`{name}`" for name in admin.Rule.__dataclass_fields__)]


# --- pictures


@pytest.mark.parametrize("file", PICTURES, ids=lambda file: file.stem)
def test_a_picture_is_shown_says_what_it_is_and_needs_nothing_from_elsewhere(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    root = ElementTree.fromstring(source)
    texts = [element.text or "" for element in root.iter(f"{SVG}text")]

    assert f"](images/{file.name})" in PAGE
    assert root.findtext(f"{SVG}title")
    assert root.findtext(f"{SVG}desc")
    assert "prefers-color-scheme: dark" in source
    assert not re.search(r"(href|src|@import|<image|<script)", source)
    assert texts
    assert all(texts)


def test_all_three_pictures_are_there() -> None:
    assert [file.stem for file in PICTURES] == ["discord-ladder", "discord-request", "discord-ways-in"]


def test_the_ways_in_are_drawn_as_they_are_told() -> None:
    drawn = "".join(ElementTree.parse(ROOT / "docs/images/discord-ways-in.svg").getroot().itertext())

    assert ", ".join(map(str, tree.MENUS)) in drawn
    for head in ("Slash command", "Message menu", "Reply", "Mention", "Direct message", "Button"):
        assert head in drawn
