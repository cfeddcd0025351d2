"""What docs/feishu.md and its Chinese twin claim is so: scopes, events, names, figures, codes, steps and sentences."""

import asyncio
import inspect
import json
import re
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

from adapters.feishu import checks, codes, endpoint, fitting, forms, pending, slash, webhook
from adapters.feishu.adapter import FeishuAdapter
from adapters.feishu.ladder import Ladder
from adapters.feishu.outbound import MOST_PICTURES
from adapters.feishu.published import way
from adapters.feishu.scopes import CALLBACKS, EVENTS, HOOK, SCOPES, asked, importable
from bot.settings import describe
from tests.test_docs import load

ROOT = Path(__file__).resolve().parent.parent
TWINS = ("feishu.md", "feishu.zh-CN.md")
ENGLISH, CHINESE = ((ROOT / "docs" / name).read_text(encoding="utf-8") for name in TWINS)
PICTURES = sorted((ROOT / "docs" / "images").glob("feishu-*.svg"))
SVG = "{http://www.w3.org/2000/svg}"
MB = 1_000_000
# Feishu's own, which its clients show or which are about messages that the bot does not open.
OF_FEISHU_ITSELF = {200340, 200341, 234043, 40000000}
both = pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=TWINS)


def marked(page: str, name: str) -> str:
    (found,) = re.findall(rf"<!-- {name} -->(.*?)<!-- /{name} -->", page, re.DOTALL)
    return str(found).strip()


def rows(page: str, name: str) -> list[list[str]]:
    """The cells of the table between markers, without its head."""
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in marked(page, name).splitlines()[2:]]


def texts(file: Path) -> str:
    return "".join(ElementTree.parse(file).getroot().itertext())


@pytest.fixture(scope="module")
def translations() -> ModuleType:
    return load("translations")


def test_the_scopes_are_those_that_are_asked_for_with_what_each_is_for() -> None:
    told = [[f"`{each.name}`", "yes" if each.needed else "no", str(each.why)] for each in SCOPES]

    assert rows(ENGLISH, "scopes") == told
    assert [row[:2] for row in rows(CHINESE, "scopes")] == [[row[0], {"yes": "是", "no": "否"}[row[1]]] for row in told]


@both
def test_what_is_to_be_pasted_is_what_setup_prints(page: str) -> None:
    block = marked(page, "import")

    assert json.loads(re.sub(r"```\w*", "", block)) == importable(asked())


def test_the_events_and_callbacks_are_those_of_the_code() -> None:
    told = [[f"`{each.name}`", "yes" if each.needed else "no", str(each.why)] for each in EVENTS]
    told += [[f"`{each.name}` (callback)", "yes" if each.needed else "no", str(each.why)] for each in CALLBACKS]

    assert rows(ENGLISH, "events") == told
    assert [row[0].partition("（")[0] for row in rows(CHINESE, "events")] == [row[0].partition(" ")[0] for row in told]


@both
def test_the_settings_are_all_there_are_of_feishu_and_those_of_its_words_and_times(page: str) -> None:
    there = [setting.name for setting in describe() if setting.path[:1] == ("feishu",)]

    assert there
    assert [row[0].strip("`") for row in rows(page, "settings")] == [*there, "BOT_LANGUAGE", "BOT_TIME_ZONE"]
    assert f"`{{BOT_WEB__PUBLIC_URL}}{HOOK}`" in page


@both
def test_the_menus_keys_are_commands_that_need_no_words(page: str) -> None:
    keys = re.findall("`([^`]+)`", marked(page, "menu"))
    table = asyncio.run(load("readme").command_table())

    assert keys == ["quota", "help", "history"]
    for key in keys:
        assert not [option.name for option in table.find(key).options if option.required]


@both
def test_the_figures_are_the_codes(page: str) -> None:
    assert [re.sub(r" (characters|字)$", "", row[1]) for row in rows(page, "figures")] == [
        "3 s",
        f"{FeishuAdapter.pace:g} s",
        f"{MOST_PICTURES}",
        f"{max(fitting.IMAGE) // MB} MB",
        f"{fitting.FILE // MB} MB",
        f"{forms.MOST_WORDS:,}",
        f"{pending.WAITS // timedelta(minutes=1)} min",
        f"{webhook.FRESH // timedelta(minutes=1)} min",
        f"{slash.MOST}",
    ]


def test_the_ladder_has_the_steps_of_the_code_in_their_order() -> None:
    ways = re.findall(r'Way\(name="([^"]+)"', inspect.getsource(Ladder._ways))

    assert [row[0] for row in rows(ENGLISH, "ladder")] == ways
    assert len(rows(CHINESE, "ladder")) == len(ways)
    drawn = texts(ROOT / "docs/images/feishu-ladder.svg").lower()
    places = [drawn.index(f"{number}. {step}") for number, step in enumerate([*ways, "kept"], 1)]
    assert places == sorted(places)
    chinese = [*(row[0] for row in rows(CHINESE, "ladder")), "保留"]
    drawn = texts(ROOT / "docs/images/feishu-ladder.zh-CN.svg")
    assert all(f"{number}. {step}" in drawn for number, step in enumerate(chinese, 1))


