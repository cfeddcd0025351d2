"""Downloads, against a real server that must not be reached and one that may."""

import asyncio
import contextlib
import gzip
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.errors import PictureError
from bot.media.fetch import FetchError, GuardedFetcher
from bot.media.spool import TooManyBytes
from tests.bot.media.pictures import listing

PICTURE = bytes(range(256)) * 1000


@dataclass
class Server:
    """Listens on every loopback address and counts who came."""

    port: int = 0
    hits: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.hits.append(request.path)
        self.headers.append(dict(request.headers))
        match request.path.split("/")[1:]:
            case ["picture"]:
                return web.Response(body=PICTURE)
            case ["status", status]:
                return web.Response(status=int(status))
            case ["gzip"]:
                bomb = gzip.compress(bytes(10 * 2**20))
                return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})
            case ["round", count]:
                target = f"/round/{int(count) - 1}" if int(count) > 1 else "/picture"
                return web.Response(status=302, headers={"Location": target})
            case ["to"]:
                return web.Response(status=int(request.query.get("s", 302)), headers={"Location": request.query["url"]})
            case ["nowhere"]:
                return web.Response(status=302)
            case ["endless"]:
                return await self.endless(request)
            case ["cut"]:
                return await self.cut(request)
            case ["hang"]:
                await asyncio.Event().wait()
        return web.Response(status=404)

    async def endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(bytes(65536))
        return response

    async def cut(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100000"})
        await response.prepare(request)
        await response.write(bytes(50_000))
        assert request.transport is not None
        request.transport.close()
        return response


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    server.port = listener.getsockname()[1]
    await web.SockSite(runner, listener).start()
    yield server
    await runner.cleanup()


@dataclass
class Names(AbstractResolver):
    """A resolver that gives a name's addresses one after the other, as a rebinding attacker does."""

    addresses: dict[str, list[str]]

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        known = self.addresses[host]
        address = known.pop(0) if len(known) > 1 else known[0]
        result: ResolveResult = {
            "hostname": host, "host": address, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0,
        }  # fmt: skip
        return [result]

    async def close(self) -> None:
        pass


CORPUS = [
    "http://127.0.0.1:{port}/picture",
    "http://localhost:{port}/picture",
    "http://127.9.9.9:{port}/picture",
    "http://0.0.0.0:{port}/picture",
    "http://[::1]:{port}/picture",
    "http://[::]:{port}/picture",
    "http://[::ffff:127.0.0.1]:{port}/picture",
    "http://[::ffff:7f00:1]:{port}/picture",
    "http://0x7f000001:{port}/picture",
    "http://2130706433:{port}/picture",
    "http://127.1:{port}/picture",
    "http://017700000001:{port}/picture",
    "http://cdn.example.com@127.0.0.1:{port}/picture",
    "http://cdn.example.com:pass@127.0.0.1:{port}/picture",
    "http://127.0.0.1:{port}/picture#cdn.example.com",
    "http://rebind.test:{port}/picture",
    "http://127.0.0.1.:{port}/picture",
    "//127.0.0.1:{port}/picture",
    "file:///etc/passwd",
    "ftp://127.0.0.1:{port}/picture",
    "not a url",
    "",
]


async def test_nothing_inside_is_reached_whatever_its_spelling(server: Server, tmp_path: Path) -> None:
    resolver = Names({"rebind.test": ["93.184.216.34", "127.0.0.1"], "localhost": ["127.0.0.1"]})
    async with GuardedFetcher(resolver=resolver) as fetcher:
        for spelling in CORPUS:
            for scheme in ("http", "https"):
                url = spelling.format(port=server.port).replace("http", scheme, 1)
                with pytest.raises(PictureError):
                    await fetcher.fetch(url, into=tmp_path / "file", hosts=("*",), max_bytes=10**6, timeout=5)

    assert server.hits == []
    assert listing(tmp_path) == []


async def test_the_corpus_does_lead_inside_without_a_guard(server: Server) -> None:
    reached = 0
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        for spelling in CORPUS:
            try:
                async with session.get(spelling.format(port=server.port)) as response:
                    reached += response.status == 200
            except (aiohttp.ClientError, OSError, ValueError):
                continue

    assert reached >= 8


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "0x7f000001", "169.254.169.254"]
)
async def test_the_address_is_judged_when_the_socket_opens(host: str, tmp_path: Path) -> None:
    async with GuardedFetcher() as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch(f"https://{host}/x", into=tmp_path / "file", hosts=("*",), max_bytes=1, timeout=5)

    assert "is not a public address" in caught.value.detail
    assert not caught.value.transient


async def test_a_name_that_moves_inside_after_the_check_is_not_followed(server: Server, tmp_path: Path) -> None:
    # The first answer lies in an allowed network, so http and any port are fine; the second one is loopback.
    resolver = Names({"rebind.test": ["10.9.9.9", "127.0.0.1"]})
    async with GuardedFetcher(["10.0.0.0/8"], resolver=resolver) as fetcher:
        with pytest.raises(FetchError, match=r"127\.0\.0\.1 is not a public address"):
            await fetcher.fetch(
                f"http://rebind.test:{server.port}/picture", into=tmp_path / "file", hosts=(), max_bytes=10**6
            )

    assert server.hits == []


@pytest.mark.parametrize("entry", ["127.0.0.1", "127.0.0.1:{port}", "127.0.0.0/8"])
async def test_what_an_operator_allowed_is_fetched(entry: str, server: Server, tmp_path: Path) -> None:
    async with GuardedFetcher([entry.format(port=server.port)]) as fetcher:
        await fetcher.fetch(f"http://{server.address}/picture", into=tmp_path / "file", hosts=(), max_bytes=10**6)

    assert (tmp_path / "file").read_bytes() == PICTURE
    assert server.headers[0]["Accept-Encoding"] == "identity"
    assert not {"Cookie", "Authorization", "Referer"} & server.headers[0].keys()


