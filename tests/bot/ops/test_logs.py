"""What is logged, and what never is: words, tokens, keys and signed links."""

import json
import logging
from pathlib import Path

import pytest
import structlog

from bot.ops import logs
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
