"""Events by webhook: only what Feishu signed, and freshly, is taken; everything else is refused and told to nobody."""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from Crypto.Cipher import AES
from multidict import CIMultiDict
from structlog.testing import capture_logs

from adapters.feishu.webhook import FRESH, MOST, Webhook

KEY, TOKEN = "an-encrypt-key", "a-verification-token"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
EVENT = {"schema": "2.0", "header": {"event_id": "e1", "token": TOKEN, "event_type": "x"}, "event": {"words": "狐狸"}}
CHALLENGE = {"challenge": "c-1", "token": TOKEN, "type": "url_verification"}


def encrypted(event: Any, key: str = KEY) -> bytes:
    """As the platform does it, written here once more: AES-256-CBC, the key's SHA-256, the vector in front."""
    plain = event if isinstance(event, bytes) else json.dumps(event).encode()
    padding = 16 - len(plain) % 16
    vector = bytes(range(16))
    cipher = AES.new(hashlib.sha256(key.encode()).digest(), AES.MODE_CBC, vector)
    sealed = vector + cipher.encrypt(plain + bytes([padding]) * padding)
    return json.dumps({"encrypt": base64.b64encode(sealed).decode()}).encode()


def signed(body: bytes, *, at: datetime = NOW, key: str = KEY, nonce: str = "n-1") -> CIMultiDict[str]:
    """The headers, found in any case as those of a request are."""
    stamp = str(int(at.timestamp()))
    digest = hashlib.sha256(f"{stamp}{nonce}{key}".encode() + body).hexdigest()
    return CIMultiDict({"X-Lark-Request-Timestamp": stamp, "X-Lark-Request-Nonce": nonce, "X-Lark-Signature": digest})


class Taken:
    """What came through. answer: for the platform; an exception is raised instead."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, Any]] = []
        self.answer: dict[str, Any] | Exception | None = None

    async def __call__(self, event: Mapping[str, Any]) -> dict[str, Any] | None:
        self.events.append(event)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def taken() -> Taken:
    return Taken()


@pytest.fixture
def webhook(taken: Taken) -> Webhook:
    return Webhook(encrypt_key=KEY, verification_token=TOKEN, take=taken, clock=lambda: NOW)


async def test_a_signed_event_is_taken_and_a_presss_answer_goes_back(webhook: Webhook, taken: Taken) -> None:
    body = encrypted(EVENT)
    assert await webhook(signed(body), body) == (200, {})

    taken.answer = {"toast": {"type": "info", "content": "好"}}

    assert await webhook(signed(body), body) == (200, taken.answer)
    assert taken.events == [EVENT, EVENT]  # the same once more: who takes it knows its id


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        ("signature", signed(encrypted(EVENT), key="another")),
        ("signature", CIMultiDict({**signed(encrypted(EVENT)), "X-Lark-Request-Nonce": "other"})),
        ("signature", CIMultiDict({**signed(encrypted(EVENT)), "X-Lark-Signature": "ü\udcff"})),
        ("signature", CIMultiDict({**signed(encrypted(EVENT)), "X-Lark-Request-Timestamp": "9" * 40})),
        ("unsigned", {}),
        ("old", signed(encrypted(EVENT), at=NOW - FRESH - timedelta(seconds=1))),
        ("old", signed(encrypted(EVENT), at=NOW + FRESH + timedelta(seconds=1))),
        ("old", signed(encrypted(EVENT), at=datetime(1970, 1, 1, tzinfo=UTC))),
    ],
)
async def test_what_is_forged_is_refused_counted_and_not_repeated(
    webhook: Webhook, taken: Taken, kind: str, headers: Mapping[str, str]
) -> None:
    body = encrypted(EVENT)
    with capture_logs() as lines:
        assert await webhook(headers, body) == (401, {})

    assert (taken.events, webhook.forged[kind]) == ([], 1)
    (line,) = lines
    assert {name: value for name, value in line.items() if name not in ("event", "log_level")} == {
        "kind": kind,
        "count": 1,
    }


async def test_a_changed_body_is_forged(webhook: Webhook, taken: Taken) -> None:
    body = encrypted(EVENT)

    assert (await webhook(signed(body), body + b" "))[0] == 401
    assert taken.events == []


async def test_a_flood_of_forgeries_fills_no_log(webhook: Webhook) -> None:
    with capture_logs() as lines:
        for _ in range(100):
            await webhook({}, b"{}")

    assert webhook.forged.total() == 100
    assert len(lines) == 7


@pytest.mark.parametrize("token", ["wrong", None])
async def test_a_signed_event_with_a_wrong_token_is_forged(webhook: Webhook, taken: Taken, token: str | None) -> None:
    body = encrypted({**EVENT, "header": {"event_id": "e1", "token": token}})

    assert (await webhook(signed(body), body))[0] == 401
    assert (taken.events, webhook.forged["token"]) == ([], 1)


async def test_without_a_token_of_our_own_the_signature_is_enough(taken: Taken) -> None:
    webhook = Webhook(encrypt_key=KEY, verification_token="", take=taken, clock=lambda: NOW)
    body = encrypted({**EVENT, "header": {"token": "any"}})

    assert (await webhook(signed(body), body))[0] == 200
    assert (await webhook({}, body))[0] == 401


async def test_without_an_encrypt_key_there_is_no_webhook(taken: Taken) -> None:
    with pytest.raises(ValueError, match="encrypt key"):
        Webhook(encrypt_key="", verification_token=TOKEN, take=taken, clock=lambda: NOW)


@pytest.mark.parametrize("with_signature", [True, False])
async def test_the_challenge_is_answered_as_soon_as_it_proves_the_key(
    webhook: Webhook, taken: Taken, with_signature: bool
) -> None:
    body = encrypted(CHALLENGE)

    assert await webhook(signed(body) if with_signature else {}, body) == (200, {"challenge": "c-1"})
    assert taken.events == []


@pytest.mark.parametrize(
    "body",
    [encrypted(CHALLENGE, key="another"), encrypted({**CHALLENGE, "token": "x"}), json.dumps(CHALLENGE).encode()],
)
async def test_a_challenge_that_does_not_is_refused(webhook: Webhook, body: bytes) -> None:
    assert await webhook({}, body) == (401, {})


MALFORMED = [
    b"",
    b"no json",
    b"[]",
    b"[" * 100_000,
    b'{"encrypt": 7}',
    b'{"encrypt": "\xc3\x28"}',
    b'{"encrypt": "AAAA"}',
    b'{"encrypt": "%%%"}',
    json.dumps(EVENT).encode(),
    encrypted(EVENT, key="another"),
    encrypted(b"not json"),
    encrypted(b"\xff\xfe"),
    encrypted(["a list"]),
]


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
async def test_what_cannot_be_read_is_refused_without_saying_why_to_strangers(
    webhook: Webhook, taken: Taken, body: bytes
) -> None:
    assert await webhook(signed(body), body) == (400, {})
    assert await webhook({}, body) == (401, {})
    assert taken.events == []


async def test_a_body_beyond_measure_is_not_even_looked_at(webhook: Webhook) -> None:
    body = b" " * (MOST + 1)

    assert await webhook(signed(body), body) == (413, {})


async def test_an_event_that_could_not_be_kept_is_asked_for_again(webhook: Webhook, taken: Taken) -> None:
    taken.answer = OSError("the disk is full of a prompt")
    body = encrypted(EVENT)

    with capture_logs() as lines:
        assert await webhook(signed(body), body) == (500, {})

    assert "prompt" not in str(lines)
