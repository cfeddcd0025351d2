"""Builds the adapter for the composition root. Nothing of lark-oapi is imported here."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.feishu.adapter import FeishuAdapter, OwnId
from adapters.feishu.connection import Connection
from adapters.feishu.files import Files
from adapters.feishu.fitting import Blobs, Fitting, Link
from adapters.feishu.intake import Intake
from adapters.feishu.ladder import Ladder
from adapters.feishu.pending import Pending
from adapters.feishu.people import People, usual_language
from adapters.feishu.ports import Door
from adapters.feishu.rest import Rest
from adapters.feishu.toasts import Toasts
from adapters.feishu.webhook import Webhook
from bot.media.fit import Fitter


def connect(
    *,
    app_id: str,
    app_secret: str,
    domain: str,
    door: Door,
    blobs: Blobs,
    fitter: Fitter,
    clock: Callable[[], datetime],
    folder: Path,
    max_bytes: int,
    oldest: timedelta,
    zone: str,
    encrypt_key: str | None = None,
    verification_token: str | None = None,
    group_owners: bool = False,
    language: str = "en",
    language_is_set: bool = False,
    link: Link | None = None,
    **_: Any,
) -> FeishuAdapter:
    """folder: of its own, for pictures on their way and what waits for words. zone: in which cards tell the time.

    language: of those who have chosen none; if the operator did not set it, that of most people on the platform.
    link: a public address of a picture, if there is one. A wrong secret is found when the adapter is entered.
    """
    own_id = OwnId()
    rest = Rest(domain=domain, app_id=app_id, app_secret=app_secret)
    people = People(rest=rest, folder=folder, clock=clock, group_owners=group_owners)
    toasts = Toasts(rooms=people.room)
    ladder = Ladder(
        rest=rest,
        fitting=Fitting(rest=rest, blobs=blobs, fitter=fitter, folder=folder / "outgoing", link=link),
        toasts=toasts,
        models=lambda: models(door),
        give_back=door.give_back,
        rooms=people.room,
        clock=clock,
        zone=zone,
    )
    intake = Intake(
        door=door,
        files=Files(rest=rest, max_bytes=max_bytes, app_id=app_id),
        people=people,
        pending=Pending(folder=folder / "waiting", clock=clock),
        toasts=toasts,
        post=ladder.post,
        bot=own_id,
        oldest=oldest,
        language=language if language_is_set else usual_language(domain),
        clock=clock,
    )

    def line() -> Connection:
        return Connection(domain=domain, app_id=app_id, app_secret=app_secret, take=intake.take)

    webhook = None
    if encrypt_key:
        webhook = Webhook(
            encrypt_key=encrypt_key, verification_token=verification_token or "", take=intake.take, clock=clock
        )
    return FeishuAdapter(
        rest=rest,
        door=door,
        intake=intake,
        ladder=ladder,
        line=None if webhook else line,
        webhook=webhook,
        own_id=own_id,
        app_id=app_id,
    )


def models(door: Door) -> tuple[str, ...]:
    """Those that can be chosen in a card's form; it is the same card for everybody."""
    command = next((each for each in door.table.commands if each.name == "edit"), None)
    option = command.option("model") if command else None
    return option.choices or option.suggestions if option else ()
