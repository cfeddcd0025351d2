"""Pictures on their way to Feishu: what fits, what is made to fit, and how the original comes along."""

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image

from adapters.feishu import fitting
from adapters.feishu.fitting import AT_ONCE, IMAGE, Fitting
from adapters.feishu.rest import Rest
from bot.chat import Picture
from tests.adapters.feishu.posting import Desk, desk, progress, reply
from tests.bot.media.pictures import listing, noise

LARGE_SIDE = 2048


@pytest_asyncio.fixture(name="desk")
async def _desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path / "outgoing") as one:
        yield one


@pytest.fixture(scope="module")
def large() -> bytes:
    """A PNG of 4 megapixels that is larger than a card takes, and not than a file may be."""
    kept = io.BytesIO()
    noise(LARGE_SIDE, LARGE_SIDE).save(kept, "PNG", compress_level=1)
    assert IMAGE[0] < len(kept.getvalue()) < fitting.FILE
    return kept.getvalue()


def png(side: int) -> bytes:
    kept = io.BytesIO()
    noise(side, side).save(kept, "PNG")
    return kept.getvalue()


async def test_a_picture_too_large_for_a_card_is_shown_smaller_and_comes_whole_as_a_file(
    desk: Desk, large: bytes
) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    pictures = (desk.picture(), desk.picture(1, large))
    await desk.post(place, progress(pictures=pictures))
    before_the_end = len(desk.bots(ann.direct))
    message = await desk.post(place, reply(pictures=pictures))
    again = await desk.post(place, reply(pictures=pictures))

    card, file = desk.bots(ann.direct)
    with Image.open(io.BytesIO(card.pictures[1])) as shown:
        assert (shown.format, shown.size) == ("JPEG", (LARGE_SIDE, LARGE_SIDE))
    assert len(card.pictures[1]) <= IMAGE[0]
    assert "2: A card takes pictures of up to 10 MB" in card.text
    assert before_the_end == 1
    assert ([each.data for each in file.files], file.files[0].filename) == ([large], "k3f9w2ab-2.png")
    assert file.reply_to is card
    assert message == again == f"{card.id} {file.id}"
    assert listing(desk.folder) == []


async def test_after_a_restart_the_original_still_stands_and_is_not_sent_again(desk: Desk, large: bytes) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    finished = reply(pictures=(desk.picture(0, large),))
    message = await desk.post(place, finished)
    desk.restart()

    assert await desk.post(place, finished, message=message) == message
    assert " ".join(each.id for each in desk.bots(ann.direct)) == message


@pytest.mark.parametrize("restarted", [False, True])
async def test_the_original_of_a_deleted_picture_is_taken_back(restarted: bool, desk: Desk, large: bytes) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    message = await desk.post(place, reply(pictures=(desk.picture(0, large),)))
    if restarted:
        desk.restart()
    left = await desk.post(place, reply("It was deleted."), message=message)

    assert desk.only(ann.direct).id == left == message.split()[0]


async def test_a_file_that_feishu_does_not_take_keeps_nobody_from_the_picture(desk: Desk, large: bytes) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    desk.fake.faults.add("im.file.create", code=234006)
    for _ in range(2):
        await desk.post(place, reply(pictures=(desk.picture(0, large),)))

    assert len(desk.only(ann.direct).pictures) == 1
    assert "a JPEG of it in full size" in desk.only(ann.direct).text
    assert "as a file" not in desk.only(ann.direct).text
    assert len(desk.fake.called("im.file.create")) == 1


async def test_an_original_too_large_for_a_file_is_one_link_away(
    desk: Desk, large: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(picture: Picture) -> str:
        return f"https://bot.example/pictures/{picture.blob[:4]}"

    monkeypatch.setattr(fitting, "FILE", len(large) - 1)
    desk.link = link
    desk.restart()
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    picture = desk.picture(0, large)
    await desk.post(place, reply(pictures=(picture,)))

    card = desk.only(ann.direct)
    assert "The original" in card.labels
    assert link(picture) in str(card.card)
    assert "a JPEG of it in full size" in card.text


async def test_what_feishu_refuses_as_too_large_is_made_smaller(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    data = png(200)
    monkeypatch.setattr(fitting, "IMAGE", (len(data), len(data) // 2, len(data) // 4))
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    desk.fake.faults.add("im.image.create", code=234006)
    await desk.post(place, reply(pictures=(desk.picture(0, data),)))

    card, file = desk.bots(ann.direct)
    assert len(card.pictures[0]) <= len(data) // 2
    assert file.files[0].data == data


async def test_a_picture_with_too_long_a_side_is_narrowed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "MOST_SIDE", 64)
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    await desk.post(place, reply(pictures=(replace(desk.picture(0, png(200)), width=200, height=200),)))

    card, _ = desk.bots(ann.direct)
    with Image.open(io.BytesIO(card.pictures[0])) as shown:
        assert shown.size == (64, 64)


async def test_a_picture_that_is_no_longer_kept_is_named_and_the_others_shown(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    gone, kept = desk.pictures(2)
    await desk.blobs.delete(gone.blob)
    await desk.post(place, reply(pictures=(gone, kept)))

    assert len(desk.only(ann.direct).pictures) == 1
    assert "1: This picture is no longer kept." in desk.only(ann.direct).text


async def test_a_picture_that_feishu_cannot_read_is_named_and_the_others_shown(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    desk.fake.faults.add("im.image.create", code=234011)
    await desk.post(place, reply(pictures=desk.pictures(2)))

    assert len(desk.only(ann.direct).pictures) == 1
    assert "Feishu does not take this picture." in desk.only(ann.direct).text


async def test_only_a_few_pictures_are_worked_on_at_once(desk: Desk) -> None:
    class Gate(Rest):
        going = most = 0
        crowded, opened = asyncio.Event(), asyncio.Event()

        async def upload_image(self, file: Path) -> str:
            self.going += 1
            self.most = max(self.most, self.going)
            if self.going == AT_ONCE:
                self.crowded.set()
            await self.opened.wait()
            self.going -= 1
            return "img_v3_x"

    gate = Gate(domain=desk.fake.url, app_id="", app_secret="")
    slow = Fitting(rest=gate, blobs=desk.blobs, fitter=desk.fitter, folder=desk.folder)
    working = asyncio.create_task(slow.ready(desk.pictures(12)))
    await gate.crowded.wait()
    for _ in range(50):  # whoever is not held back gets in meanwhile
        await asyncio.to_thread(listing, desk.folder)
    copies = len(listing(desk.folder))
    gate.opened.set()

    assert len(await working) == 12
    assert (gate.most, copies) == (AT_ONCE, AT_ONCE)
