"""What people send: every format, every way to be odd, and what it becomes."""

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from bot.errors import PictureError
from bot.media.normalise import Normalised, Normaliser
from tests.bot.media.pictures import (
    BLUE,
    CANARY,
    LIMITS,
    RED,
    WHITE,
    chunks,
    corners,
    encoded,
    looks_like_corners,
    near,
    noise,
    png,
)
from tests.bot.media.profile import swapping_profile

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).parent / "samples"


def normalised(data: bytes, folder: Path, **changes: object) -> Normalised:
    async def run() -> Normalised:
        async with Normaliser() as normaliser:
            return await normaliser.normalise(chunks(data), inputs=replace(LIMITS, **changes), folder=folder)

    return asyncio.run(run())


def notes(picture: Normalised) -> list[str]:
    return [str(note) for note in picture.notes]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_every_format_becomes_what_the_model_takes(form: str, tmp_path: Path) -> None:
    made = normalised(encoded(corners(), form), tmp_path)

    assert made.media_type in ("image/jpeg", "image/png")
    assert (made.width, made.height, made.notes) == (160, 120, ())
    assert made.size == made.file.stat().st_size
    assert looks_like_corners(made.file)
    assert list(tmp_path.iterdir()) == [made.file]


def test_a_heic_of_a_phone_is_read_and_its_place_is_gone(tmp_path: Path) -> None:
    sample = (SAMPLES / "corners.heic").read_bytes()
    assert CANARY in sample

    made = normalised(sample, tmp_path)

    assert (made.media_type, made.width, made.height) == ("image/jpeg", 160, 120)
    assert looks_like_corners(made.file)
    assert CANARY not in made.file.read_bytes()


@pytest.mark.parametrize(
    ("form", "orientation"),
    [*(("JPEG", n) for n in range(1, 9)), ("PNG", 6), ("WEBP", 5), ("TIFF", 6), ("AVIF", 8)],
)
def test_a_picture_is_stood_upright(form: str, orientation: int, tmp_path: Path) -> None:
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the turn after which the note brings it upright again
    stored = corners()
    if orientation in undo:
        stored = stored.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation

    made = normalised(encoded(stored, form, exif=exif), tmp_path)

    assert (made.width, made.height) == (160, 120)
    assert looks_like_corners(made.file)
    with Image.open(made.file) as shown:
        assert 0x0112 not in shown.getexif()


def with_canaries(form: str) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = CANARY.decode()
    exif.get_ifd(0x8825)[29] = CANARY.decode()
    match form:
        case "JPEG":
            data = encoded(corners(), form, exif=exif, comment=CANARY, xmp=b"<x>" + CANARY + b"</x>")
            iptc = b"Photoshop 3.0\0" + CANARY
            return data[:2] + b"\xff\xed" + struct.pack(">H", len(iptc) + 2) + iptc + data[2:] + CANARY
        case "PNG":
            words = PngImagePlugin.PngInfo()
            words.add_text("Comment", CANARY.decode())
            words.add_itxt("XML:com.adobe.xmp", CANARY.decode())
            return encoded(corners(), form, exif=exif, pnginfo=words) + CANARY
        case "GIF":
            return encoded(corners(), form, comment=CANARY)
        case "WEBP" | "AVIF":
            return encoded(corners(), form, exif=exif, xmp=CANARY)
        case _:
            return encoded(corners(), form, exif=exif)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF"])
