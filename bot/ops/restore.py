"""`seedream-bot restore`: a backup back into an empty data folder, proven before anything is put in its place.

Until then the database's place holds a note that is no database, so that no bot starts on half of it, whatever happens.
"""

import hashlib
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bot.errors import CannotStart
from bot.generation.states import IN_FLIGHT, State, listed
from bot.ops.backup import CHUNK, DATABASE, MANIFEST, PICTURE, ROOM, Manifest, Places, Tell, contents, flush, named
from bot.ops.ownership import CARD, LOCK, Ownership
from bot.settings import Settings
from bot.sources import DEFAULT_CONFIG
from bot.storage import schema
from bot.storage.database import read_only

STAGED = ".restoring"
NOTE = b"This is not a database yet: `seedream-bot restore` has begun here and did not end. Run it once more.\n"
# What may lie in a folder that no bot has used.
HARMLESS = {LOCK, CARD, DEFAULT_CONFIG, ".env", "lost+found"}


class NotWhole(CannotStart):
    """The archive is not one, or not as it was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Archive:
    file: Path
    content: IO[bytes]
    manifest: Manifest


def restore(settings: Settings, file: Path, tell: Tell) -> None:
    """Raises `CannotStart`; then the folder is as empty as it was, or holds no database that a bot would start on."""
    places = Places.of(settings)
    with _opened(file) as archive, Ownership(places.folder):
        staged = places.database.with_name(DATABASE + STAGED)
        pictures = places.pictures / STAGED
        _check_empty(places, staged)
        with _begun(places.database, staged, pictures):
            _unpack(archive, staged, pictures)
            under_way = _check_database(archive, staged, pictures)
        _put_in_place(places, staged, pictures)
        schema.migrate(places.database)
    manifest = archive.manifest
    tell(f"Restored into {places.folder}, as of {manifest.made_at} (version {manifest.version}): {contents(manifest)}.")
    if under_way:
        requests = "1 request" if under_way == 1 else f"{under_way} requests"
        tell(f"{requests} had not ended then: the next start goes on with what waited, which may be paid for twice.")


@contextmanager
def _opened(file: Path) -> Iterator[_Archive]:
    with file.open("rb") as content:
        yield _Archive(file=file, content=content, manifest=_manifest(file, content))


def _manifest(file: Path, content: IO[bytes]) -> Manifest:
    info = tarfile.TarInfo()
    with suppress(tarfile.HeaderError):
        info = tarfile.TarInfo.frombuf(content.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
    if info.name != MANIFEST or not info.isreg() or info.size != ROOM:
        raise NotWhole(f"{file} is not a backup of this bot")
    try:
        manifest = Manifest.read(content.read(ROOM))
    except (ValueError, RecursionError) as error:
        raise NotWhole(f"{file} is not a backup of this bot: its {MANIFEST} cannot be read") from error
    if manifest.schema > schema.head():
        raise CannotStart(
            f"{file} holds a database of version {manifest.schema}, but this program knows only up to {schema.head()}:"
            " use a newer one"
        )
    return manifest


def _members(archive: _Archive) -> Iterator[tarfile.TarInfo]:
    """One after the other, each to be read before the next. `TarFile` would remember all of them, and allow more."""
    while any(block := archive.content.read(tarfile.BLOCKSIZE)):
        if len(block) < tarfile.BLOCKSIZE:
            raise _cut_off(archive.file)
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise NotWhole(f"{archive.file} is damaged: {error}") from error
        if info.type != tarfile.REGTYPE or info.size < 0:
            raise _foreign(archive.file, info.name)
        yield info
        archive.content.read(-info.size % tarfile.BLOCKSIZE)


def _check_empty(places: Places, staged: Path) -> None:
    """An earlier try that was interrupted may have left what it had staged."""
    ours = {places.database, staged, places.pictures}
    found = [each for each in places.folder.iterdir() if each.name not in HARMLESS and each not in ours]
    found += [path for end in ("-wal", "-shm", "-journal") if (path := Path(f"{places.database}{end}")).exists()]
    if places.database.exists() and not _is_note(places.database):
        found.append(places.database)
    if places.pictures.exists():
        found += [each for each in places.pictures.iterdir() if each.name not in (STAGED, "lost+found")]
    if found:
        raise CannotStart(f"{min(found)} is there already; a backup is restored into an empty data folder only")


def _is_note(database: Path) -> bool:
    with database.open("rb") as file:
        return file.read(len(NOTE) + 1) == NOTE


@contextmanager
def _begun(database: Path, staged: Path, pictures: Path) -> Iterator[None]:
    """Room for what is not proven yet. It is taken away where that fails; what a kill leaves, the next try takes."""

    def clear() -> None:
        staged.unlink(missing_ok=True)
        shutil.rmtree(pictures, ignore_errors=True)

    database.parent.mkdir(parents=True, exist_ok=True)
    clear()
    try:
        database.write_bytes(NOTE)
        flush(database)
        flush(database.parent)
        pictures.mkdir(parents=True)
        yield
    except BaseException as error:
        clear()
        database.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:  # a full disk names nothing
            raise CannotStart(f"nothing was restored into {database.parent}: {error.strerror}") from error
        raise


def _unpack(archive: _Archive, database: Path, pictures: Path) -> None:
    manifest, file = archive.manifest, archive.file
    count = total = 0
    for info in _members(archive):
        if info.name == DATABASE:
            found, expected = _write(archive, info, database), manifest.database_sha256
        elif picture := PICTURE.fullmatch(info.name):
            target = pictures.joinpath(*picture.groups())
            target.parent.mkdir(parents=True, exist_ok=True)
            found, expected = _write(archive, info, target), picture[3]
            count, total = count + 1, total + info.size
        else:
            raise _foreign(file, info.name)
        if found != expected:
            raise NotWhole(f"{file} is damaged: {info.name} is not what was saved")
    if not database.exists() or (count, total) != (manifest.pictures, manifest.pictures_size):
        raise _cut_off(file)


def _write(archive: _Archive, info: tarfile.TarInfo, target: Path) -> str:
    """Returns the digest of what was written."""
    digest, left = hashlib.sha256(), info.size
    try:
        out = target.open("xb", buffering=0)
    except FileExistsError:
        raise NotWhole(f"{archive.file} is not a backup of this bot: it holds {info.name} twice") from None
    with out:
        while left:
            chunk = archive.content.read(min(left, CHUNK))
            if not chunk:
                raise _cut_off(archive.file)
            left -= len(chunk)
            digest.update(chunk)
            view = memoryview(chunk)
            while view:
                view = view[out.write(view) :]
    return digest.hexdigest()


def _check_database(archive: _Archive, database: Path, pictures: Path) -> int:
    """It names these very pictures; returns how many requests have not ended."""
    if schema.current(database) != archive.manifest.schema:
        raise NotWhole(f"{archive.file} is not a backup of this bot: its database is of another version")
    elsewhere = Places(folder=pictures, database=database, pictures=pictures)
    try:
        with closing(read_only(database)) as raw:
            missing = sum(needed and not elsewhere.picture(key).exists() for key, needed in named(raw))
            row = raw.execute(f"SELECT count(*) FROM generations WHERE state IN ({listed((State.QUEUED, *IN_FLIGHT))})")
            under_way: int = row.fetchone()[0]
    except sqlite3.Error as error:
        raise NotWhole(f"{archive.file} is not a backup of this bot: its database cannot be read: {error}") from error
    if missing != archive.manifest.missing:
        raise NotWhole(f"{archive.file} is damaged: it lacks pictures that its database names")
    return under_way


def _put_in_place(places: Places, staged: Path, pictures: Path) -> None:
    """The database last: from then on it is a data folder."""
    if os.name != "nt":
        os.sync()  # everything at once: a flush for each of a hundred thousand pictures would take minutes
    for each in sorted(pictures.iterdir()):
        each.rename(places.pictures / each.name)
    pictures.rmdir()
    flush(places.pictures)
    staged.replace(places.database)
    flush(places.database.parent)


def _foreign(file: Path, name: str) -> NotWhole:
    return NotWhole(f"{file} is not a backup of this bot: it holds {name[:100]!r}")


def _cut_off(file: Path) -> NotWhole:
    return NotWhole(f"{file} is incomplete: it was cut off")
