"""What a person asks for, and the request that it comes to with a model. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.catalogue import Model
from bot.catalogue.sizes import known_ratio, resolve, sides
from bot.chat import Attachment
from bot.i18n import Text, text
from bot.request import ImageRequest, Mode, Reference

# The vendor's documents advise not to go beyond; nothing is refused there.
ADVISED_CHARACTERS = 300
ADVISED_WORDS = 600
_HAN = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person asked for, before it meets a model. pictures come after the quoted one. team: who pays, by name."""

    mode: Mode
    prompt: str
    model: str = ""
    size: str = ""
    ratio: str = ""
    count: int = 1
    format: str = ""
    optimize: str = ""
    background: str = ""
    search: bool = False
    seed: int | None = None
    guidance: float | None = None
    watermark: bool | None = None
    private: bool | None = None
    team: str = ""
    pictures: tuple[Attachment, ...] = ()
    needs: int = 0


def request_for(
    wanted: Wanted, model: Model, own: Mapping[str, str], references: tuple[Reference, ...] = ()
) -> ImageRequest:
    """As this model would get it; `own` are the person's defaults, which give way to what the model has.

    Raises `UsageError` for a size or ratio that the model does not take; the rest is left to `capabilities`.
    """
    layers = wanted.mode is Mode.LAYERS
    exact = sides(wanted.size) is not None
    ratio = known_ratio(wanted.ratio or ("" if exact or wanted.mode is not Mode.IMAGINE else own.get("ratio", "")))
    size = wanted.size or _usual(own.get("size", "").upper(), tuple(model.tiers))
    like = (references[0].width, references[0].height) if references else None
    usual_format = "png" if wanted.background == "transparent" else _usual(own.get("format", ""), model.formats)
    return ImageRequest(
        mode=wanted.mode,
        prompt=wanted.prompt,
        providers=(model.provider,),
        model=model.name,
        size=resolve(model, size, ratio, like=like),
        ratio=ratio,
        count=model.layers if layers else wanted.count,
        references=references,
        format="" if layers else wanted.format or usual_format,
        watermark=own.get("watermark") == "yes" if wanted.watermark is None else wanted.watermark,
        optimize="" if layers else wanted.optimize or _usual(own.get("optimize", ""), model.optimize),
        background=wanted.background,
        search=wanted.search,
        seed=wanted.seed,
        guidance=wanted.guidance,
    )


def advice(prompt: str) -> tuple[Text, ...]:
    """What to tell about words that are longer than the model's makers advise."""
    characters = len(_HAN.findall(prompt))
    words = len(re.findall(r"[\w'’-]+", _HAN.sub(" ", prompt)))
    if characters / ADVISED_CHARACTERS + words / ADVISED_WORDS <= 1:
        return ()
    return (
        text(
            "These are many words: beyond about {words} English words or {characters} Chinese characters the model"
            " may overlook some.",
            words=ADVISED_WORDS,
            characters=ADVISED_CHARACTERS,
        ),
    )


def _usual(value: str, offered: tuple[str, ...]) -> str:
    """A person's usual choice, where this model has it."""
    return value if value in offered else ""
