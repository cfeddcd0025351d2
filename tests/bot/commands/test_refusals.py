"""What bad input gets: a clear private reply that names what helps, nothing held, nothing sent, the row closed."""

from collections.abc import Callable
from typing import Any

import pytest

from bot.chat import Attachment, Quoted, Reply, Tone
from bot.errors import ContentRefused, ProviderBusy
from bot.generation import inbox, runner
from bot.media.normalise import Normaliser
from bot.quota.limits import Policy
from tests.bot.generation.core import Core, working
from tests.fakes import attached, painted

Given = dict[str, Any]


def pictures(count: int, **more: Any) -> Given:
    return {"attachments": tuple(attached(painted(str(number))) for number in range(count)), **more}


CASES: dict[str, tuple[str, Given, tuple[str, ...]]] = {
    "no prompt": ("/imagine", {}, ("behind /imagine", "/imagine a red fox")),
    "a blank prompt": ("/imagine   --count 2", {}, ("/imagine a red fox",)),
    "a prompt that is too long": ("/imagine " + "fox " * 1500, {}, ("5999", "4000")),
    "an unknown command": ("/imagin a fox", {}, ("/imagine",)),
    "a command like no other": ("/xyzzy", {}, ("/help",)),
    "an unknown option": ("/imagine a fox --ratoi 16:9", {}, ("--ratio",)),
    "a value that is none": ("/imagine a fox --count many", {}, ("1 to 4", "many")),
    "too many pictures wanted": ("/imagine a fox --count 5", {}, ("1 to 4",)),
    "the same behind plain words": ("a fox --count 5", {}, ("1 to 4",)),
    "a value that is none behind plain words": ("一只狐狸 --张数 many", {}, ("1 to 4", "many")),
    "an option of no words": ("--count 2", {}, ("/imagine a red fox",)),
    "an option of no words for a picture": ("--count 2", pictures(1), ("/edit make it night",)),
    "an unknown model": ("/imagine a fox --model seedream-9", {}, ("seedream-4.5",)),
    "a size that is none": ("/imagine a fox --size huge", {}, ("huge", "2K", "4K")),
    "a size that the model refuses": ("/imagine a fox --size 100x100", {}, ("10,000", "2K", "16,777,216")),
    "a size that is too narrow": ("/imagine a fox --size 16000x500", {}, ("16", "2K")),
    "a tier of another model": ("/imagine a fox --model 5.5 --size 4K", {}, ("4K", "1K", "2K")),
    "a ratio that is none": ("/imagine a fox --ratio 7:5", {}, ("7:5", "16:9")),
    "a size against the ratio": ("/imagine a fox --size 2048x2048 --ratio 16:9", {}, ("2048x2048", "16:9")),
    "a format that the model has not": ("/imagine a fox --format png", {}, ("png", "jpeg")),
    "a switch that is neither": ("/imagine a fox --private=perhaps", {}, ("yes or no",)),
    "an edit of nothing": ("/edit make it night", {}, ("attach",)),
    "a blend of one": ("/blend put them together", pictures(1), ("2 pictures",)),
    "too many references": ("/edit blend them all --model 5-pro", pictures(11), ("10", "11")),
    "more pictures than any takes": ("/edit blend them all", pictures(15), ("14",)),
    "pictures where none are taken": ("/quota", pictures(1), ("/quota",)),
    "references and pictures wanted over fifteen": ("/series a day --count 10", pictures(6), ("15", "6", "10")),
    "a series longer than there is": ("/series a day --count 16", {}, ("1 to 15",)),
    "a series of a model that draws none": ("/series a day --count 3 --model 5-pro", {}, ("seedream-4.5",)),
    "a quoted message without a picture": ("/edit make it night", {"quoted": Quoted(message_id="x")}, ("no picture",)),
    "an unknown id": ("/show zzzzzzzz", {}, ("zzzzzzzz", "/history")),
    "an id that is none": ("/show ../../etc", {}, ("short id",)),
    "no id": ("/delete", {}, ("/delete",)),
    "a vary of nothing": ("/vary", {}, ("reply", "id")),
    "a help for nothing": ("/help imagin", {}, ("/imagine",)),
    "a default that no model takes": ("/settings --size 9K", {}, ("9K", "4K")),
    "a default model that does not exist": ("/settings --model dall-e", {}, ("dall-e", "seedream-4.5")),
    "a default language that we have not": ("/settings --language fr", {}, ("en", "zh-CN")),
    "a history of nothing": ("/history 0", {}, ("1 to 20",)),
    "a history without end": ("/history 999999999999999999999999", {}, ("1 to 20",)),
}


async def check_refused(core: Core, line: str, given: Given, words: tuple[str, ...]) -> Reply:
    reply = await core.answer(line, **given)

    said = str(reply.text)
    assert (reply.tone, reply.private) == (Tone.REFUSAL, True), reply
    assert [word for word in words if word.lower() not in said.lower()] == [], said
    assert len(said) < 600
    await core.nothing_is_held()
    assert await core.spent() == {"images": (0, 0), "usd": (0, 0), "pool": (0, 0)}
    assert core.provider.asked == []
    assert await core.database.fetch("SELECT id FROM generations") == []
    assert await core.database.read(inbox.still_open) == []
    assert core.adapter.shown[-1].reply == reply
    return reply


