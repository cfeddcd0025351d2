"""The fake Feishu, and on it people who write to the bot under test, which is a process beside it."""

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from socket import socket
from typing import Any

import aiohttp

from bench.fresh import environment
from bench.runs.meter import main, percentiles
from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.model import Push
from tests.simulators.feishu.pushing import MESSAGE
from tests.simulators.feishu.render import mention, message_event

PATIENCE = 60.0  # s, on a machine that has other things to do
PEOPLE = 100
REPEATS = 5
FORGERIES = ("signature", "unsigned", "old", "token")
SETTLED = 0.5  # s after which whatever an event sets off has run
OURS = "feishu_events_ours"
PATHS = {"feishu_events_nonebot": "/feishu/{app_id}"}
ORDERS: dict[str, float] = {"PingInterval": 120, "ReconnectInterval": 120, "ReconnectNonce": 30, "ReconnectCount": -1}
Deliver = Callable[[Push], Awaitable[None]]


async def work(*, bot: str, interpreter: str, way: str, count: int, together: int) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        fake = await stack.enter_async_context(FakeFeishu(encrypt_key="bench-key" if way == "webhook" else ""))
        fake.config = ORDERS
        with socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
        if way == "webhook":
            path = PATHS.get(bot, "/hooks/feishu").format(app_id=fake.app_id)
            fake.webhook = f"http://127.0.0.1:{port}{path}"
        process = await stack.enter_async_context(_running(fake, bot, interpreter, port))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        deliver = _over(fake, session)
        await _ready(fake)
        written = _written(fake)
        await _burst([next(written) for _ in range(2 * PEOPLE)], deliver, together)  # everybody is known
        await asyncio.sleep(SETTLED)
        pushes = [next(written) for _ in range(count)]
        before = await _look(process)
        took = await _burst(pushes, deliver, together)
        after = await _settled(process, before["ran"] + count)
        wire = 0.0
        if bot == OURS:  # the peers answer such an event with an error
            await _burst([_foreign(fake, next(written)) for _ in range(count)], deliver, together)
            wire = (await _look(process))["cpu"] - after["cpu"]
        repeated = await _ran(process, [deliver(push) for push in [next(written)] * REPEATS])
        forged = 0
        if way == "webhook":
            forged = await _ran(process, [fake.hook.forge(next(written), how) for how in FORGERIES])
    if after["ran"] - before["ran"] != count:
        raise RuntimeError(f"{after['ran'] - before['ran']} of {count} events were handled")
    cpu = after["cpu"] - before["cpu"]
    each = {"cpu_ms": cpu / count * 1000, "wire_ms": wire / count * 1000}
    return {**percentiles(took), **each, "mib": before["mib"], "repeated": repeated, "forged": forged}


@asynccontextmanager
async def _running(fake: FakeFeishu, bot: str, interpreter: str, port: int) -> AsyncIterator[Process]:
    app = {"app_id": fake.app_id, "app_secret": fake.app_secret}
    keys = {"encrypt_key": fake.encrypt_key, "verification_token": fake.verification_token}
    process = await asyncio.create_subprocess_exec(
        *(interpreter or sys.executable, "-W", "ignore", "-m", f"bench.runs.{bot}"),
        json.dumps({"url": fake.url, "port": port, **app, **keys}),
        env=environment(),
        stdin=PIPE,
        stdout=PIPE,
    )
    try:
        await _line(process)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _ready(fake: FakeFeishu) -> None:
    if not fake.webhook:
        await fake.ready()
        return
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await fake.challenge()
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
            else:
                return


def _written(fake: FakeFeishu) -> Iterator[Push]:
    """One new message after the other: to the bot alone, and in a group in which it is mentioned."""
    people = [fake.new_user(f"person {number}") for number in range(PEOPLE)]
    alone = {each.open_id: fake.new_chat("p2p", "", [each]) for each in people}
    team = fake.new_chat("group", "team", people)
    named = [mention(1, fake.bot, fake.tenant)]
    named[0]["id"]["user_id"] = "e5f6a7b8"
    while True:
        for each in people:
            for chat, words, mentions in ((alone[each.open_id], "", []), (team, "@_user_1 ", named)):
                content = {"text": f"{words}a red fox in the snow, at dusk"}
                message = fake.post(chat, each, "text", content, mentions=mentions)
                event = message_event(fake, message)
                event["sender"]["sender_id"]["user_id"] = "a1b2c3d4"  # nonebot2 takes none without it
                yield fake.pushing.new(MESSAGE, event, message.id)


def _foreign(fake: FakeFeishu, push: Push) -> Push:
    """As large, and of a kind that is acknowledged and left: what it costs is the way in."""
    return fake.pushing.new("im.message.unheard_v1", push.body["event"])


def _over(fake: FakeFeishu, session: aiohttp.ClientSession) -> Deliver:
    """Returns a way to bring an event and wait for the answer, which has to be good."""

    async def post(push: Push) -> None:
        request = fake.hook.signed(push.body)
        async with session.post(fake.webhook, data=request.body, headers=request.headers) as response:
            await response.read()
            _check(response.status)

    async def push(push: Push) -> None:
        known = len(push.acks)
        fake.pushing.send(push)
        await fake.until(lambda: len(push.acks) > known, within=PATIENCE)
        _check(push.acks[-1].code)

    return post if fake.webhook else push


def _check(status: int) -> None:
    if status != 200:
        raise RuntimeError(f"an event was answered with {status}")


async def _burst(pushes: Iterable[Push], deliver: Deliver, together: int) -> list[float]:
    """So many are on their way at any moment; returns how long each took."""
    took: list[float] = []
    left = iter(pushes)

    async def one_after_the_other() -> None:
        for push in left:
            begun = time.perf_counter()
            await deliver(push)
            took.append(time.perf_counter() - begun)

    await asyncio.gather(*(one_after_the_other() for _ in range(together)))
    return took


async def _ran(process: Process, sent: Iterable[Awaitable[object]]) -> int:
    """How often the handler runs for what is sent at the same moment."""
    before = await _look(process)
    await asyncio.gather(*sent)
    await asyncio.sleep(SETTLED)
    after = await _look(process)
    return int(after["ran"] - before["ran"])


async def _settled(process: Process, ran: int) -> dict[str, Any]:
    """What there is to see once the handler ran so often; some run it behind their answer."""
    async with asyncio.timeout(PATIENCE):
        while (seen := await _look(process))["ran"] < ran:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    return seen


async def _look(process: Process) -> dict[str, Any]:
    assert process.stdin is not None
    process.stdin.write(b"\n")
    found: dict[str, Any] = json.loads(await _line(process))
    return found


async def _line(process: Process) -> bytes:
    """The next one that is an object; nonebot2 writes its log between them."""
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        while line := await process.stdout.readline():
            if line.startswith(b"{"):
                return line
    raise RuntimeError("the bot under test ended")


if __name__ == "__main__":
    main(work)
