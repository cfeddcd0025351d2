"""Discord's host names with certificates of a private authority, and a connector that finds them here."""

import ssl
from pathlib import Path
from socket import AF_INET, AddressFamily

import trustme
from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from tests.simulators.discord.cdn import HOST, MEDIA_HOST

API_HOST, GATEWAY_HOST = "discord.com", "gateway.discord.gg"
HOSTS = (API_HOST, GATEWAY_HOST, HOST, MEDIA_HOST)


class Authority:
    """Made anew for each fake: nothing that trusts one trusts another."""

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self._certificate = self._ca.issue_cert(*HOSTS)

    def write(self, file: Path) -> None:
        """For SSL_CERT_FILE of another process."""
        self._ca.cert_pem.write_to_path(str(file))

    def for_server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._certificate.configure_cert(context)
        return context

    def for_client(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self._ca.configure_trust(context)
        return context


class _Resolver(AbstractResolver):
    """Knows Discord's hosts, all of them here, and no other."""

    def __init__(self, port: int, refused: list[str]) -> None:
        self._port, self._refused = port, refused

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AF_INET) -> list[ResolveResult]:
        if host not in HOSTS or port != 443:
            self._refused.append(f"{host}:{port}")
            raise OSError(f"{host}:{port} is not a host of this Discord")
        found = ResolveResult(hostname=host, host="127.0.0.1", port=self._port, family=AF_INET, proto=0, flags=0)
        return [found]

    async def close(self) -> None:
        """Nothing to give back."""


def connector(authority: Authority, port: int, refused: list[str]) -> TCPConnector:
    return TCPConnector(limit=0, resolver=_Resolver(port, refused), ssl=authority.for_client(), use_dns_cache=False)
