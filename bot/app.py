"""The composition root: the only place that builds things and joins them. Everything else receives what it needs."""

import asyncio
import importlib
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog

from bot import commands, demo, events, grammar
from bot.asking import Presses
from bot.catalogue import Catalogue, Model, load
from bot.chat import AccountLine, Actor, Adapter, Reply
from bot.clock import Clock, micros
from bot.command import CommandTable
from bot.commands.drawing import Drawing, check_private
from bot.dispatch import Dispatcher
from bot.errors import CannotStart, UsageError
from bot.generation import record
from bot.generation.delivery import Delivery
from bot.generation.presenting import present
from bot.generation.queue import Capacity
from bot.generation.runner import Runner
from bot.generation.service import GenerationService
from bot.generation.states import State
from bot.generation.workers import Workers
from bot.media.fetch import GuardedFetcher
from bot.media.fit import Fitter
from bot.media.normalise import Normaliser
from bot.media.store import Blobs
from bot.media.thumbnails import Thumbnails
from bot.ops.janitor import Janitor
from bot.ops.listener import Listener
from bot.ops.ownership import Ownership
from bot.ops.sending import Sending
from bot.people import find
from bot.providers.base import Provider
from bot.providers.images_api import ImagesApi
from bot.providers.sandbox.server import Sandbox
from bot.providers.transport import Transport
from bot.settings import Settings
from bot.storage import schema
from bot.storage.connection import Connection
from bot.storage.database import Database

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class App:
    """What runs, for those who drive it: the command line and tests."""

    settings: Settings
    database: Database
    dispatcher: Dispatcher
    delivery: Delivery
    workers: Workers
    chat: Any
    sending: Sending
    blobs: Blobs
    clock: Clock
    table: CommandTable
    sandbox: Sandbox | None
    listener: Listener | None = None


def database_path(settings: Settings) -> Path:
    """Raises `CannotStart` for a database that this version does not know."""
    if not settings.database_url.startswith("sqlite:///"):
        raise CannotStart("BOT_DATABASE_URL: this version keeps its database in SQLite only (sqlite:///...)")
    return Path(settings.database_url.removeprefix("sqlite:///"))


@asynccontextmanager
async def running(
    settings: Settings, *, for_demo: bool = False, demo_data: bool = False, listen: bool = True, next_free: bool = False
) -> AsyncIterator[App]:
    """The whole bot, from its lock to its listener; leaving the block drains it.

    demo_data: a folder that a demonstration made is welcome. listen: whether the page and the control door are served.
    Raises `CannotStart`.
    """
    async with AsyncExitStack() as stack:
        ownership = stack.enter_context(Ownership(settings.data_dir))
        await asyncio.to_thread(schema.migrate, database_path(settings))
        database = await stack.enter_async_context(Database(database_path(settings)))
        await _check_folder(database, for_demo=for_demo, demo_data=demo_data)
        is_demo = for_demo or await database.read(demo.is_demo)
        if is_demo and settings.providers is None:  # a key that happens to be set is not for whoever tries the page
            settings = settings.model_copy(update={"providers": ("sandbox",)})
        builder = _Builder(settings, database, Clock(await database.read(demo.clock_offset)), is_demo)
        app = await builder.build(stack)
        if is_demo:
            await builder.prepare_demo(app)
        await app.dispatcher.replay()
        if listen:
            app = await builder.listen(stack, app, ownership, next_free=next_free)
        stack.callback(builder.stop_accepting)
        yield app


async def _check_folder(database: Database, *, for_demo: bool, demo_data: bool) -> None:
    marked = await database.read(demo.is_demo)
    if marked and not for_demo and not demo_data:
        raise CannotStart(
            "this data folder was made by a demonstration; take another one, or say --demo-data if you mean it"
        )
    if for_demo and not marked and await database.read(demo.is_used):
        raise CannotStart("this data folder is in real use; a demonstration needs one of its own (--data-dir)")


