"""One process uses a PostgreSQL database, as one owns a data folder: it holds a lock that dies with its connection."""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import psycopg
import structlog

from bot.errors import CannotStart
from bot.storage.postgres import Raw, connect, lock_key, reason, where

log = structlog.get_logger(__name__)

LOOK_EVERY = 5.0
PATIENCE = 2.0  # the server needs a moment to miss a process that was killed
_HOLDER = (
    "SELECT a.application_name AS name FROM pg_locks l JOIN pg_stat_activity a ON a.pid=l.pid WHERE l.granted"
    " AND l.locktype='advisory' AND l.objsubid=1 AND l.database=(SELECT oid FROM pg_database WHERE"
    " datname=current_database()) AND (l.classid::bigint << 32) + l.objid::bigint=%(key)s"
)


class SoleUse:
    """Use as an asynchronous context manager. Raises `CannotStart` where another process uses the database.

    A lost connection is made again, and the lock taken again. Where another process was faster, whoever asked by
    `when_lost` is told, once: what runs here may only come to its end.
    """

    def __init__(self, url: str, *, look_every: float = LOOK_EVERY, patience: float = PATIENCE) -> None:
        self._url = url
        self._look_every = look_every
        self._patience = patience
        self._name = f"seedream-bot {os.getpid()} on {socket.gethostname()}"[:63]
        self._told: list[Callable[[], None]] = []
        self._lost = False
        self._stop = asyncio.Event()
        self._raw: Raw | None = None

    async def __aenter__(self) -> Self:
        holder = await asyncio.to_thread(self._enter)
        if holder is not None:
            raise CannotStart(f"the database {where(self._url)} is in use by {holder or 'another process'}")
        self._watch = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await self._watch
        if self._raw is not None:
            await asyncio.to_thread(self._raw.close)

    def when_lost(self, tell: Callable[[], None]) -> None:
        self._told.append(tell)
        if self._lost:
            tell()

    async def _keep(self) -> None:
        while not self._lost:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._look_every):
                    await self._stop.wait()
                    return
            try:
                holder = await asyncio.to_thread(self._hold)
            except psycopg.Error as error:
                log.warning("the database does not answer", problem=type(error).__name__)
                continue
            if holder is not None and holder != self._name:  # its own name: the server has not missed the old one yet
                log.error("another process uses the database now; nothing more is accepted here", by=holder)
                self._lost = True
                for tell in self._told:
                    tell()

    def _enter(self) -> str | None:
        until = time.monotonic() + self._patience
        try:
            while (holder := self._hold()) is not None and time.monotonic() < until:
                time.sleep(0.1)
            return holder
        except psycopg.OperationalError as error:
            raise CannotStart(reason(error, self._url)) from error

    def _hold(self) -> str | None:
        """Have the lock, over the old connection or a new one; else who has it, as far as that is told."""
        if self._raw is not None:
            with suppress(psycopg.Error):
                self._raw.execute("SELECT 1")
                return None
            self._raw.close()
            self._raw = None
        raw = connect(self._url, application_name=self._name)
        holder = _take(raw)
        if holder is None:
            self._raw = raw
        else:
            raw.close()
        return holder


def _take(raw: Raw) -> str | None:
    schema = raw.execute("SELECT current_schema() AS name").fetchone()
    key = {"key": lock_key(f"owner of {schema['name'] if schema else ''}")}
    taken = raw.execute("SELECT pg_try_advisory_lock(%(key)s) AS taken", key).fetchone()
    if taken and taken["taken"]:
        return None
    holder = raw.execute(_HOLDER, key).fetchone()
    return str(holder["name"] or "") if holder else ""
