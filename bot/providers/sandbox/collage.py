"""Several given pictures in one: prints laid on a blurred table, every one of them whole and in order."""

import math
from collections.abc import Sequence
from random import Random

from PIL import Image, ImageEnhance, ImageFilter, ImageOps


def lay(pictures: Sequence[Image.Image], size: tuple[int, int], random: Random) -> Image.Image:
    table = ImageOps.fit(pictures[0], (64, max(1, 64 * size[1] // size[0])))
    for picture in pictures[1:]:
        table = Image.blend(table, ImageOps.fit(picture, table.size), 0.4)
    table = table.filter(ImageFilter.GaussianBlur(6)).resize(size, Image.Resampling.BICUBIC)
    table = ImageEnhance.Brightness(table).enhance(0.55)
    columns = _columns(pictures, size)
    rows = math.ceil(len(pictures) / columns)
    cell = (size[0] / columns, size[1] / rows)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        in_row = min(columns, len(pictures) - row * columns)
        left = (size[0] - in_row * cell[0]) / 2  # a short last row stands in the middle
        centre = (left + (column + 0.5) * cell[0], (row + 0.5) * cell[1])
        _put(table, picture, centre, (cell[0] * 0.93, cell[1] * 0.93), random.uniform(-3.5, 3.5))
    return table


def _columns(pictures: Sequence[Image.Image], size: tuple[int, int]) -> int:
    """The grid in which the pictures are largest."""

    def covered(columns: int) -> float:
        width, height = size[0] / columns, size[1] / math.ceil(len(pictures) / columns)
        return sum(min(width / one.width, height / one.height) ** 2 * one.width * one.height for one in pictures)

    return max(range(1, len(pictures) + 1), key=covered)


def _put(
    table: Image.Image, picture: Image.Image, centre: tuple[float, float], room: tuple[float, float], angle: float
) -> None:
    """A print with a white rim, a little turned, with its shadow."""
    rim = max(3, round(min(room) * 0.025))
    inner = ImageOps.contain(picture, (max(1, round(room[0]) - 2 * rim), max(1, round(room[1]) - 2 * rim)))
    printed = ImageOps.expand(inner, rim, (250, 248, 243)).convert("RGBA")
    printed = ImageOps.expand(printed, 2, (250, 248, 243, 0))  # room in which turning can smooth the rim
    turned = printed.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    place = (round(centre[0] - turned.width / 2), round(centre[1] - turned.height / 2))
    blur = max(2, rim)
    shadow = Image.new("L", (turned.width + 4 * blur, turned.height + 4 * blur))
    shadow.paste(turned.getchannel("A").point([v * 150 // 255 for v in range(256)]), (2 * blur, 2 * blur))
    shadow = shadow.filter(ImageFilter.GaussianBlur(blur))
    table.paste((0, 0, 0), (place[0] - 2 * blur + rim // 2, place[1] - 2 * blur + rim), shadow)
    table.paste(turned, place, turned)
