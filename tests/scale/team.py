"""Several processes of one bot over one database, each with its role, started and ended as an operator does it."""

import asyncio
import json
import signal
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bot.generation.states import IN_FLIGHT, listed
from tests.crash.home import VICTIM, Home
from tests.crash.stored import Stored
from tests.warm import Process, start_python

T = TypeVar("T")

PATIENCE = 60.0  # s, for whatever several processes have to do on a machine that others use, too
LOOK_EVERY = 0.2
LEASE = "4s"

_WORKED_ON = (
    "SELECT owner, 'generation ' || id || ' is ' || state AS what FROM generations"
    f" WHERE state IN ({listed(IN_FLIGHT)})"
    " UNION ALL SELECT owner, 'posting ' || key || ' is ' || state FROM postings"
    " WHERE state='posting' OR lease_until>extract(epoch FROM clock_timestamp()) * 1000000"
    " UNION ALL SELECT owner, 'message ' || id || ' is ' || state FROM inbox WHERE state='received'"
)


async def until(condition: Callable[[], T], what: str | Callable[[], str], *, seconds: float = PATIENCE) -> T:
    """What the condition came to once it is true. It is looked at beside the loop, where the fake platforms live."""
    end = asyncio.get_running_loop().time() + seconds
    while not (found := await asyncio.to_thread(condition)):
        if asyncio.get_running_loop().time() > end:
            raise AssertionError(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}")
        await asyncio.sleep(LOOK_EVERY)
    return found


async def gone(left: Callable[[], Sequence[object]], *, seconds: float = PATIENCE) -> None:
    """Wait until nothing is left; fails where that has not changed for so long: a busy machine takes its time."""
    before, end = await asyncio.to_thread(left), asyncio.get_running_loop().time() + seconds
    while before:
        await asyncio.sleep(LOOK_EVERY)
        now = await asyncio.to_thread(left)
        if now != before:
            before, end = now, asyncio.get_running_loop().time() + seconds
        elif asyncio.get_running_loop().time() > end:
            raise AssertionError(f"for {seconds:g} s nothing has happened to {before}")


@dataclass(eq=False)
class Seat:
    """A place in the team, and the process that has it now; whoever is started after its end takes the same place."""

    team: "Team"
    name: str
    options: Sequence[str]
    settings: Mapping[str, str]
    process: Process | None = None
    pids: list[int] = field(default_factory=list)
    _began: int = 0

    @property
    def log(self) -> Path:
        """Of all processes that ever sat here."""
        return self.team.home.folder.parent / f"{self.name}.log"

    @property
    def role(self) -> str:
        return self.name.partition("-")[0]

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def lives(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def said(self, event: str = "") -> list[dict[str, Any]]:
        """What the present process has told its log."""
        with self.log.open("rb") as file:
            file.seek(self._began)
            lines = file.read().splitlines()
        told = (json.loads(line) for line in lines if line.startswith(b"{") and line.endswith(b"}"))
        return [one for one in told if not event or one.get("event") == event]

    @property
    def url(self) -> str:
        """Where it listens, "" as long as it is not ready."""
        return str(next((one["address"] for one in self.said("ready")), ""))

    async def start(self, point: str = "", **settings: str) -> None:
        """point: as `tests.crash.victim` knows it. Does not wait until it is ready."""
        assert not self.lives
        self._began = self.log.stat().st_size if self.log.exists() else 0
        script = [str(VICTIM), point] if point else ["-m", "bot"]
        with self.log.open("ab") as log:
            self.process = await start_python(
                *(*script, "run", "--role", self.role, *self.options),
                env=self.team.home.environment(**{"BOT_DATABASE_URL": self.team.database, **self.settings, **settings}),
                cwd=self.team.home.folder.parent,
                stdout=DEVNULL,
                stderr=log,
            )
        self.pids.append(self.process.pid)

    async def ready(self) -> None:
        def listens() -> str:
            if not self.lives:
                raise AssertionError(f"{self.name} has ended: {self.said()[-3:] or self.log.read_text()[-2000:]}")
            return self.url

        await until(listens, f"{self.name} is ready")

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    async def kill(self) -> int:
        """Returns whom it killed."""
        pid = self.pid
        self._signal(signal.SIGKILL)
        await self.ended()
        return pid

    async def stop(self) -> None:
        """As a service manager stops it; it ends well."""
        self._signal(signal.SIGTERM)
        assert await self.ended() == 0, self.said()[-5:]

    async def ended(self, *, within: float = PATIENCE) -> int:
        assert self.process is not None
        async with asyncio.timeout(within):
            return await self.process.wait()

    def _signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)


@dataclass(eq=False)
class Team:
    """home: its data folder (each process has its own below it), its provider, and the settings of all processes.

    database: where they find it; the tests look at it by the home's own address.
    """

    home: Home
    database: str
    seats: dict[str, Seat] = field(default_factory=dict)

    @property
    def stored(self) -> Stored:
        return self.home.stored

    def add(self, name: str, *options: str, **settings: str) -> Seat:
        """A seat for a role: "worker-2" is one of a worker."""
        self.seats[name] = Seat(self, name, options, settings)
        return self.seats[name]

    def __getitem__(self, name: str) -> Seat:
        return self.seats[name]

    def all(self, role: str) -> list[Seat]:
        return [seat for seat in self.seats.values() if seat.role == role]

    async def start(self) -> None:
        """All of them at once, until each of them is ready."""
        for seat in self.seats.values():
            await seat.start()
        for seat in self.seats.values():
            await seat.ready()

    async def end(self) -> None:
        """However they are; it is not the end that is looked at."""
        for seat in self.seats.values():
            if seat.lives:
                await seat.kill()

    def owner(self, sql: str, **values: Any) -> Seat | None:
        """Whose process the column `owner` of this row names."""
        row = self.stored.one(sql, **values)
        pid = _pid(row["owner"]) if row else 0
        return next((seat for seat in self.seats.values() if seat.lives and seat.pid == pid), None)

    def worked_on(self) -> dict[int, list[str]]:
        """What is in somebody's hands at this moment, by the process whose hands they are."""
        found: dict[int, list[str]] = {}
        for row in self.stored.rows(_WORKED_ON):
            found.setdefault(_pid(row["owner"]), []).append(row["what"])
        return found

    async def taken_over(self, *pids: int, within: float) -> None:
        """Nothing is in the hands of those who are gone (or paused) any more."""

        def left() -> list[str]:
            worked_on = self.worked_on()
            return [what for pid in pids for what in worked_on.get(pid, ())]

        await until(lambda: not left(), lambda: f"taken over: {left()}", seconds=within)

    def errors(self) -> Iterator[str]:
        """What no log should hold, where nothing was to go wrong: errors, and whatever is no event."""
        for seat in self.seats.values():
            for line in seat.log.read_text().splitlines():
                try:
                    event = json.loads(line)
                except ValueError:
                    yield f"{seat.name}: {line}"
                    continue
                if event.get("level") in ("error", "critical"):
                    yield f"{seat.name}: {event}"


@asynccontextmanager
async def working(team: Team) -> AsyncIterator[Team]:
    try:
        await team.start()
        yield team
    finally:
        await team.end()


def _pid(owner: str) -> int:
    """An owner is the id of a process: its host, its number there, and a word of its own."""
    parts = owner.split(":")
    return int(parts[-2]) if len(parts) > 2 and parts[-2].isdigit() else 0
