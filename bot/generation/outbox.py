"""Postings as they are stored: what must be shown, and what stands where. Functions for transactions.

Whoever works on a posting has it under a lease, and nobody else begins meanwhile. What is written afterwards names the
attempt that the claim was given: where another has begun a later one, it changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bot.chat import Place, Post
from bot.errors import NotThere
from bot.generation.record import Generation, load, note, read_place, write_place
from bot.generation.states import IN_FLIGHT, State, listed
from bot.storage.connection import Connection, Row

# With the longest pause between them, about a day.
GIVE_UP_AFTER = 300
CHANGING = (State.QUEUED, *IN_FLIGHT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """wanted counts what there is to show; delivery writes down which count it has shown.

    tried: the moment, in micros, since which nobody knows whether its message stands; 0 where that is known.
    attempt: which claim this is. busy: somebody was at it when it was looked at.
    """

    key: str
    generation: str
    place: Place
    wanted: int
    message: str
    tries: int
    tried: int = 0
    attempt: int = 0
    busy: bool = False

    @property
    def logs(self) -> bool:
        """It tells a space's log room, and is not what the asker sees."""
        return self.key == log_key(self.generation)

    @property
    def reviews(self) -> bool:
        """It asks the admins of a space whether the asker may see it."""
        return self.key.startswith(f"{self.generation}:review:")


def own_key(generation: str) -> str:
    """The key of the posting that every generation has from the beginning; `/show` may add others."""
    return f"{generation}:0"


def log_key(generation: str) -> str:
    """The key of the posting that tells a space's log room of a generation."""
    return f"{generation}:log"


def review_key(generation: str, room: str) -> str:
    """The key of the posting by which a room is asked to review a generation."""
    return f"{generation}:review:{room}"


def want_log(connection: Connection, generation: str, room: str) -> None:
    """Tell another room of the same space of a generation that all may see; what ended in that room itself is seen."""
    row = connection.row("SELECT * FROM postings WHERE key=:key", key=own_key(generation))
    if row and room and room != read_place(row).room:
        _want_in(connection, log_key(generation), row, room)


def want_review(connection: Connection, generation: str, room: str) -> None:
    """Ask a room of the same space, be it the one where it was asked for, whether it may be seen."""
    row = connection.row("SELECT * FROM postings WHERE key=:key", key=own_key(generation))
    if row:
        _want_in(connection, review_key(generation, room), row, room)


def review_due(connection: Connection, generation: str, space: str) -> None:
    """Its pictures are held back from the beginning on."""
    connection.execute(
        "INSERT INTO reviews (generation, space, room, state) VALUES (:generation, :space, '', 'due')"
        " ON CONFLICT (generation) DO NOTHING",
        generation=generation,
        space=space,
    )


def hold_back(connection: Connection, generation: str, room: str, at: int) -> bool:
    """Whether what was just made is not to be seen yet; then the room is asked. "" where nobody reviews any more."""
    waits = connection.execute(
        "UPDATE reviews SET state=:state, room=:room, at=:at WHERE generation=:generation AND state='due'",
        state="waiting" if room else "released",
        room=room,
        at=at,
        generation=generation,
    )
    if waits and room:
        note(connection, generation, "review asked", at)
        want_review(connection, generation, room)
    return bool(waits and room)


def _want_in(connection: Connection, key: str, own: Row, room: str) -> None:
    connection.execute(
        "INSERT INTO postings (key, generation, adapter, place, state, wanted)"
        " VALUES (:key, :generation, :adapter, :place, 'to post', 1) ON CONFLICT (key) DO NOTHING",
        key=key,
        generation=own["generation"],
        adapter=own["adapter"],
        place=write_place(replace(read_place(own), room=room, private=False)),
    )


def due(connection: Connection, adapter: str, most: int = 1000, now: int | None = None) -> list[str]:
    """Keys of what this platform has to show now and nobody is at, the longest due first."""
    rows = connection.rows(
        "SELECT key FROM postings WHERE state='to post' AND adapter=:adapter AND next_at<=:now AND lease_until<=:now"
        " ORDER BY next_at, key LIMIT :most",
        adapter=adapter,
        now=connection.now() if now is None else now,
        most=most,
    )
    return [row["key"] for row in rows]


def claim(connection: Connection, key: str, owner: str, lease: int, now: int | None = None) -> Posting | None:
    """To post it now; None where somebody else is at it, or was faster.

    Should the process die on the way, it is known since when its outcome is not.
    """
    # IS TRUE: PostgreSQL would look for it among all that is to be posted instead of by its key.
    return _claim(connection, key, owner, lease, now, "state='posting'", "(state='to post') IS TRUE AND next_at<=:now")


