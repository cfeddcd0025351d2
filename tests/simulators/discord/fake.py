"""Our own Discord on this machine: REST v10, gateway and file hosts on real sockets, for the unmodified discord.py.

    async with FakeDiscord() as discord:
        client = Client(connector=discord.connector(), ...)   # in this process, or: proxy=discord.proxy.url elsewhere
        bob = discord.person("bob")
        asked = await bob.slash("imagine", prompt="a fox")
        message = await asked.answered()
        again = await bob.press(message, "Again")

Both ways the bot asks for Discord's real host names over TLS and trusts a private authority. `goes_wrong` scripts
faults, `clock.advance` moves time, and `complaints` holds every breach of Discord's rules that was not answered with an
error; a test that ends well leaves it empty.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from aiohttp import TCPConnector, web

from tests.simulators.discord import rest_interactions, rest_messages, rest_places
from tests.simulators.discord.cdn import HOST, MEDIA_HOST, avatar
from tests.simulators.discord.commands import Commands
from tests.simulators.discord.faults import Fault, Faults, Gate, Scripted
from tests.simulators.discord.gateway import Gateway
from tests.simulators.discord.interactions import Interactions
from tests.simulators.discord.limits import Limits
from tests.simulators.discord.openapi import OpenApi
from tests.simulators.discord.people import Person
from tests.simulators.discord.proxy import Proxy
from tests.simulators.discord.rest import PREFIX, Call, Rest
from tests.simulators.discord.tls import API_HOST, GATEWAY_HOST, Authority, connector
from tests.simulators.discord.wire import Code
from tests.simulators.discord.world import World

FILE = "/attachments/{channel_id}/{attachment_id}/{filename}"


class FakeDiscord(World):
    """Enter it to start it. It begins with one server, `guild`, in it one channel, `channel`, and the server's `owner`.

    shards: how many Discord recommends. openapi: Discord's document, None for no check.
    """

    def __init__(self, *, token: str = "bot.token.of-a-test", shards: int = 1, openapi: Path | None = None) -> None:
        super().__init__(token=token)
        self.shards = shards
        self.installed_by: set[str] = set()  # ids of people who have the app with them everywhere
        self.faults = Faults()
        self.limits = Limits(self.clock)
        self.openapi = OpenApi(openapi, self.complaints)
        self.commands = Commands(self)
        self.interactions = Interactions()
        self.gateway = Gateway(self)
        self.tell = self.gateway.tell
        self.rest = Rest(self, [*rest_places.ROUTES, *rest_messages.ROUTES, *rest_interactions.ROUTES])
        self.faults.known |= {("GET", "/attachments/{}/{}/{}"), ("GET", "/ephemeral-attachments/{}/{}/{}")}
        self.downloads: list[str] = []  # paths of files that were asked for
        self.proxy = Proxy()
        self.authority = Authority()
        self.owner = self.new_user("owner")
        self.guild = self.new_guild("studio", self.owner)
        self.channel = self.guild.channels[0]
        self._stack = AsyncExitStack()
        self._port = 0

    def person(self, name: str, *, joins: bool = True) -> Person:
        """Somebody new, who joins the first server."""
        user = self.new_user(name)
        if joins:
            self.join(self.guild, user)
        return Person(self, user)

    @property
    def requests(self) -> list[Call]:
        return self.rest.requests

    def asked_for(self, method: str, template: str) -> list[Call]:
        """The requests to this route, such as ("POST", "/channels/{}/messages")."""
        key = self.faults.key(method, template)
        return [one for one in self.requests if self.faults.key(one.method, one.template) == key]

    def goes_wrong(
        self, method: str, template: str, what: Fault | Code | int, *, times: int = 1, seconds: float = 0.05
    ) -> None:
        """Script the next requests to a route: a fault, one of Discord's refusals, or a status such as 502."""
        self.faults.script(method, template, what, times=times, seconds=seconds)

    def holding(self, method: str, template: str) -> AbstractAsyncContextManager[Gate]:
        """Keep requests to a route waiting at the gate, until it opens or the block is left."""
        return self.faults.holding(method, template)

    async def until(self, condition: Callable[[], object], *, within: float = 10.0, what: str = "it") -> None:
        """Wait for something to become true, here or in a bot of this process."""
        await self.signal.until(condition, within=within, what=what, look=0.02)

    async def ready(self, sessions: int = 1) -> None:
        """Wait until the bot has so many sessions at the gateway."""
        await self.until(lambda: len(self.gateway.connected) >= sessions, what="the bot's session")

    def connector(self) -> TCPConnector:
        """For a client in this process. Hosts that are not Discord's end in `proxy.refused`."""
        return connector(self.authority, self._port, self.proxy.refused)

    def environment(self) -> dict[str, str]:
        """For a process of its own; it takes `proxy.url` by its own setting."""
        return {"SSL_CERT_FILE": str(self.certificates)}

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self.certificates = Path(stack.enter_context(TemporaryDirectory())) / "authority.pem"
            self.authority.write(self.certificates)
            runner = web.AppRunner(
                self._application(), access_log=None, handler_cancellation=True, shutdown_timeout=0.2
            )
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.authority.for_server()).start()
            self._port = runner.addresses[0][1]
            await stack.enter_async_context(self.proxy.running(self._port))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.gateway.close(1001)
        await self._stack.aclose()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=2**30, middlewares=[self._right_host])
        application.router.add_get("/", self.gateway.serve)
        application.router.add_get(FILE, self._file)
        application.router.add_get("/ephemeral-attachments/{channel_id}/{attachment_id}/{filename}", self._file)
        application.router.add_get("/embed/avatars/{number}", avatar)
        self.rest.add_to(application)
        return application

    @web.middleware
    async def _right_host(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Each of Discord's hosts answers its own paths only."""
        files = request.path.startswith(("/attachments/", "/ephemeral-attachments/", "/embed/"))
        rightful = {API_HOST} if request.path.startswith(PREFIX) else {HOST, MEDIA_HOST} if files else {GATEWAY_HOST}
        if request.host not in rightful:
            self.complaints.append(f"{request.method} {request.path} was asked of {request.host}")
            return web.Response(status=404)
        return await handler(request)

    async def _file(self, request: web.Request) -> web.Response:
        self.downloads.append(request.path)
        template = FILE if request.path.startswith("/attachments/") else f"/ephemeral-{FILE[1:]}"
        match self.faults.next("GET", template):
            case Scripted(Fault.RESET | Fault.LOST):
                if request.transport:
                    request.transport.abort()
            case Scripted(int() as status):
                return web.Response(status=status)
            case Scripted(Fault.SLOW | Fault.LATE, seconds):
                await asyncio.sleep(seconds)
            case Scripted(Gate() as gate):
                await gate.pass_through()
        return await self.cdn.serve(request)