async def test_a_name_in_an_allowed_network_is_fetched(server: Server, tmp_path: Path) -> None:
    async with GuardedFetcher(["127.0.0.0/8"], resolver=Names({"gateway.corp": ["127.0.0.1"]})) as fetcher:
        await fetcher.fetch(
            f"http://gateway.corp:{server.port}/picture", into=tmp_path / "file", hosts=(), max_bytes=10**6
        )

    assert (tmp_path / "file").read_bytes() == PICTURE


async def test_only_the_allowed_port_is_open(server: Server, tmp_path: Path) -> None:
    async with GuardedFetcher() as fetcher:
        fetcher.allow_also("127.0.0.1", server.port + 1)
        with pytest.raises(FetchError):
            await fetcher.fetch(f"http://{server.address}/picture", into=tmp_path / "a", hosts=(), max_bytes=10**6)
        fetcher.allow_also("127.0.0.1", server.port)
        await fetcher.fetch(f"http://{server.address}/picture", into=tmp_path / "b", hosts=(), max_bytes=10**6)

    assert server.hits == ["/picture"]


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.2:{port}/picture", "http://localhost:{port}/picture", "https://127.0.0.1/", "file:///etc/passwd",
     "http://user:pw@127.0.0.1:{port}/picture", "//[::1]:{port}/picture", "http://cdn.example.com/x", "http://["],
)  # fmt: skip
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_judged_like_any_address(status: int, target: str, server: Server, tmp_path: Path) -> None:
    link = f"http://{server.address}/to"
    async with GuardedFetcher([server.address]) as fetcher:
        with pytest.raises(FetchError):
            await fetcher.fetch(
                f"{link}?s={status}&url={target.format(port=server.port)}",
                into=tmp_path / "file",
                hosts=("cdn.example.com",),
                max_bytes=10**6,
            )

    assert server.hits == ["/to"]


async def test_three_redirects_are_followed_and_no_fourth(server: Server, tmp_path: Path) -> None:
    async with GuardedFetcher([server.address]) as fetcher:
        await fetcher.fetch(f"http://{server.address}/round/3", into=tmp_path / "a", hosts=(), max_bytes=10**6)
        with pytest.raises(FetchError, match="more than 3 redirects"):
            await fetcher.fetch(f"http://{server.address}/round/4", into=tmp_path / "b", hosts=(), max_bytes=10**6)

    assert (tmp_path / "a").read_bytes() == PICTURE
    assert not (tmp_path / "b").exists()


async def test_hosts_outside_the_list_and_plain_http_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    async with GuardedFetcher() as fetcher:
        for url, reason in (
            ("https://evil.example/x", "not a host that is expected here"),
            ("http://ark.volces.com/x", "not https on its usual port"),
            ("https://ark.volces.com:8443/x", "not https on its usual port"),
            ("https://user:pw@ark.volces.com/x", "carries credentials"),
        ):
            with pytest.raises(FetchError, match=reason):
                await fetcher.fetch(url, into=tmp_path / "file", hosts=("*.volces.com",), max_bytes=1)


@pytest.mark.parametrize(
    ("path", "reason", "transient"),
    [
        ("status/404", "status 404", False),
        ("status/403", "status 403", False),
        ("status/204", "status 204", False),
        ("status/500", "status 500", True),
        ("status/429", "status 429", True),
        ("gzip", "encoded", False),
        ("nowhere", "leads nowhere", False),
        ("cut", "ClientPayloadError", True),
        ("hang", "took longer than 0.2 s", True),
    ],
)
async def test_what_is_no_picture_leaves_no_file(
    path: str, reason: str, transient: bool, server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    async with GuardedFetcher([server.address]) as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch(
                f"http://{server.address}/{path}?sig=canary", into=file, hosts=(), max_bytes=10**6, timeout=0.2
            )

    assert reason in caught.value.detail
    assert caught.value.transient is transient
    assert "canary" not in caught.value.detail + str(caught.value) + str(caught.value.text)
    assert not file.exists()


@pytest.mark.parametrize("path", ["picture", "endless"])
async def test_more_bytes_than_agreed_are_not_taken(path: str, server: Server, tmp_path: Path) -> None:
    async with GuardedFetcher([server.address]) as fetcher:
        with pytest.raises(TooManyBytes):
            await fetcher.fetch(f"http://{server.address}/{path}", into=tmp_path / "file", hosts=(), max_bytes=100_000)

    assert not (tmp_path / "file").exists()


async def test_no_proxy_of_the_environment_is_used(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with GuardedFetcher([server.address]) as fetcher:
        await fetcher.fetch(f"http://{server.address}/picture", into=tmp_path / "file", hosts=(), max_bytes=10**6)

    assert (tmp_path / "file").stat().st_size == len(PICTURE)


async def test_a_signed_link_is_asked_for_as_it_is_spelt(tmp_path: Path) -> None:
    async with asyncio.timeout(10):
        first_line = asyncio.get_running_loop().create_future()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            first_line.set_result(await reader.readline())
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as raw:
            host, port = raw.sockets[0].getsockname()
            async with GuardedFetcher([f"{host}:{port}"]) as fetcher:
                link = f"http://{host}:{port}/a%2Fb%20c?X-Sig=a%2Bb%3D&x=%7e"
                await fetcher.fetch(link, into=tmp_path / "file", hosts=(), max_bytes=100)

    assert await first_line == b"GET /a%2Fb%20c?X-Sig=a%2Bb%3D&x=%7e HTTP/1.1\r\n"
