"""A move brings everything or says what keeps it, and at no moment two bots could run on the same books."""

import asyncio
import random
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapters.web import messages
from bot.app import running
from bot.audit import By
from bot.errors import CannotStart, ContentRefused, OutcomeUnknown, ProviderRefused
from bot.generation import health
from bot.generation.states import State
from bot.ops import move as moving
from bot.ops.folder import reading
from bot.ops.move import MOVED, MOVING, move
from bot.ops.ownership import Owned, Ownership
from bot.ops.sending import Asked
from bot.quota import grants, ledger
from bot.quota.audit import verify
from bot.settings import Settings
from bot.storage import schema
from bot.storage.connection import Connection
from bot.storage.database import SQLITE, open_database
from bot.storage.postgres import Raw, connected
from tests.bot.generation.core import Core, working
from tests.bot.generation.test_sending_again import stopped
from tests.bot.ops.processes import ROOT, environment
from tests.fakes import Ticket
from tests.postgres import NEEDED, SERVER, Emptied, new_database, new_schema

pytestmark = [*NEEDED, pytest.mark.slow]

WORDS = "a fox 🦊, it's 100% \\N \\\\ \t\r\n :name \0 雪 \u2028 \U0010ffff"
LARGEST = 2**63 - 1


# --- a file with everything in it


async def _fill(file: Path, folder: Path) -> None:
    async with open_database(f"{SQLITE}{file}") as database:
        core = Core(database=database, folder=folder)
        async with working(core):
            await core.answer("/imagine a fox")
            asked = await core.answer("/imagine a fox --count 4")
            await core.answer(press=f"decline:{asked.generation}:0")
            await core.answer("/imagine a fox --count 4")
        await core.preferences.change((await core.person()).id, {"size": "4K"})
        await core.spaces.change(
            "fake/team", lambda rules: replace(rules, log="雪"), by=await core.person(), at=core.at
        )
        for error in (ContentRefused("words"), ProviderRefused(WORDS), OutcomeUnknown(), OutcomeUnknown()):
            core.provider.scripts.append((error,))
            await core.run(prompt=WORDS)
        await core.run(by=WORDS)
        for script in ((), (Ticket("t-1"),)):
            await stopped(core, *script)
        running = await core.accepted()
        await core.admitted()
        await core.accepted(by="alice")
        assert (await core.load(running)).state is State.RUNNING
        for number in range(40):
            message = messages.Message(
                id=f"m{number}", room="studio", author="bob", at=core.clock(), words=f"{WORDS}{number}"
            )
            assert await database.transaction(messages.add, message)
        await database.transaction(_fill_odd)


def _fill_odd(connection: Connection) -> None:
    ledger.set_limit(connection, "person:nobody", "usd", "month", LARGEST)
    ledger.set_limit(connection, "person:nobody", "usd", "day", None)
    connection.execute("INSERT INTO rates (provider, full_at) VALUES ('far', :at)", at=-LARGEST)
    health.failed(connection, "far", "busy", 1, 2)
    # What teams, tiers, reviews, alerts and the dashboard keep, one row each.
    for table, values in {
        "teams": {"id": "red", "space": "fake/team", "name": WORDS, "same_name": "雪", "created_at": 1},
        "team_members": {"team": "red", "person": "nobody", "role": "owner", "source": "admin", "added_at": 1},
        "role_maps": {"space": "fake/team", "role": "1", "name": WORDS, "kind": "team", "target": "red"},
        "tiers": {"space": "", "name": "雪", "rules": "{}"},
        "tier_holders": {"space": "", "holder": "person:nobody", "tier": "雪"},
        "link_codes": {"digest": "d", "person": "nobody", "expires_at": LARGEST, "used_at": 0},
        "space_admins": {"space": "fake/team", "person": "nobody", "seen_at": 1},
        "alerts": {"account": "all", "unit": "usd", "win": "day", "period": "2026-11-21", "percent": 80, "at": 1},
        "reviews": {"generation": "nothere", "space": "fake/team", "room": WORDS, "state": "waiting"},
        "dashboard_keys": {
            "digest": "d",
            "kind": "link",
            "person": "nobody",
            "name": WORDS,
            "space": "",
            "rights": "{}",
        }
        | {"created_at": 1, "expires_at": LARGEST},
    }.items():
        places = ", ".join(f":{name}" for name in values)
        connection.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", **values)
    given: dict[str, Any] = {"pool": "team:red", "person": "nobody", "unit": "usd", "amount": LARGEST, "until": LARGEST}
    grants.give(connection, **given, by=By("nobody", WORDS), at=1)


