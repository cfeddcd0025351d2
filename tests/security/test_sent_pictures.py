"""What people send comes back as pictures only, and is decoded in no process that matters."""

import json

import pytest

from tests.security.conftest import House

pytestmark = pytest.mark.slow  # real processes, one after the other

SCRIPT = b"<script>alert(1)</script>"
POLYGLOTS = {
    "image/gif": b"GIF89a/*" + SCRIPT,
    "image/bmp": b"BM<!--\0\0\0\0-->" + SCRIPT,
    "image/jpeg": b"\xff\xd8\xff" + SCRIPT,
    "image/tiff": b"II*\0" + SCRIPT,
}


@pytest.mark.parametrize("kind", POLYGLOTS)
async def test_a_page_that_pretends_to_be_a_picture_is_served_as_one(house: House, kind: str) -> None:
    name = "x%0D%0AX-Evil:%201%22%3E%3Cscript%3E.html"
    async with house.pages.post(f"/uploads?name={name}", data=POLYGLOTS[kind]) as response:
        kept = await response.json()
        assert response.status == 200
    async with house.pages.get(f"/pictures/{kept['blob']}?name={name}") as response:
        assert response.content_type == kind
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''x%0D%0A")
        assert "X-Evil" not in response.headers
    await house.say("bob", "/edit <script>alert(2)</script>", uploads=[kept])
    assert "<script>alert" not in await house.page("alice")


@pytest.mark.parametrize("sent", [b"", b"<svg onload=alert(1)>", b"<!doctype html>", b"PK\x03\x04", b"\x7fELF"])
async def test_what_is_no_picture_is_not_kept(house: House, sent: bytes) -> None:
    async with house.pages.post("/uploads", data=sent) as response:
        assert response.status == 422
        assert json.loads(await response.text())["error"]


async def test_what_people_send_is_not_decoded_for_a_thumbnail(house: House) -> None:
    [(uploads,)] = house.rows("SELECT uploads FROM chat_messages WHERE uploads<>'[]' LIMIT 1")
    sent = json.loads(uploads)[0]["blob"]

    assert (await house.get(f"/pictures/{sent}"))[0] == 200
    assert (await house.get(f"/thumbnails/{sent}/160"))[0] == 404


async def test_a_deleted_picture_leaves_no_small_one_behind(house: House) -> None:
    made = house.answer(await house.say("alice", "/imagine something to delete"))["generation"]
    blob = house.blob(made)
    assert (await house.get(f"/thumbnails/{blob}/160"))[0] == 200
    assert list((house.folder / "thumbnails").glob(f"{blob}*"))

    await house.say("alice", press=f"delete:{made}:0")

    assert not list((house.folder / "thumbnails").glob(f"{blob}*"))
    assert (await house.get(f"/thumbnails/{blob}/160"))[0] == 404
    assert (await house.get(f"/pictures/{blob}"))[0] == 404
