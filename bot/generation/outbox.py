"""Postings as they are stored: what must be shown, and what stands where. Functions for transactions."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from bot.chat import Place, Post
from bot.errors import NotThere
from bot.generation.record import Generation, load, read_place, write_place
from bot.storage.connection import Connection, Row

# With the longest pause between them, about a day.
GIVE_UP_AFTER = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """wanted counts what there is to show; delivery writes down which count it has shown.

    tried: the moment, in micros, since which nobody knows whether its message stands; 0 where that is known.
    """

    key: str
    generation: str
    place: Place
    wanted: int
    message: str
    tries: int
    tried: int = 0

    @property
    def logs(self) -> bool:
        """It tells a space's log room, and is not what the asker sees."""
        return self.key == log_key(self.generation)


def own_key(generation: str) -> str:
    """The key of the posting that every generation has from the beginning; `/show` may add others."""
    return f"{generation}:0"


def log_key(generation: str) -> str:
    """The key of the posting that tells a space's log room of a generation."""
    return f"{generation}:log"


def want_log(connection: Connection, generation: str, room: str) -> None:
    """Tell another room of the same space of a generation that all may see; what ended in that room itself is seen."""
    row = connection.row("SELECT * FROM postings WHERE key=:key", key=own_key(generation))
    if row is None or not room or room == (place := read_place(row)).room:
        return
    connection.execute(
        "INSERT INTO postings (key, generation, adapter, place, state, wanted)"
        " VALUES (:key, :generation, :adapter, :place, 'to post', 1) ON CONFLICT (key) DO NOTHING",
        key=log_key(generation),
        generation=generation,
        adapter=row["adapter"],
        place=write_place(replace(place, room=room, private=False)),
    )


def due(connection: Connection, now: int, adapters: Collection[str]) -> list[str]:
    """Keys of what has to be posted now. What another platform shall show waits for the start that has it again."""
    rows = connection.rows(
        "SELECT key, adapter FROM postings WHERE state='to post' AND next_at<=:now ORDER BY next_at, key", now=now
    )
    return [row["key"] for row in rows if row["adapter"] in adapters]


def claim(connection: Connection, key: str, now: int) -> Posting | None:
    """To post it now. Should the process die on the way, it is known since when its outcome is not."""
    row = connection.row(
        "UPDATE postings SET state='posting', tried_at=CASE WHEN tried_at=0 THEN :now ELSE tried_at END"
        " WHERE key=:key AND state='to post' RETURNING *",
        key=key,
        now=now,
    )
    if row is None:
        return None
    posting = _posting(row)
    return replace(posting, tried=0) if posting.tried == now else posting


def posted(connection: Connection, posting: Posting, message: str) -> None:
    """It stands; if something newer came meanwhile it is to be posted again, into the same message."""
    _note_messages(connection, posting.key, posting.place.adapter, message)
    connection.execute(
        "UPDATE postings SET shown=:shown, message=:message, tries=0, tried_at=0, problem='',"
        " state=CASE WHEN wanted>:shown THEN 'to post' ELSE 'posted' END WHERE key=:key",
        shown=posting.wanted,
        message=message,
        key=posting.key,
    )


def moved(connection: Connection, posting: Posting, message: str) -> None:
    """While it was changed to show progress it came to stand in other messages, or in more of them."""
    connection.execute("UPDATE postings SET message=:message WHERE key=:key", message=message, key=posting.key)
    _note_messages(connection, posting.key, posting.place.adapter, message)


def refused(
    connection: Connection, posting: Posting, problem: str, next_at: int, *, final: bool, unknown: bool
) -> None:
    """The platform did not take it: later again, or kept for `/show` when that cannot help.

    unknown: it may have taken it all the same.
    """
    state = "kept" if final or posting.tries + 1 >= GIVE_UP_AFTER else "to post"
    connection.execute(
        "UPDATE postings SET state=:state, tries=tries+1, next_at=:next_at, problem=:problem,"
        " tried_at=CASE WHEN :unknown THEN tried_at ELSE :tried END WHERE key=:key",
        state=state,
        next_at=next_at,
        problem=problem[:200],
        unknown=unknown,
        tried=posting.tried,
        key=posting.key,
    )


