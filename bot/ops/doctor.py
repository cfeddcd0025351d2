"""Looks for what is wrong, and says how to cure it. Changes nothing that stays, and works beside a running bot."""

import asyncio
import json
import shutil
import sqlite3
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from bot.errors import CannotStart
from bot.generation.service import LEAST_DISK
from bot.media.bucket import Bucket, StoreUnavailable
from bot.ops import platform_checks, provider_checks
from bot.ops.finding import Finding
from bot.ops.folder import database_place, moves, reading, told
from bot.ops.ownership import Owner, find_owner, is_owned, owned_below
from bot.quota import audit
from bot.roles import Role
from bot.settings import Settings
from bot.spaces import named_rooms
from bot.storage import schema
from bot.storage.connection import Connection
from bot.storage.database import SAFE_SQLITE

Tell = Callable[[str], object]

# Up to so many generations all of the books are proven: more take longer than whoever asks wants to wait.
MOST_PROVEN = 20_000

# The way to this machine leads through no proxy, whatever the environment says about the way to others.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


async def examine(
    settings: Settings, tell: Tell, *, probe: bool = False, table: platform_checks.Table | None = None
) -> int:
    """Tell every finding; returns 1 if something keeps the bot from working.

    probe: ask the providers and the chat platforms, too. table: builds the commands that people ought to have there.
    """
    findings = await asyncio.to_thread(lambda: list(_findings(settings)))
    findings += await _pictures(settings)
    if probe:
        findings += await provider_checks.probed(settings)
        findings += await platform_checks.probed(settings, table, await asyncio.to_thread(_rooms, settings))
    for finding in findings:
        mark = "ok  " if finding.well else ("note" if finding.warning else "BAD ")
        tell(f"{mark} {finding.name}: {finding.told}")
        if finding.cure and not finding.well:
            tell(f"     -> {finding.cure}")
    return int(any(not finding.well and not finding.warning for finding in findings))


async def verify_ledger(settings: Settings, tell: Tell, progress: audit.Progress = audit.silent) -> int:
    """Prove the books; returns 1 where they do not agree."""
    place = database_place(settings)
    if not _is_there(place):
        raise CannotStart(f"there is no database at {place}")
    version, newest = schema.current(place), schema.head()
    if version > newest:
        raise CannotStart(
            f"{told(place)} is at version {version}, but this program knows only {newest}: use a newer one"
        )
    if version < newest:
        raise CannotStart(f"{told(place)} is not at version {newest}; run `seedream-bot migrate` first")
    with reading(place) as connection:
        elsewhere = moves(connection)
        books = await asyncio.to_thread(audit.verify, connection, progress)
    if books.problems and elsewhere:
        raise CannotStart(elsewhere)
    for problem in books.problems:
        tell(problem)
    if books.problems:
        tell(f"The books do not agree: {len(books.problems)} problems.")
        return 1
    tell(
        f"The books agree: {books.accounts} accounts, {books.entries} entries, {books.held} open holds, "
        f"{books.possible} possibly billed."
    )
    return 0


def is_alive(folder: Path) -> bool:
    """The process that owns the folder answers; where several have roles below it, all of them do."""
    if not is_owned(folder) and (own := owned_below(folder)):
        return all(is_alive(each) for each in own)
    owner = find_owner(folder)
    match _answer(owner, "healthz", patience=3) if owner else None:
        case {"alive": True}:
            return True
    return False


def _findings(settings: Settings) -> Iterator[Finding]:
    yield _python()
    if isinstance(database_place(settings), Path):
        yield _sqlite()
    yield _folder(settings.data_dir)
    yield _disk(settings.data_dir)
    yield from _database(settings)
    own = owned_below(settings.data_dir)
    for folder in own if own and not is_owned(settings.data_dir) else [settings.data_dir]:
        yield from _process(folder)
    yield from provider_checks.offered(settings)
    for name, missing in settings.half_set.items():
        yield Finding(
            name=name, told=f"off, since {missing} is not set", well=False, warning=True, cure=f"set {missing}"
        )


def _rooms(settings: Settings) -> dict[str, list[str]]:
    place = database_place(settings)
    if not _is_there(place) or schema.current(place) != schema.head():
        return {}
    with reading(place) as connection:
        return named_rooms(connection)


def _python() -> Finding:
    return Finding(name="Python", told=".".join(map(str, sys.version_info[:3])))


def _sqlite() -> Finding:
    version = sqlite3.sqlite_version_info
    newest, *patched = SAFE_SQLITE
    safe = version >= newest or any(version[:2] == fix[:2] and version >= fix for fix in patched)
    return Finding(
        name="SQLite",
        told=sqlite3.sqlite_version,
        well=safe,
        warning=True,
        cure="this version can damage a file that several connections write at once. The bot writes over one only; do"
        " not let another program checkpoint the file, and take a newer SQLite when you can",
    )


def _folder(folder: Path) -> Finding:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / ".doctor"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        return Finding(
            name="data folder",
            told=f"{folder}: {error.strerror}",
            well=False,
            cure="make it writable for this user, or name another one by BOT_DATA_DIR",
        )
    return Finding(name="data folder", told=str(folder))


def _disk(folder: Path) -> Finding:
    if not folder.exists():
        return Finding(name="disk", told="unknown", well=False, warning=True)
    free = shutil.disk_usage(folder).free
    return Finding(
        name="disk",
        told=f"{free // 2**20:,} MiB free",
        well=free > LEAST_DISK,
        cure=f"below {LEAST_DISK // 2**20} MiB nothing is accepted: make room, or lower BOT_RETENTION__TOTAL",
    )


