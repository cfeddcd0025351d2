"""The commands that take away: /cancel, /delete."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from bot.asking import Answer, Asking, Press
from bot.chat import Reply
from bot.clock import micros
from bot.command import Command
from bot.commands.looking import Which
from bot.errors import UsageError
from bot.generation.deleting import delete
from bot.generation.record import Generation
from bot.generation.service import GenerationService
from bot.i18n import text
from bot.storage.database import Database


@dataclass(frozen=True, kw_only=True)
class Tidying:
    """remove: takes a blob away that no picture needs any more."""

    service: GenerationService
    database: Database
    clock: Callable[[], datetime]
    remove: Callable[[str], Awaitable[None]]

    async def cancel(self, request: Which, asking: Asking) -> Answer:
        id, _, index = request.id.partition(":")
        generation = await self.service.load(id)
        if not _is_whole(generation, index):
            words = text("A request is cancelled as a whole, with all its pictures: /cancel {id}", id=generation.id)
            raise UsageError(words)
        return await self.cancel_pressed(asking, generation, 0)

    async def cancel_pressed(self, asking: Asking, generation: Generation, index: int) -> Answer:
        before = await self.service.cancel(generation.id, asking.person)
        if before.state in ("asked", "queued"):
            return Reply(text=text("{id} was taken out of the line. Nothing was charged.", id=before.id), private=True)
        return Reply(
            text=text(
                "{id} is being drawn: what was not sent yet is dropped; what the provider already draws is billed,"
                " so it is kept and charged.",
                id=before.id,
            ),
            private=True,
        )

    async def delete(self, request: Which, asking: Asking) -> Answer:
        id, _, index = request.id.partition(":")
        generation = await self.service.load(id)
        if not _is_whole(generation, index):
            words = text("A request is deleted as a whole, with all its pictures: /delete {id}", id=generation.id)
            raise UsageError(words)
        return await self.delete_pressed(asking, generation, 0)

    async def delete_pressed(self, asking: Asking, generation: Generation, index: int) -> Answer:
        blobs = await self.database.transaction(delete, generation.id, asking.person, micros(self.clock()))
        for blob in blobs:
            await self.remove(blob)
        self.service.changed(generation.id)
        return Reply(text=text("{id} was deleted. What it cost stays counted.", id=generation.id), private=True)

    def presses(self) -> dict[str, Press]:
        return {"cancel": self.cancel_pressed, "delete": self.delete_pressed}


def _is_whole(generation: Generation, index: str) -> bool:
    """Whether all of it was named; of a single picture its number does that, and so does 1, as people count."""
    return not index or (generation.request.count == 1 and int(index) <= 1)


def commands(tidying: Tidying) -> tuple[Command, ...]:
    return (
        Command(
            name="cancel",
            summary=text("Stop a request; free while it waits in the line"),
            request=Which,
            handle=tidying.cancel,
            private=True,
            aliases=("取消",),
        ),
        Command(
            name="delete",
            summary=text("Delete a picture of yours"),
            request=Which,
            handle=tidying.delete,
            private=True,
            aliases=("删除",),
        ),
    )
