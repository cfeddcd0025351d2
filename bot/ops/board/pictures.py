"""The gallery, and everything about one generation: what was asked, what came, what it was made from and became."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest

from bot import events, grammar
from bot.catalogue.sizes import sides
from bot.chat import Picture
from bot.clock import moment
from bot.command import CommandTable
from bot.commands.details import details
from bot.errors import NotThere, UsageError
from bot.generation import record
from bot.generation.presenting import ALT_LENGTH
from bot.generation.record import Generation
from bot.i18n import Text, text
from bot.ops.board.humans import like, linked
from bot.ops.board.rights import (
    PERSON,
    Rights,
    Values,
    Where,
    any_of,
    concerns,
    held_back,
    in_sight,
    may_see,
    own_sums,
    public,
    teams_in_sight,
    terms,
)
from bot.ops.views import OPTIONS
from bot.quota import standing
from bot.quota.limits import Account
from bot.storage.connection import Connection, Row

SEARCHED, SEARCHED_APART = 50_000, 20_000
"""Words and models are looked for in the newest so many, as no index finds them; what is read in the order of asking is
read faster than what an index picks out of it.
"""

PAGE, MOST = 24, 100
MOST_WORDS, LONGEST_WORD = 8, 100
MOST_NAMESAKES = 20
MOST_AT_ONCE = 4096
WRITTEN = '%"prompt": "{}", "provider%'
"""Where the prompt stands in a request: what the database leaves out need not be read here."""
PROMPT = re.compile(r'"prompt": ("[^"\\]*(?:\\.[^"\\]*)*")')
UPWARDS, DOWNWARDS, MOST_KIN = 50, 8, 200
_SHOT = (
    "SELECT seq, id, person, person_name, space, team, adapter, model, provider, request, private, parent, made,"
    " charged, created_at FROM generations WHERE state='settled' AND deleted_at=0"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One generation in the gallery. seq: its place in the order of asking; prompt: the person's own words."""

    seq: int
    id: str
    person: str
    name: str
    space: str
    team: str
    model: str
    prompt: str
    private: bool
    parent: str
    at: datetime
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """before: what asks for the older ones, 0 where there are none. searched: how many of the newest were looked
    through, None where all were.
    """

    shots: tuple[Shot, ...]
    before: int
    searched: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kin:
    """A generation in the tree. depth: below the oldest one that is known; parent, index: which picture it is made
    from. visible: whether its words may be shown; else they and its picture are missing.
    """

    id: str
    parent: str
    index: int
    depth: int
    visible: bool
    name: str
    prompt: str
    picture: Picture | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the books; numbers are pictures or micro-USD. name: what the account is called."""

    at: datetime
    kind: str
    account: str
    name: Text
    unit: str
    held: int
    spent: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """rows: parameters and outcome as labels and values. line: the command that would ask for the same again."""

    id: str
    person: str
    name: str
    space: str
    team: str
    state: str
    private: bool
    deleted: bool
    prompt: str
    rows: tuple[tuple[Text, Text], ...]
    pictures: tuple[Picture, ...]
    failure: Text | None
    line: str
    kin: tuple[Kin, ...]
    happened: tuple[tuple[datetime, Text, Text], ...]
    entries: tuple[Entry, ...]


def gallery(
    connection: Connection,
    viewer: Rights,
    *,
    words: str = "",
    person: str = "",
    model: str = "",
    before: int = 0,
    most: int = PAGE,
) -> Gallery:
    """The newest first. person: an id, or a part of a name. before: as `Gallery.before` said; 0 begins."""
    if not 0 < most <= MOST or before < 0:
        raise UsageError(text("There is no such page."))
    wanted = words.split()
    if len(wanted) > MOST_WORDS or any(len(word) > LONGEST_WORD for word in wanted):
        raise UsageError(text("Search for at most {count} words.", count=MOST_WORDS))
    persons = _persons(connection, viewer, person) if person else ()
    if person and not persons:
        return Gallery(shots=(), before=0, searched=None)
    all_terms = _terms(connection, viewer, persons)
    floor, newest = _floor(connection, all_terms) if wanted or model else (0, None)
    rows: dict[int, Row] = {}
    for term in all_terms:
        found = _newest(connection, viewer, term, wanted, model, before, most + 1, floor=floor)
        rows |= {row["seq"]: row for row in found}
    ordered = nlargest(most + 1, rows.values(), key=lambda row: int(row["seq"]))
    kept = ordered[:most]
    return Gallery(
        shots=_shots(connection, kept),
        before=kept[-1]["seq"] if len(ordered) > most else 0,
        searched=newest,
    )


def shots_of(connection: Connection, viewer: Rights, persons: tuple[str, ...], most: int) -> tuple[Shot, ...]:
    """The newest of one person, as far as they may be seen."""
    rows: dict[int, Row] = {}
    for term in _terms(connection, viewer, persons):
        rows |= {row["seq"]: row for row in _newest(connection, viewer, term, [], "", 0, most)}
    return _shots(connection, nlargest(most, rows.values(), key=lambda row: int(row["seq"])))


def generation(
    connection: Connection, viewer: Rights, id: str, table: CommandTable, provider_name: Mapping[str, str]
) -> Whole:
    """Raises `NotThere` for what is out of sight, too. Of what was made privately only the facts remain."""
    where = in_sight(viewer)
    row = connection.row(f"SELECT * FROM generations WHERE id=:id AND {where.sql}", id=id.lower(), **where.values)
    if row is None:
        raise _unknown(id)
    found = record.load(connection, row["id"])
    seen = may_see(viewer, row)
    shown = seen and not found.deleted
    reply = details(connection, found, provider_name.get(found.provider, found.provider))
    return Whole(
        id=found.id,
        person=found.person,
        name=found.person_name,
        space=found.space,
        team=row["team"],
        state=str(found.state),
        private=found.private,
        deleted=found.deleted,
        prompt=found.request.prompt if shown else "",
        rows=reply.rows if shown else (),
        pictures=_pictures(connection, {found.id: found.request.prompt}).get(found.id, ())
        if shown and not held_back(connection, viewer, row)
        else (),
        failure=found.failure if seen else None,  # it may repeat what was asked for
        line=_line(found, table) if shown else "",
        kin=_kin(connection, viewer, row) if shown else (),
        happened=tuple(events.happened(connection, found.id)),
        entries=_entries(connection, viewer, row),
    )


def picture(connection: Connection, viewer: Rights, id: str, index: int) -> str:
    """The blob of one picture. Raises `NotThere` for whatever the viewer may not look at, too."""
    where = in_sight(viewer)
    row = connection.row(f"SELECT * FROM generations WHERE id=:id AND {where.sql}", id=id.lower(), **where.values)
    if row is None or row["deleted_at"] or not may_see(viewer, row) or held_back(connection, viewer, row):
        raise _unknown(id)
    found = connection.row(
        "SELECT blob FROM images WHERE generation=:id AND position=:index AND state='made'", id=row["id"], index=index
    )
    if found is None:
        raise _unknown(id)
    return str(found["blob"])


def _persons(connection: Connection, viewer: Rights, person: str) -> tuple[str, ...]:
    """By an id or a part of a name: those in sight, as a name may be that of many elsewhere."""
    exact = linked(connection, person)
    if exact:
        return tuple(dict.fromkeys(each.person for each in exact))
    where = own_sums(viewer)
    known = "" if viewer.operates else f" AND id IN (SELECT person FROM usage_days WHERE {where.sql})"
    rows = connection.rows(
        f"SELECT id FROM people WHERE lower(name) LIKE lower(:like) ESCAPE '!'{known}"
        " ORDER BY lower(name), id LIMIT :most",
        like=like(person),
        most=MOST_NAMESAKES,
        **where.values,
    )
    return tuple(row["id"] for row in rows)


def _terms(connection: Connection, viewer: Rights, persons: tuple[str, ...]) -> list[Where]:
    """What to look through, each by the index that has it in order."""
    if not persons:
        return terms(viewer, _teams(connection, viewer))
    where = in_sight(viewer)
    values: Values = {f"of{number}": each for number, each in enumerate(persons)}
    return [Where(f"person=:{name} AND {where.sql}", {name: value, **where.values}) for name, value in values.items()]


def _teams(connection: Connection, viewer: Rights) -> tuple[str, ...]:
    if viewer.operates or viewer.kind == PERSON:
        return ()
    where = teams_in_sight(viewer)
    return tuple(row["id"] for row in connection.rows(f"SELECT id FROM teams WHERE {where.sql}", **where.values))


def _newest(
    connection: Connection,
    viewer: Rights,
    term: Where,
    words: list[str],
    model: str,
    before: int,
    most: int,
    *,
    floor: int = 0,
) -> list[Row]:
    """The newest of one index that match. What the statement finds by the words' letters is held to the prompt."""
    shown = public(viewer)
    sql, values = f"{_SHOT} AND {term.sql} AND {shown.sql}", {**term.values, **shown.values}
    if floor:
        sql += " AND seq>:floor"
        values["floor"] = floor
    if model:
        sql += " AND model=:model"
        values["model"] = model
    for number, word in enumerate(words):
        sql += f" AND lower(request) LIKE lower(:word{number}) ESCAPE '!'"
        values[f"word{number}"] = WRITTEN.format(like(json.dumps(word, ensure_ascii=False)[1:-1]))
    folded = [word.casefold() for word in words]
    found: list[Row] = []
    last, batch = before or 2**62, most
    while len(found) < most:
        rows = connection.rows(f"{sql} AND seq<:last ORDER BY seq DESC LIMIT :batch", **values, last=last, batch=batch)
        found += [row for row in rows if _says(row["request"], folded)]
        if len(rows) < batch:
            break
        last, batch = rows[-1]["seq"], min(4 * batch, MOST_AT_ONCE)
    return found[:most]


