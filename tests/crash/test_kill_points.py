"""One request for one picture, killed at each edge of its way: what is stored then, and what becomes of it.

The state table of the architecture, row by row: `running` runs again, `sending` can only be unknown, what is stored is
never asked for again.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.crash.home import Home
from tests.postgres import ENGINE, NEEDED

pytestmark = pytest.mark.crash

QUEUED = {"inbox": "done", "generation": "queued", "jobs": "1 ready", "holds": "held"}
RUNNING = {**QUEUED, "generation": "running"}
SENDING = {**RUNNING, "generation": "sending", "jobs": "1 sending"}
STORED = {**SENDING, "images": 1}
DONE = {**STORED, "jobs": "1 done"}
SETTLED = {"generation": "settled", "jobs": "1 done", "images": 1, "holds": "closed"}
NOTHING = {"generation": "", "holds": "", "posting": ""}


@dataclass(frozen=True)
class Point:
    """stored: what a kill there leaves; end: what it becomes ("" where several ends are right); paid: requests."""

    where: str
    stored: dict[str, Any] = field(default_factory=dict)
    end: str = "settled"
    paid: int = 1


POINTS = {
    "the message stands, nobody noted it": Point("before inbox.receive", {"inbox": "", **NOTHING}),
    "it is noted, the sender was not told": Point("after inbox.receive", {"inbox": "received", **NOTHING}),
    "it is accepted but not committed": Point("before accepting.accept", {"inbox": "received", **NOTHING}),
    "it is accepted": Point("after accepting.accept", {**QUEUED, "posting": "to post", "shown": ""}),
    "it is admitted but not committed": Point("before queue.admit", QUEUED),
    "it is admitted": Point("after queue.admit", RUNNING),
    "its mark is not committed": Point("before settling.sending", RUNNING),
    "its mark is committed": Point("after settling.sending", SENDING, "unknown", 0),
    "the answer came, its picture is not stored": Point("before blobs.put", SENDING, "unknown"),
    "the picture lies in the store": Point("after blobs.put", SENDING, "unknown"),
    "the picture's row is not committed": Point("before settling.produced", SENDING, "unknown"),
    "the picture is stored": Point("after settling.produced", STORED),
    "the job's end is not committed": Point("before settling.end_job", STORED),
    "the job has ended": Point("after settling.end_job", DONE),
    "the settlement is not committed": Point("before settling.conclude", DONE),
    "it is settled": Point("after settling.conclude", SETTLED),
    "the first post is about to leave": Point("before post:progress", {"posting": "posting", "shown": ""}, ""),
    "the first post stands": Point("after post:progress", {"posting": "posting"}, ""),
    "the last post is about to leave": Point("before post:end", {**SETTLED, "posting": "posting"}),
    "the last post stands": Point("after post:end", {**SETTLED, "posting": "posting", "shown": "settled"}),
    "the last post is not noted": Point("before outbox.posted@2", {**SETTLED, "posting": "posting"}),
    "the last post is noted": Point("after outbox.posted@2", {**SETTLED, "posting": "posted", "shown": "settled"}),
}


# What a transaction does around its commit is the database's part; the rest is the same on both.
ON_POSTGRES = ("it is accepted but not committed", "it is admitted", "its mark is committed", "it is settled")
ALSO = ON_POSTGRES if ENGINE == "sqlite" else ()
PLACES = [(ENGINE, point) for point in POINTS.values()] + [("postgres", POINTS[name]) for name in ALSO]
NAMES = [*POINTS, *(f"on postgres, {name}" for name in ALSO)]


@pytest.mark.parametrize(
    ("engine", "point"),
    [pytest.param(*each, marks=NEEDED if each[0] == "postgres" else ()) for each in PLACES],
    ids=NAMES,
    indirect=["engine"],
)
async def test_a_request_comes_to_its_one_end_although_the_bot_was_killed_when(home: Home, point: Point) -> None:
    async with home.running(point.where) as bot:
        asked = await bot.draw("a fox")
        await bot.died()

    moment = home.stored.moment(asked.id)
    assert {name: getattr(moment, name) for name in point.stored} == point.stored
    assert home.stored.problems() == ()

    async with home.running() as bot:
        if not asked.acknowledged:  # as the page does
            await bot.repeat(asked)
        await home.quiet()

    assert home.stored.moment(asked.id).generation in ((point.end,) if point.end else ("settled", "unknown"))
    if point.end:
        assert home.paid("a fox") == point.paid