@pytest.fixture(scope="module")
def filled(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    file = Path(shutil.copy(migrated, folder / "bot.db"))
    asyncio.run(_fill(file, folder))
    with reading(file) as connection:
        states = {row["state"] for row in connection.rows("SELECT DISTINCT state FROM generations")}
        assert states == set(State)
        assert verify(connection).problems == ()
    assert [name for name, rows in rows_of(file).items() if not rows] == []
    return file


def rows_of(place: Path | str) -> dict[str, list[tuple[Any, ...]]]:
    """All that a database of ours holds, but for what a move writes down about itself."""
    with reading(place) as connection:
        return {name: _sorted(connection, name) for name in _tables(connection, place)}


def _tables(connection: Connection, place: Path | str) -> list[str]:
    catalogue = (
        "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite%'"
        if isinstance(place, Path)
        else "SELECT tablename AS name FROM pg_tables WHERE schemaname=current_schema()"
    )
    names = sorted(row["name"] for row in connection.rows(catalogue))
    return [name for name in names if not name.startswith(("alembic", "processes", "procrastinate"))]


def _sorted(connection: Connection, table: str) -> list[tuple[Any, ...]]:
    rows = [dict(row) for row in connection.rows(f"SELECT * FROM {table}")]
    kept = [row for row in rows if table != "meta" or row["name"] not in (MOVED, MOVING)]
    return sorted((tuple(row[name] for name in sorted(row)) for row in kept), key=repr)


def without_nul(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """As PostgreSQL keeps them."""

    def kept(value: Any) -> Any:
        return value.replace("\0", "") if isinstance(value, str) else value

    return {name: sorted((tuple(map(kept, row)) for row in found), key=repr) for name, found in rows.items()}


# --- one move


@dataclass
class Story:
    """A data folder, and a database to which it is to be moved."""

    folder: Path
    to: str
    told: list[str] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "bot.db"

    @property
    def here(self) -> Settings:
        return Settings(data_dir=self.folder, providers=("sandbox",))

    @property
    def there(self) -> Settings:
        return Settings(data_dir=self.folder, database_url=self.to, providers=("sandbox",))

    async def move(self, to: str = "") -> int:
        self.told.clear()
        return await move(self.here, to or self.to, self.told.append)

    async def refused(self, to: str = "") -> str:
        """Why it is not moved; and nothing was changed."""
        before = self.file.read_bytes()
        with pytest.raises(CannotStart) as refused:
            await self.move(to)
        assert self.file.read_bytes() == before
        assert not str(refused.value).endswith(".")
        return str(refused.value)

    def change(self, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.file)) as raw, raw:
            raw.execute(statement, values)

    def on_target(self, statement: str) -> list[dict[str, Any]]:
        with connected(self.to) as raw:
            return on(raw, statement)

    async def starts(self, settings: Settings) -> str:
        """Why no bot starts with these, or ""."""
        try:
            async with running(settings, listen=False):
                return ""
        except CannotStart as error:
            return str(error)

    def process(self, script: str, *words: str) -> subprocess.CompletedProcess[str]:
        """`move` in a process of its own, as `script` sees to it."""
        command = [sys.executable, "-c", script, *words, "move", "--to", self.to, "--data-dir", str(self.folder)]
        return subprocess.run(
            command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=False
        )


def on(raw: Raw, statement: str) -> list[dict[str, Any]]:
    done = raw.execute(statement)  # type: ignore[call-overload]
    return list(done.fetchall()) if done.description else []


@pytest.fixture
def to(emptied: Emptied) -> Iterator[str]:
    """The address of an empty schema, where no table is."""
    with new_schema(emptied.url) as url:
        yield url


@pytest.fixture
def story(filled: Path, tmp_path: Path, to: str) -> Story:
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copy(filled, folder / "bot.db")
    return Story(folder, to)


# --- what is moved


async def test_every_row_of_every_table_arrives_as_it_was(story: Story) -> None:
    before = rows_of(story.file)
    code = await story.move()

    assert code == 0
    assert rows_of(story.to) == without_nul(before)
    assert rows_of(story.file) == before
    with reading(story.to) as connection:
        assert verify(connection).problems == ()
    assert any(line.startswith("generations: 12 rows") for line in story.told), story.told
    assert any("books agree" in line for line in story.told)
    assert any("BOT_DATABASE_URL" in line for line in story.told)


async def test_what_counts_by_itself_goes_on_behind_what_was_ever_given(story: Story) -> None:
    with closing(sqlite3.connect(story.file)) as raw, raw:
        (event,) = raw.execute("SELECT max(seq) FROM events").fetchone()
        raw.execute("UPDATE sqlite_sequence SET seq=900 WHERE name='generations'")  # its row was removed
    await story.move()

    async with open_database(story.to) as database:
        core = Core(database=database, folder=story.folder)
        generation = await core.accepted(event="later")
        await core.check_books()
        (row,) = await database.fetch("SELECT seq FROM generations WHERE id=:id", id=generation)
        (first,) = await database.fetch("SELECT min(seq) AS seq FROM events WHERE generation=:id", id=generation)
    assert row["seq"] == 901
    assert first["seq"] == event + 1


async def test_a_bot_goes_on_with_the_moved_database(story: Story) -> None:
    async with running(story.here, listen=False) as app:
        first = await app.sending.send(Asked(person="alice", words="/imagine a fox"))
    await story.move()
    async with running(story.there, listen=False) as app:
        history = await app.sending.send(Asked(person="alice", words="/history"))
        shown = await app.sending.send(Asked(person="alice", words=f"/show {first['generation']}"))
        drawn = await app.sending.send(Asked(person="alice", words="/imagine an owl"))

    assert first["generation"] in str(history)
    assert [image["blob"] for image in shown["images"]] == [image["blob"] for image in first["images"]] != []
    assert drawn["state"] == "settled"
    with reading(story.to) as connection:
        assert verify(connection).problems == ()


async def test_an_older_file_is_brought_to_this_version_first(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.file.unlink()
    with at_version(4, tmp_path, monkeypatch):
        schema.migrate(story.file)
    story.change("INSERT INTO people (id, name, created_at) VALUES ('p', 'old', 1)")
    await story.move()

    assert schema.current(story.file) == schema.current(story.to) == schema.head()
    assert story.on_target("SELECT name FROM people") == [{"name": "old"}]


@pytest.mark.parametrize("version", [4, 0], ids=["older", "this"])
async def test_a_target_may_have_its_empty_tables_already(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    with at_version(version, tmp_path, monkeypatch):
        schema.migrate(story.to)
    await story.move()

    assert rows_of(story.to) == without_nul(rows_of(story.file))


@contextmanager
def at_version(number: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As an earlier program; 0 is this one."""
    earlier = folder / "migrations"
    shutil.copytree(schema.VERSIONS.parent, earlier)
    for later in sorted((earlier / "versions").glob("[0-9]*.py"))[number or 9999 :]:
        later.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(schema, "VERSIONS", earlier / "versions")
        yield


async def test_books_that_did_not_agree_are_moved_as_they_are_and_told(story: Story) -> None:
    story.change("INSERT INTO balances (account, unit, win, period, spent) VALUES ('x', 'usd', 'total', 'all', 7)")
    code = await story.move()

    assert code == 1
    assert any(line.startswith("x usd: balance") for line in story.told)
    assert any("do not agree, as before" in line for line in story.told)
    assert await story.starts(story.there) == ""


# --- what is refused, before anything is changed


async def _somebody(story: Story) -> None:
    schema.migrate(story.to)
    story.on_target("INSERT INTO people (id, name, created_at) VALUES ('p', 'somebody', 1)")


async def _something(story: Story) -> None:
    story.on_target("CREATE TABLE films (title TEXT)")


async def _somebodys_alembic(story: Story) -> None:
    story.on_target("CREATE TABLE alembic_version (version_num TEXT)")
    story.on_target("INSERT INTO alembic_version VALUES ('ae1027a6acf')")


async def _links(story: Story) -> None:
    schema.migrate(story.to)
    story.on_target("INSERT INTO meta (name, value) VALUES ('links', 'secret')")


async def _newer(story: Story) -> None:
    schema.migrate(story.to)
    story.on_target("UPDATE alembic_version SET version_num='9999'")


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (_somebody, "is not empty: it has a table people"),
        (_something, "is not empty: it has a table films"),
        (_somebodys_alembic, "is not empty: it has a table alembic_version"),
        (_links, "is not empty: it has a table meta"),
        (_newer, "at version 9999"),
    ],
    ids=["people", "foreign", "foreign alembic", "a bot that was tried", "newer"],
)
async def test_what_is_in_the_target_is_left_alone(story: Story, there: Any, words: str) -> None:
    await there(story)
    before = dump(story.to)
    told = await story.refused()

    assert words in told
    assert dump(story.to) == before


def dump(url: str) -> dict[str, list[dict[str, Any]]]:
    with connected(url) as raw:
        names = [
            row["name"] for row in on(raw, "SELECT tablename AS name FROM pg_tables WHERE schemaname=current_schema()")
        ]
        return {name: on(raw, f"SELECT * FROM {name}") for name in names}


async def test_a_database_that_cannot_keep_what_people_write_is_refused(story: Story) -> None:
    with new_database() as url:
        name = urlsplit(url).path[1:]
        with connected(SERVER) as raw:
            on(raw, f"DROP DATABASE {name}")
            on(raw, f"CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
        told = await story.refused(url)

        assert "LATIN1" in told
        assert "UTF8" in told
        assert dump(url) == {}


async def test_a_user_who_may_make_no_tables_is_told_the_cure(story: Story) -> None:
    role = f"mover_{secrets.token_hex(4)}"
    with new_database() as url:
        with connected(url) as raw:
            on(raw, f"CREATE ROLE {role} LOGIN")
        try:
            told = await story.refused(
                urlsplit(url)._replace(netloc=f"{role}@{urlsplit(url).netloc.split('@')[1]}").geturl()
            )
        finally:
            with connected(url) as raw:
                on(raw, f"DROP ROLE {role}")

    assert "make it the owner" in told


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("postgresql://bot:geheim@127.0.0.1:1/bot", "cannot be reached"),
        ("postgresql://bot:ge@heim@127.0.0.1:1/bot", "must be like"),
        ("mysql://bot:geheim@127.0.0.1/bot", "must be like"),
        ("sqlite:////somewhere/bot.db", "must be like"),
        ("", "must be like"),
    ],
)
async def test_an_address_that_leads_nowhere_is_said_without_its_password(
    story: Story, address: str, words: str
) -> None:
    told = await story.refused(address or " ")

    assert words in told
    assert "heim" not in told


async def test_a_database_that_is_not_there_is_to_be_made_first(story: Story) -> None:
    missing = urlsplit(SERVER)._replace(path="/there_is_none").geturl()

    assert "make it first" in await story.refused(missing)


async def test_nothing_is_moved_while_a_bot_runs_here_or_there(story: Story, tmp_path: Path) -> None:
    with Ownership(story.folder), pytest.raises(Owned):
        await story.move()
    assert dump(story.to) == {}
    async with running(story.there.model_copy(update={"data_dir": tmp_path / "other"}), listen=False):
        told = await story.refused()

    assert "is in use by seedream-bot" in told


@pytest.mark.parametrize("busy", ["BEGIN IMMEDIATE", "BEGIN; SELECT * FROM people"], ids=["writes", "reads"])
async def test_another_program_in_the_file_is_noticed(story: Story, monkeypatch: pytest.MonkeyPatch, busy: str) -> None:
    monkeypatch.setattr(moving, "PATIENCE", 0.05)
    with closing(sqlite3.connect(story.file, isolation_level=None)) as other:
        other.execute("UPDATE people SET turn=turn+1")
        for statement in busy.split(";"):
            other.execute(statement).fetchone()
        with pytest.raises(CannotStart, match="another program uses"):
            await story.move()

    assert await story.move() == 0


async def test_what_is_not_a_file_of_a_bot_is_not_moved(story: Story, tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="is not a file"):
        await move(story.there, story.to, print)
    with pytest.raises(CannotStart, match="there is no database"):
        await move(Settings(data_dir=tmp_path / "nowhere"), story.to, print)
    assert not (tmp_path / "nowhere").exists()

    story.change("UPDATE alembic_version SET version_num='9999'")
    assert "9999" in await story.refused()
    story.change("DROP TABLE alembic_version")
    assert "is not a bot's database" in await story.refused()
    story.file.write_bytes(b"no database" * 1000)
    assert "cannot be read" in await story.refused()
    assert dump(story.to) == {}


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE people SET name=x'ff00'", "the table people has"),
        ("UPDATE people SET created_at='soon'", "the table people has"),
        ("UPDATE people SET created_at=1.5", "the table people has"),
        ("UPDATE people SET name=CAST(x'73656372ff' AS TEXT)", "text that is not UTF-8"),
        ("INSERT INTO actors VALUES ('fake', 'a' || char(0), 'p'), ('fake', 'a', 'p')", "in the table actors"),
    ],
    ids=["bytes", "words for a number", "a fraction", "not UTF-8", "NUL makes two the same"],
)
async def test_what_postgresql_would_keep_otherwise_is_not_moved(story: Story, statement: str, words: str) -> None:
    story.change(statement)
    with pytest.raises(CannotStart) as refused:
        await story.move()

    assert words in str(refused.value)
    assert "secr" not in str(refused.value)
    assert dump(story.to) == {} or "a move into this database" in await story.starts(story.there)
    assert await story.starts(story.here) == ""


async def test_a_damaged_file_is_not_moved(story: Story) -> None:
    with story.file.open("r+b") as file:
        file.seek(4096 * 8)
        file.write(random.Random(1).randbytes(4096 * 4))

    assert await story.refused()
    assert dump(story.to) == {}


# --- what comes in between

PARTS = """
import itertools, os, sys
from bot import cli
from bot.ops import move
move.PART = 5
"""
KILLED = f"""{PARTS}
when, name = sys.argv[1].split()
left, number = int(sys.argv[2]), int(sys.argv[3])
def reached():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), number)
def within(rows):
    for row in rows:
        reached()
        yield row
def watched(*given, **named):
    if when == "before":
        reached()
    if when == "within":
        given = [within(each) if isinstance(each, itertools.islice) else each for each in given]
    result = original(*given, **named)
    if when == "after":
        reached()
    return result
original = getattr(move, name)
setattr(move, name, watched)
sys.argv[1:] = sys.argv[4:]
cli.main()
"""
POINTS = [
    ("before _begin", 1),
    ("after _empty", 1),
    ("before _copy_part", 1),
    ("within _copy_part", 33),
    ("after _copy_part", 1),
    ("after _copy_part", 20),
    ("before _continue_numbers", 1),
    ("after _prove", 1),
    ("before _mark", 1),
    ("after _mark", 1),
]


@pytest.mark.crash
@pytest.mark.parametrize(("point", "times"), POINTS, ids=lambda value: str(value))
async def test_killed_anywhere_it_goes_on_and_nothing_is_there_twice(story: Story, point: str, times: int) -> None:
    before = rows_of(story.file)
    done = await asyncio.to_thread(story.process, KILLED, point, str(times), str(int(signal.SIGKILL)))
    assert done.returncode == -signal.SIGKILL, done

    if point != "before _begin":
        assert "a move into this database" in await story.starts(story.there)
    if point == "after _mark":
        assert "was moved to" in await story.starts(story.here)
    assert await story.move() == 0
    assert rows_of(story.to) == without_nul(before)
    assert await story.starts(story.there) == ""
    if point == "after _copy_part":
        (line,) = (line for line in story.told if line.startswith("Copying"))
        copied, total = (int(word.replace(",", "")) for word in line.split() if word.replace(",", "").isdigit())
        assert 0 < total - copied <= 5 * times


@pytest.mark.crash
@pytest.mark.long
async def test_killed_again_and_again_it_comes_to_its_end(story: Story) -> None:
    chance = random.Random(6)
    command = [
        sys.executable,
        "-u",
        "-c",
        f"{PARTS}\ncli.main()",
        "move",
        "--to",
        story.to,
        "--data-dir",
        str(story.folder),
    ]
    killed = 0
    while True:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdout is not None
        lines = 0
        most = chance.randint(2, 6) if killed < 5 else 1000
        while lines < most and await process.stdout.readline():
            lines += 1
        if lines == most:
            process.kill()
            killed += 1
        await process.communicate()
        if process.returncode != -signal.SIGKILL:
            break

    assert process.returncode == 0
    assert killed >= 3
    assert rows_of(story.to) == without_nul(rows_of(story.file))


@pytest.mark.crash
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
async def test_told_to_stop_it_stops_between_two_parts(story: Story, number: signal.Signals) -> None:
    done = await asyncio.to_thread(story.process, KILLED, "before _copy_part", "4", str(int(number)))

    assert done.returncode not in (0, None)
    assert "Traceback" not in done.stderr
    assert "All is moved" not in done.stdout
    assert await story.move() == 0
    assert rows_of(story.to) == without_nul(rows_of(story.file))


@dataclass
class Interrupted(Exception):
    line: str


async def begun(story: Story, table: str = "holds") -> None:
    """Half of it: everything up to this table."""

    def tell(line: str) -> None:
        if line.startswith(f"{table}:"):
            raise Interrupted(line)

    with pytest.raises(Interrupted):
        await move(story.here, story.to, tell)


async def test_no_bot_starts_on_half_of_it_and_one_may_on_the_file(story: Story) -> None:
    await begun(story)

    assert "`seedream-bot move`" in await story.starts(story.there)
    assert await story.starts(story.here) == ""


async def test_a_file_that_was_used_in_between_is_copied_anew(story: Story) -> None:
    await begun(story)
    async with running(story.here, listen=False) as app:
        await app.sending.send(Asked(person="alice", words="/imagine a fox"))
    with closing(sqlite3.connect(story.file)) as raw, raw:
        raw.execute("DELETE FROM chat_messages WHERE id='m3'")
        raw.execute("UPDATE entries SET reason='later' WHERE kind='settle'")
    assert await story.move() == 0

    assert any("has changed" in line for line in story.told)
    assert rows_of(story.to) == without_nul(rows_of(story.file))


async def test_a_file_that_nobody_used_in_between_is_not_copied_anew(story: Story) -> None:
    await begun(story)
    with closing(sqlite3.connect(story.file)) as raw:  # somebody only looked
        raw.execute("SELECT count(*) FROM people").fetchone()
    assert await story.move() == 0

    assert not any("has changed" in line for line in story.told)
    assert not any(line.startswith("entries:") for line in story.told)


async def test_a_newer_program_ends_what_an_older_one_has_begun(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.file.unlink()
    with at_version(6, tmp_path, monkeypatch):
        schema.migrate(story.file)
        story.change("INSERT INTO people (id, name, created_at) VALUES ('p', 'old', 1)")
        story.change("INSERT INTO limits (account, unit, win, amount) VALUES ('all', 'usd', 'day', 1)")
        await begun(story, "limits")
        assert schema.current(story.to) == "0006"
    assert await story.move() == 0

    assert schema.current(story.to) == schema.head()
    assert rows_of(story.to) == without_nul(rows_of(story.file))


async def test_the_half_of_another_file_is_left_alone(story: Story, tmp_path: Path, filled: Path) -> None:
    await begun(story)
    other = Story(tmp_path / "other", story.to)
    other.folder.mkdir()
    shutil.copy(filled, other.file)
    other.change("DELETE FROM actors")
    before = dump(story.to)
    told = await other.refused()

    assert str(story.file) in told
    assert dump(story.to) == before
    assert await story.move() == 0


async def test_two_at_a_time_do_not_mix(story: Story) -> None:
    def tell(line: str) -> None:
        if line.startswith("entries:"):  # as another one would that had lost sight of this one
            story.on_target(f"UPDATE meta SET value=replace(value, '\"entries\"', '\"others\"') WHERE name='{MOVING}'")

    with pytest.raises(CannotStart, match="another process"):
        await move(story.here, story.to, tell)
    assert story.on_target("SELECT count(*) AS n FROM inbox") == [{"n": 0}]


async def test_a_lost_connection_is_said_and_the_next_call_goes_on(story: Story) -> None:
    def tell(line: str) -> None:
        if line.startswith("events:"):
            story.on_target(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid<>pg_backend_pid()"
                " AND datname=current_database() AND application_name LIKE 'seedream-bot%'"
            )

    with pytest.raises(CannotStart, match="the next call goes on"):
        await move(story.here, story.to, tell)
    assert await story.move() == 0
    assert rows_of(story.to) == without_nul(rows_of(story.file))


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DELETE FROM entries WHERE account='all' AND kind='settle'", "the table entries has"),
        ("UPDATE entries SET spent=spent+1 WHERE account='all' AND kind='settle'", "the books are others"),
    ],
    ids=["rows", "books"],
)
async def test_what_did_not_arrive_as_it_was_is_not_used(story: Story, statement: str, words: str) -> None:
    def tell(line: str) -> None:
        story.told.append(line)
        if line.startswith("Comparing"):
            story.on_target(statement)

    with pytest.raises(CannotStart, match=words):
        await move(story.here, story.to, tell)
    assert "a move into this database" in await story.starts(story.there)
    assert await story.starts(story.here) == ""


# --- afterwards


async def test_no_bot_starts_on_the_file_any_more(story: Story) -> None:
    story.to = story.to.replace("postgres@", "postgres:geheim@")
    await story.move()
    before = dump(story.to)
    told = [await story.starts(story.here), await story.refused()]
    with pytest.raises(CannotStart) as refused:
        async with running(story.here, for_demo=True, listen=False):
            pass
    told += [str(refused.value), *story.told]

    assert all("was moved to" in line and "BOT_DATABASE_URL" in line for line in told[:3]), told
    assert not any("geheim" in line for line in told)
    assert dump(story.to) == before


async def test_a_file_may_be_taken_into_use_again(story: Story) -> None:
    await story.move()
    story.change("DELETE FROM meta WHERE name='moved'")

    assert await story.starts(story.here) == ""
    assert "is not empty" in await story.refused()


# --- the command


def _run(folder: Path, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bot", "move", *words, "--data-dir", str(folder)]
    return subprocess.run(
        command, cwd=ROOT, env=environment(), input=given, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_address_may_come_from_standard_input(story: Story) -> None:
    secret = story.to.replace("postgres@", "postgres:geheim@")
    nothing = _run(story.folder, "--to", "-")
    moved = _run(story.folder, "--to", "-", given=f"{secret}\n")
    again = _run(story.folder, "--to", secret)

    assert (nothing.returncode, moved.returncode, again.returncode) == (1, 0, 1), (nothing, moved, again)
    assert "must be like postgresql://" in nothing.stderr
    assert moved.stderr == ""
    assert [len(done.stderr.splitlines()) for done in (nothing, again)] == [1, 1]
    assert "geheim" not in moved.stdout + again.stdout + again.stderr
    assert rows_of(story.to) == without_nul(rows_of(story.file))


MEASURED = """
import resource, sys
from bot import cli
try:
    cli.main()
finally:
    print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)
"""


@pytest.mark.timeout(300)
@pytest.mark.long
def test_memory_stays_flat_however_many_rows_there_are(
    story: Story, migrated: Path, tmp_path: Path, emptied: Emptied
) -> None:
    small = story.process(MEASURED)
    large = tmp_path / "large"
    large.mkdir()
    shutil.copy(migrated, large / "bot.db")
    with closing(sqlite3.connect(large / "bot.db")) as raw, raw:
        raw.execute("PRAGMA synchronous=OFF")
        raw.executemany(
            "INSERT INTO inbox (id, adapter, raw, state, received_at) VALUES (?, 'web', ?, 'done', ?)",
            ((secrets.token_hex(8), f"{number} {'x' * 400}", number) for number in range(200_000)),
        )
    with new_schema(emptied.url) as url:
        done = Story(large, url).process(MEASURED)
        with connected(url) as raw_:
            rows = on(raw_, "SELECT count(*) AS n, count(DISTINCT id) AS different FROM inbox")

    assert (small.returncode, done.returncode) == (0, 0), (small, done)
    assert rows == [{"n": 200_000, "different": 200_000}]
    peaks = [int(each.stderr.split()[-1]) for each in (small, done)]
    assert peaks[1] - peaks[0] < 40, peaks  # of 100 MiB
