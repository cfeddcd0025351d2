"""The shape that must not slip: who may import whom, no platform's name in the core, nothing built at import."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLATFORMS = re.compile(r"(?<![a-z])(discord|feishu|lark)(?![a-z])", re.IGNORECASE)
CORE = sorted((ROOT / "bot").rglob("*.py"))
ADAPTERS = sorted((ROOT / "adapters").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

# Where it is said what can be set of each platform: the one file of the core that names any.
NAMES_PLATFORMS = ROOT / "bot" / "platforms.py"

# What an adapter may take from the core.
FOR_ADAPTERS = {"chat", "command", "dispatch", "errors", "i18n", "media"}
# The vocabulary stands by itself; each may import these of the core, and nothing else.
INNER = {
    "i18n": set(),
    "errors": {"i18n"},
    "chat": {"i18n"},
    "clock": set(),
    "suggest": {"i18n"},
    "command": {"chat", "errors", "i18n", "suggest"},
    "grammar": {"command", "errors", "i18n", "suggest"},
    "request": set(),
    "capabilities": {"catalogue", "errors", "i18n", "request"},
    "written": set(),
    "sources": set(),
    "vendors": {"catalogue", "sources", "written"},
    "platforms": {"vendors", "written"},
    "roles": set(),
    "settings": {"platforms", "roles", "sources", "vendors", "written"},
    "catalogue": {"errors", "i18n"},
    "media": {"catalogue", "errors", "i18n"},
    "audit": {"clock", "storage"},
    "quota": {"audit", "chat", "clock", "errors", "i18n", "returning", "storage"},
    "storage": {"errors"},
    "providers": {"catalogue", "errors", "i18n", "media"},
    "returning": {"storage"},
    "people": {"chat", "returning", "storage"},
    "spaces": {"audit", "clock", "errors", "i18n", "people", "storage"},
}
# Who may name what is otherwise only built in the composition root.
ONLY_BY = {
    "bot.app": {"bot/cli.py", "bot/ops/doctor.py", "bot/ops/operator.py", "bot/ops/serving.py", "bot/ops/terminal.py"},
    "bot.cli": {"bot/__main__.py"},
    "bot.opening": {"bot/app.py", "bot/ops", "bot/opening.py"},
    "bot.providers.images_api": {"bot/opening.py"},
    "bot.providers.transport": {"bot/opening.py", "bot/providers"},
    "bot.providers.sandbox": {"bot/app.py", "bot/demo.py", "bot/opening.py", "bot/providers/sandbox"},
    "bot.commands": {"bot/app.py", "bot/commands", "bot/ops/administration.py", "bot/ops/board", "bot/ops/views.py"},
    "bot.media.store": {"bot/app.py", "bot/media", "bot/ops/janitor.py"},
    "sqlite3": {"bot/storage", "bot/ops"},
    "psycopg": {"bot/generation/engine.py", "bot/ops/move.py", "bot/storage"},
    "procrastinate": {"bot/generation/engine.py", "bot/storage"},
    "sqlalchemy": {"bot/storage"},
    "alembic": {"bot/storage"},
    "adapters": {"adapters"},
}


@cache
def imports(file: Path) -> tuple[str, ...]:
    """Every module that the file names, wherever in it."""
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        match node:
            case ast.Import(names=imported):
                names += [each.name for each in imported]
            case ast.ImportFrom(module=str(module), names=imported):
                names += [f"{module}.{each.name}" for each in imported]
    return tuple(names)


def inside(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def short(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("file", ADAPTERS, ids=short)
def test_an_adapter_takes_only_the_vocabulary_and_knows_no_other(file: Path) -> None:
    own = ".".join(file.relative_to(ROOT).parts[:2]).removesuffix(".py")
    for name in imports(file):
        if inside(name, "bot"):
            assert name.split(".")[1] in FOR_ADAPTERS, name
        if inside(name, "adapters"):
            assert inside(name, own), name


@pytest.mark.parametrize("part", INNER)
def test_the_inner_parts_import_inward_only(part: str) -> None:
    files = [file for file in CORE if file.relative_to(ROOT / "bot").parts[0].removesuffix(".py") == part]

    assert files, f"there is no bot.{part} any more"
    for file in files:
        for name in imports(file):
            if inside(name, "bot") and name != "bot":
                assert name.split(".")[1] in INNER[part] | {part}, f"{short(file)}: {name}"


@pytest.mark.parametrize("module", ONLY_BY)
def test_what_is_built_in_one_place_is_named_nowhere_else(module: str) -> None:
    named = {short(file) for file in CORE + ADAPTERS for name in imports(file) if inside(name, module)}

    strangers = {each for each in named if not any(each.startswith(allowed) for allowed in ONLY_BY[module])}
    assert strangers - {module.replace(".", "/") + ".py"} == set()


def words_of(file: Path) -> Iterator[str]:
    """Names and strings of the code; docstrings and comments are prose."""
    tree = ast.parse(file.read_text("utf-8"))
    prose = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(words)) if id(node) not in prose:
                yield words
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.alias(name=name):
                yield name


@pytest.mark.parametrize("file", [file for file in CORE if file != NAMES_PLATFORMS], ids=short)
def test_the_core_names_no_platform(file: Path) -> None:
    assert [words for words in words_of(file) if PLATFORMS.search(words)] == []
    assert not PLATFORMS.search(file.stem)


def test_the_search_for_platforms_finds_them(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text('"""Discord is prose here."""\n\ndef post_to_feishu(x): return x.lark or "Discord"\n# feishu\n')

    found = {words for words in words_of(file) if PLATFORMS.search(words)}
    assert found == {"post_to_feishu", "Discord", "lark"}
    assert not PLATFORMS.search("skylark")


@pytest.mark.parametrize("file", TESTS, ids=short)
def test_nothing_is_mocked(file: Path) -> None:
    assert [name for name in imports(file) if inside(name, "unittest.mock") or inside(name, "mock")] == []


WATCH = """
import importlib, json, os, pkgutil, sys
seen = []
def watch(event, arguments):
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        seen.append([event, str(arguments[0])])
    if event.split(".")[0] in ("socket", "sqlite3", "subprocess") or event in ("os.mkdir", "os.remove", "os.rename"):
        if event != "socket.__new__":
            seen.append([event, str(arguments[:1])])
