"""What waits for a review, with a real process killed at each edge of its way: asked once, decided once, shown once."""

import json
from typing import Any

import pytest

from tests.crash.home import Home, Said
from tests.crash.waiting import until

pytestmark = pytest.mark.crash

REVIEW_ROOM = "marketing"
ENDS = (
    *("after settling.conclude", "after outbox.posted@3"),
    *(
        pytest.param(point, marks=pytest.mark.long)
        for point in ("before post:end", "after post:end", "before outbox.posted@3")
    ),
)
DECIDED = (
    *("before reviews.decide", "after reviews.decide"),
    *(pytest.param(point, marks=pytest.mark.long) for point in ("before post:end", "after post:end")),
)


def in_review_room(home: Home) -> list[dict[str, Any]]:
    rows = home.stored.rows("SELECT reply FROM chat_messages WHERE bot=1 AND room=:room", room=REVIEW_ROOM)
    return [json.loads(row["reply"]) for row in rows]


def buttons(reply: dict[str, Any]) -> list[str]:
    return [each["command"] for each in reply["buttons"]]


async def ruled(home: Home) -> None:
    """All that is made is reviewed from now on."""
    async with home.running() as bot:
        await bot.say(f"/admin space review #{REVIEW_ROOM} all")
        await home.quiet()


async def waiting(home: Home) -> tuple[Said, str]:
    """Something that waits for a review, and its id."""
    await ruled(home)
    async with home.running() as bot:
        asked = await bot.draw("a fox")
        await home.quiet()
    generation = home.stored.generation(asked.id)
    assert generation is not None
    return asked, generation["id"]


def rows(home: Home, what: str) -> list[dict[str, Any]]:
    return home.stored.rows("SELECT * FROM audit WHERE what=:what", what=what)


@pytest.mark.parametrize("point", ENDS)
async def test_the_review_room_is_asked_once(home: Home, point: str) -> None:
    await ruled(home)
    async with home.running(point) as bot:
        asked = await bot.draw("a fox")
        await bot.died()
    async with home.running():
        await home.quiet()
    generation = home.stored.generation(asked.id)
    assert generation is not None
    (review,) = in_review_room(home)

    assert (buttons(review), len(review["pictures"])) == (["approve", "refuse"], 1)
    assert home.stored.shown(generation["id"])["pictures"] == []
    assert home.paid("a fox") == 1


@pytest.mark.parametrize("point", DECIDED)
async def test_a_press_decides_once(home: Home, point: str) -> None:
    asked, id = await waiting(home)
    async with home.running(point) as bot:
        await bot.say(press=f"approve:{id}:0")
        await bot.died()
    async with home.running():
        await home.quiet()
        await until(lambda: home.stored.shown(id)["pictures"], "the pictures are shown")

    (review,) = in_review_room(home)
    assert buttons(review) == []
    assert len(rows(home, f"review {id}")) == 1
    assert home.stored.generation(asked.id) is not None


@pytest.mark.parametrize("point", ["before reviews.give_back", "after reviews.give_back"])
async def test_the_quota_is_given_back_once(home: Home, point: str) -> None:
    _, id = await waiting(home)
    async with home.running() as bot:
        await bot.say(press=f"refuse:{id}:0")
        await home.quiet()
    async with home.running(point) as bot:
        await bot.say(press=f"give-back:{id}:0")
        await bot.died()
    async with home.running():
        await home.quiet()

    assert len(rows(home, f"refund {id}")) == 1
    entries = home.stored.rows("SELECT kind FROM entries WHERE generation=:id AND kind='refund'", id=id)
    holds = home.stored.rows("SELECT * FROM holds WHERE generation=:id", id=id)
    assert len(entries) == len(holds)


@pytest.mark.parametrize("point", ["before spaces.change_rules", "after spaces.change_rules"])
async def test_switching_reviews_off_leaves_nothing_behind(home: Home, point: str) -> None:
    _, id = await waiting(home)
    async with home.running(point) as bot:
        await bot.say("/admin space review off")
        await bot.died()
    async with home.running():
        await home.quiet()
        await until(lambda: home.stored.shown(id)["pictures"], "the pictures are shown")

    (review,) = in_review_room(home)
    assert buttons(review) == []
