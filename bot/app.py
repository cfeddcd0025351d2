"""The composition root: the only place that builds things and joins them. Everything else receives what it needs."""

import asyncio
import importlib
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from bot import commands, demo
from bot.asking import Presses
from bot.catalogue import load
from bot.chat import Adapter, Connected, Reply
from bot.clock import Clock, micros
from bot.command import CommandTable
from bot.commands import own
from bot.commands.drawing import Drawing
from bot.dispatch import Dispatcher
from bot.errors import CannotStart
from bot.generation.delivery import Delivery
from bot.generation.notices import Notices
from bot.generation.queue import Capacity
from bot.generation.runner import Runner
from bot.generation.service import LEAST_DISK, GenerationService
from bot.generation.workers import Workers
from bot.media.fit import Fitter
from bot.media.normalise import Normaliser
from bot.media.store import Blobs
from bot.media.thumbnails import Thumbnails
from bot.moderation import reviews
from bot.opening import HOOKS, opened
from bot.ops import alerts, digest, originals
from bot.ops.administration import Administration, Entrance
from bot.ops.alerts import Alerts
from bot.ops.board.board import Board
from bot.ops.credits import Credits
from bot.ops.digest import Digest
from bot.ops.folder import check_purpose, database_place, make_empty
from bot.ops.janitor import Janitor
from bot.ops.keys import Keys, no_admin
from bot.ops.listener import Listener
from bot.ops.metrics import Metrics
from bot.ops.originals import Originals
from bot.ops.own_data import OwnData
from bot.ops.ownership import Ownership, own_folder
from bot.ops.sending import Sending
from bot.ops.together import Together
from bot.ops.views import Views
from bot.people import Preferences
from bot.privacy import Privacy, mine
from bot.providers.sandbox.server import Sandbox
from bot.quota import own_zones
from bot.quota.tiers import from_json
from bot.reports import Charts, is_chart
from bot.settings import Settings
from bot.spaces import Spaces
from bot.storage import schema
from bot.storage.database import Database, open_database
from bot.teams import Memberships

if TYPE_CHECKING:
    from bot.generation.engine import SharedWorkers

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class App:
    """What runs, for those who drive it: the command line and tests."""

    settings: Settings
    database: Database
    dispatcher: Dispatcher
    delivery: Delivery
    workers: "Workers | SharedWorkers"
    chat: Any
    sending: Sending
    blobs: Blobs
    clock: Clock
    table: CommandTable
    sandbox: Sandbox | None
    administration: Administration
    listener: Listener | None = None


@asynccontextmanager
async def running(
    settings: Settings, *, for_demo: bool = False, demo_data: bool = False, listen: bool = True, next_free: bool = False
) -> AsyncIterator[App]:
    """The whole bot, from its lock to its listener; leaving the block drains it.

    demo_data: a folder that a demonstration made is welcome. listen: whether the page and the control door are served.
    Raises `CannotStart`.
    """
    async with AsyncExitStack() as stack:
        home, ownership = stack.enter_context(own_folder(settings.data_dir, settings.role))
        together = Together(settings.database_url if settings.is_shared else "", settings.role, ownership)
        await stack.enter_async_context(together)  # whoever has the database for himself is not disturbed
        await asyncio.to_thread(schema.migrate, database_place(settings))
        database = await stack.enter_async_context(open_database(settings.database_url))
        await check_purpose(database, for_demo=for_demo, demo_data=demo_data)
        is_demo = for_demo or await database.read(demo.is_demo)
        if is_demo and settings.providers is None:  # a key that happens to be set is not for whoever tries the page
            settings = settings.model_copy(update={"providers": ("sandbox",)})
        clock = Clock(await database.read(demo.clock_offset))
        if listen:  # an order on the command line may come from where the settings are others
            await database.transaction(own_zones.note, settings.time_zone, micros(clock()))
        platforms = settings.platforms if listen and not is_demo else {}
        builder = _Builder(settings, home, together, database, clock, is_demo, platforms)
        app = await builder.build(stack)
        if is_demo:
            await builder.prepare_demo(app)
        await app.dispatcher.replay()
        if listen:
            app = await builder.listen(stack, app, ownership, next_free=next_free)
        for platform in builder.connected:
            if platform.name in builder.heard:
                await stack.enter_async_context(together.listening(platform))
        stack.callback(builder.stop_accepting)
        together.when_superseded(builder.stop_accepting)
        yield app


