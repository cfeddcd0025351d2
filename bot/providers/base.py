"""The provider port: one paid request in, events out.

A provider is asked through `generate`, an asynchronous iterator of events. The caller has committed that the request
is being sent before it takes the first event. A provider sends ONE paid request per `generate`, never again by itself.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bot.catalogue import Model
from bot.errors import ProviderError


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPicture:
    """A reference as bytes on this machine, ready to be put into a request."""

    path: Path
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One paid request. `id` (generation id and job number) is stable over restarts, for idempotency keys.

    images: how many pictures may come; above 1 only for a series.
    folder: where files of `Produced` events are written; the caller owns and removes them.
    """

    id: str
    model: Model
    prompt: str
    size: str
    folder: Path
    images: int = 1
    series: bool = False
    references: tuple[InputPicture, ...] = ()
    format: str = ""
    watermark: bool = False


@dataclass(frozen=True, slots=True)
class Submitted:
    """The provider has taken the request under this ticket; asked again with it after a restart."""

    ticket: str


@dataclass(frozen=True, slots=True)
class Progress:
    fraction: float


@dataclass(frozen=True, slots=True)
class Produced:
    """A whole, sniffed PNG, JPEG or WebP in a file of its own. `index` counts from 0 and may skip."""

    index: int
    file: Path
    media_type: str
    width: int
    height: int


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


Event = Submitted | Progress | Produced | Rejected | Finished


class Provider(Protocol):
    name: str

    def generate(self, job: Job, ticket: str = "") -> AsyncGenerator[Event, None]:
        """Ask for the pictures of one job; ends with `Finished`, or raises a `ProviderError`.

        Pictures already given before an error was raised are real and stay. Leaving early gives up waiting:
        the outcome is then unknown. With a ticket nothing is submitted: the earlier submission is followed.
        """
        ...
