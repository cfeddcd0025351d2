"""What the console says of the app's version, events and callbacks, as far as the app may read it."""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.feishu.app import App, Check, bad
from adapters.feishu.codes import Kind, Refused
from adapters.feishu.rest import Rest
from adapters.feishu.scopes import CALLBACK_TAB, CALLBACKS, EVENT_TAB, EVENTS, Subscribed
from bot.i18n import Text, text

Json = Mapping[str, Any]

ENABLED = 1  # application/v6/applications, status
EVENTS_CHECK, CALLBACKS_CHECK = "feishu events", "feishu callbacks"


async def published(rest: Rest, app: App) -> list[Check]:
    """What the console says of version, events and callbacks, as far as the app may read it."""
    try:
        data = await rest.call("GET", "/application/v6/applications/me", query={"lang": "en_us"})
    except Refused as error:
        return [_by_hand(app) if error.kind is Kind.SCOPE else _untold(app, error)]
    info = data.get("app") or {}
    found = version(app, info)
    events = await _events(rest, info)
    found += _way(app, EVENTS_CHECK, info.get("event") or {}, app.page(EVENT_TAB))
    found += _subscribed(EVENTS_CHECK, EVENTS, events, app.page(EVENT_TAB))
    callbacks = info.get("callback_info") or info.get("callback") or {}
    found += _way(app, CALLBACKS_CHECK, callbacks, app.page(CALLBACK_TAB))
    called = callbacks.get("subscribed_callbacks")
    found += _subscribed(CALLBACKS_CHECK, CALLBACKS, called, app.page(CALLBACK_TAB))
    return found


def _by_hand(app: App) -> Check:
    """Without the scope nobody can tell but somebody who looks."""
    return Check(
        name="feishu settings",
        told=text(
            "What is subscribed and published can only be read with the scope application:application:self_manage. "
            "By hand: at {events} both tabs say “{way}”, the events are {names}, the callback is {callbacks}; at "
            "{version} a version is published.",
            events=app.page(EVENT_TAB),
            way=way(webhook=app.webhook),
            names=tuple(event.name for event in EVENTS),
            callbacks=tuple(callback.name for callback in CALLBACKS),
            version=app.page("version"),
        ),
    )


def _untold(app: App, error: Refused) -> Check:
    told = text("What is subscribed and published could not be read (code {code}).", code=error.code)
    cure = text("Look at {page}, and try again later.", page=app.page(EVENT_TAB))
    return Check(name="feishu settings", told=told, well=False, warning=True, cure=cure)


def way(*, webhook: bool) -> Text:
    """How the console calls the two ways by which events come."""
    if webhook:
        return text("Send notifications to developer's server")
    return text("Receive events/callbacks through persistent connection")


def what(name: str) -> Text:
    return text("callbacks") if name == CALLBACKS_CHECK else text("events")


def version(app: App, info: Json) -> list[Check]:
    name, page = "feishu version", app.page("version")
    if not info.get("online_version_id"):
        told, cure = text("No version of the app is published."), text("Create and publish one at {page}.", page=page)
        return [bad(name, told, cure)]
    if info.get("status", ENABLED) != ENABLED:
        told = text("The app is switched off in the organisation.")
        return [bad(name, told, text("An admin of the organisation switches it on in the admin console."))]
    if info.get("unaudit_version_id"):
        told = text("A newer version waits for approval; until then only what was approved before holds.")
        cure = text("An admin of the organisation approves it in the admin console.")
        return [Check(name=name, told=told, well=False, warning=True, cure=cure)]
    return [Check(name=name, told=text("A version is published."))]


async def _events(rest: Rest, info: Json) -> Sequence[str] | None:
    """The events of the app, or of its published version; None where it is not told."""
    known = (info.get("event") or {}).get("subscribed_events")
    if known is not None or not info.get("online_version_id"):
        return known
    path = f"/application/v6/applications/me/app_versions/{info['online_version_id']}"
    try:
        data = await rest.call("GET", path, query={"lang": "en_us"})
    except Refused:
        return None
    events = (data.get("app_version") or {}).get("event_infos")
    return None if events is None else [str(one.get("event_type")) for one in events]


def _way(app: App, name: str, told: Json, page: str) -> list[Check]:
    """Whether they come as the bot's settings say."""
    kind = str(told.get("subscription_type") or told.get("callback_type") or "")
    wanted = way(webhook=app.webhook)
    if not kind:
        unknown = text(
            "Which way {what} come cannot be read. At {page} it must be “{way}”.",
            what=what(name),
            page=page,
            way=wanted,
        )
        return [Check(name=name, told=unknown)]
    if kind != ("webhook" if app.webhook else "websocket"):
        cure = text("Choose “{way}” at {page}; the bot must run while you save it.", way=wanted, page=page)
        return [bad(name, text("The {what} are not sent to where the bot listens.", what=what(name)), cure)]
    url = str(told.get("request_url") or "")
    if app.webhook and app.address and url != app.address:
        cure = text("Set {address} as the request URL at {page}.", address=app.address, page=page)
        return [bad(name, text("The {what} are sent to another address than this bot's.", what=what(name)), cure)]
    return []


def _subscribed(name: str, wanted: Sequence[Subscribed], there: Sequence[str] | None, page: str) -> list[Check]:
    if there is None:
        told = text("Which {what} are subscribed cannot be read. Look at {page}.", what=what(name), page=page)
        return [Check(name=name, told=told)]
    missing = [each for each in wanted if each.name not in there]
    if not missing:
        return [Check(name=name, told=text("All {what} are subscribed.", what=what(name)))]
    cure = text("Add it at {page}, and publish a version.", page=page)
    return [
        Check(
            name=name,
            told=text("{name} is not subscribed. It is for: {why}", name=each.name, why=each.why),
            well=False,
            warning=not each.needed,
            cure=cure,
        )
        for each in missing
    ]
