"""Single questions to Apiframe, and what each answer comes to. How often one is asked is `bot.providers.apiframe`'s."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
import structlog

from bot.errors import OutcomeUnknown, ProviderBusy, ProviderError
from bot.providers.apiframe_wire import parsed, refused
from bot.providers.base import InputPicture, Job
from bot.providers.transport import UPLOAD_RATE, Answer, Transport

log = structlog.get_logger(__name__)

LONGEST_WAIT = 30.0  # seconds that a Retry-After may hold up a question that is asked again
ASK_SECONDS = 30.0  # for one answer; none of them waits for a picture
MOST_ANSWER = 256 * 1024
_JOB_ID = re.compile(r"[\w-]{1,64}")  # it becomes part of an address


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    retry_after: str
    request_id: str

    @property
    def data(self) -> Any:
        return parsed(self.body)


class AskAgain(Exception):
    """The same question may be answered a little later; `error` is what it comes to if it never is."""

    def __init__(self, error: ProviderError) -> None:
        super().__init__(str(error))
        self.error = error


class Calls:
    def __init__(self, *, base_url: str, api_key: str, transport: Transport, clock: Callable[[], datetime]) -> None:
        self._base = base_url.rstrip("/")
        self._key = api_key
        self._transport = transport
        self._clock = clock

    async def submit(self, job: Job, body: bytes) -> str:
        """The paid request, once; the vendor's id of the job. Raises `AskAgain` where it may have been taken."""

        async def chunks() -> AsyncIterator[bytes]:
            yield body

        seconds = min(ASK_SECONDS, job.model.timeout)
        headers = {**self._headers, "Content-Type": "application/json", "Idempotency-Key": job.id}
        url = f"{self._base}/v2/images/generate"
        reply = await self._answered(
            self._transport.post(url, headers=headers, body=chunks(), size=len(body), seconds=seconds)
        )
        match reply.status, reply.data:
            case status, {"jobId": str(job_id)} if 200 <= status < 300 and _JOB_ID.fullmatch(job_id):
                log.info("job taken", job=job_id, request_id=reply.request_id)
                return job_id
            case status, _ if 200 <= status < 300:
                raise AskAgain(OutcomeUnknown(detail=f"{status} without a job, request {reply.request_id}"))
            case _:
                raise self._refusal(reply, job)

    async def upload(self, picture: InputPicture) -> str:
        """Send a reference, once; the link under which the vendor can read it for an hour or two."""
        with await asyncio.to_thread(picture.path.open, "rb") as file:
            form = aiohttp.FormData()
            extension = picture.media_type.rpartition("/")[2]
            form.add_field("file", file, filename=f"reference.{extension}", content_type=picture.media_type)
            seconds = ASK_SECONDS + picture.path.stat().st_size / UPLOAD_RATE
            reply = await self._answered(self._ask("POST", "/v2/uploads", data=form, seconds=seconds))
        match reply.status, reply.data:
            case ((200 | 201), {"url": str(url)}) if url:
                return url
            case 429, _:
                raise AskAgain(self._refusal(reply))
            case status, _ if 200 <= status < 300:
                raise AskAgain(ProviderBusy(detail=f"{status} to an upload, without a link"))
            case _:
                raise self._refusal(reply)

    async def poll(self, job_id: str) -> dict[str, Any]:
        """What is known of the job. Raises `AskAgain`, or `OutcomeUnknown` where it can no longer be asked for."""
        reply = await self._answered(self._ask("GET", f"/v2/jobs/{job_id}"))
        data = reply.data
        if reply.status == 200 and isinstance(data, dict):
            return data
        if reply.status in (400, 401, 403, 404):
            # It was taken, and a key that no longer opens it does not make it free.
            raise OutcomeUnknown(detail=f"{reply.status} to a poll of job {job_id}, request {reply.request_id}")
        raise AskAgain(self._refusal(reply))

    async def me(self) -> Reply:
        """Who the key belongs to. Raises `ProviderError` only where there is no answer at all."""
        return await self._reply(self._ask("GET", "/v2/me"))

    @property
    def _headers(self) -> dict[str, str]:
        return {"X-API-Key": self._key}

    def _ask(
        self, method: str, path: str, *, data: Any = None, seconds: float = ASK_SECONDS
    ) -> AbstractAsyncContextManager[Answer]:
        return self._transport.ask(method, self._base + path, headers=self._headers, data=data, seconds=seconds)

    async def _answered(self, asking: AbstractAsyncContextManager[Answer]) -> Reply:
        """Raises `AskAgain` for no answer, and for one of a server in trouble."""
        try:
            reply = await self._reply(asking)
        except (OutcomeUnknown, ProviderBusy) as error:
            raise AskAgain(error) from error
        if reply.status >= 500 or reply.status == 408:
            raise AskAgain(self._refusal(reply))
        return reply

    @staticmethod
    async def _reply(asking: AbstractAsyncContextManager[Answer]) -> Reply:
        async with asking as answer:
            body = await answer.read(MOST_ANSWER)
            return Reply(answer.status, body, answer.header("Retry-After"), answer.request_id)

    def _refusal(self, reply: Reply, job: Job | None = None) -> ProviderError:
        return refused(
            reply.status,
            reply.body,
            retry_after=reply.retry_after,
            request_id=reply.request_id,
            now=self._clock(),
            hide=(self._key, job.prompt) if job else (self._key,),
        )


def wait_of(error: ProviderError) -> float:
    """The seconds that the other side asked us to wait, within reason."""
    return min(LONGEST_WAIT, (error.retry_after if isinstance(error, ProviderBusy) else None) or 0.0)
