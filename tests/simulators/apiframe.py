"""Apiframe v2 as its own OpenAPI document has it: strict bodies, jobs in scripted time, keys that replay, webhooks.

A picture a job: `Fault.REJECT_ONE` cannot happen and changes nothing, and one fewer (`Fault.FEWER`) is none.
"""

import asyncio
import hmac
import json
import uuid
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from typing import Any

import aiohttp
from aiohttp import web

from bot.catalogue import load
from bot.media.sniff import measure, sniff
from tests.simulators.apiframe_jobs import Account, SimJob, Uploaded
from tests.simulators.apiframe_rules import COSTS, complaint, drawn_size, problems
from tests.simulators.base import Fault, Simulator, reset
from tests.simulators.results import Results, cut, drawn

KEEPS_KEYS = timedelta(hours=24)
KEEPS_RESULTS = timedelta(hours=24)
KEEPS_UPLOADS = timedelta(hours=1)  # "1-2 h": the shorter one
MOST_UPLOAD = 25_000_000
_FAILS = {
    Fault.REFUSE_WORDS: "Provider returned an error: content policy violation",
    Fault.REFUSE_REFERENCE: "Provider returned an error: the input image may contain sensitive information",
    Fault.REFUSE_RESULT: "Provider returned an error: the output image may contain sensitive information",
}


