"""`seedream-bot backup`: the database and the pictures in one file, saved also while the bot runs.

The file is a plain tar of `manifest.json`, `bot.db` and the pictures, each where it lies in a data folder. Settings and
their secrets are not in it. The database is saved first: a picture is complete before the database names it and never
changes, so whatever is copied after that belongs to the same moment.
"""

import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO
from urllib.parse import unquote, urlsplit

from bot import __version__
from bot.errors import CannotStart
from bot.generation.service import LEAST_DISK
from bot.media.spool import mebibytes
from bot.ops.folder import database_path
from bot.settings import Settings
from bot.storage import schema
from bot.storage.database import read_only

FORMAT = 1
MANIFEST, DATABASE = "manifest.json", "bot.db"
PICTURE = re.compile(r"blobs/([0-9a-f]{2})/([0-9a-f]{2})/(\1\2[0-9a-f]{60})")
KEY = re.compile(r"[0-9a-f]{64}")
CHUNK = 1024 * 1024
ROOM = 2 * tarfile.BLOCKSIZE  # of the manifest: it stands first, but its figures are known last

# What the database says is kept; an upload that nothing was drawn with stands on the chat page only, and may be gone.
_NAMED = """
    SELECT key, max(needed) AS needed FROM (
        SELECT key, 1 AS needed FROM blobs
        UNION ALL SELECT blob, 1 FROM images WHERE state='made'
        UNION ALL SELECT json_extract(upload.value, '$.blob'), 0 FROM chat_messages, json_each(uploads) AS upload
    ) GROUP BY key ORDER BY key
"""

