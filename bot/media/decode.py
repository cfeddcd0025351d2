"""The child process in which other people's pictures are decoded: `python -m bot.media.decode`, one picture each.

It reads one job as JSON from its arguments, limits its own memory and time, writes one file and answers with one line
of JSON. Whatever a picture does to it, the bot that started it lives on; it knows no settings and no secrets.
"""

import contextlib
import errno
import json
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from PIL import Image, UnidentifiedImageError

from bot.catalogue import InputLimits
from bot.media.colour import orientation, profile_of, upright_srgb
from bot.media.encode import TooLarge, encode
from bot.media.shape import fit
from bot.media.strip import strip_jpeg, strip_png

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
MOVING = {"GIF", "PNG", "WEBP", "AVIF"}
STRIPPERS = {"JPEG": strip_jpeg, "MPO": strip_jpeg, "PNG": strip_png}
SUFFIXES = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png"}
EIGHT_BIT_MODES = {"JPEG": ("RGB", "L"), "MPO": ("RGB", "L"), "PNG": ("RGB", "RGBA", "L", "LA", "P", "1")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """source is read, target's name gets the suffix of what it becomes. Limits in bytes, pixels and seconds."""

    source: Path
    target: Path
    max_pixels: int
    memory: int
    seconds: int
    limits: InputLimits

    @classmethod
    def from_json(cls, line: str) -> "Job":
        data = json.loads(line)
        limits = InputLimits(**data.pop("limits"))
        return cls(source=Path(data.pop("source")), target=Path(data.pop("target")), limits=limits, **data)


def confine(*, memory: int, seconds: int) -> None:
    """Give this process no more than that, where the system can; there is no way back."""
    try:
        import resource
    except ImportError:
        return  # Windows: the parent's clock still ends it
    for kind, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),  # a core dump would hold the person's picture
    ):
        _, hard = resource.getrlimit(kind)
        wanted = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS refuses RLIMIT_AS
            resource.setrlimit(kind, (wanted, wanted))


def normalise(job: Job) -> dict[str, Any]:
    """What became of the picture, or `{"error": ...}` with a word for the parent and a detail for its log."""
    Image.MAX_IMAGE_PIXELS = job.max_pixels
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        with Image.open(job.source, formats=_formats(job.source)) as image:
            return _normalise(job, image)
    except UnidentifiedImageError as error:
        return {"error": "unreadable", "detail": str(type(error).__name__)}
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        return {"error": "pixels", "detail": str(error)}
    except TooLarge as error:
        return {"error": "bytes", "detail": str(error)}


def _formats(source: Path) -> tuple[str, ...]:
    """What Pillow may try. The HEIC decoder is loaded only for files that may need it."""
    with source.open("rb") as file:
        box = file.read(12)[4:]
    if box[:4] != b"ftyp" or box[4:] in (b"avif", b"avis"):
        return FORMATS[:-1]
    import pi_heif

    pi_heif.register_heif_opener()
    return FORMATS


def _normalise(job: Job, image: Image.Image) -> dict[str, Any]:
    form = image.format or ""
    if image.width * image.height > job.max_pixels:
        raise Image.DecompressionBombError(f"{image.width}x{image.height}")
    moving = form in MOVING and bool(getattr(image, "is_animated", False))
    image.load()
    if not moving and _may_pass(job, image, form) and (kept := _stripped(job, form)):
        return {"file": kept.name, "changes": [], "alpha": _shines_through(image)}
    turned = upright_srgb(image)
    shape = fit(*turned.size, job.limits)
    file, made = encode(turned, job.target, job.limits, shape)
    changes = ["first-frame"] if moving else []
    if made.content < turned.size:
        changes.append("smaller")
    if made.content > turned.size:
        changes.append("larger")
    if made.content != made.canvas:
        changes.append("padded")
    return {"file": file.name, "changes": changes, "alpha": turned.mode == "RGBA" and file.suffix != ".jpeg"}


def _may_pass(job: Job, image: Image.Image, form: str) -> bool:
    """Whether nothing but the metadata stands between this file and the model."""
    return (
        SUFFIXES.get(form) in job.limits.formats
        and image.mode in EIGHT_BIT_MODES.get(form, ())
        and not _deep(job.source, form)
        and orientation(image) == 1
        and profile_of(image) is None
        and fit(*image.size, job.limits).canvas == image.size
    )


def _shines_through(image: Image.Image) -> bool:
    """An alpha channel that is opaque all over is none."""
    if not image.has_transparency_data:
        return False
    lowest, _ = cast(tuple[float, float], image.convert("RGBA").getchannel("A").getextrema())
    return lowest < 255


def _deep(source: Path, form: str) -> bool:
    """Whether a PNG has more than eight bits a channel, which Pillow's mode does not tell for colours."""
    if form != "PNG":
        return False
    with source.open("rb") as file:
        return file.read(25)[24] > 8


def _stripped(job: Job, form: str) -> Path | None:
    target = job.target.with_suffix("." + SUFFIXES[form])
    try:
        STRIPPERS[form](job.source, target)
    except ValueError:
        return None  # Pillow is more patient than we are: it will be encoded anew
    return target if target.stat().st_size <= job.limits.max_bytes else None


def _word(error: Exception) -> str:
    match error:
        case OSError(errno=errno.ENOSPC | errno.EDQUOT | errno.EFBIG):
            return "disk"
        case OSError(errno=errno.ENOMEM):
            return "memory"
        case _:
            return "damaged"


def main() -> None:
    job = Job.from_json(sys.argv[1])
    confine(memory=job.memory, seconds=job.seconds)
    try:
        answer = normalise(job)
    except MemoryError:
        answer = {"error": "memory", "detail": "MemoryError"}
    except Exception as error:  # noqa: BLE001 - the door: decoders raise whatever a hostile file makes them raise
        answer = {"error": _word(error), "detail": f"{type(error).__name__}: {error}"[:200]}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
