"""What an edit does to the given picture: what its words name, else something by chance; always visible."""

import re
from collections.abc import Callable
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from bot.providers.sandbox import figures
from bot.providers.sandbox.landscape import disc, glow, gradient, snowfall
from bot.providers.sandbox.palette import MOODS, Colour, Palette, mix, named_colour

Change = Callable[[Image.Image, Random], Image.Image]


def change(image: Image.Image, prompt: str, random: Random) -> Image.Image:
    """A new picture of the same size."""
    wanted = [how for pattern, how in _NAMED if pattern.search(prompt)]
    colour = named_colour(prompt)
    found = figures.named(prompt)
    if colour and not wanted:
        image = tint(image, colour)
    elif not wanted and not found:
        wanted = [random.choice(_BY_CHANCE)]
    for how in wanted[:3]:
        image = how(image, random)
    for number, (shapes, _) in enumerate(found):
        share = random.uniform(0.25, 0.4) + 0.3 * number
        size = round(min(image.size) * 0.32)
        foot = (round(image.width * min(0.85, share)), round(image.height * random.uniform(0.9, 0.96)))
        figures.stand(image, shapes, foot, size, mirror=random.random() < 0.5)
    return image


def at_hour(image: Image.Image, palette: Palette) -> Image.Image:
    """The picture in another hour's light."""
    light = gradient(image.size, ((0.0, palette.middle), (0.6, palette.horizon), (1.0, palette.far)))
    graded = ImageChops.multiply(image, ImageEnhance.Brightness(light).enhance(1.25))
    return Image.blend(image, graded, 0.75)


def tint(image: Image.Image, colour: Colour) -> Image.Image:
    dark, light = mix(colour, (0, 0, 0), 0.82), mix(colour, (255, 255, 255), 0.86)
    return Image.blend(image, ImageOps.colorize(ImageOps.grayscale(image), dark, light, mid=colour), 0.78)


def _duotone(image: Image.Image, random: Random) -> Image.Image:
    palette = random.choice(MOODS)
    grey = ImageOps.autocontrast(ImageOps.grayscale(image), cutoff=1)
    return ImageOps.colorize(grey, mix(palette.near, (0, 0, 0), 0.3), palette.horizon, mid=palette.middle)


def _night(image: Image.Image, random: Random) -> Image.Image:
    cold = ImageEnhance.Color(image).enhance(0.62)
    dark = ImageChops.multiply(
        cold, gradient(image.size, ((0.0, (62, 78, 146)), (0.6, (128, 144, 206)), (1.0, (112, 122, 176))))
    )
    width, height = image.size
    unit = min(width, height)
    pen = ImageDraw.Draw(dark)
    for _ in range(130):
        x, y, radius = (
            random.uniform(0, width),
            random.betavariate(1, 2) * height * 0.5,
            unit * random.uniform(0.0006, 0.002),
        )
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(236, 236, 224))
    centre = (width * random.uniform(0.2, 0.8), height * 0.17)
    glow(dark, centre, unit * 0.36, (226, 228, 246), 0.6)
    disc(dark, centre, unit * 0.05, (248, 246, 228), crescent=True)
    return dark


def _black_and_white(image: Image.Image, _: Random) -> Image.Image:
    return ImageOps.autocontrast(ImageOps.grayscale(image), cutoff=1).convert("RGB")


