"""Pictures that are too large for a place: what is done to them, what is said about it, and what is learnt."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image

from adapters.discord.fitting import Ready, pages
from adapters.discord.limits import ENVELOPE, FLOOR, MIB, REQUEST, Limit, Limits
from bot.chat import CannotPost, Picture
from tests.adapters.discord.posting import Desk, desk, reply
from tests.bot.media.pictures import corners, listing, noise
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.wire import Code

ORIGINAL = "/webhooks/{}/{}/messages/@original"


@pytest_asyncio.fixture(name="desk")
async def _desk(fake: FakeDiscord, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(fake, tmp_path) as one:
        yield one


def photo(*, grain: float = 0.1, side: int = 512) -> bytes:
    kept = io.BytesIO()
    Image.blend(noise(side, side), corners(side, side), 1 - grain).save(kept, "PNG")
    return kept.getvalue()


def smooth(side: int = 512) -> bytes:
    """A PNG whose lossless WebP is a good deal smaller."""
    kept = io.BytesIO()
    Image.linear_gradient("L").resize((side, side)).convert("RGB").save(kept, "PNG", compress_level=1)
    return kept.getvalue()


def kind(data: bytes) -> str | None:
    with Image.open(io.BytesIO(data)) as image:
        return image.format


async def test_what_fits_is_the_original_itself(fake: FakeDiscord, desk: Desk) -> None:
    data = photo()
    fake.default_limit = len(data)
    _, place = await desk.asked(fake.person("bob"))
    await desk.post(place, reply(pictures=(desk.picture(data=data),)))

    assert fake.channel.last.pictures == [data]
    assert fake.channel.last.text == "Drawn"


@pytest.mark.parametrize(
    ("data", "part", "becomes", "words"),
    [
        (smooth(), 0.95, "WEBP", "a WebP with the same pixels"),
        (photo(), 0.5, "JPEG", "a JPEG of it in full size"),
        (photo(), 0.02, "JPEG", "a smaller JPEG of it"),
    ],
    ids=["lossless", "JPEG", "smaller"],
)
async def test_what_is_too_large_is_made_to_fit_and_that_is_said(
    data: bytes, part: float, becomes: str, words: str, fake: FakeDiscord, desk: Desk
) -> None:
    fake.default_limit = int(len(data) * part)
    _, place = await desk.asked(fake.person("bob"))
    await desk.post(place, reply(pictures=(desk.picture(data=data),)))

    (shown,) = fake.channel.last.pictures
    assert (kind(shown), len(shown) <= fake.default_limit) == (becomes, True)
    assert words in fake.channel.last.text
    assert [one.status for one in fake.asked_for("PATCH", ORIGINAL)] == [200]


async def test_where_there_is_a_public_address_the_original_is_one_press_away(fake: FakeDiscord, desk: Desk) -> None:
    def link(picture: Picture) -> str:
        return f"https://bot.example/pictures/{picture.blob[:4]}"

    desk.link = link
    desk.restart()
    data = photo()
    fake.default_limit = len(data) - 1
    _, place = await desk.asked(fake.person("bob"))
    large, small = desk.picture(data=data), desk.picture(1)
    await desk.post(place, reply(pictures=(large, small)))

    assert f"-# 1: [The original]({link(large)})" in fake.channel.last.text
    assert link(small) not in fake.channel.last.text


async def test_what_discord_refuses_is_made_smaller_and_the_place_remembered(fake: FakeDiscord, desk: Desk) -> None:
    bob = fake.person("bob")
    data = photo(grain=0.4)
    _, place = await desk.asked(bob)
    fake.goes_wrong("PATCH", ORIGINAL, Code.TOO_LARGE)
    await desk.post(place, reply(pictures=(desk.picture(data=data),)))
    _, again = await desk.asked(bob)
    await desk.post(again, reply(pictures=(desk.picture(data=data),)), key="other:0")

    sizes = [sum(len(part.data) for part in one.parts) for one in fake.asked_for("PATCH", ORIGINAL)]
    assert [one.status for one in fake.asked_for("PATCH", ORIGINAL)] == [413, 200, 200]
    assert sizes[0] == len(data)
    assert sizes[1] <= len(data) // 2
    assert sizes[2] == sizes[1]


async def test_pictures_that_are_too_much_together_go_into_two_messages(fake: FakeDiscord, desk: Desk) -> None:
    _, place = await desk.asked(fake.person("bob"))
    fake.goes_wrong("PATCH", ORIGINAL, Code.TOO_LARGE)
    pictures = tuple(desk.picture(index, photo(side=64 + index)) for index in range(4))
    await desk.post(place, reply(pictures=pictures))

    assert [len(one.pictures) for one in fake.channel.messages] == [2, 2]
    assert [kind(one) for message in fake.channel.messages for one in message.pictures] == ["PNG"] * 4


async def test_a_discord_that_takes_nothing_is_not_asked_for_ever(fake: FakeDiscord, desk: Desk) -> None:
    _, place = await desk.asked(fake.person("bob"))
    fake.goes_wrong("PATCH", ORIGINAL, Code.TOO_LARGE, times=20)

    with pytest.raises(CannotPost) as refused:
        await desk.post(place, reply(pictures=(desk.picture(data=photo()),)))
    assert refused.value.final


async def test_a_picture_that_is_gone_does_not_keep_the_others(fake: FakeDiscord, desk: Desk) -> None:
    _, place = await desk.asked(fake.person("bob"))
    pictures = (desk.picture(0), desk.picture(1))
    del desk.blobs.stored[pictures[0].blob]
    await desk.post(place, reply(pictures=pictures))

    assert fake.channel.last.pictures == [desk.blobs.stored[pictures[1].blob]]
    assert "-# 1: This picture is no longer kept." in fake.channel.last.text


async def test_no_file_stays_behind(fake: FakeDiscord, desk: Desk, tmp_path: Path) -> None:
    _, place = await desk.asked(fake.person("bob"))
    fake.default_limit = 10_000
    await desk.post(place, reply(pictures=(desk.picture(data=photo()),)))

    assert listing(tmp_path) == []


def ready(picture: Picture, *sizes: int) -> list[Ready]:
    return [Ready(picture=picture, number=number, name=f"{number}.png", size=size) for number, size in enumerate(sizes)]


async def test_a_message_takes_ten_pictures_and_so_many_bytes(desk: Desk) -> None:
    picture = desk.picture()
    limit = Limit(file=10, message=25)

    assert [len(page) for page in pages(ready(picture, *[1] * 23), limit)] == [10, 10, 3]
    assert [len(page) for page in pages(ready(picture, 10, 10, 5, 1, 9, 9, 9), limit)] == [3, 3, 1]
    assert [len(page) for page in pages(ready(picture, 60), limit)] == [1]
    assert pages([], limit) == [[]]


def test_what_discord_says_of_a_place_counts_and_what_it_refuses_counts_more() -> None:
    limits = Limits()
    whole = REQUEST - ENVELOPE

    assert limits.of("a", 0) == Limit(file=FLOOR, message=whole)
    assert limits.of("a", 8 * MIB) == Limit(file=8 * MIB, message=whole)
    assert limits.of("a", 100 * MIB) == Limit(file=100 * MIB, message=100 * MIB)
    limits.refused("a", [30 * MIB], limits.of("a", 100 * MIB))
    assert limits.of("a", 100 * MIB).file == 25 * MIB
    assert limits.of("b", 100 * MIB).file == 100 * MIB
    limits.refused("a", [5 * MIB], limits.of("a", 100 * MIB))
    assert limits.of("a", 100 * MIB).file == 5 * MIB // 2
