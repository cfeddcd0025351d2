"""What `doctor` says of the process that runs here: whether it answers, and what keeps it from working."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.ops.doctor import examine
from bot.ops.listener import Listener
from bot.ops.ownership import Ownership
from bot.settings import Settings

REFUSED = "a platform: Too many connections use this app id: another process has it too."


@asynccontextmanager
async def beside(folder: Path, *problems: str) -> AsyncIterator[str]:
    """A process that owns the folder, with these problems; its address."""

    async def ready() -> list[str]:
        return [*problems]

    async def scrape() -> bytes:
        return b""

    with Ownership(folder) as ownership:
        listener = Listener(
            host="127.0.0.1",
            port=0,
            token=ownership.token,
            actions={},
            ready=ready,
            read=lambda key: None,
            scrape=scrape,
            receive={},
            hooks={},
        )
        async with listener:
            ownership.announce(listener.url)
            yield listener.url


async def told(folder: Path) -> tuple[int, list[str]]:
    """The exit code, and what is said of processes."""
    lines: list[str] = []
    code = await examine(Settings(data_dir=folder), lines.append)
    return code, [line for line in lines if line[5:].startswith("process")]


async def test_what_keeps_a_running_bot_from_working_is_told_in_its_own_words(tmp_path: Path) -> None:
    async with beside(tmp_path, REFUSED, "the books do not agree") as url:
        code, (answers, *bad) = await told(tmp_path)

    assert code == 1
    assert answers.startswith("ok   process: ")
    assert answers.endswith(f"answers at {url}")
    assert [line[:13] for line in bad] == ["BAD  process "] * 2
    assert bad[0].endswith(f": {REFUSED}")
    assert bad[1].endswith(": the books do not agree")


async def test_a_bot_that_is_ready_is_well(tmp_path: Path) -> None:
    async with beside(tmp_path) as url:
        code, (answers, *bad) = await told(tmp_path)

    assert (code, bad) == (0, [])
    assert url in answers


async def test_where_none_runs_nothing_is_wrong(tmp_path: Path) -> None:
    assert await told(tmp_path) == (0, ["ok   process: none runs here"])


async def test_of_several_with_roles_each_is_asked(tmp_path: Path) -> None:
    async with beside(tmp_path / "gateway-1", REFUSED), beside(tmp_path / "worker-1"):
        code, lines = await told(tmp_path)

    assert code == 1
    assert [line[:4] for line in lines] == ["ok  ", "BAD ", "ok  "]


@pytest.mark.parametrize("ready", [b"", b"[]", b"{}", b"<html>", None])
async def test_a_process_that_does_not_say_whether_it_is_ready_is_not_well(tmp_path: Path, ready: bytes | None) -> None:
    async def healthz(request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def readyz(request: web.Request) -> web.Response:
        if ready is None:
            assert request.transport
            request.transport.abort()
        return web.Response(body=ready)

    application = web.Application()
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    with Ownership(tmp_path) as ownership:
        async with TestServer(application) as server:
            ownership.announce(str(server.make_url("")).rstrip("/"))
            code, (_, bad) = await told(tmp_path)

    assert code == 1
    assert "does not say" in bad
