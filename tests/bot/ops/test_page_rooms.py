"""Rooms that rules name, on the chat page of the whole bot: it knows which there are."""

from pathlib import Path
from typing import Any

import pytest

from bot.app import running
from bot.ops.sending import Asked
from bot.settings import Settings

pytestmark = pytest.mark.slow  # the whole bot


async def test_a_room_that_the_page_has_not_is_refused_with_those_that_it_has(tmp_path: Path) -> None:
    given: dict[str, Any] = {"web": {"port": 0}, "providers": ["sandbox"], "admins": ["ann"]}
    async with running(Settings(data_dir=tmp_path, **given), listen=False) as app:

        async def told(words: str) -> dict[str, Any]:
            return await app.sending.send(Asked(person="ann", words=words, press="", files=(), yes=True))

        for rule in ("review", "alerts", "log", "channels"):
            wrong = await told(f"/admin space {rule} #studio")
            assert "no channel “studio” here" in wrong["error"]
            assert "design-team" in wrong["error"]
            assert "marketing" in wrong["error"]
            assert (await told(f"/admin space {rule} #marketing"))["error"] is None
