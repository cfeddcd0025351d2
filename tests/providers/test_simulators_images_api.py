"""The simulator of the Images API by itself: it can only vouch for a provider if it says what the vendors say."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.fakes import FakeClock, painted
from tests.simulators.base import Fault
from tests.simulators.images_api import ImagesApiSim
from tests.simulators.personalities import (
    APIYI,
    ASYNC_GATEWAY,
    EMPTY_BALANCE_AS_RATE,
    FREE_QUOTA_USED,
    MODELARK,
    NEW_API,
    NOT_OPEN,
    OVERLOADED_AS_RATE,
    REAL_PERSON,
    SAFE_LIMIT,
    Personality,
)
from tests.simulators.results import HUGE

pytestmark = pytest.mark.slow

V4, V45 = "seedream-4-0-250828", "seedream-4-5-251128"
BODY: dict[str, Any] = {"model": V4, "prompt": "a red fox", "size": "1K", "response_format": "url"}
SERIES = {"sequential_image_generation": "auto", "sequential_image_generation_options": {"max_images": 3}}
URI = "data:image/png;base64," + base64.b64encode(painted("x", 64, 64)).decode()


class Client:
    """Speaks to one simulator with a key of its own."""

    def __init__(self, sim: ImagesApiSim, session: aiohttp.ClientSession) -> None:
        self.sim = sim
        self._session = session

    async def ask(self, **wanted: Any) -> tuple[int, dict[str, Any], Mapping[str, str]]:
        """Status, JSON and headers."""
        url = self.sim.base_url + "/images/generations"
        async with self._session.post(url, json={**BODY, **wanted}) as answer:
            return answer.status, await answer.json(), answer.headers

    async def get(self, url: str, **headers: str) -> tuple[int, bytes, str]:
        async with self._session.get(url, headers=headers, allow_redirects=False) as answer:
            return answer.status, await answer.read(), answer.content_type


@pytest.fixture
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    personality: Personality = getattr(request, "param", MODELARK)
    async with (
        ImagesApiSim(personality, clock=FakeClock()) as sim,
        aiohttp.ClientSession(headers={"Authorization": "Bearer sk-right"}) as session,
    ):
        sim.key = "sk-right"
        yield Client(sim, session)


def speaking(personality: Personality) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("client", [personality], indirect=True, ids=[personality.offer])


@pytest.mark.parametrize(
    ("client", "fault", "status", "code", "kind"),
    [
        (MODELARK, Fault.REFUSE_WORDS, 400, "InputTextSensitiveContentDetected", "BadRequest"),
        (MODELARK, Fault.NO_BALANCE, 403, "AccountOverdueError", "Forbidden"),
        (MODELARK, Fault.BUSY, 429, "ModelAccountIpmRateLimitExceeded", "TooManyRequests"),
        (MODELARK, Fault.OVERLOADED, 503, "ServerOverloaded", "TooManyRequests"),
        (MODELARK, Fault.FAILED, 500, "InternalServiceError", "InternalServerError"),
        (APIYI, Fault.REFUSE_WORDS, 403, "InputTextSensitiveContentDetected", "BadRequest"),
        (APIYI, Fault.REFUSE_RESULT, 403, "OutputImageSensitiveContentDetected", "BadRequest"),
        (APIYI, Fault.NO_BALANCE, 403, "insufficient_user_quota", "shell_api_error"),
        (APIYI, Fault.BAD_KEY, 401, None, "shell_api_error"),
        (APIYI, Fault.FAILED, 502, "bad_response_status_code", "shell_api_error"),
        (NEW_API, Fault.NO_BALANCE, 403, "insufficient_user_quota", "new_api_error"),
        (NEW_API, Fault.BAD_KEY, 401, None, "new_api_error"),
    ],
    indirect=["client"],
    ids=lambda value: value.offer if isinstance(value, Personality) else str(value),
)
async def test_each_refuses_in_its_own_way(
    client: Client, fault: Fault, status: int, code: str | None, kind: str
) -> None:
    client.sim.goes_wrong(fault)
    came, body, _ = await client.ask()

    assert (came, body["error"].get("code"), body["error"]["type"]) == (status, code, kind)
    assert client.sim.billed == (fault is Fault.FAILED)


async def test_an_error_ends_with_the_id_that_its_header_has(client: Client) -> None:
    client.sim.key = "sk-another"
    status, body, headers = await client.ask()

    assert status == 401
    assert body["error"]["message"].endswith(f"Request id: {headers['x-request-id']}")
    assert headers["x-error-code"] == "AuthN_MissOrInvalidAuthorizationHeader"


@speaking(APIYI)
async def test_apiyi_has_words_of_its_own(client: Client) -> None:
    client.sim.goes_wrong(Fault.FAILED, Fault.NO_BALANCE)
    _, silent, _ = await client.ask()
    _, empty, _ = await client.ask()
    client.sim.key = "sk-another"
    _, token, _ = await client.ask()

    assert silent["error"] == {
        "message": "", "type": "shell_api_error", "param": "502", "code": "bad_response_status_code"
    }  # fmt: skip
    assert empty["error"]["localized_message"] == empty["error"]["message"]
    assert "无效的令牌 (request id: " in token["error"]["message"]


@pytest.mark.parametrize(
    ("refused", "status"),
    [
        (NOT_OPEN, 404),
        (FREE_QUOTA_USED, 429),
        (SAFE_LIMIT, 429),
        (OVERLOADED_AS_RATE, 429),
        (REAL_PERSON, 400),
        (EMPTY_BALANCE_AS_RATE, 429),
    ],
    ids=lambda value: getattr(value, "code", str(value)),
)
async def test_a_refusal_can_be_scripted_word_for_word(client: Client, refused: Any, status: int) -> None:
    client.sim.refuses(refused)
    first, body, _ = await client.ask()
    second, _, _ = await client.ask()

    assert (first, second) == (status, 200)
    assert body["error"]["code"] == refused.code


@pytest.mark.parametrize("wait", ["7", "Sat, 21 Nov 2026 12:00:09 GMT", ""])
async def test_busy_says_when_to_come_back_or_not(client: Client, wait: str) -> None:
    client.sim.retry_after = wait
    client.sim.goes_wrong(Fault.BUSY)
    _, _, headers = await client.ask()

    assert headers.get("Retry-After", "") == wait


async def test_usage_and_size_are_the_vendors_arithmetic(client: Client) -> None:
    _, body, _ = await client.ask(prompt="a lake, 16:9")

    [entry] = body["data"]
    assert entry["size"] == "1312x736"
    tokens = round(1312 * 736 / 256)
    assert body["usage"] == {"generated_images": 1, "output_tokens": tokens, "total_tokens": tokens}
    assert body["created"] == int(client.sim.clock().timestamp())


async def test_what_modelark_does_not_have_is_refused_and_apiyi_ignores_it(client: Client) -> None:
    status, body, _ = await client.ask(n=4)

    assert status == 400
    assert "`n`" in body["error"]["message"]


@speaking(APIYI)
async def test_apiyi_draws_one_picture_whatever_n_says_and_takes_ten_references(client: Client) -> None:
    _, body, _ = await client.ask(n=4)
    status, refused, _ = await client.ask(image=[URI] * 11)

    assert len(body["data"]) == 1
    assert status == 400
    assert "must not exceed 10" in refused["error"]["message"]


@speaking(NEW_API)
async def test_new_api_drops_keys_and_rewrites_usage(client: Client) -> None:
    dropped = {"seed": -5, "tools": "nonsense", "optimize_prompt_options": 1, "layer_decomposition": "yes"}
    status, body, _ = await client.ask(**SERIES, **dropped)

    assert status == 200
    [entry] = body["data"]
    assert (entry["b64_json"], "size" in entry, "model" in body) == ("", False, False)
    assert body["usage"] == {"input_tokens": 0, "output_tokens": 4096, "total_tokens": 4096}


@speaking(ASYNC_GATEWAY)
@pytest.mark.parametrize(("shape", "keys"), [(0, {"task_id", "status"}), (1, {"code", "data"}), (2, {"id", "status"})])
async def test_a_task_is_billed_before_it_is_drawn(client: Client, shape: int, keys: set[str]) -> None:
    client.sim.task = shape
    _, body, _ = await client.ask()

    assert body.keys() == keys
    assert client.sim.billed == 1


async def test_a_link_works_for_a_day_then_is_forbidden_then_gone(client: Client) -> None:
    _, body, _ = await client.ask()
    link = body["data"][0]["url"]
    statuses = []
    for _ in range(3):
        statuses.append((await client.get(link))[0])
        client.sim.clock.forward(hours=24)  # type: ignore[attr-defined]

    assert "X-Tos-Expires=86400" in link
    assert statuses == [200, 403, 404]


async def test_a_link_with_another_signature_is_forbidden(client: Client) -> None:
    _, body, _ = await client.ask()
    link = body["data"][0]["url"].replace("X-Tos-Signature=", "X-Tos-Signature=0")

    assert (await client.get(link))[0] == 403


async def test_the_budget_of_a_minute_counts_pictures(client: Client) -> None:
    client.sim.images_per_minute = 4
    series, _, _ = await client.ask(**SERIES)
    one, _, _ = await client.ask()
    full, body, _ = await client.ask()
    client.sim.clock.forward(seconds=60)  # type: ignore[attr-defined]
    later, _, _ = await client.ask()

    assert (series, one, full, later) == (200, 200, 429, 200)
    assert body["error"]["code"] == "ModelAccountIpmRateLimitExceeded"
    assert client.sim.billed == 3


async def test_a_linked_reference_is_fetched_within_its_time(client: Client) -> None:
    async def picture(request: web.Request) -> web.Response:
        if "slow" in request.query:
            await asyncio.Event().wait()
        return web.Response(body=painted("linked", 640, 480))

    application = web.Application()
    application.router.add_get("/picture.png", picture)
    runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    link = f"http://127.0.0.1:{runner.addresses[0][1]}/picture.png"
    taken, _, _ = await client.ask(image=[link, URI])
    client.sim.fetch_seconds = 0.2
    late, body, _ = await client.ask(image=f"{link}?slow=1")
    await runner.cleanup()

    assert taken == 200
    assert client.sim.asked[0].references == (painted("linked", 640, 480), painted("x", 64, 64))
    assert late == 400
    assert f"are not valid: Timeout while downloading url={link}." in body["error"]["message"]


@speaking(APIYI)
async def test_models_are_listed_for_a_good_key_and_for_nothing(client: Client) -> None:
    good, body, _ = await client.get(client.sim.base_url + "/models")
    bad, _, _ = await client.get(client.sim.base_url + "/models", Authorization="Bearer sk-wrong")

    assert (good, bad) == (200, 401)
    assert V45 in body.decode()
    assert client.sim.paid == []


async def test_a_request_without_words_asks_for_nothing_that_is_paid(client: Client) -> None:
    status, body, _ = await client.ask(model=None, prompt=None)

    assert (status, body["error"]["code"]) == (400, "MissingParameter.model")
    assert (client.sim.paid, client.sim.billed) == ([], 0)


@pytest.mark.parametrize("fault", [None, *Fault], ids=str)
async def test_every_fault_shows_and_a_request_without_one_is_fine(client: Client, fault: Fault | None) -> None:
    """A fault that changed nothing would let every test pass that uses it."""
    client.sim.late = 60.0
    client.sim.goes_wrong(fault)

    assert await is_fine(client, patience=0.5 if fault else 20.0) is (fault is None)


async def is_fine(client: Client, *, patience: float) -> bool:
    """Whether three JPEGs come within these seconds, as they should."""
    try:
        async with asyncio.timeout(patience):
            status, body, _ = await client.ask(**SERIES)
            files = [await client.get(entry["url"]) for entry in body["data"]]
    except (aiohttp.ClientError, TimeoutError, KeyError, ValueError, TypeError):
        return False
    return (status, len(files)) == (200, 3) and all(
        came == 200 and data.startswith(b"\xff\xd8") and len(data) < HUGE and kind == "application/octet-stream"
        for came, data, kind in files
    )
