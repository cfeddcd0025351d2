"""An invented landscape: sky, sun or moon, clouds, hills one behind the other, sometimes water, and who lives there."""

import math
import re
from itertools import pairwise
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from bot.providers.sandbox import figures
from bot.providers.sandbox.palette import Colour, Palette, mix, named_colour

_WATER = re.compile(
    r"\b(sea|ocean|lake|river|water|beach|boats?|ships?|sail\w*|island|harbou?r)\b|海|湖|河|水|船|岛|江"
)
_SNOW = re.compile(r"snow|winter|christmas|\bice\b|雪|冬|冰", re.IGNORECASE)
_TREES = re.compile(r"forest|woods?\b|pines?\b|trees?\b|jungle|森林|树|松|竹", re.IGNORECASE)
_CITY = re.compile(r"city|town|skyline|street|tokyo|shanghai|skyscraper|城|街|楼", re.IGNORECASE)


def paint(
    size: tuple[int, int], prompt: str, random: Random, palette: Palette, day: float | None = None
) -> Image.Image:
    """day: where the sun stands in a series, from rising (0) to set (1); None leaves it to chance.

    The same random state paints the same place, whatever the palette and the day.
    """
    colour = named_colour(prompt)
    if colour:
        palette = _toned(palette, colour)
    plan = Random(random.random())
    across = random.uniform(0.2, 0.8)
    place = (across, random.uniform(0.2, 0.42)) if day is None else _arc(day)
    water = bool(_WATER.search(prompt)) or (not _CITY.search(prompt) and plan.random() < 0.35)
    horizon = plan.uniform(0.56, 0.64) if water else plan.uniform(0.5, 0.6)

    # A chance of its own for each part: stars that come out at night then do not move the hills of a series.
    stars, clouds, hills, city, waves, ground, life, snow = (Random(plan.random()) for _ in range(8))
    image = _sky(size, palette)
    if palette.night > 0.3:
        _stars(image, stars, palette.night, horizon)
    _sun(image, palette, place)
    _clouds(image, clouds, palette, horizon)
    _hills(image, hills, palette, horizon, water=water)
    if _CITY.search(prompt):
        _city(image, city, palette, horizon)
    if water:
        image = _water(image, waves, palette, horizon, place)
    ridge = _foreground(image, ground, palette, prompt, water=water)
    _inhabit(image, life, prompt, ridge, horizon, water=water)
    if _SNOW.search(prompt):
        snowfall(image, snow)
    return image


def gradient(size: tuple[int, int], stops: tuple[tuple[float, Colour], ...]) -> Image.Image:
    """From top to bottom through the stops (place from 0 to 1, colour)."""
    strip = Image.new("RGB", (1, 512))
    for y in range(512):
        strip.putpixel((0, y), _at(stops, y / 511))
    return strip.resize(size, Image.Resampling.BICUBIC)


def glow(image: Image.Image, centre: tuple[float, float], radius: float, colour: Colour, strength: float) -> None:
    side = max(2, round(radius * 2))
    mask = Image.radial_gradient("L").point([round(255 * strength * max(0.0, 1 - v / 181) ** 2.2) for v in range(256)])
    mask = mask.resize((side, side), Image.Resampling.BICUBIC)
    image.paste(colour, (round(centre[0] - side / 2), round(centre[1] - side / 2)), mask)


def disc(
    image: Image.Image, centre: tuple[float, float], radius: float, colour: Colour, *, crescent: bool = False
) -> None:
    """A sun, or a moon of which a crescent is lit."""
    side = max(2, round(radius * 2))
    mask = Image.new("L", (side * 4, side * 4))
    pen = ImageDraw.Draw(mask)
    pen.ellipse((0, 0, side * 4 - 1, side * 4 - 1), fill=255)
    if crescent:
        pen.ellipse((side * 1.1, -side * 0.5, side * 4.7, side * 3.1), fill=0)
    image.paste(colour, (round(centre[0] - side / 2), round(centre[1] - side / 2)), mask.reduce(4))


