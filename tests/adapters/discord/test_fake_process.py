"""An unmodified bot in a process of its own, over the proxy: real host names, TLS, a private authority."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from tests.simulators.discord.demo_bot import drawn
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.forms import Upload
from tests.simulators.discord.tls import HOSTS

pytestmark = pytest.mark.slow

START = "import runpy; runpy.run_module('tests.simulators.discord.demo_bot', run_name='__main__')"
# discord.py takes zstd where the package is there, and has no switch for it.
COMPRESSIONS = {"zstd-stream": START, "zlib-stream": f"import sys; sys.modules['zstandard'] = None; {START}"}


@asynccontextmanager
async def process(fake: FakeDiscord, start: str = START) -> AsyncIterator[asyncio.subprocess.Process]:
    settings = {"DEMO_TOKEN": fake.token, "DEMO_PROXY": fake.proxy.url}
    environment = {**os.environ, **fake.environment(), **settings}
    started = await asyncio.create_subprocess_exec(*(sys.executable, "-W", "ignore", "-c", start), env=environment)
    try:
        yield started
    finally:
        if started.returncode is None:
            started.send_signal(signal.SIGKILL)
        await started.wait()


async def test_a_bot_in_another_process_is_led_here_and_nowhere_else(fake: FakeDiscord) -> None:
    bob = fake.person("bob")

    async with process(fake):
        await fake.until(lambda: fake.gateway.connected, within=30, what="the bot's session")
        asked = await bob.slash("imagine", prompt="a fox", image=Upload("fox.png", drawn(32, "navy")))
        message = await asked.answered()
        fake.proxy.cut()
        pressed = await (await bob.press(message, "Again")).acknowledged()
        answer = await (await bob.submit(pressed, {"Words": "a red fox"})).answered()

    assert message.pictures == [drawn(32, "navy")]
    assert answer.text == "a red fox, 0 pictures"
    assert {*fake.proxy.led} == {*HOSTS[:3]}
    assert fake.proxy.refused == []
    assert len(fake.gateway.identified) == len(fake.gateway.resumed) == 1


async def test_a_button_works_in_another_process_than_the_one_that_made_it(fake: FakeDiscord) -> None:
    bob = fake.person("bob")
    async with process(fake):
        await fake.until(lambda: fake.gateway.connected, within=30, what="the first bot's session")
        message = await (await bob.slash("imagine", prompt="a fox")).answered()
    await fake.until(lambda: not fake.gateway.connected)

    async with process(fake):
        await fake.until(lambda: fake.gateway.connected, within=30, what="the second bot's session")
        pressed = await (await bob.press(message, "Again")).acknowledged()

    assert pressed.modal


@pytest.mark.parametrize("compression", COMPRESSIONS)
async def test_both_compressions_carry_long_events_one_after_another(fake: FakeDiscord, compression: str) -> None:
    bob = fake.person("bob")

    async with process(fake, COMPRESSIONS[compression]):
        await fake.until(lambda: fake.gateway.connected, within=30, what="the bot's session")
        answers = [await (await bob.slash("imagine", prompt=f"{n}" * 3900)).answered() for n in range(3)]

    assert fake.gateway.connections[0].compression == compression
    assert [one.text for one in answers] == [f"{n}" * 3900 for n in range(3)]


@pytest.mark.parametrize("url", ["https://example.org/", "http://discord.com/"])
async def test_the_proxy_refuses_every_other_way(fake: FakeDiscord, url: str) -> None:
    async with aiohttp.ClientSession() as session:
        try:
            async with session.get(url, proxy=fake.proxy.url) as response:
                status = response.status
        except aiohttp.ClientHttpProxyError as error:
            status = error.status

    assert status == 403
    assert len(fake.proxy.refused) == 1
