"""Writes an upright sRGB picture as the file that a model takes: scaled, with margins, and small enough."""

from pathlib import Path

from PIL import Image

from bot.catalogue import InputLimits
from bot.media.shape import Shape, fit

QUALITIES = (92, 85, 75)
FINE = 90  # from here on colours are kept at full resolution
ROUNDS = 10
MOST_FOR_WEBP = 9_000_000  # pixels; beyond, its alpha channel takes more memory than the child has
LARGE = 1_000_000  # pixels from which zlib would take seconds to save the last tenth


class TooLarge(Exception):
    """However small the picture was made, its file stayed over the limit."""


def encode(image: Image.Image, target: Path, limits: InputLimits, shape: Shape) -> tuple[Path, Shape]:
    """The file beside `target` with its own suffix, and the shape it got: smaller where the bytes ask for it."""
    for _ in range(ROUNDS):
        size = 0
        area = shape.canvas[0] * shape.canvas[1]
        for form in _forms(image, limits, area):
            file = target.with_suffix(f".{form}")
            size = _save(_draw(image, shape, keep_alpha=form != "jpeg"), file, form, limits.max_bytes)
            if size <= limits.max_bytes:
                return file, shape
        smaller = int(area * min(0.6, 0.9 * limits.max_bytes / size))
        if smaller < limits.min_side**2:
            break
        shape = fit(*image.size, limits, max_pixels=smaller)
    raise TooLarge(f"{limits.max_bytes} bytes are too few for any form of it")


def _forms(image: Image.Image, limits: InputLimits, area: int) -> list[str]:
    """JPEG; where something shines through PNG, or WebP where that is too large; each as far as the model takes it."""
    wanted = ["jpeg"] if image.mode != "RGBA" else ["png", "webp"] if area <= MOST_FOR_WEBP else ["png"]
    return [form for form in wanted if form in limits.formats] or ["jpeg" if "jpeg" in limits.formats else "png"]


def _draw(image: Image.Image, shape: Shape, *, keep_alpha: bool) -> Image.Image:
    mode = "RGBA" if image.mode == "RGBA" and keep_alpha else "RGB"
    if shape.content != image.size:
        image = image.resize(shape.content, Image.Resampling.LANCZOS, reducing_gap=3.0)
    if shape.canvas == shape.content and image.mode == mode:
        return image
    canvas = Image.new(mode, shape.canvas, (255, 255, 255, 0) if mode == "RGBA" else (255, 255, 255))
    corner = (shape.canvas[0] - image.width) // 2, (shape.canvas[1] - image.height) // 2
    canvas.paste(image, corner, image if image.mode == "RGBA" and mode == "RGB" else None)
    return canvas


def _save(image: Image.Image, file: Path, form: str, max_bytes: int) -> int:
    """Write it, at the best quality that holds `max_bytes`; returns the size of the last attempt."""
    size = 0
    for quality in QUALITIES if form != "png" else (0,):
        match form:
            case "jpeg":
                image.save(file, "JPEG", quality=quality, subsampling=0 if quality >= FINE else 2, optimize=False)
            case "webp":
                image.save(file, "WEBP", quality=quality, method=2)
            case _:
                image.save(file, "PNG", compress_level=6 if image.width * image.height < LARGE else 2)
        size = file.stat().st_size
        if size <= max_bytes:
            break
    return size
