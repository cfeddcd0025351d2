"""A disk that loses its power: what of the files may be there afterwards.

Whatever was written to a file before its last sync is there. Of what was written after it anything may be: all,
nothing, some writes without others, and of a single write some sectors as they were, others new, others neither. What a
write does not touch stays as it is, even in the same sector: SQLite counts on that ("powersafe overwrite"), too.

Standard library only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from pathlib import Path
from random import Random

SECTORS = (512, 4096)


@dataclass(frozen=True, slots=True)
class Written:
    file: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncated:
    file: str
    size: int


@dataclass(frozen=True, slots=True)
class Synced:
    file: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """durable: the folder was synced with it."""

    file: str
    durable: bool


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Here so many more transactions had been acknowledged. contents: of the whole database at this moment."""

    transactions: int
    contents: str


Change = Written | Truncated | Deleted
Event = Change | Synced | Acknowledged


class Fate(Enum):
    """What becomes of everything that was not synced."""

    GONE = "gone"
    KEPT = "kept"
    TORN = "torn"


@dataclass(slots=True)
class _File:
    """durable: what is there for certain; None while the file itself may not be."""

    durable: bytearray | None = None
    unsynced: list[Change] = field(default_factory=list)


class Disk:
    """Files to which recorded events happen. syncing: a disk that lies about it keeps nothing for certain."""

    def __init__(self, files: Mapping[str, bytes], *, syncing: bool = True) -> None:
        self._files = {name: _File(bytearray(data)) for name, data in files.items()}
        self._syncing = syncing

    def apply(self, event: Event) -> None:
        match event:
            case Acknowledged():
                pass
            case Synced(name):
                if self._syncing:
                    self._sync(self._files.setdefault(name, _File()))
            case Deleted(name, durable=True) if self._syncing:
                del self._files[name]
                self._sync_folder()
            case _:
                file = self._files.setdefault(event.file, _File())
                if file.unsynced and isinstance(file.unsynced[-1], Deleted):
                    raise NotImplementedError(f"{event.file} was made again, but may never have been gone")
                file.unsynced.append(event)

    def _sync(self, file: _File) -> None:
        new = file.durable is None
        file.durable = _after(file.durable, file.unsynced)
        file.unsynced.clear()
        if new:  # SQLite syncs the folder, too, the first time that it syncs a new journal or log
            self._sync_folder()

    def _sync_folder(self) -> None:
        """What was deleted stays so. (A new file counts as there from its own first sync on.)"""
        for name, file in list(self._files.items()):
            if file.unsynced and isinstance(file.unsynced[-1], Deleted):
                del self._files[name]

    def after_power_loss(self, fate: Fate, random: Random) -> dict[str, bytes]:
        found = {}
        for name, file in self._files.items():
            if (data := _after(file.durable, _left(file.unsynced, fate, random))) is not None:
                found[name] = bytes(data)
        return found


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Put them into a folder of nothing else."""
    for stale in folder.iterdir():
        stale.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)


def crash_points(events: Sequence[Event], count: int) -> list[int]:
    """After how many events the power fails: before and after every sync and deletion, and between them.

    More than `count` if there are so many syncs. Never between a sync and what is acknowledged by it: the files are the
    same after the acknowledgement, and more is promised.
    """
    told = {place for place, event in enumerate(events) if isinstance(event, Acknowledged)}
    possible = [place for place in range(len(events) + 1) if place not in told]
    chosen = set()
    for before, after in pairwise(possible):
        if any(isinstance(event, Synced | Deleted) for event in events[before:after]):
            chosen |= {before, after}
    others = [place for place in possible if place not in chosen]
    if (wanted := count - len(chosen)) > 0 and others:
        step = max(1.0, len(others) / wanted)
        chosen |= {others[int(each * step)] for each in range(min(wanted, len(others)))}
    return sorted(chosen)


def _left(changes: Sequence[Change], fate: Fate, random: Random) -> Iterable[Change]:
    match fate:
        case Fate.GONE:
            return ()
        case Fate.KEPT:
            return changes
    # Now nearly all of it had reached the disk, now nearly nothing.
    chance = random.choice((0.1, 0.5, 0.9))
    sector = random.choice(SECTORS)
    return [
        part
        for change in changes
        if random.random() < chance
        for part in (_torn(change, sector, random) if random.random() < 0.5 else (change,))
    ]


def _torn(change: Change, sector: int, random: Random) -> Iterable[Change]:
    """A write, sector by sector: one is new, one is as it was, one is neither."""
    if not isinstance(change, Written):
        yield change
        return
    end = change.offset + len(change.data)
    at = change.offset
    while at < end:
        until = min(end, at - at % sector + sector)
        match random.choice(("new", "new", "old", "old", "neither")):
            case "new":
                yield Written(change.file, at, change.data[at - change.offset : until - change.offset])
            case "neither":
                yield Written(change.file, at, random.randbytes(until - at))
        at = until


def _after(durable: bytearray | None, changes: Iterable[Change]) -> bytearray | None:
    """A new one, as a file is after these changes; None for one that is not there."""
    data = None if durable is None else bytearray(durable)
    for change in changes:
        match change:
            case Deleted():
                data = None
            case Truncated(size=size):
                data = bytearray() if data is None else data
                del data[size:]
                data.extend(bytes(size - len(data)))
            case Written(offset=offset, data=new):
                data = bytearray() if data is None else data
                data.extend(bytes(max(0, offset - len(data))))
                data[offset : offset + len(new)] = new
    return data