@both
def test_every_code_that_is_explained_is_one_that_the_bot_knows(page: str) -> None:
    section = page[page.rindex("\n## ") :]
    told = {int(code) for code in re.findall(r"(?<!\w)(\d{5,10})(?!\w)", section)}
    known = {code for group in codes._CODES.values() for code in group}

    assert len(told) > 10
    assert told <= known | {*endpoint.FINAL, *checks.NO_BOT, checks.NOT_INSTALLED} | OF_FEISHU_ITSELF
    assert {*endpoint.FINAL} - {endpoint.NO_CREDENTIAL} <= told | {endpoint.FORBIDDEN, endpoint.AUTH_FAILED}
    assert all(str(code) in section for code in (endpoint.FORBIDDEN, endpoint.AUTH_FAILED))


def test_every_sentence_in_quotes_is_one_that_people_see(translations: ModuleType) -> None:
    known = {sentence for message in translations.extracted() for sentence in [message.id] if isinstance(sentence, str)}
    quoted = set(re.findall(r"“([^”]+)”", ENGLISH))

    assert {str(way(webhook=webhook)) for webhook in (True, False)} <= {" ".join(each.split()) for each in quoted}
    for sentence in {" ".join(each.split()) for each in quoted}:
        begun = sentence.removesuffix("…").rstrip()
        assert any(each == sentence or (begun != sentence and each.startswith(begun)) for each in known), sentence


def test_every_sentence_in_quotes_is_one_that_people_see_in_chinese(translations: ModuleType) -> None:
    english = re.findall(r"^\| “(.+?)” \|", ENGLISH, re.MULTILINE)
    chinese = re.findall(r"^\| “(.+?)” \|", CHINESE, re.MULTILINE)
    known = {message.id: message.string for message in translations.read("zh_CN")}

    for sentence, told in zip(english, chinese, strict=True):
        whole = next(each for each in known if isinstance(each, str) and each.startswith(sentence.removesuffix(" …")))
        assert known[whole].startswith(told.removesuffix("……")), sentence
        assert told.endswith("……") or told == known[whole]


@both
def test_what_is_looked_into_unsigned_is_said_with_its_most(page: str) -> None:
    assert f"{webhook.MOST_UNPROVEN:,} " in page


# --- twins


def test_both_pages_have_the_same_sections_links_and_commands() -> None:
    def shape(page: str) -> list[object]:
        found: list[object] = []
        for section in re.split(r"^(?=#+ )", page, flags=re.MULTILINE)[1:]:
            links = [re.sub(r"#.*|\.zh-CN", "", link) for link in re.findall(r"\]\(([^)]+)\)", section)]
            level = len(section) - len(section.lstrip("#"))
            found.append((level, sorted(links), section.count("\n- "), len(re.findall(r"\n\d\. ", section))))
        return found

    assert shape(ENGLISH) == shape(CHINESE)
    assert re.findall(r"```sh\n(.*?)```", ENGLISH, re.DOTALL) == re.findall(r"```sh\n(.*?)```", CHINESE, re.DOTALL)


def test_both_pages_have_the_same_tables() -> None:
    def lengths(page: str) -> list[int]:
        return [table.count("\n") for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE)]

    assert lengths(ENGLISH) == lengths(CHINESE)
    assert len(lengths(ENGLISH)) > 5


def test_both_pages_name_the_same_settings_and_scopes() -> None:
    def names(page: str) -> set[str]:
        return {name for name in re.findall(r"`([^`\s]+)`", page) if re.fullmatch(r"BOT_\w+|[a-z_.]+:[\w:.]+", name)}

    assert names(ENGLISH) == names(CHINESE)


def test_both_pages_explain_the_same_codes() -> None:
    def told(page: str) -> list[str]:
        return re.findall(r"(?<!\w)\d{5,10}(?!\w)", page[page.rindex("\n## ") :])

    assert told(ENGLISH) == told(CHINESE)


# --- pictures


@pytest.mark.parametrize("file", PICTURES, ids=lambda file: file.stem)
def test_a_picture_is_shown_says_what_it_is_and_needs_nothing_from_elsewhere(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    root = ElementTree.fromstring(source)
    shown = [element.text or "" for element in root.iter(f"{SVG}text")]

    assert f"](images/{file.name})" in (CHINESE if ".zh-CN" in file.name else ENGLISH)
    assert root.findtext(f"{SVG}title")
    assert root.findtext(f"{SVG}desc")
    assert "prefers-color-scheme: dark" in source
    assert not re.search(r"(href|src|@import|<image|<script)", source)
    assert shown
    assert all(shown)


def test_all_pictures_are_there_in_both_languages() -> None:
    names = ("feishu-ladder", "feishu-setup", "feishu-ways-in")

    assert {file.name for file in PICTURES} == {f"{name}{tail}.svg" for name in names for tail in ("", ".zh-CN")}
