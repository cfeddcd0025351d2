"""Events that Feishu sends to an address of ours, for those who cannot use the long connection.

Only what is signed with the encrypt key is taken, and only while it is fresh. Sent again within that time it does no
harm: the core knows the ids of messages and presses. Without an encrypt key there is no webhook: nothing is ever taken
unverified. https://open.feishu.cn/document/server-docs/event-subscription-guide/overview
"""

import asyncio
import hashlib
import hmac
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog

from adapters.feishu.cipher import Cipher
from adapters.feishu.payload import parsed

log = structlog.stdlib.get_logger()
Json = dict[str, Any]
Take = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any] | None]]

FRESH = timedelta(minutes=5)
MOST = 2**20  # bytes: posts of 150 KB, encrypted and in base64, and room
MOST_UNPROVEN = 4096  # bytes of a challenge, which alone comes unsigned; larger ones are not worth being decrypted
GIVE_UP = 30.0  # seconds; Feishu has long sent it again
LONGEST_TIMESTAMP = 11  # digits
TIMESTAMP, NONCE, SIGNATURE = "x-lark-request-timestamp", "x-lark-request-nonce", "x-lark-signature"


class Forged(Exception):
    """Nobody who knows the keys sent this. kind: which proof is wrong."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Webhook:
    """Call it with a request's headers, found in any case, and its body for the status and JSON of the answer.

    take: gets each event, as from the long connection; what it returns is the answer to a press. Where it raises, the
    event is sent again. forged: how many requests were refused, by what was wrong with them.
    """

    def __init__(self, *, encrypt_key: str, verification_token: str, take: Take, clock: Callable[[], datetime]) -> None:
        if not encrypt_key:
            raise ValueError("a webhook needs an encrypt key")
        self._key = encrypt_key
        self._cipher = Cipher(encrypt_key)
        self._token = verification_token
        self._take = take
        self._clock = clock
        self.forged: Counter[str] = Counter()

    async def __call__(self, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, Any]]:
        if len(body) > MOST:
            return 413, {}
        try:
            event = self._event(headers, body)
        except Forged as forged:
            self._count(forged.kind)
            return 401, {}
        except (ValueError, RecursionError):
            return 400, {}
        if event.get("type") == "url_verification":
            return 200, {"challenge": str(event.get("challenge", ""))}
        try:
            async with asyncio.timeout(GIVE_UP):
                return 200, await self._take(event) or {}
        except Exception as error:  # noqa: BLE001 - a door: whatever it was, Feishu shall send it again
            log.error("an event could not be taken", error=type(error).__name__)
            return 500, {}

    def _event(self, headers: Mapping[str, str], body: bytes) -> Json:
        """What is in a body that is proven to be Feishu's. Raises `Forged`, and `ValueError` where it is unreadable."""
        problem = self._unproven(headers, body)
        if problem and len(body) > MOST_UNPROVEN:
            raise Forged(problem)
        try:
            event = self._opened(body)
        except (ValueError, RecursionError):
            # To whoever does not know the key all bodies look alike, or the answers would help to guess one.
            raise Forged(problem) if problem else ValueError("unreadable") from None
        challenge = event.get("type") == "url_verification"  # comes unsigned; that it could be decrypted is the proof
        if problem and not challenge:
            raise Forged(problem)
        token = event.get("token") if challenge else _header(event).get("token")
        if self._token and not _equal(str(token), self._token):
            raise Forged("token")
        return event

    def _unproven(self, headers: Mapping[str, str], body: bytes) -> str:
        """What is wrong with the signature; "" where it is right and fresh."""
        timestamp, nonce, signature = (headers.get(name, "") for name in (TIMESTAMP, NONCE, SIGNATURE))
        if not signature:
            return "unsigned"
        signed = f"{timestamp}{nonce}{self._key}".encode("utf-8", "replace") + body
        if not _equal(hashlib.sha256(signed).hexdigest(), signature):
            return "signature"
        return "" if self._is_fresh(timestamp) else "old"

    def _is_fresh(self, timestamp: str) -> bool:
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= LONGEST_TIMESTAMP):
            return False
        return abs(self._clock().timestamp() - int(timestamp)) <= FRESH.total_seconds()

    def _opened(self, body: bytes) -> Json:
        """The event within; one that is not encrypted is not from a platform that has our key."""
        match parsed(body):
            case {"encrypt": str() as encrypted}:
                event = parsed(self._cipher.decrypt(encrypted))
                if isinstance(event, dict):
                    return event
        raise ValueError("no event")

    def _count(self, kind: str) -> None:
        self.forged[kind] += 1
        count = self.forged.total()
        if count & (count - 1) == 0:  # the first, the second, the fourth ...: a flood fills no log
            log.warning("a forged event was refused", kind=kind, count=count)


def _header(event: Json) -> Json:
    header = event.get("header")
    return header if isinstance(header, dict) else {}


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))
