"""`seedream-bot setup feishu`: from nothing to a first picture, step by step, each said in a sentence."""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from io import StringIO
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

import segno

from adapters.feishu import checks, scopes, sdk, slash
from adapters.feishu.app import App, Check
from adapters.feishu.checks import problem
from adapters.feishu.codes import Kind, Refused, Unreachable, advice
from adapters.feishu.outbound import Shown, card
from adapters.feishu.published import published, way
from adapters.feishu.rest import Rest
from adapters.feishu.scopes import CALLBACKS, EVENTS, grant_link
from bot.chat import Picture, Reply
from bot.command import CommandTable
from bot.errors import CannotStart
from bot.i18n import Text, text, verbatim

# What is asked for where it is not set: the setting's name, and the question.
ASKED = {
    "app_id": text("The app's id, from https://open.feishu.cn/app or https://open.larksuite.com/app (cli_…)"),
    "app_secret": text("The app's secret, from its page in the developer console (Credentials & Basic Info)"),
}
SHOWN = frozenset({"app_id"})  # of these, what may be seen while it is typed
CREATE = text(
    "Create a new app by a QR code that you scan and confirm? If you have one already, say no: then its id and secret "
    "are asked for."
)
PATIENCE = 120.0  # seconds for all of it, without what is waited for at somebody's phone
NOT_MADE = {"access_denied": "it was declined", "expired_token": "the link ran out: run this again for a new one"}
NAME, DESCRIPTION = "Seedream", "Draws and edits pictures with Seedream."
Tell = Callable[[Text], object]