def test_place_and_every_other_note_are_dropped(form: str, tmp_path: Path) -> None:
    sent = with_canaries(form)
    assert CANARY in sent

    made = normalised(sent, tmp_path)

    assert CANARY not in made.file.read_bytes()
    with Image.open(made.file) as shown:
        shown.load()
        assert not shown.getexif()
        assert set(shown.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_a_picture_that_fits_keeps_every_pixel(tmp_path: Path) -> None:
    for form in ("JPEG", "PNG"):
        sent = encoded(noise(300, 200), form)
        (tmp_path / "sent").write_bytes(sent)

        made = normalised(sent, tmp_path)

        with Image.open(tmp_path / "sent") as before, Image.open(made.file) as after:
            assert before.tobytes() == after.tobytes()


def test_what_hides_behind_a_picture_does_not_come_along(tmp_path: Path) -> None:
    for form in ("JPEG", "PNG", "GIF"):
        archive = b"PK\x03\x04<script>alert(1)</script>"

        made = normalised(encoded(corners(), form) + archive, tmp_path)

        assert archive not in made.file.read_bytes()


def test_what_shines_through_goes_on_doing_so(tmp_path: Path) -> None:
    image = corners().convert("RGBA")
    image.putpixel((0, 119), (1, 2, 3, 0))

    for form in ("PNG", "WEBP", "TIFF", "AVIF"):
        made = normalised(encoded(image, form), tmp_path)

        assert (made.media_type, made.alpha) == ("image/png", True)
        with Image.open(made.file) as shown:
            assert shown.getpixel((0, 119))[3] < 30


def test_a_palette_with_one_clear_colour_keeps_it(tmp_path: Path) -> None:
    image = Image.new("P", (40, 30), 0)
    image.putpalette([*RED, *BLUE])
    image.paste(1, (20, 0, 40, 30))

    for form in ("PNG", "GIF"):
        made = normalised(encoded(image, form, transparency=1), tmp_path)

        assert made.alpha
        with Image.open(made.file) as shown:
            shown = shown.convert("RGBA")
            assert near(shown.getpixel((5, 5)), (*RED, 255))
            assert shown.getpixel((35, 5))[3] == 0


def test_a_full_alpha_channel_is_none(tmp_path: Path) -> None:
    made = normalised(encoded(corners().convert("RGBA"), "WEBP", lossless=True), tmp_path)
    kept = normalised(encoded(corners().convert("RGBA"), "PNG"), tmp_path)

    assert (made.media_type, made.alpha) == ("image/jpeg", False)
    assert (kept.media_type, kept.alpha) == ("image/png", False)


def test_what_a_model_takes_as_jpeg_only_shines_through_no_more(tmp_path: Path) -> None:
    image = corners().convert("RGBA")
    image.putpixel((0, 119), (1, 2, 3, 0))

    assert not normalised(encoded(image, "PNG"), tmp_path, formats=("jpeg",)).alpha


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_printers_colours_become_the_screens(form: str, tmp_path: Path) -> None:
    made = normalised(encoded(corners().convert("CMYK"), form), tmp_path)

    assert looks_like_corners(made.file)
    with Image.open(made.file) as shown:
        assert shown.mode == "RGB"


def test_an_embedded_profile_is_applied_and_dropped(tmp_path: Path) -> None:
    for form in ("JPEG", "PNG", "WEBP", "TIFF"):
        sent = encoded(Image.new("RGB", (40, 30), RED), form, icc_profile=swapping_profile())

        made = normalised(sent, tmp_path)

        with Image.open(made.file) as shown:
            assert near(shown.convert("RGB").getpixel((20, 15)), BLUE)
            assert "icc_profile" not in shown.info


def test_a_broken_or_foreign_profile_harms_nobody(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile in (b"no profile at all", swapping_profile()[:200], lab):
        made = normalised(encoded(corners(), "JPEG", icc_profile=profile), tmp_path)

        assert looks_like_corners(made.file)


def test_sixteen_bits_become_eight_without_being_cut(tmp_path: Path) -> None:
    grey = Image.new("I;16", (40, 30), 0x8000)
    deep = struct.pack(">HHH", 0x8000, 0x4000, 0xFFFF)
    colours = png(40, 30, 16, 2, zlib.compress((b"\0" + deep * 40) * 30))

    for sent, wanted in (
        (encoded(grey, "PNG"), (128, 128, 128)),
        (encoded(grey, "TIFF"), (128, 128, 128)),
        (colours, (128, 64, 255)),
        (encoded(Image.new("F", (40, 30), 0.5), "TIFF"), (128, 128, 128)),
    ):
        made = normalised(sent, tmp_path)

        with Image.open(made.file) as shown:
            assert shown.mode == "RGB"
            assert near(shown.getpixel((20, 15)), wanted, by=4)


def test_black_and_white_grey_and_grey_with_alpha(tmp_path: Path) -> None:
    for mode in ("1", "L", "LA"):
        made = normalised(encoded(Image.new(mode, (40, 30), "white"), "PNG"), tmp_path)

        with Image.open(made.file) as shown:
            assert near(shown.convert("RGB").getpixel((20, 15)), WHITE)


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "AVIF"])
def test_of_a_moving_picture_the_first_frame_is_taken(form: str, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (160, 120), BLUE)] * 2
    made = normalised(encoded(corners(), form, save_all=True, append_images=[*frames, corners()]), tmp_path)

    assert looks_like_corners(made.file)
    assert notes(made) == ["Your picture moves; its first frame was taken."]


