"""Pictures on their way in, and out again."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from adapters.web.incoming import MOST_BYTES
from tests.adapters.web.fake_core import FakeCore, blob_of, paint

PICTURE = paint(64, 48, 1)


async def test_a_picture_is_kept_as_it_came(core: FakeCore, client: aiohttp.ClientSession) -> None:
    async with client.post("/uploads", params={"name": "../boats 船.png"}, data=PICTURE) as response:
        kept = await response.json()

    assert (kept["name"], kept["media_type"], kept["size"]) == ("boats 船.png", "image/png", len(PICTURE))
    assert b"".join([chunk async for chunk in core.blobs.read(kept["blob"])]) == PICTURE


@pytest.mark.parametrize("data", [b"", b"GIF", b"just words", b"<svg xmlns='http://www.w3.org/2000/svg'/>", bytes(200)])
async def test_what_is_no_picture_is_refused_with_its_name(client: aiohttp.ClientSession, data: bytes) -> None:
    async with client.post("/uploads", params={"name": "notes.png"}, data=data) as response:
        assert response.status == 422
        assert (await response.json())["error"] == "notes.png is not a picture that I can read."


async def test_a_picture_that_says_it_is_too_large_is_not_even_read(client: aiohttp.ClientSession) -> None:
    headers = {"Content-Length": str(MOST_BYTES + 1)}
    async with client.post("/uploads?name=a.png", data=_endless(), headers=headers) as response:
        assert response.status == 413
        assert "larger than 40 MiB" in (await response.json())["error"]


async def test_a_picture_that_does_not_say_so_is_counted(client: aiohttp.ClientSession) -> None:
    async with client.post("/uploads?name=a.png", data=_endless()) as response:
        assert response.status == 422
        assert "larger than 40 MiB" in (await response.json())["error"]


async def _endless() -> AsyncIterator[bytes]:
    yield PICTURE
    for _ in range(MOST_BYTES // 2**20 + 1):
        yield bytes(2**20)


async def test_fifteen_pictures_are_too_many_for_a_message(core: FakeCore, client: aiohttp.ClientSession) -> None:
    upload = {"name": "a.png", "blob": "ab" * 32, "media_type": "image/png", "size": 1}
    message = {"id": "p" * 20, "person": "alice", "room": "design-team", "uploads": [upload] * 15}
    async with client.post("/messages", json=message) as response:
        assert response.status == 400
    assert core.accepted == []


@pytest.mark.parametrize("blob", ["ab" * 31, "../../../etc/passwd", "AB" * 32, ""])
async def test_an_upload_names_a_blob_and_nothing_else(
    core: FakeCore, client: aiohttp.ClientSession, blob: str
) -> None:
    upload = {"name": "a.png", "blob": blob, "media_type": "image/png", "size": 1}
    message = {"id": "p" * 20, "person": "alice", "room": "design-team", "uploads": [upload]}
    async with client.post("/messages", json=message) as response:
        assert response.status == 400
    assert core.accepted == []


async def test_a_picture_is_shown_and_saved_under_its_name(core: FakeCore, client: aiohttp.ClientSession) -> None:
    blob = await blob_of(core, PICTURE)
    async with client.get(f"/pictures/{blob}") as response:
        assert response.content_type == "image/png"
        assert "Content-Disposition" not in response.headers
        assert await response.read() == PICTURE
    async with client.get(f"/pictures/{blob}", params={"name": 'a";b\r\n.png'}) as response:
        assert response.headers["Content-Disposition"] == "attachment; filename*=UTF-8''a%22%3Bb%0D%0A.png"


async def test_a_small_copy_is_made_in_few_sizes_only(core: FakeCore, client: aiohttp.ClientSession) -> None:
    blob = await blob_of(core, PICTURE)
    async with client.get(f"/thumbnails/{blob}/160") as response:
        assert response.content_type == "image/jpeg"
        assert "immutable" in response.headers["Cache-Control"]
    async with client.get(f"/thumbnails/{blob}/99999") as response:
        assert response.status == 404


async def test_only_pictures_leave_the_store(core: FakeCore, client: aiohttp.ClientSession) -> None:
    blob = await blob_of(core, b"<script>alert(1)</script>")
    async with client.get(f"/pictures/{blob}") as response:
        assert response.status == 404


@pytest.mark.parametrize("path", ["pictures/{}", "thumbnails/{}/160"])
@pytest.mark.parametrize("blob", ["ab" * 32, "nonsense", "%2e%2e%2fchat.db"])
async def test_a_picture_that_is_gone_is_not_there(client: aiohttp.ClientSession, path: str, blob: str) -> None:
    async with client.get("/" + path.format(blob)) as response:
        assert response.status == 404