def _says(request: str, words: list[str]) -> bool:
    """Whether the prompt has them, as casefolded. Thousands are asked, so the rest of the request stays unread."""
    if not words:
        return True
    written = PROMPT.search(request)
    prompt = json.loads(written[1] if written else request)
    folded = str(prompt if written else prompt["prompt"]).casefold()
    return all(word in folded for word in words)


def _floor(connection: Connection, all_terms: Iterable[Where]) -> tuple[int, int | None]:
    """Below which seq nothing is looked for, and how many that leaves at most of the busiest space or team."""
    floor = most = 0
    for term in all_terms:
        newest = SEARCHED_APART if term.values else SEARCHED
        row = connection.row(
            f"SELECT seq FROM generations WHERE {term.sql} ORDER BY seq DESC LIMIT 1 OFFSET :newest",
            **term.values,
            newest=newest,
        )
        if row and row["seq"] > floor:
            floor, most = row["seq"], newest
    return floor, most or None


def _shots(connection: Connection, rows: Sequence[Row]) -> tuple[Shot, ...]:
    prompts = {row["id"]: str(json.loads(row["request"])["prompt"]) for row in rows}
    shown = _pictures(connection, prompts)
    return tuple(
        Shot(
            seq=row["seq"],
            id=row["id"],
            person=row["person"],
            name=row["person_name"],
            space=row["space"],
            team=row["team"],
            model=row["model"],
            prompt=prompts[row["id"]],
            private=bool(row["private"]),
            parent=row["parent"],
            at=moment(row["created_at"]),
            pictures=shown.get(row["id"], ()),
        )
        for row in rows
    )


