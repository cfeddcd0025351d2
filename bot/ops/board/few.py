"""Reads of the dashboard, a few at a time: however many people look, whoever draws finds a reader of the database."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from bot.storage.database import Database, P, T, Transaction

AT_ONCE = 2


class Reads(Protocol):
    async def read(self, function: Transaction[P, T], *arguments: P.args, **named: P.kwargs) -> T: ...


@dataclass(frozen=True)
class Few:
    database: Database
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def read(self, function: Transaction[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        async with self._turns:
            return await self.database.read(function, *arguments, **named)
