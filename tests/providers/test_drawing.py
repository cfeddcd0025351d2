"""What the sandbox draws: the same for the same asking, and each kind of asking visibly itself."""

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageFont, ImageStat

from bot.catalogue import load
from bot.providers.sandbox import caption
from bot.providers.sandbox.drawing import draw
from bot.providers.sandbox.rules import check
from bot.providers.sandbox.studio import Scene, Studio

pytestmark = pytest.mark.slow

FOX = Scene(
    prompt="a red fox",
    width=512,
    height=512,
    seed=0,
    references=(),
    count=1,
    format="png",
    watermark=False,
)


def drawn(folder: Path, scene: Scene, index: int = 0) -> Image.Image:
    file = folder / "drawn"
    draw(scene, index, file)
    with Image.open(file) as image:
        image.load()
        return image.copy()


def as_bytes(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=85)
    return buffer.getvalue()


def far_apart(first: Image.Image, second: Image.Image) -> float:
    """The mean difference of a colour value, of 255."""
    difference = ImageChops.difference(first.convert("RGB"), second.convert("RGB").resize(first.size))
    return sum(ImageStat.Stat(difference).mean) / 3


def test_the_same_asking_draws_the_same_picture(tmp_path: Path) -> None:
    assert drawn(tmp_path, FOX).tobytes() == drawn(tmp_path, FOX).tobytes()


@pytest.mark.parametrize("other", [{"prompt": "a red fox!"}, {"seed": 1}], ids=str)
def test_other_words_or_another_seed_draw_another_picture(tmp_path: Path, other: dict[str, Any]) -> None:
    assert far_apart(drawn(tmp_path, FOX), drawn(tmp_path, replace(FOX, **other))) > 4


def test_another_size_shows_the_same_scene(tmp_path: Path) -> None:
    large = drawn(tmp_path, replace(FOX, width=1024, height=1024))

    assert large.size == (1024, 1024)
    assert far_apart(drawn(tmp_path, FOX), large) < 16


@pytest.mark.parametrize("prompt", ["make it night", "something else", "水彩风格", "black and white", "add a boat"])
def test_an_edit_changes_the_given_picture_and_is_still_that_picture(tmp_path: Path, prompt: str) -> None:
    fox = drawn(tmp_path, replace(FOX, prompt="a forest at noon", width=600))
    edited = drawn(tmp_path, replace(FOX, prompt=prompt, references=(as_bytes(fox),)))
    blank = drawn(tmp_path, replace(FOX, prompt=prompt, references=(as_bytes(Image.new("RGB", (600, 512), "red")),)))

    assert far_apart(fox, edited) > 4
    assert far_apart(edited, blank) > 12


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("scale", [0.4, 1, 1.7])
def test_a_caption_is_cut_off_before_the_next_edit(tmp_path: Path, kind: str, scale: float) -> None:
    fox = drawn(tmp_path, replace(FOX, prompt="night " * 40, width=900, height=1200))
    sent = Image.open(io.BytesIO(as_bytes(fox.resize((round(900 * scale), round(1200 * scale))), kind)))

    bare = caption.without(sent.convert("RGB"))

    strip = caption.height_for(*sent.size)
    assert abs(sent.height - bare.height - strip) <= 0.1 * strip + 3
    assert caption.without(bare).size == bare.size


def test_a_dark_picture_without_a_caption_stays_whole() -> None:
    dark = Image.new("RGB", (300, 300), (19, 22, 30))

    assert caption.without(dark).size == (300, 300)


def test_a_fusion_shows_every_given_picture(tmp_path: Path) -> None:
    colours = [(220, 20, 20), (20, 200, 20), (20, 20, 220), (220, 220, 20), (220, 20, 220)]
    given = tuple(as_bytes(Image.new("RGB", (200 + 40 * at, 200), one)) for at, one in enumerate(colours))

    fusion = drawn(tmp_path, replace(FOX, references=given, width=900)).convert("RGB")

    counted = {colour: count for count, colour in fusion.getcolors(900 * 512) or []}
    for colour in colours:
        assert counted.get(colour, 0) > 0.02 * 900 * 512


def test_a_series_is_one_place_at_several_hours(tmp_path: Path) -> None:
    series = [drawn(tmp_path, replace(FOX, prompt="a quiet valley", count=3), index) for index in range(3)]
    edges = [image.convert("L").crop((0, 300, 512, 460)) for image in series]

    assert far_apart(series[0], series[2]) > 15
    assert far_apart(edges[0], edges[1]) < 60


def test_what_the_words_name_stands_on_nothing(tmp_path: Path) -> None:
    fox = drawn(tmp_path, replace(FOX, transparent=True))

    assert fox.mode == "RGBA"
    assert fox.getpixel((4, 4)) == (0, 0, 0, 0)
    assert fox.getchannel("A").crop((128, 128, 384, 440)).getextrema() == (0, 255)


def test_an_edit_keeps_the_shape_of_a_transparent_picture(tmp_path: Path) -> None:
    given = Image.new("RGBA", (512, 472))
    given.paste((200, 60, 60, 255), (100, 100, 300, 300))
    edited = drawn(tmp_path, replace(FOX, prompt="make it night", transparent=True, references=(as_bytes(given),)))

    alpha = edited.getchannel("A")
    assert alpha.getpixel((200, 200)) == 255
    assert alpha.getpixel((400, 400)) == 0
    assert alpha.getpixel((20, 20)) == 0


def test_a_scene_without_a_shape_of_its_own_is_an_oval(tmp_path: Path) -> None:
    alpha = drawn(tmp_path, replace(FOX, prompt="a quiet valley", transparent=True)).getchannel("A")

    assert (alpha.getpixel((2, 2)), alpha.getpixel((256, 236))) == (0, 255)


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "CMYK"])
def test_every_kind_of_reference_can_be_edited(tmp_path: Path, mode: str) -> None:
    given = as_bytes(Image.new(mode, (64, 48)), "TIFF" if mode == "CMYK" else "PNG")

    assert drawn(tmp_path, replace(FOX, references=(given,))).size == (512, 512)


def test_the_font_has_chinese_and_long_words_are_cut() -> None:
    font = ImageFont.truetype(caption._FONT, 40)
    missing = font.getmask("\uffff").getbbox(), bytes(font.getmask("\uffff"))

    for character in "狐狸雪月编辑额度，。「」éß€":
        assert (font.getmask(character).getbbox(), bytes(font.getmask(character))) != missing
    assert caption._fitted("很长的话" * 50, font, 400).endswith("…")
    assert caption._readable("fox 🦊 in\nsnow ❄️") == "fox in snow"


def test_without_a_seed_each_asking_of_the_same_words_gets_the_next_one(tmp_path: Path) -> None:
    models = {model.id: model for model in load().models("sandbox")}
    asked = check({"model": "seedream-4-5-251128", "prompt": "a fox\nGenerate a series of 4 coherent images."}, models)
    with ThreadPoolExecutor(1) as threads:
        studio = Studio(threads, tmp_path)
        scenes = [studio.scene(asked, 64, 64) for _ in range(3)]
        seeded = studio.scene(replace(asked, seed=7), 64, 64)

    assert [scene.seed for scene in scenes] == [0, 1, 2]
    assert scenes[0].prompt == "a fox"
    assert seeded.seed == 7