def _database(settings: Settings) -> Iterator[Finding]:
    place, newest = database_place(settings), schema.head()
    try:
        version = schema.current(place)
    except schema.SchemaError as error:
        yield Finding(name="database", told=str(error), well=False, cure="put a copy of it back from your backup")
        return
    except CannotStart as error:
        yield Finding(name="database", told=str(error), well=False, cure="the bot does not start without it")
        return
    if not _is_there(place):
        yield Finding(name="database", told=f"{place} will be made at the first start")
        return
    yield Finding(
        name="database",
        told=f"{told(place)}, version {version or 'none'}",
        well=version == newest,
        warning=version < newest,
        cure="a start brings it to this version" if version < newest else "use the newer program that made it",
    )
    if version != newest:
        return
    with reading(place) as connection:
        if elsewhere := moves(connection):
            wrong, _, cure = elsewhere.partition(": ")
            yield Finding(name="move", told=wrong, well=False, cure=cure)
            return
        ledger, possible = _ledger(connection), audit.possible(connection)
        resting = list(provider_checks.resting(connection, settings))
        together = list(_together(connection)) if isinstance(place, str) else []
    yield ledger
    yield Finding(
        name="unknown outcomes",
        told=f"{possible} possibly billed",
        well=not possible,
        warning=True,
        cure="they are decided by themselves (BOT_UNKNOWN__AFTER, BOT_UNKNOWN__THEN)",
    )
    yield from resting
    yield from together


def _ledger(connection: Connection) -> Finding:
    count = audit.generations(connection)
    if count <= MOST_PROVEN:
        told, problems = "the books agree", audit.verify(connection).problems
    else:
        told = (
            f"the books of the last {audit.RECENT.days} days agree;"
            f" `seedream-bot ledger verify` proves all {count:,} generations"
        )
        problems = audit.recent(connection, datetime.now(UTC)) or tuple(filter(None, [audit.kept(connection)]))
    return Finding(
        name="ledger",
        told=problems[0] if problems else told,
        well=not problems,
        cure="run `seedream-bot ledger verify` and report what it says",
    )


def _together(connection: Connection) -> Iterator[Finding]:
    """Of a database that several processes share."""
    from bot.storage.members import UNSEEN, present

    processes = present(connection)
    for each in processes:
        yield Finding(
            name="in use by",
            told=f"{each.role} {each.version} on {each.host}, process {each.pid}, seen {each.unseen:.0f} s ago",
            well=each.unseen < UNSEEN,
            warning=True,
            cure="it is paused, cut off or gone: others take over what it was doing; end it if it still runs",
        )
    works = {str(role) for role in Role if role.works}
    if processes and not any(each.role in works for each in processes):
        yield Finding(
            name="workers",
            told="none is there, so what is accepted waits",
            well=False,
            cure="start one (seedream-bot run --role worker)",
        )
    if len(versions := sorted({each.version for each in processes})) > 1:
        yield Finding(
            name="versions",
            told=f"{', '.join(versions)} run side by side",
            well=False,
            warning=True,
            cure="restart the older ones with the newest, unless you are just doing that",
        )
    setting = connection.row("SHOW synchronous_commit")
    if setting and setting["synchronous_commit"] == "off":
        yield Finding(
            name="durability",
            told="synchronous_commit is off",
            well=False,
            warning=True,
            cure="what was accepted last is lost when the server's machine fails: set it to on for this database",
        )


async def _pictures(settings: Settings) -> list[Finding]:
    """Whether a bucket keeps what it is given; of a folder its disk tells."""
    if not settings.blobs_url.startswith("s3://"):
        return []
    bucket = Bucket(settings.blobs_url, **settings.s3.access)
    try:
        await bucket.probe()
    except StoreUnavailable as error:
        return [Finding(name="pictures", told=error.wrong, well=False, cure=error.cure)]
    return [Finding(name="pictures", told=f"{bucket} keeps, gives back and removes them")]


def _process(folder: Path) -> Iterator[Finding]:
    """Whether one runs here, and in its own words what keeps it from working."""
    if not is_owned(folder):
        yield Finding(name="process", told="none runs here")
        return
    owner = find_owner(folder)
    if owner is None or not is_alive(folder):
        yield Finding(
            name="process",
            told=f"one holds {folder} but does not answer",
            well=False,
            cure="it may be starting or stopping; if it stays so, look into its log",
        )
        return
    yield Finding(name="process", told=f"{owner.pid} answers at {owner.url}")
    match _answer(owner, "readyz", patience=10):  # it gives its database 5 s
        case {"problems": [*problems]}:
            for problem in problems:
                yield Finding(name=f"process {owner.pid}", told=str(problem), well=False)
        case _:
            yield Finding(
                name=f"process {owner.pid}",
                told=f"it does not say at {owner.url}/readyz whether anything keeps it from working",
                well=False,
                cure="look into its log",
            )


def _answer(owner: Owner, path: str, *, patience: float) -> Any:
    """The JSON that it gives, with whatever status; None where there is none."""
    with suppress(OSError, ValueError, HTTPException):
        try:
            answer = _DIRECT.open(f"{owner.url}/{path}", timeout=patience)
        except HTTPError as refusal:  # a 503 brings its reasons with it
            answer = refusal
        with answer:
            return json.load(answer)
    return None


def _is_there(place: schema.Place) -> bool:
    return isinstance(place, str) or place.exists()
