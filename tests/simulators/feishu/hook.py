"""Webhook mode: events are POSTed to the app's address, encrypted and signed, and its answer is the ack."""

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.simulators.feishu.model import ACK_WITHIN, Push
from tests.simulators.feishu.wire import Json

if TYPE_CHECKING:
    from tests.simulators.feishu.fake import FakeFeishu


@dataclass(frozen=True, slots=True)
class Request:
    body: bytes
    headers: dict[str, str]


class Hook:
    """sent: every request as it went out, so that one can be replayed."""

    def __init__(self, fake: "FakeFeishu") -> None:
        self.fake = fake
        self.sent: dict[str, Request] = {}

    async def deliver(self, push: Push, attempt: int) -> None:
        request = self.signed(push.body)
        self.sent[push.event_id] = request
        began = time.monotonic()
        try:
            status, answer = await self.post(request)
        except (aiohttp.ClientError, TimeoutError):
            return  # no answer: the ladder goes on
        self.fake.pushing.acked(push, status, time.monotonic() - began, attempt, answer)

    async def post(self, request: Request) -> tuple[int, Any]:
        timeout = aiohttp.ClientTimeout(total=2 * ACK_WITHIN)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(self.fake.webhook, data=request.body, headers=request.headers) as response,
        ):
            text = await response.text()
        try:
            return response.status, json.loads(text) if text else None
        except ValueError:
            return response.status, None

    def signed(self, body: Json, *, at: float | None = None, key: str = "") -> Request:
        """at: when it claims to be sent; the real time, whatever the fake's clock says. key: to sign with another."""
        raw = json.dumps(self._sealed(body), ensure_ascii=False).encode()
        timestamp, nonce = str(int(time.time() if at is None else at)), secrets.token_hex(8)
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if self.fake.encrypt_key:
            signing = (timestamp + nonce + (key or self.fake.encrypt_key)).encode() + raw
            headers |= {
                "X-Lark-Request-Timestamp": timestamp,
                "X-Lark-Request-Nonce": nonce,
                "X-Lark-Signature": hashlib.sha256(signing).hexdigest(),
            }
        return Request(raw, headers)

    async def forge(self, push: Push, how: str) -> int:
        match how:
            case "signature":
                request = self.signed(push.body, key=secrets.token_hex(16))
            case "old":
                request = self.signed(push.body, at=time.time() - 3600)
            case "unsigned":
                request = Request(self.signed(push.body).body, {"Content-Type": "application/json"})
            case "token":
                request = self.signed({**push.body, "header": {**push.body["header"], "token": "wrong"}})
            case "replay":
                request = self.sent[push.event_id]
            case _:
                raise ValueError(f"nothing is forged by {how!r}")
        status, _ = await self.post(request)
        return status

    async def challenge(self) -> str:
        challenge = secrets.token_hex(16)
        asked = {"challenge": challenge, "token": self.fake.verification_token, "type": "url_verification"}
        _, answer = await self.post(self.signed(asked))
        said = answer.get("challenge") if isinstance(answer, dict) else None
        if said != challenge:
            self.fake.complaints.append("the challenge was not answered with itself")
        return str(said)

    def _sealed(self, body: Json) -> Json:
        if not self.fake.encrypt_key:
            return body
        padder = padding.PKCS7(128).padder()
        plain = padder.update(json.dumps(body, ensure_ascii=False).encode()) + padder.finalize()
        iv = secrets.token_bytes(16)
        key = hashlib.sha256(self.fake.encrypt_key.encode()).digest()
        encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
        return {"encrypt": base64.b64encode(iv + encryptor.update(plain) + encryptor.finalize()).decode()}