def _pictures(connection: Connection, prompts: Mapping[str, str]) -> dict[str, tuple[Picture, ...]]:
    """Those that are still there, by the ids of their generations; an id's words are what describes them."""
    where = any_of("generation", prompts, "of")
    rows = connection.rows(
        f"SELECT * FROM images WHERE {where.sql} AND state='made' ORDER BY generation, position", **where.values
    )
    found: dict[str, tuple[Picture, ...]] = {}
    for row in rows:
        picture = Picture(
            generation=row["generation"],
            index=row["position"],
            blob=row["blob"],
            media_type=row["media_type"],
            width=row["width"],
            height=row["height"],
            size=row["size"],
            alt=prompts[row["generation"]][:ALT_LENGTH],
        )
        found[picture.generation] = (*found.get(picture.generation, ()), picture)
    return found


def _line(found: Generation, table: CommandTable) -> str:
    """As `Views.line`; "" where the command is gone."""
    request = found.request
    values = {name: getattr(request, name) for name in OPTIONS}
    values["ratio"] = "" if sides(request.size) else request.ratio
    values["count"] = request.count if request.count > 1 else ""
    kept = {name: value for name, value in values.items() if value is not False and value not in ("", None)}
    with suppress(UsageError):
        return grammar.line(table.find(str(request.mode)), kept)
    return ""


