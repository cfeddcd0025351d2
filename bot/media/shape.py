"""How a picture is made to fit what a model takes: pure arithmetic on sides."""

from dataclasses import dataclass
from math import ceil, sqrt

from bot.catalogue import InputLimits

ROUNDS = 64  # each one shrinks or grows by at least a step; far fewer are ever needed


@dataclass(frozen=True, slots=True)
class Shape:
    """The picture scaled to `content`, in the middle of a `canvas` that is larger where margins are needed."""

    content: tuple[int, int]
    canvas: tuple[int, int]


def fit(width: int, height: int, limits: InputLimits, *, max_pixels: int | None = None) -> Shape:
    """The nearest shape within the limits: scaled as a whole, never cropped, margins only for the aspect.

    max_pixels narrows the limit further. Raises ValueError where the limits contradict each other.
    """
    most = min(limits.max_pixels, max_pixels or limits.max_pixels)
    scale = 1.0
    for _ in range(ROUNDS):
        content = max(1, round(width * scale)), max(1, round(height * scale))
        canvas = _widened(*content, limits)
        area = canvas[0] * canvas[1]
        if area > most:
            scale *= min(sqrt(most / area), 1 - 0.5 / max(content))
        elif min(canvas) < limits.min_side:
            scale *= max(limits.min_side / min(canvas), 1 + 0.5 / max(content))
        else:
            return Shape(content, canvas)
    raise ValueError(f"{width}x{height} cannot be made to fit")


def _widened(width: int, height: int, limits: InputLimits) -> tuple[int, int]:
    if width > height * limits.max_aspect:
        return width, ceil(width / limits.max_aspect)
    if width < height * limits.min_aspect:
        return ceil(height * limits.min_aspect), height
    return width, height
