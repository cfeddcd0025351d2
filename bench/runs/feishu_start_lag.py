"""How late the loop is while something starts beside it, and what that takes."""

import asyncio
import time
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

import aiohttp  # noqa: F401 - the product has it already when it starts a platform

from bench.runs.meter import measured, percentiles, resident

TICK = 0.002  # s


async def lag_of(start: Awaitable[object]) -> dict[str, Any]:
    """Until `start` returns."""
    late: list[float] = []

    async def tick() -> None:
        while True:
            due = time.perf_counter() + TICK
            await asyncio.sleep(TICK)
            late.append(time.perf_counter() - due)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(10 * TICK)
    late.clear()
    before = resident("VmRSS")
    with measured() as found:
        await start
        await asyncio.sleep(2 * TICK)  # the last lag is seen after it
    ticking.cancel()
    with suppress(asyncio.CancelledError):
        await ticking
    lags = {f"lag_{name}": value for name, value in percentiles(late).items()}
    return {**found, **lags, "more_mib": resident("VmRSS") - before}
