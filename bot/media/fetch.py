"""Downloads from addresses that others name: a provider's results, links in messages. Reaches public hosts only.

The address is judged when the socket opens, after the name was resolved, so neither spelling (0x7f000001), mapping
(::ffff:127.0.0.1) nor a name that resolves differently the second time leads inside. Redirects are followed by hand.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver
from yarl import URL

from bot.errors import PictureError
from bot.i18n import text
from bot.media.addresses import Allowance, address_of, host_matches, is_public
from bot.media.spool import TooManyBytes, spool

REDIRECTS = 3
CHUNK = 64 * 1024
# Encoded bodies are refused outright: 1 MiB of gzip may be 1 GiB, and pictures are compressed already.
HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "seedream-bot"}


class FetchError(PictureError):
    """A download that did not come; `transient` says that asking again may help. `detail` holds no query string."""

    def __init__(self, reason: str, url: URL | None = None, *, transient: bool = False) -> None:
        where = f"{url.scheme}://{url.host}{url.path}: " if url is not None else ""
        super().__init__(text("The picture could not be fetched."), detail=where + reason)
        self.transient = transient


class _Blocked(OSError):
    pass


class GuardedFetcher:
    """Fetches files over https from listed hosts with public addresses, and from what `allow` names.

    allow: `host`, `host:port` or a network; these pass every host list, over http and on any port.
    A name listed there is trusted with whatever address it has; a network admits its addresses only.
    """

    def __init__(self, allow: Iterable[str] = (), *, resolver: AbstractResolver | None = None) -> None:
        self._allowance = Allowance.of(allow)
        self._resolver = resolver
        self._guarded: aiohttp.ClientSession | None = None
        self._trusting: aiohttp.ClientSession | None = None

    def allow_also(self, host: str, port: int) -> None:
        """Admit one more address, known only at run time: the sandbox's."""
        self._allowance = self._allowance.and_also(host, port)

    async def __aenter__(self) -> Self:
        self._guarded = self._session(aiohttp.TCPConnector(resolver=self._resolver, socket_factory=self._open_socket))
        self._trusting = self._session(aiohttp.TCPConnector(resolver=self._resolver))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for session in (self._guarded, self._trusting):
            if session is not None:
                await session.close()

    async def fetch(
        self,
        url: str,
        *,
        into: Path,
        hosts: tuple[str, ...],
        max_bytes: int,
        timeout: float = 120,  # noqa: ASYNC109 - it becomes part of the error, beside the address
    ) -> None:
        """Write what the address answers into a file, or raise `FetchError` and leave no file.

        hosts: names, or `*.example.com` for all below it, or `*`; every redirect must stay among them.
        timeout: seconds for everything, redirects and the last byte included.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._follow(_parse(url), into, hosts, max_bytes)
        except TimeoutError as error:
            raise FetchError(f"took longer than {timeout:g} s", _parse(url), transient=True) from error

    async def _follow(self, url: URL, into: Path, hosts: tuple[str, ...], max_bytes: int) -> None:
        for _ in range(REDIRECTS + 1):
            session = await self._session_for(url, hosts)
            try:
                async with session.get(url, allow_redirects=False) as response:
                    if response.status not in (301, 302, 303, 307, 308):
                        await spool(_body(response, max_bytes), into, max_bytes=max_bytes)
                        return
                    url = _target(response)
            except _Blocked as error:
                raise FetchError(str(error), url) from error
            except aiohttp.ClientConnectorError as error:
                blocked = isinstance(error.os_error, _Blocked)
                raise FetchError(str(error.os_error), url, transient=not blocked) from error
            except aiohttp.ClientError as error:
                raise FetchError(type(error).__name__, url, transient=True) from error
        raise FetchError(f"more than {REDIRECTS} redirects", url)

    async def _session_for(self, url: URL, hosts: tuple[str, ...]) -> aiohttp.ClientSession:
        """The session that may ask this address; refuses what no rule admits, before anything is connected."""
        if self._guarded is None or self._trusting is None:
            raise RuntimeError("the fetcher is not open")
        if url.scheme not in ("http", "https") or not url.host:
            raise FetchError("not a web address", url)
        if url.user is not None or url.password is not None:
            raise FetchError("carries credentials", url)
        if self._allowance.names_host(url):
            return self._trusting
        if await self._in_allowed_network(url):
            return self._guarded
        if url.scheme != "https" or url.port != 443:
            raise FetchError("not https on its usual port", url)
        if not host_matches(url.host, hosts):
            raise FetchError("not a host that is expected here", url)
        return self._guarded

    async def _in_allowed_network(self, url: URL) -> bool:
        # What this finds only relaxes host list, scheme and port: the address itself is judged again at the socket.
        if not self._allowance.networks or url.host is None:
            return False
        literal = address_of(url.host)
        if literal is not None:
            return self._allowance.holds(literal)
        try:
            found = await (self._resolver or ThreadedResolver()).resolve(
                url.host, url.port or 0, family=socket.AF_UNSPEC
            )
        except OSError:
            return False
        addresses = [address_of(entry["host"]) for entry in found]
        return all(address is not None and self._allowance.holds(address) for address in addresses)

    def _open_socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, sockaddr = info
        address = address_of(str(sockaddr[0]))
        if address is None or not (is_public(address) or self._allowance.holds(address)):
            raise _Blocked(f"{sockaddr[0]} is not a public address")
        return socket.socket(family, kind, protocol)

    @staticmethod
    def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            headers=HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=30),
            auto_decompress=False,
            trust_env=False,
        )


def _parse(url: str) -> URL:
    try:
        return URL(url, encoded=True)  # signed links are signed as they are spelt
    except ValueError as error:
        raise FetchError("not a web address") from error


def _target(response: aiohttp.ClientResponse) -> URL:
    try:
        return response.url.join(URL(response.headers["Location"], encoded=True))
    except (KeyError, ValueError) as error:
        raise FetchError(f"status {response.status} leads nowhere", response.url) from error


async def _body(response: aiohttp.ClientResponse, max_bytes: int) -> AsyncIterator[bytes]:
    if response.status != 200:
        raise FetchError(
            f"status {response.status}", response.url, transient=response.status in (429, *range(500, 600))
        )
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise FetchError("came encoded although that was not asked for", response.url)
    if (response.content_length or 0) > max_bytes:
        raise TooManyBytes(max_bytes)
    async for chunk in response.content.iter_chunked(CHUNK):
        yield chunk
