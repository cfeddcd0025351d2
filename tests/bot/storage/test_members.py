"""Processes that share a database: who is there, who is gone, what becomes of its work, and who may have it alone."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.errors import CannotStart
from bot.generation.states import IN_FLIGHT, State
from bot.storage import members, postgres, schema
from bot.storage.members import Exclusive, Member, Process
from bot.storage.postgres import PostgresConnection, Raw, connected
from bot.storage.session import key_of, own_name
from tests.bot.ops.processes import ROOT, environment
from tests.bot.storage.cable import Cable, until
from tests.postgres import Emptied, needs_postgres, new_schema

pytestmark = pytest.mark.slow

BEAT = 0.1
LEASE = 2**60
NEVER = 10.0**9


@pytest.fixture
def url(emptied: Emptied) -> str:
    return emptied()


@pytest.fixture
def bare(emptied: Emptied) -> Iterator[str]:
    """Where no table is yet."""
    with new_schema(emptied.url) as url:
        yield url


def member(url: str, **more: Any) -> Member:
    given = {"role": "worker", "version": "1", "head": schema.head(), "beat": BEAT, "warm_up": 0.0, **more}
    return Member(url, **given)


@asynccontextmanager
async def living(url: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Another process, and its id."""
    words = (sys.executable, "-m", "tests.bot.storage.living", url, str(BEAT))
    process = await asyncio.create_subprocess_exec(*words, env=environment(), cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout
        async with asyncio.timeout(60):
            yield process, (await process.stdout.readline()).decode().strip()
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def ask(url: str, sql: str, **values: Any) -> list[dict[str, Any]]:
    with connected(url) as raw:
        return [dict(row) for row in PostgresConnection(raw).rows(sql, **values)]


def change(url: str, sql: str, **values: Any) -> int:
    with connected(url) as raw:
        return PostgresConnection(raw).execute(sql, **values)


def listed(url: str) -> set[str]:
    return {row["id"] for row in ask(url, "SELECT id FROM processes")}


def seen_at(url: str, member: str) -> int:
    (row,) = ask(url, "SELECT seen_at FROM processes WHERE id=:id", id=member)
    return int(row["seen_at"])


async def beats(url: str, member: str, times: int = 3) -> None:
    for _ in range(times):
        before = seen_at(url, member)
        await until(lambda before=before: seen_at(url, member) > before)  # type: ignore[misc]


def end_members(url: str) -> None:
    """As a restart of the server ends their connections; returns when they are gone."""
    ask(
        url,
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid<>pg_backend_pid()"
        " AND datname=current_database() AND application_name LIKE 'seedream-bot %'",
    )


def has_lock(url: str, name: str) -> bool:
    """Whether somebody has it, alone or with others."""
    with connected(url) as raw, raw.transaction():
        row = raw.execute("SELECT pg_try_advisory_xact_lock(%s) AS free", (key_of(raw, name),)).fetchone()
        return row is not None and not row["free"]


def backends(url: str) -> set[int]:
    rows = ask(url, "SELECT pid FROM pg_stat_activity WHERE application_name=:name", name=own_name())
    return {row["pid"] for row in rows}


def give(url: str, owner: str) -> None:
    """Work of each kind in each state, all of it this owner's."""
    for state in State:
        change(
            url,
            "INSERT INTO generations (id, invocation, person, person_name, space, adapter, language, request, provider,"
            " model, count, price, state, owner, lease_until, created_at) VALUES (:id, :id, 'p', 'p', 's', 'web', 'en',"
            " '{}', 'sandbox', 'm', 1, 1, :state, :owner, :lease, 1)",
            id=f"{owner} {state}",
            state=state,
            owner=owner,
            lease=LEASE,
        )
        for shown in ("to post", "posting", "posted", "kept"):
            change(
                url,
                "INSERT INTO postings (key, generation, adapter, place, state, wanted, owner, lease_until)"
                " VALUES (:key, :generation, 'web', '{}', :state, 1, :owner, :lease)",
                key=f"{owner} {state} {shown}",
                generation=f"{owner} {state}",
                state=shown,
                owner=owner,
                lease=LEASE,
            )
    for state in ("received", "done"):
        change(
            url,
            "INSERT INTO inbox (id, adapter, raw, state, received_at, owner, lease_until)"
            " VALUES (:id, 'web', '{}', :state, 1, :owner, :lease)",
            id=f"{owner} {state}",
            state=state,
            owner=owner,
            lease=LEASE,
        )


def leased(url: str, owner: str) -> set[tuple[str, str]]:
    sql = " UNION ALL ".join(
        f"SELECT '{table}' AS kind, {key} AS key FROM {table} WHERE owner=:owner AND lease_until>0"
        for table, key in (("generations", "id"), ("postings", "key"), ("inbox", "id"))
    )
    return {(row["kind"], row["key"].removeprefix(f"{owner} ")) for row in ask(url, sql, owner=owner)}


ALL = {
    *(("generations", state) for state in State),
    *(("postings", f"{state} {shown}") for state in State for shown in ("to post", "posting", "posted", "kept")),
    ("inbox", "received"),
    ("inbox", "done"),
}
OPEN = {
    *(("generations", state) for state in IN_FLIGHT),
    *(("postings", f"{state} {shown}") for state in State for shown in ("to post", "posting")),
    *(("postings", f"{state} {shown}") for state in (State.QUEUED, *IN_FLIGHT) for shown in ("posted", "kept")),
    ("inbox", "received"),
}


# --- who is there


@needs_postgres
async def test_those_that_are_there_see_each_other_until_they_leave(url: str) -> None:
    async with member(url) as one, member(url, role="web") as two:
        (other,) = await one.others()
        assert isinstance(other, Process)
        assert (other.id, other.role, other.version) == (two.id, "web", "1")
        assert (other.host, other.pid) == (socket.gethostname(), os.getpid())
        assert other.id.startswith(f"{socket.gethostname()[:40]}:{os.getpid()}:")
        assert 0 <= other.unseen < 60
        assert listed(url) == {one.id, two.id}
    assert listed(url) == set()


@needs_postgres
async def test_a_process_shows_again_and_again_that_it_is_there(url: str) -> None:
    async with member(url) as one:
        await beats(url, one.id)


@needs_postgres
async def test_it_is_listed_as_soon_as_there_is_a_list(bare: str) -> None:
    async with member(bare) as one:
        assert await one.others() == []
        await asyncio.to_thread(schema.migrate, bare)
        await until(lambda: listed(bare) == {one.id})


@needs_postgres
async def test_what_a_newer_version_adds_to_the_list_is_not_in_the_way(bare: str) -> None:
    await asyncio.to_thread(schema.migrate, bare)
    async with member(bare) as one, member(bare) as two:
        change(bare, "ALTER TABLE processes ADD COLUMN more TEXT NOT NULL DEFAULT ''")
        await beats(bare, one.id)
        assert [each.id for each in await one.others()] == [two.id]


@needs_postgres
async def test_another_version_is_told_once(url: str) -> None:
    with capture_logs() as lines:
        async with member(url) as one, member(url, version="2") as two:
            await beats(url, one.id)
            await beats(url, two.id)

    told = {(line["process"], line["version"], line["own"]) for line in lines if line["log_level"] == "warning"}
    assert told == {(two.id, "2", "1"), (one.id, "1", "2")}
    assert len(lines) == 2


@needs_postgres
async def test_a_clock_that_differs_from_the_databases_is_told_once(bare: str) -> None:
    await asyncio.to_thread(schema.migrate, bare)
    change(
        bare,
        "CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql AS"
        " $$ SELECT pg_catalog.clock_timestamp() - interval '10 minutes' $$",
    )
    with capture_logs() as lines:
        async with member(bare) as right:
            await beats(bare, right.id)
        async with member(f"{bare},pg_catalog") as one:
            await beats(bare, one.id)

    (line,) = [each for each in lines if "clock" in each["event"]]
    assert (line["log_level"], 590 < line["ahead"] < 660) == ("warning", True)


@needs_postgres
async def test_a_newer_version_of_the_database_is_told_once_and_to_all(bare: str) -> None:
    await asyncio.to_thread(schema.migrate, bare)
    early: list[str] = []
    late: list[str] = []
    with capture_logs() as lines:
        async with member(bare) as one:
            one.when_superseded(lambda: early.append("told"))
            await beats(bare, one.id)
            assert early == []
            change(bare, "UPDATE alembic_version SET version_num='9999'")
            await until(lambda: bool(early))
            await beats(bare, one.id)
            one.when_superseded(lambda: late.append("told"))

    assert (early, late) == (["told"], ["told"])
    (line,) = lines
    assert line["log_level"] == "error"
    assert "restart this process with it" in line["event"]


# --- who is gone


@needs_postgres
async def test_one_that_was_killed_is_buried_and_only_its_own_leases_are_void(url: str) -> None:
    async with living(url) as (process, gone), living(url) as (_, alive):
        for owner in (gone, alive, "unheard of"):
            give(url, owner)
        assert leased(url, gone) == ALL
        with capture_logs() as lines:
            async with member(url, unseen=0.5) as one:
                await beats(url, one.id)
                assert listed(url) == {gone, alive, one.id}
                process.kill()
                await until(lambda: gone not in listed(url))

        assert leased(url, gone) == ALL - OPEN
        assert leased(url, alive) == leased(url, "unheard of") == ALL
        assert listed(url) == {alive}
    assert [line["process"] for line in lines if "is gone" in line["event"]] == [gone]


@needs_postgres
async def test_one_that_is_known_to_have_ended_is_buried_as_soon_as_its_lock_is_free(url: str) -> None:
    async with living(url) as (process, gone), living(url) as (_, alive):
        for owner in (gone, alive):
            give(url, owner)
        async with member(url, unseen=NEVER, warm_up=NEVER, before=alive) as one:
            await beats(url, one.id)
        process.kill()
        async with member(url, unseen=NEVER, warm_up=NEVER, before=gone):
            await until(lambda: listed(url).isdisjoint({gone}))

        assert leased(url, gone) == ALL - OPEN
        assert leased(url, alive) == ALL


@needs_postgres
async def test_one_that_is_paused_keeps_what_it_has(url: str) -> None:
    async with living(url) as (process, paused):
        give(url, paused)
        process.send_signal(signal.SIGSTOP)
        async with member(url, unseen=0.0) as one:
            before = seen_at(url, paused)
            await beats(url, one.id, 5)
            assert seen_at(url, paused) == before

            assert listed(url) == {paused, one.id}
            assert leased(url, paused) == ALL
            process.send_signal(signal.SIGCONT)
            await until(lambda: seen_at(url, paused) > before)


@needs_postgres
async def test_one_whose_connection_was_ended_a_moment_ago_is_waited_for(url: str) -> None:
    async with living(url) as (process, absent):
        process.send_signal(signal.SIGSTOP)
        await asyncio.to_thread(end_members, url)
        async with member(url, unseen=NEVER) as patient:
            await beats(url, patient.id)
            assert absent in listed(url)
        async with member(url, unseen=0.0):
            await until(lambda: absent not in listed(url))
        process.send_signal(signal.SIGCONT)
        await until(lambda: absent in listed(url))


@needs_postgres
async def test_after_a_restart_of_the_server_nobody_who_comes_back_is_buried(url: str) -> None:
    async with member(url) as one, member(url) as two, living(url) as (_, three):
        owners = (one.id, two.id, three)
        for owner in owners:
            give(url, owner)
        started = ask(url, "SELECT id, started_at FROM processes ORDER BY id")

        await asyncio.to_thread(end_members, url)
        await until(lambda: all(has_lock(url, f"process {owner}") for owner in owners))
        for owner in owners:
            await beats(url, owner)

        assert ask(url, "SELECT id, started_at FROM processes ORDER BY id") == started
        assert all(leased(url, owner) == ALL for owner in owners)


@needs_postgres
async def test_nobody_is_buried_by_a_server_that_has_just_started(url: str) -> None:
    async with living(url) as (process, gone):
        process.kill()
        await process.wait()
    async with member(url, unseen=0.0, warm_up=NEVER) as early:
        await until(lambda: not has_lock(url, f"process {gone}"))
        await beats(url, early.id)
        assert gone in listed(url)
        async with member(url, unseen=0.0, warm_up=0.0):
            await until(lambda: gone not in listed(url))


@needs_postgres
@pytest.mark.parametrize("fresh", [False, True], ids=["comes back", "is new"])
async def test_the_first_that_is_there_after_all_were_cut_off_lets_the_others_come(url: str, fresh: bool) -> None:
    async with Cable(url) as cable, member(cable.url) as late, AsyncExitStack() as stack:
        given = {"unseen": 30.0, "warm_up": 30.0}
        early = member(url, **given)
        if not fresh:
            await stack.enter_async_context(early)
        give(url, late.id)
        cable.cut()
        await asyncio.to_thread(end_members, url)
        change(url, "UPDATE processes SET seen_at=seen_at-:long WHERE id=:id", long=60_000_000, id=late.id)
        if fresh:
            await stack.enter_async_context(early)
        await beats(url, early.id)

        assert listed(url) == {late.id, early.id}
        assert leased(url, late.id) == ALL


@needs_postgres
@pytest.mark.slow
async def test_what_another_is_changing_is_not_waited_for(url: str) -> None:
    async with living(url) as (process, gone):
        give(url, gone)
        process.kill()
        await process.wait()
    await until(lambda: not has_lock(url, f"process {gone}"))
    with connected(url) as raw, raw.transaction():
        raw.execute("SELECT 1 FROM generations FOR UPDATE")
        one = await member(url, unseen=0.0).__aenter__()
        await beats(url, one.id, 1)
        assert gone in listed(url)
        assert leased(url, gone) == ALL
    await until(lambda: gone not in listed(url))
    await one.__aexit__()
    assert leased(url, gone) == ALL - OPEN


@needs_postgres
async def test_one_that_was_buried_and_lives_is_listed_again(url: str) -> None:
    async with member(url) as one:
        assert change(url, "DELETE FROM processes") == 1
        await until(lambda: listed(url) == {one.id})


@needs_postgres
async def test_who_leaves_gives_back_what_is_still_its_own(url: str) -> None:
    async with member(url) as one:
        give(url, one.id)
    assert leased(url, one.id) == ALL - OPEN


@needs_postgres
async def test_a_network_that_is_cut_for_a_while_buries_nobody(url: str) -> None:
    async with Cable(url) as cable, member(cable.url) as far, member(url, unseen=0.0) as near:
        give(url, far.id)
        mine = backends(url)
        cable.cut()
        await beats(url, near.id, 5)
        assert has_lock(url, f"process {far.id}")
        cable.mend()
        await beats(url, far.id)

        assert backends(url) == mine  # over the connection that it had
        assert leased(url, far.id) == ALL


@needs_postgres
async def test_a_network_that_is_cut_for_long_is_left_for_a_new_connection(url: str) -> None:
    async with Cable(url) as cable, member(cable.url, survives=0.5) as far:
        with capture_logs() as lines:
            cable.cut()
            await until(lambda: any(line["event"] == "the database does not answer" for line in lines))
            cable.mend()
            await beats(url, far.id)
        await until(lambda: has_lock(url, f"process {far.id}"))


@needs_postgres
async def test_a_stop_waits_for_no_network(url: str) -> None:
    async with Cable(url) as cable, asyncio.timeout(60):
        async with member(cable.url, survives=600.0):
            cable.cut()
        cable.mend()


# --- who has it alone


@needs_postgres
async def test_who_needs_it_alone_is_told_who_uses_it(url: str) -> None:
    async with member(url):
        with pytest.raises(CannotStart) as refused:
            Exclusive(url, patience=0).__enter__()
    user = f"seedream-bot {os.getpid()} on {socket.gethostname()}"
    assert str(refused.value).endswith(f" is in use by {user}; stop it first")

    with Exclusive(url), pytest.raises(CannotStart) as refused:
        await member(url, patience=0).__aenter__()
    assert f" is in use by {user}, which needs it for itself" in str(refused.value)
    with pytest.raises(CannotStart), Exclusive(url), Exclusive(url, patience=0):
        pass
    async with member(url):
        pass


@needs_postgres
async def test_two_bots_in_one_database_are_apart(url: str, bare: str) -> None:
    async with member(url) as one, member(bare):
        assert await one.others() == []
    async with member(url):
        with Exclusive(bare):
            pass


@needs_postgres
async def test_one_that_was_just_killed_is_waited_for(url: str) -> None:
    async with living(url) as (process, _):
        process.kill()
        exclusive = await asyncio.to_thread(Exclusive(url, patience=60).__enter__)
    exclusive.__exit__()


@needs_postgres
async def test_a_lost_connection_is_made_again_with_its_locks(url: str) -> None:
    async with member(url) as one:
        before = backends(url)
        await asyncio.to_thread(end_members, url)
        await until(lambda: has_lock(url, f"process {one.id}"))
        assert backends(url).isdisjoint(before)
        with pytest.raises(CannotStart):
            Exclusive(url, patience=0).__enter__()


@needs_postgres
async def test_one_whose_database_another_took_alone_meanwhile_may_only_come_to_its_end(url: str) -> None:
    told: list[str] = []
    with capture_logs() as lines:
        async with member(url) as one:
            one.when_superseded(lambda: told.append("told"))
            thief = await asyncio.to_thread(snatch, url)
            await until(lambda: bool(told))
            thief.close()
            await beats(url, one.id)

    assert told == ["told"]
    assert [line["by"] for line in lines if line["log_level"] == "error"] == ["somebody else"]


def snatch(url: str) -> Raw:
    """Have the database alone in the very moment in which the connections of those that use it are ended."""
    thief = postgres.connect(url, application_name="somebody else")
    key = key_of(thief, members.IN_USE)
    sql = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid<>pg_backend_pid()"
        " AND datname=current_database() AND application_name LIKE 'seedream-bot %'"
    )
    for _ in range(100):
        thief.execute(sql)
        for _ in range(100):
            taken = thief.execute("SELECT pg_try_advisory_lock(%s) AS taken", (key,)).fetchone()
            if taken and taken["taken"]:
                return thief
    raise AssertionError("they were always faster")
