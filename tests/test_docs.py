"""What the READMEs and docs/ claim is so: tables, command lines, links, names, states, and that they run.

`python scripts/readme.py` renews the tables of the READMEs.
"""

import ast
import asyncio
import configparser
import importlib.util
import json
import os
import pkgutil
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from types import ModuleType

import pytest
import typer.main
from PIL import Image

from bot import cli
from bot.generation import states
from bot.generation.states import JobState, PostingState, State
from bot.ops.sending import Exit
from bot.settings import describe
from bot.sources import CONFIG, PREFIX

pytestmark = pytest.mark.slow  # real processes, one after the other

ROOT = Path(__file__).resolve().parent.parent
READMES = ("README.md", "README.zh-CN.md")
PAGES = (*READMES, "CHANGELOG.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")))
PATIENCE = 60


def words_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, *languages: str) -> list[str]:
    """The fenced blocks in one of these languages, without their indentation."""
    found = re.findall(r"^( *)```(\w+)\n(.*?)^ *```$", words_of(page), re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", body, flags=re.MULTILINE) for indent, word, body in found if word in languages]


def prose(page: str) -> str:
    return re.sub(r"^ *```.*?^ *```$", "", words_of(page), flags=re.MULTILINE | re.DOTALL)


def quoted(page: str) -> list[str]:
    """Everything in backticks outside of blocks; a line break within counts as a space."""
    return [" ".join(each.split()) for each in re.findall(r"`([^`]+)`", prose(page))]


def table(page: str, name: str) -> list[list[str]]:
    """The cells of the table between markers, without its head."""
    (body,) = re.findall(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", words_of(page), re.DOTALL)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in body.splitlines()[2:]]


def shell_lines(page: str) -> list[str]:
    return [line for block in blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def command_lines(page: str) -> Iterator[list[str]]:
    """Every command line of ours on a page, as `seedream-bot` would get it; those of run.py keep its word."""
    for line in (*shell_lines(page), *quoted(page)):
        if "…" in line or not re.match(r"(seedream-bot|python3 run\.py) ", line):
            continue
        yield shlex.split(line, comments=True)[1:]


def load(name: str) -> ModuleType:
    """A script of the tree as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


readme = load("readme")


# --- tables -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def as_it_should_be() -> Callable[[str], str]:
    commands = asyncio.run(readme.command_table())
    return lambda page: str(readme.written(page, commands))


@pytest.mark.parametrize("page", READMES)
def test_the_tables_of_commands_and_settings_are_those_of_the_code(
    page: str, as_it_should_be: Callable[[str], str]
) -> None:
    assert words_of(page) == as_it_should_be(page), "run scripts/readme.py"


def test_every_setting_is_explained_in_chinese_and_nothing_else_is() -> None:
    assert set(readme.translations()) == {setting.description for setting in describe()}


@pytest.mark.parametrize("page", PAGES)
def test_a_setting_that_is_named_exists(page: str) -> None:
    known = {CONFIG, *(setting.name for setting in describe())}
    known |= {f"{setting.name}_FILE" for setting in describe() if setting.secret}

    named = set(re.findall(rf"\b{PREFIX}(?!TEST_)[A-Z_]+[A-Z]\b", words_of(page)))

    assert {name for name in named - known if not any(each.startswith(f"{name}__") for each in known)} == set()


def test_the_exit_codes_are_those_of_send() -> None:
    for page in READMES:
        codes = re.findall(r"^\| (\d) \|", words_of(page), re.MULTILINE)

        assert [int(code) for code in codes] == sorted(Exit)


def test_the_state_table_is_that_of_the_code() -> None:
    rows = table("docs/architecture.md", "states")

    told = {row[0].strip("`"): set(re.findall(r"`(.+?)`", row[2])) for row in rows}

    assert told == {str(state): {str(following) for following in states.NEXT[state]} for state in State}
    assert [row[0].strip("`") for row in rows] == [str(state) for state in State]


def test_the_states_of_jobs_and_postings_are_all_told() -> None:
    told = words_of("docs/architecture.md")
    sentence = told[told.index("A job is") : told.index("## The ledger")]

    assert set(re.findall(r"`([a-z ]+)`", sentence)) == {str(state) for state in (*JobState, *PostingState)}


# --- twins ------------------------------------------------------------------------------------------------------------


def test_both_readmes_have_the_same_sections_with_the_same_contents() -> None:
    def sections(page: str) -> list[tuple[str, int, int, list[str]]]:
        found = []
        for section in re.split(r"^(?=#)", words_of(page), flags=re.MULTILINE)[1:]:
            level = re.match("#+", section)
            links = re.findall(r"\]\(([^)#]+)\)", section)
            assert level
            # Every link but the one to the twin.
            kept = [link for link in links if link not in READMES]
            found.append((level[0], section.count("\n- **"), section.count("\n- "), kept))
        return found

    english, chinese = map(sections, READMES)

    assert english == chinese
    assert len(english) > 10


def test_both_readmes_show_the_same_commands_and_the_same_tree() -> None:
    def bare(page: str) -> list[str]:
        lines = [line for block in blocks(page, "sh", "text") for line in block.splitlines()]
        return [re.split(r"\s+#|(?<=\S)\s{2,}", line)[0].rstrip() for line in lines]

    assert bare("README.md") == bare("README.zh-CN.md")


def test_each_readme_leads_to_the_other() -> None:
    assert "](README.zh-CN.md)" in words_of("README.md")
    assert "](README.md)" in words_of("README.zh-CN.md")


# --- names, paths and links -------------------------------------------------------------------------------------------


def anchors(page: str) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", words_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_and_picture_leads_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", prose(page)):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (ROOT / page).parent / file if file else ROOT / page

        assert target.exists(), link
        assert not anchor or anchor in anchors(os.path.relpath(target, ROOT)), link


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_is_named_exists(page: str) -> None:
    folders = ("adapters", "bench", "bot", "docs", "scripts", "tests")
    for path in quoted(page):
        if re.fullmatch(rf"({'|'.join(folders)})/[\w./-]*", path):
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", READMES)
def test_the_tree_is_as_it_is_drawn(page: str) -> None:
    (tree,) = blocks(page, "text")
    drawn, parents = [], [""]
    for line in tree.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        name = line.split()[0]
        parents[depth + 1 :] = [parents[depth] + name]
        drawn.append(parents[depth] + name)
        assert (ROOT / drawn[-1]).exists(), drawn[-1]
        assert (ROOT / drawn[-1]).is_dir() == name.endswith("/"), drawn[-1]

    packages = {f"bot/{file.parent.name}/" for file in (ROOT / "bot").glob("*/__init__.py")}
    assert packages | {"bot/locales/"} == {path for path in drawn if re.fullmatch(r"bot/\w+/", path)}


@pytest.mark.parametrize("page", PAGES)
def test_every_name_of_the_code_exists(page: str) -> None:
    for name in quoted(page):
        if re.fullmatch(r"(bot|adapters)(\.\w+)+", name) and not name.endswith((".db", ".po", ".lock", ".toml")):
            pkgutil.resolve_name(name)


@pytest.mark.parametrize("page", PAGES)
def test_no_path_of_anybodys_machine_is_told(page: str) -> None:
    assert re.findall(r"(?<![\w./])/(?:work|root|home|Users|tmp)\b[^\s`]*", words_of(page)) == []


def test_the_picture_of_the_page_is_the_one_that_the_script_takes() -> None:
    script = load("screenshot")
    assert script.FILE == ROOT / "docs/images/page.png"

    with Image.open(script.FILE) as opened:
        assert opened.size == (1280, script.SIZE["height"])
    assert script.FILE.stat().st_size < script.MOST_BYTES


def imported(file: Path) -> set[str]:
    """The modules of ours that a file imports, by their first two names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.ImportFrom(module="bot" | "adapters" as package, names=names):
                found |= {f"{package}.{each.name}" for each in names}
            case ast.ImportFrom(module=str(module)):
                found.add(module)
            case ast.Import(names=names):
                found |= {each.name for each in names}
    return {".".join(name.split(".")[:2]) for name in found if name.split(".")[0] in ("bot", "adapters")}


def test_imports_go_only_where_the_architecture_says() -> None:
    for row in table("docs/architecture.md", "imports"):
        folder = row[0].strip("`")
        own = folder.replace("/", ".")
        allowed = {"bot", own, *(f"bot.{name}" for name in re.findall(r"`(\w+)`", row[1]))}
        for file in (ROOT / folder).rglob("*.py"):
            if "migrations" not in file.parts:
                assert imported(file) <= allowed, file


def test_nothing_in_the_core_imports_an_adapter() -> None:
    for file in (ROOT / "bot").rglob("*.py"):
        assert not {name for name in imported(file) if name.startswith("adapters")}, file


# --- command lines ----------------------------------------------------------------------------------------------------


def check_command_line(words: list[str]) -> None:
    """Let the command line parse it, without running anything."""
    command, name, context = typer.main.get_command(cli.app), "seedream-bot", None
    while True:
        context = command.make_context(name, words, parent=context)
        if not hasattr(command, "resolve_command"):
            return
        if not (left := [*context._protected_args, *context.args]):  # --version and its like
            return
        name, command, words = command.resolve_command(context, left)
        assert command is not None


@pytest.mark.parametrize("page", PAGES)
def test_every_command_line_is_understood(page: str) -> None:
    for words in command_lines(page):
        match words:
            case ["run.py", "test", *rest]:
                assert all((ROOT / path).exists() for path in rest if path.startswith("tests/"))
            case ["run.py", "lint" | "--help"]:
                pass
            case ["run.py", *rest] | rest:
                check_command_line(rest)


@pytest.mark.parametrize("page", [*READMES, "docs/feishu.md", "docs/feishu.zh-CN.md"])
def test_a_first_start_takes_a_folder_that_no_demonstration_has_used(page: str) -> None:
    starts = [words for words in command_lines(page) if words[0] == "run"]

    assert ["run", "--data-dir", "real"] in starts
    assert starts.count(["run"]) == (page in READMES)  # in the list of all commands, further down


def test_a_command_line_that_does_not_exist_is_noticed() -> None:
    with pytest.raises(Exception, match=r"No such (option|command)"):
        check_command_line(["ledger", "verify", "--data-directory", "x"])
    with pytest.raises(Exception, match=r"No such (option|command)"):
        check_command_line(["ledgers", "verify"])


def test_every_script_that_is_to_be_run_exists() -> None:
    for page in PAGES:
        for line in shell_lines(page):
            match shlex.split(line, comments=True):
                case [python, script, *_] if python.endswith("python") and script.endswith(".py"):
                    assert (ROOT / script).exists(), line


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What a new user has: nothing set, and `seedream-bot` on the path."""
    tools = tmp_path / "tools"
    tools.mkdir()
    program = tools / "seedream-bot"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m bot "$@"\n')
    program.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    path = f"{tools}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folder in which somebody tries what stands here, with the pictures that they attach."""
    place = tmp_path / "place"
    place.mkdir()
    for name, colour in (("cat.jpg", "orange"), ("dog.jpg", "brown")):
        Image.new("RGB", (640, 480), colour).save(place / name)
    return place


def run(line: str, place: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", line], cwd=place, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.mark.slow
def test_what_scripts_may_do_works_as_it_is_written(place: Path, environment: dict[str, str]) -> None:
    lines = [line for line in shell_lines("README.md") if line.startswith("seedream-bot send")]
    assert len(lines) == 5
    generation = ""
    for line in lines:
        done = run(re.sub(r"\bID\b", generation, line), place, environment)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        if "--save pictures" in line:
            (saved,) = (place / "pictures").iterdir()
            generation = saved.stem.partition("-")[0]
        if "--json" in line:
            answer = json.loads(done.stdout)
            told = words_of("README.md")
            told = told[told.index("`text`") : told.index("`error`") + len("`error`")]
            parts = [key for name in ("buttons", "accounts") for part in answer[name] for key in part]
            assert set(re.findall(r"`(\w+)`", told)) == {*answer, *parts}
            assert answer["state"] == "settled"

    question = run('seedream-bot send "/imagine a fox --count 4 --size 4K"', place, environment)
    refused = run('seedream-bot send "/imagine a fox --count 9"', place, environment)
    assert (question.returncode, refused.returncode) == (Exit.QUESTION, Exit.REFUSED)


@pytest.mark.slow
@pytest.mark.parametrize("page", READMES)
def test_what_is_shown_to_be_drawn_is_drawn_without_a_question(
    page: str, place: Path, environment: dict[str, str]
) -> None:
    shown = [words for words in quoted(page) if re.match(r"/(imagine|series|画|组图) .*--count \d$", words)]
    assert len(shown) == 2
    for words in shown:
        done = run(f'seedream-bot send "{words}"', place, environment)
        assert done.returncode == Exit.MADE, (words, done.stdout, done.stderr)


def test_what_an_operator_may_do_works_as_it_is_written(place: Path, environment: dict[str, str]) -> None:
    harmless = re.compile(r"seedream-bot (doctor|migrate|ledger verify)\b")
    lines = [line for line in shell_lines("README.md") if harmless.match(line)]
    assert len(lines) == 4
    assert run("seedream-bot migrate", place, environment).returncode == 0
    for line in lines:
        done = run(line, place, environment)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
    assert run("seedream-bot healthcheck", place, environment).returncode == 1  # nothing runs here


@asynccontextmanager
async def running(words: str, place: Path, environment: dict[str, str]) -> AsyncIterator[str]:
    """A bot that serves a page on a free port, and its address; in the end it is told to stop, and must do so well."""
    process = await asyncio.create_subprocess_exec(
        *shlex.split(f"seedream-bot {words}"),
        cwd=place,
        env={**environment, "BOT_WEB__PORT": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            yield await _address(process)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stdout
    async for line in process.stdout:
        if found := re.search(rb"http://\S+", line):
            return found[0].decode()
    raise AssertionError("it ended without an address")


async def test_a_demonstration_keeps_everything_where_it_is_said(place: Path, environment: dict[str, str]) -> None:
    async with running("demo --no-open", place, environment):
        send = await asyncio.to_thread(run, "seedream-bot send '/imagine a fox' --as carol", place, environment)
        assert send.returncode == Exit.REFUSED
        folder = {each.name for each in (place / "data").iterdir()}
    refused = await asyncio.to_thread(run, "seedream-bot run", place, environment)

    told = {name.rstrip("/") for row in data_folder() for name in row}
    assert folder <= told, folder - told
    assert refused.returncode == 1
    assert "demonstration" in refused.stderr


def data_folder() -> list[list[str]]:
    rows = re.findall(r"^\| (`.*?) \|", words_of("docs/operations.md"), re.MULTILINE)
    return [re.findall(r"`([^`]+)`", row) for row in rows]


async def test_a_backup_of_a_running_bot_has_true_books_and_every_picture(
    place: Path, environment: dict[str, str]
) -> None:
    (lines,) = ([*block.splitlines()] for block in blocks("docs/operations.md", "sh") if ".backup" in block)
    async with running("demo --no-open", place, environment):
        made = await asyncio.to_thread(run, "seedream-bot send '/imagine a fox' --as bob", place, environment)
        assert made.returncode == 0
        for line in lines:
            if line.startswith("sqlite3") and shutil.which("sqlite3") is None:
                _back_up(place)  # what the line does
                continue
            done = await asyncio.to_thread(run, line, place, environment)
            assert done.returncode == 0, (line, done.stdout, done.stderr)

    assert "The books agree" in done.stdout
    with closing(sqlite3.connect(place / "backup/bot.db")) as copy:
        keys = [key for (key,) in copy.execute("SELECT blob FROM images")]
    assert keys
    assert all((place / "backup/blobs" / key[:2] / key[2:4] / key).exists() for key in keys)


def _back_up(place: Path) -> None:
    with (
        closing(sqlite3.connect(f"file:{place}/data/bot.db?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(place / "backup/bot.db")) as target,
    ):
        source.backup(target)


@pytest.mark.parametrize("line", [line for line in shell_lines("docs/operations.md") if line.startswith("export BOT_")])
def test_the_settings_that_operators_are_shown_are_valid(line: str, place: Path, environment: dict[str, str]) -> None:
    assert run(f"{line} && seedream-bot doctor", place, environment).returncode == 0


# --- service files ----------------------------------------------------------------------------------------------------


def test_the_systemd_unit_is_one(tmp_path: Path) -> None:
    (unit,) = blocks("docs/operations.md", "ini")
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read_string(unit)
    start = parsed["Service"]["ExecStart"]
    check_command_line(shlex.split(start)[1:])
    assert parsed.sections() == ["Unit", "Service", "Install"]

    systemd = shutil.which("systemd-analyze")
    if systemd is None:
        return  # the rest is systemd's own opinion
    file = tmp_path / "seedream-bot.service"
    file.write_text(unit.replace(shlex.split(start)[0], sys.executable))
    done = subprocess.run([systemd, "verify", str(file)], capture_output=True, text=True, check=False)
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if file.name in line]
    assert complaints == []


def test_the_container_is_run_as_the_dockerfile_wants_it() -> None:
    (line,) = (line for line in shell_lines("docs/operations.md") if line.startswith("docker run"))
    words = shlex.split(line)
    dockerfile = words_of("Dockerfile")
    (volume,) = re.findall(r"^VOLUME (\S+)$", dockerfile, re.MULTILINE)
    (port,) = re.findall(r"^EXPOSE (\S+)$", dockerfile, re.MULTILINE)

    assert "--read-only" in words
    assert any(word.endswith(f":{volume}") for word in words)
    assert any(word.endswith(f":{port}") for word in words)
    secrets = [word.partition("=") for word in words if word.startswith(PREFIX)]
    assert all(name.endswith("_FILE") and value.startswith("/run/secrets/") for name, _, value in secrets)
    (built,) = (line for line in shell_lines("docs/operations.md") if line.startswith("docker build"))
    assert shlex.split(built)[3] == words[-1]
