"""A backup is what a bot kept at one moment, and nothing but a whole one is ever put into a folder."""

import asyncio
import io
import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from bot.errors import CannotStart
from bot.media.store import Blobs
from bot.ops import backup
from bot.ops.backup import MANIFEST, Places, save
from bot.ops.ownership import Owned, Ownership
from bot.ops.restore import STAGED, restore
from bot.settings import Settings
from bot.storage import schema
from tests.bot.ops.processes import ROOT, Desk, environment
from tests.crash.home import Home
from tests.crash.provider import provider
from tests.crash.waiting import until
from tests.fakes import painted

NOW = datetime(2026, 11, 21, 15, tzinfo=UTC)


@dataclass(frozen=True)
class Kept:
    """A data folder without a bot."""

    folder: Path

    @property
    def settings(self) -> Settings:
        return Settings(data_dir=self.folder)

    @property
    def places(self) -> Places:
        return Places.of(self.settings)

    def put(self, content: bytes, name: Callable[[str], str] | None = None) -> str:
        """Keep a picture; `name` gives the statement by which the database names it, if it does."""
        file = self.folder / "incoming"
        file.write_bytes(content)
        key = asyncio.run(Blobs(self.settings.blobs_url).put(file))
        file.unlink()
        if name is not None:
            self.change(name(key))
        return key

    def change(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.places.database)) as raw, raw:
            for each in statements:
                raw.execute(each)

    def save(self, file: Path) -> list[str]:
        told: list[str] = []
        save(self.settings, file, told.append, at=NOW)
        return told

    def restore(self, file: Path) -> list[str]:
        told: list[str] = []
        restore(self.settings, file, told.append)
        return told

    def everything(self) -> tuple[list[str], dict[str, bytes]]:
        """What the database and the pictures hold."""
        with closing(sqlite3.connect(self.places.database)) as raw:
            rows = list(raw.iterdump())
        blobs = self.places.pictures
        return rows, {str(each.relative_to(blobs)): each.read_bytes() for each in blobs.rglob("*") if each.is_file()}

    def left(self) -> list[str]:
        """All that lies here, but for the lock and empty folders."""
        found = self.folder.rglob("*") if self.folder.exists() else ()
        return [str(each.relative_to(self.folder)) for each in found if each.is_file() and each.name != "bot.lock"]


def as_picture(key: str) -> str:
    return f"INSERT INTO blobs (key, size, used_at) VALUES ('{key}', 1, 1)"


def as_upload(key: str) -> str:
    uploads = json.dumps([{"name": "cat.png", "blob": key, "media_type": "image/png", "size": 1}])
    return (
        "INSERT INTO chat_messages (id, room, author, bot, at, uploads, born, revision)"
        f" VALUES ('{key}', 'r', 'bob', 0, 1, '{uploads}', 1, 1)"
    )


@pytest.fixture
def kept(migrated: Path, tmp_path: Path) -> Kept:
    """Three pictures of which the database knows, one of them an upload; and one of which it does not."""
    kept = Kept(tmp_path / "50% ?of #all")
    kept.folder.mkdir()
    shutil.copy(migrated, kept.folder / "bot.db")
    for seed, name in (("a", as_picture), ("b", as_picture), ("c", as_upload), ("d", None)):
        kept.put(painted(seed), name)
    return kept


@pytest.fixture
def new(tmp_path: Path) -> Kept:
    """A data folder that is yet to be made."""
    return Kept(tmp_path / "new")


@pytest.fixture
def archive(kept: Kept, tmp_path: Path) -> Path:
    file = tmp_path / "saved.tar"
    kept.save(file)
    return file


# --- what is saved


def test_what_was_saved_comes_back_as_it_was(kept: Kept, new: Kept, tmp_path: Path) -> None:
    (told,) = kept.save(tmp_path / "saved.tar")
    (said,) = new.restore(tmp_path / "saved.tar")

    rows, pictures = kept.everything()
    unnamed = {place: content for place, content in pictures.items() if content == painted("d")}
    assert new.everything() == (rows, {place: pictures[place] for place in pictures.keys() - unnamed.keys()})
    assert len(pictures) == 4
    assert "3 pictures" in told
    assert "3 pictures" in said
    assert "2026-11-21T15:00:00" in said
    assert new.left() == ["bot.db", *(f"blobs/{place}" for place in new.everything()[1])]


