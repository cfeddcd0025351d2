"""Pictures that somebody sent without a word, until the words come: `make it night`, a minute later.

What waits is on the disk before its event is acknowledged, and survives a restart; only ids are kept. Pictures wait for
words that come within `WAITS`; what was taken is remembered for longer, as the platform may send it once more.
"""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from weakref import WeakValueDictionary

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from adapters.feishu.event import Event, File, Id

log = structlog.get_logger(__name__)

WAITS = timedelta(minutes=10)
KEPT = timedelta(hours=8)  # the platform's last repeat comes after 6 h (contract section 0)
MOST = 50  # pictures of one person that are remembered


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Waiting(_Frozen):
    """A message with pictures. sent: when it was written; at: when it was taken up; both in ms since 1970.

    asked: the message in which the person was asked about it.
    """

    message: Id
    files: tuple[File, ...]
    sent: int
    at: int
    asked: Id = ""
    taken: bool = False


class _Person(_Frozen):
    user: Id
    shown: tuple[Waiting, ...] = ()


class Pending:
    """folder: of its own, with a small file for each person."""

    def __init__(self, *, folder: Path, clock: Callable[[], datetime]) -> None:
        self._folder = folder
        self._clock = clock
        self._people: OrderedDict[str, _Person] | None = None
        self._loading = asyncio.Lock()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def turn(self, user: str) -> asyncio.Lock:
        """To be held around what follows, so that words which come right behind a picture find it."""
        return self._turns.setdefault(user, asyncio.Lock())

    def is_idle(self, user: str) -> bool:
        """Nothing of theirs waits, and nobody is about to change that."""
        return self._people is not None and user not in self._people and user not in self._turns

    async def remember(self, event: Event) -> Waiting:
        """Its pictures wait from now on; those of a message that is known are what they were."""
        person = await self._person(event.where.user)
        known = next((each for each in person.shown if each.message == event.id), None)
        if known is not None:
            return known
        shown = Waiting(message=event.id, files=event.files, sent=event.where.at, at=self._now())
        await self._write(person, (*person.shown, shown))
        return shown

    async def of(self, event: Event, *, since: int | None = None) -> tuple[Waiting, ...]:
        """What waits for the words of this event, the first picture first.

        since: what was sent from then on (ms since 1970), after this event too.
        """
        person = await self._person(event.where.user)
        if not person.shown:
            return ()
        first = self._now() - WAITS // timedelta(milliseconds=1)
        waiting = (each for each in person.shown if not each.taken and each.at > first)
        if since is None:
            return tuple(each for each in waiting if each.sent <= event.where.at)
        return tuple(each for each in waiting if each.sent >= since)

    async def taken(self, user: str, shown: Sequence[Waiting]) -> None:
        """They wait no longer."""
        await self._change(user, {each.message for each in shown}, taken=True)

    async def asked(self, user: str, message: str, question: str) -> None:
        """The person was asked about the pictures of a message, by this message of ours."""
        await self._change(user, {message}, asked=question)

    async def _change(self, user: str, messages: set[str], **change: object) -> None:
        person = await self._person(user)
        changed = (each.model_copy(update=change) if each.message in messages else each for each in person.shown)
        await self._write(person, tuple(changed))

    async def _person(self, user: str) -> _Person:
        if self._people is None:
            async with self._loading:
                if self._people is None:
                    self._people = await asyncio.to_thread(_read, self._folder)
        return self._people.get(user) or _Person(user=user)

    async def _write(self, person: _Person, shown: tuple[Waiting, ...]) -> None:
        assert self._people is not None
        oldest = self._now() - KEPT // timedelta(milliseconds=1)
        person = person.model_copy(update={"shown": tuple(each for each in shown if each.at > oldest)[-MOST:]})
        await asyncio.to_thread(_store, self._file(person.user), person.model_dump_json())
        self._people[person.user] = person
        self._people.move_to_end(person.user)
        await self._forget(oldest)

    async def _forget(self, oldest: int) -> None:
        """Those who sent nothing for long, who stand in front."""
        assert self._people is not None
        while self._people:
            user, person = next(iter(self._people.items()))
            if any(each.at > oldest for each in person.shown):
                return
            del self._people[user]
            await asyncio.to_thread(self._file(user).unlink, missing_ok=True)

    def _file(self, user: str) -> Path:
        return self._folder / f"{_name(user)}.json"

    def _now(self) -> int:
        return int(self._clock().timestamp() * 1000)


def _name(user: str) -> str:
    return sha256(user.encode()).hexdigest()[:32]


def _read(folder: Path) -> OrderedDict[str, _Person]:
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for file in folder.glob("*.json"):
        try:
            found.append(_Person.model_validate_json(file.read_bytes()))
        except ValidationError:
            log.warning("what somebody had sent could not be read", file=file.name)
            file.unlink()
    found.sort(key=lambda person: max((each.at for each in person.shown), default=0))
    return OrderedDict((person.user, person) for person in found)


def _store(file: Path, data: str) -> None:
    """Whole or not at all, and on the disk when this returns."""
    part = file.with_suffix(".part")
    try:
        with part.open("w", encoding="utf-8") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        part.replace(file)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise
