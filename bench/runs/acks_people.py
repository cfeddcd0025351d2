"""The fake Discord, and on it so many people who ask at the same moment; the bot under test is a process beside it."""

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE, Process
from typing import Any

from bench.fresh import environment
from bench.runs.meter import main, percentiles
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.interactions import ACK, Asked

PATIENCE = 120.0  # s


async def work(*, bot: str, beside: dict[str, Any], count: int) -> dict[str, Any]:
    silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    async with FakeDiscord() as fake, silent:
        provider = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
        arguments = {"token": fake.token, "proxy": fake.proxy.url, "beside": beside, "provider": provider}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "ignore", "-m", f"bench.runs.{bot}", json.dumps(arguments)),
            env=environment(**fake.environment()),
            stdin=PIPE,
            stdout=PIPE,
        )
        try:
            await _line(process)  # it fits pictures
            await fake.until(lambda: fake.gateway.connected and fake.commands.syncs, within=PATIENCE)
            found = await _burst(fake, count)
            assert process.stdin is not None
            process.stdin.close()
            return {**found, **json.loads(await _line(process))}
        finally:
            process.kill()
            await process.wait()


async def _burst(fake: FakeDiscord, count: int) -> dict[str, Any]:
    people = [fake.person(f"person{number}") for number in range(count)]
    begun = time.perf_counter()
    asked: list[Asked] = []
    for one in people:
        asked.append(await one.slash("imagine", prompt="a red fox in the snow"))
        await asyncio.sleep(0)  # Discord tells the bot of each at once
    for each in asked:
        await fake.until(lambda each=each: each.ack or each.age > ACK, within=PATIENCE)  # type: ignore[misc]
    in_time = [each for each in asked if each.ack]
    for each in in_time:
        await each.answered(within=PATIENCE)
    answered = time.perf_counter() - begun
    waited = [each.acknowledged_after or ACK.total_seconds() for each in asked]
    return {**percentiles(waited), "late": count - len(in_time), "answered": answered}


async def _line(process: Process) -> bytes:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        line = await process.stdout.readline()
    if not line:
        raise RuntimeError("the bot under test ended")
    return line


if __name__ == "__main__":
    main(work)
