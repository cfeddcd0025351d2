"""The person behind an actor: found or made at the first contact, with their own defaults."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from bot.chat import Actor
from bot.storage.connection import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """settings: what this person chose by `/settings` (model, size, ratio, format, optimize,
    language, watermark, private)."""

    id: str
    name: str
    settings: Mapping[str, str]
    admin: bool
    space: str

    @property
    def language(self) -> str:
        return self.settings.get("language", "")


def find(connection: Connection, actor: Actor, at: int) -> Person:
    """The person of this actor; a first contact makes one."""
    row = connection.row(
        "SELECT p.id, p.name, p.settings FROM actors a JOIN people p ON p.id=a.person"
        " WHERE a.adapter=:adapter AND a.user_id=:user",
        adapter=actor.adapter,
        user=actor.user,
    )
    space = f"{actor.adapter}/{actor.space}"
    if row:
        return Person(
            id=row["id"], name=actor.name, settings=json.loads(row["settings"]), admin=actor.admin, space=space
        )
    person = secrets.token_hex(6)
    connection.execute(
        "INSERT INTO people (id, name, created_at) VALUES (:id, :name, :at)", id=person, name=actor.name, at=at
    )
    connection.execute(
        "INSERT INTO actors (adapter, user_id, person) VALUES (:adapter, :user, :person)",
        adapter=actor.adapter,
        user=actor.user,
        person=person,
    )
    return Person(id=person, name=actor.name, settings={}, admin=actor.admin, space=space)


def change_settings(connection: Connection, person: str, changes: Mapping[str, str]) -> dict[str, str]:
    """Store a person's new defaults; an empty value takes one back. Returns all that now hold."""
    row = connection.row("SELECT settings FROM people WHERE id=:id", id=person)
    settings: dict[str, str] = {**json.loads(row["settings"] if row else "{}"), **changes}
    settings = {name: value for name, value in settings.items() if value}
    connection.execute(
        "UPDATE people SET settings=:settings WHERE id=:id",
        settings=json.dumps(settings, ensure_ascii=False),
        id=person,
    )
    return settings