def test_it_is_a_plain_tar_for_its_owner_alone_without_secrets(kept: Kept, tmp_path: Path) -> None:
    (kept.folder / ".env").write_text("BOT_MODELARK__API_KEY=very-secret")
    with Ownership(kept.folder) as owner:
        owner.announce("http://127.0.0.1:1")
        kept.save(tmp_path / "saved.tar")

    assert stat.S_IMODE((tmp_path / "saved.tar").stat().st_mode) == 0o600
    with tarfile.open(tmp_path / "saved.tar") as tar:
        names = tar.getnames()
    assert names[:2] == [MANIFEST, "bot.db"]
    assert {name.split("/")[0] for name in names[2:]} == {"blobs"}
    content = (tmp_path / "saved.tar").read_bytes()
    assert b"very-secret" not in content
    assert owner.token.encode() not in content
    assert [each.name for each in tmp_path.glob(".*")] == []


def test_a_picture_that_is_gone_or_damaged_is_counted_and_keeps_nothing_else_out(
    kept: Kept, new: Kept, tmp_path: Path
) -> None:
    gone, damaged = kept.put(b"gone", as_picture), kept.put(b"damaged", as_picture)
    old = kept.put(b"an upload that retention took", as_upload)
    for key in (gone, old):
        kept.places.picture(key).unlink()
    kept.places.picture(damaged).write_bytes(b"rot")

    told = kept.save(tmp_path / "saved.tar")
    new.restore(tmp_path / "saved.tar")

    assert [line.partition(" ")[0] for line in told] == ["Saved", "2"]
    assert set(new.everything()[1].values()) == {painted(seed) for seed in "abc"}


def test_a_name_that_is_no_key_leads_nowhere(kept: Kept, tmp_path: Path) -> None:
    (kept.folder / "secret").write_text("very-secret")
    kept.change(as_picture("../../secret"), as_upload(f"../{'a' * 61}"))

    told = kept.save(tmp_path / "saved.tar")

    assert len(told) == 1, "nothing counts as missing"
    assert b"very-secret" not in (tmp_path / "saved.tar").read_bytes()


def test_nothing_is_overwritten(kept: Kept, archive: Path) -> None:
    before = archive.read_bytes()

    with pytest.raises(CannotStart, match="there already"):
        kept.save(archive)

    assert archive.read_bytes() == before


