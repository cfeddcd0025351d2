"""Whoever gave a link code is told once, and privately, that somebody has linked with it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.chat import CannotPost, Post, Reply, Tone
from bot.commands import own
from bot.generation import inbox
from bot.i18n import say
from tests.bot.generation.core import Core, telling, working
from tests.bot.test_privacy import everything, forget, keeper
from tests.postgres import BOTH


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", BOTH, indirect=True)


@pytest_asyncio.fixture
async def house(core: Core) -> AsyncIterator[Core]:
    """The core at work, which can say what nobody asked for, and in which ann has drawn."""
    telling(core, own.kinds(core.database))
    async with working(core):
        await core.answer("/imagine a fox", by="ann")
        yield core


async def asked(core: Core, giver: str = "ann", by: str = "bob") -> Reply:
    """The question that is put to whoever types a code."""
    code = str((await core.answer("/link", by=giver)).text).split()[2].rstrip(".")
    return await core.answer(f"/link {code}", by=by)


def told(core: Core) -> list[Post]:
    return [post for post in core.adapter.shown if post.key.startswith("linked-")]


async def settled(core: Core) -> list[Post]:
    async with asyncio.timeout(10):
        while await core.database.fetch("SELECT key FROM postings WHERE state IN ('to post', 'posting')"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return told(core)


async def test_whoever_gave_the_code_is_told_who_was_joined_and_how_to_part(house: Core) -> None:
    await house.answer(press=(await asked(house)).buttons[0].id, by="bob")
    (post,) = await settled(house)

    assert "“bob” (fake)" in say(post.reply.text, "en")
    assert "ann" not in say(post.reply.text, "en")
    assert "/unlink" in say(post.reply.notes[0], "en")
    assert post.place.private
    assert post.reply.private


async def test_a_press_that_comes_again_tells_nobody_twice(house: Core) -> None:
    link = (await asked(house)).buttons[0].id
    invocation = house.invocation(press=link, by="bob", id="pressed")
    await house.database.transaction(
        inbox.receive, "pressed", "fake", {"event": "pressed"}, house.at, "ended", 3_600_000_000
    )
    for _ in range(2):  # by a process that ends before anybody reads it
        reply = await house.dispatcher._answer(await house.dispatcher._asking(invocation))
        assert isinstance(reply, Reply)
        assert reply.tone is Tone.ANSWER
    assert (await house.answer(press=link, by="bob")).tone is Tone.REFUSAL

    assert len(await settled(house)) == 1
    assert len(await house.database.fetch("SELECT key FROM postings WHERE key LIKE 'linked-%'")) == 1


async def test_a_message_that_could_not_be_posted_comes_later_and_once(house: Core) -> None:
    link = (await asked(house)).buttons[0].id
    refused = iter([CannotPost("busy", retry_after=0.01)])
    house.adapter.refuses = lambda post: next(refused, None) if post.key.startswith("linked-") else None
    await house.answer(press=link, by="bob")

    assert len(await settled(house)) == 1


async def test_whoever_links_once_more_is_told_of_once_more(house: Core) -> None:
    for count in (1, 2):
        await house.answer(press=(await asked(house)).buttons[0].id, by="bob")
        assert len(await settled(house)) == count
        await house.answer("/unlink", by="bob")
        house.clock.forward(seconds=1)


async def test_nobody_is_told_of_what_joined_nobody(house: Core) -> None:
    question = await asked(house)
    await house.answer(press=question.buttons[1].id, by="bob")
    await house.answer(press=question.buttons[0].id, by="bob")

    assert await settled(house) == []


async def test_whoever_never_had_a_picture_is_not_reached_and_nothing_breaks(house: Core) -> None:
    reply = await house.answer(press=(await asked(house, "eve")).buttons[0].id, by="bob")

    assert "2 accounts" in str(reply.text)
    assert await settled(house) == []


@pytest.mark.parametrize("who", ["ann", "bob"])
async def test_what_was_told_of_somebody_goes_with_them(house: Core, who: str) -> None:
    await house.answer(press=(await asked(house)).buttons[0].id, by="bob")
    await settled(house)
    await house.answer("/unlink", by="bob")
    gone = await house.person(who)
    await forget(keeper(house), gone)

    assert gone.id not in await everything(house.database)
