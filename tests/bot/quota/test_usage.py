"""What was used by day: what is counted, and what is read from it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.clock import micros
from bot.quota.usage import (
    LATENCY,
    REFUNDED,
    RESOLVED,
    Failures,
    Scope,
    bucket,
    count,
    failures,
    mend_months,
    percentiles,
    quantile,
    spent_by,
)
from bot.storage.connection import Connection
from bot.storage.database import Database
from tests.postgres import BOTH

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = "2026-11-21"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", BOTH, indirect=True)


def ended(**more: Any) -> dict[str, Any]:
    """A row of `generations` as it is when its end is counted."""
    row = {"space": "fake/a", "team": "", "person": "p1", "adapter": "fake", "provider": "sandbox", "model": "m1"}
    return {**row, "started_at": 0, "finished_at": 0, **more}


async def counted(database: Database, row: dict[str, Any] | None = None, **more: Any) -> None:
    how: dict[str, Any] = {"images": 1, "usd": 40_000, "state": "settled", "at": micros(NOON), "zone": "UTC", **more}

    def note(connection: Connection) -> None:
        count(connection, row or ended(), **how)

    await database.transaction(note)


EVERYTHING = Scope()


async def read(database: Database, by: str, scope: Scope = EVERYTHING, since: str = DAY, until: str = DAY) -> list[Any]:
    found = await database.read(spent_by, by, since, until, scope)
    return [(each.key, each.requests, each.failed, each.images, each.usd) for each in found]


async def test_what_comes_again_is_added(database: Database) -> None:
    await counted(database, images=2, usd=80_000)
    await counted(database)
    await counted(database, images=0, usd=0, state="failed", cause="content")

    assert await read(database, "") == [("", 3, 1, 3, 120_000)]
    assert len(await database.fetch("SELECT * FROM usage_days")) == 1


async def test_a_day_is_the_local_one(database: Database) -> None:
    await counted(database, at=micros(NOON + timedelta(hours=5)), zone="Asia/Shanghai")

    assert [each[0] for each in await read(database, "day", until="2026-12-31")] == ["2026-11-22"]


async def test_what_was_cancelled_is_neither_failed_nor_slow(database: Database) -> None:
    await counted(database, ended(started_at=micros(NOON) - 5_000_000), images=0, usd=0, state="cancelled")

    assert await read(database, "") == [("", 1, 0, 0, 0)]
    assert await database.read(percentiles, DAY, DAY) == ()
    assert await database.read(failures, DAY, DAY) == ()


@pytest.mark.parametrize("later", [REFUNDED, RESOLVED])
async def test_what_is_decided_later_changes_the_day_on_which_it_ended(database: Database, later: str) -> None:
    await counted(database)
    done = ended(finished_at=micros(NOON))
    sign = -1 if later == REFUNDED else 1
    await counted(database, done, images=sign, usd=sign * 40_000, state=later, at=micros(NOON + timedelta(days=3)))

    assert await read(database, "day", until="2026-12-31") == [(DAY, 1, 0, 1 + sign, 40_000 * (1 + sign))]


async def test_sums_go_by_what_is_asked_the_most_used_first(database: Database) -> None:
    await counted(database, ended(model="m2"))
    await counted(database, ended(model="m1", provider="other", adapter="second", team="t1"), images=5, usd=200_000)

    assert [each[0] for each in await read(database, "model")] == ["m1", "m2"]
    assert [each[0] for each in await read(database, "provider")] == ["other", "sandbox"]
    assert [each[0] for each in await read(database, "adapter")] == ["second", "fake"]
    assert [each[0] for each in await read(database, "team")] == ["t1", ""]
    with pytest.raises(ValueError, match="prompt"):
        await database.read(spent_by, "prompt", DAY, DAY)


async def test_only_what_is_in_the_scope_and_the_days_is_summed(database: Database) -> None:
    await counted(database, ended(space="fake/a", team="t1", person="p1"))
    await counted(database, ended(space="fake/b", team="t2", person="p2"), images=10)
    await counted(database, ended(space="fake/a", team="", person="p3"), images=100)
    await counted(database, images=1000, at=micros(NOON - timedelta(days=1)))

    async def pictures(scope: Scope) -> int:
        found = await read(database, "", scope)
        return int(found[0][3]) if found else 0

    assert await pictures(Scope(space="fake/a")) == 101
    assert await pictures(Scope(team="t2")) == 10
    assert await pictures(Scope(person=("p2", "p3"))) == 110
    assert await pictures(Scope(space="fake/a", person=("p2",))) == 0
    assert await pictures(Scope(space="' OR 1=1 --")) == 0


SPANS = (
    *(("2026-09-01", "2026-09-30"), ("2026-09-01", "2026-11-21"), ("2026-08-31", "2026-12-01")),
    *(("2026-09-02", "2026-11-20"), ("2026-10-31", "2026-11-01"), ("2026-11-21", "2026-11-21")),
    *(("2026-11-02", "2026-11-29"), ("2026-12-01", "2026-12-01"), ("2025-12-24", "2026-12-23")),
)


@pytest.mark.parametrize("scope", [Scope(), Scope(space="fake/a"), Scope(team="t1"), Scope(person=("p1", "p3"))])
async def test_a_span_is_the_sum_of_its_days_whether_its_months_are_whole(database: Database, scope: Scope) -> None:
    days = ("08-31", "09-01", "09-15", "09-30", "10-01", "10-31", "11-01", "11-20", "11-21", "11-22", "12-01")
    every = []
    for number, day in enumerate(days):
        for person in ("p1", "p2", "p3"):
            row = ended(
                space=f"fake/{'ab'[number % 2]}", team=("", "t1")[person == "p2"], person=person, model=f"m{number % 3}"
            )
            pictures = 10**number // 7 + len(every)
            await counted(database, row, images=pictures, at=micros(datetime.fromisoformat(f"2026-{day}T12:00Z")))
            every.append({**row, "day": f"2026-{day}", "images": pictures})

    def wanted(by: str, since: str, until: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for row in every:
            own = not scope.person or row["person"] in scope.person
            here = own and scope.space in ("", row["space"]) and scope.team in ("", row["team"])
            if here and since <= row["day"] <= until:
                key = {"": "", "month": row["day"][:7]}.get(by) if by in ("", "month") else row[by]
                found[key] = found.get(key, 0) + row["images"]
        return found

    for since, until in SPANS:
        for by in ("", "day", "month", "model", "provider", "adapter", "person", "team", "space"):
            found = await read(database, by, scope, since, until)
            assert {each[0]: each[3] for each in found} == wanted(by, since, until), (by, since, until)


async def test_linked_accounts_are_one_person_and_have_a_name(database: Database) -> None:
    def people(connection: Connection) -> None:
        for id, name, linked in (("p1", "Ann", "both"), ("p2", "小安", "both"), ("p3", "Bob", "")):
            connection.execute(
                "INSERT INTO people (id, name, created_at, linked) VALUES (:id, :name, 0, :linked)",
                id=id,
                name=name,
                linked=linked,
            )

    await database.transaction(people)
    for person, pictures in (("p1", 2), ("p2", 3), ("p3", 4), ("forgotten", 1)):
        await counted(database, ended(person=person), images=pictures, usd=0)

    found = await database.read(spent_by, "person", DAY, DAY)
    assert [(each.key, each.name, each.images) for each in found] == [
        ("both", "Ann", 5),
        ("p3", "Bob", 4),
        ("forgotten", "", 1),
    ]


async def test_names_of_teams_come_along(database: Database) -> None:
    def team(connection: Connection) -> None:
        connection.execute(
            "INSERT INTO teams (id, space, name, same_name, created_at) VALUES ('t1', 'fake/a', '设计部', '设计部', 0)"
        )

    await database.transaction(team)
    await counted(database, ended(team="t1"))

    assert [each.name for each in await database.read(spent_by, "team", DAY, DAY)] == ["设计部"]


async def test_failures_are_counted_by_their_cause(database: Database) -> None:
    for cause in ("content", "unavailable", "content", ""):
        await counted(database, images=0, usd=0, state="failed", cause=cause)
    await counted(database, ended(space="fake/b"), images=0, usd=0, state="unknown", cause="lost")

    here = await database.read(failures, DAY, DAY, Scope(space="fake/a"))
    assert here == (Failures(key="content", n=2), Failures(key="failed", n=1), Failures(key="unavailable", n=1))
    assert await database.read(failures, DAY, DAY, Scope(), "") == (Failures(key="", n=5),)


async def test_percentiles_lie_in_the_right_buckets(database: Database) -> None:
    for seconds in (*[4] * 90, *[100] * 10):
        await counted(database, ended(started_at=micros(NOON) - seconds * 1_000_000))

    (found,) = await database.read(percentiles, DAY, DAY)
    assert found.n == 100
    assert 3 < found.p50 <= 5
    assert 89 < found.p95 <= 144
    assert [each.key for each in await database.read(percentiles, DAY, DAY, Scope(), "model")] == ["m1"]


@pytest.mark.parametrize(("seconds", "index"), [(0, 0), (1, 0), (1.001, 1), (610, 13), (611, 14), (10**6, 14)])
def test_a_bucket_ends_with_its_bound(seconds: float, index: int) -> None:
    assert bucket(round(seconds * 1_000_000)) == index


def test_the_last_bucket_is_at_least_its_start() -> None:
    assert quantile({len(LATENCY): 3}, 0.95) == LATENCY[-1]
    assert quantile({}, 0.5) == 0.0
    assert quantile({0: 2}, 0.5) == 0.5


async def test_the_same_day_from_many_sides_at_once_loses_nothing(database: Database) -> None:
    import asyncio

    await asyncio.gather(*(counted(database, ended(person=f"p{number % 3}")) for number in range(30)))

    assert await read(database, "") == [("", 30, 0, 30, 30 * 40_000)]


WHOSE = ", sum(requests) AS requests, sum(failed) AS failed, sum(images) AS images, sum(usd) AS usd FROM"
SAME = {
    "usage_months": "space, team, adapter, provider, model",
    "person_months": "space, team, person",
}


async def check_months(database: Database) -> None:
    for table, keys in SAME.items():
        months = await database.fetch(f"SELECT month, {keys}{WHOSE} {table} GROUP BY month, {keys}")
        days = await database.fetch(
            f"SELECT substr(day, 1, 7) AS month, {keys}{WHOSE} usage_days GROUP BY substr(day, 1, 7), {keys}"
        )
        assert sorted(map(str, map(dict, months))) == sorted(map(str, map(dict, days)))


async def test_months_that_an_older_program_left_behind_are_brought_up_to_their_days(database: Database) -> None:
    for number in range(6):
        await counted(database, ended(person=f"p{number % 3}"), at=micros(NOON - timedelta(days=10 * number)))

    def spoil(connection: Connection) -> None:
        connection.execute("DELETE FROM person_months WHERE person='p1'")
        connection.execute("UPDATE person_months SET person='forgotten' WHERE person='p2'")
        connection.execute("UPDATE usage_months SET images=images-1")

    await database.transaction(spoil)
    assert await database.transaction(mend_months, "2026-09") > 0
    await check_months(database)
    assert await database.transaction(mend_months, "2026-09") == 0
    days = await database.fetch("SELECT person, max(day) AS day FROM usage_days GROUP BY person ORDER BY person")
    seen = await database.fetch("SELECT person, max(seen) AS day FROM person_months GROUP BY person ORDER BY person")
    assert [dict(row) for row in seen] == [dict(row) for row in days]


async def test_a_later_day_that_only_the_days_have_is_the_last_on_which_somebody_was_seen(database: Database) -> None:
    await counted(database, at=micros(NOON - timedelta(days=10)))
    whose = "space, team, person, adapter, provider, model"
    later = f"INSERT INTO usage_days (day, {whose}, requests) SELECT '{DAY}', {whose}, 1 FROM usage_days"
    await database.transaction(lambda connection: connection.execute(later))

    await database.transaction(mend_months, "2026-11")
    assert [row["seen"] for row in await database.fetch("SELECT seen FROM person_months")] == [DAY]


async def test_what_is_counted_while_months_are_mended_counts_once(database: Database) -> None:
    async def come_and_go() -> None:
        for _ in range(8):
            await counted(database)

    await counted(database, images=9)
    await database.transaction(lambda connection: connection.execute("DELETE FROM usage_months"))
    await database.transaction(lambda connection: connection.execute("DELETE FROM person_months"))
    mending = (database.transaction(mend_months, "2026-10") for _ in range(6))
    await asyncio.gather(come_and_go(), come_and_go(), come_and_go(), *mending)

    await database.transaction(mend_months, "2026-10")
    await check_months(database)
    assert await read(database, "") == [("", 25, 0, 33, 25 * 40_000)]
