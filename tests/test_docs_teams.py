"""What docs/teams.md and its Chinese twin claim is so: every command there is run, refusals are read word by word.

A page is one story from its first command to its last. `<!-- by: NAME -->` says who speaks from there on.
"""

import asyncio
import re
import shlex
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot import commands
from bot.chat import Place, Reply, Tone
from bot.command import CommandTable
from bot.commands.drawing import Drawing
from bot.dispatch import Dispatcher
from bot.i18n import say, text
from bot.linking import LENGTH, MOST_LINKED, MOST_TRIES
from bot.ops.administration import Entrance
from bot.ops.alerts import THRESHOLDS
from bot.privacy import Privacy
from bot.rights import NEEDS, Deed, Role
from bot.settings import Settings
from bot.storage.database import Database
from bot.teams import LEFT_ROOM
from tests.bot.generation.core import Core, working
from tests.test_docs import check_command_line, environment, place, run, running

__all__ = ["environment", "place"]

ROOT = Path(__file__).resolve().parent.parent
TWINS = {"teams.md": "en", "teams.zh-CN.md": "zh-CN"}
PAGES = {language: (ROOT / "docs" / name).read_text(encoding="utf-8") for name, language in TWINS.items()}
CODE, ID = "K7QM2RXA", "k3f9w2ab"
PEOPLE = ("bob", "ann", "eve", "robert")
PATHS = {"/dashboard", "/p/"}
both = pytest.mark.parametrize("language", PAGES)


@dataclass(frozen=True)
class Said:
    by: str
    line: str


def marked(page: str, name: str) -> str:
    (found,) = re.findall(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", page, re.DOTALL)
    return str(found)


def rows(page: str, name: str) -> list[list[str]]:
    """The cells of the table between markers, without its head."""
    table = [line for line in marked(page, name).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in table[2:]]


def story(page: str) -> Iterator[Said]:
    """Every command in the order of the page, but for those that are refused."""
    by = "admin"
    pattern = r"<!-- by: (?P<by>\w+) -->|^```text\n(?P<block>.*?)^```|^```\w+\n.*?^```|`(?P<code>/[^`]+)`"
    for found in re.finditer(pattern, page, re.DOTALL | re.MULTILINE):
        by = found["by"] or by
        for line in (found["block"] or "").splitlines():
            yield Said(by, line)
        if found["code"]:
            yield Said(by, " ".join(found["code"].split()))


def shell_lines(page: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()]


def prose(page: str) -> str:
    return re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)


class Team(Core):
    """The core with what leads out of it: the dashboard, and people's own data."""

    def _door(self) -> tuple[CommandTable, Dispatcher]:
        drawing = Drawing(
            router=self.router,
            model="",
            service=self.service,
            normaliser=self.normaliser,
            blobs=self.blobs,
            database=self.database,
            clock=self.clock,
            folder=self.folder,
        )
        privacy = Privacy(
            database=self.database,
            preferences=self.preferences,
            memberships=self.memberships,
            clock=self.clock,
            remove=self.blobs.delete,
            changed=self._changed,
        )
        table, presses = commands.build(
            drawing,
            self.spaces,
            self.preferences,
            self.blobs.delete,
            memberships=self.memberships,
            privacy=privacy,
            link=Entrance(base=lambda platform: "https://bot.example").link,
        )
        dispatcher = Dispatcher(
            database=self.database,
            table=table,
            presses=presses,
            spaces=self.spaces,
            preferences=self.preferences,
            memberships=self.memberships,
            delivery=self.delivery,
            clock=self.clock,
            admins=["fake/operator"],
        )
        return table, dispatcher

    async def told(self, said: Said, language: str) -> Reply:
        room = Place(adapter="fake", data={"room": "hall"}, room="hall")
        by: dict[str, Any] = {"admin": said.by == "admin", "by": said.by, "language": language, "place": room}
        if said.line.startswith("/"):
            return await self.answer(said.line, **by)
        return await self.answer(press=said.line, **by)


