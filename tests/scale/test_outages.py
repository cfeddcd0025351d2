"""A gateway, workers and the page whose PostgreSQL is restarted, crashes, and cannot be reached for a while.

The server is the test's own. Where a test may make networks (root, iproute2) it stands behind a cable of its own.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.crash.provider import Provider
from tests.postgres import NEEDED
from tests.scale.cluster import Server, lacking
from tests.scale.crowd import Crowd
from tests.scale.on_feishu import crowded, draws_again, in_paid_request
from tests.scale.promises import check

pytestmark = [*NEEDED, pytest.mark.crash, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

SEATS = ("gateway-1", "worker-1", "worker-aside", "web-1")
TAKEN_OVER = 30.0
CUT = 20.0  # s; several leases, and as long as a connection that is cut off takes to notice it


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crowd(tmp_path_factory: pytest.TempPathFactory, quick: Provider, server: Server) -> AsyncIterator[Crowd]:
    async with crowded(tmp_path_factory.mktemp("outages"), quick, server.cluster.database(), *SEATS) as crowd:
        yield crowd


@pytest.mark.parametrize("mode", [pytest.param("fast", marks=pytest.mark.long), "immediate"])
async def test_a_restart_of_the_database_under_load_ends_nobody_and_loses_nothing(
    crowd: Crowd, server: Server, mode: str
) -> None:
    pids = [seat.pid for seat in crowd.team.seats.values()]
    async with crowd.asking(every=0.2):
        await busy(crowd)
        await server.cluster.restart(mode)
        await busy(crowd)
    await crowd.quiet()

    assert [seat.pid for seat in crowd.team.seats.values() if seat.lives] == pids
    await check(crowd, troubled=True)


async def test_a_database_that_is_cut_off_for_twenty_seconds_ends_nobody_and_loses_nothing(
    crowd: Crowd, server: Server
) -> None:
    if server.network is None:
        lacking("a network of its own takes root and iproute2")
        return
    pids = [seat.pid for seat in crowd.team.seats.values()]
    async with crowd.asking(every=0.5):
        await busy(crowd)
        await server.network.cut()
        await asyncio.sleep(CUT)
        await server.network.mend()
        await busy(crowd)
    await crowd.quiet()

    assert [seat.pid for seat in crowd.team.seats.values() if seat.lives] == pids
    await check(crowd, troubled=True)


@pytest.mark.long
async def test_a_worker_that_is_cut_off_while_the_others_are_not_is_taken_over_and_settles_nothing(
    crowd: Crowd, server: Server
) -> None:
    if server.network is None:
        lacking("a network of its own takes root and iproute2")
        return
    team = crowd.team
    seat = team["worker-aside"]
    asked = await crowd.ask("sandbox:slow")
    while await in_paid_request(crowd, asked) is not seat:
        asked = await crowd.ask("sandbox:slow")
    await server.network.cut(1)
    await team.taken_over(seat.pid, within=TAKEN_OVER)
    state = await crowd.ends(asked)
    await server.network.mend(1)
    await draws_again(crowd, seat)
    await crowd.quiet()

    assert state == crowd.state(asked) == "unknown"
    assert crowd.paid(asked) == 1
    await check(crowd, troubled=True)


async def busy(crowd: Crowd) -> None:
    """What is asked now is drawn."""
    asked = await crowd.ask()
    assert await crowd.ends(asked) == "settled"