def test_two_of_one_name_at_once_do_not_overwrite_each_other(kept: Kept, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        tries = [pool.submit(kept.save, tmp_path / "saved.tar") for _ in range(4)]

    assert [type(error) for each in tries if (error := each.exception())] == [CannotStart] * 3
    assert [each.name for each in tmp_path.iterdir() if "saved" in each.name] == ["saved.tar"]


def test_a_bot_on_the_same_disk_keeps_the_room_that_it_needs(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "LEAST_DISK", 2**60)

    with pytest.raises(CannotStart, match=r"no room.*the bot needs"):
        kept.save(tmp_path / "saved.tar")

    assert [each.name for each in tmp_path.iterdir() if "saved" in each.name] == []


def test_memory_stays_flat_however_large_a_picture_is(kept: Kept, new: Kept, tmp_path: Path) -> None:
    kept.put(bytes(48 * 2**20), as_picture)
    tracemalloc.start()
    try:
        kept.save(tmp_path / "saved.tar")
        new.restore(tmp_path / "saved.tar")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 6 * 2**20


@pytest.mark.parametrize(
    ("elsewhere", "way"),
    [
        ({"database_url": "postgresql://bot:very-secret@db/bot"}, "pg_dump"),
        ({"blobs_url": "s3://very-secret/pictures"}, "the store itself"),
    ],
    ids=["PostgreSQL", "S3"],
)
def test_what_lies_elsewhere_is_saved_by_its_own_means(
    tmp_path: Path, archive: Path, elsewhere: dict[str, str], way: str
) -> None:
    settings = Settings(data_dir=tmp_path / "data", **elsewhere)

    for work in (lambda: save(settings, tmp_path / "x.tar", print, at=NOW), lambda: restore(settings, archive, print)):
        with pytest.raises(CannotStart, match=way) as refused:
            work()
        assert "very-secret" not in str(refused.value)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("content", [None, b"no database " * 100, b""], ids=["none", "nonsense", "empty"])
def test_what_is_no_database_is_not_saved(tmp_path: Path, content: bytes | None) -> None:
    nothing = Kept(tmp_path)
    if content is not None:
        nothing.places.database.write_bytes(content)

    with pytest.raises(CannotStart, match=r"bot\.db"):
        nothing.save(tmp_path / "saved.tar")

    assert not (tmp_path / "saved.tar").exists()


def test_a_database_of_a_newer_program_is_not_saved(kept: Kept, tmp_path: Path) -> None:
    kept.change("UPDATE alembic_version SET version_num='9999'")

    with pytest.raises(CannotStart, match=r"9999.*newer"):
        kept.save(tmp_path / "saved.tar")


def test_a_damaged_database_is_not_saved(kept: Kept, tmp_path: Path) -> None:
    with kept.places.database.open("r+b") as file:
        file.seek(4096 * 8)
        file.write(os.urandom(4096 * 4))

    with pytest.raises(CannotStart):
        kept.save(tmp_path / "saved.tar")

    assert not (tmp_path / "saved.tar").exists()


# --- what is refused

Member = tuple[tarfile.TarInfo, bytes]


def _read(file: Path) -> list[Member]:
    with tarfile.open(file) as tar:
        return [(info, content.read() if (content := tar.extractfile(info)) else b"") for info in tar]


def _write(file: Path, members: list[Member], **figures: Any) -> None:
    """An archive of these, whose manifest says so (and `figures`)."""
    (head, written), *rest = members
    pictures = [content for info, content in rest if info.name != "bot.db"]
    database = next((content for info, content in rest if info.name == "bot.db"), b"")
    manifest = json.loads(written) | {
        "pictures": len(pictures),
        "pictures_size": sum(map(len, pictures)),
        "database_sha256": sha256(database).hexdigest(),
        **figures,
    }
    sealed = json.dumps(manifest).encode().ljust(len(written))
    with tarfile.open(file, "w", format=tarfile.GNU_FORMAT) as tar:
        for info, content in ((head, sealed), *rest):
            info.size = len(content) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(content))