@pytest.mark.parametrize(("size", "canvas"), [((1000, 40), (1000, 63)), ((40, 1000), (63, 1000))])
def test_a_picture_too_long_for_the_model_gets_margins(
    size: tuple[int, int], canvas: tuple[int, int], tmp_path: Path
) -> None:
    made = normalised(encoded(Image.new("RGB", size, RED), "PNG"), tmp_path)

    assert (made.width, made.height) == canvas
    assert notes(made) == [
        f"Your picture was too long for the model, so it got margins and is now {canvas[0]}x{canvas[1]}."
    ]
    with Image.open(made.file) as shown:
        assert near(shown.getpixel((1, 1)), WHITE)
        assert near(shown.getpixel((canvas[0] // 2, canvas[1] // 2)), RED)


def test_a_picture_with_too_many_pixels_for_the_model_is_made_smaller(tmp_path: Path) -> None:
    made = normalised(encoded(corners(1600, 1200), "JPEG"), tmp_path, max_pixels=480_000)

    assert (made.width, made.height) == (800, 600)
    assert notes(made) == ["Your picture was made smaller, to 800x600."]
    assert looks_like_corners(made.file)


def test_a_tiny_picture_is_made_larger(tmp_path: Path) -> None:
    made = normalised(encoded(corners(16, 12), "PNG"), tmp_path, min_side=60)

    assert (made.width, made.height) == (80, 60)
    assert notes(made) == ["Your picture was made larger, to 80x60."]


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_file_too_large_for_the_model_is_made_to_fit(mode: str, tmp_path: Path) -> None:
    made = normalised(encoded(noise(1200, 900, mode), "PNG"), tmp_path, max_bytes=200_000, formats=("jpeg", "png"))

    assert made.size <= 200_000
    assert made.width * 3 == pytest.approx(made.height * 4, abs=4)
    assert made.width > 150
    assert notes(made) == [f"Your picture was made smaller, to {made.width}x{made.height}."]


def test_what_shines_through_is_a_webp_before_it_is_made_smaller(tmp_path: Path) -> None:
    image = Image.blend(noise(600, 450), corners(600, 450), 0.9)
    image.putalpha(Image.linear_gradient("L").resize(image.size).point(lambda value: 200 + value // 5))

    made = normalised(encoded(image, "PNG"), tmp_path, max_bytes=150_000)

    assert (made.media_type, made.width, made.height, made.notes) == ("image/webp", 600, 450, ())
    assert looks_like_corners(made.file)


def test_a_model_that_takes_jpeg_only_gets_jpeg(tmp_path: Path) -> None:
    image = corners().convert("RGBA")
    image.paste((0, 0, 0, 0), (100, 60, 160, 120))

    made = normalised(encoded(image, "PNG"), tmp_path, formats=("jpeg",))

    assert made.media_type == "image/jpeg"
    with Image.open(made.file) as shown:
        assert near(shown.getpixel((150, 110)), WHITE)


def test_pictures_wait_for_their_turn_and_all_come(tmp_path: Path) -> None:
    async def run() -> list[Normalised]:
        async with Normaliser(processes=2) as normaliser, asyncio.TaskGroup() as group:
            sent = [encoded(corners(100 + n, 100), "PNG") for n in range(5)]
            tasks = [
                group.create_task(normaliser.normalise(chunks(data), inputs=LIMITS, folder=tmp_path)) for data in sent
            ]
        return [task.result() for task in tasks]

    assert [made.width for made in asyncio.run(run())] == [100, 101, 102, 103, 104]


def test_a_stream_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield encoded(corners(), "PNG")[:100]
        raise PictureError(None)  # type: ignore[arg-type]

    async def run() -> None:
        async with Normaliser() as normaliser:
            await normaliser.normalise(broken(), inputs=LIMITS, folder=tmp_path)

    with pytest.raises(PictureError):
        asyncio.run(run())

    assert list(tmp_path.iterdir()) == []
