"""Providers that speak the Images API as ModelArk does: `POST /images/generations`, answered at once or as a stream.

One paid request per `generate`. What costs nothing, fetching a finished picture, is tried a few times.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import structlog

from bot.errors import AnswerBroken, OutcomeUnknown, PictureError, ProviderBusy, ProviderError
from bot.providers.answer import AnswerReader, BrokenAnswer
from bot.providers.base import Event, Finished, Job, Probed, Rejected
from bot.providers.pictures import Fetcher, Pictures, store_base64, unusable
from bot.providers.refusals import (
    entries_of,
    error_in,
    item_refusal,
    listed,
    plain,
    refusal,
    refused_empty,
    seconds_of,
    whole_refusal,
)
from bot.providers.sse import Decoder, FrameTooLong, read_ahead
from bot.providers.transport import MOST_ERROR, UPLOAD_RATE, Answer, Transport
from bot.providers.upload import Upload, upload

log = structlog.get_logger(__name__)

MOST_LIST = 4 * 1024 * 1024  # a gateway lists hundreds of models
MOST_TITLE = 80
LONGEST_LAYERS = 600.0  # seconds, as the vendor's own SDK waits; nobody says how long so many layers take
QUICK = 2.0  # seconds; a server error that soon comes from before the drawing
_PATH = "/images/generations"


class ImagesApi:
    """One provider.

    hosts: where its links may point. backup_url: asked where no connection to the first address came about.
    free_question: the path under the address whose GET costs nothing, "" where there is none.
    retry_quick: take a server error within `QUICK` seconds for "not accepted", so that the request may be sent again.
    pause: seconds before a download is tried again. monotonic: seconds since any moment.
    """

    idempotent = 0.0

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        api_key: str,
        transport: Transport,
        fetcher: Fetcher,
        hosts: tuple[str, ...] = (),
        backup_url: str = "",
        free_question: str = "",
        retry_quick: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        pause: float = 1.0,
    ) -> None:
        self.name = name
        self._url = base_url.rstrip("/") + _PATH
        self._backup = backup_url.rstrip("/") + _PATH if backup_url else ""
        self._key = api_key
        self._transport = transport
        self._downloads = Pictures(fetcher=fetcher, hosts=hosts, pause=pause)
        self._free_question = free_question
        self._retry_quick = retry_quick
        self._clock = clock
        self._monotonic = monotonic

    async def generate(self, job: Job, ticket: str = "") -> AsyncGenerator[Event, None]:
        """There are no tickets here: what was sent before a restart cannot be followed."""
        if ticket:
            raise OutcomeUnknown(detail="this provider gives no tickets")
        body = await asyncio.to_thread(upload, job)
        async with self._sent(job, body) as (answer, took):
            if not 200 <= answer.status < 300:
                raise await self._refusal(job, answer, took)
            log.info("provider answers", provider=self.name, status=answer.status, request_id=answer.request_id)
            if answer.media_type == "text/event-stream":
                async with aclosing(self._stream(job, answer)) as events:
                    async for event in events:
                        yield event
                return
            data, reader = await self._read(job, answer)
        async for event in self._pictures(job, data, reader, answer.request_id):
            yield event

    async def probe(self) -> Probed:
        """Where there is no free question, an empty request, which is certainly refused, for what it lacks."""
        told = ""
        for url in filter(None, (self._url, self._backup)):
            try:
                probed = await self._probed(url)
            except ProviderBusy:
                told += f"no connection to {_host(url)}; "
            except ProviderError:
                return Probed(well=False, told=f"{told}no answer from {_host(url)}")
            except ValueError:  # a line break in the key, a user's name in the address
                return Probed(well=False, told=f"{told}the key or the address cannot stand in a request")
            else:
                return replace(probed, told=told + probed.told)
        return Probed(well=False, told=told.removesuffix("; "))

    async def _probed(self, url: str) -> Probed:
        if self._free_question:
            address = url.removesuffix(_PATH) + self._free_question
            async with self._transport.ask("GET", address, headers=self._headers()) as answer:
                return listed(answer.status, await answer.read(MOST_LIST), hide=(self._key,))
        async with self._transport.ask("POST", url, headers=self._headers(), data=b"{}") as answer:
            return refused_empty(answer.status, await answer.read(MOST_ERROR), hide=(self._key,))

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}

    @asynccontextmanager
    async def _sent(self, job: Job, body: Upload) -> AsyncIterator[tuple[Answer, float]]:
        """The answer, and the seconds until it began, the upload's included. At most one address reads the request."""
        async with AsyncExitStack() as stack:
            begun = self._monotonic()
            try:
                answer = await stack.enter_async_context(self._post(self._url, job, body))
            except ProviderBusy as error:
                if not (error.unreachable and self._backup):
                    raise
                log.warning("no connection, the backup address is asked", provider=self.name)
                begun = self._monotonic()
                answer = await stack.enter_async_context(self._post(self._backup, job, body))
            yield answer, self._monotonic() - begun

    def _post(self, url: str, job: Job, body: Upload) -> AbstractAsyncContextManager[Answer]:
        seconds = _drawing_seconds(job) + body.size / UPLOAD_RATE
        return self._transport.post(url, headers=self._headers(), body=body.chunks(), size=body.size, seconds=seconds)

    async def _refusal(self, job: Job, answer: Answer, took: float) -> ProviderError:
        wait, now = answer.header("Retry-After"), self._clock()
        error = refusal(
            answer.status,
            await answer.read(MOST_ERROR),
            retry_after=wait,
            request_id=answer.request_id,
            now=now,
            hide=self._hidden(job),
        )
        if self._retry_quick and answer.status >= 500 and took <= QUICK and isinstance(error, OutcomeUnknown):
            return ProviderBusy(retry_after=seconds_of(wait, now), detail=f"{error.detail}, after {took:.1f} s")
        return error

    def _hidden(self, job: Job) -> tuple[str, ...]:
        """What a server must not bring into our logs or before other people by saying it back."""
        return (self._key, job.prompt)

    async def _read(self, job: Job, answer: Answer) -> tuple[dict[str, Any], AnswerReader]:
        reader = AnswerReader(lambda number: job.folder / f"answer-{number}", most_pictures=job.images)
        try:
            async for chunk in answer.chunks():
                reader.feed(chunk)
            data = reader.close()
        except BrokenAnswer as error:
            raise AnswerBroken(detail=f"{error}, {answer.media_type}, request {answer.request_id}") from error
        except OSError as error:
            raise AnswerBroken(detail=f"could not be stored: {error.strerror}") from error
        finally:
            reader.abandon()
        return (data if isinstance(data, dict) else {}), reader

    async def _pictures(
        self, job: Job, data: dict[str, Any], reader: AnswerReader, request_id: str
    ) -> AsyncGenerator[Event, None]:
        """Each entry is a picture or an error of its own; there may be fewer of them than were asked for."""
        entries = entries_of(data, request_id=request_id, hide=self._hidden(job))
        if job.layers:
            entries = _bottom_first(entries)
        for index, entry in enumerate(entries[: job.images]):
            yield await self._picture(job, index, entry, request_id, reader)
        if len(entries) > job.images:
            log.warning("more pictures than asked for", asked=job.images, came=len(entries), request_id=request_id)
        yield Finished(_billed(data), request_id)

    async def _stream(self, job: Job, answer: Answer) -> AsyncGenerator[Event, None]:
        """A series, each picture as soon as it is made. Without its last frame nobody knows what else was drawn."""
        left, request_id = set(range(job.images)), answer.request_id
        try:
            # Some gateways put base64 into frames unasked; the rest of one is small.
            async for event in read_ahead(self._frames(answer), weight=lambda one: len(str(one.get("b64_json", "")))):
                match event:
                    case {"type": "partial_succeeded" | "partial_failed", "image_index": int(index)} if index in left:
                        left.remove(index)
                        if error_in(event).get("code") == "InternalServiceError":
                            left.clear()  # the rest is not drawn; moderation concerns its own picture only
                        yield await self._picture(job, index, event, request_id)
                    case {"type": "partial_succeeded" | "partial_failed"}:
                        log.warning("a picture twice, or not asked for", provider=self.name, request_id=request_id)
                    case {"type": "completed"} if len(left) < job.images:
                        yield Finished(_billed(event), request_id)
                        return
                    case {"error": error} | ({"type": "error"} as error) if error:
                        refused = whole_refusal(error, request_id=request_id, hide=self._hidden(job))
                        if len(left) == job.images or (left and refused.billed is None):
                            raise refused
                        for index in sorted(left):
                            yield Rejected(index, refused)
                        left.clear()
                    case {"type": "completed"}:
                        raise AnswerBroken(detail=f"no picture, request {request_id}")
        except OutcomeUnknown:
            if left:
                raise
        if left:
            raise OutcomeUnknown(detail=f"stream ended with {len(left)} pictures to come, request {request_id}")
        yield Finished(None, request_id)

    async def _frames(self, answer: Answer) -> AsyncGenerator[dict[str, Any], None]:
        """Each frame's JSON, `type` cut to its last word. What is not JSON shows at the end, as a picture missing."""
        decoder = Decoder()
        async for chunk in answer.chunks():
            try:
                frames = list(decoder.feed(chunk))
            except FrameTooLong as error:
                raise OutcomeUnknown(detail=str(error)) from error
            for frame in frames:
                if frame.data.strip() == "[DONE]":
                    return
                event = frame.json()
                if event is None:
                    log.warning("a frame that is not JSON", provider=self.name, request_id=answer.request_id)
                else:
                    yield {**event, "type": str(event.get("type") or frame.event).removeprefix("image_generation.")}

    async def _picture(
        self, job: Job, index: int, entry: Any, request_id: str, reader: AnswerReader | None = None
    ) -> Event:
        file = job.folder / f"picture-{index}"
        if refused := error_in(entry):
            return Rejected(index, item_refusal(refused, request_id=request_id, hide=self._hidden(job)))
        try:
            match entry:
                case {"b64_json": str(value)} if reader and (decoded := reader.decoded(value)):
                    file, base64 = decoded
                    if base64.broken:
                        raise PictureError(unusable(), detail=base64.broken)
                case {"b64_json": str(value)} if value:
                    await asyncio.to_thread(store_base64, file, value)
                case {"url": str(url)} if url:
                    await self._downloads.fetch(url, file)
                case _:
                    return Rejected(index, AnswerBroken(detail=f"neither picture nor error, request {request_id}"))
            title = _title(entry, hide=(self._key,)) if job.layers else ""
            return await self._downloads.produced(index, file, title=title)
        except PictureError as error:
            return Rejected(index, AnswerBroken(detail=f"{error.detail}, request {request_id}"))


def _drawing_seconds(job: Job) -> float:
    seconds = job.model.timeout + job.model.timeout_per_extra * (job.images - 1)
    return min(seconds, LONGEST_LAYERS) if job.layers else seconds


def _host(url: str) -> str:
    """As much of an address as may be told: it can hold a password."""
    try:
        return urlsplit(url).hostname or "an address without a host"
    except ValueError:
        return "an address that is none"


def _bottom_first(layers: list[Any]) -> list[Any]:
    """By their height where each has one, else as they came."""
    if not all(isinstance(layer, dict) and isinstance(layer.get("z_index"), int) for layer in layers):
        return layers
    return sorted(layers, key=lambda layer: int(layer["z_index"]))


def _title(layer: dict[str, Any], hide: tuple[str, ...]) -> str:
    for name in ("name", "description"):
        if isinstance(words := layer.get(name), str) and words.strip():
            return plain(words, MOST_TITLE, hide)
    return ""


def _billed(data: dict[str, Any]) -> int | None:
    match data:
        case {"usage": {"generated_images": int(count)}}:
            return count
        case _:
            return None