os.environ.update(BOT_WEB__PORT="nonsense", BOT_NONSENSE="1", BOT_DATABASE_URL="nonsense")
names = []
import procrastinate  # a library of its own asks for the machine's kind at import
sys.addaudithook(watch)
for root in ("bot", "adapters"):
    package = importlib.import_module(root)
    for module in pkgutil.walk_packages(package.__path__, root + "."):
        if not module.name.endswith("__main__") and ".migrations." not in module.name:
            names.append(module.name)
            importlib.import_module(module.name)
import asyncio
from bot.settings import Settings
from bot.storage.database import SQLiteDatabase
from bot.storage.postgres import PostgresDatabase
made = (Settings, SQLiteDatabase, PostgresDatabase, asyncio.AbstractEventLoop, asyncio.Event, asyncio.Lock)
built = [
    f"{name}.{key}"
    for name, module in list(sys.modules.items())
    if name.split(".")[0] in ("bot", "adapters")
    for key, value in vars(module).items()
    if isinstance(value, made)
]
print(json.dumps({"names": names, "seen": seen, "built": built}))
"""


def test_a_bot_on_sqlite_loads_neither_the_client_of_another_database_nor_what_migrates() -> None:
    program = "import sys, bot.cli, bot.ops.serving, adapters.web.connect; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )

    loaded = set(done.stdout.split())
    assert "bot.app" in loaded
    assert not {"psycopg", "sqlalchemy", "alembic", "procrastinate"} & loaded


def test_nothing_happens_at_import(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCH],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {"bot.app", "bot.cli", "adapters.web.adapter"} <= set(found["names"])
    assert (found["seen"], found["built"]) == ([], [])
    assert list(tmp_path.iterdir()) == []
