"""`seedream-bot setup discord` as a process at a terminal, over the proxy, against Discord's real host names."""

import asyncio
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from dotenv import dotenv_values

from adapters.discord.checks import WITHOUT_CONTENT
from bot.i18n import say
from bot.ops.setup import keep, language_for
from bot.settings import Settings
from tests.bot.ops.processes import environment
from tests.bot.ops.terminal import Terminal, at_a_terminal
from tests.simulators.discord.fake import FakeDiscord

NAME = "BOT_DISCORD__TOKEN"
ARGUMENTS = (sys.executable, "-m", "bot", "setup", "discord")
PATIENCE = 60


@asynccontextmanager
async def setting_up(fake: FakeDiscord, folder: Path, *words: str, **variables: str) -> AsyncIterator[Terminal]:
    where = {**fake.environment(), "BOT_DISCORD__PROXY": fake.proxy.url}
    async with at_a_terminal(folder, "setup", "discord", *words, **where, **variables) as terminal:
        yield terminal


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.slow
async def test_from_nothing_to_a_picture_with_a_token_that_is_never_shown(fake: FakeDiscord, tmp_path: Path) -> None:
    async with setting_up(fake, tmp_path, "--channel", fake.channel.id) as terminal:
        await terminal.until("Reset Token): ")
        await terminal.types(f" {fake.token} ")
        await terminal.until("[Y/n]")
        await terminal.types("")
        code = await terminal.ends()

    assert code == 0, terminal.seen
    assert fake.token not in terminal.seen
    assert "It is in .env." in terminal.seen
    file = tmp_path / ".env"
    assert dotenv_values(file) == {NAME: fake.token}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert files(tmp_path) == [".env"]  # nothing of the bot's was made here
    assert len(fake.channel.messages) == 1
    assert {"imagine", "edit", "help"} <= {one["name"] for one in fake.commands.by_guild[None]}
    assert set(fake.proxy.led) == {"discord.com"}


@pytest.mark.slow
async def test_whoever_declines_is_told_where_else_it_goes(fake: FakeDiscord, tmp_path: Path) -> None:
    async with setting_up(fake, tmp_path) as terminal:
        await terminal.until("Reset Token): ")
        await terminal.types(fake.token)
        await terminal.until("[Y/n]")
        await terminal.types("n")
        code = await terminal.ends()

    assert (code, files(tmp_path)) == (0, [])
    assert f"Then set {NAME} yourself" in terminal.seen
    assert fake.token not in terminal.seen


@pytest.mark.slow
async def test_a_wrong_token_is_not_kept(fake: FakeDiscord, tmp_path: Path) -> None:
    async with setting_up(fake, tmp_path) as terminal:
        await terminal.until("Reset Token): ")
        await terminal.types("not.the.token")
        code = await terminal.ends()

    assert (code, files(tmp_path)) == (1, [])
    assert "Discord does not know this token." in terminal.seen
    assert "not.the.token" not in terminal.seen
    assert "Traceback" not in terminal.seen


@pytest.mark.slow
async def test_a_token_that_is_set_is_not_asked_for(fake: FakeDiscord, tmp_path: Path) -> None:
    async with setting_up(fake, tmp_path, BOT_DISCORD__TOKEN=fake.token) as terminal:
        code = await terminal.ends()

    assert code == 0, terminal.seen
    assert "[Y/n]" not in terminal.seen
    assert fake.commands.syncs == 1


@pytest.mark.slow
async def test_it_speaks_the_language_of_the_terminal(fake: FakeDiscord, tmp_path: Path) -> None:
    async with setting_up(fake, tmp_path, BOT_DISCORD__TOKEN=fake.token, LC_ALL="zh_CN.UTF-8") as terminal:
        code = await terminal.ends()

    assert code == 0, terminal.seen
    assert say(WITHOUT_CONTENT, "zh-CN") in terminal.seen
    assert str(WITHOUT_CONTENT) not in terminal.seen


async def without_terminal(folder: Path, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env=environment(),
    )
    async with asyncio.timeout(PATIENCE):
        said, _ = await process.communicate()
    return process.returncode or 0, said.decode().strip()


@pytest.mark.slow
async def test_without_a_terminal_it_says_what_is_missing(tmp_path: Path) -> None:
    code, said = await without_terminal(tmp_path, *ARGUMENTS)

    assert (code, said) == (1, f"{NAME} is not set, and there is no terminal to ask for it.")


@pytest.mark.slow
async def test_a_platform_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    code, said = await without_terminal(tmp_path, *ARGUMENTS[:-1], "telegraph")

    assert code == 1
    assert said.startswith("there is no platform telegraph to set up; there is ")
    assert "discord" in said


# --- keeping a secret, and the operator's language


def test_a_secret_joins_what_stands_in_the_file_and_closes_it_to_others(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# mine\nBOT_LANGUAGE=zh-CN\nBOT_DISCORD__TOKEN=old\n", encoding="utf-8")
    file.chmod(0o644)

    keep({NAME: "a'b\\c#d $e"}, file)

    assert dotenv_values(file) == {"BOT_LANGUAGE": "zh-CN", NAME: "a'b\\c#d $e"}
    assert file.read_text(encoding="utf-8").startswith("# mine\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_is_a_link_stays_one(tmp_path: Path) -> None:
    real = tmp_path / "secrets"
    real.write_text("", encoding="utf-8")
    link = tmp_path / ".env"
    link.symlink_to(real)

    keep({NAME: "token"}, link)

    assert link.is_symlink()
    assert dotenv_values(real) == {NAME: "token"}
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh-CN"),
        ({"LANG": "zh.UTF-8"}, "zh-CN"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_GB.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh-CN"),
    ],
)
def test_the_terminal_says_which_language(variables: dict[str, str], language: str) -> None:
    assert language_for(Settings(), variables) == language


def test_the_language_that_is_set_comes_before_the_terminals() -> None:
    assert language_for(Settings(language="zh-CN"), {"LANG": "en_GB.UTF-8"}) == "zh-CN"
    assert language_for(Settings(language="en"), {"LANG": "zh_CN.UTF-8"}) == "en"
