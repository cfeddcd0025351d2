"""Whether a model, as one provider offers it, can serve a request, and what it may cost. Pure, and asked twice.

When a request is taken on, it decides what a person is told; when a provider is busy, who may step in.
"""

from collections.abc import Iterable
from dataclasses import replace

from bot.catalogue import InputLimits, Model
from bot.catalogue.sizes import MATCH, price, sides, takes, takes_exactly
from bot.errors import UsageError
from bot.i18n import Text, plural, text
from bot.request import ImageRequest, Mode, Reference

# No provider states a hard limit; nobody means more, and it keeps a pasted book out of the request.
MOST_PROMPT = 4000
LEAST_LAYERED = 262_144  # pixels of a picture that is taken apart
LAYERED_FORMATS = ("png", "jpeg")


def check(model: Model, request: ImageRequest) -> None:
    """Raises `UsageError` with the first reason why not. `providers` and `model` of the request are not looked at."""
    check_asked(model, request, len(request.references))
    for reference in request.references:
        _check_reference(model, request.mode, reference)
    transparent = request.background == "transparent" and model.alpha_for_transparent
    if transparent and not request.references[0].alpha:
        raise _needs_transparent(model)


def check_asked(model: Model, request: ImageRequest, given: int) -> None:
    """What `check` can tell before the pictures are read, of which there will be so many."""
    _check_prompt(model, request)
    _check_mode(model, request, given)
    _check_count(model, given)
    _check_size(model, request)
    _check_options(model, request, given)


def serves(model: Model, request: ImageRequest) -> bool:
    try:
        check(model, request)
    except UsageError:
        return False
    return True


def serving(offers: Iterable[Model], request: ImageRequest) -> tuple[Model, ...]:
    return tuple(model for model in offers if serves(model, request))


def cost(model: Model, request: ImageRequest) -> int:
    """The most that all of it can cost, in micro-USD."""
    return picture_cost(model, request.size, request) * request.count