def snowfall(image: Image.Image, random: Random) -> None:
    width, height = image.size
    unit = min(width, height) / 1000
    for size, count, strength in ((2.2, 260, 150), (4.0, 120, 190), (7.0, 40, 170)):
        mask = Image.new("L", image.size)
        pen = ImageDraw.Draw(mask)
        for _ in range(count):
            x, y, radius = random.uniform(0, width), random.uniform(0, height), size * unit * random.uniform(0.6, 1.2)
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=strength)
        image.paste((255, 255, 255), (0, 0), mask.filter(ImageFilter.GaussianBlur(size * unit * 0.35)))


def _at(stops: tuple[tuple[float, Colour], ...], place: float) -> Colour:
    for (start, first), (end, second) in pairwise(stops):
        if place <= end:
            return mix(first, second, max(0.0, (place - start) / (end - start)))
    return stops[-1][1]


def _toned(palette: Palette, colour: Colour) -> Palette:
    return Palette(
        zenith=mix(palette.zenith, colour, 0.3),
        middle=mix(palette.middle, colour, 0.35),
        horizon=mix(palette.horizon, colour, 0.15),
        sun=palette.sun,
        far=mix(palette.far, colour, 0.4),
        near=mix(palette.near, colour, 0.22),
        night=palette.night,
    )


def _arc(day: float) -> tuple[float, float]:
    """From the lower left over the top to the lower right; at night the moon stands high."""
    angle = math.pi * (0.08 + 0.84 * min(1.0, day / 0.85))
    if day > 0.92:
        return 0.72, 0.2
    return 0.5 - 0.38 * math.cos(angle), 0.56 - 0.42 * math.sin(angle)


def _sky(size: tuple[int, int], palette: Palette) -> Image.Image:
    return gradient(size, ((0.0, palette.zenith), (0.34, palette.middle), (0.62, palette.horizon), (1.0, palette.far)))


def _stars(image: Image.Image, random: Random, night: float, horizon: float) -> None:
    width, height = image.size
    unit = min(width, height) / 1000
    mask = Image.new("L", image.size)
    pen = ImageDraw.Draw(mask)
    for _ in range(round(240 * night)):
        x, y = random.uniform(0, width), random.uniform(0, height * horizon) * random.uniform(0.3, 1)
        radius = unit * random.choice((0.8, 1.0, 1.3, 2.0))
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=random.randint(90, 255))
    image.paste((255, 250, 235), (0, 0), mask)


def _sun(image: Image.Image, palette: Palette, place: tuple[float, float]) -> None:
    width, height = image.size
    centre = (width * place[0], height * place[1])
    unit = min(width, height)
    glow(image, centre, unit * 0.75, palette.sun, 0.55)
    glow(image, centre, unit * 0.22, palette.sun, 0.8)
    moon = palette.night > 0.5
    disc(image, centre, unit * (0.055 if moon else 0.062), palette.sun, crescent=moon)


