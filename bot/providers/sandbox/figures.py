"""Small figures that stand in a scene when the words name them. Points lie in a unit square, feet at its bottom."""

import re
from random import Random

from PIL import Image, ImageDraw

from bot.providers.sandbox.palette import Colour

Point = tuple[float, float]
# (colour, smooth outline or not, points); two points are a circle's box.
Shape = tuple[Colour, bool, tuple[Point, ...]]

_FUR, _WHITE, _DARK = (226, 116, 46), (252, 244, 232), (34, 30, 40)
_FOX: tuple[Shape, ...] = (
    (_FUR, True, ((0.60, 0.99), (0.80, 1.0), (0.97, 0.86), (0.99, 0.66), (0.90, 0.48), (0.82, 0.62), (0.74, 0.80))),
    (_WHITE, True, ((0.90, 0.48), (0.99, 0.64), (0.95, 0.70), (0.88, 0.66), (0.83, 0.62))),
    (_FUR, True, ((0.41, 0.36), (0.56, 0.46), (0.69, 0.70), (0.70, 0.99), (0.30, 0.99), (0.27, 0.70), (0.32, 0.46))),
    (_WHITE, True, ((0.41, 0.44), (0.50, 0.54), (0.46, 0.78), (0.41, 0.84), (0.36, 0.78), (0.32, 0.54))),
    (_DARK, True, ((0.31, 0.86), (0.38, 0.86), (0.39, 0.995), (0.29, 0.995))),
    (_DARK, True, ((0.44, 0.86), (0.51, 0.86), (0.53, 0.995), (0.43, 0.995))),
    (_FUR, False, ((0.19, 0.02), (0.33, 0.15), (0.49, 0.15), (0.63, 0.02), (0.65, 0.29), (0.41, 0.52), (0.17, 0.29))),
    (_DARK, False, ((0.215, 0.07), (0.29, 0.145), (0.22, 0.2))),
    (_DARK, False, ((0.605, 0.07), (0.53, 0.145), (0.60, 0.2))),
    (_WHITE, False, ((0.17, 0.29), (0.33, 0.33), (0.41, 0.52))),
    (_WHITE, False, ((0.65, 0.29), (0.49, 0.33), (0.41, 0.52))),
    (_DARK, False, ((0.315, 0.265), (0.355, 0.305))),
    (_DARK, False, ((0.465, 0.265), (0.505, 0.305))),
    (_DARK, False, ((0.38, 0.475), (0.44, 0.53))),
)
_COAT, _EYE, _PINK = (42, 38, 52), (246, 206, 84), (236, 164, 170)
_CAT: tuple[Shape, ...] = (
    (_COAT, True, ((0.62, 0.96), (0.80, 0.92), (0.86, 0.74), (0.80, 0.56), (0.88, 0.48), (0.96, 0.72), (0.88, 0.97))),
    (_COAT, True, ((0.42, 0.34), (0.58, 0.48), (0.70, 0.74), (0.69, 0.99), (0.27, 0.99), (0.25, 0.72), (0.30, 0.46))),
    (_COAT, False, ((0.20, 0.08), (0.33, 0.17), (0.50, 0.17), (0.63, 0.08), (0.63, 0.30), (0.20, 0.30))),
    (_COAT, True, ((0.20, 0.26), (0.30, 0.16), (0.53, 0.16), (0.63, 0.26), (0.56, 0.44), (0.41, 0.48), (0.27, 0.44))),
    (_EYE, False, ((0.285, 0.26), (0.355, 0.325))),
    (_EYE, False, ((0.475, 0.26), (0.545, 0.325))),
    (_DARK, False, ((0.31, 0.265), (0.33, 0.32))),
    (_DARK, False, ((0.50, 0.265), (0.52, 0.32))),
    (_PINK, False, ((0.395, 0.36), (0.435, 0.36), (0.415, 0.385))),
)
_BUNNY = (236, 228, 222)
_RABBIT: tuple[Shape, ...] = (
    (_WHITE, False, ((0.62, 0.82), (0.80, 1.0))),
    (_BUNNY, True, ((0.42, 0.48), (0.60, 0.60), (0.70, 0.80), (0.66, 0.99), (0.26, 0.99), (0.24, 0.78), (0.30, 0.58))),
    (_BUNNY, True, ((0.30, 0.36), (0.26, 0.12), (0.30, 0.0), (0.37, 0.10), (0.39, 0.36))),
    (_BUNNY, True, ((0.44, 0.36), (0.47, 0.10), (0.55, 0.0), (0.57, 0.14), (0.53, 0.38))),
    (_PINK, True, ((0.32, 0.32), (0.295, 0.14), (0.31, 0.08), (0.345, 0.14), (0.355, 0.32))),
    (_BUNNY, True, ((0.24, 0.44), (0.33, 0.32), (0.50, 0.32), (0.59, 0.44), (0.52, 0.58), (0.41, 0.62), (0.31, 0.58))),
    (_DARK, False, ((0.315, 0.43), (0.355, 0.475))),
    (_DARK, False, ((0.475, 0.43), (0.515, 0.475))),
    (_PINK, False, ((0.39, 0.51), (0.44, 0.51), (0.415, 0.54))),
)
_SAIL, _HULL = (250, 240, 222), (122, 52, 44)
_BOAT: tuple[Shape, ...] = (
    (_DARK, False, ((0.49, 0.06), (0.51, 0.06), (0.51, 0.84), (0.49, 0.84))),
    (_SAIL, False, ((0.53, 0.08), (0.90, 0.76), (0.53, 0.76))),
    ((226, 106, 76), False, ((0.47, 0.16), (0.47, 0.76), (0.18, 0.76))),
    (_HULL, False, ((0.06, 0.81), (0.96, 0.81), (0.84, 0.97), (0.20, 0.97))),
)
_WALL, _ROOF, _LAMP = (236, 222, 200), (150, 62, 54), (255, 214, 120)
_HOUSE: tuple[Shape, ...] = (
    (_ROOF, False, ((0.70, 0.22), (0.79, 0.22), (0.79, 0.50), (0.70, 0.45))),
    (_WALL, False, ((0.15, 0.50), (0.85, 0.50), (0.85, 1.0), (0.15, 1.0))),
    (_ROOF, False, ((0.05, 0.54), (0.50, 0.16), (0.95, 0.54))),
    (_LAMP, False, ((0.24, 0.62), (0.40, 0.62), (0.40, 0.78), (0.24, 0.78))),
    (_LAMP, False, ((0.62, 0.62), (0.77, 0.62), (0.77, 0.78), (0.62, 0.78))),
    (_HULL, False, ((0.44, 0.70), (0.57, 0.70), (0.57, 1.0), (0.44, 1.0))),
)
_BALLOON: tuple[Shape, ...] = (
    ((214, 72, 66), False, ((0.14, 0.02), (0.86, 0.74))),
    ((250, 214, 150), True, ((0.50, 0.02), (0.68, 0.20), (0.70, 0.46), (0.50, 0.74), (0.30, 0.46), (0.32, 0.20))),
    ((214, 72, 66), True, ((0.50, 0.02), (0.57, 0.20), (0.58, 0.46), (0.50, 0.74), (0.42, 0.46), (0.43, 0.20))),
    (_DARK, False, ((0.36, 0.70), (0.37, 0.70), (0.45, 0.86), (0.44, 0.86))),
    (_DARK, False, ((0.64, 0.70), (0.63, 0.70), (0.55, 0.86), (0.56, 0.86))),
    (_HULL, False, ((0.42, 0.86), (0.58, 0.86), (0.56, 0.99), (0.44, 0.99))),
)
_NAMED = (
    (re.compile(r"\bfox(es)?\b|狐", re.IGNORECASE), _FOX, "ground"),
    (re.compile(r"\b(cat|cats|kitten)\b|猫", re.IGNORECASE), _CAT, "ground"),
    (re.compile(r"\b(rabbits?|bunny|bunnies|hare)\b|兔", re.IGNORECASE), _RABBIT, "ground"),
    (re.compile(r"\b(boat|boats|ship|sail\w*)\b|船|帆", re.IGNORECASE), _BOAT, "water"),
    (re.compile(r"\b(house|home|cottage|cabin|hut)\b|房|屋|木屋", re.IGNORECASE), _HOUSE, "ground"),
    (re.compile(r"\bballoons?\b|气球", re.IGNORECASE), _BALLOON, "air"),
)