def claim_progress(connection: Connection, key: str, owner: str, lease: int, now: int | None = None) -> Posting | None:
    """To change what stands; None where it has to be posted anyway, or somebody else is at it."""
    return _claim(connection, key, owner, lease, now, "state='posted'", "state='posted' AND message<>''")


def posted(connection: Connection, posting: Posting, message: str) -> bool:
    """It stands; if something newer came meanwhile it is to be posted again, into the same message.

    False where it is another's by now.
    """
    ours = connection.execute(
        "UPDATE postings SET shown=:shown, message=:message, tries=0, tried_at=0, problem='', lease_until=0,"
        " state=CASE WHEN wanted>:shown THEN 'to post' ELSE 'posted' END WHERE key=:key AND attempt=:attempt",
        shown=posting.wanted,
        message=message,
        key=posting.key,
        attempt=posting.attempt,
    )
    if ours:
        _note_messages(connection, posting.key, posting.place.adapter, message)
    return bool(ours)


def moved(connection: Connection, posting: Posting, message: str) -> None:
    """While it was changed to show progress it came to stand in other messages, or in more of them."""
    ours = connection.execute(
        "UPDATE postings SET message=:message WHERE key=:key AND attempt=:attempt",
        message=message,
        key=posting.key,
        attempt=posting.attempt,
    )
    if ours:
        _note_messages(connection, posting.key, posting.place.adapter, message)


def release(connection: Connection, posting: Posting, message: str, *, unknown: bool = False) -> None:
    """Progress was shown in this message, or was not (""); unknown: nobody knows. Whoever waits may begin."""
    if message not in ("", posting.message):
        moved(connection, posting, message)
    connection.execute(
        "UPDATE postings SET lease_until=0, tried_at=CASE WHEN :unknown THEN tried_at ELSE :tried END"
        " WHERE key=:key AND attempt=:attempt",
        unknown=unknown,
        tried=0 if message else posting.tried,
        key=posting.key,
        attempt=posting.attempt,
    )


def refused(connection: Connection, posting: Posting, problem: str, pause: int, *, final: bool, unknown: bool) -> None:
    """The platform did not take it: later again, or kept for `/show` when that cannot help.

    pause: in micros. unknown: it may have taken it all the same.
    """
    state = "kept" if final or posting.tries + 1 >= GIVE_UP_AFTER else "to post"
    connection.execute(
        "UPDATE postings SET state=:state, tries=tries+1, next_at=:next_at, problem=:problem, lease_until=0,"
        " tried_at=CASE WHEN :unknown THEN tried_at ELSE :tried END WHERE key=:key AND attempt=:attempt",
        state=state,
        next_at=connection.now() + pause,
        problem=problem[:200],
        unknown=unknown,
        tried=posting.tried,
        key=posting.key,
        attempt=posting.attempt,
    )


def renew(connection: Connection, postings: Iterable[Posting], lease: int) -> set[str]:
    """Have these for another lease; returns the keys of those that are still ours."""
    until = connection.now() + lease
    return {
        posting.key
        for posting in sorted(postings, key=lambda each: each.key)
        if connection.execute(
            "UPDATE postings SET lease_until=:until WHERE key=:key AND attempt=:attempt AND lease_until>0",
            until=until,
            key=posting.key,
            attempt=posting.attempt,
        )
    }


def standing(connection: Connection, generation: str, now: int | None = None) -> list[Posting]:
    """Messages of what has not ended that may be changed to show progress, and what somebody is at; its own first."""
    now = connection.now() if now is None else now
    rows = connection.rows(
        "SELECT p.* FROM postings p JOIN generations g ON g.id=p.generation WHERE p.generation=:generation"
        f" AND g.state IN ({listed(CHANGING)}) AND (p.state='posted' AND p.message<>'' OR p.lease_until>:now)"
        " ORDER BY CASE WHEN p.key=:own THEN 0 ELSE 1 END, p.key",
        generation=generation,
        own=own_key(generation),
        now=now,
    )
    return [replace(_posting(row), busy=row["lease_until"] > now) for row in rows]


def is_open(connection: Connection, generation: str) -> bool:
    """Something of it is still to be posted where it was asked for."""
    row = connection.row(
        "SELECT 1 AS one FROM postings WHERE generation=:generation AND state IN ('to post', 'posting') AND key<>:log"
        " AND key NOT LIKE :review",
        generation=generation,
        log=log_key(generation),
        review=review_key("%", "%"),
    )
    return row is not None


def unfinished(connection: Connection) -> None:
    """At a start, by whoever has the database for itself: what was being posted is posted again, under its key."""
    connection.execute("UPDATE postings SET lease_until=0 WHERE state='to post' AND lease_until>0")
    connection.execute("UPDATE postings SET state='to post', next_at=0, lease_until=0 WHERE state='posting'")