def _clouds(image: Image.Image, random: Random, palette: Palette, horizon: float) -> None:
    """Long soft bands, drawn small and blurred, as nothing in them is sharp."""
    width, height = image.size
    small = (max(1, width // 4), max(1, height // 4))
    mask = Image.new("L", small)
    pen = ImageDraw.Draw(mask)
    for _ in range(random.randint(3, 6)):
        x, y = random.uniform(0, small[0]), random.uniform(0.06, horizon - 0.12) * small[1]
        for _ in range(random.randint(4, 8)):
            long, thick = random.uniform(0.05, 0.2) * small[0], random.uniform(0.006, 0.016) * small[1]
            dx, dy = random.gauss(0, 0.08) * small[0], random.gauss(0, 0.012) * small[1]
            pen.ellipse((x + dx - long, y + dy - thick, x + dx + long, y + dy + thick), fill=random.randint(60, 130))
    mask = mask.filter(ImageFilter.GaussianBlur(small[1] * 0.012)).resize(image.size, Image.Resampling.BICUBIC)
    image.paste(mix(palette.sun, palette.horizon, 0.35 + 0.4 * palette.night), (0, 0), mask)


def _hills(image: Image.Image, random: Random, palette: Palette, horizon: float, *, water: bool) -> None:
    """Each nearer layer is darker and lower, and mist lies at the foot of each."""
    width, height = image.size
    layers = 3 if water else 5
    for layer in range(layers):
        depth = (layer + 1) / (layers + 1)
        top = horizon - 0.13 + (0.13 if water else 0.34) * depth
        rough = 0.11 * (1 - depth) + 0.045
        ridge = _ridge(random, width, height * top, height * rough, jagged=1 - depth)
        colour = mix(palette.far, palette.near, depth**1.25 * 0.85)
        mist = mix(colour, palette.horizon, 0.42 * (1 - depth) + 0.1)
        end = min(1.0, top + 0.3)
        ground = gradient(image.size, ((max(0.0, top - rough), colour), (end, mist), (1.01, mist)))
        image.paste(ground, (0, 0), _below(image.size, ridge))


def _ridge(random: Random, width: int, level: float, rough: float, *, jagged: float) -> list[float]:
    """The height of the ridge at every 4th pixel: a few waves, and for far mountains sharper ones on top."""
    waves = [
        (random.uniform(0.6, 1.4) * 2**octave, random.uniform(0, math.tau), rough * 0.54**octave)
        for octave in range(6 if jagged > 0.4 else 3)
    ]
    ridge = []
    for x in range(0, width + 8, 4):
        value = 0.0
        for octave, (frequency, phase, weight) in enumerate(waves):
            wave = math.sin(x / width * math.tau * frequency + phase)
            sharp = 1 - 2 * abs(wave) if octave else wave
            value += weight * (wave * (1 - jagged) + sharp * jagged)
        ridge.append(level - value)
    return ridge


def _below(size: tuple[int, int], ridge: list[float]) -> Image.Image:
    """A smooth-edged mask of what lies under the ridge."""
    width, height = size
    mask = Image.new("L", (width * 2, height * 2))
    line = [(8 * at, 2 * y) for at, y in enumerate(ridge)]
    ImageDraw.Draw(mask).polygon([*line, (line[-1][0], height * 2), (0, height * 2)], fill=255)
    return mask.reduce(2)


def _city(image: Image.Image, random: Random, palette: Palette, horizon: float) -> None:
    width, height = image.size
    pen = ImageDraw.Draw(image)
    base = height * (horizon + 0.16)
    for row, shade in ((0, 0.55), (1, 0.8)):
        x = -width * 0.02
        while x < width:
            wide, tall = random.uniform(0.035, 0.08) * width, random.uniform(0.08, 0.3) * height * (1 - 0.25 * row)
            colour = mix(palette.far, palette.near, shade)
            pen.rectangle((x, base - tall, x + wide, height), fill=colour)
            lit = mix(palette.sun, (255, 210, 120), 0.6) if palette.night > 0.3 else mix(colour, palette.sun, 0.35)
            cell = width * 0.009
            for column in range(int(wide / cell) - 1):
                for floor in range(int(tall / cell / 1.5) - 1):
                    if random.random() < 0.3:
                        left, above = x + (column + 0.7) * cell, base - tall + (floor + 0.8) * cell * 1.5
                        pen.rectangle((left, above, left + cell * 0.5, above + cell * 0.7), fill=lit)
            x += wide + random.uniform(0.0, 0.012) * width


def _water(
    image: Image.Image, random: Random, palette: Palette, horizon: float, sun: tuple[float, float]
) -> Image.Image:
    """What stands above, upside down, smeared and darker; and the sun's path of glints on it."""
    width, height = image.size
    level = round(height * (horizon + 0.03))
    depth = height - level
    above = image.crop((0, max(0, level - depth), width, level)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    above = above.resize((max(1, width // 24), depth), Image.Resampling.BILINEAR)
    reflection = above.resize((width, depth), Image.Resampling.BICUBIC)
    tone = gradient((width, depth), ((0.0, mix(palette.middle, palette.far, 0.4)), (1.0, palette.near)))
    image.paste(Image.blend(reflection, tone, 0.42), (0, level))
    mask = Image.new("L", (width, depth))
    pen = ImageDraw.Draw(mask)
    for _ in range(420):
        down = random.random() ** 1.4
        spread = (0.012 + 0.11 * down) * width
        x, y = sun[0] * width + random.gauss(0, 1) * spread, down * depth
        long, thick = random.uniform(0.004, 0.02) * width * (0.4 + down), max(1.0, 0.0016 * height * (0.5 + 1.5 * down))
        pen.rectangle((x - long, y, x + long, y + thick), fill=random.randint(50, 190))
    image.paste(palette.sun, (0, level), mask.filter(ImageFilter.GaussianBlur(max(0.6, height / 1400))))
    return image


def _foreground(image: Image.Image, random: Random, palette: Palette, prompt: str, *, water: bool) -> list[float]:
    """The ground one stands on, with firs where the words or chance want them; gives its ridge."""
    width, height = image.size
    snow = bool(_SNOW.search(prompt))
    level = height * (0.9 if water else 0.83)
    ridge = _ridge(random, width, level, height * 0.035, jagged=0.0)
    mask = _below(image.size, ridge)
    if bool(_TREES.search(prompt)) or (not water and random.random() < 0.6) or (snow and not water):
        firs = Image.new("L", (width * 2, height * 2))
        pen = ImageDraw.Draw(firs)
        side = random.random() < 0.5
        for _ in range(34 if _TREES.search(prompt) else 13):
            share = random.betavariate(0.7, 2.2)
            x = width * (share if side else 1 - share)
            foot = ridge[min(len(ridge) - 1, int(x / 4))]
            tall = 2 * height * random.uniform(0.09, 0.25)
            # Rooted a little below the ridge, or light would show under the lowest branches on a slope.
            figures.pine(pen, (2 * x, 2 * foot + 0.12 * tall), tall, random)
        mask = ImageChops.lighter(mask, firs.reduce(2)) if not snow else mask
        if snow:
            image.paste(mix(palette.near, (20, 30, 40), 0.4), (0, 0), firs.reduce(2))
    colour = (
        mix((244, 248, 252), palette.far, 0.16 + 0.5 * palette.night) if snow else mix(palette.near, (0, 0, 0), 0.25)
    )
    lower = mix(colour, palette.middle, 0.35) if snow else mix(palette.near, (0, 0, 0), 0.5)
    image.paste(gradient(image.size, ((0.78, colour), (1.0, lower))), (0, 0), mask)
    return ridge


def _inhabit(
    image: Image.Image, random: Random, prompt: str, ridge: list[float], horizon: float, *, water: bool
) -> None:
    width, height = image.size
    found = figures.named(prompt)
    for number, (shapes, where) in enumerate(found):
        share = random.uniform(0.3, 0.42) + 0.26 * number if len(found) > 1 else random.uniform(0.36, 0.64)
        x = width * min(0.9, share)
        foot = {
            "ground": ridge[min(len(ridge) - 1, int(x / 4))] + height * 0.012,
            "water": height * (horizon + 0.13) if water else ridge[min(len(ridge) - 1, int(x / 4))],
            "air": height * 0.42,
        }[where]
        size = round(min(width, height) * (0.34 if where == "ground" else 0.24))
        figures.stand(image, shapes, (round(x), round(foot)), size, mirror=random.random() < 0.5)
    if not found and random.random() < 0.7:
        _birds(image, random)


def _birds(image: Image.Image, random: Random) -> None:
    width, height = image.size
    pen = ImageDraw.Draw(image)
    x, y = random.uniform(0.2, 0.8) * width, random.uniform(0.14, 0.34) * height
    unit = min(width, height) / 1000
    for _ in range(random.randint(3, 7)):
        wing = random.uniform(7, 15) * unit
        left, top = x + random.gauss(0, 70) * unit, y + random.gauss(0, 36) * unit
        pen.arc(
            (left - 2 * wing, top, left, top + wing * 1.3), 200, 340, fill=(40, 40, 56), width=max(1, round(2.4 * unit))
        )
        pen.arc(
            (left, top, left + 2 * wing, top + wing * 1.3), 200, 340, fill=(40, 40, 56), width=max(1, round(2.4 * unit))
        )