def named(prompt: str) -> tuple[tuple[tuple[Shape, ...], str], ...]:
    """The figures that the words name, each with where it belongs: ground, water or air."""
    return tuple((shapes, where) for pattern, shapes, where in _NAMED if pattern.search(prompt))


def stand(image: Image.Image, shapes: tuple[Shape, ...], foot: tuple[int, int], size: int, *, mirror: bool) -> None:
    """Draw a figure with its feet's middle at a point, smooth-edged."""
    scale = 4 * size
    tile = Image.new("RGBA", (scale, scale))
    pen = ImageDraw.Draw(tile)
    for colour, smooth, points in shapes:
        placed = [(x * scale, y * scale) for x, y in points]
        if len(placed) == 2:
            pen.ellipse((*placed[0], *placed[1]), fill=(*colour, 255))
        else:
            pen.polygon(_rounded(placed) if smooth else placed, fill=(*colour, 255))
    tile = tile.reduce(4)
    if mirror:
        tile = tile.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image.paste(tile, (foot[0] - size // 2, foot[1] - size), tile)


def pine(pen: ImageDraw.ImageDraw, foot: tuple[float, float], height: float, random: Random) -> None:
    """A fir in the mask's white, a little irregular."""
    x, y = foot
    tiers = 5
    pen.rectangle((x - height * 0.02, y - height * 0.2, x + height * 0.02, y), fill=255)
    for tier in range(tiers):
        top = y - height + tier * height * 0.16
        bottom = top + height * 0.32
        half = height * (0.07 + 0.045 * tier) * random.uniform(0.85, 1.1)
        pen.polygon(((x, top), (x + half, bottom), (x, bottom - height * 0.05), (x - half, bottom)), fill=255)


def _rounded(points: list[Point], steps: int = 10) -> list[Point]:
    """A closed Catmull-Rom curve through the points."""
    curve = []
    count = len(points)
    for at in range(count):
        before, start, end, after = (points[(at + offset) % count] for offset in (-1, 0, 1, 2))
        curve += [_between(before, start, end, after, step / steps) for step in range(steps)]
    return curve


def _between(before: Point, start: Point, end: Point, after: Point, t: float) -> Point:
    def along(a: float, b: float, c: float, d: float) -> float:
        return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)

    return along(before[0], start[0], end[0], after[0]), along(before[1], start[1], end[1], after[1])
