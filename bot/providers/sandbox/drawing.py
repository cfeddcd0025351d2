"""Draws a placeholder: new from words, an edit, a collage of several, one of a series, or a layer of a picture.

The scene is painted at most some 1,500 pixels long and enlarged; only the caption is drawn at full size.
"""

import io
from pathlib import Path
from random import Random

from PIL import Image, ImageOps

from bot.providers.sandbox import caption, changes, collage, cutouts, figures, landscape, palette
from bot.providers.sandbox.studio import Scene

_LONG = 1536


def draw(scene: Scene, index: int, file: Path) -> None:
    """Write one picture of the scene; the size of the file's picture is exactly the scene's, or the layer's."""
    if scene.layers:
        cutouts.layer(scene.references[0], scene.layers, index).save(file, "PNG", compress_level=1)
        return
    strip = caption.height_for(scene.width, scene.height)
    full = (scene.width, scene.height - strip)
    working = _working_size(full)
    painted = _subject(scene, index, working) if scene.transparent else _paint(scene, index, working)
    image = Image.new(painted.mode, (scene.width, scene.height))
    image.paste(painted.resize(full, Image.Resampling.BICUBIC), (0, 0))
    if scene.watermark:
        caption.mark(image, "AI generated")
    caption.write(image, scene.prompt, _facts(scene, index))
    if scene.format == "png":
        image.save(file, "PNG", compress_level=1)
    else:
        image.save(file, "JPEG", quality=90)


def _paint(scene: Scene, index: int, size: tuple[int, int]) -> Image.Image:
    random = Random(scene.key)
    day = index / (scene.count - 1) if scene.count > 1 else None
    if not scene.references:
        colours = palette.choose(scene.prompt, random) if day is None else palette.at_hour(day)
        return landscape.paint(size, scene.prompt, random, colours, day)
    given = [_given(reference, size) for reference in scene.references]
    if len(given) == 1:
        image = changes.change(ImageOps.fit(given[0], size), scene.prompt, random)
    else:
        image = collage.lay(given, size, random)
    return image if day is None else changes.at_hour(image, palette.at_hour(day))


def _subject(scene: Scene, index: int, size: tuple[int, int]) -> Image.Image:
    """What the picture shows, and nothing around it: what the words name, the reference's own shape, else an oval."""
    found = figures.named(scene.prompt)
    if found and not scene.references:
        image = Image.new("RGBA", size)
        room = min(size[1], size[0] // len(found))
        for number, (shapes, _) in enumerate(found):
            foot = (round(size[0] * (number + 0.5) / len(found)), (size[1] + room) // 2)
            figures.stand(image, shapes, foot, room, mirror=False)
        return image
    image = _paint(scene, index, size)
    alpha = cutouts.oval(size)
    if len(scene.references) == 1:
        given = cutouts.upright(scene.references[0])
        shown = caption.without(cutouts.flat(given))
        own = given.getchannel("A").crop((0, 0, *shown.size))
        if own.getextrema() != (255, 255):
            alpha = ImageOps.fit(own, size)
    image.putalpha(alpha)
    return image


def _given(data: bytes, size: tuple[int, int]) -> Image.Image:
    """A reference without an earlier caption, about as large as is needed."""
    with Image.open(io.BytesIO(data)) as opened:
        if opened.format == "JPEG":
            opened.draft("RGB", size)
        image = ImageOps.exif_transpose(opened)
        if image.mode in ("RGBA", "LA", "P"):
            ground = Image.new("RGBA", image.size, (255, 255, 255, 255))
            image = Image.alpha_composite(ground, image.convert("RGBA"))
        return caption.without(image.convert("RGB"))


def _working_size(full: tuple[int, int]) -> tuple[int, int]:
    share = min(1.0, _LONG / max(full))
    return max(1, round(full[0] * share)), max(1, round(full[1] * share))


def _facts(scene: Scene, index: int) -> str:
    place = f"{index + 1} of {scene.count}" if scene.count > 1 else ""
    size = f"{scene.width} × {scene.height}"
    return " · ".join(filter(None, ("SANDBOX", size, f"seed {scene.seed}", f"#{scene.key.hex()[:8]}", place)))
