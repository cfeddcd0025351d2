"""The addresses of the dashboard, and what each answers.

All of them stand below /dashboard/ and let in by a session of their own: whoever comes by a link from a chat has
nothing to do with the chat page. What a session may see is the board's to decide; nothing here widens it.
"""

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote
from zoneinfo import ZoneInfo

import structlog
from aiohttp import web

from adapters.web import ports
from adapters.web.dashboard import words
from adapters.web.dashboard.charts import every_day, every_month
from adapters.web.dashboard.table import written
from adapters.web.dashboard.view import Reader, draw
from adapters.web.guard import is_https
from adapters.web.view import zone_or_utc
from bot.chat import Actor
from bot.errors import BotError, NotAllowed, NotThere, PictureError, Unavailable, UsageError
from bot.i18n import LANGUAGES, Text, language_of
from bot.media.sniff import HEAD, sniff

log = structlog.get_logger(__name__)

STATIC = Path(__file__).parent / "static"
SHARED = Path(__file__).parents[1] / "static"
HEADERS = {
    "Cache-Control": "no-store",
    # With "no-referrer", as elsewhere, a form's Origin would be "null", and the guard would turn it away. Addresses
    # here hold no secret, and none leaves this server.
    "Referrer-Policy": "same-origin",
}
AGE = 12 * 3600
LONGEST = (320, 1280)
PATIENCE = 30.0  # seconds for a form to come, and for a piece of a table to be taken
MOST_FORM = 4096  # bytes; ours have some hundred
DAYS = 30
MOST_DAYS = 366
SHOWN = 48  # pictures to a page of the gallery
LINES = 100  # rows to a page of the audit log

Page = Callable[[web.Request, Reader], Awaitable[web.StreamResponse]]


