"""A Reply as it lies in the table: its words untranslated, so that each viewer reads it in their own language."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bot.chat import AccountLine, Button, Picture, Reply, Tone
from bot.i18n import Text

PICTURE = ("generation", "index", "blob", "media_type", "width", "height", "size", "alt")


def reply_to_json(reply: Reply) -> dict[str, Any]:
    return {
        "text": reply.text.to_json(),
        "tone": reply.tone.value,
        "prompt": reply.prompt,
        "notes": [note.to_json() for note in reply.notes],
        "rows": [[label.to_json(), value.to_json()] for label, value in reply.rows],
        "pictures": [{name: getattr(picture, name) for name in PICTURE} for picture in reply.pictures],
        "buttons": [_button_to_json(button) for button in reply.buttons],
        "accounts": [_account_to_json(account) for account in reply.accounts],
        "private": reply.private,
        "generation": reply.generation,
        "state": reply.state,
        "language": reply.language,
    }


def reply_from_json(data: Mapping[str, Any]) -> Reply:
    return Reply(
        text=Text.from_json(data["text"]),
        tone=Tone(data["tone"]),
        prompt=data["prompt"],
        notes=tuple(Text.from_json(note) for note in data["notes"]),
        rows=tuple((Text.from_json(label), Text.from_json(value)) for label, value in data["rows"]),
        pictures=tuple(Picture(**picture) for picture in data["pictures"]),
        buttons=tuple(_button_from_json(button) for button in data["buttons"]),
        accounts=tuple(_account_from_json(account) for account in data["accounts"]),
        private=data["private"],
        generation=data["generation"],
        state=data["state"],
        language=data["language"],
    )


def _button_to_json(button: Button) -> dict[str, Any]:
    return {
        "command": button.command,
        "generation": button.generation,
        "label": button.label.to_json(),
        "index": button.index,
        "asks": button.asks.to_json() if button.asks else None,
        "picks": button.picks,
        "danger": button.danger,
    }


def _button_from_json(data: Mapping[str, Any]) -> Button:
    asks = Text.from_json(data["asks"]) if data["asks"] else None
    return Button(**{**data, "label": Text.from_json(data["label"]), "asks": asks})


def _account_to_json(account: AccountLine) -> dict[str, Any]:
    return {
        "name": account.name.to_json(),
        "unit": account.unit,
        "window": account.window,
        "used": account.used,
        "held": account.held,
        "limit": account.limit,
        "resets": account.resets.timestamp() if account.resets else None,
        "ends": account.ends.timestamp() if account.ends else None,
    }


def _account_from_json(data: Mapping[str, Any]) -> AccountLine:
    times = {name: datetime.fromtimestamp(at, UTC) for name in ("resets", "ends") if (at := data.get(name)) is not None}
    return AccountLine(**{**data, "name": Text.from_json(data["name"]), **times})
