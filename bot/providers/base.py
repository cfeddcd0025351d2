"""The provider port: one paid request in, events out.

A provider is asked through `generate`, an asynchronous iterator of events. The caller has committed that the request
is being sent before it takes the first event. A provider sends ONE paid request per `generate`, and again only what
its other side certainly takes for the same one.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bot.catalogue import Model
from bot.errors import ProviderError


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPicture:
    """A reference as bytes on this machine, ready to be put into a request.

    link: where it can be fetched from outside as well, for as long as any provider may want it; "" for nowhere.
    """

    path: Path
    media_type: str
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One paid request. `id` (generation id and job number) is stable over restarts, for idempotency keys.

    images: how many pictures may come; above 1 only for a series or layers.
    folder: where files of `Produced` events are written; the caller owns and removes them.
    size: a tier of the model or `WxH`; ratio: "" for none wanted, "match" for that of the first reference, else the
    table's, and then `size` is already the `WxH` for it.
    seed, guidance: None leaves it to the model; optimize, background, format: "" likewise.
    layers: take the one reference apart into layers; there may be no prompt then.
    """

    id: str
    model: Model
    prompt: str
    size: str
    folder: Path
    images: int = 1
    series: bool = False
    references: tuple[InputPicture, ...] = ()
    ratio: str = ""
    format: str = ""
    watermark: bool = False
    optimize: str = ""
    background: str = ""
    search: bool = False
    seed: int | None = None
    guidance: float | None = None
    layers: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """What has to be the same if this request is sent again after a restart. Nothing paid has left before it.

    Only providers that are `idempotent` give it.
    """

    ticket: str


@dataclass(frozen=True, slots=True)
class Submitted:
    """The provider has taken the request under this ticket; asked again with it after a restart."""

    ticket: str


@dataclass(frozen=True, slots=True)
class Progress:
    fraction: float


@dataclass(frozen=True, slots=True)
class Produced:
    """A whole, sniffed PNG, JPEG or WebP in a file of its own. `index` counts from 0 and may skip.

    title: what the provider calls it (a layer's name). cost: micro-USD, where the provider says what it charged.
    """

    index: int
    file: Path
    media_type: str
    width: int
    height: int
    title: str = ""
    cost: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """One picture of several did not come; `error.billed` says whether the provider charges for it."""

    index: int
    error: ProviderError


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is complete. images: what the provider says it bills, where it says so."""

    images: int | None = None
    request_id: str = ""


Event = Prepared | Submitted | Progress | Produced | Rejected | Finished


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What a free question brought. told: for the operator, without secrets; credits: what is left, where told.

    models: the wire ids that it lists, () where it lists none.
    """

    well: bool
    told: str
    credits: int | None = None
    models: tuple[str, ...] = ()


class Provider(Protocol):
    """idempotent: how many seconds long a request that is sent again under its `Job.id` is certainly the same one to
    the other side; 0 where it never is.
    """

    name: str
    idempotent: float

    def generate(self, job: Job, ticket: str = "") -> AsyncGenerator[Event, None]:
        """Ask for the pictures of one job; ends with `Finished`, or raises a `ProviderError`.

        Pictures already given before an error was raised are real and stay. Leaving early gives up waiting:
        the outcome is then unknown. With the ticket of `Submitted` nothing is submitted: the earlier submission is
        followed. With that of `Prepared` the same request is sent again.
        """
        ...

    async def probe(self) -> Probed:
        """Ask a question that costs nothing: is it there, is the key good, what is left? Never raises."""
        ...