def _kin(connection: Connection, viewer: Rights, row: Row) -> tuple[Kin, ...]:
    """Upwards to the oldest that is known, and from there downwards with all branches, in the order of the tree."""
    oldest, seen = row, {row["id"]}
    while oldest["parent"] and oldest["parent"] not in seen and len(seen) <= UPWARDS:
        above = connection.row("SELECT * FROM generations WHERE id=:id", id=oldest["parent"])
        if above is None:
            break
        seen.add(above["id"])
        oldest = above
    found: list[Kin] = []
    shown: set[str] = set()

    def visit(each: Row, depth: int) -> None:
        if each["id"] in shown or len(found) >= MOST_KIN:
            return
        shown.add(each["id"])
        found.append(_one_kin(connection, viewer, each, depth))
        if depth < UPWARDS + DOWNWARDS:
            for child in _children(connection, each["id"]):
                visit(child, depth + 1)

    visit(oldest, 0)
    return tuple(found)


def _children(connection: Connection, id: str) -> Iterable[Row]:
    return connection.rows("SELECT * FROM generations WHERE parent=:id ORDER BY seq LIMIT :most", id=id, most=MOST_KIN)


def _one_kin(connection: Connection, viewer: Rights, row: Row, depth: int) -> Kin:
    where = in_sight(viewer)
    inside = connection.row(f"SELECT 1 FROM generations WHERE id=:id AND {where.sql}", id=row["id"], **where.values)
    visible = inside is not None and may_see(viewer, row) and not row["deleted_at"]
    prompt = str(json.loads(row["request"])["prompt"]) if visible else ""
    shown = visible and not held_back(connection, viewer, row)
    found = _pictures(connection, {row["id"]: prompt}).get(row["id"], ()) if shown else ()
    return Kin(
        id=row["id"],
        parent=row["parent"],
        index=row["parent_index"],
        depth=depth,
        visible=visible,
        name=row["person_name"] if visible else "",
        prompt=prompt,
        picture=found[0] if found else None,
    )


def _entries(connection: Connection, viewer: Rights, row: Row) -> tuple[Entry, ...]:
    """What the books say of it, on the accounts that are the viewer's business."""
    rows = connection.rows("SELECT * FROM entries WHERE generation=:id ORDER BY at, kind, account, unit", id=row["id"])
    found = [each for each in rows if concerns(viewer, each["account"])]
    titles = standing.titles(connection, [Account(name) for name in sorted({each["account"] for each in found})])
    return tuple(
        Entry(
            at=moment(each["at"]),
            kind=each["kind"],
            account=each["account"],
            name=_called(Account(each["account"]), titles),
            unit=each["unit"],
            held=each["held"],
            spent=each["spent"],
            reason=each["reason"],
        )
        for each in found
    )


def _called(account: Account, titles: Mapping[str, Text]) -> Text:
    """Not «this space» or «given to you», as nobody stands in the space here and the books are others' to read."""
    match account.kind:
        case "space":
            return text("Space {space}", space=account.space)
        case "grant":
            return text("Grant {number}", number=account.name.removeprefix("grant:"))
        case _:
            return titles[account.name]


def _unknown(id: str) -> NotThere:
    return NotThere(text("There is no picture with the id {id}.", id=id[:40]))
