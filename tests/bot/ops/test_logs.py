"""What is logged, and what never is: words, tokens, keys and signed links."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web

from bot.ops import logs
from bot.ops.listener import Listener
from tests.bot.ops.processes import Desk
from tests.fakes import painted

WORDS, TOKEN, KEY = "canary-words", "canary-token-of-the-page", "canary-key-of-the-vendor"


@pytest.mark.slow
def test_no_line_of_a_whole_story_has_words_tokens_keys_or_links(tmp_path: Path) -> None:
    picture = tmp_path / "canary-words.png"
    picture.write_bytes(painted("x", 320, 200))
    desk = Desk(tmp_path, {"BOT_LOG__LEVEL": "DEBUG", "BOT_LOG__FORMAT": "json", "BOT_WEB__TOKEN": TOKEN})
    said = []
    with desk.running("run", BOT_PROVIDERS='["sandbox"]', BOT_MODELARK__API_KEY=KEY) as owner:
        for words in (
            (f"/imagine {WORDS} --count 2",),
            (f"/imagine {WORDS} --size 9K",),
            (f"/{WORDS}",),
            (f"/imagine {WORDS} sandbox:refuse",),
            (f"/imagine {WORDS} sandbox:cut-answer",),
            (f"/series {WORDS} sandbox:reject --count 2",),
            (f"/edit {WORDS}", "--attach", str(picture)),
            ("--press", f"vary:{WORDS}:0"),
        ):
            done = desk.run("send", *words)
            assert "Traceback" not in done.err
            said.append(done.err)
    said += owner.err

    lines = [json.loads(line) for line in owner.err if line]
    assert {"ready", "provider answers", "generation ended", "refused", "stopped"} <= {line["event"] for line in lines}
    assert all(line["level"] and line["timestamp"] for line in lines)
    assert any(line.get("request") for line in lines), "lines of one asking are tied together"
    for line in said:
        for canary in (WORDS, TOKEN, KEY, "X-Tos-Signature", "Signature=", "Bearer"):
            assert canary not in line


@pytest.mark.slow
def test_send_alone_says_nothing_but_its_answer(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {"BOT_LOG__LEVEL": "DEBUG", "BOT_LOG__FORMAT": "json"})
    done = desk.run("send", f"/imagine {WORDS} sandbox:cut-answer", "--json")

    assert done.json["state"] == "unknown"
    assert WORDS not in done.err


@pytest.fixture
def configured() -> object:
    """The logging of the process, put back afterwards."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield None
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


@pytest.mark.usefixtures("configured")
def test_a_signed_link_loses_its_signature_whoever_logs_it(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("DEBUG", "json")
    link = "https://tos.example/picture.png?X-Tos-Signature=secret&x=1"
    structlog.get_logger("ours").warning("fetched", url=link, told=f"from {link} at last")
    logging.getLogger("theirs").warning("got %s", link)
    try:
        raise ValueError(f"cannot read {link}")
    except ValueError:
        logging.getLogger("theirs").exception("failed")

    written = capsys.readouterr().err
    assert written.count("picture.png?…") >= 4
    assert "secret" not in written
    assert [json.loads(line)["level"] for line in written.splitlines()] == ["warning", "warning", "error"]


@pytest.mark.usefixtures("configured")
def test_for_people_lines_are_plain_and_for_machines_json(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", "console")
    structlog.get_logger("ours").info("generation ended", state="settled")
    assert "generation ended" in capsys.readouterr().err
    logs.configure("INFO", "auto")  # no terminal here
    structlog.get_logger("others").info("generation ended", state="settled")

    assert json.loads(capsys.readouterr().err)["state"] == "settled"


@pytest.mark.usefixtures("configured")
def test_the_chatter_of_libraries_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("DEBUG", "json")
    for name in ("aiohttp.client", "asyncio", "alembic.runtime", "PIL.PngImagePlugin"):
        logging.getLogger(name).info("a whole address")

    assert capsys.readouterr().err == ""


SENT = b"canary-of-a-scanner"
HEAD = b"POST /hooks/vendor HTTP/1.1\r\nHost: x\r\n"
GARBAGE = {
    "a TLS hello": b"\x16\x03\x01\x00\xf1\x01\x00\x00\xed\x03\x03" + SENT + b"\r\n\r\n",
    "no method": SENT + b"@@ / HTTP/1.1\r\n\r\n",
    "a long header": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + SENT * 1000 + b"\r\n\r\n",
    "a long address": b"GET /?token=" + SENT * 1000 + b" HTTP/1.1\r\n\r\n",
    "no header": b"GET / HTTP/1.1\r\n" + SENT + b"\r\n\r\n",
    "no length": HEAD + b"Content-Length: " + SENT + b"\r\n\r\n",
    "no chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + SENT + b"\r\n",
    "no gzip": HEAD + b"Content-Encoding: gzip\r\nContent-Length: 19\r\n\r\n" + SENT,
    "half a body": HEAD + b"Content-Length: 99\r\n\r\n" + SENT,
}


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[Listener, asyncio.Event]]:
    """A listener with one call of a vendor, and what is set once somebody left in the middle of theirs."""

    async def vendor(*_: object) -> bool:
        raise RuntimeError("a fault of ours")

    async def nothing() -> Any:
        return []

    left = asyncio.Event()
    listener = Listener(
        host="127.0.0.1", port=0, token="x", actions={}, ready=nothing, read=lambda _: None, scrape=nothing,
        receive={"vendor": vendor}, hooks={},
    )  # fmt: skip

    @web.middleware
    async def watched(request: web.Request, handler: Any) -> Any:
        try:
            return await handler(request)
        except ConnectionError:
            left.set()
            raise

    listener.application.middlewares.append(watched)
    async with listener:
        yield listener, left


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=list(GARBAGE))
async def test_what_is_no_request_leaves_a_line_at_most(capsys: pytest.CaptureFixture[str], garbage: bytes) -> None:
    logs.configure("INFO", "json")
    async with listening() as (listener, left):
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(garbage)
        if garbage == GARBAGE["half a body"]:
            await writer.drain()
            writer.close()
            await left.wait()
        else:
            assert (await reader.readline()).split()[1] in (b"400", b"500")
            await reader.read()
            writer.close()

    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["level"] for line in lines] in ([], ["warning"])
    assert not any(word in line for line in lines for word in (SENT.decode(), "Traceback", "token"))


@pytest.mark.usefixtures("configured")
async def test_a_fault_of_ours_keeps_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", "json")
    async with listening() as (listener, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(HEAD + b"Content-Length: 0\r\n\r\n")
        assert (await reader.readline()).split()[1] == b"500"
        writer.close()

    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert (line["level"], "a fault of ours" in line["exception"]) == ("error", True)
