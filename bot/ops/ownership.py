"""One process owns a data folder. It says so with a lock that dies with it, and tells others where to reach it."""

import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import IO, Self

from bot.errors import CannotStart
from bot.roles import Role

LOCK, CARD = "bot.lock", "owner.json"
LOOKS = 20
LONGEST = 200  # of what is signed with


class Owned(CannotStart):
    """Another process owns the folder."""

    def __init__(self, folder: Path, owner: "Owner | None") -> None:
        process, stop = (f"process {owner.pid}", f"kill {owner.pid}") if owner else ("another process", "Ctrl-C there")
        super().__init__(f"{folder} is in use by {process}; stop it ({stop}), or take another folder (--data-dir)")
        self.folder = folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """How to reach the process that owns a folder; the token is readable by the same user only."""

    pid: int
    url: str
    token: str


class Ownership:
    """Hold a folder for as long as the block lasts. Raises `Owned` where somebody else does.

    before: what the process that had it before gave to `sign`; that one has ended.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.token = secrets.token_urlsafe(24)
        self.before = ""

    def __enter__(self) -> Self:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # people's words and private pictures lie in it
        self._file: IO[str] = (self._folder / LOCK).open("a+", encoding="utf-8", errors="replace")
        try:
            self._take()
        except OSError:
            self._file.close()
            raise Owned(self._folder, find_owner(self._folder)) from None
        (self._folder / CARD).unlink(missing_ok=True)
        self._file.seek(0)
        self.before = self._file.read(LONGEST).strip()
        return self

    def sign(self, process: str) -> None:
        """Write into the lock who has it, for whoever has it next."""
        with suppress(OSError):  # on a full disk the next one does without
            os.ftruncate(self._file.fileno(), 0)
            os.write(self._file.fileno(), f"{process}\n".encode())

    def _take(self) -> None:
        """An owner keeps it; somebody who only looks has it for a moment."""
        for _ in range(LOOKS):
            with suppress(OSError):
                _lock(self._file)
                return
            time.sleep(0.01)
        _lock(self._file)

    def announce(self, url: str) -> None:
        """Write down where the owner listens."""
        card = Owner(pid=os.getpid(), url=url, token=self.token)
        new = self._folder / f"{CARD}.new"
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(card), file)
        new.replace(self._folder / CARD)

    def __exit__(self, *_: object) -> None:
        (self._folder / CARD).unlink(missing_ok=True)
        self._file.close()


@contextmanager
def own_folder(folder: Path, role: Role) -> Iterator[tuple[Path, Ownership]]:
    """A folder of this process's own: `folder` itself, where one process does everything, else the first below it that
    no process of the same role has. Raises `Owned`.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # the pictures of all roles may lie beside their own folders
    for number in count(1):
        own = folder if role is Role.ALL else folder / f"{role}-{number}"
        try:
            with Ownership(own) as ownership:
                yield own, ownership
            return
        except Owned as error:
            if role is Role.ALL or error.folder != own:
                raise


def owned_below(folder: Path) -> list[Path]:
    """The folders of the living processes that have roles here."""
    roles = [each.value for each in Role if each is not Role.ALL]
    return [own for role in roles for own in sorted(folder.glob(f"{role}-*")) if is_owned(own)]


def is_owned(folder: Path) -> bool:
    """Whether a living process holds the folder."""
    if not (folder / LOCK).exists():
        return False
    with (folder / LOCK).open("a+") as file:
        try:
            _lock(file, shared=True)
        except OSError:
            return True
    return False


def find_owner(folder: Path) -> Owner | None:
    """Where the owner can be reached, if it has said so."""
    with suppress(OSError, ValueError, TypeError):
        return Owner(**json.loads((folder / CARD).read_text()))
    return None


def _lock(file: IO[str], *, shared: bool = False) -> None:
    """Take the file for this process (shared: together with others who only look), or raise `OSError` at once."""
    if os.name == "nt":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
    else:
        import fcntl

        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
