"""What `doctor` says about the providers, read as an operator would: what is wrong, where, and what to do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.clock import micros
from bot.ops import credits
from bot.ops.doctor import examine
from bot.settings import Settings
from bot.storage.database import SQLiteDatabase
from tests.bot.ops.processes import Desk
from tests.simulators.apiframe import ApiframeSim
from tests.simulators.images_api import ImagesApiSim
from tests.simulators.personalities import APIYI

KEY = "key-that-nobody-may-read"


async def told(folder: Path, *, probe: bool = True, **wanted: Any) -> tuple[int, list[str]]:
    """The exit code and what was said about providers, each with its cure."""
    lines: list[str] = []
    code = await examine(Settings(data_dir=folder, **wanted), lines.append, probe=probe)
    assert KEY not in "".join(lines)
    text = "\n".join(lines).replace("\n     -> ", " -> ")
    return code, [line for line in text.splitlines() if line[5:].startswith(("provider", "probe", "keys", "model"))]


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """A server that takes every question and answers none."""
    asked = asyncio.Event()

    async def never(_: web.Request) -> web.Response:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", never)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
    assert asked.is_set()


async def test_a_good_key_is_told_and_all_is_well(tmp_path: Path) -> None:
    async with ImagesApiSim() as ark:
        code, lines = await told(tmp_path, modelark={"api_key": KEY, "base_url": ark.base_url})

        assert code == 0
        assert lines[-1] == "ok   probe modelark: the key is accepted"
        assert ark.paid == []


async def test_a_wrong_key_names_its_setting(tmp_path: Path) -> None:
    async with ImagesApiSim() as ark:
        ark.key = "another"
        code, lines = await told(tmp_path, modelark={"api_key": KEY, "base_url": ark.base_url})

    assert code == 1
    assert lines[-1].startswith("BAD  probe modelark: the key is not accepted (401")
    assert "-> check BOT_MODELARK__API_KEY:" in lines[-1]


async def test_a_model_that_goes_by_another_name_there_is_told(tmp_path: Path) -> None:
    async with ImagesApiSim(APIYI) as gateway:
        gateway.models.pop("seedream-4-0-250828")
        code, lines = await told(tmp_path, apiyi={"api_key": KEY, "base_url": gateway.base_url})

    assert code == 0
    assert lines[-1].startswith("note probe apiyi: the key is accepted; Seedream models listed: 5; it does not list")
    assert "seedream-4-0-250828 (seedream-4) -> give the ids that it has by BOT_APIYI__MODELS" in lines[-1]


async def test_an_address_where_nobody_is_names_its_setting(tmp_path: Path) -> None:
    code, lines = await told(tmp_path, novita={"api_key": KEY, "base_url": "http://127.0.0.1:9"})

    assert code == 1
    assert "no connection to 127.0.0.1 -> check BOT_NOVITA__BASE_URL" in lines[-1]


async def test_an_address_where_something_else_is_names_its_setting(tmp_path: Path) -> None:
    async with ImagesApiSim() as ark:
        code, lines = await told(tmp_path, modelark={"api_key": KEY, "base_url": f"{ark.origin}/elsewhere"})

    assert code == 1
    assert "it answered 404 -> check BOT_MODELARK__BASE_URL" in lines[-1]


async def test_who_does_not_answer_does_not_keep_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credits, "PATIENCE", 1.0)
    async with silent() as nobody, ImagesApiSim(APIYI) as apiyi:
        code, lines = await told(
            tmp_path,
            modelark={"api_key": KEY, "base_url": nobody},
            apiyi={"api_key": KEY, "base_url": apiyi.base_url},
            providers=["modelark", "apiyi"],
        )

    assert code == 1
    assert "probe modelark: no answer within 1 seconds -> check BOT_MODELARK__BASE_URL" in lines[-2]
    assert lines[-1].startswith("ok   probe apiyi: the key is accepted")


@pytest.mark.parametrize(
    ("left", "code", "mark", "said"),
    [
        (100, 0, "ok  ", "100 credits left"),
        (99, 0, "note", "99 credits left -> buy credits"),
        (3, 0, "note", "3 credits left -> buy credits"),
        (2, 1, "BAD ", "not enough for a picture -> buy credits"),
        (0, 1, "BAD ", "not enough for a picture -> buy credits"),
    ],
)
async def test_credits_that_run_out_are_told_before_they_have(
    tmp_path: Path, left: int, code: int, mark: str, said: str
) -> None:
    async with ApiframeSim() as apiframe:
        apiframe.account.credits = left
        own = {"api_key": apiframe.key, "base_url": apiframe.base_url}

        assert (found := await told(tmp_path, apiframe=own))[0] == code
        assert found[1][-1].startswith(f"{mark} probe apiframe: ")
        assert said in found[1][-1]


async def test_one_that_is_not_in_use_is_asked_but_is_only_a_note(tmp_path: Path) -> None:
    async with ImagesApiSim() as ark, ImagesApiSim(APIYI) as apiyi:
        apiyi.key = "another"
        code, lines = await told(
            tmp_path,
            modelark={"api_key": KEY, "base_url": ark.base_url},
            apiyi={"api_key": KEY, "base_url": apiyi.base_url},
        )

    assert code == 0
    assert lines[-1].startswith("note probe apiyi: the key is not accepted")


async def test_without_being_told_to_it_asks_nobody(tmp_path: Path) -> None:
    async with ImagesApiSim() as ark:
        ark.key = "another"
        code, lines = await told(tmp_path, probe=False, modelark={"api_key": KEY, "base_url": ark.base_url})

        assert (code, ark.requests) == (0, [])
    assert lines == [
        "ok   provider modelark: offers seedream-4.5, seedream-5-lite, seedream-5.5, seedream-5-pro, "
        "seedream-5-flash, seedream-4"
    ]


async def test_a_named_provider_without_a_key_is_told_and_the_others_stay(tmp_path: Path) -> None:
    code, lines = await told(tmp_path, probe=False, apiyi={"api_key": KEY}, providers=["modelark", "apiyi"])

    assert code == 1
    assert lines[0].startswith("BAD  provider modelark: BOT_PROVIDERS names it, but BOT_MODELARK__API_KEY is not set")
    assert lines[1].startswith("ok   provider apiyi: offers")


async def test_a_default_model_that_nobody_offers_is_told(tmp_path: Path) -> None:
    novita: dict[str, Any] = {"novita": {"api_key": KEY}}
    code, lines = await told(tmp_path, probe=False, model="seedream-9", **novita)

    assert code == 0
    assert lines[-1].startswith("note model: BOT_MODEL names seedream-9, which no provider in use offers; it is seed")
    assert not [line for line in (await told(tmp_path, probe=False, **novita))[1] if " model:" in line]


async def test_without_any_key_there_is_nobody_to_ask(tmp_path: Path) -> None:
    code, lines = await told(tmp_path)

    assert code == 0
    assert lines[-1] == "ok   probe: no provider has a key, so there is nobody to ask"
    assert lines[-2].startswith("note keys: ")


@pytest.mark.parametrize(("reason", "mark", "code"), [("busy", "note", 0), ("misconfigured", "BAD ", 1)])
async def test_one_that_is_left_alone_is_told_with_the_reason(
    database_file: Path, reason: str, mark: str, code: int
) -> None:
    now = datetime.now(UTC)
    for name, until in (("modelark", now + timedelta(minutes=5)), ("apiyi", now - timedelta(minutes=5))):
        await rests(database_file, name, until, reason)
    found = await told(
        database_file.parent,
        probe=False,
        modelark={"api_key": KEY},
        apiyi={"api_key": KEY},
        providers=["modelark", "apiyi"],
    )

    assert found[0] == code
    assert found[1][0].startswith(f"{mark} provider modelark: left alone until ")
    assert f"(last: {reason})" in found[1][0]
    assert not any("apiyi: left alone" in line for line in found[1])


async def rests(file: Path, provider: str, until: datetime, reason: str) -> None:
    async with SQLiteDatabase(file) as database:
        await database.transaction(
            lambda connection: connection.execute(
                "INSERT INTO provider_health (provider, failures, until, reason, changed_at)"
                " VALUES (:provider, 3, :until, :reason, 0)",
                provider=provider,
                until=micros(until),
                reason=reason,
            )
        )


@pytest.mark.slow
async def test_the_command_line_asks_only_on_demand(tmp_path: Path) -> None:
    async with ImagesApiSim() as ark:
        ark.key = "another"
        desk = Desk(tmp_path, {"BOT_MODELARK__API_KEY": KEY, "BOT_MODELARK__BASE_URL": ark.base_url})
        quiet = await asyncio.to_thread(desk.run, "doctor")
        asked = await asyncio.to_thread(desk.run, "doctor", "--probe")

    assert (quiet.code, asked.code) == (0, 1)
    assert "probe" not in quiet.out
    assert "check BOT_MODELARK__API_KEY" in asked.out
    assert KEY not in asked.out + asked.err
