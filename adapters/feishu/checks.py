"""What has to be right at Feishu for the bot to work, asked over REST alone, beside a running bot too.

A second long connection would take events away from the running bot, so only the address of one is asked for, which
already says most. `setup` says what is found to whoever sets the bot up, `doctor` to whoever looks for what is wrong.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from adapters.feishu import endpoint, scopes, slash
from adapters.feishu.app import App, Check, bad, readable
from adapters.feishu.codes import Kind, Refused, Unreachable
from adapters.feishu.endpoint import WRONG_DOMAIN, NoConnection, NotAllowed, Orders
from adapters.feishu.published import published
from adapters.feishu.rest import Rest
from adapters.feishu.scopes import grant_link, twin
from bot.command import CommandTable
from bot.i18n import text

PATIENCE = 60.0  # seconds for everything that is asked
REACHED_IN = 10.0  # seconds for one address

NO_BOT = (11205, 230006)  # "app do not have bot", "bot ability is not activated"
NOT_INSTALLED = 212100
ACTIVE = 2  # bot/v3/info, activate_status; 4: a newer version waits to be switched on
WAITING = 4


async def checks(
    values: Mapping[str, Any], *, table: CommandTable | None = None, channels: Sequence[str] = ()
) -> list[Check]:
    """Everything, in order. It ends with the first thing without which nothing else can be asked.

    table: left out, the commands are not compared. channels: ids of the chats that rules name.
    """
    app = App.of(values)
    found: list[Check] = []
    try:
        async with asyncio.timeout(PATIENCE), app.rest() as rest:
            found += await bot(rest, app)
            found.append(await connection(rest, app))
            found += await granted(rest, app)
            found += await published(rest, app)
            found += [await channel(rest, id) for id in channels]
            found += [await commands(rest, app, table)] if table else []
            found += await webhook(app, values)
    except (Refused, Unreachable, TimeoutError) as error:
        found.append(problem(error, app))
    return found


def problem(error: Exception, app: App) -> Check:
    """Why nothing more could be asked."""
    match error:
        case Refused(kind=Kind.CREDENTIALS):
            return Check(
                name="feishu credentials",
                told=text("{domain} does not know this app id with this secret.", domain=app.domain),
                well=False,
                cure=text(
                    "Copy both anew from {page} into BOT_FEISHU__APP_ID and BOT_FEISHU__APP_SECRET. An app made at "
                    "{other} needs BOT_FEISHU__DOMAIN={other}.",
                    page=app.page("baseinfo"),
                    other=twin(app.domain) or scopes.LARK,
                ),
            )
        case Refused(code=code, log_id=log_id):
            told = text("Feishu answered with code {code} (log id {log_id}).", code=code, log_id=log_id or "-")
            return Check(name="feishu", told=told, well=False, cure=text("Try again later."))
    why = error.why if isinstance(error, Unreachable) else type(error).__name__
    return Check(
        name="feishu",
        told=text("{domain} cannot be reached ({problem}).", domain=app.domain, problem=why),
        well=False,
        cure=text("Check this machine's way to it, and BOT_FEISHU__DOMAIN."),
    )


async def bot(rest: Rest, app: App) -> list[Check]:
    """Whether the secret is good, and the app has a bot that is switched on."""
    try:
        answer = await rest.call("GET", "/bot/v3/info", top=True)
    except Refused as error:
        if error.code not in NO_BOT:
            raise
        cure = text("Add the bot at {page}, then publish a version.", page=app.page(scopes.FEATURES))
        return [bad("feishu bot", text("The app has no bot."), cure)]
    name = readable(str(answer.get("bot", {}).get("app_name", "")))
    told = text("The secret is good. The bot is called {name}; its app is {id}.", name=name, id=app.id)
    found = [Check(name="feishu credentials", told=told)]
    status = answer.get("bot", {}).get("activate_status", ACTIVE)
    if status not in (ACTIVE, WAITING):
        cure = text(
            "Publish a version at {page} and have it approved; an admin of the organisation can switch the app on.",
            page=app.page("version"),
        )
        told = text("The app is not switched on in the organisation (status {status}).", status=status)
        # A warning: some apps show another status and work all the same.
        found.append(Check(name="feishu bot", told=told, well=False, warning=True, cure=cure))
    return found


async def connection(rest: Rest, app: App) -> Check:
    """What the platform says to a long connection, and how many there are. None is opened."""
    name = "feishu connection"
    try:
        async with aiohttp.ClientSession() as session:
            credentials = {"AppID": app.id, "AppSecret": app.secret}
            await endpoint.asked(session, app.domain, credentials, Orders())
    except NotAllowed as refusal:
        if refusal.code == WRONG_DOMAIN or not app.webhook:
            told = text("The platform refuses a long connection (code {code}).", code=refusal.code)
            return bad(name, told, endpoint.words(refusal.code, app.domain))
    except NoConnection as error:
        if not app.webhook:
            told = text("The platform gives no long connection just now ({problem}).", problem=str(error))
            return Check(name=name, told=told, well=False, warning=True, cure=text("Try again later."))
    if app.webhook:
        told = text("Events come to {address}, not over a long connection.", address=app.address or scopes.HOOK)
        return Check(name=name, told=told)
    return standing(await _connections(rest))


def standing(count: int | None) -> Check:
    """count: of the long connections of this app, whoever made them; None where it is not told. So it proves neither
    that the bot runs nor that it does not.
    """
    name = "feishu connection"
    given = text("The platform gives this app a long connection.")
    match count:
        case None:
            return Check(name=name, told=given)
        case 0:
            told = text("{given} None stands now: the bot is not running, or cannot connect.", given=given)
            return Check(name=name, told=told)
        case 1:
            told = text("{given} One stands now: the bot's, or that of another process with this app id.", given=given)
            return Check(name=name, told=told)
    return Check(
        name=name,
        told=text(
            "{count} long connections stand with this app id, and each gets a part of all messages.", count=count
        ),
        well=False,
        warning=True,  # a moment after a restart the old one may still be there
        cure=text(
            "Let one bot alone use it: stop other processes, on a developer's laptop too, or give them their own app."
        ),
    )


async def _connections(rest: Rest) -> int | None:
    try:
        data = await rest.call("GET", "/event/v1/connection")
    except (Refused, Unreachable):
        return None
    count = data.get("online_instance_cnt")
    return count if isinstance(count, int) else None


async def granted(rest: Rest, app: App) -> list[Check]:
    """What is granted, what is missing and what for."""
    try:
        data = await rest.call("GET", "/application/v6/scopes")
    except Refused as error:
        if error.code != NOT_INSTALLED:
            raise
        cure = text("Publish its first version at {page} and have it approved.", page=app.page("version"))
        return [bad("feishu version", text("The app is not installed in the organisation."), cure)]
    names = {one.get("scope_name") for one in data.get("scopes") or () if one.get("grant_status") == 1}
    missing, useful = scopes.lacking(names, needed=True), scopes.lacking(names, needed=False)
    link = text(
        "Add it at {link}, publish a version, and have it approved.",
        link=grant_link(app.domain, app.id, [scope.name for scope in missing]),
    )
    found = [
        bad(
            "feishu scopes",
            text("{scope} is missing. What the bot does with it: {why}", scope=scope.name, why=scope.why),
            link,
        )
        for scope in missing
    ]
    if not missing:
        found.append(Check(name="feishu scopes", told=text("All scopes that the bot needs are granted.")))
    return [*found, *(_offered(app, scope) for scope in useful)]


def _offered(app: App, scope: scopes.Scope) -> Check:
    """One that is not needed, and nothing that is wrong."""
    link = grant_link(app.domain, app.id, [scope.name])
    told = text(
        "{scope} is not granted, and need not be. What the bot does with it: {why} It is added at {link}.",
        scope=scope.name,
        why=scope.why,
        link=link,
    )
    return Check(name="feishu scopes", told=told)


async def channel(rest: Rest, id: str) -> Check:
    """Whether the bot is in this chat, as far as it may look."""
    name = "feishu chat"
    try:
        data = await rest.chat(id)
    except Refused as error:
        if error.kind is Kind.SCOPE:
            told = text("Chat {id} cannot be looked at without the scope im:chat:readonly.", id=id)
            return Check(name=name, told=told)
        told = text("Chat {id} is not there, or the bot is not in it (code {code}).", id=id, code=error.code)
        return Check(
            name=name, told=told, well=False, warning=True, cure=text("Add the bot to it in its settings, Bots.")
        )
    told = text("The bot is in the chat {name}.", name=readable(str(data.get("name") or id)))
    return Check(name=name, told=told)


async def commands(rest: Rest, app: App, table: CommandTable) -> Check:
    """Whether the slash commands that people are offered are those of this version."""
    name = "feishu commands"
    try:
        standing = await rest.commands()
    except Refused as error:
        if error.kind is not Kind.SCOPE:
            raise
        wanted = ["application:app_slash_command:read", "application:app_slash_command:write"]
        told = text("The slash commands cannot be read or put there. Typed commands work all the same.")
        cure = text("Add the scopes at {link}.", link=grant_link(app.domain, app.id, wanted))
        return Check(name=name, told=told, well=False, warning=True, cure=cure)
    if differ := slash.differing(table, standing):
        told = text("The slash commands at Feishu are not those of this version: {names}.", names=tuple(differ))
        cure = text("The bot puts them there when it starts; `seedream-bot setup feishu` does it at once.")
        return Check(name=name, told=told, well=False, warning=True, cure=cure)
    count = len(slash.payload(table))
    return Check(name=name, told=text("All {count} slash commands stand at Feishu as they are here.", count=count))


async def webhook(app: App, values: Mapping[str, Any]) -> list[Check]:
    """Whether the address for events is there, and leads to this bot."""
    name = "feishu webhook"
    if not app.webhook:
        if not values.get("verification_token"):
            return []
        told = text("BOT_FEISHU__VERIFICATION_TOKEN is set, but without BOT_FEISHU__ENCRYPT_KEY there is no webhook.")
        cure = text("Set the encrypt key too, or take the token away.")
        return [Check(name=name, told=told, well=False, warning=True, cure=cure)]
    if not app.address:
        return [unaddressed()]
    status = await answered(app.address)
    if status == 401:  # as the bot answers what is not signed
        return [Check(name=name, told=text("The bot answers at {address}.", address=app.address))]
    told = text("The bot does not answer at {address} ({status}).", address=app.address, status=status or "-")
    cure = text(
        "Start it, and lead this address to its listener; whatever stands between must pass headers and body on."
    )
    return [Check(name=name, told=told, well=False, warning=True, cure=cure)]


def unaddressed() -> Check:
    """There is a webhook, and Feishu has nowhere to call."""
    told = text("BOT_FEISHU__ENCRYPT_KEY is set, but nobody outside knows where the bot is.")
    cure = text("Set BOT_WEB__PUBLIC_URL to the address by which it is seen from outside.")
    return bad("feishu webhook", told, cure)


async def answered(address: str) -> int:
    """The status with which something there answers a call that Feishu did not sign; 0 for no answer."""
    wait = aiohttp.ClientTimeout(total=REACHED_IN)
    try:
        async with (
            aiohttp.ClientSession(timeout=wait) as session,
            session.post(address, data=b"{}", allow_redirects=False) as answer,
        ):
            return answer.status
    except (aiohttp.ClientError, OSError, ValueError):
        return 0
