"""What found no way to its place is offered to its asker at the next contact, once."""

import asyncio

from bot.chat import CannotPost, Post
from bot.generation import outbox
from bot.generation.accepting import Accepted
from bot.storage.connection import Connection
from tests.bot.generation.core import Core


def _no_pictures(post: Post) -> Exception | None:
    return CannotPost("the channel is gone", final=True) if post.key.endswith(":0") else None


async def _refused(core: Core, by: str = "bob") -> str:
    """A generation that ended while its platform refused every post of it."""
    core.adapter.refuses = _no_pictures
    accepted = await core.ask("/imagine a fox", by=by)
    assert isinstance(accepted, Accepted)
    await core.adapter.until(lambda: any(call.reply.state == "settled" for call in core.adapter.calls))
    async with asyncio.timeout(5):
        while not await core.database.fetch("SELECT 1 FROM postings WHERE state='kept' AND wanted>1"):
            await core.database.transaction(lambda connection: None)  # the row is written after the call
    core.adapter.refuses = lambda post: None
    return accepted.generation


def _offers(core: Core) -> list[list[str]]:
    return [[b.id for b in post.reply.buttons] for post in core.adapter.shown if post.key.endswith(":kept")]


async def test_a_picture_that_could_not_be_posted_is_offered_at_the_next_contact(running: Core) -> None:
    generation = await _refused(running)

    await running.ask("/quota")

    assert _offers(running) == [[f"show:{generation}:0"]]


async def test_what_is_still_drawn_is_not_offered_yet(core: Core) -> None:
    """Its progress found no way; whether its pictures do is not known."""
    made, bob = await core.run(), await core.person()

    async def offered(state: str) -> list[str]:
        def change(connection: Connection) -> None:
            connection.execute("UPDATE generations SET state=:state WHERE id=:id", state=state, id=made.id)
            connection.execute("UPDATE postings SET state='kept', shown=0 WHERE generation=:id", id=made.id)

        await core.database.transaction(change)
        return await core.database.read(outbox.kept, bob.id)

    assert [await offered(state) for state in ("queued", "running", "settled")] == [[], [], [made.id]]


async def test_it_is_offered_once(running: Core) -> None:
    await _refused(running)

    await running.ask("/quota")
    await running.ask("/quota")

    assert len(_offers(running)) == 1


async def test_it_is_offered_to_nobody_else(running: Core) -> None:
    await _refused(running, by="bob")

    await running.ask("/quota", by="eve")

    assert _offers(running) == []
