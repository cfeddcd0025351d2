"""Where the long connection goes, how Feishu wants it to be used, and what it says where it does not want it.

The address holds the key to the connection, and so may the errors of whoever is to go there: neither is ever logged.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import aiohttp
from yarl import URL

from adapters.feishu.parts import number
from bot.i18n import Text, text

PATH = "/callback/ws/endpoint"
PATIENCE = 15.0  # seconds for the address, and again for the connection
HEARTBEAT = 20.0  # seconds between pings of the socket itself, as lark-oapi has them
LONGEST = 600.0  # seconds; who waited for longer, as a slip could order, would hear nothing for hours
LARGEST_FRAME = 4 * 2**20

# Of the endpoint, and of the handshake in its headers: lark_oapi.ws.const. The wrong domain is not in there.
FORBIDDEN, AUTH_FAILED, NO_CREDENTIAL = 403, 514, 1000040344
TOO_MANY, WRONG_DOMAIN = 1000040350, 1000040351
WRONG_ID, WRONG_SECRET = 10003, 10014
CREDENTIALS = (AUTH_FAILED, NO_CREDENTIAL, WRONG_ID, WRONG_SECRET)
FINAL = (FORBIDDEN, TOO_MANY, WRONG_DOMAIN, *CREDENTIALS)


class NoConnection(Exception):
    """It was not made, or is lost; tried again a little later. The text is for the log."""


class NotAllowed(Exception):
    """Feishu refuses this app a connection; only somebody who changes something can help."""

    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """How Feishu wants to be pinged and called again, in seconds: its ClientConfig, which may change at any time.

    nonce: within which a lost connection is made anew, by chance, so that not everybody comes at once. interval: the
    longest pause between attempts. Its ReconnectCount is left aside: who gives up hears nothing any more.
    """

    ping: float = 120.0
    interval: float = 60.0
    nonce: float = 0.0

    def after(self, config: object) -> "Orders":
        """As far as it says anything that makes sense."""
        if not isinstance(config, dict):
            return self
        ping, interval = (_seconds(config.get(name)) for name in ("PingInterval", "ReconnectInterval"))
        nonce = _seconds(config.get("ReconnectNonce"))
        return Orders(
            ping=ping or self.ping, interval=interval or self.interval, nonce=self.nonce if nonce is None else nonce
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Good for one connection. service: the number that pings carry."""

    url: URL
    service: int


async def asked(
    session: aiohttp.ClientSession, domain: str, credentials: Mapping[str, str], orders: Orders
) -> tuple[Address, Orders]:
    """An address, and what is ordered from now on. Raises `NoConnection` or `NotAllowed`."""
    try:
        async with session.post(
            domain + PATH,
            json=dict(credentials),
            headers={"locale": "zh"},
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=PATIENCE),
        ) as response:
            answer = await response.json(content_type=None)
    except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
        raise NoConnection(type(error).__name__) from None
    match answer:
        case {"code": 0, "data": {"URL": str(url), **rest}}:
            return _address(url, secure=not domain.startswith("http://")), orders.after(rest.get("ClientConfig"))
        case {"code": int(code)} if code in FINAL:
            raise NotAllowed(code)
        case {"code": int(code)}:
            raise NoConnection(f"code {code}")
    raise NoConnection(f"HTTP {response.status}")


async def connected(session: aiohttp.ClientSession, address: Address) -> aiohttp.ClientWebSocketResponse:
    """Raises `NoConnection` or `NotAllowed`."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await session.ws_connect(
                address.url,
                heartbeat=HEARTBEAT,
                max_msg_size=LARGEST_FRAME,
                timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
            )
    except aiohttp.WSServerHandshakeError as error:
        headers: Mapping[str, str] = error.headers or {}
        told = number(headers.get("handshake-status"))
        if told == AUTH_FAILED and number(headers.get("handshake-autherrcode")) == TOO_MANY:
            raise NotAllowed(TOO_MANY) from None
        if told == FORBIDDEN:
            raise NotAllowed(FORBIDDEN) from None
        # Any other 514 is about the address: the next one may do.
        raise NoConnection(f"HTTP {error.status}, status {told}") from None
    except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
        raise NoConnection(type(error).__name__) from None


def words(code: int, domain: str) -> Text:
    """What the operator can do about a refusal."""
    match code:
        case code if code in CREDENTIALS:
            return text(
                "Feishu does not accept this app id with this secret. If the secret was made anew, put the new one "
                "into BOT_FEISHU__APP_SECRET and start the bot again."
            )
        case 1000040350:
            return text(
                "Too many connections use this app id: another process has it too. Stop that one, or give it an app of "
                "its own."
            )
        case 1000040351:
            return text(
                "This app is not at {domain}. Set BOT_FEISHU__DOMAIN to https://open.feishu.cn for Feishu or "
                "https://open.larksuite.com for Lark.",
                domain=domain,
            )
        case _:
            return text(
                "Feishu does not allow this app a long connection. It must be a custom app of your organisation, with "
                "a published version; all others need the webhook."
            )


def _address(url: str, *, secure: bool) -> Address:
    """Never in the clear, unless all of it is, as it is in tests on one machine."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    match query.get("service_id"), query.get("device_id"):
        case [service], [_] if service.isdecimal() and parts.scheme in (("wss",) if secure else ("wss", "ws")):
            return Address(url=URL(url, encoded=True), service=int(service))
    raise NoConnection("an address that makes no sense")


def _seconds(told: object) -> float | None:
    return float(min(told, LONGEST)) if isinstance(told, int | float) and told >= 0 else None
