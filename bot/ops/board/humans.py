"""A person behind several accounts, found by any of them."""

from dataclasses import dataclass

from bot.storage.connection import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One of a person's accounts on a platform."""

    person: str
    name: str
    adapter: str
    since: int


def linked(connection: Connection, id: str) -> tuple[Account, ...]:
    """The accounts of a person by the id of one of them, or by what they have in common."""
    own = connection.row("SELECT linked FROM people WHERE id=:id", id=id)
    common = own["linked"] if own else id
    rows = connection.rows("SELECT * FROM people WHERE id=:id", id=id) if own and not common else []
    if common:
        rows = connection.rows("SELECT * FROM people WHERE linked<>'' AND linked=:common ORDER BY id", common=common)
    found: list[Account] = []
    for row in rows:
        adapters = connection.rows("SELECT adapter FROM actors WHERE person=:person ORDER BY adapter", person=row["id"])
        found += [
            Account(person=row["id"], name=row["name"], adapter=adapter, since=row["created_at"])
            for adapter in [each["adapter"] for each in adapters] or [""]
        ]
    return tuple(found)


def storable(words: str) -> bool:
    """Whether a database takes them: no NUL, and no half of a character."""
    return "\0" not in words and words.encode("utf-8", "replace").decode() == words


def like(words: str) -> str:
    """As a pattern of LIKE with ESCAPE '!' that finds them anywhere."""
    plain = words.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{plain}%"
