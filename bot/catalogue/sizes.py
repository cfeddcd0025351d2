"""Sizes: from what a person wants ("2K", "16:9", "2560x1440") to what goes over the wire, and what that may cost."""

import re
from fractions import Fraction
from math import ceil, floor, sqrt

from bot.catalogue import Model
from bot.errors import UsageError
from bot.i18n import Text, text

_BY = re.compile(r"(\d{1,6})\s*[x×*]\s*(\d{1,6})", re.IGNORECASE)
_TO = re.compile(r"(\d{1,4})\s*[:：/x×]\s*(\d{1,4})", re.IGNORECASE)
MATCH = "match"  # the ratio of the first picture that is given
_MATCH = frozenset({MATCH, "参考图", "原图"})
# The vendor's own tables deviate: 5504x3040 is called 16:9 and is 1.8 % wider.
_SAME_RATIO = 0.03


def resolve(model: Model, size: str, ratio: str, *, like: tuple[int, int] | None = None) -> str:
    """The size to send: a bare tier (the model then picks the ratio), or `WxH`. Raises `UsageError`.

    size: "" for the default tier, a tier, or WxH; ratio: "" or "auto" for none wanted, one of the table's, or `MATCH`.
    like: the sides of the picture to match; while they are not known, `MATCH` comes to the bare tier.
    """
    exact = sides(size)
    if ratio == MATCH:
        if exact:
            raise UsageError(text("Give an exact size or the ratio {ratio}, not both.", ratio=MATCH))
        tier = _tier(model, size)
        return matching(model, tier, *like) if like and not model.matches else tier
    wanted = _ratio(model, ratio)
    if exact:
        return _exact(model, *exact, wanted)
    tier = _tier(model, size)
    return model.tiers[tier][wanted] if wanted else tier


def known_ratio(ratio: str) -> str:
    """The ratio as `resolve` takes it, from what people write for `MATCH`."""
    return MATCH if ratio.strip().lower() in _MATCH else ratio


def matching(model: Model, tier: str, width: int, height: int) -> str:
    """The size of this tier in the ratio of a picture with these sides, as near as the model takes it.

    The table's row where one has the ratio, else about as many pixels as the tier's square has.
    """
    rows = model.tiers[tier]
    off = {size: abs(_distance(width, height, Fraction(*_sides(size)))) for size in rows.values()}
    near = min(off, key=lambda size: off[size])
    if off[near] <= _SAME_RATIO:
        return near
    aspect = min(max(width / height, model.min_aspect), model.max_aspect)
    area = min(max(pixels(model, rows["1:1"]), model.min_pixels), model.max_pixels)
    tall = round(sqrt(area / aspect))
    while (wide := _wide(model, tall, aspect)) * tall > model.max_pixels:
        tall -= 1
    while (wide := _wide(model, tall, aspect)) * tall < model.min_pixels:
        tall += 1
    return f"{wide}x{tall}"


def sides(size: str) -> tuple[int, int] | None:
    """Width and height of `WxH` (also written 2048×2048), or None for a tier."""
    found = _BY.fullmatch(size.strip())
    return (int(found[1]), int(found[2])) if found else None


def pixels(model: Model, size: str) -> int:
    """The most pixels that a wire size can bring: for a bare tier, the largest of its table."""
    exact = sides(size)
    if exact:
        return exact[0] * exact[1]
    return max(width * height for width, height in map(_sides, model.tiers[size].values()))


def price(model: Model, size: str, references: int) -> int:
    """The most that one picture can cost, in micro-USD."""
    most = pixels(model, size)
    picture = next((amount for limit, amount in model.prices if most <= limit), model.prices[-1][1])
    return picture + max(0, references - model.free_references) * model.reference_price


def top_tier(model: Model) -> str:
    return tuple(model.tiers)[-1]


def ratios(model: Model) -> tuple[str, ...]:
    return tuple(model.tiers[model.default_tier])


def closest_ratio(model: Model, width: int, height: int) -> str:
    """The table's ratio nearest to a picture's."""
    return min(ratios(model), key=lambda ratio: abs(_distance(width, height, _fraction(ratio))))


def takes(model: Model) -> Text:
    """What sizes the model takes, to be put into a refusal."""
    return text(
        "{model} takes {tiers}, or WxH from {least} to {most} pixels",
        model=model.name,
        tiers=tuple(model.tiers),
        least=f"{model.min_pixels:,}",
        most=f"{model.max_pixels:,}",
    )


def _tier(model: Model, size: str) -> str:
    wanted = size.strip().upper() or model.default_tier
    if wanted not in model.tiers:
        raise UsageError(text("{size} is not a size here: {takes}.", size=size, takes=takes(model)))
    return wanted


def _ratio(model: Model, ratio: str) -> str:
    if ratio.strip().lower() in ("", "auto"):
        return ""
    found = _TO.fullmatch(ratio.strip())
    if found and int(found[1]) and int(found[2]):
        wanted = Fraction(int(found[1]), int(found[2]))
        for known in ratios(model):
            if _fraction(known) == wanted:
                return known
    raise UsageError(
        text(
            "{ratio} is not a ratio here: {model} knows {ratios}.", ratio=ratio, model=model.name, ratios=ratios(model)
        )
    )


def _exact(model: Model, width: int, height: int, ratio: str) -> str:
    size = f"{width}x{height}"
    if ratio and abs(_distance(width, height, _fraction(ratio))) > _SAME_RATIO:
        raise UsageError(
            text("{size} is not {ratio}; give only one, or the ratio and a size such as 2K.", size=size, ratio=ratio)
        )
    if in_tables(model, size):
        return size
    _check_sides(model, width, height)
    count = width * height
    if not model.min_pixels <= count <= model.max_pixels:
        raise UsageError(text("{size} has {count} pixels: {takes}.", size=size, count=f"{count:,}", takes=takes(model)))
    if not model.min_aspect <= width / height <= model.max_aspect:
        raise UsageError(
            text(
                "{size} is too narrow: {model} takes up to {most} times as long as wide; {takes}.",
                size=size,
                model=model.name,
                most=f"{model.max_aspect:g}",
                takes=takes(model),
            )
        )
    return size


def in_tables(model: Model, size: str) -> bool:
    return any(size in table.values() for table in model.tiers.values())


def takes_exactly(model: Model, width: int, height: int) -> bool:
    """Whether these sides can be asked for."""
    try:
        _exact(model, width, height, "")
    except UsageError:
        return False
    return True


def _check_sides(model: Model, width: int, height: int) -> None:
    if not model.exact_sides:
        raise UsageError(
            text("{model} takes only {tiers}, each with a ratio.", model=model.name, tiers=tuple(model.tiers))
        )
    least, most = model.exact_sides
    if not least <= min(width, height) <= max(width, height) <= most:
        raise UsageError(
            text(
                "{size} cannot be drawn with {model} here: each side must have from {least} to {most} pixels.",
                size=f"{width}x{height}",
                model=model.name,
                least=least,
                most=most,
            )
        )


def _distance(width: int, height: int, ratio: Fraction) -> float:
    return float(Fraction(width, height) / ratio) - 1


def _wide(model: Model, tall: int, aspect: float) -> int:
    """The width for a height: whole, and within what the model takes."""
    return min(max(round(tall * aspect), ceil(tall * model.min_aspect)), floor(tall * model.max_aspect))


def _fraction(ratio: str) -> Fraction:
    width, _, height = ratio.partition(":")
    return Fraction(int(width), int(height))


def _sides(size: str) -> tuple[int, int]:
    width, _, height = size.partition("x")
    return int(width), int(height)