def abandoned(connection: Connection, now: int | None = None) -> None:
    """What was being posted by somebody whose lease ran out is posted again, under the same key.

    What a transaction holds that goes no further, as one of a paused process, is left alone: nobody else shall wait.
    """
    now = connection.now() if now is None else now
    where = "state='posting' AND lease_until<=:now"
    for row in connection.free_rows(f"SELECT key FROM postings WHERE {where} ORDER BY key", now=now):
        connection.execute(
            "UPDATE postings SET state='to post', next_at=0, lease_until=0 WHERE key=:key", key=row["key"]
        )


def put_back(connection: Connection, postings: Iterable[Posting]) -> None:
    """What became of these could not be written down, or they were not finished: they are free for whoever is next."""
    for posting in sorted(postings, key=lambda each: each.key):
        connection.execute(
            "UPDATE postings SET lease_until=0, next_at=CASE WHEN state='posting' THEN 0 ELSE next_at END,"
            " state=CASE WHEN state='posting' THEN 'to post' ELSE state END WHERE key=:key AND attempt=:attempt",
            key=posting.key,
            attempt=posting.attempt,
        )


def quoted(connection: Connection, adapter: str, message: str) -> str | None:
    """The generation that stands in a platform's message, if it is ours."""
    row = connection.row(
        "SELECT p.generation FROM posted_messages m JOIN postings p ON p.key=m.key"
        " WHERE m.adapter=:adapter AND m.message=:message AND p.generation NOT LIKE 'notice:%'",
        adapter=adapter,
        message=message,
    )
    return str(row["generation"]) if row else None


def add_posted(connection: Connection, post: Post, message: str) -> None:
    """One more message that shows a generation: `/show` puts it anywhere, and it changes with the generation.

    What has ended or was deleted while it was brought there is posted into it anew.
    """
    generation = post.reply.generation
    # Whoever ends or deletes it just now, and could not know of this message, has done so before it is looked at.
    now = connection.lock_row("SELECT state, deleted_at FROM generations WHERE id=:id", id=generation)
    same = now is not None and (now["state"] in CHANGING or now["state"] == post.reply.state) and not now["deleted_at"]
    connection.execute(
        "INSERT INTO postings (key, generation, adapter, place, state, wanted, shown, message)"
        " VALUES (:key, :generation, :adapter, :place, :state, 1, :shown, :message) ON CONFLICT (key) DO NOTHING",
        key=post.key,
        generation=generation,
        adapter=post.place.adapter,
        place=write_place(post.place),
        state="posted" if same else "to post",
        shown=int(same),
        message=message,
    )
    _note_messages(connection, post.key, post.place.adapter, message)


def kept(connection: Connection, person: str) -> list[str]:
    """Generations of this person that found no way to be posted, and that nobody told them of yet.

    Of what is still to be drawn nothing is offered: it may yet be posted in the end.
    """
    rows = connection.rows(
        "SELECT DISTINCT p.generation FROM postings p JOIN generations g ON g.id=p.generation"
        " WHERE p.state='kept' AND p.shown<p.wanted AND g.person=:person AND g.deleted_at=0 AND p.key<>g.id||':log'"
        f" AND p.key NOT LIKE :review AND g.state NOT IN ({listed(CHANGING)})",
        person=person,
        review=review_key("%", "%"),
    )
    return [row["generation"] for row in rows]


def offered(connection: Connection, generations: list[str]) -> None:
    """The person was told where to find them."""
    for generation in generations:
        connection.execute(
            "UPDATE postings SET shown=wanted WHERE generation=:generation AND state='kept' AND key NOT LIKE :review",
            generation=generation,
            review=review_key("%", "%"),
        )


def existing(connection: Connection, generation: str) -> Generation | None:
    try:
        return load(connection, generation)
    except NotThere:
        return None


def _claim(
    connection: Connection, key: str, owner: str, lease: int, now: int | None, change: str, where: str
) -> Posting | None:
    now = connection.now() if now is None else now
    free = f"SELECT key FROM postings WHERE key=:key AND {where} AND lease_until<=:now"
    if not connection.free_rows(free, key=key, now=now):
        return None
    row = connection.row(
        f"UPDATE postings SET {change}, attempt=attempt+1, owner=:owner, lease_until=:until,"
        " tried_at=CASE WHEN tried_at=0 THEN :now ELSE tried_at END"
        " WHERE key=:key RETURNING *",
        key=key,
        owner=owner,
        until=now + lease,
        now=now,
    )
    assert row is not None
    posting = _posting(row)
    return replace(posting, tried=0) if posting.tried == now else posting


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
        attempt=row["attempt"],
    )