class Dashboard:
    """port: tells its cookie from that of another bot on the same host. zone: in which the board's days begin."""

    def __init__(
        self,
        *,
        board: ports.Board,
        keys: ports.Keys,
        blobs: ports.Blobs,
        thumbnails: ports.Thumbnails,
        clock: Callable[[], datetime],
        port: int,
        zone: str = "UTC",
        language: str = "",
        patience: float = PATIENCE,
    ) -> None:
        self._board = board
        self._keys = keys
        self._blobs = blobs
        self._thumbnails = thumbnails
        self._clock = clock
        self._zone = zone
        self._language = language
        self._patience = patience
        self._cookie = f"seedream-dashboard-{port}"

    def mount(self, application: web.Application) -> None:
        inside = self._inside
        application.add_routes(
            [
                web.get("/dashboard", self._home),
                web.get("/dashboard/enter", self._door),
                web.post("/dashboard/enter", self._enter),
                web.get("/dashboard/", inside(self._overview)),
                web.get("/dashboard/overview", inside(self._overview)),
                web.get("/dashboard/pools", inside(self._pools)),
                web.get("/dashboard/people", inside(self._people)),
                web.get("/dashboard/people/{id}", inside(self._person)),
                web.get("/dashboard/spend", inside(self._spend)),
                web.get("/dashboard/queue", inside(self._queue)),
                web.post("/dashboard/queue/{id}/cancel", inside(self._cancel)),
                web.get("/dashboard/gallery", inside(self._gallery)),
                web.get("/dashboard/gallery/{id}", inside(self._generation)),
                web.get("/dashboard/pictures/{id}/{index}", inside(self._picture)),
                web.get("/dashboard/audit", inside(self._audit)),
                web.get("/dashboard/health", inside(self._health)),
                web.post("/dashboard/health/{id}/{act:charge|release}", inside(self._resolve)),
                web.get("/dashboard/export", inside(self._export)),
                web.get("/dashboard/export/{what:usage|ledger|audit}.csv", inside(self._csv)),
                web.post("/dashboard/leave", inside(self._leave)),
                web.static("/dashboard/static", STATIC),
                web.static("/dashboard/shared", SHARED),  # the page's own may be behind a token
                web.get("/dashboard/{rest:.*}", inside(self._nothing)),
            ]
        )
        application.on_response_prepare.append(_never_old)

    async def open_for(self, request: web.Request, actor: Actor) -> web.Response:
        """From the local page, whose people have come by its own door."""
        # Another site's link must not make a session, although it could not read it.
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise web.HTTPForbidden
        return self._let_in(request, await self._keys.open_for(actor))

    # The ways in and out

    async def _home(self, request: web.Request) -> web.Response:
        raise web.HTTPSeeOther("/dashboard/")

    async def _door(self, request: web.Request) -> web.Response:
        """Where a link leads. Its key stands behind the `#`, which no browser sends and no preview fetches."""
        return _html(draw("enter.html", self._reader(request)))

    async def _enter(self, request: web.Request) -> web.Response:
        token = await self._keys.enter((await self._sent(request, "key"))[:200])
        if token is None:
            return self._problem(self._reader(request), words.USED, 401)
        return self._let_in(request, token)

    def _let_in(self, request: web.Request, token: str) -> web.Response:
        response = web.Response(status=303, headers={"Location": "/dashboard/", **HEADERS})
        response.set_cookie(
            self._cookie,
            token,
            max_age=AGE,
            path="/dashboard",
            httponly=True,
            samesite="Strict",
            secure=is_https(request),
        )
        return response

    async def _leave(self, request: web.Request, reader: Reader) -> web.Response:
        await self._keys.leave(request.cookies.get(self._cookie, ""))
        response = _html(draw("problem.html", self._reader(request), title="left_title", problem=words.LEFT))
        response.del_cookie(self._cookie, path="/dashboard")
        return response

    def _inside(self, page: Page) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """A page for those with a session; what goes wrong there is said on a page."""

        async def answer(request: web.Request) -> web.StreamResponse:
            nobody = self._reader(request)
            try:
                session = await self._keys.session(request.cookies.get(self._cookie, ""))
            except NotAllowed as error:
                return self._problem(nobody, error.text, 403)
            if session is None:
                return self._problem(nobody, words.CLOSED, 401)
            reader = self._reader(request, session)
            if request.method == "POST" and not _same(await self._sent(request, "form"), session.form):
                return self._problem(reader, words.STALE_FORM, 403)
            if not all(map(_storable, (*request.match_info.values(), *request.query.values()))):
                return self._problem(reader, words.NOT_UNDERSTOOD, 400)
            try:
                return await page(request, reader)
            except NotAllowed as error:
                return self._problem(reader, error.text, 403)
            except NotThere as error:
                return self._problem(reader, error.text, 404)
            except Unavailable as error:
                return self._problem(reader, error.text, 503)
            except BotError as error:
                return self._problem(reader, error.text, 400)

        return answer

    async def _sent(self, request: web.Request, name: str) -> str:
        """A field of a form; what is none, or is longer than any of ours, has none. Anybody may send here."""
        body = bytearray()
        try:
            async with asyncio.timeout(self._patience):
                async for chunk in request.content.iter_any():
                    body += chunk
                    if len(body) > MOST_FORM:
                        return ""
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        if request.content_type != "application/x-www-form-urlencoded":
            return ""
        return dict(parse_qsl(body.decode("utf-8", "replace"))).get(name, "")

    def _problem(self, reader: Reader, problem: Text, status: int) -> web.Response:
        title = {401: "closed", 403: "refused"}.get(status, "wrong")
        return _html(draw("problem.html", reader, title=title, problem=problem), status=status)

    def _reader(self, request: web.Request, session: ports.Session | None = None) -> Reader:
        asked = request.cookies.get("seedream-language", "")
        accepted = request.headers.get("Accept-Language", "").split(",")[0].split(";")[0].strip()
        theme = request.cookies.get("seedream-theme", "")
        return Reader(
            session=session,
            language=asked if asked in LANGUAGES else language_of(accepted, self._language or "en"),
            zone=zone_or_utc(unquote(request.cookies.get("seedream-zone", ""))),
            theme=theme if theme in ("light", "dark") else "",
        )

    # The pages

    async def _overview(self, request: web.Request, reader: Reader) -> web.Response:
        overview = await self._board.overview(_rights(reader))
        return _page(
            "overview",
            reader,
            overview=overview,
            usd=[(day.key, day.sums.usd) for day in overview.days],
            images=[(day.key, day.sums.images) for day in overview.days],
            possibly=words.possibly(overview.possibly),
        )

    async def _pools(self, request: web.Request, reader: Reader) -> web.Response:
        return _page("pools", reader, found=await self._board.pools(_rights(reader)))

    async def _people(self, request: web.Request, reader: Reader) -> web.Response:
        asked = request.query
        since, until = self._days(request)
        sort, search, page = asked.get("sort", "usd"), asked.get("search", "").strip()[:100], asked.get("page", "")
        desc = asked.get("order", "down") != "up"
        people = await self._board.people(
            _rights(reader), sort=sort, desc=desc, search=search, page=page[:500], since=since, until=until
        )
        return _page(
            "people",
            reader,
            people=people,
            sort=sort,
            desc=desc,
            search=search,
            since=since,
            until=until,
            paged=bool(page),
            known=words.known(people.known),
        )

    async def _person(self, request: web.Request, reader: Reader) -> web.Response:
        since, until = self._days(request)
        person = await self._board.person(_rights(reader), request.match_info["id"], since=since, until=until)
        every = every_month if person.step == "month" else every_day
        usd = every([(day.key, day.sums.usd) for day in person.days], since, until)
        return _page("person", reader, at="people", person=person, usd=usd, since=since, until=until)

    async def _spend(self, request: web.Request, reader: Reader) -> web.Response:
        since, until = self._days(request)
        by = request.query.get("by", "model")
        rights = _rights(reader)
        wanted = dict.fromkeys(("day", by))
        latency, failures, *spends = await asyncio.gather(
            self._board.latency(rights, since, until),
            self._board.failures(rights, since, until),
            *(self._board.spend(rights, each, since, until) for each in wanted),
        )
        days, spend = spends[0], spends[-1]
        every = every_month if days.step == "month" else every_day
        return _page(
            "spend",
            reader,
            since=since,
            until=until,
            by=by,
            step=days.step,
            usd=every([(day.key, day.sums.usd) for day in days.rows], since, until),
            images=every([(day.key, day.sums.images) for day in days.rows], since, until),
            spend=spend,
            more=Text(words.MORE_ROWS.message, {"count": len(spend.rows)}),
            latency=latency,
            failures=failures,
        )

    async def _queue(self, request: web.Request, reader: Reader) -> web.Response:
        return _page("queue", reader, queue=await self._board.queue(_rights(reader)), done=_done(request))

    async def _cancel(self, request: web.Request, reader: Reader) -> web.Response:
        await self._board.cancel(_rights(reader), request.match_info["id"])
        raise web.HTTPSeeOther("/dashboard/queue?done=cancelled")

    async def _gallery(self, request: web.Request, reader: Reader) -> web.Response:
        asked = request.query
        searched = {name: asked.get(name, "").strip()[:200] for name in ("words", "person", "model")}
        gallery = await self._board.gallery(
            _rights(reader), **searched, before=_number(asked.get("before", "0")), most=SHOWN
        )
        note = Text(words.SEARCHED.message, {"count": f"{gallery.searched:,}"}) if gallery.searched else None
        return _page("gallery", reader, gallery=gallery, searched=searched, searched_note=note, paged="before" in asked)

    async def _generation(self, request: web.Request, reader: Reader) -> web.Response:
        one = await self._board.generation(_rights(reader), request.match_info["id"])
        hidden = words.DELETED if one.deleted else words.HIDDEN if one.private and not one.prompt else None
        return _page("generation", reader, at="gallery", one=one, hidden=hidden)

    async def _picture(self, request: web.Request, reader: Reader) -> web.StreamResponse:
        """A picture of a generation that the reader may see; with `?longest=` smaller."""
        index, longest = _number(request.match_info["index"]), _number(request.query.get("longest", "0"))
        blob = await self._board.picture(_rights(reader), request.match_info["id"], index)
        # Rights end: a browser that has it asks again, and is told that it is the same.
        headers = {"Cache-Control": "private, no-cache", "ETag": f'"{blob[:32]}-{longest}"'}
        if any(f'"{known.value}"' == headers["ETag"] for known in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        with suppress(PictureError):  # what we cannot decode the browser perhaps can
            if longest in LONGEST:
                made = await self._thumbnails(blob, longest)
                body = made if isinstance(made, bytes) else await asyncio.to_thread(made.read_bytes)
                kind = sniff(body[:HEAD]) or "application/octet-stream"
                return web.Response(body=body, content_type=kind, headers=headers)
        return await self._whole(request, blob, headers)

    async def _whole(self, request: web.Request, blob: str, headers: Mapping[str, str]) -> web.StreamResponse:
        chunks = self._blobs.read(blob)
        head = await anext(chunks, b"")
        media_type = sniff(head[:HEAD])
        if not media_type:  # only pictures leave here, whatever lies in the store
            raise NotThere(words.NO_PAGE)
        return await self._send(request, {"Content-Type": media_type, **headers}, head, chunks)

    async def _audit(self, request: web.Request, reader: Reader) -> web.Response:
        before = _number(request.query.get("before", "0"))
        audited = await self._board.audit(_rights(reader), before=before, most=LINES)
        return _page("audit", reader, audited=audited, paged=before > 0, most=LINES)

    async def _health(self, request: web.Request, reader: Reader) -> web.Response:
        rights = _rights(reader)
        health, possibly = await asyncio.gather(self._board.health(rights), self._board.possibly_billed(rights))
        operates = rights.kind == "operator"
        return _page("health", reader, health=health, possibly=possibly, operates=operates, done=_done(request))

    async def _resolve(self, request: web.Request, reader: Reader) -> web.Response:
        charge = request.match_info["act"] == "charge"
        await self._board.resolve(_rights(reader), request.match_info["id"], charge)
        raise web.HTTPSeeOther(f"/dashboard/health?done={'charged' if charge else 'released'}")

    async def _export(self, request: web.Request, reader: Reader) -> web.Response:
        since, until = self._days(request)
        return _page("export", reader, since=since, until=until)

    async def _csv(self, request: web.Request, reader: Reader) -> web.StreamResponse:
        what = request.match_info["what"]
        since, until = self._days(request)
        async with aclosing(written(self._board.export(_rights(reader), what, since, until))) as pieces:
            first = await anext(pieces)  # what is refused is refused before an answer has begun
            name = quote(f"seedream-{what}-{since}-{until}.csv")
            headers = {
                "Content-Type": "text/csv; charset=utf-8",
                "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
                **HEADERS,
            }
            return await self._send(request, headers, first, self._while_allowed(request, reader, pieces))

    async def _while_allowed(
        self, request: web.Request, reader: Reader, pieces: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """Until the rights change with which it began: a slow reader may take hours for a table."""
        async for piece in pieces:
            session = await self._keys.session(request.cookies.get(self._cookie, ""))
            if session is None or session.rights != _rights(reader):
                raise NotAllowed(words.CLOSED)
            yield piece

    async def _send(
        self, request: web.Request, headers: Mapping[str, str], first: bytes, rest: AsyncIterator[bytes]
    ) -> web.StreamResponse:
        """Piece by piece. What fails on the way breaks the connection, so that nobody takes a part for the whole; so
        does a reader who takes nothing.
        """
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        try:
            await self._write(response, first)
            async for piece in rest:
                await self._write(response, piece)
            await response.write_eof()
        except ConnectionError:  # the reader has left
            pass
        except Exception as error:  # noqa: BLE001 - a door: no page can be sent any more that would say it
            log.warning("an answer of the dashboard broke off", problem=type(error).__name__)
            if request.transport:
                request.transport.abort()
        return response

    async def _write(self, response: web.StreamResponse, piece: bytes) -> None:
        async with asyncio.timeout(self._patience):
            await response.write(piece)

    async def _nothing(self, request: web.Request, reader: Reader) -> web.Response:
        raise NotThere(words.NO_PAGE)

    def _days(self, request: web.Request) -> tuple[str, str]:
        """The days that the address names, else the last thirty. Raises `UsageError`."""
        today = self._clock().astimezone(ZoneInfo(self._zone)).date()
        try:
            until = date.fromisoformat(request.query.get("until") or today.isoformat())
            since = date.fromisoformat(request.query.get("since") or (until - timedelta(days=DAYS - 1)).isoformat())
        except (ValueError, OverflowError):
            raise UsageError(words.NOT_A_DAY) from None
        if not timedelta() <= until - since < timedelta(days=MOST_DAYS):
            raise UsageError(words.NOT_A_DAY)
        return since.isoformat(), until.isoformat()


def _rights(reader: Reader) -> ports.Rights:
    assert reader.session is not None
    return reader.session.rights


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())


def _storable(words: str) -> bool:
    """No database takes a NUL or a half of a character for text."""
    return "\0" not in words and words.encode("utf-8", "replace").decode() == words


def _done(request: web.Request) -> Text | None:
    return words.DONE.get(request.query.get("done", ""))


def _page(name: str, reader: Reader, *, at: str = "", **values: Any) -> web.Response:
    return _html(draw(f"{name}.html", reader, at=at or name, **values))


def _html(body: str, *, status: int = 200) -> web.Response:
    return web.Response(text=body, content_type="text/html", headers=HEADERS, status=status)


def _number(said: str) -> int:
    if not (said.isascii() and said.isdigit() and len(said) < 19):
        raise UsageError(words.NOT_UNDERSTOOD)
    return int(said)


async def _never_old(request: web.Request, response: web.StreamResponse) -> None:
    """After an upgrade no browser may mix old scripts with new ones; what else is answered here is kept by nobody."""
    if request.path.startswith(("/dashboard/static/", "/dashboard/shared/")):
        response.headers["Cache-Control"] = "no-cache"
    elif request.path.startswith("/dashboard"):
        response.headers.setdefault("Cache-Control", "no-store")
