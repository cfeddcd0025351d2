"""Two gateways, three workers and the page over one PostgreSQL, as real processes: what becomes of people's askings
while these are killed, paused, and exchanged one by one.

The team is started once; each story leaves it whole, and everything that was asked in it at its end.
"""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest
import pytest_asyncio

from tests.crash.provider import Provider
from tests.postgres import NEEDED
from tests.scale.cluster import Server
from tests.scale.crowd import REPUSH, Crowd
from tests.scale.on_feishu import crowded, draws_again, heard, hears, in_paid_request
from tests.scale.promises import check
from tests.scale.team import Seat, until

pytestmark = [*NEEDED, pytest.mark.crash, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

SEATS = ("gateway-1", "gateway-2", "worker-1", "worker-2", "worker-3", "web-1")
TAKEN_OVER = 30.0  # s; a process that is killed is found in some 13, one that is paused when its lease has run out


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crowd(tmp_path_factory: pytest.TempPathFactory, quick: Provider, server: Server) -> AsyncIterator[Crowd]:
    async with crowded(tmp_path_factory.mktemp("team"), quick, server.cluster.database(), *SEATS) as crowd:
        yield crowd


async def test_what_is_asked_is_shared_by_all_workers_and_answered_once(crowd: Crowd) -> None:
    for _ in range(40):
        await crowd.something()
        await asyncio.sleep(0.05)  # a crowd's own pace
    await crowd.quiet()

    rows = crowd.team.stored.rows("SELECT DISTINCT owner FROM generations")
    owners = {int(row["owner"].split(":")[-2]) for row in rows}
    assert len(owners) > 1
    assert owners <= {seat.pid for seat in crowd.team.all("worker")}
    assert {row["state"] for row in crowd.team.stored.rows("SELECT state FROM generations")} == {"settled"}
    await check(crowd)


async def test_ten_kills_under_load_lose_nothing_and_pay_for_nothing_twice(crowd: Crowd) -> None:
    await survive(crowd, kills=10)


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_a_hundred_kills_under_load_lose_nothing_and_pay_for_nothing_twice(crowd: Crowd) -> None:
    await survive(crowd, kills=100)


async def survive(crowd: Crowd, *, kills: int) -> None:
    """Any of them, at no chosen moment; who is killed is started again at once, and perhaps killed while it starts."""
    team, random = crowd.team, Random(kills)
    async with crowd.asking(), asyncio.TaskGroup() as watching:
        for _ in range(kills):
            await asyncio.sleep(random.uniform(0.2, 2.0))
            seat = random.choice(await until(lambda: [*filter(spare, team.seats.values())], "somebody to be killed"))
            watching.create_task(team.taken_over(await seat.kill(), within=TAKEN_OVER))
            await seat.start()
    for seat in team.seats.values():
        await seat.ready()
    await crowd.quiet()

    await check(crowd)


def spare(seat: Seat) -> bool:
    """Somebody is left who can take over what it does: another one of its role, or itself once it is back."""
    others = [other for other in seat.team.all(seat.role) if other is not seat]
    return any(other.url for other in others) if others else bool(seat.url)


async def test_a_worker_that_is_paused_in_a_paid_request_can_settle_nothing_when_it_wakes(crowd: Crowd) -> None:
    team = crowd.team
    asked = await crowd.ask("sandbox:slow")
    seat = await in_paid_request(crowd, asked)
    seat.pause()
    await team.taken_over(seat.pid, within=TAKEN_OVER)
    state = await crowd.ends(asked)
    seat.go_on()
    await draws_again(crowd, seat)

    assert state == crowd.state(asked) == "unknown"
    assert crowd.paid(asked) == 1
    await crowd.quiet()
    await check(crowd)


@pytest.mark.long
async def test_a_worker_that_is_paused_in_a_post_posts_nothing_more_when_it_wakes(crowd: Crowd) -> None:
    team, fake = crowd.team, crowd.fake
    fake.faults.add("im.image.create", delay=3.0)
    before = len(fake.called("im.image.create"))
    asked = await crowd.ask()
    await fake.until(lambda: len(fake.called("im.image.create")) > before, within=60, what="its picture is sent")
    generation = team.stored.generation(crowd.noted_as(asked))
    assert generation is not None
    seat = team.owner("SELECT owner FROM postings WHERE key=:key AND lease_until>0", key=f"{generation['id']}:0")
    assert seat is not None
    seat.pause()
    await team.taken_over(seat.pid, within=TAKEN_OVER)
    assert await crowd.ends(asked) == "settled"
    (card,) = crowd.cards(asked)
    edits = len(card.edits)
    seat.go_on()
    await draws_again(crowd, seat)

    assert len(card.edits) == edits
    await crowd.quiet()
    await check(crowd)


async def test_a_gateway_that_is_paused_is_stood_in_for_and_answers_nothing_twice(crowd: Crowd) -> None:
    team, fake = crowd.team, crowd.fake
    active = await heard(team)
    connections = fake.connections.made
    active.pause()
    asked = [await crowd.ask() for _ in range(3)]
    await fake.until(lambda: fake.connections.made > connections, within=TAKEN_OVER, what="the other one's connection")
    await heard(team, but=active)
    ends = [await crowd.ends(one) for one in asked]
    active.go_on()
    await fake.until(lambda: len(fake.connections) == 1, within=TAKEN_OVER, what="the end of the old connection")
    await until(lambda: not hears(active), "the one that was paused knows that it hears no more")
    await crowd.ask()
    await crowd.quiet()

    assert ends == ["settled"] * 3
    await check(crowd)


async def test_what_a_gateway_acknowledged_before_it_was_killed_the_other_answers(crowd: Crowd) -> None:
    """Feishu pushes nothing again, so only what was noted is left."""
    team, fake = crowd.team, crowd.fake
    active = await heard(team)
    other = next(seat for seat in team.all("gateway") if seat is not active)
    await other.stop()
    await other.start("before accepting.accept")
    await other.ready()
    await active.stop()
    await heard(team, but=active)
    await fake.until(lambda: len(fake.connections) == 1, within=60, what="its connection")
    fake.repush = ()
    try:
        asked = await crowd.ask()
        assert await other.ended() == -9
        await active.start()
        assert await crowd.ends(asked) == "settled"
    finally:
        fake.repush = REPUSH
    await other.start()
    for seat in (active, other):
        await seat.ready()
    await crowd.quiet()

    (push,) = [one for one in fake.pushes if one.message_id == asked.id]
    assert push.done
    assert len(push.sent) == 1
    await check(crowd)


async def test_a_rolling_restart_under_load_drops_nothing(crowd: Crowd) -> None:
    team, before = crowd.team, len(crowd.asked)
    async with crowd.asking():
        for seat in team.seats.values():
            await seat.stop()
            await seat.start()
            await seat.ready()
    await crowd.quiet()

    assert {crowd.state(asked) for asked in crowd.asked[before:]} <= {"settled", ""}  # a question has no state
    await check(crowd)