Tell = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """missing: pictures that the database names, but that are not in the archive. Sizes are in bytes."""

    made_at: str
    schema: str
    database_size: int
    database_sha256: str
    format: int = FORMAT
    version: str = __version__
    pictures: int = 0
    pictures_size: int = 0
    missing: int = 0

    def written(self) -> bytes:
        return json.dumps(asdict(self), indent=1).encode().ljust(ROOM - 1) + b"\n"

    @classmethod
    def read(cls, written: bytes) -> "Manifest":
        """Raises `ValueError` for what is none, and `CannotStart` for that of a newer program."""
        stored = json.loads(written)
        match stored:
            case {"format": int(number), "version": str(version)} if number > FORMAT:
                raise CannotStart(f"the backup was made by version {version[:40]}, which is newer: use that one")
            case dict() if {name: type(value) for name, value in stored.items()} == {
                each.name: each.type for each in fields(cls)
            }:
                return cls(**stored)
        raise ValueError("not a manifest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a bot keeps what is saved."""

    folder: Path
    database: Path
    pictures: Path

    @classmethod
    def of(cls, settings: Settings) -> "Places":
        """Raises `CannotStart` where not all of it is on this machine."""
        if not settings.database_url.startswith("sqlite:///"):
            raise CannotStart(
                "BOT_DATABASE_URL: only SQLite is saved and restored so; use pg_dump and pg_restore, and copy the"
                " pictures after the database"
            )
        blobs = urlsplit(settings.blobs_url)
        if blobs.scheme != "file":
            raise CannotStart(
                "BOT_BLOBS_URL: only pictures in a folder are saved and restored so; use what the store itself offers,"
                " such as versions or a copy of the bucket"
            )
        return cls(folder=settings.data_dir, database=database_path(settings), pictures=Path(unquote(blobs.path)))

    def picture(self, key: str) -> Path:
        return self.pictures / key[:2] / key[2:4] / key


def save(settings: Settings, file: Path, tell: Tell, *, at: datetime) -> None:
    """Raises `CannotStart`; then nothing of the file is there."""
    places, file = Places.of(settings), file.absolute()
    _version(places.database)  # raises before anything is copied
    if os.path.lexists(file):
        raise _taken(file)
    if not file.parent.is_dir():
        raise CannotStart(f"there is no folder {file.parent}")
    with _said_in_one_sentence(file), TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as work:
        snapshot, archive = Path(work, DATABASE), Path(work, "archive")
        _check_room(places, Path(work), places.database.stat().st_size)
        _copy_database(places.database, snapshot)
        manifest = Manifest(
            made_at=at.isoformat(timespec="seconds"),
            schema=_version(snapshot),
            database_size=snapshot.stat().st_size,
            database_sha256=_digest(snapshot),
        )
        manifest = _pack(archive, snapshot, places, manifest, int(at.timestamp()))
        _publish(archive, file)
    tell(f"Saved in {file}: {contents(manifest)}.")
    if manifest.missing:
        tell(f"{manifest.missing} more that it names were not there or damaged: deleted meanwhile, or lost before.")


def contents(manifest: Manifest) -> str:
    pictures = f"{manifest.pictures:,} picture{'s' * (manifest.pictures != 1)}"
    return f"the database ({mebibytes(manifest.database_size)}) and {pictures} ({mebibytes(manifest.pictures_size)})"


def named(raw: sqlite3.Connection) -> Iterator[tuple[str, bool]]:
    """The keys of the pictures that this database names, and whether it says that they are kept; in order."""
    for row in raw.execute(_NAMED):
        if isinstance(row["key"], str) and KEY.fullmatch(row["key"]):
            yield row["key"], bool(row["needed"])


def flush(path: Path) -> None:
    """See to it that a file, or the names in a folder, survive a power cut."""
    if os.name == "nt":
        return  # opens no folders, and flushes no file that is open for reading
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _version(database: Path) -> str:
    if not database.exists():
        raise CannotStart(f"there is no database at {database}")
    version, newest = schema.current(database), schema.head()
    if not version:
        raise CannotStart(f"{database} is not a bot's database")
    if version > newest:
        raise CannotStart(
            f"the database is at version {version}, but this program knows only up to {newest}: use the newer one"
        )
    return version


def _copy_database(source: Path, target: Path) -> None:
    """One consistent moment of it. Nobody waits for that: beside a WAL one may read as long as it takes."""
    with closing(read_only(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.execute("PRAGMA busy_timeout=5000")
        live.backup(copy)  # in one step: in several, it would begin anew with whatever the bot writes in between
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, and nothing beside it
        problem = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise CannotStart(f"{source} is damaged, so keep the backups that you have: {problem}")


def _pack(archive: Path, snapshot: Path, places: Places, manifest: Manifest, at: int) -> Manifest:
    with (
        open(archive, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as out,
        closing(read_only(snapshot)) as raw,
    ):
        _add(out, MANIFEST, io.BytesIO(bytes(ROOM)), ROOM, at)
        figures = out.tell() - ROOM
        _check_room(places, archive.parent, manifest.database_size)
        with snapshot.open("rb") as source:
            _add(out, DATABASE, source, manifest.database_size, at)
        count = total = missing = 0
        for key, needed in named(raw):
            size = _add_picture(out, key, places, archive.parent, at)
            if size is None:
                missing += needed
            else:
                count, total = count + 1, total + size
        out.write(bytes(2 * tarfile.BLOCKSIZE))  # so a tar ends
        manifest = replace(manifest, pictures=count, pictures_size=total, missing=missing)
        out.seek(figures)
        out.write(manifest.written())
        out.flush()
        os.fsync(out.fileno())
    return manifest


def _add_picture(out: IO[bytes], key: str, places: Places, work: Path, at: int) -> int | None:
    """Its size, or None for one that is gone or damaged: one bad picture would make the whole archive a bad one."""
    path = places.picture(key)
    try:
        source = path.open("rb")
    except FileNotFoundError:
        return None
    with source:
        size = os.fstat(source.fileno()).st_size
        if not _is_sound(source, key):
            return None
        _check_room(places, work, size)
        source.seek(0)
        _add(out, f"blobs/{path.relative_to(places.pictures).as_posix()}", source, size, at)
    return size


def _is_sound(source: IO[bytes], key: str) -> bool:
    try:
        return hashlib.file_digest(source, "sha256").hexdigest() == key  # type: ignore[arg-type]
    except OSError:  # the disk cannot read it any more
        return False


def _add(out: IO[bytes], name: str, source: IO[bytes], size: int, at: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, at, 0o600
    out.write(info.tobuf(tarfile.GNU_FORMAT))  # which takes any size into this one block; `TarFile` remembers members
    shutil.copyfileobj(source, out, CHUNK)
    out.write(bytes(-size % tarfile.BLOCKSIZE))


def _check_room(places: Places, work: Path, size: int) -> None:
    """A bot that runs on the same disk must be able to keep what it has paid for."""
    shared = work.stat().st_dev == places.database.parent.stat().st_dev
    if shutil.disk_usage(work).free - size < (LEAST_DISK if shared else 0):
        needs = f", where the bot needs {mebibytes(LEAST_DISK)} for itself" if shared else ""
        raise CannotStart(f"there is no room for it in {work.parent}{needs}")


def _publish(archive: Path, file: Path) -> None:
    """Give it its name, unless something else has that by now."""
    try:
        os.link(archive, file)
    except OSError:
        if os.path.lexists(file):
            raise _taken(file) from None
        archive.rename(file)  # this file system has no second names
    flush(file.parent)


def _digest(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _taken(file: Path) -> CannotStart:
    return CannotStart(f"{file} is there already; a backup overwrites nothing")


@contextmanager
def _said_in_one_sentence(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        raise CannotStart(f"{file} could not be made: {error.strerror}{place}") from error
    except sqlite3.Error as error:
        raise CannotStart(f"{file} could not be made: {error}") from error
