"""The addresses of the page, and what each answers."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import ValidationError

from adapters.web import messages, words
from adapters.web.incoming import MOST_BYTES, MOST_PICTURES, MOST_WORDS, SentMessage
from adapters.web.menu import menu
from adapters.web.people import persona
from adapters.web.ports import Controls
from adapters.web.rooms import SHARED, stored_room
from adapters.web.stream import stream
from adapters.web.uploads import take
from adapters.web.view import Viewer, draw, draw_message, events_for_viewing, tightest, zone_or_utc
from adapters.web.words import FAULTS
from bot.chat import AccountLine, Actor
from bot.errors import BotError, NotThere, Unavailable
from bot.i18n import LANGUAGES, Text, language_of, say
from bot.media.sniff import HEAD, sniff

if TYPE_CHECKING:
    from adapters.web.adapter import WebAdapter

log = structlog.get_logger(__name__)

STATIC = Path(__file__).parent / "static"
THEMES = ("light", "dark")
LONGEST = (160, 640, 1280)
FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}  # a blob's name is the hash of its bytes
FRESH = {"Cache-Control": "no-store"}


class Site:
    def __init__(self, chat: "WebAdapter") -> None:
        self._chat = chat

    def mount(self, application: web.Application) -> None:
        application.middlewares.append(self._away)
        application.add_routes(
            [
                web.get("/", self.page),
                web.get("/messages", self.earlier),
                web.post("/messages", self.send),
                web.post("/messages/{message}/dismiss", self.dismiss),
                web.get("/stream", self.stream),
                web.post("/uploads", self.upload),
                web.get("/pictures/{blob}", self.picture),
                web.get("/thumbnails/{blob}/{longest}", self.thumbnail),
                web.get("/generations/{generation}/events", self.events),
                web.get("/generations/{generation}/line", self.line),
                web.get("/meter", self.meter),
                web.get("/switches", self.switches),
                web.post("/switches", self.switch),
                web.get("/open-dashboard", self.open_dashboard),
                web.static("/static", STATIC),
            ]
        )
        application.on_shutdown.append(self._close)
        application.on_response_prepare.append(_always_current)

    async def _close(self, application: web.Application) -> None:
        self._chat.changes.close()

    @web.middleware
    async def _away(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except self._chat.database.passing as error:
            log.warning("the database does not answer", problem=type(error).__name__)
            raise web.HTTPServiceUnavailable from None

    async def page(self, request: web.Request) -> web.Response:
        if not request.query.get("as"):
            raise web.HTTPSeeOther(f"/?as={quote(self._chat.people[0].name)}&room={SHARED[0].id}")
        viewer = self._viewer(request)
        chat = self._chat
        # Read before the messages: what comes in between is then sent once more, never missed.
        revision = await messages.last_revision(chat.database)
        found, earlier = await messages.page(chat.database, viewer.stored_room, viewer.name)
        if not found:
            await chat.welcome(viewer.stored_room)
            found, earlier = await messages.page(chat.database, viewer.stored_room, viewer.name)
        accounts = await self._accounts(viewer)
        body = draw(
            "page.html",
            viewer,
            messages=found,
            has_earlier=earlier,
            revision=revision,
            people=chat.people,
            controls=chat.controls,
            placeholders=chat.placeholders,
            accounts=accounts,
            tightest=tightest(accounts),
            has_line=chat.line is not None,
            has_dashboard=chat.dashboard is not None,
            script=json.dumps(
                {
                    "person": viewer.name,
                    "room": viewer.room,
                    "language": viewer.language,
                    "commands": menu(chat.door.table, viewer.language, admin=viewer.persona.admin),
                    "words": words.script_words(viewer.language),
                    "most": {"pictures": MOST_PICTURES, "words": MOST_WORDS, "bytes": MOST_BYTES},
                },
                ensure_ascii=False,
            ),
        )
        return _html(body)

    async def earlier(self, request: web.Request) -> web.Response:
        viewer = self._viewer(request)
        before = _number(request.query.get("before", ""))
        found, more = await messages.page(self._chat.database, viewer.stored_room, viewer.name, before=before)
        has_line = self._chat.line is not None
        return _html(draw("messages.html", viewer, messages=found, has_earlier=more, has_line=has_line))

    async def stream(self, request: web.Request) -> web.StreamResponse:
        viewer = self._viewer(request)
        has_line = self._chat.line is not None
        return await stream(
            request,
            viewer,
            self._chat.database,
            self._chat.changes,
            lambda message: draw_message(message, viewer, has_line=has_line),
        )

    async def send(self, request: web.Request) -> web.Response:
        viewer = self._preferences(request)
        if request.content_type != "application/json":
            return _refusal(viewer.say(words.NOT_UNDERSTOOD), 415)
        try:
            sent = SentMessage.model_validate_json(await request.read())
        except (ValidationError, web.HTTPRequestEntityTooLarge) as error:
            return _refusal(viewer.say(_misunderstood(error)), 400)
        if persona(self._chat.people, sent.person) is None:
            return _refusal(viewer.say(words.NO_SUCH_PERSON), 404)
        try:
            stored_room(sent.room, sent.person)
        except LookupError:
            return _refusal(viewer.say(words.NO_SUCH_ROOM), 404)
        if sent.empty:
            return _refusal(viewer.say(words.EMPTY), 400)
        try:
            id = await self._chat.say(
                sent.person,
                sent.room,
                sent.words,
                files=[upload.upload() for upload in sent.uploads],
                reply_to=sent.reply_to,
                press=sent.press,
                values=sent.values,
                id=sent.id,
                language=viewer.language,
            )
        except LookupError:
            return _refusal(viewer.say(words.MESSAGE_GONE), 404)
        return web.json_response({"id": id})

    async def dismiss(self, request: web.Request) -> web.Response:
        viewer = self._viewer(request)
        chat = self._chat
        if not await chat.database.transaction(messages.dismiss, request.match_info["message"], viewer.name):
            raise web.HTTPNotFound
        chat.changes.tell()
        return web.Response(status=204)

    async def upload(self, request: web.Request) -> web.Response:
        viewer = self._preferences(request)
        name = Path(request.query.get("name", "")).name[:200] or "picture"
        if (request.content_length or 0) > MOST_BYTES:
            too_large = Text(words.TOO_LARGE.message, {"name": name, "most": MOST_BYTES // 2**20})
            return _refusal(viewer.say(too_large), 413)
        try:
            upload = await take(name, request.content.iter_chunked(2**16), self._chat.blobs)
        except BotError as error:
            return _refusal(viewer.say(error.text), 422)
        return web.json_response({field: getattr(upload, field) for field in upload.__slots__})

    async def picture(self, request: web.Request) -> web.StreamResponse:
        """The picture as it is kept; with `?name=` to be saved under that name."""
        chunks = self._chat.blobs.read(request.match_info["blob"])
        try:
            head = await anext(chunks, b"")
        except NotThere:
            raise web.HTTPNotFound from None
        except Unavailable:
            raise web.HTTPServiceUnavailable from None
        media_type = sniff(head[:HEAD])
        if not media_type:  # only pictures leave here, whatever lies in the store
            raise web.HTTPNotFound
        response = web.StreamResponse(headers={"Content-Type": media_type, **FOR_EVER})
        if name := request.query.get("name"):
            response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        await response.prepare(request)
        await response.write(head)
        async for chunk in chunks:
            await response.write(chunk)
        await response.write_eof()
        return response

    async def thumbnail(self, request: web.Request) -> web.Response:
        blob, longest = request.match_info["blob"], _number(request.match_info["longest"])
        if longest not in LONGEST:
            raise web.HTTPNotFound
        try:
            made = await self._chat.thumbnails(blob, longest)
        except NotThere:
            raise web.HTTPNotFound from None
        except BotError:  # what we cannot decode the browser perhaps can
            raise web.HTTPSeeOther(f"/pictures/{quote(blob)}") from None
        body = made if isinstance(made, bytes) else await asyncio.to_thread(made.read_bytes)
        return web.Response(body=body, content_type=sniff(body[:HEAD]) or "application/octet-stream", headers=FOR_EVER)

    async def events(self, request: web.Request) -> web.Response:
        viewer = self._viewer(request)
        try:
            events = await self._chat.happened(request.match_info["generation"], self._actor(viewer))
        except BotError as error:
            return _refusal(viewer.say(error.text), 404)
        return _html(draw("events.html", viewer, events=events_for_viewing(events)))

    async def line(self, request: web.Request) -> web.Response:
        if self._chat.line is None:
            raise web.HTTPNotFound
        viewer = self._viewer(request)
        try:
            line = await self._chat.line(request.match_info["generation"], self._actor(viewer))
        except BotError as error:
            return _refusal(viewer.say(error.text), 404)
        return web.Response(text=line, headers=FRESH)

    async def meter(self, request: web.Request) -> web.Response:
        viewer = self._viewer(request)
        try:
            accounts = await self._accounts(viewer)
        except Exception as error:  # noqa: BLE001 - a door: the database is away for a moment; what stands there stays
            log.warning("the meter could not be read", problem=type(error).__name__)
            return web.Response(status=204, headers=FRESH)
        return _html(draw("meter.html", viewer, accounts=accounts, tightest=tightest(accounts)))

    async def switches(self, request: web.Request) -> web.Response:
        viewer = self._viewer(request)
        return _html(draw("switches.html", viewer, controls=self._controls(viewer)))

    async def switch(self, request: web.Request) -> web.Response:
        """Set a fault or move the clock."""
        viewer = self._viewer(request)
        controls = self._controls(viewer)
        form = await request.post()
        match form.get("fault"), form.get("clock"):
            case str(fault), None if fault in FAULTS:
                controls.fault = fault
            case None, ("day" | "month" | "now") as moment:
                await controls.shift_clock(moment)
            case _:
                raise web.HTTPBadRequest
        response = _html(draw("switches.html", viewer, controls=controls))
        response.headers["HX-Trigger"] = "spent"  # another day means another balance
        return response

    async def open_dashboard(self, request: web.Request) -> web.Response:
        """Nobody logs in on the page, so a session is opened for whom its reader talks as."""
        if self._chat.dashboard is None:
            raise web.HTTPNotFound
        return await self._chat.dashboard.open_for(request, self._actor(self._viewer(request)))

    def _controls(self, viewer: Viewer) -> Controls:
        """For admins, and only where there are any."""
        if self._chat.controls is None or not viewer.persona.admin:
            raise web.HTTPForbidden
        return self._chat.controls

    def _viewer(self, request: web.Request) -> Viewer:
        """Who looks at which room, as the address says."""
        person = persona(self._chat.people, request.query.get("as", ""))
        if person is None:
            raise web.HTTPNotFound(text=f"{say(words.NO_SUCH_PERSON, self._language(request))}\n")
        return self._preferences(request, person=person.name, room=request.query.get("room", SHARED[0].id))

    def _preferences(self, request: web.Request, *, person: str = "", room: str = SHARED[0].id) -> Viewer:
        language = self._language(request)
        theme = request.cookies.get("seedream-theme", "")
        try:
            stored = stored_room(room, person)
        except LookupError:
            raise web.HTTPNotFound(text=f"{say(words.NO_SUCH_ROOM, language)}\n") from None
        return Viewer(
            persona=persona(self._chat.people, person) or self._chat.people[0],
            room=room,
            stored_room=stored,
            language=language,
            zone=zone_or_utc(unquote(request.cookies.get("seedream-zone", ""))),
            theme=theme if theme in THEMES else "",
        )

    def _language(self, request: web.Request) -> str:
        asked = request.cookies.get("seedream-language", "")
        return asked if asked in LANGUAGES else _accepted(request, self._chat.language or "en")

    async def _accounts(self, viewer: Viewer) -> tuple[AccountLine, ...]:
        return await self._chat.accounts(self._actor(viewer))

    def _actor(self, viewer: Viewer) -> Actor:
        return self._chat.actor(viewer.name, viewer.language)


async def _always_current(request: web.Request, response: web.StreamResponse) -> None:
    """After an upgrade no browser may mix old scripts with new ones: it asks each time, and is told "not modified"."""
    if request.path.startswith("/static/"):
        response.headers["Cache-Control"] = "no-cache"


def _html(body: str) -> web.Response:
    return web.Response(text=body, content_type="text/html", headers=FRESH)


def _refusal(reason: str, status: int) -> web.Response:
    return web.json_response({"error": reason}, status=status)


def _misunderstood(error: Exception) -> Text:
    if isinstance(error, ValidationError):
        for problem in error.errors():
            if problem["type"] == "string_too_long" and problem["loc"] == ("words",):
                return Text(words.TOO_LONG.message, {"most": MOST_WORDS})
    return words.NOT_UNDERSTOOD


def _accepted(request: web.Request, default: str) -> str:
    """The browser's first language, if it is ours."""
    return language_of(request.headers.get("Accept-Language", "").split(",")[0].split(";")[0].strip(), default)


def _number(said: str) -> int:
    if not (said.isascii() and said.isdigit() and len(said) < 19):
        raise web.HTTPBadRequest
    return int(said)
