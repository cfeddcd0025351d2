"""Novita AI, which is also sold under other names: `POST /v3/{model}`, answered with links once all is drawn.

One paid request per `generate`. Only fetching a finished picture, which costs nothing, is tried a few times.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import structlog

from bot.errors import AnswerBroken, OutcomeUnknown, PictureError, ProviderBusy, ProviderError
from bot.providers.answer import MOST_WORDS
from bot.providers.base import Event, Finished, Job, Probed, Rejected
from bot.providers.pictures import Fetcher, Pictures
from bot.providers.refusals import refusal, refused_empty, whole_refusal
from bot.providers.transport import MOST_ERROR, UPLOAD_RATE, Answer, Transport
from bot.providers.upload import Upload, body_of, wire_fields

log = structlog.get_logger(__name__)

# What it knows of ModelArk's fields. The model stands in the path, and any other key is an error.
_FIELDS = ("prompt", "size", "watermark", "sequential_image_generation", "sequential_image_generation_options")
_FLAT = "seedream-4"  # its path names the references and the count of a series otherwise than the later ones
_PROBED = "seedream-4.5"


class Novita:
    """hosts: where its links may point; pause: seconds before a download is tried again."""

    idempotent = 0.0

    def __init__(
        self,
        name: str = "novita",
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
        self._url = base_url.rstrip("/") + "/v3/"
        self._key = api_key
        self._transport = transport
        self._downloads = Pictures(fetcher=fetcher, hosts=hosts, pause=pause)
        self._clock = clock

    async def generate(self, job: Job, ticket: str = "") -> AsyncGenerator[Event, None]:
        """There are no tickets here: what was sent before a restart cannot be followed."""
        if ticket:
            raise OutcomeUnknown(detail="this provider gives no tickets")
        body = await asyncio.to_thread(request_body, job)
        async with self._post(job, body) as answer:
            if not 200 <= answer.status < 300:
                raise await self._refusal(job, answer)
            request_id = answer.request_id
            log.info("provider answers", provider=self.name, status=answer.status, request_id=request_id)
            entries = self._entries(job, await _read(answer), request_id)
        for index, entry in enumerate(entries[: job.images]):
            yield await self._picture(job, index, entry, request_id)
        if len(entries) > job.images:
            log.warning("more pictures than asked for", asked=job.images, came=len(entries), request_id=request_id)
        # It neither counts what it bills nor says why a picture is missing: there are only fewer links.
        yield Finished(len(entries), request_id)

    async def probe(self) -> Probed:
        """Nothing here is free to ask but an empty request, which is certainly refused: for what it lacks, with 400."""
        host = urlsplit(self._url).hostname
        try:
            async with self._transport.ask("POST", self._url + _PROBED, headers=self._headers(), data=b"{}") as answer:
                if answer.status == 400:
                    return Probed(well=True, told="the key is accepted")
                return refused_empty(answer.status, await answer.read(MOST_ERROR), hide=(self._key,))
        except ProviderBusy:
            return Probed(well=False, told=f"no connection to {host}")
        except (ProviderError, ValueError):  # a key that no header can hold is a ValueError
            return Probed(well=False, told=f"no answer from {host}")

    def _post(self, job: Job, body: Upload) -> AbstractAsyncContextManager[Answer]:
        seconds = job.model.timeout + job.model.timeout_per_extra * (job.images - 1) + body.size / UPLOAD_RATE
        url = self._url + job.model.id
        return self._transport.post(url, headers=self._headers(), body=body.chunks(), size=body.size, seconds=seconds)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}

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

    def _entries(self, job: Job, data: Any, request_id: str) -> list[Any]:
        match data:
            case {"images": [_, *_] as entries}:
                return list(entries)
            case {"error": error} if error:
                raise whole_refusal(error, request_id=request_id, hide=self._hidden(job))
            case {"reason": str(reason)} if reason:
                raise whole_refusal(data, request_id=request_id, hide=self._hidden(job))
            case {"task_id": _} | {"task": {"task_id": _}}:
                raise AnswerBroken(
                    detail="this address answers with a task to be polled, which is not supported; "
                    f"it may have billed the task, request {request_id}"
                )
            case _:
                raise AnswerBroken(detail=f"no picture, request {request_id}")

    async def _picture(self, job: Job, index: int, entry: Any, request_id: str) -> Event:
        url, file = _link(entry), job.folder / f"picture-{index}"
        if not url:
            return Rejected(index, AnswerBroken(detail=f"an entry without a link, request {request_id}"))
        try:
            await self._downloads.fetch(url, file)
            return await self._downloads.produced(index, file)
        except PictureError as error:
            return Rejected(index, AnswerBroken(detail=f"{error.detail}, request {request_id}"))


def request_body(job: Job) -> Upload:
    """The request's body. Looks up the references' sizes, and reads them only while it is sent."""
    fields = {name: value for name, value in wire_fields(job).items() if name in _FIELDS}
    if job.model.name != _FLAT:
        return body_of(fields, job.references)
    fields.update(fields.pop("sequential_image_generation_options", {}))
    return body_of(fields, job.references, "images")


async def _read(answer: Answer) -> Any:
    """The answer's JSON. Raises `OutcomeUnknown` where it is cut, `AnswerBroken` where it is none."""
    words = bytearray()
    async with aclosing(answer.chunks()) as chunks:
        async for chunk in chunks:
            words += chunk
            if len(words) > MOST_WORDS:
                raise AnswerBroken(detail=f"an answer of too many words, request {answer.request_id}")
    try:
        return json.loads(words)
    except (ValueError, RecursionError) as error:
        detail = f"not JSON but {answer.media_type}, request {answer.request_id}"
        raise AnswerBroken(detail=detail) from error


def _link(entry: Any) -> str:
    """The forms that its own pages and those of its other names show."""
    match entry:
        case str(url) if url:
            return url
        case {"url": str(url)} if url:
            return url
        case {"image_url": str(url)}:
            return url
        case _:
            return ""
