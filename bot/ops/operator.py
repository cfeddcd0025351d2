"""`seedream-bot admin …`: the operator's orders from the command line, through the running bot where there is one."""

import csv
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp

from bot.app import running
from bot.clock import moment
from bot.errors import BotError, CannotStart
from bot.i18n import say
from bot.ops.board import exporting
from bot.ops.board.rights import OPERATOR, Rights
from bot.ops.folder import database_place
from bot.ops.ownership import Owned, find_owner, is_owned, owned_below
from bot.ops.sending import exit_code
from bot.roles import Role
from bot.settings import Settings
from bot.storage import schema
from bot.storage.connection import Connection
from bot.storage.database import open_database


async def order(settings: Settings, words: Sequence[str], *, space: str, as_json: bool) -> int:
    """Order it, print what came of it, and return the exit code."""
    if list(words[:1]) == ["export"] and len(words) == 2:
        return await _export(settings, words[1])
    outcome = await _ordered(settings, words, space)
    if "data" in outcome and outcome["tone"] != "refusal":
        print(json.dumps(outcome["data"], ensure_ascii=False, indent=2))  # noqa: T201
    elif as_json:
        shown = {name: value for name, value in outcome.items() if name not in ("tone", "lines")}
        print(json.dumps(shown, ensure_ascii=False, indent=2))  # noqa: T201
    else:
        print("\n".join((outcome["text"], *(f"  {line}" for line in outcome["lines"]))))  # noqa: T201
    return exit_code(outcome)


async def _ordered(settings: Settings, words: Sequence[str], space: str) -> dict[str, Any]:
    for _ in range(2):
        own = [settings.data_dir] if is_owned(settings.data_dir) else owned_below(settings.data_dir)
        if own:
            owner = find_owner(own[0])
            if owner is None:
                raise CannotStart(f"another process owns {own[0]} but does not answer yet; try again in a moment")
            return await _through(owner.url, owner.token, words, space)
        with suppress(Owned):  # somebody started between our look and our try
            mine = settings.model_copy(update={"role": Role.WEB if settings.is_shared else Role.ALL})
            async with running(mine, demo_data=True, listen=False) as app:
                return await app.administration.order(words, space)
    raise CannotStart(f"{settings.data_dir} changes hands too fast")


async def _through(url: str, token: str, words: Sequence[str], space: str) -> dict[str, Any]:
    form = aiohttp.FormData()
    asked = {"words": list(words), "space": space}
    form.add_field("asked", json.dumps(asked), content_type="application/json")
    # A second multipart part makes the form one: a single field would be sent urlencoded.
    form.add_field("none", "", content_type="text/plain")
    try:
        async with (
            aiohttp.ClientSession(
                headers={"Authorization": f"Bearer {token}"},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            ) as session,
            session.post(f"{url}/control/admin", data=form) as response,
        ):
            response.raise_for_status()
            outcome: dict[str, Any] = await response.json()
            return outcome
    except aiohttp.ClientResponseError as error:
        raise CannotStart(
            f"the running bot could not answer ({error.status}); see {url}/readyz, and its log"
        ) from error
    except aiohttp.ClientError as error:
        raise CannotStart("the running bot went away before it answered; ask again once it is back") from error


async def _export(settings: Settings, what: str) -> int:
    """Print it as CSV: it is only read, so it needs no running bot and waits for none."""
    if schema.current(database_place(settings)) != schema.head():
        raise CannotStart("there is no database of this version yet; start the bot once, or run: seedream-bot migrate")
    out = csv.writer(sys.stdout)
    database = open_database(settings.database_url)
    async with database:
        since, until = await database.read(_days, settings.time_zone)
        viewer = Rights(kind=OPERATOR, name="operator")
        try:
            async for row in exporting.export(database, viewer, what, since, until, settings.time_zone):
                out.writerow(row)
        except BotError as error:
            raise CannotStart(say(error.text, settings.language).rstrip(".")) from error
    return 0


def _days(connection: Connection, zone: str) -> tuple[str, str]:
    """From the first contact to tomorrow, in the bot's zone."""
    row = connection.row("SELECT min(created_at) AS at FROM people")
    today = datetime.now(ZoneInfo(zone)).date()
    first = moment(row["at"]).astimezone(ZoneInfo(zone)).date() if row and row["at"] else today
    return min(first, today).isoformat(), (today + timedelta(days=1)).isoformat()