def standing(connection: Connection, generation: str) -> list[Posting]:
    """Messages that stand, and may be changed to show progress; the generation's own comes first."""
    rows = connection.rows(
        "SELECT * FROM postings WHERE generation=:generation AND state='posted' AND message<>''"
        " ORDER BY CASE WHEN key=:own THEN 0 ELSE 1 END, key",
        generation=generation,
        own=own_key(generation),
    )
    return [_posting(row) for row in rows]


def unfinished(connection: Connection) -> None:
    """At a start: what was being posted when the process died is posted again, under the same key."""
    connection.execute("UPDATE postings SET state='to post', next_at=0 WHERE state='posting'")


def put_back(connection: Connection, keys: Iterable[str]) -> None:
    """What became of posting these could not be written down: they are posted again, under the same key."""
    for key in sorted(keys):
        connection.execute("UPDATE postings SET state='to post', next_at=0 WHERE key=:key AND state='posting'", key=key)


def quoted(connection: Connection, adapter: str, message: str) -> str | None:
    """The generation that stands in a platform's message, if it is ours."""
    row = connection.row(
        "SELECT p.generation FROM posted_messages m JOIN postings p ON p.key=m.key"
        " WHERE m.adapter=:adapter AND m.message=:message",
        adapter=adapter,
        message=message,
    )
    return str(row["generation"]) if row else None


def add_posted(connection: Connection, post: Post, message: str) -> None:
    """One more message that shows a generation: `/show` puts it anywhere, and it changes with the generation."""
    connection.execute(
        "INSERT INTO postings (key, generation, adapter, place, state, wanted, shown, message)"
        " VALUES (:key, :generation, :adapter, :place, 'posted', 1, 1, :message) ON CONFLICT (key) DO NOTHING",
        key=post.key,
        generation=post.reply.generation,
        adapter=post.place.adapter,
        place=write_place(post.place),
        message=message,
    )
    _note_messages(connection, post.key, post.place.adapter, message)


def kept(connection: Connection, person: str) -> list[str]:
    """Generations of this person that found no way to be posted, and that nobody told them of yet."""
    rows = connection.rows(
        "SELECT DISTINCT p.generation FROM postings p JOIN generations g ON g.id=p.generation"
        " WHERE p.state='kept' AND p.shown<p.wanted AND g.person=:person AND g.deleted_at=0 AND p.key<>g.id||':log'",
        person=person,
    )
    return [row["generation"] for row in rows]


def offered(connection: Connection, generations: list[str]) -> None:
    """The person was told where to find them."""
    for generation in generations:
        connection.execute(
            "UPDATE postings SET shown=wanted WHERE generation=:generation AND state='kept'", generation=generation
        )


def existing(connection: Connection, generation: str) -> Generation | None:
    try:
        return load(connection, generation)
    except NotThere:
        return None


def _note_messages(connection: Connection, key: str, adapter: str, message: str) -> None:
    """Each message by itself, so that a reply to any of them is understood; it means what was shown there last."""
    for each in message.split():
        connection.execute(
            "INSERT INTO posted_messages (adapter, message, key) VALUES (:adapter, :message, :key)"
            " ON CONFLICT (adapter, message) DO UPDATE SET key=:key",
            adapter=adapter,
            message=each,
            key=key,
        )


def _posting(row: Row) -> Posting:
    return Posting(
        key=row["key"],
        generation=row["generation"],
        place=read_place(row),
        wanted=row["wanted"],
        message=row["message"],
        tries=row["tries"],
        tried=row["tried_at"],
    )