def picture_cost(model: Model, size: str, request: ImageRequest) -> int:
    """What one picture of this size costs, in micro-USD; for a bare tier, the most that it can."""
    whole = price(model, size, len(request.references))
    return -(-whole * model.layer_price_percent // 100) if request.mode is Mode.LAYERS else whole


def inputs(model: Model, mode: Mode) -> InputLimits:
    """What a reference must be for such a request."""
    if mode is not Mode.LAYERS:
        return model.inputs
    formats = tuple(each for each in model.inputs.formats if each in LAYERED_FORMATS)
    return replace(model.inputs, formats=formats)


def _check_prompt(model: Model, request: ImageRequest) -> None:
    most = model.prompt_limit or MOST_PROMPT
    if not request.prompt.strip() and request.mode is not Mode.LAYERS:
        raise UsageError(text("Say what to draw, or what to change in the picture."))
    if len(request.prompt) > most:
        raise UsageError(
            text(
                "These words are too long: {length} characters, and {model} takes at most {most}.",
                length=len(request.prompt),
                model=model.name,
                most=most,
            )
        )


def _check_mode(model: Model, request: ImageRequest, given: int) -> None:
    match request.mode:
        case Mode.LAYERS:
            _check_layers(model, request, given)
        case Mode.SERIES if not model.series:
            raise UsageError(text("{model} draws no series.", model=model.name))
        case Mode.SERIES if given + request.count > model.series_total:
            raise UsageError(
                text(
                    "Pictures given and pictures wanted may be {most} together at most;"
                    " here they are {given} and {count}.",
                    most=model.series_total,
                    given=given,
                    count=request.count,
                )
            )


def _check_layers(model: Model, request: ImageRequest, given: int) -> None:
    if not model.layers:
        raise UsageError(text("{model} takes no picture apart into layers.", model=model.name))
    if request.count < model.layers:
        raise UsageError(text("{model} may make {most} layers.", model=model.name, most=model.layers))
    if given != 1:
        raise UsageError(text("One picture is taken apart at a time; here there are {given}.", given=given))
    if sides(request.size):
        raise UsageError(text("Layers come in a size such as {tier}, not in exact pixels.", tier=model.default_tier))


def _check_count(model: Model, given: int) -> None:
    if given > model.references:
        raise UsageError(
            text("{model} takes at most {most}; you gave {given}.", model=model.name, most=seen(model), given=given)
        )


def seen(model: Model) -> Text:
    """How many pictures the model looks at, in words."""
    return plural("{count} picture", "{count} pictures", model.references)


def _check_reference(model: Model, mode: Mode, reference: Reference) -> None:
    taken, aspect, count = inputs(model, mode), reference.width / reference.height, reference.width * reference.height
    if mode is Mode.LAYERS and count < LEAST_LAYERED:
        raise UsageError(
            text(
                "This picture is too small to be taken apart: it has {count} pixels and needs {least}.",
                count=f"{count:,}",
                least=f"{LEAST_LAYERED:,}",
            )
        )
    fits = (
        reference.media_type.removeprefix("image/") in taken.formats
        and reference.size <= taken.max_bytes
        and count <= taken.max_pixels
        and min(reference.width, reference.height) >= taken.min_side
        and taken.min_aspect <= aspect <= taken.max_aspect
    )
    if not fits:
        raise UsageError(text("{model} does not take a picture like the one given.", model=model.name))


def _check_size(model: Model, request: ImageRequest) -> None:
    exact = sides(request.size)
    if exact is None:
        if request.size not in model.tiers:
            raise UsageError(text("{size} is not a size here: {takes}.", size=request.size, takes=takes(model)))
        return
    matched = request.ratio == MATCH and model.matches
    if not matched and not takes_exactly(model, *exact):
        raise UsageError(text("{size} is not a size here: {takes}.", size=request.size, takes=takes(model)))


def _check_options(model: Model, request: ImageRequest, given: int) -> None:
    """Background before format: a transparent one is why the format is png."""
    _check_choice(model, "background", request.background, model.backgrounds)
    if request.background == "transparent":
        _check_transparent(model, request, given)
    _check_choice(model, "format", request.format, model.formats)
    _check_choice(model, "optimize", request.optimize, model.optimize)
    if request.search and not model.search:
        raise UsageError(text("{model} cannot search the web.", model=model.name))
    if request.seed is not None and not model.seed:
        raise UsageError(text("{model} takes no seed.", model=model.name))
    if request.guidance is not None:
        _check_guidance(model, request.guidance)


def _check_choice(model: Model, name: str, wanted: str, offered: tuple[str, ...]) -> None:
    if not wanted or wanted in offered:
        return
    said = {"model": model.name, "option": name, "wanted": wanted}
    if not offered:
        raise UsageError(text("{model} has no {option} to choose.", **said))
    raise UsageError(text("{option} can be {offered} with {model}, not {wanted}.", **said, offered=offered))


def _check_transparent(model: Model, request: ImageRequest, given: int) -> None:
    if request.format and request.format != "png":
        raise UsageError(text("A transparent background needs the format png."))
    if model.alpha_for_transparent and given != 1:
        raise _needs_transparent(model)


def _needs_transparent(model: Model) -> UsageError:
    return UsageError(
        text("{model} can only keep a transparent background: give it one picture that has one.", model=model.name)
    )


def _check_guidance(model: Model, wanted: float) -> None:
    if not model.guidance:
        raise UsageError(text("{model} takes no guidance.", model=model.name))
    least, most = model.guidance
    if not least <= wanted <= most:
        raise UsageError(
            text(
                "{model} takes a guidance from {least} to {most}, not {wanted}.",
                model=model.name,
                least=f"{least:g}",
                most=f"{most:g}",
                wanted=f"{wanted:g}",
            )
        )
