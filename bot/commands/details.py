"""Everything about one generation as a table, with links to what it came from and what came of it."""

from collections.abc import Callable

from bot.chat import Button, Reply
from bot.clock import moment
from bot.generation.presenting import spent
from bot.generation.record import Generation, Image
from bot.i18n import Link, Money, Text, text, verbatim
from bot.request import ImageRequest, Mode
from bot.storage.connection import Connection

MOST_CHILDREN = 5

Address = Callable[[str, int], str]


def details(connection: Connection, generation: Generation, provider: str, address: Address | None = None) -> Reply:
    """provider: its name, to be shown. address: where the picture of an index can be seen as it is, if anywhere."""
    rows, buttons = lineage(connection, generation)
    return Reply(
        text=text("Details of {id}", id=generation.id),
        prompt=generation.request.prompt,
        rows=(
            *_request_rows(generation, provider),
            *_result_rows(generation),
            *_original_rows(generation, address),
            *rows,
        ),
        buttons=buttons,
        private=True,
    )


def lineage(connection: Connection, generation: Generation) -> tuple[tuple[tuple[Text, Text], ...], tuple[Button, ...]]:
    """What it came from and what came of it, as rows and as buttons that show it."""
    rows, buttons = [], []
    if generation.parent:
        rows.append((text("Made from"), verbatim(f"{generation.parent}:{generation.parent_index}")))
        label = text("Show {id}, which this was made from", id=generation.parent)
        buttons.append(Button(command="show", generation=generation.parent, label=label))
    children = connection.rows(
        "SELECT id FROM generations WHERE parent=:id AND deleted_at=0 AND private=0 ORDER BY seq LIMIT :most",
        id=generation.id,
        most=MOST_CHILDREN,
    )
    if children:
        rows.append((text("Made from this"), verbatim(", ".join(child["id"] for child in children))))
    for child in children:
        label = text("Show {id}, made from this", id=child["id"])
        buttons.append(Button(command="show", generation=child["id"], label=label))
    return tuple(rows), tuple(buttons)


def _request_rows(generation: Generation, provider: str) -> list[tuple[Text, Text]]:
    request = generation.request
    rows = [
        (text("Made by"), verbatim(generation.person_name)),
        (text("Model"), verbatim(request.model)),
        (text("Provider"), verbatim(provider)),
        (text("Size asked for"), verbatim(request.size)),
    ]
    if request.ratio:
        rows.append((text("Ratio"), verbatim(request.ratio)))
    wanted = text("Layers at most") if request.mode is Mode.LAYERS else text("Pictures asked for")
    rows.append((wanted, verbatim(str(request.count))))
    if request.references:
        rows.append((text("Pictures given"), verbatim(str(len(request.references)))))
    rows.extend(_option_rows(request))
    rows.append((text("Watermark"), text("yes") if request.watermark else text("no")))
    return rows


def _option_rows(request: ImageRequest) -> list[tuple[Text, Text]]:
    """What was chosen where a model lets one choose."""
    chosen = (
        (text("Format"), request.format),
        (text("Prompt optimisation"), request.optimize),
        (text("Background"), request.background),
        (text("Seed"), "" if request.seed is None else str(request.seed)),
        (text("Guidance"), "" if request.guidance is None else f"{request.guidance:g}"),
    )
    rows = [(label, verbatim(value)) for label, value in chosen if value]
    return [*rows, (text("Search on the web"), text("yes"))] if request.search else rows


def _result_rows(generation: Generation) -> list[tuple[Text, Text]]:
    rows = [
        (
            text("Picture {number}", number=f"{generation.id}:{image.index}"),
            verbatim(_told(image)),
        )
        for image in generation.images
    ]
    rows.append((text("Cost"), verbatim(str(Money(generation.cost)))))
    if generation.given_back:
        rows.append((text("Given back"), text("yes")))
    rows.append((text("Asked at"), text("{time}", time=moment(generation.created_at))))
    if generation.finished_at and generation.started_at:
        rows.append((text("Took"), spent(generation)))
    rows.append((text("State"), state_name(generation)))
    return rows


def _original_rows(generation: Generation, address: Address | None) -> list[tuple[Text, Text]]:
    kept = [image.index for image in generation.images if image.state == "made"]
    if address is None or not kept:
        return []
    links = tuple(Link(f"{generation.id}:{index}", address(generation.id, index)) for index in kept)
    label = text("The originals") if len(links) > 1 else text("The original")
    return [(label, Text("{words}", {"words": links}))]


def state_name(generation: Generation) -> Text:
    if generation.images and generation.review in ("waiting", "refused"):
        return text("waits for a review") if generation.review == "waiting" else text("refused by an admin")
    names = {
        "asked": text("waits for your yes"),
        "queued": text("in line"),
        "running": text("being drawn"),
        "sending": text("being drawn"),
        "submitted": text("being drawn"),
        "settled": text("done"),
        "failed": text("failed"),
        "refused": text("refused"),
        "cancelled": text("cancelled"),
        "unknown": text("unknown outcome"),
    }
    return names[str(generation.state)]


def _told(image: Image) -> str:
    kind = image.media_type.removeprefix("image/").upper()
    facts = (image.title, f"{image.width}×{image.height}", kind, _bytes(image.size))
    return ", ".join(filter(None, facts))


def _bytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 1024:.0f} KiB"
