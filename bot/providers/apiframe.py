"""Apiframe v2: a job is submitted, then polled or told by webhook; one picture a job.

Its `Idempotency-Key` is what sets it apart: within a day the same key gives the first job back, so a request whose
answer was lost is asked again, the same to the byte, and nothing is drawn or billed twice.
"""

import asyncio
import hmac
import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import structlog

from bot.errors import (
    AnswerBroken,
    OutcomeUnknown,
    PictureError,
    ProviderBusy,
    ProviderError,
    ProviderMisconfigured,
    ProviderRefused,
)
from bot.i18n import text
from bot.providers.apiframe_calls import AskAgain, Calls, wait_of
from bot.providers.apiframe_wire import failure, links, parsed, wire_fields
from bot.providers.base import Event, Finished, InputPicture, Job, Prepared, Probed, Produced, Progress, Submitted
from bot.providers.pictures import Fetcher, Pictures
from bot.providers.transport import Transport

log = structlog.get_logger(__name__)

TRIES = 5
MARGIN = 480.0  # seconds beyond the model's own time; most models then have the ten minutes of the vendor's SDK
POLL_GROWTH = 1.5
BACKUP_SLOWER = 3  # how many times slower polls are where a webhook wakes them


class Apiframe:
    """hosts: where its links may point; pause: seconds before something is asked again, doubling each time.

    credit_price: micro-USD. webhook_url: where `receive` is reached from outside, "" for nowhere.
    elsewhere: told of a job that called and is not waited for here. polls: the first and the longest seconds between
    two.
    """

    # The vendor keeps a key for a day; an hour less, because our clock and theirs may differ.
    idempotent = 23 * 3600.0

    def __init__(
        self,
        name: str = "apiframe",
        *,
        base_url: str,
        api_key: str,
        transport: Transport,
        fetcher: Fetcher,
        hosts: tuple[str, ...] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: float = 1.0,
        credit_price: int,
        webhook_url: str = "",
        elsewhere: Callable[[str], object] = lambda job: None,
        polls: tuple[float, float] = (2.0, 5.0),
    ) -> None:
        self.name = name
        self._calls = Calls(base_url=base_url, api_key=api_key, transport=transport, clock=clock)
        self._downloads = Pictures(fetcher=fetcher, hosts=hosts, pause=pause)
        digest = sha256(api_key.encode()).digest()
        self._account = sha256(f"{base_url} {api_key}".encode()).hexdigest()[:16]
        # The SDK signs with the raw digest; the documents' words could also mean its hexadecimal form.
        self._webhook_keys = (digest, digest.hex().encode())
        self._webhook_url = webhook_url
        self._elsewhere = elsewhere
        self._clock = clock
        self._pause = pause
        self._credit_price = credit_price
        self._polls = polls
        self._waiting: dict[str, asyncio.Event] = {}

    async def generate(self, job: Job, ticket: str = "") -> AsyncGenerator[Event, None]:
        """The ticket of `Prepared` is a JSON object with the body; that of `Submitted` is the vendor's job id."""
        job_id = ticket
        if not ticket or ticket.startswith("{"):
            body = self._prepared(ticket) if ticket else await self._body(job)
            if not ticket:
                yield Prepared(json.dumps({"account": self._account, "body": body}))
            job_id = await self._submit(job, body.encode(), uncertain=bool(ticket))
            yield Submitted(job_id)
        async with aclosing(self._follow(job, job_id)) as events:
            async for event in events:
                yield event

    async def receive(self, headers: Mapping[str, str], body: bytes) -> bool:
        """A webhook call; False where its signature is wrong. A good one only wakes the poll of its job.

        Its content is not believed, so a call that comes twice, late or for another's job does no harm.
        headers: by any case of their names, as a web server gives them.
        """
        said = headers.get("X-Webhook-Signature", "").strip().removeprefix("sha256=").lower()
        given = said.encode(errors="replace")  # a header may hold bytes that are no characters
        good = [hmac.new(key, body, sha256).hexdigest().encode() for key in self._webhook_keys]
        if not any(hmac.compare_digest(given, signature) for signature in good):
            return False
        match parsed(body):
            case {"jobId": str(job_id)} if job_id in self._waiting:
                self.wake(job_id)
            case {"jobId": str(job_id)}:
                self._elsewhere(job_id)
        return True

    def wake(self, job: str) -> None:
        """Let the poll of a job look at once, if it is one of this process."""
        if job in self._waiting:
            self._waiting[job].set()

    async def probe(self) -> Probed:
        try:
            reply = await self._calls.me()
        except ProviderError as error:
            return Probed(well=False, told=f"cannot be reached: {error.detail}")
        except ValueError:  # from the HTTP client, whose words name the value
            return Probed(well=False, told="the key or the address holds characters that cannot be sent")
        match reply.status, reply.data:
            case 200, {"team": {"name": str(name), "credits": int(credits)}}:
                told = f"team {' '.join(name.split())[:60]}, {credits} credits left"
                return Probed(well=credits > 0, told=told, credits=credits)
            case 200, {"user": _}:
                return Probed(well=True, told="the key is good, but belongs to no team whose credits could be told")
            case ((401 | 403), _):
                return Probed(well=False, told=f"{reply.status}: the key is wrong, inactive or lacks permission")
            case _:
                return Probed(well=False, told=f"answered {reply.status}, not as Apiframe does")

    def _prepared(self, ticket: str) -> str:
        """The body to send again. Another account does not know our key, and would draw it a second time."""
        match parsed(ticket.encode()):
            case {"account": self._account, "body": str(body)}:
                return body
            case _:
                raise OutcomeUnknown(detail="the key or the address has changed since it was sent")

    async def _body(self, job: Job) -> str:
        """The request as it is sent and, after a crash, sent again."""
        fields = wire_fields(job)
        if job.references:
            fields["seedreamParams"]["image_input"] = [one.link or await self._upload(one) for one in job.references]
        if not fields["seedreamParams"]:
            del fields["seedreamParams"]
        if self._webhook_url:
            fields |= {"webhookUrl": self._webhook_url, "webhookEvents": ["completed", "failed"]}
        return json.dumps(fields)

    async def _upload(self, picture: InputPicture) -> str:
        """Bring a reference to where the vendor can read it. It is free, so all that may pass is tried again.

        Raises `ProviderBusy` in the end, as nothing paid was sent yet.
        """
        error: ProviderError = ProviderBusy()
        for number in range(TRIES):
            await self._rest(number, error)
            try:
                return await self._calls.upload(picture)
            except AskAgain as again:
                error = again.error
        if isinstance(error, ProviderBusy):
            raise error
        raise ProviderBusy(detail=f"a reference could not be uploaded: {error.detail}") from error

    async def _submit(self, job: Job, body: bytes, *, uncertain: bool) -> str:
        """The vendor's id of the job. uncertain: the same request may have been taken before.

        Once an answer was lost, a "no" to the next try says nothing about the first.
        """
        error: ProviderError = ProviderBusy()
        for number in range(TRIES):
            await self._rest(number, error)
            try:
                return await self._calls.submit(job, body)
            except AskAgain as again:
                error = again.error
                uncertain = uncertain or isinstance(error, OutcomeUnknown)
            except (ProviderBusy, ProviderMisconfigured, ProviderRefused) as answer:
                if not uncertain:
                    raise
                error = answer
        if uncertain and not isinstance(error, OutcomeUnknown):
            raise OutcomeUnknown(detail=f"an earlier answer was lost; then {error.detail}") from error
        raise error

    async def _rest(self, number: int, error: ProviderError) -> None:
        if number:
            await asyncio.sleep(max(self._pause * 2 ** (number - 1), wait_of(error)))

    async def _follow(self, job: Job, job_id: str) -> AsyncGenerator[Event, None]:
        ends = self._clock() + timedelta(seconds=job.model.timeout + MARGIN)
        pauses = self._pauses()
        told: int | None = None
        with self._woken(job_id) as woken:
            while True:
                woken.clear()
                state, wait = await self._poll(job_id)
                match state:
                    case {"status": "COMPLETED"}:
                        break
                    case {"status": "FAILED"}:
                        raise failure(job_id, state.get("error"))
                    case {"status": "CANCELLED"}:
                        raise ProviderRefused(text("it could not draw this picture"), detail=f"job {job_id} cancelled")
                    case {"progress": int(percent)} if percent != told and 0 <= percent <= 100:
                        told = percent
                        yield Progress(percent / 100)
                if self._clock() >= ends:
                    raise OutcomeUnknown(detail=f"job {job_id} had not ended in its time")
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(next(pauses), wait)):
                        await woken.wait()
        yield await self._picture(job, job_id, state)
        yield Finished(1, job_id)

    async def _poll(self, job_id: str) -> tuple[dict[str, Any], float]:
        """What is known of the job, nothing where the poll failed in passing; and seconds to wait at least."""
        try:
            return await self._calls.poll(job_id), 0.0
        except AskAgain as again:
            log.info("poll failed", provider=self.name, job=job_id, detail=again.error.detail)
            return {}, wait_of(again.error)

    async def _picture(self, job: Job, job_id: str, state: dict[str, Any]) -> Produced:
        if state.get("expired") is True:
            raise AnswerBroken(detail=f"job {job_id}: its picture has expired there")
        found = links(state.get("result"))
        if not found:
            raise AnswerBroken(detail=f"job {job_id} is completed without a picture")
        credits = state.get("creditCost")
        cost = credits * self._credit_price if isinstance(credits, int) else None
        file = job.folder / "picture-0"
        try:
            await self._downloads.fetch(found[0], file)
            return await self._downloads.produced(0, file, cost=cost)
        except PictureError as error:
            raise AnswerBroken(detail=f"job {job_id}: {error.detail}") from error

    @contextmanager
    def _woken(self, job_id: str) -> Iterator[asyncio.Event]:
        """Listens for webhooks before the first poll, so that none falls between a poll and the wait after it."""
        event = self._waiting.setdefault(job_id, asyncio.Event())
        try:
            yield event
        finally:
            self._waiting.pop(job_id, None)

    def _pauses(self) -> Iterator[float]:
        pause, longest = self._polls
        slower = BACKUP_SLOWER if self._webhook_url else 1
        while True:
            yield pause * slower
            pause = min(pause * POLL_GROWTH, longest)
