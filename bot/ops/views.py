"""What platforms and watchers are shown of the core: a generation as a reply, accounts, whether all is well."""

import asyncio
from dataclasses import dataclass
from typing import Any

import structlog

from bot import events, grammar
from bot.catalogue.router import Router
from bot.catalogue.sizes import sides
from bot.chat import AccountLine, Actor, Reply
from bot.clock import Clock, micros
from bot.command import CommandTable
from bot.commands.details import state_name
from bot.commands.drawing import check_private
from bot.generation import queue, record
from bot.generation.presenting import logged, present
from bot.generation.service import GenerationService
from bot.generation.states import State
from bot.people import find
from bot.quota import audit
from bot.spaces import Spaces
from bot.storage.connection import Connection
from bot.storage.database import Database

log = structlog.get_logger(__name__)

# What of a request is an option of the command that made it, under the same name.
OPTIONS = ("prompt", "model", "size", "format", "optimize", "background", "search", "seed", "guidance")


@dataclass(frozen=True, kw_only=True)
class Views:
    database: Database
    router: Router
    service: GenerationService
    spaces: Spaces
    clock: Clock

    async def reply(self, generation: str, place: int) -> Reply:
        """A generation as it is now. place: in the line, from 1."""
        found = await self.database.read(record.load, generation)
        accounts: tuple[AccountLine, ...] = ()
        if found.state is State.ASKED:
            accounts = await self.service.accounts_of(found)
        model = self.router.offer(found.provider, found.request.model)
        return present(found, place=place, model=model, accounts=accounts)

    async def waiting(self) -> int:
        """How many requests are in line."""
        return len(await self.database.read(queue.places))

    async def log(self, generation: str) -> Reply:
        """What the log room of its space is told of a generation."""
        found = await self.database.read(record.load, generation)
        language = self.spaces.of(found.space).language or found.language
        return logged(found, state_name(found), language=language)

    async def accounts(self, actor: Actor) -> tuple[AccountLine, ...]:
        person = await self.database.transaction(find, actor, micros(self.clock()))
        return await self.service.accounts(person)

    async def happened(self, generation: str, actor: Actor) -> Any:
        await self._seen(generation, actor)
        return await self.database.read(events.happened, generation)

    async def line(self, generation: str, actor: Actor, table: CommandTable) -> str:
        """The command line that would ask for the same again."""
        request = (await self._seen(generation, actor)).request
        values = {name: getattr(request, name) for name in OPTIONS}
        values["ratio"] = "" if sides(request.size) else request.ratio
        values["count"] = request.count if request.count > 1 else ""
        kept = {name: value for name, value in values.items() if value is not False and value not in ("", None)}
        return grammar.line(table.find(str(request.mode)), kept)

    async def is_ours(self, blob: str) -> bool:
        """It was made here, and still is; what people send is none of it."""
        return bool(await self.database.fetch("SELECT 1 FROM images WHERE blob=:blob AND state='made'", blob=blob))

    async def problems(self) -> list[str]:
        """Why the process should get no work; a provider's bad day is not a reason."""
        if self.service.draining:
            return ["stopping"]
        try:
            async with asyncio.timeout(5):
                await self.database.transaction(_write_nothing)
                books = await self.database.read(audit.kept)
        except Exception as error:  # noqa: BLE001 - a door: whoever watches is told, however the database fails
            log.warning("the database does not answer", problem=type(error).__name__)
            return ["the database does not answer"]
        return ["the books do not agree: run `seedream-bot ledger verify`"] if books else []

    async def _seen(self, generation: str, actor: Actor) -> record.Generation:
        """Raises `NotThere`, and `NotAllowed` where it was made privately by somebody else."""
        found = await self.service.load(generation)
        check_private(await self.database.transaction(find, actor, micros(self.clock())), found)
        return found


def _write_nothing(connection: Connection) -> None:
    """Takes the writer's turn and the file's lock; that it returns is all that is asked."""