def _info(name: str, **fields: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def _flipped(content: bytes) -> bytes:
    return content[:50] + bytes([content[50] ^ 1]) + content[51:]


def _place(content: bytes) -> str:
    key = sha256(content).hexdigest()
    return f"blobs/{key[:2]}/{key[2:4]}/{key}"


BENT: dict[str, tuple[Callable[[list[Member]], list[Member]], str]] = {
    "a changed picture": (lambda all: [*all[:2], (all[2][0], _flipped(all[2][1])), *all[3:]], "is damaged: blobs/"),
    "a picture less": (lambda all: all[:-2], "lacks pictures"),
    "no database": (lambda all: [all[0], *all[2:]], "cut off"),
    "another database": (lambda all: [all[0], (all[1][0], b"no database " * 100), *all[2:]], r"cannot be read"),
    "a way out": (lambda all: [*all, (_info("../../evil"), b"x")], "'../../evil'"),
    "an absolute way": (lambda all: [*all, (_info("/tmp/evil"), b"x")], "'/tmp/evil'"),
    "a way out of the pictures": (lambda all: [*all, (_info("blobs/aa/../../evil"), b"x")], "it holds"),
    "a link": (
        lambda all: [*all, (_info("bot.db-wal", type=tarfile.SYMTYPE, linkname="/etc/passwd"), b"")],
        "it holds",
    ),
    "a link as a picture": (
        lambda all: [*all, (_info(_place(b"x"), type=tarfile.SYMTYPE, linkname="/etc/passwd"), b"")],
        "it holds",
    ),
    "a folder": (lambda all: [*all, (_info("blobs", type=tarfile.DIRTYPE), b"")], "it holds"),
    "another file": (lambda all: [*all, (_info("owner.json"), b"{}")], "'owner.json'"),
    "a picture twice": (lambda all: [*all, all[-1]], "twice"),
    "a picture in another's place": (lambda all: [*all, (_info(_place(b"x")), b"y")], "is damaged: blobs/"),
    "a picture where none is looked for": (
        lambda all: [*all, (_info("blobs/00/" + _place(b"x")[9:]), b"x")],
        "it holds",
    ),
}


@pytest.mark.parametrize("bent", BENT)
def test_an_archive_that_is_not_as_it_was_made_changes_nothing(
    archive: Path, new: Kept, tmp_path: Path, bent: str
) -> None:
    change, words = BENT[bent]
    _write(tmp_path / "bent.tar", change(_read(archive)))

    with pytest.raises(CannotStart, match=words):
        new.restore(tmp_path / "bent.tar")

    assert new.left() == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["50% ?of #all", "bent.tar", "new", "saved.tar"]


def test_an_archive_whose_database_was_changed_is_damaged(archive: Path, new: Kept) -> None:
    content = bytearray(archive.read_bytes())
    content[512 + 1024 + 512 + 5000] ^= 1
    archive.write_bytes(content)

    with pytest.raises(CannotStart, match=r"damaged: bot\.db"):
        new.restore(archive)

    assert new.left() == []


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"schema": "9999"}, "9999.*newer"),
        ({"schema": "0001"}, "another version"),
        ({"format": 2, "version": "7.0"}, r"7\.0.*newer"),
        ({"format": 2, "version": 7}, "cannot be read"),
        ({"pictures": "3"}, "cannot be read"),
        ({"more": 1}, "cannot be read"),
        ({"pictures": 4}, "cut off"),
        ({"missing": 1}, "lacks pictures"),
    ],
    ids=str,
)
def test_a_manifest_is_held_to_what_it_says(
    archive: Path, new: Kept, tmp_path: Path, figures: dict[str, Any], words: str
) -> None:
    _write(tmp_path / "bent.tar", _read(archive), **figures)

    with pytest.raises(CannotStart, match=words):
        new.restore(tmp_path / "bent.tar")

    assert new.left() == []


def _ends(file: Path) -> list[int]:
    """Where an archive may end: within and behind every part of it."""
    with tarfile.open(file) as tar:
        starts = [info.offset for info in tar]
    return [100, *(start + more for start in starts[1:] for more in (0, 100, 512, 550))]


def test_an_archive_that_was_cut_off_changes_nothing(archive: Path, new: Kept, tmp_path: Path) -> None:
    content = archive.read_bytes()
    for end in _ends(archive):
        (tmp_path / "part.tar").write_bytes(content[:end])
        with pytest.raises(CannotStart, match=r"cut off|not a backup"):
            new.restore(tmp_path / "part.tar")
        assert new.left() == [], end


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 10_240, b"no archive " * 1000, b"[" * 4096],
    ids=["empty", "an empty tar", "words", "brackets"],
)
def test_what_is_no_archive_is_said_to_be_none(new: Kept, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "no.tar").write_bytes(content)

    with pytest.raises(CannotStart, match="not a backup"):
        new.restore(tmp_path / "no.tar")

    assert not new.folder.exists()


def test_a_manifest_of_nothing_but_brackets_is_none(archive: Path, new: Kept) -> None:
    with archive.open("r+b") as file:
        file.seek(512)
        file.write(b"[" * 1024)

    with pytest.raises(CannotStart, match="cannot be read"):
        new.restore(archive)


# --- where it is restored


@pytest.mark.parametrize(
    "there", ["bot.db", "bot.db-wal", "blobs/aa/aa/a-picture", "thumbnails/x", "notes.txt"], ids=lambda name: name
)
def test_a_folder_that_is_not_empty_is_left_alone(archive: Path, new: Kept, there: str) -> None:
    file = new.folder / there
    file.parent.mkdir(parents=True)
    file.write_bytes(b"dear to somebody")

    with pytest.raises(CannotStart, match="empty"):
        new.restore(archive)

    assert new.left() == [there]
    assert file.read_bytes() == b"dear to somebody"


def test_a_folder_with_nothing_but_settings_is_as_good_as_empty(archive: Path, new: Kept) -> None:
    (new.folder / "blobs").mkdir(parents=True)
    (new.folder / "lost+found").mkdir()
    (new.folder / "bot.toml").write_text("")

    assert new.restore(archive)


