"""`seedream-bot doctor --probe` as a process, over the proxy: what it tells of Discord."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.bot.ops.processes import environment
from tests.simulators.discord.fake import FakeDiscord

pytestmark = pytest.mark.slow


async def probed(fake: FakeDiscord, folder: Path, token: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "doctor", "--probe"),
        cwd=folder,
        env=environment(**fake.environment(), BOT_DISCORD__PROXY=fake.proxy.url, BOT_DISCORD__TOKEN=token),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert token not in (out + err).decode()
    return process.returncode, out.decode()


async def test_a_good_token_is_told_and_so_are_commands_that_are_not_there_yet(
    fake: FakeDiscord, tmp_path: Path
) -> None:
    code, told = await probed(fake, tmp_path, fake.token)

    assert code == 0, told
    assert "ok   discord token: The token is good" in told
    assert "note discord commands: " in told


async def test_a_wrong_token_ends_with_one_and_names_its_variable(fake: FakeDiscord, tmp_path: Path) -> None:
    code, told = await probed(fake, tmp_path, "a-token-that-is-wrong")

    assert code == 1
    assert "BAD  discord token: " in told
    assert "BOT_DISCORD__TOKEN" in told