async def create(values: Mapping[str, Any], tell: Tell) -> Mapping[str, str]:
    """A new app with everything that it needs, made by a person who opens a link; its settings by name.

    Raises `CannotStart` where that person declines or the link runs out.
    """
    domain = str(values.get("domain") or scopes.FEISHU).rstrip("/")

    def show(link: str, seconds: float) -> None:
        if code := qr_code(link, columns=get_terminal_size().columns):
            tell(text("Scan this with the Feishu or Lark that the bot is for, or open the link, and confirm:"))
            tell(verbatim(code))
        else:
            tell(text("Open this link with the Feishu or Lark that the bot is for, and confirm:"))
        tell(verbatim(f"  {link}"))
        tell(text("It is good for {minutes} minutes. Waiting …", minutes=int(seconds // 60)))

    try:
        made = await sdk.register_app(
            show, name=NAME, description=DESCRIPTION, addons=scopes.addons(), domains=scopes.accounts(domain)
        )
    except sdk.NotRegistered as error:
        why = NOT_MADE.get(str(error), str(error))
        raise CannotStart(f"no app was created ({why}); docs/feishu.md says how to create one by hand") from error
    tell(text("The app {id} is created.", id=made.app_id))
    settings = {"app_id": made.app_id, "app_secret": made.app_secret}
    place = scopes.place(domain, made.brand)
    return settings if place == domain else {**settings, "domain": place}


async def set_up(
    values: Mapping[str, Any],
    tell: Tell,
    *,
    table: Callable[[], Awaitable[CommandTable]],
    picture: Path,
    channel: str = "",
    language: str = "en",
) -> bool | None:
    """Do it and tell each step; False where something has to be mended first, None where the secret is not good.

    values: the platform's settings by name, secrets in plain. picture: a JPEG for the chat of this id, or the person
    of this open_id or email address, if any, with words in this language.
    """
    app = App.of(values)
    try:
        async with asyncio.timeout(PATIENCE), app.rest() as rest:
            if not _told(tell, *await checks.bot(rest, app)):
                _tell_steps(app, tell)
                return False
            well = _told(tell, await checks.connection(rest, app))
            if app.webhook and not app.address:
                well &= _told(tell, checks.unaddressed())
            done = _told(tell, *await checks.granted(rest, app))
            done &= _told(tell, *await published(rest, app))
            _told(tell, await _put_commands(rest, await table()))
            if not done:
                _tell_steps(app, tell)
            well &= done
            if channel:
                well &= _told(tell, await _send_picture(rest, channel, picture, language))
    except (Refused, Unreachable, TimeoutError) as error:
        _told(tell, problem(error, app))
        return None if isinstance(error, Refused) and error.kind is Kind.CREDENTIALS else False
    if well:
        tell(text("Next: `seedream-bot run`, then write to the bot in Feishu: /imagine a lighthouse at night"))
    return well


def qr_code(link: str, *, columns: int) -> str:
    """For a terminal with light letters on a dark ground; most phones read the other way round, too.

    "" where the terminal is not wide enough: no phone reads a code whose lines are broken.
    """
    drawn = StringIO()
    segno.make_qr(link, error="l").terminal(drawn, border=2, compact=True)
    code = drawn.getvalue().rstrip("\n")
    return code if max(map(len, code.splitlines())) <= columns else ""


def _told(tell: Tell, *found: Check) -> bool:
    """Tell what was found, each with its cure; whether nothing keeps the bot from working."""
    for check in found:
        tell(check.told)
        if check.cure and not check.well:
            tell(Text("  -> {cure}", {"cure": check.cure}))
    return all(check.well or check.warning for check in found)


def _tell_steps(app: App, tell: Tell) -> None:
    """What has to be done in the console, in the order in which it can be done."""
    names = scopes.asked()
    tell(text("What there is to do in the developer console, in this order; skip what is done already:"))
    tell(text("1. {page}: add the bot.", page=app.page(scopes.FEATURES)))
    tell(text("2. {page}: Batch import/export scopes, Import, and paste this:", page=app.page("auth")))
    tell(Text("{json}", {"json": json.dumps(scopes.importable(names))}))
    tell(text("Or open this link, which has them all: {link}", link=grant_link(app.domain, app.id, names)))
    tell(text("3. {page}: create a version, publish it, and have it approved.", page=app.page("version")))
    tell(
        text(
            "4. Set BOT_FEISHU__APP_ID and BOT_FEISHU__APP_SECRET, and start the bot with `seedream-bot run`: the next "
            "step can only be saved while it runs."
        )
    )
    tell(
        text(
            "5. {events_page}: choose “{way}” and add {events}. Then {callbacks_page}: choose the same there, and add "
            "{callbacks}.",
            events_page=app.page(scopes.EVENT_TAB),
            callbacks_page=app.page(scopes.CALLBACK_TAB),
            way=way(webhook=app.webhook),
            events=tuple(event.name for event in EVENTS),
            callbacks=tuple(callback.name for callback in CALLBACKS),
        )
    )
    if app.webhook:
        tell(text("The request URL of both is {address}.", address=app.address or f"BOT_WEB__PUBLIC_URL{scopes.HOOK}"))
    tell(text("6. Publish another version: events and callbacks hold from then on."))
    tell(text("After that `seedream-bot doctor --probe` says whether anything is still missing."))


async def _put_commands(rest: Rest, table: CommandTable) -> Check:
    """A warning at most: typed commands work without."""
    name = "feishu commands"
    try:
        changed = await slash.reconcile(rest, table)
    except Refused as error:
        told = text("The slash commands could not be put at Feishu (code {code}).", code=error.code)
        return Check(name=name, told=told, well=False, warning=True, cure=advice(error))
    if not changed:
        return Check(name=name, told=text("The slash commands stand at Feishu already."))
    told = text("Slash commands were put at Feishu: {names}. They appear within minutes.", names=tuple(changed))
    return Check(name=name, told=told)


async def _send_picture(rest: Rest, to: str, picture: Path, language: str) -> Check:
    """A picture as the bot posts its own: the same card, and the same way."""
    name = "feishu chat"
    shown = Picture(
        generation="test", index=0, blob="", media_type="image/jpeg", width=0, height=0, size=0, alt="a test picture"
    )
    words = text("A test picture. I am set up: try /imagine.")
    reply = Reply(text=words, pictures=(shown,), language=language)
    try:
        key = await rest.upload_image(picture)
        content = card(reply, [Shown(picture=shown, key=key, number=1)])
        body = {"receive_id": to, "msg_type": "interactive", "content": json.dumps(content, ensure_ascii=False)}
        query = {"receive_id_type": _kind(to)}
        await rest.call("POST", "/im/v1/messages", query=query, body={**body, "uuid": secrets.token_hex(16)})
    except Refused as error:
        told = text("Feishu did not take the test picture for {id} (code {code}).", id=to, code=error.code)
        return Check(name=name, told=told, well=False, cure=_cure(error))
    except Unreachable:
        told = text("The test picture did not get through. Try again.")
        return Check(name=name, told=told, well=False)
    return Check(name=name, told=text("A test picture went to {id}.", id=to))


def _kind(to: str) -> str:
    """What somebody named: a person's address is easier to find than an open_id, which differs by app."""
    if "@" in to:
        return "email"
    return "open_id" if to.startswith("ou_") else "chat_id"


def _cure(error: Refused) -> Text | None:
    match error.kind:
        case Kind.OUT_OF_RANGE:
            return text("Let the app be available to this person: in the console, the version's availability.")
        case Kind.FORBIDDEN | Kind.OURS:
            return text("Name a chat that the bot is in (oc_…), or a person: an email address, or an open_id (ou_…).")
    return advice(error)