def _watercolour(image: Image.Image, random: Random) -> Image.Image:
    """Flat washes with darker rims on grained paper; worked out small, as the flow is soft anyway."""
    small = image.resize((max(1, image.width // 3), max(1, image.height // 3)), Image.Resampling.BOX)
    for _ in range(3):
        small = small.filter(ImageFilter.MedianFilter(5))
    small = ImageEnhance.Color(ImageOps.autocontrast(small, cutoff=1, preserve_tone=True)).enhance(1.15)
    washes = ImageOps.posterize(small, 5).filter(ImageFilter.MedianFilter(5))
    rims = ImageOps.invert(
        ImageOps.grayscale(washes).filter(ImageFilter.FIND_EDGES).filter(ImageFilter.GaussianBlur(1))
    )
    washes = ImageChops.multiply(washes, Image.merge("RGB", (rims.point([128 + v // 2 for v in range(256)]),) * 3))
    washes = Image.blend(washes, Image.new("RGB", washes.size, (255, 252, 244)), 0.22)
    painted = washes.resize(image.size, Image.Resampling.BICUBIC)
    paper = Image.frombytes("L", (256, 256), random.randbytes(65536)).filter(ImageFilter.GaussianBlur(0.8))
    tile = Image.new("L", image.size)
    for x in range(0, image.width, 256):
        for y in range(0, image.height, 256):
            tile.paste(paper.point([236 + (v - 128) // 6 if v > 14 else 230 for v in range(256)]), (x, y))
    return ImageChops.multiply(
        painted, Image.merge("RGB", (tile,) * 3).point([min(255, v + 16) for v in range(256)] * 3)
    )


def _sketch(image: Image.Image, _: Random) -> Image.Image:
    grey = ImageOps.grayscale(image)
    soft = ImageOps.invert(grey).filter(ImageFilter.GaussianBlur(max(2, min(image.size) / 160)))
    # The lines are where the picture is darker than its own blur.
    lines = ImageChops.subtract(ImageOps.invert(soft), grey).point([min(255, v * 7) for v in range(256)])
    return ImageOps.colorize(ImageOps.invert(lines), (46, 44, 52), (250, 247, 238))


def _winter(image: Image.Image, random: Random) -> Image.Image:
    cold = Image.blend(ImageEnhance.Color(image).enhance(0.35), Image.new("RGB", image.size, (214, 228, 244)), 0.38)
    snowfall(cold, random)
    return cold


def _warm(image: Image.Image, random: Random) -> Image.Image:
    light = gradient(image.size, ((0.0, (150, 84, 110)), (0.5, (255, 166, 92)), (1.0, (210, 104, 70))))
    warm = Image.blend(image, ImageChops.soft_light(image, light), 0.9)
    glow(
        warm,
        (image.width * random.uniform(0.25, 0.75), image.height * 0.5),
        min(image.size) * 0.7,
        (255, 196, 120),
        0.5,
    )
    return warm


def _rain(image: Image.Image, random: Random) -> Image.Image:
    grey = Image.blend(ImageEnhance.Color(image).enhance(0.5), Image.new("RGB", image.size, (84, 98, 116)), 0.36)
    mask = Image.new("L", image.size)
    pen = ImageDraw.Draw(mask)
    unit = min(image.size) / 1000
    for _ in range(650):
        x, y, long = (
            random.uniform(0, image.width * 1.1),
            random.uniform(-0.05, 1) * image.height,
            random.uniform(18, 46) * unit,
        )
        pen.line((x, y, x - long * 0.22, y + long), fill=random.randint(50, 130), width=max(1, round(1.5 * unit)))
    grey.paste((230, 238, 246), (0, 0), mask)
    return grey


def _fog(image: Image.Image, _: Random) -> Image.Image:
    mist = Image.new("RGB", image.size, (226, 230, 234))
    mask = gradient(image.size, ((0.0, (70, 70, 70)), (0.55, (200, 200, 200)), (1.0, (120, 120, 120)))).convert("L")
    return Image.composite(mist, image, mask)


def _old(image: Image.Image, random: Random) -> Image.Image:
    sepia = ImageOps.colorize(ImageOps.grayscale(image), (42, 26, 16), (252, 238, 208), mid=(160, 118, 78))
    dark = Image.radial_gradient("L").point([255 - round(150 * (v / 255) ** 2) for v in range(256)]).resize(image.size)
    return ImageChops.multiply(sepia, Image.merge("RGB", (dark,) * 3))


def _pixels(image: Image.Image, _: Random) -> Image.Image:
    side = max(2, min(image.size) // 72)
    small = image.resize((max(1, image.width // side), max(1, image.height // side)), Image.Resampling.BOX)
    return ImageOps.posterize(small, 4).resize(image.size, Image.Resampling.NEAREST)


def _poster(image: Image.Image, _: Random) -> Image.Image:
    smooth = ImageEnhance.Color(image.filter(ImageFilter.MedianFilter(5))).enhance(1.9)
    return ImageEnhance.Contrast(ImageOps.posterize(smooth, 2)).enhance(1.15)


def _mirror(image: Image.Image, _: Random) -> Image.Image:
    return ImageOps.mirror(image)


def _blur(image: Image.Image, _: Random) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(min(image.size) / 60))


def _bright(image: Image.Image, _: Random) -> Image.Image:
    return ImageEnhance.Color(ImageEnhance.Brightness(image).enhance(1.25)).enhance(1.3)


_NAMED: tuple[tuple[re.Pattern[str], Change], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), how)
    for pattern, how in (
        (r"watercolou?r|painting|aquarelle|水彩|油画|水墨", _watercolour),
        (r"sketch|pencil|line art|drawing|素描|线稿|铅笔", _sketch),
        (r"pixel|8.?bit|像素", _pixels),
        (r"pop.?art|poster|comic|波普|漫画", _poster),
        (r"black.?(and|&).?white|monochrome|grayscale|greyscale|黑白|灰度", _black_and_white),
        (r"sepia|vintage|retro|\bold\b|复古|老照片|怀旧", _old),
        (r"mirror|\bflip|镜像|翻转", _mirror),
        (r"snow|winter|雪|冬", _winter),
        (r"\brain|雨", _rain),
        (r"\bfog|mist|雾", _fog),
        (r"sunset|dusk|warm|golden hour|autumn|sunrise|黄昏|夕阳|日落|暖|秋", _warm),
        (r"bright|sunny|vivid|明亮|鲜艳|晴", _bright),
        (r"blur|dreamy|模糊|梦幻", _blur),
        (r"night|midnight|moon|夜|月", _night),
    )
)
_BY_CHANCE: tuple[Change, ...] = (_duotone, _duotone, _warm, _poster, _winter, _old)
