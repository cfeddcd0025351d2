"""A generation as it is stored, read back into values."""

import json
import secrets
from dataclasses import dataclass
from typing import Any

from bot.chat import Place
from bot.errors import NotThere
from bot.generation.states import ENDED, State
from bot.i18n import Text, text
from bot.request import ImageRequest, Reference
from bot.storage.connection import Connection, Row

# Read aloud, written down and typed: no letter that looks like another (Crockford's base 32, lower case).
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id() -> str:
    """Eight letters: 40 bits, unique by the table's key."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(8))


# Columns that are taken over as they are.
_SAME = (
    *("id", "person", "person_name", "space", "adapter", "language", "provider", "attempt", "price"),
    *("parent", "parent_index", "charged", "tries", "created_at", "started_at", "finished_at", "team", "refunded_at"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture that was made; `state` is "made", or "cleaned" once retention took its bytes.

    title: what the provider called it, where it named it (a layer).
    """

    index: int
    blob: str
    media_type: str
    width: int
    height: int
    size: int
    state: str
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """provider: the one that was asked last, or is to be asked first.

    review: "" where nobody need look at it first, else "due" until it has ended, "waiting" for an admin, "approved" or
    "refused" by one, or "released" because reviews were switched off. team: the id of the one that pays, "" for none.
    grows: the tiers of whoever asked allow its pictures at the model's top size.
    """

    id: str
    person: str
    person_name: str
    space: str
    adapter: str
    language: str
    provider: str
    request: ImageRequest
    state: State
    attempt: int
    price: int
    parent: str
    parent_index: int
    notes: tuple[Text, ...]
    private: bool
    cancelled: bool
    deleted: bool
    charged: int
    cost: int
    others: tuple[Reference, ...]
    tries: int
    failure: Text | None
    created_at: int
    started_at: int
    finished_at: int
    images: tuple[Image, ...]
    missing: tuple[Text, ...]
    review: str = ""
    team: str = ""
    refunded_at: int = 0
    grows: bool = True

    @property
    def given_back(self) -> bool:
        return self.refunded_at > 0

    @property
    def held_back(self) -> bool:
        """Its pictures are for the eyes of the admins who review them alone."""
        return self.review in ("due", "waiting", "refused")

    @property
    def ended(self) -> bool:
        return self.state in ENDED


def load(connection: Connection, generation: str, *, locked: bool = False) -> Generation:
    """Raises `NotThere` for an id that does not exist. locked: nobody changes it before the transaction ends."""
    look = connection.lock_row if locked else connection.row
    review = "(SELECT state FROM reviews WHERE generation=generations.id) AS review"
    row = look(f"SELECT *, {review} FROM generations WHERE id=:id", id=generation.lower())
    if row is None:
        raise unknown(generation)
    images = connection.rows("SELECT * FROM images WHERE generation=:id ORDER BY position", id=row["id"])
    jobs = connection.rows(
        "SELECT failure FROM jobs WHERE generation=:id AND failure<>'' ORDER BY number", id=row["id"]
    )
    return _generation(row, images, jobs)


def unknown(generation: str) -> NotThere:
    return NotThere(text("There is no picture with the id {id}. /history lists yours.", id=generation[:40]))


def read_place(row: Row) -> Place:
    data = json.loads(row["place"])
    return Place(adapter=row["adapter"], data=data["data"], private=data["private"], room=data.get("room", ""))


def write_place(place: Place) -> str:
    stored = {"data": dict(place.data), "private": place.private, "room": place.room}
    return json.dumps(stored, ensure_ascii=False)


def read_text(stored: str) -> Text | None:
    return Text.from_json(json.loads(stored)) if stored else None


def write_text(words: Text | None) -> str:
    return json.dumps(words.to_json(), ensure_ascii=False) if words else ""


def note(connection: Connection, generation: str, kind: str, at: int, detail: str = "") -> None:
    """Keep what happened to a generation, in order, for whoever asks why."""
    connection.execute(
        "INSERT INTO events (generation, at, kind, detail) VALUES (:generation, :at, :kind, :detail)",
        generation=generation,
        at=at,
        kind=kind,
        detail=detail,
    )


def _generation(row: Row, images: list[Row], jobs: list[Row]) -> Generation:
    same: dict[str, Any] = {name: row[name] for name in _SAME}
    missing = (read_text(job["failure"]) for job in jobs)
    return Generation(
        **same,
        request=ImageRequest.from_json(json.loads(row["request"])),
        grows=bool(row["grows"]),
        state=State(row["state"]),
        notes=tuple(Text.from_json(each) for each in json.loads(row["notes"])),
        private=bool(row["private"]),
        cancelled=bool(row["cancelled"]),
        deleted=bool(row["deleted_at"]),
        failure=read_text(row["failure"]),
        cost=sum(image["price"] for image in images),
        others=tuple(Reference(**each) for each in json.loads(row["others"])),
        images=tuple(_image(image) for image in images),
        missing=tuple(words for words in missing if words),
        review=row["review"] or "",
    )


def _image(row: Row) -> Image:
    return Image(
        index=row["position"],
        blob=row["blob"],
        media_type=row["media_type"],
        width=row["width"],
        height=row["height"],
        size=row["size"],
        state=row["state"],
        title=row["title"],
    )
