"""`seedream-bot setup feishu` and `doctor --probe` as processes, at a terminal, against the fake Feishu."""

import re
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from dotenv import dotenv_values

from tests.adapters.feishu.portal import well_set_up
from tests.adapters.feishu.registry import MADE, Accounts, running
from tests.bot.ops.terminal import at_a_terminal
from tests.simulators.feishu.fake import FakeFeishu

pytestmark = pytest.mark.slow


@pytest.fixture
async def fake() -> AsyncIterator[FakeFeishu]:
    async with well_set_up() as fake:
        yield fake
        assert fake.complaints == []


def files(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


async def test_from_an_id_and_a_secret_to_a_picture_with_the_secret_never_shown(
    fake: FakeFeishu, tmp_path: Path
) -> None:
    ann = fake.person("Ann")
    words = ("setup", "feishu", "--channel", ann.open_id)
    async with at_a_terminal(tmp_path, *words, BOT_FEISHU__DOMAIN=fake.url) as terminal:
        await terminal.until("[Y/n]")
        await terminal.types("n")
        await terminal.until("(cli_…): ")
        await terminal.types(fake.app_id)
        await terminal.until("Basic Info): ")
        await terminal.types(f" {fake.app_secret} ")
        await terminal.until("only you can read?")
        await terminal.types("")
        code = await terminal.ends()

    assert code == 0, terminal.seen
    assert fake.app_secret not in terminal.seen
    assert fake.app_id in terminal.seen
    kept = {"BOT_FEISHU__APP_ID": fake.app_id, "BOT_FEISHU__APP_SECRET": fake.app_secret}
    assert dotenv_values(tmp_path / ".env") == kept
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert len(ann.sees()) == 1
    assert {"imagine", "edit", "help"} <= {one["command"] for one in fake.commands}
    assert "admin" not in {one["command"] for one in fake.commands}


async def test_a_new_apps_secret_is_kept_before_anything_can_go_wrong_with_it(tmp_path: Path) -> None:
    there = Accounts()
    async with running(there), at_a_terminal(tmp_path, "setup", "feishu", BOT_FEISHU__DOMAIN=there.url) as terminal:
        await terminal.until("[Y/n]")
        await terminal.types("y")
        await terminal.until("only you can read?")
        await terminal.types("")
        code = await terminal.ends()  # nothing but accounts is at this address

    assert code == 1
    assert "cannot be reached" in terminal.seen
    kept = {"BOT_FEISHU__APP_ID": MADE["client_id"], "BOT_FEISHU__APP_SECRET": MADE["client_secret"]}
    assert dotenv_values(tmp_path / ".env") == kept
    assert str(MADE["client_secret"]) not in terminal.seen


@pytest.mark.parametrize(("wrong", "offered"), [(False, True), (True, False)])
async def test_what_was_entered_is_kept_as_soon_as_it_is_good(
    fake: FakeFeishu, tmp_path: Path, wrong: bool, offered: bool
) -> None:
    fake.scopes -= {"im:resource"}  # the console has to be visited in any case
    async with at_a_terminal(tmp_path, "setup", "feishu", BOT_FEISHU__DOMAIN=fake.url) as terminal:
        await terminal.until("[Y/n]")
        await terminal.types("n")
        await terminal.until("(cli_…): ")
        await terminal.types(fake.app_id)
        await terminal.until("Basic Info): ")
        await terminal.types("wrong" if wrong else fake.app_secret)
        if offered:
            await terminal.until("only you can read?")
            await terminal.types("")
        code = await terminal.ends()

    assert code == 1
    assert ("only you can read?" in terminal.seen) is offered
    assert (tmp_path / ".env").exists() is offered


async def test_what_is_set_is_not_asked_for(fake: FakeFeishu, tmp_path: Path) -> None:
    variables = {"BOT_FEISHU__APP_ID": fake.app_id, "BOT_FEISHU__APP_SECRET": fake.app_secret}
    async with at_a_terminal(tmp_path, "setup", "feishu", BOT_FEISHU__DOMAIN=fake.url, **variables) as terminal:
        code = await terminal.ends()

    assert code == 0, terminal.seen
    assert "[Y/n]" not in terminal.seen
    assert files(tmp_path) == []


async def test_doctor_tells_what_is_missing_and_leaves_with_one(fake: FakeFeishu, tmp_path: Path) -> None:
    fake.scopes -= {"im:resource"}
    variables = {"BOT_FEISHU__APP_ID": fake.app_id, "BOT_FEISHU__APP_SECRET": fake.app_secret}
    async with at_a_terminal(tmp_path, "doctor", "--probe", BOT_FEISHU__DOMAIN=fake.url, **variables) as terminal:
        code = await terminal.ends()

    assert code == 1, terminal.seen
    assert "ok   feishu credentials: The secret is good" in terminal.seen
    assert re.search(r"BAD  feishu scopes: im:resource is missing", terminal.seen)
    assert "note feishu commands: " in terminal.seen
    assert fake.app_secret not in terminal.seen
