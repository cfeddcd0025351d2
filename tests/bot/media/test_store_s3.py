"""Blobs in a bucket, on a real server: what holds in a folder, too, is in test_store.py; here is what can go wrong."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from bot.errors import CannotStart, NotThere, Unavailable
from bot.media import bucket
from bot.media.bucket import StoreUnavailable
from bot.media.store import Blobs
from tests.simulators import s3
from tests.simulators.s3 import Between, Store, answers, between, hangs

pytestmark = [pytest.mark.wire, pytest.mark.slow]

ROOT = Path(__file__).parents[3]
NO_SUCH = "0" * 64
CHILD = """
import asyncio, json, sys
from pathlib import Path
from bot.media.store import Blobs

async def run():
    blobs, file = Blobs(sys.argv[1], **json.loads(sys.argv[2])), Path(sys.argv[3])
    key = await blobs.put(file)
    size = 0
    async for chunk in blobs.read(key):
        size += len(chunk)
    await blobs.copy_to(key, file.with_name("copy"))
    print(size)

asyncio.run(run())
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest_asyncio.fixture
async def proxy(s3_store: Store) -> AsyncIterator[Between]:
    async with between(s3_store) as it:
        yield it


@pytest.fixture
def blobs(proxy: Between) -> Blobs:
    """With something between them and the store."""
    return Blobs(proxy.store.place(), **proxy.reached.access)


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking again is soon given up."""
    monkeypatch.setattr(bucket, "READING", {"max_retries": 1, "retry_timeout": timedelta(seconds=1)})
    monkeypatch.setattr(bucket, "WRITING", {"max_retries": 1, "retry_timeout": timedelta(seconds=1)})
    monkeypatch.setattr(bucket, "SILENCE", timedelta(seconds=0.5))


def picture(folder: Path, size: int = 2000, name: str = "sent") -> Path:
    file = folder / name
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + os.urandom(size))
    return file


async def content(blobs: Blobs, key: str) -> bytes:
    return b"".join([chunk async for chunk in blobs.read(key)])


def fetched(url: str) -> tuple[int, bytes, str]:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read(), answer.headers["Content-Type"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, b"", ""


async def outside(url: str) -> tuple[int, bytes, str]:
    """Fetched by somebody who has no key."""
    return await asyncio.to_thread(fetched, url)


# What a start says of a bucket that cannot be used.


@pytest.mark.parametrize(
    ("changed", "place", "said"),
    [
        ({}, "s3://no-such-bucket/x", "there is not the bucket no-such-bucket at 127.0.0.1:.*BOT_BLOBS_URL"),
        ({"secret_access_key": "wrong"}, "", "refuses the key .403 SignatureDoesNotMatch.*BOT_S3__SECRET_ACCESS_KEY"),
        ({"access_key_id": "team:nobody"}, "", "refuses the key .*BOT_S3__ACCESS_KEY_ID"),
        ({"region": "us-east-1"}, "", "another region .*set BOT_S3__REGION"),
        ({"endpoint": "http://127.0.0.1:1"}, "", "pictures at 127.0.0.1:1 does not answer; .*BOT_S3__ENDPOINT"),
    ],
)
async def test_a_start_says_what_is_wrong_and_how_to_cure_it(
    changed: dict[str, Any], place: str, said: str, s3_store: Store, quickly: None
) -> None:
    access = {**s3_store.access, **changed}
    with pytest.raises(CannotStart, match=said) as caught:
        await Blobs(place or s3_store.place(), **access).prepare()

    told = str(caught.value)
    assert "\n" not in told
    assert access["secret_access_key"] not in told
    assert access["access_key_id"] not in told


async def test_without_any_key_it_asks_for_one(s3_store: Store, quickly: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    access = {**s3_store.access, "access_key_id": "", "secret_access_key": ""}

    with pytest.raises(CannotStart, match=r"there is no key .* set BOT_S3__ACCESS_KEY_ID"):
        await Blobs(s3_store.place(), **access).prepare()


async def test_without_any_key_it_does_not_wait_long_for_that_of_a_role(
    s3_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    monkeypatch.setattr(bucket, "LOOK", 0.5)
    writers: list[asyncio.StreamWriter] = []
    access = {**s3_store.access, "access_key_id": "", "secret_access_key": ""}
    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{port}")
        with pytest.raises(CannotStart, match=r"does not answer; .* no role at AWS, set BOT_S3__ACCESS_KEY_ID"):
            await Blobs(s3_store.place(), **access).prepare()
        for writer in writers:
            writer.close()


async def test_the_usual_variables_work_as_well(
    s3_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_store.endpoint)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_REGION", s3.REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_store.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_store.secret)
    blobs = Blobs(s3_store.place())

    await blobs.prepare()
    assert await blobs.exists(await blobs.put(picture(tmp_path)))


async def test_what_is_set_for_the_bot_goes_before_the_usual_variables(
    s3_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_REGION", "elsewhere")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of another")
    blobs = Blobs(s3_store.place(), **s3_store.access, public_endpoint=s3_store.endpoint)

    await blobs.prepare()
    link = await blobs.link(await blobs.put(picture(tmp_path)), 60)
    assert link
    assert (await outside(link))[0] == 200


async def test_the_one_variable_that_goes_before_it_is_named(s3_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")

    with pytest.raises(CannotStart, match="AWS_ENDPOINT_URL_S3 is set"):
        await Blobs(s3_store.place(), **s3_store.access).prepare()


async def test_a_key_that_may_only_read_is_noticed_at_the_start(proxy: Between, blobs: Blobs) -> None:
    proxy.fault = answers(403, "AccessDenied", methods="PUT")

    with pytest.raises(CannotStart, match=r"does not let this key put pictures .403 AccessDenied"):
        await blobs.prepare()


async def test_a_key_that_may_not_list_is_noticed_at_the_start(proxy: Between, blobs: Blobs) -> None:
    async def unlisted(request: web.Request) -> web.StreamResponse | None:
        if "list-type" in request.query:
            return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>")
        return None

    proxy.fault = unlisted
    with pytest.raises(CannotStart, match="does not let this key list pictures"):
        await blobs.prepare()


async def test_a_look_leaves_nothing_behind(s3_store: Store) -> None:
    blobs = Blobs(s3_store.place(), **s3_store.access)

    await blobs.prepare()
    listed = [entry["path"] async for batch in blobs._store.list() for entry in batch]
    assert listed == []


# What happens while it runs.


@pytest.mark.parametrize(("status", "code"), [(503, "SlowDown"), (500, "InternalError"), (429, "TooManyRequests")])
async def test_a_store_that_is_busy_is_asked_again(
    status: int, code: str, proxy: Between, blobs: Blobs, tmp_path: Path
) -> None:
    file = picture(tmp_path)
    proxy.fault = answers(status, code, times=2)
    key = await blobs.put(file)
    proxy.fault = answers(status, code, times=2)

    assert await content(blobs, key) == file.read_bytes()
    assert proxy.seen.count("PUT") == 3
    assert proxy.seen.count("GET") == 3


async def test_a_download_that_breaks_off_goes_on_where_it_was(proxy: Between, blobs: Blobs, tmp_path: Path) -> None:
    file = picture(tmp_path, 2 * 2**20)
    key = await blobs.put(file)
    proxy.cut = [700_000, 300_000]

    await blobs.copy_to(key, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == file.read_bytes()
    assert proxy.seen.count("GET") == 3


async def test_a_download_that_never_ends_leaves_no_file(
    proxy: Between, blobs: Blobs, tmp_path: Path, quickly: None
) -> None:
    key = await blobs.put(picture(tmp_path, 2 * 2**20))
    proxy.cut = [100_000] * 50

    with pytest.raises(Unavailable):
        await blobs.copy_to(key, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


CALLS = {
    "read": lambda blobs, key: anext(blobs.read(key)),
    "size": lambda blobs, key: blobs.size(key),
    "exists": lambda blobs, key: blobs.exists(key),
    "delete": lambda blobs, key: blobs.delete(key),
    "blobs": lambda blobs, key: anext(blobs.blobs()),
    "total": lambda blobs, key: blobs.total(),
}
FAULTS = {
    "503": answers(503, "SlowDown"),
    "403": answers(403, "AccessDenied"),
    "the bucket is gone": answers(404, "NoSuchBucket"),
    "silence": hangs,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_what_is_only_out_of_reach_is_never_taken_for_gone(
    call: Any, fault: Any, proxy: Between, blobs: Blobs, tmp_path: Path, quickly: None
) -> None:
    key = await blobs.put(picture(tmp_path))
    proxy.fault = fault

    with pytest.raises(StoreUnavailable) as caught:
        await call(blobs, key)
    assert not isinstance(caught.value, NotThere)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("size", [2000, 11 * 2**20])
async def test_what_cannot_be_kept_is_said_and_is_not_to_be_seen(
    size: int, fault: Any, proxy: Between, blobs: Blobs, tmp_path: Path, quickly: None
) -> None:
    file = picture(tmp_path, size)
    proxy.fault = fault

    with pytest.raises(Unavailable, match="the bucket pictures") as caught:
        await blobs.put(file)
    assert "store cannot be reached" in str(caught.value.text)
    proxy.fault = None
    assert not await blobs.exists(hashlib.sha256(file.read_bytes()).hexdigest())
    assert await blobs.total() == 0


async def test_a_large_upload_whose_last_word_is_lost_is_whole_or_not_there(
    proxy: Between, blobs: Blobs, tmp_path: Path
) -> None:
    """The parts are there and the answer to "that was all" is lost: it is asked again."""
    file = picture(tmp_path, 11 * 2**20)
    lost = []

    async def lose(request: web.Request) -> web.StreamResponse | None:
        if request.method == "POST" and "uploadId" in request.query and not lost:
            lost.append(request)
            assert request.transport
            request.transport.close()
        return None

    proxy.fault = lose
    key = await blobs.put(file)

    assert lost
    assert await content(blobs, key) == file.read_bytes()


def test_killed_in_the_middle_of_an_upload_nothing_is_to_be_seen(s3_store: Store, tmp_path: Path) -> None:
    place, file = s3_store.place(), picture(tmp_path, 16 * 2**20)

    async def run() -> None:
        arrived = asyncio.Event()

        async def stop_at_the_third(request: web.Request) -> web.StreamResponse | None:
            if request.query.get("partNumber") == "3":
                arrived.set()
                await asyncio.Event().wait()
            return None

        async with between(s3_store) as proxy:
            proxy.fault = stop_at_the_third
            given = [place, json_of(proxy.reached), str(file)]
            child = await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, *given, cwd=ROOT)
            await asyncio.wait_for(arrived.wait(), 60)
            child.send_signal(signal.SIGKILL)
            await child.wait()
        blobs = Blobs(place, **s3_store.access)
        assert await blobs.total() == 0
        assert await blobs.exists(await blobs.put(file))

    asyncio.run(run())


def test_a_large_file_takes_little_memory(s3_store: Store, tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(100 * 2**20)
    command = [sys.executable, "-c", CHILD, s3_store.place(), json_of(s3_store), str(large)]

    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert child.stdout.split()[0] == str(100 * 2**20)
    assert (tmp_path / "copy").stat().st_size == 100 * 2**20
    assert int(child.stdout.split()[-2]) < 100 * 1024


# Whether there is room.


async def test_a_store_that_is_well_is_looked_at_now_and_then_only(proxy: Between, blobs: Blobs) -> None:
    await blobs.check_room()
    looked = len(proxy.seen)
    await asyncio.gather(*(blobs.check_room() for _ in range(20)))

    assert looked > 0
    assert len(proxy.seen) == looked


async def test_what_was_kept_shows_that_there_is_room(proxy: Between, blobs: Blobs, tmp_path: Path) -> None:
    await blobs.put(picture(tmp_path))
    proxy.fault = answers(503, "SlowDown")

    await blobs.check_room()


async def test_after_a_failure_nothing_is_accepted_until_it_keeps_again(
    proxy: Between, blobs: Blobs, tmp_path: Path, quickly: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await blobs.check_room()
    proxy.fault = answers(507, "InsufficientStorage", methods="PUT")  # what is there is still given
    with pytest.raises(Unavailable):
        await blobs.put(picture(tmp_path))

    with pytest.raises(Unavailable, match="answers 507"):
        await blobs.check_room()
    asked = len(proxy.seen)
    with pytest.raises(Unavailable):  # those who come meanwhile do not wait for an answer of their own
        await blobs.check_room()
    assert len(proxy.seen) == asked
    proxy.fault = None
    monkeypatch.setattr("bot.media.store.time.monotonic", lambda: time.perf_counter() + 10**6)
    await blobs.check_room()


async def test_a_store_that_is_silent_keeps_nobody_waiting(
    proxy: Between, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.media.bucket.LOOK", 0.2)
    proxy.fault = hangs

    with pytest.raises(Unavailable, match="does not answer"):
        await blobs.check_room()


# Links.


async def test_a_link_opens_one_picture_to_those_who_have_it_and_for_a_while(s3_store: Store, tmp_path: Path) -> None:
    blobs = Blobs(s3_store.place(), **s3_store.access, public_endpoint=s3_store.endpoint)
    file = picture(tmp_path)
    key, other = await blobs.put(file), await blobs.put(picture(tmp_path, name="other"))
    link, short = await blobs.link(key, 600), await blobs.link(key, 1)
    assert link
    assert short

    assert await outside(link) == (200, file.read_bytes(), "image/png")
    assert (await outside(link.replace(key, other)))[0] == 403
    assert (await outside(link.partition("?")[0]))[0] in (400, 403)
    assert (await outside(link.replace("Expires=600", "Expires=6000")))[0] == 403
    async with asyncio.timeout(30):
        while (await outside(short))[0] != 403:  # noqa: ASYNC110 - the clock is the store's
            await asyncio.sleep(0.2)
    await blobs.delete(key)
    assert (await outside(link))[0] == 404


async def test_a_link_leads_to_where_the_store_is_seen_from_outside(proxy: Between, tmp_path: Path) -> None:
    store = proxy.store
    blobs = Blobs(store.place(), **store.access, public_endpoint=proxy.endpoint)
    link = await blobs.link(await blobs.put(picture(tmp_path)), 60)

    assert link
    assert link.startswith(proxy.endpoint)
    assert (await outside(link))[0] == 200
    assert proxy.seen == ["GET"]


async def test_what_somebody_else_put_there_without_its_kind_has_no_link(s3_store: Store) -> None:
    """`aws s3 sync` of a folder: the names have no suffix by which it could tell."""
    blobs = Blobs(s3_store.place(), **s3_store.access, public_endpoint=s3_store.endpoint)
    await blobs._store.put_async(f"00/00/{NO_SUCH}", b"\x89PNG\r\n\x1a\n")

    assert await blobs.link(NO_SUCH, 60) is None
    assert await content(blobs, NO_SUCH) == b"\x89PNG\r\n\x1a\n"


async def test_a_bucket_may_stand_before_the_host(
    proxy: Between, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody here knows the name `pictures.store.example` but the store, so a proxy is asked for it."""
    monkeypatch.setenv("http_proxy", proxy.endpoint)
    access = {**proxy.store.access, "endpoint": "http://store.example", "path_style": False}
    blobs = Blobs(proxy.store.place(), **access, public_endpoint="https://store-from-outside.example")
    file = picture(tmp_path)

    await blobs.prepare()
    key = await blobs.put(file)
    assert await content(blobs, key) == file.read_bytes()
    assert str(await blobs.link(key, 60)).startswith("https://pictures.store-from-outside.example/")
    assert proxy.seen


async def test_without_an_outside_there_is_no_link(s3_store: Store, tmp_path: Path) -> None:
    kept = Blobs(s3_store.place(), **s3_store.access)
    in_folder = Blobs((tmp_path / "blobs").as_uri())

    for blobs in (kept, in_folder):
        assert await blobs.link(await blobs.put(picture(tmp_path)), 60) is None


async def test_there_is_no_link_to_what_is_not_there(s3_store: Store) -> None:
    blobs = Blobs(s3_store.place(), **s3_store.access, public_endpoint=s3_store.endpoint)

    with pytest.raises(NotThere):
        await blobs.link(NO_SUCH, 60)
    with pytest.raises(NotThere):
        await blobs.link("../../secrets", 60)


async def test_when_a_blob_was_stored_is_told_by_the_store(s3_store: Store, tmp_path: Path) -> None:
    blobs = Blobs(s3_store.place(), **s3_store.access)
    await blobs.put(picture(tmp_path))
    (kept,) = [blob async for blob in blobs.blobs()]

    assert abs(datetime.now(UTC) - kept.stored) < timedelta(minutes=5)


def json_of(store: Store) -> str:
    return json.dumps(store.access)
