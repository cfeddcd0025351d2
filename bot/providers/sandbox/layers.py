"""Which layers a picture is taken apart into: a base, and a few pieces that lie above it.

Nothing is recognised: the pieces are ovals at fixed places. Laid over the base in order they are the picture again.
"""

from dataclasses import dataclass
from hashlib import sha256

_PIECES = (
    ("middle", "An oval from the middle of the picture", (0.34, 0.20, 0.66, 0.62)),
    ("left", "An oval from the left side of the picture", (0.05, 0.34, 0.30, 0.74)),
    ("right", "An oval from the right side of the picture", (0.70, 0.30, 0.95, 0.70)),
    ("bottom", "An oval from the bottom of the picture", (0.30, 0.68, 0.70, 0.95)),
)
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """box: left, top, right and bottom in pixels of the canvas; None for the base, which fills it."""

    name: str
    description: str
    canvas: tuple[int, int]
    box: Box | None = None

    @property
    def size(self) -> tuple[int, int]:
        if not self.box:
            return self.canvas
        left, top, right, bottom = self.box
        return right - left, bottom - top

    @property
    def normalized(self) -> list[int]:
        """The box in thousandths of the canvas."""
        return [round(1000 * at / self.canvas[number % 2]) for number, at in enumerate(self.box or ())]


def plan(picture: bytes, width: int, height: int) -> tuple[Layer, ...]:
    """Three to five layers, the base first; how many follows from the picture."""
    canvas = (width, height)
    count = 2 + sha256(picture).digest()[0] % 3
    base = Layer(name="base", description="The picture without the pieces above it", canvas=canvas)
    pieces = (
        Layer(name=name, description=description, canvas=canvas, box=_pixels(*box, width, height))
        for name, description, box in _PIECES[:count]
    )
    return base, *pieces


def _pixels(left: float, top: float, right: float, bottom: float, width: int, height: int) -> Box:
    return round(left * width), round(top * height), round(right * width), round(bottom * height)
