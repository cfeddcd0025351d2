"""Workers of several processes over one PostgreSQL database: admitted by any of them, run by whoever comes first.

Between the two stands procrastinate. Its job carries a generation's id and attempt, is deferred in the transaction that
admits it and is gone as soon as somebody runs it; the row of the generation alone says whose it is, so a job that is
lost, late or there twice can do no harm. What runs does so outside of procrastinate's worker, which may come and go
with its connections.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Self

import procrastinate
import psycopg
import structlog
from procrastinate.exceptions import ConnectorException
from procrastinate.types import JSONDict
from psycopg_pool import AsyncConnectionPool

from bot.clock import micros
from bot.generation import queue
from bot.generation.queue import Admitted, Capacity
from bot.generation.workers import LOOK_AGAIN, Workers
from bot.storage.bus import Alone, Bus
from bot.storage.connection import Connection
from bot.storage.postgres import PostgresConnection, parameters

log = structlog.get_logger(__name__)

QUEUE = "generations"
AT_ONCE = 4  # jobs that one process takes over at the same time, so that others get some, too
CONNECTIONS = 2  # of its own, besides the one that listens
LONGEST_PAUSE = 2.0
TO_CONNECT = 5.0
TO_END = 3.0  # seconds that a worker has to end by itself
SWEPT_EVERY = 60.0


@dataclass(kw_only=True)
class SharedWorkers(Workers):
    """url: where the database is. What is left when its patience is over is given back, for others to take over."""

    url: str
    bus: Bus = field(default_factory=Alone)
    _fetching: asyncio.Task[None] | None = None
    _outage: bool = False
    _lenient_until: float = 0.0
    _swept: float = 0.0

    async def __aenter__(self) -> Self:
        # Their lines carry whole tracebacks for each lost connection, and what jobs are about.
        for noisy in ("procrastinate", "psycopg.pool"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        self._jobs = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())  # never opened: it only defers
        self.bus.on("line", lambda _: self.wake())
        # A start may well be the first thing that succeeds after an outage.
        self._lenient_until = monotonic() + self.lease / 4 / 1_000_000
        self._begin()
        self._fetching = asyncio.create_task(self._keep_fetching())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop_admitting()
        if self._fetching:
            await _end(self._fetching)
        if left := await self._end():
            with suppress(Exception):  # a door: the leases run out by themselves
                await self.database.transaction(queue.give_back, left)
            self.bus.tell("line")

    def stop_admitting(self) -> None:
        """What others admit is theirs to run as well: they may be of a newer version."""
        if self._fetching and not self._stopping:
            self._fetching.cancel()
        super().stop_admitting()

    async def _start_next(self, free: int) -> None:
        admitted = await self._hand_out(free)
        if admitted:
            self.line_moved()
            self.bus.tell("line")

    def _ended(self) -> None:
        """There is room for one more, and something to post, for whichever process looks first."""
        super()._ended()
        self.bus.tell("line")

    async def _renew_once(self) -> None:
        if monotonic() >= self._swept + SWEPT_EVERY:
            self._swept = monotonic()
            await self.database.transaction(_sweep)
        await super()._renew_once()

    async def _hand_out(self, free: int) -> list[Admitted]:
        """After an outage all leases may have run out while their owners are well: until these had time to renew them,
        they are left alone.
        """
        began, lease = monotonic(), self.lease / 1_000_000
        lenient = self._lenient_until if not self._outage else began + lease

        def overdue() -> bool:  # asked in the middle of it, after which an outage can do no more harm
            return lenient <= monotonic() < began + lease / 8

        try:
            admitted = await self.database.transaction(
                _hand_out,
                self._jobs,
                free,
                self.capacity,
                at=micros(self.clock()),
                running={mine.id for mine in self._running},
                lease=self.lease,
                overdue=overdue,
            )
        except Exception:
            self._outage = True
            raise
        if self._outage or monotonic() >= began + lease / 8:
            self._lenient_until = monotonic() + lease / 2
        self._outage = False
        return admitted

    # --- procrastinate's worker

    async def _keep_fetching(self) -> None:
        """It ends with its connections; another one is begun until it stands."""
        pause = 0.0
        while True:
            if not await self._has_room():
                await asyncio.sleep(LOOK_AGAIN)
                continue
            began = monotonic()
            try:
                await self._fetch()
                reason = "its worker ended"
            except (psycopg.Error, ConnectorException) as error:
                reason = type(error).__name__
            except Exception:  # a door: nothing may end it but a stop
                log.exception("the worker of the queue failed")
                reason = "its worker failed"
            pause = 0.1 if monotonic() > began + 60 else min(LONGEST_PAUSE, 2 * pause + 0.1)
            log.warning("nothing is taken from the queue for a moment", reason=reason, seconds=round(pause, 1))
            await asyncio.sleep(random.uniform(0.5, 1.0) * pause)

    async def _fetch(self) -> None:
        given = parameters(self.url)
        # A pool would first try for long to have one.
        await (await psycopg.AsyncConnection.connect(**given)).close()  # type: ignore[arg-type]
        pool = AsyncConnectionPool(
            kwargs=given,
            min_size=1,
            max_size=CONNECTIONS,
            open=False,
            timeout=TO_CONNECT,
            configure=_autocommit,
            check=AsyncConnectionPool.check_connection,
        )
        app = procrastinate.App(connector=procrastinate.PsycopgConnector())
        app.task(name=QUEUE, queue=QUEUE)(self._take)
        async with pool:
            await pool.wait(timeout=TO_CONNECT)
            async with app.open_async(pool):
                working = app.run_worker_async(
                    queues=[QUEUE],
                    concurrency=AT_ONCE,
                    fetch_job_polling_interval=LOOK_AGAIN,
                    abort_job_polling_interval=3600.0,  # its jobs are over in a moment; none is ever aborted
                    delete_jobs="always",
                    install_signal_handlers=False,
                )
                await self._while_there_is_room(asyncio.create_task(working))

    async def _while_there_is_room(self, worker: asyncio.Task[None]) -> None:
        """What waits is left to others, who can keep it."""
        try:
            while not worker.done() and await self._has_room():
                await asyncio.wait([worker], timeout=LOOK_AGAIN)
        finally:
            worker.cancel()
            await _end(worker)
        if not worker.cancelled():
            worker.result()

    async def _take(self, generation: str, attempt: int) -> None:
        """Run what nobody else runs; the job itself ends here."""
        mine = Admitted(generation, attempt)
        try:
            ours = await self.database.transaction(queue.start, mine, self.owner, self.lease)
        except Exception as error:  # noqa: BLE001 - a door: the lease runs out, and it is handed out again
            log.warning("a generation could not be started", generation=generation, reason=type(error).__name__)
            return
        if ours and mine not in self._running:
            self._start(mine)


def _hand_out(
    connection: Connection,
    jobs: procrastinate.App,
    free: int,
    capacity: Capacity,
    *,
    at: int,
    running: Collection[str],
    lease: int,
    overdue: Callable[[], bool],
) -> list[Admitted]:
    """Admit what may run and put it into the queue, both or neither; no more than are free beyond what waits there."""
    waiting = connection.row("SELECT count(*) AS n FROM procrastinate_jobs WHERE status='todo'")
    assert waiting is not None
    assert isinstance(connection, PostgresConnection)
    admitted = queue.admit(
        connection, "", None, free - waiting["n"], capacity, at, running, lease=lease, overdue=overdue
    )
    if admitted:
        deferred = jobs.configure_task(QUEUE, queue=QUEUE, connection=connection.raw)
        try:
            deferred.batch_defer(*[_job(each) for each in admitted])
        except ConnectorException as error:  # the database knows what may be tried again
            raise error.__cause__ or error from None
    return admitted


def _job(mine: Admitted) -> JSONDict:
    return {"generation": mine.id, "attempt": mine.attempt}


def _sweep(connection: Connection) -> None:
    """Nobody holds a job for long: these were left by workers that were killed or lost their connection."""
    connection.execute(
        "DELETE FROM procrastinate_jobs j WHERE j.status<>'todo' AND NOT EXISTS (SELECT 1 FROM procrastinate_events e"
        " WHERE e.job_id=j.id AND e.at>now()-interval '1 minute')"
    )
    connection.execute("DELETE FROM procrastinate_workers WHERE last_heartbeat<now()-interval '1 minute'")


async def _autocommit(connection: psycopg.AsyncConnection[object]) -> None:
    await connection.set_autocommit(True)


async def _end(task: "asyncio.Task[None]") -> None:
    """A worker takes the first cancellation, which it has had, as a wish, and the second one as an order."""
    while not (await asyncio.wait([task], timeout=TO_END))[0]:
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)
