"""Novita AI as its documents have it: a path for each model, strict about keys, answers that are only links.

What no document says is called undocumented where it is decided.
"""

import asyncio
import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.simulators.base import Fault, Simulator, reset
from tests.simulators.novita_rules import PAGES, Asked, Page, Problem, check, invalid
from tests.simulators.results import Results, cut, drawn

# Status, ModelArk's code, the platform's own reason, message. Undocumented: which of the two shapes comes when, and
# what the reasons are called beside `model_access_denied`.
_PROBLEMS = {
    Fault.BUSY: (429, "ModelAccountIpmRateLimitExceeded", "RATE_LIMIT_EXCEEDED", "Too many requests"),
    Fault.OVERLOADED: (503, "ServerOverloaded", "ServerOverloaded", "The service is overloaded"),
    Fault.REFUSE_WORDS: (400, *("InputTextSensitiveContentDetected",) * 2, "The input text may be sensitive"),
    Fault.REFUSE_REFERENCE: (400, *("InputImageSensitiveContentDetected",) * 2, "The input image may be sensitive"),
    Fault.REFUSE_RESULT: (400, *("OutputImageSensitiveContentDetected",) * 2, "The output image may be sensitive"),
    Fault.BAD_REQUEST: (400, "InvalidParameter", "INVALID_REQUEST", "The parameter `size` is not valid"),
    Fault.BAD_KEY: (401, "AuthenticationError", "INVALID_API_KEY", "The API key is missing or incorrect"),
    Fault.NO_BALANCE: (403, "AccountOverdueError", "NOT_ENOUGH_BALANCE", "The balance is not enough"),
}
_FAILED = (500, "InternalServiceError", "INTERNAL_ERROR", "The service encountered an unexpected error")
_NO_ACCESS = (403, "model_access_denied", "model_access_denied", "The key may not call this model")
_NO_MODEL = (404, "InvalidEndpointOrModel.NotFound", "MODEL_NOT_FOUND", "The model does not exist")


class NovitaSim(Simulator):
    """platform: errors as {"code", "reason", …} instead of {"error": {…}}. entry: "" for bare links, or the key that
    each stands under. key: the only one that is right, "" for any. denied: the account may not use the models.
    task: answers with the id of a task, as its asynchronous relatives do.
    """

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC), late: float = 5.0) -> None:
        super().__init__(clock=clock, late=late)
        self.platform = False
        self.entry = ""
        self.key = ""
        self.denied = False
        self.task = False
        self.asked: list[Asked] = []
        self._results = Results(self)

    @property
    def base_url(self) -> str:
        return self.origin

    def routes(self, application: web.Application) -> None:
        application.router.add_post("/v3/{model}", self._generate)
        self._results.routes(application)

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        paid = not _probes(await request.read())
        body = await self.record(request, paid=paid)
        fault = self.next_fault() if paid else None
        try:
            page = self._admit(request)
            if fault in _PROBLEMS:
                raise Problem(*_PROBLEMS[fault])
            asked = await asyncio.to_thread(check, page, body)
            self.asked.append(asked)
            self.take()
            if fault is Fault.FAILED:
                raise Problem(*_FAILED)
        except Problem as problem:
            return self._refusal(problem, fault)
        return await self._answer(request, asked, fault)

    def _admit(self, request: web.Request) -> Page:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not key or key != (self.key or key):
            raise Problem(*_PROBLEMS[Fault.BAD_KEY])
        if request.match_info["model"] not in PAGES:
            raise Problem(*_NO_MODEL)
        if self.denied:
            raise Problem(*_NO_ACCESS)
        if request.content_type != "application/json":
            raise invalid("the body must be application/json")
        return PAGES[request.match_info["model"]]

    def _refusal(self, problem: Problem, fault: Fault | None) -> web.Response:
        headers = {"Retry-After": self.retry_after} if fault is Fault.BUSY and self.retry_after else {}
        body: dict[str, Any] = {"error": {"code": problem.code, "message": problem.message}}
        if self.platform:
            own = {"code": problem.status, "reason": problem.reason, "message": problem.message}
            body = {**own, "metadata": {}}
        return web.json_response(body, status=problem.status, headers=headers)

    async def _answer(self, request: web.Request, asked: Asked, fault: Fault | None) -> web.StreamResponse:
        match fault:
            case Fault.RESET:
                return reset(request)
            case Fault.SILENT:
                await asyncio.Event().wait()
            case Fault.LATE:
                await asyncio.sleep(self.late)
            case Fault.GATEWAY_PAGE:
                return web.Response(status=502, text="<html><h1>502 Bad Gateway</h1></html>", content_type="text/html")
            case Fault.NOT_JSON:
                return web.Response(text="<html>Welcome</html>", content_type="text/html")
            case Fault.EMPTY:
                return web.Response(content_type="application/json")
        if self.task:
            return web.json_response({"task_id": secrets.token_hex(8)})
        links = [] if fault is Fault.NO_PICTURE else await self._drawn(asked, fault)
        answer = json.dumps({"images": [{self.entry: link} if self.entry else link for link in links]}).encode()
        if fault is Fault.CUT:
            return await cut(request, answer, "application/json")
        return web.Response(body=answer, content_type="application/json")

    async def _drawn(self, asked: Asked, fault: Fault | None) -> list[str]:
        """Links to the pictures. Undocumented: one that the filter holds back is not mentioned at all."""
        indices = list(range(asked.images))
        if fault is Fault.FEWER:
            indices.pop()
        if fault is Fault.REJECT_ONE:
            indices = [index for index in indices if index != 1]
        pictures = [await drawn(index, asked.width, asked.height, "jpeg", fault) for index in indices]
        return [self._results.keep(*picture, fault) for picture in pictures]


def _probes(body: bytes) -> bool:
    """Whether nothing can be drawn from it, so that it is no paid request."""
    return body in (b"", b"{}")
