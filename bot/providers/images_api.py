"""Providers that speak the Images API as ModelArk does: `POST /images/generations`, answered at once or as a stream.

One paid request per `generate`. What costs nothing, fetching a finished picture, is tried a few times.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pybase64
import structlog

from bot.errors import AnswerBroken, OutcomeUnknown, PictureError, ProviderError
from bot.i18n import Text, text
from bot.media.sniff import HEAD, dimensions, sniff, whole
from bot.providers.answer import MOST_PICTURE, AnswerReader, BrokenAnswer
from bot.providers.base import Event, Finished, Job, Produced, Rejected
from bot.providers.refusals import item_refusal, refusal, whole_refusal
from bot.providers.sse import Decoder, Frame, FrameTooLong
from bot.providers.transport import Answer, Transport
from bot.providers.upload import Upload, upload

log = structlog.get_logger(__name__)

MOST_ERROR = 256 * 1024
MOST_PIXELS = 100_000_000  # several times what any model draws; what is larger would only keep us busy
UPLOAD_RATE = 500_000  # bytes a second that a slow line should reach; its time is added to the model's
FETCHES = 3


class Fetcher(Protocol):
    """Downloads from the addresses that a provider names."""

    async def fetch(self, url: str, *, into: Path, hosts: tuple[str, ...], max_bytes: int) -> None:
        """Write what the address answers into a new file, or raise `PictureError` and leave none.

        An error with a true `transient` may be gone the next time.
        """
        ...


class ImagesApi:
    """One provider. hosts: where its links may point; pause: seconds before a download is tried again."""

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        api_key: str,
        transport: Transport,
        fetcher: Fetcher,
        hosts: tuple[str, ...] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: float = 1.0,
    ) -> None:
        self.name = name
        self._url = base_url.rstrip("/") + "/images/generations"
        self._key = api_key
        self._transport = transport
        self._fetcher = fetcher
        self._hosts = hosts
        self._clock = clock
        self._pause = pause

    async def generate(self, job: Job, ticket: str = "") -> AsyncGenerator[Event, None]:
        """There are no tickets here: what was sent before a restart cannot be followed."""
        if ticket:
            raise OutcomeUnknown(detail="this provider gives no tickets")
        body = await asyncio.to_thread(upload, job)
        async with self._post(job, body) as answer:
            if not 200 <= answer.status < 300:
                raise await self._refusal(job, answer)
            log.info("provider answers", provider=self.name, status=answer.status, request_id=answer.request_id)
            if answer.media_type == "text/event-stream":
                async with aclosing(self._stream(job, answer)) as events:
                    async for event in events:
                        yield event
                return
            data, reader = await self._read(job, answer)
        async for event in self._pictures(job, data, reader, answer.request_id):
            yield event

    def _post(self, job: Job, body: Upload) -> AbstractAsyncContextManager[Answer]:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        seconds = job.model.timeout + job.model.timeout_per_extra * (job.images - 1) + body.size / UPLOAD_RATE
        return self._transport.post(self._url, headers=headers, body=body.chunks(), size=body.size, seconds=seconds)

    async def _refusal(self, job: Job, answer: Answer) -> ProviderError:
        return refusal(
            answer.status,
            await answer.read(MOST_ERROR),
            retry_after=answer.header("Retry-After"),
            request_id=answer.request_id,
            now=self._clock(),
            hide=self._hidden(job),
        )

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
        match data:
            case {"data": [_, *_] as entries}:
                pass
            case {"error": error} if error:
                raise whole_refusal(error, request_id=request_id, hide=self._hidden(job))
            case {"data": []} | {"data": None}:
                raise AnswerBroken(detail=f"no picture, request {request_id}")
            case {"task_id": _} | {"data": {"task_id": _}} | {"id": _, "status": _}:
                raise _asynchronous(request_id)
            case _:
                raise AnswerBroken(detail=f"no data, request {request_id}")
        if isinstance(entries[0], dict) and "task_id" in entries[0]:
            raise _asynchronous(request_id)
        for index, entry in enumerate(entries[: job.images]):
            yield await self._picture(job, index, entry, request_id, reader)
        if len(entries) > job.images:
            log.warning("more pictures than asked for", asked=job.images, came=len(entries), request_id=request_id)
        yield Finished(_billed(data), request_id)

    async def _stream(self, job: Job, answer: Answer) -> AsyncGenerator[Event, None]:
        """A series, each picture as soon as it is made. Without its last frame nobody knows what else was drawn."""
        known: set[int] = set()
        async for event in self._frames(answer):
            match event:
                case {"type": "image_generation.partial_succeeded", "image_index": int(index)}:
                    if index not in known and 0 <= index < job.images:
                        known.add(index)
                        yield await self._picture(job, index, event, answer.request_id)
                case {"type": "image_generation.partial_failed", "image_index": int(index), "error": dict(error)}:
                    if index not in known:
                        known.add(index)
                        refused = item_refusal(error, request_id=answer.request_id, hide=self._hidden(job))
                        yield Rejected(index, refused)
                case {"type": "image_generation.completed"}:
                    if event.get("error") and not known:
                        hide = self._hidden(job)
                        raise whole_refusal(event["error"], request_id=answer.request_id, hide=hide)
                    yield Finished(_billed(event), answer.request_id)
                    return
                case {"error": error} if error:
                    raise whole_refusal(error, request_id=answer.request_id, hide=self._hidden(job))
        if len(known) < job.images:
            raise OutcomeUnknown(detail=f"stream ended after {len(known)} pictures, request {answer.request_id}")
        yield Finished(None, answer.request_id)

    async def _frames(self, answer: Answer) -> AsyncGenerator[dict[str, Any], None]:
        decoder = Decoder()
        async for chunk in answer.chunks():
            try:
                frames = list(decoder.feed(chunk))
            except FrameTooLong as error:
                raise OutcomeUnknown(detail=str(error)) from error
            for frame in frames:
                if frame.data == "[DONE]":
                    return
                event = _event(frame)
                if event is not None:
                    yield event

    async def _picture(
        self, job: Job, index: int, entry: Any, request_id: str, reader: AnswerReader | None = None
    ) -> Event:
        file = job.folder / f"picture-{index}"
        try:
            match entry:
                case {"error": dict(error)} if error:
                    return Rejected(index, item_refusal(error, request_id=request_id, hide=self._hidden(job)))
                case {"b64_json": str(value)} if reader and value.isdecimal():
                    if reader.pictures[int(value)].broken:
                        raise PictureError(_unusable(), detail=reader.pictures[int(value)].broken)
                    file = reader.files[int(value)]
                case {"b64_json": str(value)} if value:
                    await asyncio.to_thread(_store, file, value)
                case {"url": str(url)} if url:
                    await self._fetch(url, file)
                case _:
                    return Rejected(index, AnswerBroken(detail=f"neither picture nor error, request {request_id}"))
            return await asyncio.to_thread(_inspect, index, file)
        except PictureError as error:
            return Rejected(index, AnswerBroken(detail=f"{error.detail}, request {request_id}"))

    async def _fetch(self, url: str, into: Path) -> None:
        """At once, because links expire; again where it may help, because it is free and the picture is paid for."""
        for left in reversed(range(FETCHES)):
            try:
                await self._fetcher.fetch(url, into=into, hosts=self._hosts, max_bytes=MOST_PICTURE)
                return
            except PictureError as error:
                if not left or not getattr(error, "transient", False):
                    raise
            await asyncio.sleep(self._pause * (FETCHES - left))


def _inspect(index: int, file: Path) -> Produced:
    """What the file really is; names and types in the answer are not believed."""
    with file.open("rb") as opened:
        media_type = sniff(opened.read(HEAD))
    width, height = dimensions(file)
    if width * height > MOST_PIXELS:
        raise PictureError(_unusable(), detail=f"{width}x{height} pixels")
    if not whole(file):
        raise PictureError(_unusable(), detail=f"an {media_type} that was cut")
    return Produced(index, file, media_type, width, height)


def _store(file: Path, value: str) -> None:
    try:
        file.write_bytes(pybase64.b64decode(value.partition(",")[2] or value, validate=True))
    except ValueError as error:
        raise PictureError(_unusable(), detail="not base64") from error


def _event(frame: Frame) -> dict[str, Any] | None:
    """The frame as a dictionary with a `type`; None for what is not JSON: a lost picture then shows at the end."""
    try:
        data = json.loads(frame.data)
    except ValueError:
        log.warning("a frame that is not JSON", event_name=frame.event)
        return None
    if not isinstance(data, dict):
        return None
    return {"type": frame.event, **data}


def _billed(data: dict[str, Any]) -> int | None:
    match data:
        case {"usage": {"generated_images": int(count)}}:
            return count
        case _:
            return None


def _asynchronous(request_id: str) -> AnswerBroken:
    return AnswerBroken(
        detail="this gateway answers with a task to be polled, which is not supported; "
        f"it may have billed the task, request {request_id}"
    )


def _unusable() -> Text:
    return text("The file holds no picture that can be read.")