class ApiframeSim(Simulator):
    """seconds: of `clock`, from the taking of a job to its end; `steps` are what it goes through meanwhile.

    ends: what becomes of jobs to come. shape: the `result` around a link. poll_statuses, upload_statuses: errors for
    the next polls and uploads, 0 resets the connection. polled: the id in each poll that came. billed counts distinct
    jobs, refunded ones too.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        late: float = 5.0,
        seconds: float = 0.0,
        key: str = "afk_simulated",
    ) -> None:
        super().__init__(clock=clock, late=late)
        self.seconds = seconds
        self.steps: tuple[tuple[str, int | None], ...] = (
            ("QUEUED", None),
            ("PROCESSING", None),
            ("PROCESSING", 40),
            ("PROCESSING", 80),
        )
        self.key = key
        self.account = Account()
        self.ends: tuple[str, str | None] = ("COMPLETED", None)
        self.shape: Callable[[str], Any] = lambda link: {"images": [link]}
        self.poll_statuses: deque[int] = deque()
        self.upload_statuses: deque[int] = deque()
        self.polled: asyncio.Queue[str] = asyncio.Queue()
        self.jobs: dict[str, SimJob] = {}
        self._models = {model.id: model for model in load().models("apiframe")}
        self._keys: dict[str, SimJob] = {}
        self._uploads: dict[str, Uploaded] = {}
        self._results = Results(self)

    @property
    def base_url(self) -> str:
        return self.origin

    def routes(self, application: web.Application) -> None:
        application.router.add_post("/v2/images/generate", self._generate)
        application.router.add_post("/v2/uploads", self._upload)
        application.router.add_get("/v2/jobs/{id}", self._job)
        application.router.add_get("/v2/me", self._me)
        self._results.routes(application)

    async def tell(
        self, job: SimJob, event: str = "completed", *, good: bool = True, prefix: str = "sha256=", job_id: str = ""
    ) -> int:
        """Call the job's webhook and return the status that it answers. good: with the right signature."""
        status, progress = self._state(job)
        told = {"event": event, "jobId": job_id or job.id, "status": status, "progress": progress}
        body = json.dumps({**told, "model": job.asked["model"], "creditCost": job.cost}).encode()
        key = sha256((self.key if good else "afk_another").encode()).digest()
        signature = prefix + hmac.new(key, body, sha256).hexdigest()
        headers = {"X-Webhook-Event": event, "X-Webhook-Signature": signature, "Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(job.asked["webhookUrl"], data=body, headers=headers) as response,
        ):
            return response.status

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        body = await self.record(request, paid=True)
        fault = self.next_fault()
        if denied := self._denied(request, fault):
            return denied
        match fault:
            case Fault.BUSY:
                return _error(429, "Rate limit exceeded", retry_after=self.retry_after)
            case Fault.OVERLOADED:
                return _error(503, "Service temporarily unavailable")
            case Fault.BAD_REQUEST:
                return _error(400, "Invalid request body", details={"seedreamParams.size": ["Invalid input"]})
        if found := problems(body):
            return _error(400, "Invalid request body", details=found)
        job = self._keys.get(request.headers.get("Idempotency-Key", ""))
        if job and self.clock() < job.taken + KEEPS_KEYS:
            if job.body != body:
                return _error(409, "Idempotency-Key was used with a different request body")
            return await self._accepted(request, job, fault)
        cost, left = COSTS[json.loads(body)["model"]], self.account.left
        if cost > left or fault is Fault.NO_BALANCE:
            left = 0 if fault is Fault.NO_BALANCE else left
            return _error(402, "Insufficient credits", creditsRequired=cost, creditsAvailable=left)
        return await self._accepted(request, self._take(request, body, cost, fault), fault)

    def _take(self, request: web.Request, body: bytes, cost: int, fault: Fault | None) -> SimJob:
        own = json.loads(body).get("seedreamParams", {})
        why = _FAILS.get(fault) if fault else None
        why = why or complaint(self._models[json.loads(body)["model"]], own) or self._unreadable(own)
        job = SimJob(
            id=str(uuid.uuid4()),
            key=request.headers.get("Idempotency-Key", ""),
            body=body,
            taken=self.clock(),
            cost=cost,
            ends=("FAILED", why) if why else self.ends,
            fault=fault,
        )
        self.jobs[job.id] = job
        self.account.spent.append(job)
        if job.key:
            self._keys[job.key] = job
        self.take()
        return job

    def _unreadable(self, own: dict[str, Any]) -> str:
        known = [self._uploads.get(link) for link in own.get("image_input", [])]
        fine = all(one and self.clock() < one.expires for one in known)
        return "" if fine else "Failed to download image_input"

    async def _accepted(self, request: web.Request, job: SimJob, fault: Fault | None) -> web.StreamResponse:
        """The answer to a job that was taken, now or under the same key before."""
        answer = {"jobId": job.id, "status": self._state(job)[0]}
        match fault:
            case Fault.RESET:
                return reset(request)
            case Fault.SILENT:
                await asyncio.Event().wait()
            case Fault.LATE:
                await asyncio.sleep(self.late)
            case Fault.FAILED:
                return _error(500, "Internal server error")
            case Fault.GATEWAY_PAGE:
                return web.Response(status=502, text="<html><h1>502 Bad Gateway</h1></html>", content_type="text/html")
            case Fault.NOT_JSON:
                return web.Response(status=202, text="<html>Welcome</html>", content_type="text/html")
            case Fault.EMPTY:
                return web.Response(status=202)
            case Fault.CUT:
                return await cut(request, json.dumps(answer).encode(), "application/json")
        return _json(answer, 202)

    async def _job(self, request: web.Request) -> web.StreamResponse:
        await self.record(request)
        self.polled.put_nowait(request.match_info["id"])
        if self.poll_statuses:
            return self._scripted(request, self.poll_statuses.popleft())
        if denied := self._denied(request):
            return denied
        try:
            job_id = str(uuid.UUID(request.match_info["id"]))
        except ValueError:
            return _error(400, "id is not a valid UUID")
        if job_id not in self.jobs:
            return _error(404, "Job not found")
        return _json(await self._shown(self.jobs[job_id]))

    async def _shown(self, job: SimJob) -> dict[str, Any]:
        status, progress = self._state(job)
        ended = status not in ("QUEUED", "PROCESSING")
        shown: dict[str, Any] = {
            "id": job.id,
            "status": status,
            "model": job.asked["model"],
            "progress": progress,
            "input": job.asked.get("seedreamParams"),
            "error": job.ends[1] if ended else None,
            "creditCost": job.cost if status == "COMPLETED" else None,
            "webhookStatus": "pending" if "webhookUrl" in job.asked else None,
            "createdAt": _time(job.taken),
            "completedAt": _time(self.clock()) if ended else None,
            "expired": False,
        }
        if status == "COMPLETED":
            shown["result"] = await self._result(job)
            shown["expired"] = self.clock() >= job.taken + KEEPS_RESULTS
        return shown

    async def _result(self, job: SimJob) -> Any:
        if job.fault in (Fault.NO_PICTURE, Fault.FEWER):
            return {"images": []}
        if not job.link:
            own, model = job.asked.get("seedreamParams", {}), self._models[job.asked["model"]]
            given = [self._uploads[link].size for link in own.get("image_input", [])]
            width, height = drawn_size(model, own, given[0] if given else None)
            default = "jpg" if model.formats == ("jpeg",) else "png"
            kind = "png" if own.get("output_format", default) == "png" else "jpeg"
            data, _ = await drawn(len(self.jobs), width, height, kind, job.fault)
            job.link = self._results.keep(data, f"image/{kind}", job.fault)
        return self.shape(job.link)

    def _state(self, job: SimJob) -> tuple[str, int | None]:
        elapsed = (self.clock() - job.taken).total_seconds()
        if not job.over and elapsed < self.seconds:
            return self.steps[int(elapsed / self.seconds * len(self.steps))]
        return job.ends[0], 100 if job.ends[0] == "COMPLETED" else None

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        body = await self.record(request)
        if self.upload_statuses:
            return self._scripted(request, self.upload_statuses.popleft())
        if denied := self._denied(request):
            return denied
        data = _file_of(request.headers.get("Content-Type", ""), body)
        media_type = sniff(data[:64])
        if len(data) > MOST_UPLOAD or media_type not in ("image/png", "image/jpeg", "image/webp"):
            return _error(400, "No file, oversize, or unsupported file type", details={"file": ["Invalid"]})
        upload_id, expires = str(uuid.uuid4()), self.clock() + KEEPS_UPLOADS
        link = f"{self.origin}/uploads/{upload_id}.{media_type.removeprefix('image/')}"
        self._uploads[link] = Uploaded(measure(BytesIO(data)), expires)
        told = {"id": upload_id, "url": link, "kind": "image", "contentType": media_type, "byteSize": len(data)}
        return _json({**told, "expiresAt": _time(expires)}, 201)

    async def _me(self, request: web.Request) -> web.StreamResponse:
        await self.record(request)
        if denied := self._denied(request):
            return denied
        own = {"id": str(uuid.uuid4()), "name": "Night shift", "credits": self.account.left}
        team = {**own, "plan": "pro", "customerId": None} if self.account.team else None
        user = {"id": str(uuid.uuid4()), "email": "someone@example.com", "role": "OWNER"}
        key = {"id": str(uuid.uuid4()), "name": "bot", "prefix": self.key[:8]}
        return _json({"user": user, "team": team, "apiKey": key})

    def _denied(self, request: web.Request, fault: Fault | None = None) -> web.Response | None:
        if self.account.key_state == "inactive":
            return _error(403, "API key is inactive")
        wrong = request.headers.get("X-API-Key") != self.key or self.account.key_state == "wrong"
        return _error(401, "Invalid API key") if wrong or fault is Fault.BAD_KEY else None

    def _scripted(self, request: web.Request, status: int) -> web.Response:
        return _error(status, "scripted", retry_after=self.retry_after) if status else reset(request)


def _file_of(content_type: str, body: bytes) -> bytes:
    """The bytes of the field `file` of a multipart body, b"" where there is none."""
    boundary = content_type.partition("boundary=")[2].strip('"').encode()
    for part in body.split(b"--" + boundary)[1:-1] if boundary else ():
        head, _, data = part.partition(b"\r\n\r\n")
        if b'name="file"' in head:
            return data.removesuffix(b"\r\n")
    return b""


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _json(data: dict[str, Any], status: int = 200) -> web.Response:
    return web.json_response(data, status=status, headers={"x-request-id": f"req_{uuid.uuid4().hex[:12]}"})


def _error(status: int, words: str, *, retry_after: str = "", **more: Any) -> web.Response:
    answer = _json({"error": words, **more}, status)
    if retry_after:
        answer.headers["Retry-After"] = retry_after
    return answer