def test_a_folder_in_use_is_left_alone(archive: Path, new: Kept) -> None:
    with Ownership(new.folder), pytest.raises(Owned):
        new.restore(archive)

    assert new.left() == []


def test_places_of_their_own_are_saved_and_restored_too(kept: Kept, tmp_path: Path) -> None:
    for place in ("old", "other"):
        (tmp_path / place).mkdir()
    shutil.move(kept.places.database, tmp_path / "old" / "db")
    shutil.move(kept.places.pictures, tmp_path / "old" / "pictures")

    def at(place: str) -> Settings:
        folder = tmp_path / place
        urls = {"database_url": f"sqlite:///{folder}/db", "blobs_url": (folder / "pictures").as_uri()}
        return Settings(data_dir=folder / "data", **urls)

    save(at("old"), tmp_path / "saved.tar", print, at=NOW)
    log = tmp_path / "other" / "db-wal"
    log.write_bytes(b"of another database")
    with pytest.raises(CannotStart, match="db-wal"):
        restore(at("other"), tmp_path / "saved.tar", print)
    log.unlink()
    restore(at("other"), tmp_path / "saved.tar", print)

    assert schema.current(tmp_path / "other" / "db") == schema.head()
    assert len([each for each in (tmp_path / "other" / "pictures").rglob("*") if each.is_file()]) == 3