@pytest.mark.parametrize("case", CASES)
async def test_bad_input_is_refused_in_words_that_help(running: Core, case: str) -> None:
    line, given, words = CASES[case]

    await check_refused(running, line, given, words)


def bomb() -> bytes:
    """A PNG that says it has ten thousand million pixels."""
    picture = bytearray(painted("bomb"))
    picture[16:24] = (100_000).to_bytes(4, "big") * 2
    return bytes(picture)


UNUSABLE: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "empty"),
    "a text": (lambda: b"this is not a picture, although its name says so", "picture"),
    "a page": (lambda: b"<!doctype html><html><script>alert(1)</script></html>", "picture"),
    "a picture that was cut": (lambda: painted("cut", 640, 480)[:150], "picture"),
    "a bomb": (bomb, "pixels"),
    "too many bytes": (lambda: painted("large") + b"\0" * 200_000, "larger"),
}


@pytest.mark.parametrize("case", UNUSABLE)
async def test_a_picture_that_cannot_be_used_is_refused(core: Core, case: str) -> None:
    make, word = UNUSABLE[case]
    strict = Core(
        database=core.database, folder=core.folder, normaliser=Normaliser(max_bytes=100_000, max_pixels=36_000_000)
    )
    async with working(strict):
        given = {"attachments": (attached(make(), "holiday.jpg"),)}
        await check_refused(strict, "/edit make it night", given, (word,))
        assert list(strict.folder.iterdir()) == []


async def test_one_bad_picture_among_good_ones_refuses_all(core: Core) -> None:
    strict = Core(database=core.database, folder=core.folder, normaliser=Normaliser())
    async with working(strict):
        given: dict[str, tuple[Attachment, ...]] = {
            "attachments": (attached(painted("good", 64, 64)), attached(b"not a picture at all"))
        }
        await check_refused(strict, "/blend both", given, ("picture",))


@pytest.mark.parametrize(
    ("policy", "line", "words"),
    [
        ({("person", "images", "day"): 2}, "/imagine a fox --count 3", ("You", "2", "2026-11-22 00:00")),
        ({("space", "images", "month"): 2}, "/imagine a fox --count 3", ("This space", "2", "2026-12-01 00:00")),
        ({("all", "usd", "week"): 50_000}, "/imagine a fox --count 3", ("Everyone", "0.05 USD", "2026-11-23 00:00")),
        ({("person", "images", "month"): 0}, "/imagine a fox", ("You", "no pictures are allowed")),
    ],
)
async def test_a_limit_that_is_reached_is_named_with_what_is_left(
    core: Core, policy: Policy, line: str, words: tuple[str, ...]
) -> None:
    limited = Core(database=core.database, folder=core.folder, policy=policy)
    async with working(limited):
        await check_refused(limited, line, {}, words)


async def test_a_full_line_refuses_more(core: Core) -> None:
    full = Core(database=core.database, folder=core.folder, most_waiting=0)
    async with working(full):
        await check_refused(full, "/imagine a fox", {}, ("waiting",))


async def test_a_bot_that_stops_takes_nothing_on(running: Core) -> None:
    running.service.draining = True

    await check_refused(running, "/imagine a fox", {}, ("restarting",))


async def test_a_full_disk_takes_nothing_on(running: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.generation.service.LEAST_DISK", 10**18)

    await check_refused(running, "/imagine a fox", {}, ("disk",))


async def ended(core: Core, line: str) -> Reply:
    """An asking that was accepted and failed: nothing is charged, and it says why."""
    reply = await core.answer(line)
    assert reply.tone is Tone.REFUSAL
    assert await core.spent() == {"images": (0, 0), "usd": (0, 0), "pool": (0, 0)}
    await core.nothing_is_held()
    return reply


@pytest.mark.parametrize(("stage", "word"), [("words", "words"), ("result", "filter")])
async def test_moderation_costs_nothing_and_is_not_tried_again(running: Core, stage: str, word: str) -> None:
    running.provider.scripts.append((ContentRefused(stage),))
    reply = await ended(running, "/imagine something")

    assert word in str(reply.text)
    assert reply.state == "refused"
    assert running.provider.paid == 1


async def test_a_provider_that_is_down_is_tried_a_few_times_and_then_said(
    running: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr("bot.generation.workers.LOOK_AGAIN", 0.01)
    monkeypatch.setattr("bot.generation.health.FIRST_REST", 10_000)
    running.provider.scripts.extend([(ProviderBusy(),)] * 10)
    reply = await ended(running, "/imagine a fox")

    assert "busy" in str(reply.text)
    assert running.provider.paid == runner.MOST_TRIES


async def test_a_refusal_in_chinese_is_said_in_chinese(running: Core) -> None:
    reply = await running.answer("/画", language="zh-CN", by="li")

    assert (reply.tone, reply.language) == (Tone.REFUSAL, "zh-CN")
