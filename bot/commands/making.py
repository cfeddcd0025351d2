"""The commands that make pictures: /imagine, /edit, /blend, /series."""

from dataclasses import dataclass
from functools import partial

from bot.asking import Answer, Asking
from bot.chat import Attachment
from bot.command import Command, Kind, option
from bot.commands.drawing import Drawing, Wanted
from bot.i18n import text
from bot.request import Mode

MOST_PICTURES = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Imagine:
    prompt: str = option(Kind.WORDS, text("What to draw, in your own words"))
    images: tuple[Attachment, ...] = option(Kind.IMAGES, text("A picture to go by"), high=MOST_PICTURES)
    model: str = option(Kind.CHOICE, text("Which Seedream model draws; /models lists them"), default="")
    size: str = option(Kind.CHOICE, text("A size that the model has, such as 2K or 4K, or WxH in pixels"), default="")
    ratio: str = option(Kind.CHOICE, text("Width to height, such as 16:9"), default="")
    count: int = option(Kind.INTEGER, text("How many independent pictures"), default=1, low=1, high=4)
    format: str = option(
        Kind.CHOICE, text("The file's format, where the model lets one choose"), default="", choices=("jpeg", "png")
    )
    watermark: bool | None = option(Kind.SWITCH, text("Put the provider's mark on the picture"), default=None)
    private: bool | None = option(Kind.SWITCH, text("Show it to you alone, where the platform can"), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit(Imagine):
    prompt: str = option(Kind.WORDS, text("What to change; “image 1”, “image 2” mean the pictures in order"))
    images: tuple[Attachment, ...] = option(Kind.IMAGES, text("The picture to change"), low=1, high=MOST_PICTURES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blend(Imagine):
    prompt: str = option(Kind.WORDS, text("How to bring them together; “image 1”, “image 2” mean them in order"))
    images: tuple[Attachment, ...] = option(Kind.IMAGES, text("A picture to blend"), low=2, high=MOST_PICTURES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series(Imagine):
    prompt: str = option(Kind.WORDS, text("What the pictures tell, one after the other"))
    count: int = option(Kind.INTEGER, text("How many pictures, at most"), low=1, high=15)


_NEEDS = {Mode.IMAGINE: 0, Mode.EDIT: 1, Mode.BLEND: 2, Mode.SERIES: 0}


@dataclass(frozen=True, kw_only=True)
class Making:
    drawing: Drawing

    async def make(self, mode: Mode, request: Imagine, asking: Asking) -> Answer:
        wanted = Wanted(
            mode=mode,
            prompt=request.prompt,
            model=request.model,
            size=request.size,
            ratio=request.ratio,
            count=request.count,
            format=request.format,
            watermark=request.watermark,
            private=request.private,
            pictures=request.images,
            needs=_NEEDS[mode],
        )
        return await self.drawing.draw(asking, wanted, asking.quote)


def commands(drawing: Drawing) -> tuple[Command, ...]:
    making = Making(drawing=drawing)
    models = drawing.catalogue.models(drawing.provider)
    offered = {
        "model": tuple(model.name for model in models),
        "size": tuple(dict.fromkeys(tier for model in models for tier in model.tiers)),
        "ratio": tuple(dict.fromkeys(ratio for model in models for table in model.tiers.values() for ratio in table)),
    }
    return (
        Command(
            name="imagine",
            summary=text("Draw pictures from words"),
            request=Imagine,
            handle=partial(making.make, Mode.IMAGINE),
            aliases=("画", "draw"),
            suggestions=offered,
            examples=("/imagine a red fox in the snow --ratio 16:9", "/画 雪中的红狐狸 --count 2"),
        ),
        Command(
            name="edit",
            summary=text("Change a picture: attach it or reply to it"),
            request=Edit,
            handle=partial(making.make, Mode.EDIT),
            aliases=("改图",),
            suggestions=offered,
            examples=("/edit make it night",),
        ),
        Command(
            name="blend",
            summary=text("Make one picture out of several"),
            request=Blend,
            handle=partial(making.make, Mode.BLEND),
            aliases=("融合",),
            suggestions=offered,
            examples=("/blend put the cat of image 1 into the room of image 2",),
        ),
        Command(
            name="series",
            summary=text("Draw pictures that belong together"),
            request=Series,
            handle=partial(making.make, Mode.SERIES),
            aliases=("组图",),
            suggestions=offered,
            examples=("/series one day in a harbour --count 4",),
        ),
    )