def test_an_earlier_database_is_brought_to_this_version(
    kept: Kept, new: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = tmp_path / "migrations"
    shutil.copytree(schema.VERSIONS.parent, earlier)
    for later in sorted((earlier / "versions").glob("[0-9]*.py"))[4:]:
        later.unlink()
    kept.places.database.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(schema, "VERSIONS", earlier / "versions")
        schema.migrate(kept.places.database)
    kept.save(tmp_path / "saved.tar")

    new.restore(tmp_path / "saved.tar")

    assert schema.current(kept.places.database) == "0004"
    assert schema.current(new.places.database) == schema.head()


# --- processes that end badly

KILLED = """
import os, sys
from bot import cli
what, where, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
left = [1]
def watch(event, arguments):
    if event == what and left[0] and where in str(arguments[0]):
        left[0] = 0
        os.kill(os.getpid(), number)
sys.argv[1:] = sys.argv[4:]
sys.addaudithook(watch)
cli.main()
"""
NO_ROOM = """
import resource, sys
from bot import cli
size = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
sys.argv[1:] = sys.argv[2:]
cli.main()
"""


def run(script: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, words)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.crash
@pytest.mark.parametrize(
    ("what", "where"),
    [
        ("open", f"bot.db{STAGED}"),
        ("open", f"{STAGED}/"),
        ("os.rename", f"{STAGED}/"),
        ("os.rename", f"bot.db{STAGED}"),
    ],
    ids=["the database", "a picture", "the pictures' names", "the last name"],
)
def test_no_bot_starts_on_a_restore_that_was_killed(archive: Path, new: Kept, what: str, where: str) -> None:
    done = run(KILLED, what, where, signal.SIGKILL, "restore", archive, "--data-dir", new.folder)
    assert done.returncode == -signal.SIGKILL, done

    with pytest.raises(schema.SchemaError):
        schema.migrate(new.places.database)
    if where.startswith("bot.db") and what == "os.rename":
        with pytest.raises(CannotStart, match="empty"):
            new.restore(archive)
        shutil.rmtree(new.folder)

    assert new.restore(archive)
    assert len(new.everything()[1]) == 3
    assert [name for name in new.left() if STAGED in name] == []


@pytest.mark.crash
def test_told_to_stop_it_takes_away_what_it_began(archive: Path, kept: Kept, new: Kept, tmp_path: Path) -> None:
    stopped = run(KILLED, "open", f"{STAGED}/", signal.SIGTERM, "restore", archive, "--data-dir", new.folder)
    again = run(KILLED, "open", "archive", signal.SIGTERM, "backup", tmp_path / "x.tar", "--data-dir", kept.folder)

    assert (stopped.returncode, again.returncode) == (143, 143), (stopped, again)
    assert new.left() == []
    assert [each.name for each in tmp_path.iterdir() if "x.tar" in each.name] == []


@pytest.mark.slow
@pytest.mark.parametrize("size", [100_000, 300_000], ids=["for the database", "for the pictures"])
def test_a_full_disk_is_said_and_nothing_is_left(kept: Kept, new: Kept, tmp_path: Path, size: int) -> None:
    kept.put(os.urandom(400_000), as_picture)
    full = run(NO_ROOM, size, "backup", tmp_path / "x.tar", "--data-dir", kept.folder)
    kept.save(tmp_path / "saved.tar")
    again = run(NO_ROOM, size, "restore", tmp_path / "saved.tar", "--data-dir", new.folder)

    for done in (full, again):
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done
    assert [each.name for each in tmp_path.iterdir() if "x.tar" in each.name] == []
    assert new.left() == []


# --- bots


@pytest.mark.slow
def test_books_that_do_not_agree_come_back_as_they_were_and_are_told(kept: Kept, new: Kept, tmp_path: Path) -> None:
    kept.change("INSERT INTO balances (account, unit, win, period, spent) VALUES ('all', 'images', 'total', 'all', 7)")
    kept.save(tmp_path / "saved.tar")

    done = Desk(tmp_path, {}, data="new").run("restore", "saved.tar")

    assert (done.code, done.err) == (1, ""), done
    assert "Restored" in done.out
    assert "do not agree" in done.out
    assert new.everything()[0] == kept.everything()[0]


@pytest.mark.slow
async def test_a_bot_that_draws_meanwhile_is_saved_and_lives_on_elsewhere(tmp_path: Path) -> None:
    with provider(tmp_path, seconds=0.1) as quick:
        home, other = Home(tmp_path / "data", quick, {}), Home(tmp_path / "other", quick, {})
        async with home.running() as bot, asyncio.TaskGroup() as tasks:
            first = await bot.draw("a fox")
            await home.reaches(first, generation="settled")
            saving = tasks.create_task(home.command("backup", str(tmp_path / "saved.tar")))
            while not saving.done():
                await home.reaches(await bot.draw("another fox"), generation="settled")
            assert saving.result()[::2] == (0, "")
            await home.reaches(await bot.draw("a fox too late"), generation="settled")
            await home.quiet()
        drawn = len(home.stored.rows("SELECT 1 FROM images"))

        code, told, err = await other.command("restore", str(tmp_path / "saved.tar"))
        assert (code, err) == (0, "")
        assert "The books agree" in told
        keys = [row["blob"] for row in other.stored.rows("SELECT blob FROM images WHERE state='made'")]
        assert 1 <= len(keys) < drawn
        for key in keys:
            place = f"blobs/{key[:2]}/{key[2:4]}/{key}"
            assert (other.folder / place).read_bytes() == (home.folder / place).read_bytes()

        async with other.running() as bot:
            generation = other.stored.generation(first.id)
            assert generation is not None
            history = await bot.say("/history")
            await until(lambda: other.stored.answers(history.id), "its answer")
            assert generation["id"] in json.dumps(other.stored.answers(history.id))
            await other.reaches(await bot.draw("a third fox"), generation="settled")
            await other.quiet()
    assert other.stored.problems() == ()


@pytest.mark.crash
@pytest.mark.slow
async def test_what_was_being_sent_when_it_was_saved_is_unknown_to_the_restored_bot(tmp_path: Path) -> None:
    with provider(tmp_path, seconds=1.5) as slow:
        home, other = Home(tmp_path / "data", slow, {}), Home(tmp_path / "other", slow, {})
        async with home.running() as bot:
            asked = await bot.draw("a fox")
            await slow.took(home.prompt("a fox"))
            code, _, err = await home.command("backup", str(tmp_path / "saved.tar"))
            assert (code, err) == (0, "")
            await home.reaches(asked, generation="settled")
        code, told, err = await other.command("restore", str(tmp_path / "saved.tar"))
        assert (code, err) == (0, "")
        assert "1 request had not ended" in told
        async with other.running():
            await until(lambda: other.stored.moment(asked.id).generation == "unknown", "its end")

    assert home.paid("a fox") == 1
    assert other.stored.problems() == ()
