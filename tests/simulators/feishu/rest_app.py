"""Calls about the app itself: its token, its bot, what was granted and published, its tenant, its slash commands."""

import re
import secrets

from tests.simulators.feishu.rest import Asked, Routes, invalid_field
from tests.simulators.feishu.wire import Json, Refused

MOST_COMMANDS = 100
VERSION = "oav_1"
LANGUAGE = re.compile(r"zh_(cn|hk|tw)|en_us|ja_jp|de_de|es_es|fr_fr|hi_in|id_id|it_it|ko_kr|pt_br|ru_ru|th_th|vi_vn")


async def token(asked: Asked) -> Json:
    fake = asked.fake
    if asked.body.get("app_id") != fake.app_id:
        raise Refused(10003, "invalid param")
    if asked.body.get("app_secret") != fake.app_secret:
        raise Refused(10014, "app secret invalid")
    return fake.tokens.give()


async def bot_info(asked: Asked) -> Json:
    fake = asked.fake
    if not fake.bot_enabled:
        raise Refused(11205, "app do not have bot")
    shown = {"activate_status": fake.activate_status, "app_name": fake.bot.name, "avatar_url": "", "ip_white_list": []}
    return {"bot": {**shown, "open_id": fake.bot.open_id}}


async def application(asked: Asked) -> Json:
    """event and callback say how they are delivered: "websocket" for the long connection, else "webhook"."""
    fake = asked.fake
    if asked.param("app_id") not in (fake.app_id, "me"):
        raise Refused(210508, "app not found")
    how = {"request_url": fake.webhook} if fake.webhook else {}
    kind = "webhook" if fake.webhook else "websocket"
    events = sorted(fake.subscribed - {"card.action.trigger"})
    callbacks = sorted(fake.subscribed & {"card.action.trigger"})
    app = {
        "app_id": fake.app_id,
        "app_name": fake.bot.name,
        "status": 1 if fake.published else 2,
        "scene_type": 0,
        "primary_language": fake.language,
        "online_version_id": VERSION if fake.published else "",
        "unaudit_version_id": "",
        "owner": {"type": 2, "owner_id": fake.app_owner.open_id if fake.app_owner else ""},
        "scopes": [{"scope": name, "description": "", "level": 1} for name in sorted(fake.scopes)],
    }
    if fake.tells_subscribed:
        app["event"] = {"subscription_type": kind, "subscribed_events": events, **how}
        app["callback"] = {"callback_type": kind, "subscribed_callbacks": callbacks, **how}
    return {"app": app}


async def version(asked: Asked) -> Json:
    fake = asked.fake
    if asked.param("version_id") != VERSION:
        raise Refused(210509, "version not found")
    events = sorted(fake.subscribed - {"card.action.trigger"})
    shown = {
        "app_id": fake.app_id,
        "version": "1.0.0",
        "version_id": VERSION,
        "app_name": fake.bot.name,
        "status": 1 if fake.published else 4,  # 1 audited, 4 not submitted
        "events": events,
        "event_infos": [{"event_type": one, "event_name": one, "event_description": ""} for one in events],
    }
    return {"app_version": shown}


async def scopes(asked: Asked) -> Json:
    """grant_status 1: granted."""
    named = [{"scope_name": name, "grant_status": 1, "scope_type": "tenant"} for name in sorted(asked.fake.scopes)]
    return {"scopes": named}


async def tenant(asked: Asked) -> Json:
    fake = asked.fake
    return {"tenant": {"name": "Studio", "display_id": "F1", "tenant_tag": 0, "tenant_key": fake.tenant, "avatar": {}}}


async def connections(asked: Asked) -> Json:
    """How many long connections the app has (lark_oapi.api.event.v1.model.get_connection_response_body)."""
    return {"online_instance_cnt": len(asked.fake.connections)}


async def list_commands(asked: Asked) -> Json:
    return {"items": [dict(one) for one in asked.fake.commands], "has_more": False, "page_token": ""}


async def create_command(asked: Asked) -> Json:
    fake = asked.fake
    command = _judged(asked)
    if not re.fullmatch(r"[^/\s]{1,32}", asked.text("command")):
        raise invalid_field("command", "a name without / and spaces, of at most 32 characters")
    if any(one["command"] == command["command"] for one in fake.commands):
        raise Refused(40000000, "command already exists")
    if len(fake.commands) >= MOST_COMMANDS:
        raise Refused(40000000, f"at most {MOST_COMMANDS} commands")
    now = fake.milliseconds()
    id = f"cmd_{secrets.token_hex(8)}"
    fake.commands.append({"command_id": id, **command, "create_time": now, "update_time": now})
    return {"command_id": id}


async def patch_command(asked: Asked) -> Json:
    known = _known(asked)
    change = _judged(asked)
    if change.get("command", known["command"]) != known["command"]:
        raise invalid_field("command", "a name cannot be changed")
    known.update(change, update_time=asked.fake.milliseconds())
    return {}


async def delete_command(asked: Asked) -> Json:
    asked.fake.commands.remove(_known(asked))
    return {}


def _known(asked: Asked) -> Json:
    for one in asked.fake.commands:
        if one["command_id"] == asked.param("command_id"):
            return one
    raise invalid_field("command_id", "no such command")


def _judged(asked: Asked) -> Json:
    """The fields that a command may have; anything else is a mistake of the app."""
    match asked.body:
        case {"description": {"default_value": str() as words, **rest}} if words:
            i18n = rest.pop("i18n", {})
            if rest or not isinstance(i18n, dict) or not all(LANGUAGE.fullmatch(one) and i18n[one] for one in i18n):
                raise invalid_field("description.i18n")
        case {"description": _}:
            raise invalid_field("description.default_value")
    match asked.body.get("icon", {"icon_key": "image-ai_outlined"}):
        case {"icon_key": str() as key} if not re.fullmatch(r"[a-z0-9-]+_(outlined|filled|colorful)", key):
            raise Refused(40000031, "icon key is invalid")
        case {"icon_key": str(), **more} if not more:
            pass
        case _:
            raise invalid_field("icon")
    unknown = asked.body.keys() - {"command", "description", "icon"}
    if unknown:
        raise invalid_field(", ".join(sorted(unknown)))
    return dict(asked.body)


_APP = "/application/v6/applications/{app_id}"
_COMMANDS = "/application/v7/app_slash_commands"
ROUTES: Routes = {
    "event.connection.get": ("GET", "/event/v1/connection", connections),
    "auth.tenant_access_token": ("POST", "/auth/v3/tenant_access_token/internal", token),
    "bot.info": ("GET", "/bot/v3/info", bot_info),
    "application.application.get": ("GET", _APP, application),
    "application.application.app_version.get": ("GET", f"{_APP}/app_versions/{{version_id}}", version),
    "application.scope.list": ("GET", "/application/v6/scopes", scopes),
    "tenant.tenant.query": ("GET", "/tenant/v2/tenant/query", tenant),
    "application.app_slash_command.list": ("GET", _COMMANDS, list_commands),
    "application.app_slash_command.create": ("POST", _COMMANDS, create_command),
    "application.app_slash_command.patch": ("PATCH", _COMMANDS + "/{command_id}", patch_command),
    "application.app_slash_command.delete": ("DELETE", _COMMANDS + "/{command_id}", delete_command),
}
