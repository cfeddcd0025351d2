"""The commands that make pictures: /imagine, /edit, /blend, /series, /layers."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from bot.asking import Answer, Asking
from bot.catalogue import Model
from bot.catalogue.sizes import MATCH
from bot.chat import Attachment
from bot.command import Command, Kind, option
from bot.commands.choice import Allows, every_offer
from bot.commands.drawing import Drawing
from bot.commands.wanted import Wanted
from bot.i18n import text
from bot.request import Mode

MOST_PICTURES = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Imagine:
    prompt: str = option(Kind.WORDS, text("What to draw, in your own words"))
    images: tuple[Attachment, ...] = option(Kind.IMAGES, text("A picture to go by"), high=MOST_PICTURES)
    model: str = option(Kind.CHOICE, text("Which Seedream model draws; /models lists them"), default="")
    size: str = option(Kind.CHOICE, text("A size that the model has, such as 2K or 4K, or WxH in pixels"), default="")
    ratio: str = option(
        Kind.CHOICE, text("Width to height, such as 16:9; “match” takes that of the picture given"), default=""
    )
    count: int = option(Kind.INTEGER, text("How many independent pictures"), default=1, low=1, high=4)
    format: str = option(
        Kind.CHOICE, text("The file's format, where the model lets one choose"), default="", choices=("jpeg", "png")
    )
    optimize: str = option(Kind.CHOICE, text("How the model improves your words before it draws"), default="")
    background: str = option(Kind.CHOICE, text("The background; a transparent one makes a PNG"), default="")
    search: bool = option(Kind.SWITCH, text("Let the model search the web first"), default=False)
    seed: int | None = option(
        Kind.INTEGER, text("A number that makes the same words draw alike"), default=None, low=0, high=2**31 - 1
    )
    guidance: float | None = option(
        Kind.NUMBER, text("How closely the picture keeps to the words"), default=None, low=1, high=10
    )
    watermark: bool | None = option(Kind.SWITCH, text("Put the provider's mark on the picture"), default=None)
    private: bool | None = option(Kind.SWITCH, text("Show it to you alone, where the platform can"), default=None)
    team: str = option(
        Kind.CHOICE,
        text("For which of your teams; “none” is for yourself"),
        default="",
        suggestions=("none",),
    )


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    prompt: str = option(Kind.WORDS, text("What to separate, if not everything"), default="")
    image: tuple[Attachment, ...] = option(Kind.IMAGES, text("The picture to take apart"), low=1, high=1)
    model: str = option(Kind.CHOICE, text("Which Seedream model does it; /models lists them"), default="")
    size: str = option(Kind.CHOICE, text("A size that the model has, such as 2K"), default="")
    watermark: bool | None = option(Kind.SWITCH, text("Put the provider's mark on the picture"), default=None)
    private: bool | None = option(Kind.SWITCH, text("Show it to you alone, where the platform can"), default=None)
    team: str = option(
        Kind.CHOICE,
        text("For which of your teams; “none” is for yourself"),
        default="",
        suggestions=("none",),
    )


_NEEDS = {Mode.IMAGINE: 0, Mode.EDIT: 1, Mode.BLEND: 2, Mode.SERIES: 0}


@dataclass(frozen=True, kw_only=True)
class Making:
    drawing: Drawing

    async def make(self, mode: Mode, request: Imagine, asking: Asking) -> Answer:
        return await self.drawing.draw(asking, _wanted(mode, request), asking.quote)

    def foresee(self, mode: Mode, request: Imagine, own: Mapping[str, str], allows: Allows) -> None:
        self.drawing.foresee(_wanted(mode, request), own, allows)

    async def take_apart(self, request: Layers, asking: Asking) -> Answer:
        return await self.drawing.draw(asking, _layered(request), asking.quote)

    def foresee_layers(self, request: Layers, own: Mapping[str, str], allows: Allows) -> None:
        self.drawing.foresee(_layered(request), own, allows)


def _wanted(mode: Mode, request: Imagine) -> Wanted:
    return Wanted(
        mode=mode,
        prompt=request.prompt,
        model=request.model,
        size=request.size,
        ratio=request.ratio,
        count=request.count,
        format=request.format,
        optimize=request.optimize,
        background=request.background,
        search=request.search,
        seed=request.seed,
        guidance=request.guidance,
        watermark=request.watermark,
        private=request.private,
        team=request.team,
        pictures=request.images,
        needs=_NEEDS[mode],
    )


def _layered(request: Layers) -> Wanted:
    return Wanted(
        mode=Mode.LAYERS,
        prompt=request.prompt,
        model=request.model,
        size=request.size,
        watermark=request.watermark,
        private=request.private,
        team=request.team,
        pictures=request.image,
        needs=1,
    )


def commands(drawing: Drawing) -> tuple[Command, ...]:
    """/layers exists only where a configured model takes pictures apart."""
    making = Making(drawing=drawing)
    offers = every_offer(drawing.router)
    layered = tuple(offer for offer in offers if offer.layers)
    return (*_drawing(making, offers), *([_layers(making, layered)] if layered else []))


def hidden(offers: Collection[Model]) -> frozenset[str]:
    """The options that do not exist here, because no configured model has them or has anything to choose there."""
    found = {
        "format": any(len(offer.formats) > 1 for offer in offers),
        "optimize": any(len(offer.optimize) > 1 for offer in offers),
        "background": any(offer.backgrounds for offer in offers),
        "search": any(offer.search for offer in offers),
        "seed": any(offer.seed for offer in offers),
        "guidance": any(offer.guidance for offer in offers),
    }
    return frozenset(name for name, here in found.items() if not here)


def optimisations(offers: Iterable[Model]) -> tuple[str, ...]:
    """What can be chosen somewhere; a model with a single way has none to choose."""
    return _together(offer.optimize for offer in offers if len(offer.optimize) > 1)


def _sizes(offers: Iterable[Model]) -> tuple[str, ...]:
    """Every tier, the smallest first: 1K, 1.5K, 2K."""
    return tuple(sorted(_together(offer.tiers for offer in offers), key=lambda tier: float(tier.rstrip("K"))))


def _together(values: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for some in values for each in some))


def _layers(making: Making, offers: Collection[Model]) -> Command:
    return Command(
        name="layers",
        summary=text("Take a picture apart into layers: attach it or reply to it"),
        request=Layers,
        handle=making.take_apart,
        foresee=making.foresee_layers,
        aliases=("图层",),
        suggestions={
            "model": _together((offer.name,) for offer in offers),
            "size": _sizes(offers),
        },
        examples=("/layers the fox and the trees", "/图层 狐狸和树林"),
    )


def _drawing(making: Making, offers: Collection[Model]) -> tuple[Command, ...]:
    suggestions = {
        "model": _together((offer.name,) for offer in offers),
        "size": _sizes(offers),
        "ratio": (*_together(table for offer in offers for table in offer.tiers.values()), MATCH),
    }
    choices = {
        "optimize": optimisations(offers),
        "background": _together(offer.backgrounds for offer in offers),
    }
    command = partial(Command, suggestions=suggestions, choices=choices, hidden=hidden(offers))
    return (
        command(
            name="imagine",
            summary=text("Draw pictures from words"),
            request=Imagine,
            handle=partial(making.make, Mode.IMAGINE),
            foresee=partial(making.foresee, Mode.IMAGINE),
            aliases=("画", "draw"),
            examples=("/imagine a red fox in the snow --ratio 16:9", "/画 雪中的红狐狸 --count 2"),
        ),
        command(
            name="edit",
            summary=text("Change a picture: attach it or reply to it"),
            request=Edit,
            handle=partial(making.make, Mode.EDIT),
            foresee=partial(making.foresee, Mode.EDIT),
            aliases=("改图",),
            examples=("/edit make it night",),
        ),
        command(
            name="blend",
            summary=text("Make one picture out of several"),
            request=Blend,
            handle=partial(making.make, Mode.BLEND),
            foresee=partial(making.foresee, Mode.BLEND),
            aliases=("融合",),
            examples=("/blend put the cat of image 1 into the room of image 2",),
        ),
        command(
            name="series",
            summary=text("Draw pictures that belong together"),
            request=Series,
            handle=partial(making.make, Mode.SERIES),
            foresee=partial(making.foresee, Mode.SERIES),
            aliases=("组图",),
            examples=("/series one day in a harbour --count 3",),
        ),
    )
