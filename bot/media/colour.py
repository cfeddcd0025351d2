"""Any picture that Pillow opens, made upright, eight bits deep, sRGB, and without anything but its pixels."""

from io import BytesIO
from struct import error as StructError
from typing import cast

from PIL import Image, ImageCms

ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 where there is none or it cannot be read: a broken note is no broken picture."""
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except (ArithmeticError, AttributeError, LookupError, OSError, StructError, SyntaxError, TypeError, ValueError):
        return 1
    return found if found in TURNS else 1


def profile_of(image: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """The embedded profile, or None where there is none, it is broken, or it says sRGB anyway."""
    data = image.info.get("icc_profile")
    if not data:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(data))
        named = ImageCms.getProfileDescription(profile)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None
    return None if named.strip().lower().startswith("srgb") else profile


def upright_srgb(image: Image.Image) -> Image.Image:
    """A loaded picture as RGB, or RGBA where anything of it shines through; `info` is empty."""
    turn = TURNS.get(orientation(image))
    profile = profile_of(image)
    image = _plain(_converted(_eight_bits(image), profile))
    if turn is not None:
        image = image.transpose(turn)
    image.info = {}
    return image


def _eight_bits(image: Image.Image) -> Image.Image:
    """Pillow clips what is deeper than eight bits instead of scaling it."""
    if image.mode.startswith("I;16"):
        image = image.convert("I")
    if image.mode not in ("I", "F"):
        return image
    low, high = _extrema(image)
    bottom, top = (0.0, _full_scale(high)) if low >= 0 else (low, high)
    scale = 255 / ((top - bottom) or 1)
    return image.point(lambda value: value * scale + (-bottom * scale)).convert("L")


def _extrema(image: Image.Image) -> tuple[float, float]:
    """The darkest and the brightest value of a picture with one channel."""
    low, high = cast(tuple[float, float], image.getextrema())
    return float(low), float(high)


def _full_scale(high: float) -> float:
    """What white is in a picture whose brightest value is `high`: files of numbers do not say it."""
    return next((scale for scale in (1.0, 255.0, 65535.0) if high <= scale), high)


def _converted(image: Image.Image, profile: ImageCms.ImageCmsProfile | None) -> Image.Image:
    if profile is None or image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return image
    target = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode=target)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # a profile for other colours than the picture has
    return converted or image


def _plain(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    image = image if image.mode == "RGBA" else image.convert("RGBA")
    lowest, _ = _extrema(image.getchannel("A"))
    return image if lowest < 255 else image.convert("RGB")
