"""The calls of the open platform: what is repeated, what is an error, and what never happens twice."""

import asyncio
import io
import math
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from PIL import Image
from structlog.testing import capture_logs

from adapters.feishu import wire
from adapters.feishu.codes import Kind, Refused, Unreachable
from adapters.feishu.rest import Rest
from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.model import Message

pytestmark = pytest.mark.wire
TEXT = {"text": "hello"}


def rest_of(feishu: FakeFeishu, **options: Any) -> Rest:
    return Rest(
        domain=feishu.url,
        app_id=feishu.app_id,
        app_secret=options.pop("app_secret", feishu.app_secret),
        pauses=options.pop("pauses", (0.01, 0.02)),
        jitter=lambda: 0.0,
        **options,
    )


@pytest.fixture
async def feishu() -> AsyncIterator[FakeFeishu]:
    async with FakeFeishu() as feishu:
        yield feishu
        assert feishu.complaints == []


@pytest.fixture
async def rest(feishu: FakeFeishu) -> AsyncIterator[Rest]:
    async with rest_of(feishu) as rest:
        yield rest


def png() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(written, "PNG")
    return written.getvalue()


async def collected(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def test_the_bot_learns_who_it_is(feishu: FakeFeishu, rest: Rest) -> None:
    bot = await rest.bot()

    assert (bot.open_id, bot.name) == (feishu.bot.open_id, feishu.bot.name)


async def test_a_message_is_sent_answered_changed_read_and_taken_back(feishu: FakeFeishu, rest: Rest) -> None:
    ann = feishu.person("Ann")
    card = {"schema": "2.0", "config": {"update_multi": True}, "body": {"elements": [{"tag": "hr"}]}}
    other = {**card, "body": {"elements": [{"tag": "hr"}, {"tag": "hr"}]}}
    sent = await rest.send(ann.open_id, "text", TEXT, uuid="u-1", by="open_id")
    answer = await rest.reply(sent.message, "interactive", card, uuid="u-2")
    await rest.change(answer.message, other)
    await rest.recall(sent.message)

    (stands,) = ann.sees()
    assert (stands.id, stands.card, sent.chat) == (answer.message, other, ann.direct.id)
    assert (await rest.message(answer.message))["msg_type"] == "interactive"


async def test_a_lost_answer_is_asked_for_again_and_makes_no_second_message(feishu: FakeFeishu, rest: Rest) -> None:
    ann = feishu.person("Ann")
    feishu.faults.add("im.message.create", after=True)
    sent = await rest.send(ann.open_id, "text", TEXT, uuid="u-1", by="open_id")

    assert [message.id for message in ann.sees()] == [sent.message]
    assert len(feishu.called("im.message.create")) == 2


async def test_what_is_not_known_again_by_a_uuid_is_not_asked_twice(feishu: FakeFeishu, rest: Rest) -> None:
    feishu.faults.add("application.app_slash_command.create", after=True)
    with pytest.raises(Unreachable) as lost:
        await rest.add_command({"command": "imagine", "description": {"default_value": "Draw"}})

    assert lost.value.sent
    assert len(await rest.commands()) == 1


async def test_a_code_is_an_error_under_status_200_too_and_names_its_log(feishu: FakeFeishu, rest: Rest) -> None:
    feishu.faults.add("im.chat.get", code=232006, status=200)
    with pytest.raises(Refused) as refused:
        await rest.chat("oc_1")

    assert (refused.value.status, refused.value.code) == (200, 232006)
    assert refused.value.log_id.startswith("2026")


async def test_a_key_that_ended_on_the_way_is_replaced_once_for_all(feishu: FakeFeishu, rest: Rest) -> None:
    await rest.bot()
    feishu.tokens.revoke()
    feishu.clock.advance(7200)
    await asyncio.gather(*(rest.bot() for _ in range(20)))

    assert len(feishu.called("auth.tenant_access_token")) == 2
    assert sum(call.code == 99991663 for call in feishu.called("bot.info")) == 20


async def test_a_key_that_is_refused_again_and_again_is_an_error(feishu: FakeFeishu, rest: Rest) -> None:
    feishu.faults.add("bot.info", code=99991663, times=5)
    with pytest.raises(Refused) as refused:
        await rest.bot()

    assert refused.value.kind is Kind.TOKEN
    assert len(feishu.called("bot.info")) == 2


async def test_a_wrong_secret_is_told_as_what_it_is(feishu: FakeFeishu) -> None:
    async with rest_of(feishu, app_secret="rotated") as rest:
        with pytest.raises(Refused) as refused:
            await rest.bot()

    assert refused.value.kind is Kind.CREDENTIALS


async def test_a_short_wait_is_waited_and_a_long_one_is_somebody_elses(feishu: FakeFeishu) -> None:
    async with rest_of(feishu, longest_wait=0.1) as rest:
        feishu.faults.add("bot.info", code=99991400, retry_after=0.02, times=2)
        await rest.bot()
        feishu.faults.add("bot.info", code=99991400, retry_after=20)
        with pytest.raises(Refused) as refused:
            await rest.bot()

    assert (refused.value.kind, refused.value.retry_after) == (Kind.WAIT, 20)
    assert len(feishu.called("bot.info")) == 4


async def test_who_has_to_wait_after_a_lost_answer_is_told_that_it_may_stand(feishu: FakeFeishu) -> None:
    ann = feishu.person("Ann")
    feishu.faults.add("im.message.create", after=True)
    feishu.faults.add("im.message.create", code=230020, retry_after=9)
    async with rest_of(feishu) as rest:
        with pytest.raises(Unreachable) as lost:
            await rest.send(ann.open_id, "text", TEXT, uuid="u-1", by="open_id")

    assert (lost.value.sent, lost.value.retry_after) == (True, 9)


async def test_a_gateways_page_is_no_answer(feishu: FakeFeishu, rest: Rest) -> None:
    feishu.faults.add("bot.info", html=True, status=502, times=3)
    with pytest.raises(Unreachable) as lost:
        await rest.bot()

    assert lost.value.sent
    assert len(feishu.called("bot.info")) == 3


async def test_a_failure_of_feishus_own_is_asked_again_and_names_its_log(feishu: FakeFeishu, rest: Rest) -> None:
    feishu.faults.add("bot.info", code=2200, status=500, times=3)
    with capture_logs() as logs, pytest.raises(Unreachable) as lost:
        await rest.bot()

    assert lost.value.sent
    for problem in (str(lost.value), *(line["problem"] for line in logs)):
        assert "code 2200, HTTP 500, log_id 2026" in problem
    assert len(logs) == 2


async def test_a_wait_of_nothing_is_a_moment_all_the_same(feishu: FakeFeishu, monkeypatch: pytest.MonkeyPatch) -> None:
    """The seconds that are told are whole ones: 0 is some part of the second by which is counted."""
    monkeypatch.setattr(wire, "WAIT", 0.3)
    feishu.limits.rounded = math.floor
    feishu.limits.per_second = 1
    async with rest_of(feishu, pauses=(0.01,) * 9) as rest:
        await rest.bot()
        await rest.bot()
    calls = feishu.called("bot.info")
    pauses = [after.at - before.at for before, after in pairwise(calls)]

    assert [call.code for call in calls].count(99991400) <= 4
    assert all(pause >= 0.25 for pause in pauses[1:])


async def test_who_does_not_answer_in_time_may_have_done_it(feishu: FakeFeishu) -> None:
    async with rest_of(feishu, patience=0.2, pauses=()) as rest:
        await rest.bot()
        feishu.faults.add("bot.info", delay=1)
        with pytest.raises(Unreachable) as lost:
            await rest.bot()

    assert lost.value.sent


async def test_what_never_left_was_not_sent() -> None:
    async with Rest(domain="http://127.0.0.1:9", app_id="cli_a", app_secret="s", pauses=(0.01,)) as rest:
        with pytest.raises(Unreachable) as lost:
            await rest.send("oc_1", "text", TEXT, uuid="u-1")

    assert not lost.value.sent


async def test_a_token_that_cannot_be_had_says_nothing_was_sent(feishu: FakeFeishu, rest: Rest) -> None:
    feishu.faults.add("auth.tenant_access_token", html=True, times=3)
    with pytest.raises(Unreachable) as lost:
        await rest.send("oc_1", "text", TEXT, uuid="u-1")

    assert not lost.value.sent
    assert feishu.called("im.message.create") == []


async def test_pictures_and_files_go_up_with_their_length_and_come_down_again(
    feishu: FakeFeishu, rest: Rest, tmp_path: Path
) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(png())
    feishu.faults.add("im.image.create", after=True)  # and once more, from the beginning of the file
    image = await rest.upload_image(picture)
    file = await rest.upload_file(picture, "原图.png")

    assert feishu.media[image].data == feishu.media[file].data == png()
    assert feishu.media[file].filename == "原图.png"
    for call in (*feishu.called("im.image.create"), *feishu.called("im.file.create")):
        assert int(call.headers["Content-Length"]) > picture.stat().st_size


async def shown(feishu: FakeFeishu) -> Message:
    return await feishu.person("Ann").sends_picture(png(), wait=False)


async def test_a_picture_that_somebody_sent_is_read_up_to_a_limit(feishu: FakeFeishu, rest: Rest) -> None:
    message = await shown(feishu)
    key = message.content["image_key"]
    feishu.tokens.revoke()
    assert await collected(rest.resource(message.id, key, "image", most=10_000)) == png()

    with pytest.raises(Refused) as refused:
        await collected(rest.resource(message.id, key, "image", most=50))
    assert refused.value.kind is Kind.TOO_LARGE


async def test_a_picture_that_cannot_be_read_says_which_code(feishu: FakeFeishu, rest: Rest) -> None:
    message = await shown(feishu)
    with pytest.raises(Refused) as foreign:
        await collected(rest.resource(message.id, "img_v3_another", "image", most=100))
    feishu.faults.add("im.message.resource.get", code=234043, status=200)
    with pytest.raises(Refused) as card:
        await collected(rest.resource(message.id, message.content["image_key"], "image", most=100))

    assert (foreign.value.code, card.value.code) == (234003, 234043)


async def test_all_members_come_however_many_pages_they_take(feishu: FakeFeishu, rest: Rest) -> None:
    people = [feishu.person(f"P{number}") for number in range(101)]
    chat = feishu.group("Studio", *people)

    assert [one["member_id"] async for one in rest.members(chat.id)] == [one.open_id for one in people]


async def test_people_and_chats_are_looked_up(feishu: FakeFeishu, rest: Rest) -> None:
    ann, far = feishu.person("Ann"), feishu.person("Far", in_range=False)
    chat = feishu.group("Studio", ann)

    assert (await rest.user(ann.open_id))["name"] == "Ann"
    assert (await rest.chat(chat.id))["owner_id"] == ann.open_id
    with pytest.raises(Refused) as refused:
        await rest.user(far.open_id)
    assert refused.value.kind is Kind.OUT_OF_RANGE


async def test_nothing_secret_is_in_a_log_or_in_an_error(feishu: FakeFeishu) -> None:
    told = []
    with capture_logs() as logs:
        async with rest_of(feishu, pauses=(0.0,)) as rest:
            for fault in (
                {"html": True, "times": 2},
                {"code": 230099, "msg": "secret plan"},
                {"after": True, "times": 2},
            ):
                feishu.faults.add("im.message.create", **fault)
                with pytest.raises((Refused, Unreachable)) as error:
                    await rest.send("oc_secret", "text", {"text": "secret plan"}, uuid="u-1")
                told.append(f"{error.value} {error.value!r} {error.value.__cause__!r}")
    tokens = [call.headers["Authorization"].split()[1] for call in feishu.called("im.message.create")]
    feishu.complaints.clear()  # of the chat that there is not

    everything = " ".join([*told, *map(str, logs)])
    assert "asked again" in everything
    assert not [word for word in (*tokens, feishu.app_secret, "secret plan") if word in everything]


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def rest_at(other: Handler) -> AsyncIterator[Rest]:
    """At an open platform that only gives out tokens, and does with everything else what `other` says."""

    async def token(_: web.Request) -> web.Response:
        return web.json_response({"code": 0, "tenant_access_token": "t-1", "expire": 7200})

    application = web.Application(client_max_size=2**30)
    application.router.add_post("/open-apis/auth/v3/tenant_access_token/internal", token)
    application.router.add_route("*", "/{rest:.*}", other)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        domain = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with Rest(domain=domain, app_id="cli_a", app_secret="s", pauses=()) as rest:
            yield rest
    finally:
        await runner.cleanup()


async def test_a_large_file_is_never_whole_in_memory(tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(24 * 2**20)
    taken = 0

    async def other(request: web.Request) -> web.Response:
        nonlocal taken
        async for piece in request.content.iter_chunked(2**16):
            taken += len(piece)
        return web.json_response({"code": 0, "data": {"file_key": "file_1"}})

    async with rest_at(other) as rest:
        tracemalloc.start()
        try:
            await rest.upload_file(large, "large.png")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert taken > 24 * 2**20
    assert peak < 4 * 2**20


async def test_a_redirect_is_not_followed_with_the_key() -> None:
    came = []

    async def other(request: web.Request) -> web.Response:
        came.append(request.path)
        raise web.HTTPFound("/elsewhere")

    async with rest_at(other) as rest:
        with pytest.raises(Unreachable):
            await rest.bot()

    assert came == ["/open-apis/bot/v3/info"]


async def test_an_answer_that_does_not_end_is_left() -> None:
    async def other(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(bytes(2**20))
        return response

    async with rest_at(other) as rest:
        with pytest.raises(Unreachable, match="does not end"):
            await rest.bot()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"data": {}}', b'{"code": "0"}', b'{"code": 0, "bot": {}}', b"\xff\xfe{"]
)
async def test_what_is_not_feishus_answer_is_no_answer(body: bytes) -> None:
    async def other(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async with rest_at(other) as rest:
        with pytest.raises(Unreachable):
            await rest.bot()


async def test_calls_share_their_connections() -> None:
    seen = set()

    async def other(request: web.Request) -> web.Response:
        seen.add(id(request.transport))
        return web.json_response({"code": 0, "bot": {"open_id": "ou_1"}})

    async with rest_at(other) as rest:
        for _ in range(5):
            await rest.bot()

    assert len(seen) == 1