class _Builder:
    """Builds one bot, in the order in which its parts need each other; each is left in the reverse order."""

    def __init__(self, settings: Settings, database: Database, clock: Clock, is_demo: bool) -> None:
        self.settings = settings
        self.database = database
        self.clock = clock
        self.is_demo = is_demo
        self.catalogue: Catalogue = load()
        self.scratch = settings.data_dir / "scratch"
        self.blobs = Blobs(settings.blobs_url)
        self.sandbox: Sandbox | None = None
        self.adapters: dict[str, Adapter] = {}

    async def build(self, stack: AsyncExitStack) -> App:
        settings = self.settings
        await asyncio.to_thread(_fresh_folder, self.scratch)
        await self.blobs.sweep()
        providers = await self._providers(stack)
        self.delivery = Delivery(database=self.database, adapters=self.adapters, present=self._present)
        runner = self._runner(providers)
        self.workers = Workers(
            database=self.database,
            run=runner.run,
            capacity=self._capacity(),
            owner=f"{socket.gethostname()}:{os.getpid()}",
            patience=settings.queue.drain.total_seconds(),
            line_moved=self.delivery.line_moved,
            clock=self.clock,
        )
        self.service = self._service()
        normaliser = await stack.enter_async_context(
            Normaliser(max_bytes=settings.media.max_bytes, max_pixels=settings.media.max_pixels)
        )
        fitter = await stack.enter_async_context(Fitter())
        self.thumbnails = Thumbnails(self.blobs, fitter, settings.data_dir / "thumbnails", is_ours=self._is_ours)
        self.table, presses = self._commands(normaliser)
        dispatcher = self._dispatcher(self.table, presses)
        chat = self._chat(dispatcher)
        self.adapters[chat.name] = chat
        # Left in the reverse order: intake stops, what runs is waited for, and what it made is still posted.
        await stack.enter_async_context(self._janitor())
        await stack.enter_async_context(self.delivery)
        await stack.enter_async_context(self.workers)
        await stack.enter_async_context(dispatcher)
        sending = Sending(
            chat=chat,
            dispatcher=dispatcher,
            delivery=self.delivery,
            accounts=self._accounts,
            room=chat.shared_room,
            zone=settings.time_zone,
        )
        return App(
            settings=settings,
            database=self.database,
            dispatcher=dispatcher,
            delivery=self.delivery,
            workers=self.workers,
            chat=chat,
            sending=sending,
            blobs=self.blobs,
            clock=self.clock,
            table=self.table,
            sandbox=self.sandbox,
        )

    async def prepare_demo(self, app: App) -> None:
        actors = [app.chat.actor(name, "") for name in demo.PEOPLE]
        await self.database.transaction(demo.prepare, actors, self.service.rules())
        await app.chat.seed(Path(__file__).parent / "welcome.jpg")

    async def listen(self, stack: AsyncExitStack, app: App, ownership: Ownership, *, next_free: bool) -> App:
        web = self.settings.web
        listener = Listener(
            host=web.host,
            port=web.port,
            token=ownership.token,
            actions={"send": app.sending.on_behalf},
            ready=self._problems,
            read=self.blobs.read,
            next_free=next_free,
        )
        app.chat.routes(listener.application)
        await stack.enter_async_context(listener)
        ownership.announce(listener.url)
        return replace(app, listener=listener)

    async def _providers(self, stack: AsyncExitStack) -> dict[str, Provider]:
        transport = await stack.enter_async_context(Transport())
        fetcher = await stack.enter_async_context(GuardedFetcher(self.settings.fetch.allow))
        providers: dict[str, Provider] = {}
        for name in self.settings.provider_order:
            base_url, key = await self._access(stack, name, fetcher)
            providers[name] = ImagesApi(
                name,
                base_url=base_url,
                api_key=key,
                transport=transport,
                fetcher=fetcher,
                hosts=self.catalogue.offer(name).hosts,
                clock=self.clock,
            )
        return providers

    async def _access(self, stack: AsyncExitStack, name: str, fetcher: GuardedFetcher) -> tuple[str, str]:
        """A provider's address and key; the sandbox is started for it."""
        if name == "sandbox":
            self.sandbox = await stack.enter_async_context(Sandbox(clock=self.clock))
            fetcher.allow_also(self.sandbox.host, self.sandbox.port)
            return self.sandbox.base_url, "sandbox"
        section = getattr(self.settings, name)
        if section.api_key is None:
            raise CannotStart(f"BOT_{name.upper()}__API_KEY is not set")
        return section.base_url, section.api_key.get_secret_value()

    def _runner(self, providers: dict[str, Provider]) -> Runner:
        return Runner(
            database=self.database,
            catalogue=self.catalogue,
            providers=providers,
            blobs=self.blobs,
            clock=self.clock,
            changed=self.delivery.changed,
            folder=self.scratch,
            with_metadata=self.settings.media.metadata,
        )

    def _capacity(self) -> Capacity:
        queue = self.settings.queue
        return Capacity(per_person=queue.per_person, running=queue.running, images_per_minute=queue.images_per_minute)

    def _service(self) -> GenerationService:
        def accepted(generation: str) -> None:
            self.delivery.line_moved()
            self.workers.wake()

        return GenerationService(
            database=self.database,
            policy=self.settings.limits.table(),
            zone=self.settings.time_zone,
            clock=self.clock,
            most_waiting=self.settings.queue.waiting,
            ask_above_usd=self.settings.ask.above_usd,
            ask_above_images=self.settings.ask.above_images,
            folder=self.settings.data_dir,
            accepted=accepted,
            changed=self._line_changed,
        )

    def _commands(self, normaliser: Normaliser) -> tuple[CommandTable, Presses]:
        provider = self.settings.provider_order[0]
        drawing = Drawing(
            catalogue=self.catalogue,
            provider=provider,
            model=self.settings.model,
            service=self.service,
            normaliser=normaliser,
            blobs=self.blobs,
            database=self.database,
            clock=self.clock,
            folder=self.scratch,
        )
        return commands.build(drawing, self.thumbnails.delete)

    def _dispatcher(self, table: CommandTable, presses: Presses) -> Dispatcher:
        return Dispatcher(
            database=self.database,
            table=table,
            presses=presses,
            delivery=self.delivery,
            clock=self.clock,
            language=self.settings.language,
        )

    def _chat(self, dispatcher: Dispatcher) -> Any:
        """The local chat, loaded by its name: nothing here knows what it is made of."""
        web = self.settings.web
        module = importlib.import_module("adapters.web.connect")
        controls = demo.Controls(
            sandbox=self.sandbox, clock=self.clock, zone=self.settings.time_zone, database=self.database
        )
        try:
            return module.connect(
                database=self.database,
                door=dispatcher,
                blobs=self.blobs,
                thumbnails=self.thumbnails,
                accounts=self._accounts,
                happened=self._happened,
                line=self._line,
                clock=self.clock,
                host=web.host,
                port=web.port,
                hosts=_hosts(web.public_url),
                controls=controls if self.is_demo else None,
                token=web.token.get_secret_value() if web.token else None,
                language=self.settings.language,
                admins=self.settings.admins,
                demo=self.is_demo,
                placeholders=self.settings.provider_order[0] == "sandbox",
            )
        except ValueError as error:  # open to others without a token
            raise CannotStart(str(error).rstrip(".")) from error

    def _janitor(self) -> Janitor:
        settings = self.settings
        return Janitor(
            database=self.database,
            blobs=self.thumbnails,
            clock=self.clock,
            changed=self.delivery.changed,
            unknown_after=settings.unknown.after,
            charge_unknown=settings.unknown.then == "charge",
            days=settings.retention.days,
            total=settings.retention.total,
        )

    def stop_accepting(self) -> None:
        """From here on everything only ends: requests are refused, and what waits stays in the line."""
        self.service.draining = True
        self.workers.stop_admitting()

    def _line_changed(self, generation: str) -> None:
        self.delivery.changed(generation)
        self.delivery.line_moved()

    async def _present(self, generation: str, place: int) -> Reply:
        found = await self.database.read(record.load, generation)
        accounts: tuple[AccountLine, ...] = ()
        if found.state is State.ASKED:
            accounts = await self.service.accounts_of(found.person, found.space)
        return present(found, place=place, model=self._model(found), accounts=accounts)

    def _model(self, generation: record.Generation) -> Model | None:
        try:
            return self.catalogue.model(generation.request.provider, generation.request.model)
        except (UsageError, KeyError):
            return None

    async def _accounts(self, actor: Actor) -> tuple[AccountLine, ...]:
        person = await self.database.transaction(find, actor, micros(self.clock()))
        return await self.service.accounts(person)

    async def _is_ours(self, blob: str) -> bool:
        """It was made here, and still is; what people send is none of it."""
        return bool(await self.database.fetch("SELECT 1 FROM images WHERE blob=:blob AND state='made'", blob=blob))

    async def _happened(self, generation: str, actor: Actor) -> Any:
        await self._seen(generation, actor)
        return await self.database.read(events.happened, generation)

    async def _seen(self, generation: str, actor: Actor) -> record.Generation:
        """Raises `NotThere`, and `NotAllowed` where it was made privately by somebody else."""
        found = await self.service.load(generation)
        check_private(await self.database.transaction(find, actor, micros(self.clock())), found)
        return found

    async def _line(self, generation: str, actor: Actor) -> str:
        """The command line that would ask for the same again."""
        request = (await self._seen(generation, actor)).request
        command = self.table.find(str(request.mode))
        values = {"prompt": request.prompt, "model": request.model, "size": request.size, "format": request.format}
        if request.count > 1:
            values["count"] = str(request.count)
        return grammar.line(command, {name: value for name, value in values.items() if value})

    async def _problems(self) -> list[str]:
        """Why the process should get no work; a provider's bad day is not a reason."""
        if self.service.draining:
            return ["stopping"]
        try:
            async with asyncio.timeout(5):
                await self.database.transaction(_write_nothing)
        except TimeoutError:
            return ["the database does not answer"]
        return []


def _hosts(public_url: str | None) -> tuple[str, ...]:
    """The name by which people reach the page through a proxy."""
    name = urlsplit(public_url or "").hostname
    return (name,) if name else ()


def _write_nothing(connection: Connection) -> None:
    """Takes the writer's turn and the file's lock; that it returns is all that is asked."""


def _fresh_folder(folder: Path) -> None:
    """An empty folder for what is on its way; whatever a killed process left there is of no use."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