class _Builder:
    """Builds one bot, in the order in which its parts need each other; each is left in the reverse order."""

    def __init__(
        self,
        settings: Settings,
        home: Path,
        together: Together,
        database: Database,
        clock: Clock,
        is_demo: bool,
        platforms: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self.settings = settings
        self.role = settings.role
        self.lease = settings.queue.lease // timedelta(microseconds=1)
        self.home = home
        self.together = together
        self.bus = together.bus
        self.platforms = platforms
        self.database = database
        self.clock = clock
        self.is_demo = is_demo
        self.scratch = home / "scratch"
        self.blobs = Blobs(settings.blobs_url, **settings.s3.access)
        self.adapters: dict[str, Adapter] = {}
        self.chat: Any = None
        self.served_at = ""
        self.connected: list[Connected] = []
        self.heard: set[str] = set()
        self.spaces = Spaces(database, partial(self.bus.tell, "rules"), reviews.follow)
        self.preferences = Preferences(database, partial(self.bus.tell, "settings"))
        self.tiers = {name: from_json(name, rules) for name, rules in settings.tiers.items()}
        self.memberships = Memberships(database, self.tiers, partial(self.bus.tell, "teams"))

    async def build(self, stack: AsyncExitStack) -> App:
        settings = self.settings
        await asyncio.to_thread(make_empty, self.scratch)
        await self.blobs.prepare()
        await self.spaces.load()
        await self.preferences.load()
        await self.memberships.load()
        self.opened = await stack.enter_async_context(
            opened(settings, load(), clock=self.clock, elsewhere=partial(self.bus.tell, "hook"))
        )
        self.service = self._service()
        self.views = Views(
            database=self.database,
            router=self.opened.router,
            service=self.service,
            spaces=self.spaces,
            clock=self.clock,
        )
        charts = Charts(blobs=self.blobs, database=self.database, clock=self.clock, folder=self.scratch)
        self.notices = Notices(
            kinds={**alerts.kinds(self.database), **digest.kinds(self.database, charts), **own.kinds(self.database)}
        )
        self.delivery = Delivery(
            database=self.database,
            adapters=self.adapters,
            present=self._present,
            present_log=self.views.log,
            owner=self.together.id,
            lease=self.lease,
            delivers=self.role.works,
            leads=self.together.leads,
            runs=lambda generation: self.workers.runs(generation),
            bus=self.bus,
        )
        self.workers = self._workers()
        normaliser = await stack.enter_async_context(
            Normaliser(max_bytes=settings.media.max_bytes, max_pixels=settings.media.max_pixels)
        )
        fitter = await stack.enter_async_context(Fitter())
        self.thumbnails = Thumbnails(self.blobs, fitter, self.home / "thumbnails", is_ours=self._is_ours)
        self.originals = await self._originals()
        self.table, presses = self._commands(normaliser)
        dispatcher = self._dispatcher(self.table, presses)
        self.credits = self._credits()
        chat = self.chat = self._chat(dispatcher)
        # Whoever is an admin of the local page has it to themselves: they are the operator in what they write, too.
        local = [f"{chat.name}/{one.name}" for one in chat.people if one.admin]
        dispatcher.admins = (*settings.admins, *local)
        self.adapters[chat.name] = chat
        if self.role.serves:
            self.heard.add(chat.name)
        for name, given in self.platforms.items():
            await self._connect(stack, name, given, dispatcher, fitter)
        self._hear_others(chat)
        # Left in the reverse order: intake stops, what runs is waited for, and what it made is still posted.
        if self.role.works:
            await stack.enter_async_context(self._janitor())
            await stack.enter_async_context(self.credits)
            await stack.enter_async_context(self._alerts(chat.name))
            await stack.enter_async_context(self._digest())
        await stack.enter_async_context(self.delivery)
        if self.role.works:
            await stack.enter_async_context(self.workers)
        await stack.enter_async_context(dispatcher)
        if self.role.works:
            self.together.beside(self._privacy().tidy())  # what a crash left of those who were forgotten
        sending = Sending(
            chat=chat,
            dispatcher=dispatcher,
            delivery=self.delivery,
            accounts=self.views.accounts,
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
            sandbox=self.opened.sandbox,
            administration=self._administration(),
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
            actions={"send": app.sending.on_behalf, "admin": app.administration.on_behalf},
            ready=self._problems,
            read=self.blobs.read,
            scrape=Metrics(
                database=self.database, providers=tuple(self.opened.providers), credits=self.credits.left
            ).scrape,
            receive=self.opened.receive if self.role.serves else {},
            hooks={each.name: each.hook for each in self.connected if each.hook and each.name in self.heard},
            next_free=next_free,
        )
        for platform in self.connected:
            if platform.hook and platform.name in self.heard:
                address = f"{web.public_url or listener.url}{HOOKS}{platform.name}"
                tell = log.info if web.public_url else log.warning
                tell("a platform is to call", platform=platform.name, address=address, public=bool(web.public_url))
        if self.role.serves:
            if self.originals:
                self.originals.mount(listener.application)
            self._own_data().mount(listener.application)
            app.chat.routes(listener.application)
        else:
            app.chat.guard(listener.application)
        await stack.enter_async_context(listener)
        if self.role.serves:
            self.served_at = listener.url
        ownership.announce(listener.url)
        return replace(app, listener=listener)

    async def _originals(self) -> Originals | None:
        """Links to pictures, where there is an address for them."""
        web = self.settings.web
        if web.public_url is None:
            return None
        return Originals(
            base=web.public_url,
            secret=await self.database.transaction(originals.secret),
            days=web.link_days,
            database=self.database,
            read=self.blobs.read,
            link=self.blobs.link,
            clock=self.clock,
        )

    def _privacy(self) -> Privacy:
        return Privacy(
            database=self.database,
            preferences=self.preferences,
            memberships=self.memberships,
            clock=self.clock,
            remove=self.thumbnails.delete,
            changed=self._line_changed,
        )

    def _runner(self) -> Runner:
        return Runner(
            database=self.database,
            router=self.opened.router,
            providers=self.opened.providers,
            blobs=self.blobs,
            link=self.blobs.link,
            clock=self.clock,
            changed=self.delivery.changed,
            folder=self.scratch,
            images_per_minute=self.settings.queue.images_per_minute,
            with_metadata=self.settings.media.metadata,
            zone=self.settings.time_zone,
        )

    def _workers(self) -> "Workers | SharedWorkers":
        folder = self.settings.data_dir
        parts: dict[str, Any] = {
            "database": self.database,
            "run": self._runner().run,
            "capacity": self._capacity(),
            "owner": self.together.id,
            "patience": self.settings.queue.drain.total_seconds(),
            "line_moved": self._line_moved,
            "clock": self.clock,
            "has_room": lambda: shutil.disk_usage(folder).free >= LEAST_DISK,
        }
        if not self.database.shared:
            return Workers(**parts)
        from bot.generation.engine import SharedWorkers  # a bot on SQLite does not pay for its engine

        return SharedWorkers(**parts, bus=self.bus, url=self.settings.database_url, lease=self.lease)

    def _hear_others(self, chat: Any) -> None:
        """Have what is kept in memory follow what other processes change."""

        def spaces(_: str) -> None:
            self.together.beside(self.spaces.load())

        def settings(person: str) -> None:
            self.together.beside(self.preferences.refresh(person) if person else self.preferences.load())

        def memberships(_: str) -> None:
            self.together.beside(self.memberships.load())

        self.bus.on("rules", spaces)
        self.bus.on("settings", settings)
        self.bus.on("teams", memberships)
        self.bus.on("hook", self.opened.wake)
        self.bus.on("chat", lambda _: chat.changes.hear())

    def _capacity(self) -> Capacity:
        queue = self.settings.queue
        return Capacity(per_person=queue.per_person, running=queue.running, images_per_minute=queue.images_per_minute)

    def _service(self) -> GenerationService:
        def accepted(generation: str) -> None:
            self.workers.wake()
            self._line_moved()

        return GenerationService(
            database=self.database,
            policy=self.settings.limits.table(),
            zone=self.settings.time_zone,
            clock=self.clock,
            most_waiting=self.settings.queue.waiting,
            ask_above_usd=self.settings.ask.above_usd,
            ask_above_images=self.settings.ask.above_images,
            folder=self.home,
            accepted=accepted,
            changed=self._line_changed,
            check_store=self.blobs.check_room,
            tiers=self.tiers,
        )

    def _commands(self, normaliser: Normaliser) -> tuple[CommandTable, Presses]:
        drawing = Drawing(
            router=self.opened.router,
            model=self.settings.model,
            service=self.service,
            normaliser=normaliser,
            blobs=self.blobs,
            database=self.database,
            clock=self.clock,
            folder=self.scratch,
        )
        address = self.originals.link if self.originals else None
        self.drawing = drawing
        return commands.build(
            drawing,
            self.spaces,
            self.preferences,
            self.thumbnails.delete,
            address,
            self.memberships,
            privacy=self._privacy(),
            link=Entrance(base=self._base).link,
            hand_over=self._own_data().link,
        )

    def _administration(self) -> Administration:
        return Administration(
            admin=commands.govern(self.drawing, self.spaces, self.memberships, Entrance(base=self._base).link),
            table=self.table,
            mine=mine,
            language=self.settings.language,
            zone=self.settings.time_zone,
        )

    def _own_data(self) -> OwnData:
        return OwnData(database=self.database, clock=self.clock, base=self._base, mine=mine)

    def _base(self, platform: str) -> str:
        """The address of this server for people of a platform: from outside, else for those on this machine."""
        if self.settings.web.public_url:
            return self.settings.web.public_url
        return self.served_at if platform in ("", self.chat.name) else ""

    def _dispatcher(self, table: CommandTable, presses: Presses) -> Dispatcher:
        return Dispatcher(
            database=self.database,
            table=table,
            presses=presses,
            spaces=self.spaces,
            preferences=self.preferences,
            memberships=self.memberships,
            delivery=self.delivery,
            clock=self.clock,
            language=self.settings.language,
            admins=self.settings.admins,
            owner=self.together.id,
            lease=self.lease,
            hears=self.heard,
            no_admin=no_admin,
        )

    async def _connect(
        self, stack: AsyncExitStack, name: str, given: Mapping[str, Any], door: Dispatcher, fitter: Fitter
    ) -> None:
        """A platform by its name; one that cannot start keeps none of the others from it."""
        settings = self.settings
        module = await asyncio.to_thread(importlib.import_module, f"adapters.{name}.connect")
        platform: Connected = module.connect(
            **given,
            door=door,
            blobs=self.blobs,
            fitter=fitter,
            fetcher=self.opened.fetcher,
            model=self.opened.router.default(settings.model).name,
            waiting=self.views.waiting,
            clock=self.clock,
            folder=self.home / name,
            max_bytes=settings.media.max_bytes,
            language=settings.language,
            language_is_set="language" in settings.model_fields_set,
            zone=settings.time_zone,
            link=self.originals.of if self.originals else None,
        )
        try:
            await stack.enter_async_context(platform)
        except CannotStart as error:
            log.error("a platform is left out", platform=name, reason=str(error))
            return
        self.adapters[name] = platform
        self.connected.append(platform)
        if self.role.serves if platform.hook else self.role.hears:
            self.heard.add(name)

    def _chat(self, dispatcher: Dispatcher) -> Any:
        """The local chat, loaded by its name: nothing here knows what it is made of."""
        web = self.settings.web
        module = importlib.import_module("adapters.web.connect")
        controls = demo.Controls(
            sandbox=self.opened.sandbox, clock=self.clock, zone=self.settings.time_zone, database=self.database
        )
        try:
            return module.connect(
                database=self.database,
                door=dispatcher,
                blobs=self.blobs,
                thumbnails=self.thumbnails,
                accounts=self.views.accounts,
                happened=self.views.happened,
                line=partial(self.views.line, table=self.table),
                clock=self.clock,
                host=web.host,
                port=web.port,
                hosts=web.hosts,
                controls=controls if self.is_demo else None,
                token=web.token.get_secret_value() if web.token else None,
                language=self.settings.language,
                admins=[name for name in self.settings.admins if "/" not in name],
                demo=self.is_demo,
                placeholders=self.settings.provider_order[0] == "sandbox",
                tell_others=partial(self.bus.tell, "chat"),
                board=self._board(),
                keys=Keys(database=self.database, operates=self._operates, clock=self.clock),
                zone=self.settings.time_zone,
            )
        except ValueError as error:  # open to others without a token
            raise CannotStart(str(error).rstrip(".")) from error

    def _board(self) -> Board:
        return Board(
            database=self.database,
            service=self.service,
            table=self.table,
            clock=self.clock,
            zone=self.settings.time_zone,
            providers={name: name for name in self.opened.providers},
            credits=self.credits.left,
            unknown_after=self.settings.unknown.after,
        )

    def _operates(self, adapter: str, user: str) -> bool:
        """Whether this account is an operator's: as the settings say, or an admin of the local page, which is behind
        loopback or a token.
        """
        if f"{adapter}/{user}" in self.settings.admins:
            return True
        return bool(adapter == self.chat.name and self.chat.actor(user, "").admin)

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
            zone=settings.time_zone,
            tidy=self._tidy,
            leads=self.together.leads,
        )

    async def _tidy(self) -> None:
        """Whoever was forgotten, and whoever has left what brought them into a team."""
        await self._privacy().tidy()
        await self.memberships.expire(micros(self.clock()))

    def _credits(self) -> Credits:
        low = self.settings.apiframe.low_credits
        return Credits(database=self.database, counting=self.opened.counting, low=low, leads=self.together.leads)

    def _alerts(self, local: str) -> Alerts:
        """local: the adapter of those whom the settings name without a platform."""
        named = (name if "/" in name else f"{local}/{name}" for name in self.settings.admins)
        operators = [(platform, user) for platform, _, user in (name.partition("/") for name in named)]
        return Alerts(
            database=self.database,
            spaces=self.spaces,
            rules=self.service.rules,
            operators=operators,
            credits=lambda: self.credits.left,
            low=self.settings.apiframe.low_credits,
            language=self.settings.language,
            told=self.delivery.line_moved,
            leads=self.together.leads,
        )

    def _digest(self) -> Digest:
        return Digest(
            database=self.database,
            spaces=self.spaces,
            clock=self.clock,
            zone=self.settings.time_zone,
            language=self.settings.language,
            told=self.delivery.line_moved,
            leads=self.together.leads,
        )

    async def _present(self, generation: str, place: int) -> Reply:
        """What a posting shows: a generation, or what the bot says by itself."""
        if self.notices.has(generation):
            return await self.notices.reply(generation)
        return await self.views.reply(generation, place)

    async def _is_ours(self, blob: str) -> bool:
        return await self.views.is_ours(blob) or await is_chart(self.database, blob)

    async def _problems(self) -> list[str]:
        """Why watchers should look after it: of the bot itself and of each platform."""
        if self.together.superseded:
            return ["this process may only come to its end, and must be started anew: its log says why"]
        troubles = {platform.name: platform.trouble() for platform in self.connected}
        return await self.views.problems() + [f"{name}: {trouble}" for name, trouble in troubles.items() if trouble]

    def stop_accepting(self) -> None:
        """From here on everything only ends: requests are refused, and what waits stays in the line."""
        self.service.draining = True
        self.workers.stop_admitting()

    def _line_changed(self, generation: str) -> None:
        self.delivery.changed(generation)
        self.bus.tell("changed", generation)
        self._line_moved()

    def _line_moved(self) -> None:
        self.delivery.line_moved()
        self.bus.tell("line")
