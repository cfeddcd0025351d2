"""Postings under leases: who may write what, and what is no longer one's own is left alone."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bot.generation import accepting, outbox
from bot.generation.outbox import Posting
from bot.storage.connection import Connection
from tests.bot.generation.core import Core
from tests.postgres import BOTH

pytestmark = pytest.mark.parametrize("engine", BOTH, indirect=True)

LEASE = 1_000_000
FAR = 10**16  # later than any pause, in micros


async def claimed(core: Core, key: str, owner: str = "one", *, now: int | None = None) -> Posting:
    posting = await core.database.transaction(outbox.claim, key, owner, LEASE, now)
    assert posting is not None
    return posting


async def standing(core: Core) -> str:
    """The key of a generation that runs and whose first post stands."""
    generation = await core.accepted()
    await core.admitted()
    posting = await claimed(core, outbox.own_key(generation))
    await core.database.transaction(outbox.posted, posting, "there")
    return posting.key


async def stored(core: Core) -> list[dict[str, Any]]:
    """All that is known of postings."""
    rows = await core.database.fetch("SELECT * FROM postings ORDER BY key")
    messages = await core.database.fetch("SELECT * FROM posted_messages ORDER BY adapter, message")
    return [dict(row) for row in (*rows, *messages)]


async def row(core: Core, key: str) -> dict[str, Any]:
    (found,) = await core.database.fetch("SELECT * FROM postings WHERE key=:key", key=key)
    return dict(found)


async def test_of_many_who_claim_at_once_one_has_it(core: Core) -> None:
    for _ in range(10):
        key = outbox.own_key(await core.accepted())
        owners = [f"process {number}" for number in range(6)]
        claims = await asyncio.gather(*(core.database.transaction(outbox.claim, key, owner, LEASE) for owner in owners))

        (mine,) = filter(None, claims)
        assert (await row(core, key))["owner"] == owners[claims.index(mine)]


async def test_what_somebody_is_at_is_not_due(core: Core) -> None:
    key = outbox.own_key(await core.accepted())
    assert await core.database.read(outbox.due, "fake") == [key]

    await claimed(core, key)
    await core.database.transaction(accepting.want_post, key.partition(":")[0])
    assert (await row(core, key))["state"] == "to post"
    assert await core.database.read(outbox.due, "fake") == []
    assert await core.database.transaction(outbox.claim, key, "two", LEASE) is None
    assert await core.database.read(outbox.due, "fake", now=FAR) == [key]


async def test_no_more_are_named_than_were_asked_for_and_the_longest_due_come_first(core: Core) -> None:
    keys = [outbox.own_key(await core.accepted()) for _ in range(3)]
    for pause, key in enumerate(reversed(keys), 1):
        await core.database.transaction(
            outbox.refused, await claimed(core, key), "no", pause * 1000, final=False, unknown=False
        )

    assert await core.database.read(outbox.due, "fake", 2, FAR) == [keys[2], keys[1]]


async def test_what_was_refused_is_claimed_by_nobody_before_its_pause_is_over(core: Core) -> None:
    posting = await claimed(core, outbox.own_key(await core.accepted()))
    await core.database.transaction(outbox.refused, posting, "no", 3_600_000_000, final=False, unknown=False)

    assert await core.database.read(outbox.due, "fake") == []
    assert await core.database.transaction(outbox.claim, posting.key, "two", LEASE) is None
    assert await core.database.transaction(outbox.claim, posting.key, "two", LEASE, FAR) is not None


Late = Callable[[Connection, Posting], object]
LATE: dict[str, Late] = {
    "posted": lambda connection, mine: outbox.posted(connection, mine, "elsewhere"),
    "moved": lambda connection, mine: outbox.moved(connection, mine, "elsewhere"),
    "release": lambda connection, mine: outbox.release(connection, mine, "elsewhere"),
    "refused": lambda connection, mine: outbox.refused(connection, mine, "no", 1, final=False, unknown=False),
    "refused for good": lambda connection, mine: outbox.refused(connection, mine, "no", 1, final=True, unknown=True),
    "put back": lambda connection, mine: outbox.put_back(connection, [mine]),
    "renew": lambda connection, mine: outbox.renew(connection, [mine], LEASE),
}


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("ended", [False, True], ids=["at it", "done"])
async def test_whoever_lost_it_changes_nothing(core: Core, late: str, ended: bool) -> None:
    key = outbox.own_key(await core.accepted())
    mine = await claimed(core, key, now=1)
    await core.database.transaction(outbox.abandoned)
    theirs = await claimed(core, key, "two")
    if ended:
        await core.database.transaction(outbox.posted, theirs, "there")
    before = await stored(core)

    said = await core.database.transaction(LATE[late], mine)
    assert await stored(core) == before
    assert not said  # and is told so
    assert theirs.tried == 1


@pytest.mark.parametrize("late", ["moved", "release", "put back", "renew"])
async def test_progress_that_lost_it_changes_nothing(core: Core, late: str) -> None:
    key = await standing(core)
    mine = await core.database.transaction(outbox.claim_progress, key, "one", LEASE, 1)
    assert mine is not None
    assert await core.database.transaction(outbox.claim_progress, key, "two", LEASE) is not None
    before = await stored(core)

    assert not await core.database.transaction(LATE[late], mine)
    assert await stored(core) == before


async def test_what_was_shown_by_a_lease_that_ran_out_counts_where_nobody_began_anew(core: Core) -> None:
    mine = await claimed(core, outbox.own_key(await core.accepted()), now=1)
    await core.database.transaction(outbox.abandoned)

    assert await core.database.transaction(outbox.posted, mine, "there")
    assert (await row(core, mine.key))["state"] == "posted"
    assert await core.database.read(outbox.quoted, "fake", "there") == mine.generation


async def test_only_what_ran_out_is_given_up(core: Core) -> None:
    gone, here = [outbox.own_key(await core.accepted()) for _ in range(2)]
    await claimed(core, gone, now=1)
    await claimed(core, here)
    await core.database.transaction(outbox.abandoned)

    assert (await row(core, here))["state"] == "posting"
    assert (await row(core, gone))["state"] == "to post"
    assert (await claimed(core, gone, "two")).tried == 1


async def test_what_is_renewed_is_kept_and_what_was_voided_is_not_ours(core: Core) -> None:
    kept, voided = [await claimed(core, outbox.own_key(await core.accepted())) for _ in range(2)]
    await core.database.transaction(
        lambda connection: connection.execute("UPDATE postings SET lease_until=0 WHERE key=:key", key=voided.key)
    )

    assert await core.database.transaction(outbox.renew, [kept, voided], LEASE * 3600) == {kept.key}
    before = (await row(core, kept.key))["lease_until"]
    await core.database.transaction(outbox.abandoned, before - 1)
    assert (await row(core, kept.key))["state"] == "posting"
    assert (await row(core, voided.key))["state"] == "to post"


async def test_what_is_put_back_is_free_at_once_and_may_stand(core: Core) -> None:
    mine = await claimed(core, outbox.own_key(await core.accepted()))
    await core.database.transaction(outbox.put_back, [mine])

    assert await core.database.read(outbox.due, "fake") == [mine.key]
    assert (await claimed(core, mine.key, "two")).tried > 0


async def test_putting_back_what_was_refused_meanwhile_does_not_shorten_its_pause(core: Core) -> None:
    mine = await claimed(core, outbox.own_key(await core.accepted()))
    await core.database.transaction(outbox.refused, mine, "no", 3_600_000_000, final=False, unknown=False)
    before = await stored(core)

    await core.database.transaction(outbox.put_back, [mine])
    assert await stored(core) == before


async def test_a_start_that_has_the_database_for_itself_waits_for_no_lease(core: Core) -> None:
    posting, wanted = [outbox.own_key(await core.accepted()) for _ in range(2)]
    for key in (posting, wanted):
        assert await core.database.transaction(outbox.claim, key, "dead", FAR) is not None
    await core.database.transaction(accepting.want_post, wanted.partition(":")[0])

    await core.database.transaction(outbox.unfinished)
    assert set(await core.database.read(outbox.due, "fake")) == {posting, wanted}


async def test_progress_and_posts_exclude_each_other(core: Core) -> None:
    key = await standing(core)
    progress = await core.database.transaction(outbox.claim_progress, key, "one", LEASE)
    assert progress is not None
    assert await core.database.transaction(outbox.claim_progress, key, "two", LEASE) is None
    (seen,) = await core.database.read(outbox.standing, progress.generation)
    assert seen.busy

    await core.database.transaction(accepting.want_post, progress.generation)
    assert await core.database.transaction(outbox.claim, key, "two", LEASE) is None

    await core.database.transaction(outbox.release, progress, "there")
    await claimed(core, key, "two")
    assert await core.database.transaction(outbox.claim_progress, key, "one", LEASE) is None


async def test_progress_tells_since_when_nobody_knows_whether_it_stands(core: Core) -> None:
    key = await standing(core)

    async def shown(message: str, *, unknown: bool) -> int:
        mine = await core.database.transaction(outbox.claim_progress, key, "one", LEASE)
        assert mine is not None
        await core.database.transaction(outbox.release, mine, message, unknown=unknown)
        return int((await row(core, key))["tried_at"])

    assert await shown("", unknown=False) == 0
    assert (since := await shown("", unknown=True)) > 0
    assert await shown("", unknown=False) == since  # it says nothing of the one before
    assert await shown("there and-there", unknown=False) == 0
    assert await core.database.read(outbox.quoted, "fake", "and-there") == key.partition(":")[0]


async def test_what_has_ended_has_no_progress(core: Core) -> None:
    key = await standing(core)
    generation = key.partition(":")[0]
    assert [each.key for each in await core.database.read(outbox.standing, generation)] == [key]

    await core.database.transaction(lambda connection: connection.execute("UPDATE generations SET state='settled'"))
    assert await core.database.read(outbox.standing, generation) == []


async def test_a_posting_is_open_until_it_stands(core: Core) -> None:
    generation = await core.accepted()
    assert await core.database.read(outbox.is_open, generation)
    mine = await claimed(core, outbox.own_key(generation))
    assert await core.database.read(outbox.is_open, generation)

    await core.database.transaction(outbox.posted, mine, "there")
    assert not await core.database.read(outbox.is_open, generation)