@pytest_asyncio.fixture
async def team(database: Database, tmp_path: Path) -> AsyncIterator[Team]:
    """A space with the usual limits, in which everybody has spoken once."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    core = Team(database=database, folder=folder, policy=Settings().limits.table())
    async with working(core):
        for name in PEOPLE:
            assert (await core.told(Said(name, "/help"), "en")).tone is Tone.ANSWER
        yield core


# --- the story


@both
async def test_every_command_does_what_it_is_shown_for(team: Team, language: str) -> None:
    page = PAGES[language]
    before, refusals, after = _parts(page)
    drawn = first_grant = ""
    for said in story(before):
        if said.line.split()[0] in PATHS:
            continue
        # Numbers go on from test to test on a server; on the page it is the first grant.
        line = re.sub(r"( end| 结束) 1$", rf"\1 {first_grant}", said.line)
        reply = await _done(team, Said(said.by, line), language)
        first_grant = first_grant or reply.text.values.get("number", "")
        if not drawn and said.line.startswith(("/team share", "/团队 份额")):
            drawn = str((await _done(team, Said("ann", "/imagine a fox"), language)).generation)
    await _done(team, Said("operator", "/admin limit all 300 usd per month"), language)
    await _accounts_are_those_of_the_table(team, language)

    for who, line, told in refusals:
        reply = await team.told(Said(who, line), language)
        shown = say(reply.text, language)
        assert (reply.tone, reply.private) == (Tone.REFUSAL, True), (line, shown)
        begun = told.removesuffix("…")
        assert shown.startswith(begun) if begun != told else shown == told, (line, shown)

    code, question = "", None
    for said in story(after):
        if said.line.split()[0] in PATHS:
            continue
        line = said.line.replace(ID, drawn).replace(CODE, code)
        other = CODE in said.line  # written on the other side
        by = "robert" if other else said.by
        reply = await _done(team, Said(by, line), language)
        if other:
            linked = await _done(team, Said(by, reply.buttons[0].id), language)
            assert (reply.tone, linked.tone) == (Tone.QUESTION, Tone.ANSWER)
        if found := re.search(rf"\b[A-Z0-9]{{{LENGTH}}}\b", say(reply.text, language)):
            code = found[0]
        if any(button.command == "forget" for button in reply.buttons):
            question = Said(said.by, reply.buttons[0].id)
    assert question
    await _done(team, question, language)
    await team.check_books()


def _parts(page: str) -> tuple[str, list[tuple[str, str, str]], str]:
    found = re.search(r"<!-- refusals -->.*<!-- /refusals -->", page, re.DOTALL)
    assert found
    refusals = []
    for who, line, told in rows(page, "refusals"):
        refusals.append((_SPEAKERS.get(who, who), line.strip("`"), told[1:-1]))
    speaker = re.findall(r"<!-- by: \w+ -->", page[: found.start()])[-1]
    return page[: found.start()], refusals, speaker + page[found.end() :]


_SPEAKERS = {"管理员": "admin"}


async def _done(team: Team, said: Said, language: str) -> Reply:
    reply = await team.told(said, language)
    assert reply.tone is not Tone.REFUSAL, (said, say(reply.text, language))
    return reply


async def _accounts_are_those_of_the_table(team: Team, language: str) -> None:
    """Of ann, who has all of them: a share of the space, one of the team, and a grant."""
    await _done(team, Said("admin", "/admin limit person @ann 40 images per day"), language)
    await _done(team, Said("bob", "/grant @ann 1 usd until 3d"), language)
    quota = await _done(team, Said("ann", "/quota"), language)
    shown = {say(line.name, language) for line in quota.accounts}

    assert {row[0] for row in rows(PAGES[language], "accounts")} == shown


@both
async def test_the_readmes_first_lines_work(team: Team, language: str) -> None:
    readme = (ROOT / {"en": "README.md", "zh-CN": "README.zh-CN.md"}[language]).read_text(encoding="utf-8")
    (block,) = re.findall(r"^```\n(/.*?)^```", readme, re.DOTALL | re.MULTILINE)

    for line in block.splitlines():
        await _done(team, Said("admin", line), language)
    quota = await _done(team, Said("bob", "/quota"), language)
    assert {(line.limit, line.window) for line in quota.accounts} >= {(500, "month"), (10, "day")}


@both
def test_every_command_stands_in_the_story(language: str) -> None:
    """Nothing that looks like a command is passed over, and each part has some."""
    before, refusals, after = _parts(PAGES[language])
    told = [said.line for said in (*story(before), *story(after))] + [line for _, line, _ in refusals]

    assert len(told) > 70
    assert not [line for line in told if "…" in line or re.search(r"\b(NAME|AMOUNT|ID|REASON)\b", line)]
    assert {line for line in told if line.split()[0] in PATHS} == PATHS


# --- the command line


@pytest.mark.slow
async def test_the_operators_lines_work_beside_a_running_bot(place: Path, environment: dict[str, str]) -> None:
    lines = [line for line in shell_lines(PAGES["en"]) if line.startswith("seedream-bot")]
    assert len(lines) > 15
    assert lines == [line for line in shell_lines(PAGES["zh-CN"]) if line.startswith("seedream-bot")]
    async with running("demo --no-open", place, environment):
        drawn = await _ran("seedream-bot send '/imagine a fox' --as bob --json", place, environment)
        (generation,) = re.findall(r'"generation": "(\w{8})"', drawn.stdout)
        for line in lines:
            done = await _ran(line.replace(ID, generation), place, environment)
            assert done.stdout.strip() or ">" in line, line

    assert (place / "usage.csv").read_text().startswith("day,space,team,")
    assert '"people"' in (place / "bob.json").read_text()


async def _ran(line: str, place: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    done = await asyncio.to_thread(run, line, place, environment)
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    return done


@pytest.mark.slow
@both
def test_the_settings_that_are_shown_are_valid(language: str, place: Path, environment: dict[str, str]) -> None:
    lines = [line for line in shell_lines(PAGES[language]) if line.startswith("export ")]

    assert len(lines) == 1
    assert run(f"{lines[0]} && seedream-bot doctor", place, environment).returncode == 0


@both
def test_the_operators_lines_are_understood(language: str) -> None:
    for line in shell_lines(PAGES[language]):
        if line.startswith("seedream-bot"):
            check_command_line(shlex.split(line.partition(" > ")[0])[1:])


# --- tables and figures

# Deeds by the rows of the table of rights.
_ROWS: tuple[tuple[Deed, ...], ...] = (
    (Deed.TEAM_SEEN, Deed.DASHBOARD),
    (Deed.MEMBERS, Deed.SHARES, Deed.GRANT_TEAM, Deed.EXPORT),
    (Deed.TEAMS, Deed.OWNERS, Deed.POOL),
    (Deed.PERSON, Deed.SPACE, Deed.TIERS, Deed.ROLES, Deed.GRANT_SPACE),
    (Deed.RULES, Deed.BLOCK, Deed.REFUND, Deed.AUDIT),
    (Deed.PERSON_EVERYWHERE, Deed.RAISE_SPACE, Deed.ALL, Deed.TIERS_EVERYWHERE, Deed.GRANT_ALL),
)


@both
def test_the_rights_are_those_of_the_code(language: str) -> None:
    yes = {"en": "yes", "zh-CN": "可以"}[language]
    told = [[cell == yes for cell in row[1:]] for row in rows(PAGES[language], "rights")]

    assert {deed for row in _ROWS for deed in row} == set(Deed)
    assert told == [[role >= NEEDS[deed] for role in Role] for row in _ROWS for deed in row[:1]]
    assert all(len({NEEDS[deed] for deed in row}) == 1 for row in _ROWS)


@both
def test_the_figures_are_the_codes(language: str) -> None:
    page = " ".join(prose(PAGES[language]).split())
    for figure in (f"{LEFT_ROOM // 86_400_000_000} ", " ".join(map(str, THRESHOLDS[:2])).replace(" ", ", ")):
        assert figure in page or figure.replace(", ", "、") in page, figure
    words = {
        "en": ("eight letters", "up to eight accounts", "Five wrong codes"),
        "zh-CN": ("八位", "八个账号", "输错五次"),
    }
    assert (LENGTH, MOST_LINKED, MOST_TRIES) == (8, 8, 5)
    assert all(each in page for each in words[language])


@both
def test_the_buttons_are_called_so(language: str) -> None:
    page = prose(PAGES[language])

    for button in ("Approve", "Refuse", "Go", "Again", "Health", "Link"):
        assert say(text(button), language) in page, button


# --- twins


def test_both_pages_have_the_same_sections_links_and_commands() -> None:
    def shape(page: str) -> list[object]:
        found: list[object] = []
        for section in re.split(r"^(?=#+ )", page, flags=re.MULTILINE)[1:]:
            links = [re.sub(r"#.*|\.zh-CN", "", link) for link in re.findall(r"\]\(([^)]+)\)", section)]
            level = len(section) - len(section.lstrip("#"))
            lines = sum(1 for _ in story(section))
            found.append((level, sorted(links), section.count("\n- "), section.count("\n| "), lines))
        return found

    assert shape(PAGES["en"]) == shape(PAGES["zh-CN"])


def test_both_pages_name_the_same_settings_people_and_speakers() -> None:
    def names(page: str) -> list[str]:
        return sorted(re.findall(r"`(BOT_\w+)`|(<!-- .*? -->)", page))

    assert names(PAGES["en"]) == names(PAGES["zh-CN"])
