"""Who is next: turns, priorities, limits, the provider's pace, and what becomes of leases that run out."""

import itertools
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import linking
from bot.audit import OPERATOR
from bot.errors import OutcomeUnknown
from bot.generation import queue, resuming, settling
from bot.generation.queue import Admitted, Capacity
from bot.generation.states import JobState
from bot.providers.base import Produced
from tests.bot.generation.core import WIDE, Core
from tests.bot.quota.books import Books
from tests.linked import link

SECOND = 1_000_000
START = 1_800_000_000 * SECOND
ONE_AT_A_TIME = Capacity(per_person=1, running=1, images_per_minute=100_000)


class Line:
    """The line in memory, with persons a, b, c … and generations that are numbered as they come."""

    def __init__(self, migrated: Path, capacity: Capacity = WIDE) -> None:
        self.books = Books(migrated)
        self.capacity = capacity
        self.now = START
        self.number = 0
        self.people: set[str] = set()

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.books.close()

    def comes(self, person: str, *, count: int = 1, priority: int = 0, provider: str = "p", in_flight: int = 0) -> str:
        if person not in self.people:
            self.people.add(person)
            self.books.raw.execute("INSERT INTO people (id, name, created_at) VALUES (?, ?, 0)", (person, person))
        name = f"{person}{self.number}"
        self.number += 1
        self.books.generation(name, person=person)
        self.books.raw.execute(
            "UPDATE generations SET count=?, priority=?, provider=?, in_flight=? WHERE id=?",
            (count, priority, provider, in_flight, name),
        )
        return name

    def admit(self, free: int = 100) -> list[str]:
        return [each.id for each in self.admit_whole(free)]

    def admit_whole(self, free: int = 100) -> list[Admitted]:
        admitted: list[Admitted] = self.books.do(queue.admit, "test", self.now, free, self.capacity)
        return admitted

    def ends(self, *names: str) -> None:
        for name in names:
            self.books.raw.execute("UPDATE generations SET state='settled' WHERE id=?", (name,))

    def places(self) -> list[str]:
        return queue.places(self.books.connection)

    def serve_all(self) -> list[str]:
        """One at a time, each ending before the next begins."""
        served = []
        while one := self.admit(1):
            served += one
            self.ends(*one)
            self.now += SECOND
        return served


@pytest.fixture
def line(migrated: Path) -> Iterable[Line]:
    with Line(migrated) as line:
        yield line


def test_persons_take_turns_however_much_one_of_them_asked_for(line: Line) -> None:
    for _ in range(3):
        line.comes("a")
    for _ in range(2):
        line.comes("b")
    line.comes("c")

    assert line.serve_all() == ["a0", "b3", "c5", "a1", "b4", "a2"]


ARRIVALS = st.lists(
    st.one_of(st.tuples(st.just("comes"), st.sampled_from("abcd")), st.tuples(st.just("serve"), st.just(""))),
    max_size=60,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=ARRIVALS)
def test_nobody_waits_for_more_than_one_turn_of_each_other_person(migrated: Path, story: list[tuple[str, str]]) -> None:
    with Line(migrated, ONE_AT_A_TIME) as line:
        passed: dict[str, list[str]] = {}  # by person who waits: whom they saw served since they became next of theirs
        waiting: dict[str, list[str]] = {}
        for what, person in story:
            if what == "comes":
                waiting.setdefault(person, []).append(line.comes(person))
                passed.setdefault(person, [])
                continue
            served = line.admit()
            line.ends(*served)
            assert bool(served) == any(waiting.values())
            for name in served:
                assert waiting[name[0]].pop(0) == name  # each person's own come in their order
                passed[name[0]] = []
                for other in waiting:
                    if waiting[other] and other != name[0]:
                        passed[other].append(name[0])
                        assert passed[other].count(name[0]) <= 1
                if not waiting[name[0]]:
                    passed.pop(name[0], None)


QUEUES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=14)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=QUEUES, waiting=QUEUES)
def test_places_are_the_order_in_which_the_line_is_really_served(
    migrated: Path, before: list[tuple[str, int]], waiting: list[tuple[str, int]]
) -> None:
    with Line(migrated) as line:
        for person, _ in before:  # so that some have had their turn already
            line.comes(person)
            line.serve_all()
        for person, priority in waiting:
            line.comes(person, priority=priority)

        places = line.places()
        assert len(places) == len(waiting)
        assert line.serve_all() == places


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(waiting=QUEUES, free=st.integers(1, 6))
def test_several_at_once_are_the_same_as_one_after_the_other(
    migrated: Path, waiting: list[tuple[str, int]], free: int
) -> None:
    with Line(migrated) as line:
        for person, priority in waiting:
            line.comes(person, priority=priority)
        places = line.places()

        served: list[str] = []
        while some := line.admit(free):
            served += some
            line.ends(*some)
            line.now += SECOND
        assert served == places


def test_a_higher_priority_goes_first(line: Line) -> None:
    line.comes("a")
    line.comes("b", priority=1)
    line.comes("a", priority=2)

    assert line.serve_all() == ["a2", "b1", "a0"]


def test_nobody_has_more_in_flight_than_allowed(migrated: Path) -> None:
    with Line(migrated, Capacity(per_person=2, running=10, images_per_minute=100_000)) as line:
        for _ in range(4):
            line.comes("a")
        line.comes("b")

        assert line.admit() == ["a0", "b4", "a1"]
        assert line.admit() == []
        line.ends("a0")
        assert line.admit() == ["a2"]


def test_a_tier_says_how_many_a_person_may_have_in_flight(migrated: Path) -> None:
    with Line(migrated, Capacity(per_person=2, running=10, images_per_minute=100_000)) as line:
        for _ in range(4):
            line.comes("a", in_flight=3)
            line.comes("b", in_flight=1)
            line.comes("c")

        assert sorted(line.admit()) == ["a0", "a3", "a6", "b1", "c2", "c5"]
        assert line.admit() == []
        line.ends("b1")
        assert line.admit() == ["b4"]


def test_of_several_that_wait_the_most_generous_says_how_many_fly(migrated: Path) -> None:
    with Line(migrated, Capacity(per_person=2, running=10, images_per_minute=100_000)) as line:
        for in_flight in (1, 0, 0, 1):
            line.comes("a", in_flight=in_flight)

        assert line.admit() == ["a0", "a1"]
        assert line.admit() == []
        line.ends("a0")
        assert line.admit() == ["a2"]
        line.ends("a1")
        assert line.admit() == []  # the last one asked as one who may have one


async def linked(core: Core, *names: str) -> None:
    found = [await core.person(name) for name in names]
    for one, other in itertools.pairwise(found):
        code = await core.database.transaction(linking.new_code, one.id, core.at)
        await core.database.transaction(link, code, other.id, core.at, OPERATOR)


async def test_linked_accounts_have_no_more_in_flight_than_one_person(core: Core) -> None:
    core.capacity = Capacity(per_person=2, running=10, images_per_minute=100_000)
    await linked(core, "bob", "robert", "bobby")
    asked = [await core.accepted(by=name) for name in ("bob", "robert", "bobby", "eve", "bob", "eve", "eve")]

    first = {each.id for each in await core.admitted()}
    assert first == {asked[0], asked[1], asked[3], asked[5]}
    assert await core.admitted() == []
    await core.database.transaction(linking.unlink, (await core.person("bobby")).id, core.at, OPERATOR)
    assert [each.id for each in await core.admitted()] == [asked[2]]
    await core.database.transaction(linking.unlink, (await core.person("bob")).id, core.at, OPERATOR)
    assert [each.id for each in await core.admitted()] == [asked[4]]


async def test_of_linked_accounts_the_most_generous_tier_says_how_many_fly(core: Core) -> None:
    core.capacity = Capacity(per_person=1, running=10, images_per_minute=100_000)
    await linked(core, "bob", "robert")
    asked = [await core.accepted(by=name) for name in ("bob", "robert", "robert", "bob")]
    await core.database.transaction(
        lambda connection: connection.execute("UPDATE generations SET in_flight=2 WHERE id=:id", id=asked[3])
    )

    assert {each.id for each in await core.admitted()} == {asked[0], asked[1]}
    assert await core.admitted() == []


def test_all_together_have_no_more_in_flight_than_allowed(migrated: Path) -> None:
    with Line(migrated, Capacity(per_person=9, running=3, images_per_minute=100_000)) as line:
        for person in "abcde":
            line.comes(person)

        assert len(line.admit()) == 3
        assert line.admit() == []
        line.ends("a0")
        assert line.admit() == ["d3"]


def test_no_more_is_started_than_there_are_workers(line: Line) -> None:
    for person in "abc":
        line.comes(person)

    assert line.admit(2) == ["a0", "b1"]


def test_what_was_put_back_is_not_due_before_its_time(line: Line) -> None:
    name = line.comes("a")
    line.books.raw.execute("UPDATE generations SET run_after=?", (line.now + 5 * SECOND,))

    assert line.admit() == []
    line.now += 5 * SECOND
    assert line.admit() == [name]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    per_minute=st.one_of(st.integers(1, 12), st.integers(13, 600)),
    counts=st.lists(st.integers(1, 4), min_size=1, max_size=60),
    gaps=st.lists(st.floats(0.01, 40), min_size=1, max_size=40),
)
def test_no_minute_has_more_pictures_than_the_provider_allows(
    migrated: Path, per_minute: int, counts: list[int], gaps: list[float]
) -> None:
    with Line(migrated, Capacity(per_person=100, running=100, images_per_minute=per_minute)) as line:
        for number, count in enumerate(counts):
            line.comes("abcdefgh"[number % 8], count=count)
        asked: list[tuple[int, int]] = []
        for gap in gaps * 3:
            for name in line.admit():
                (row,) = line.books.connection.rows("SELECT count FROM generations WHERE id=:id", id=name)
                asked.append((line.now, row["count"]))
                line.ends(name)
            line.now += round(gap * SECOND)

        for start, _ in asked:
            minute = [count for at, count in asked if start <= at < start + 60 * SECOND]
            # A single request that is larger than what may come at once passes alone, and is all that may exceed it.
            assert sum(minute) <= max(per_minute, per_minute - 1 + max(minute) if max(minute) > 1 else 0)
            if per_minute >= 8:
                assert sum(minute) <= per_minute


def test_the_pace_is_not_much_below_what_is_allowed(migrated: Path) -> None:
    with Line(migrated, Capacity(per_person=1000, running=1000, images_per_minute=500)) as line:
        for _ in range(520):
            line.comes("a")
        served = 0
        for _ in range(120):  # a minute in halves of a second
            names = line.admit()
            served += len(names)
            line.ends(*names)
            line.now += SECOND // 2

        assert 470 <= served <= 500


def test_a_request_larger_than_what_may_come_at_once_passes_in_its_turn(migrated: Path) -> None:
    with Line(migrated, Capacity(per_person=100, running=100, images_per_minute=60)) as line:
        for _ in range(5):
            line.comes("a")
        line.ends(*line.admit())  # now it may not pass at once
        large = line.comes("b", count=60)
        for _ in range(300):
            line.comes("c")
        begun = line.now
        for _ in range(90):
            names = line.admit()
            line.ends(*names)
            if large in names:
                break
            line.now += SECOND

        assert large in names, "small ones overtook it for ever"
        assert line.now - begun <= 45 * SECOND


def test_each_provider_has_a_pace_of_its_own(migrated: Path) -> None:
    with Line(migrated, Capacity(per_person=100, running=100, images_per_minute=1)) as line:
        for provider in ("p", "q"):
            for _ in range(2):
                line.comes("a", provider=provider)

        assert line.admit() == ["a0", "a2"]


# --- leases


def test_a_lease_that_ran_out_is_taken_over_with_a_new_attempt(line: Line) -> None:
    line.comes("a")
    (first,) = line.admit_whole()
    line.now += queue.LEASE + 1

    (second,) = line.admit_whole()
    assert (second.id, second.attempt) == (first.id, first.attempt + 1)
    assert line.admit_whole() == []


def test_a_lease_that_is_renewed_is_kept(line: Line) -> None:
    line.comes("a")
    running = line.admit_whole()
    for _ in range(5):
        line.now += queue.LEASE // 4 * 3
        line.books.do(queue.renew, running, line.now)
        assert line.admit_whole() == []


def test_whoever_was_given_up_renews_nothing(line: Line) -> None:
    line.comes("a")
    (first,) = line.admit_whole()
    line.now += queue.LEASE + 1
    line.admit_whole()
    line.now += queue.LEASE + 1
    line.books.do(queue.renew, [first], line.now)

    assert [each.attempt for each in line.admit_whole()] == [first.attempt + 2]


def test_a_renewal_says_what_is_still_its_own(line: Line) -> None:
    for person in "abc":
        line.comes(person)
    kept, ended, lost = running = line.admit_whole()
    line.ends(ended.id)
    line.books.raw.execute("UPDATE generations SET attempt=2 WHERE id=?", (lost.id,))

    assert line.books.do(queue.renew, running, line.now) == {kept.id, ended.id}


def test_what_is_given_back_is_taken_over_at_once(line: Line) -> None:
    for person in "ab":
        line.comes(person)
    given, kept = line.admit_whole()
    line.books.do(queue.give_back, [given, Admitted(kept.id, kept.attempt - 1)])

    assert line.admit_whole() == [Admitted(given.id, given.attempt + 1)]


def test_what_is_only_late_is_left_to_its_owner_after_an_outage(line: Line) -> None:
    for person in "ab":
        line.comes(person)
    given, late = line.admit_whole()
    line.now += queue.LEASE + 1
    line.books.do(queue.give_back, [given])

    def admit(overdue: bool) -> list[str]:
        taken = line.books.do(queue.admit, "test", line.now, 100, line.capacity, overdue=lambda: overdue)
        return [each.id for each in taken]

    assert admit(False) == [given.id]
    assert admit(True) == [late.id]


def test_what_is_admitted_for_whoever_comes_first_is_started_once(line: Line) -> None:
    line.comes("a")
    (mine,) = line.books.do(queue.admit, "", None, 1, line.capacity)

    assert line.books.do(queue.start, mine, "one")
    assert line.books.do(queue.start, mine, "one")  # whose answer was lost
    assert not line.books.do(queue.start, mine, "two")
    assert not line.books.do(queue.start, Admitted(mine.id, mine.attempt + 1), "one")
    line.ends(mine.id)
    assert not line.books.do(queue.start, mine, "one")


def test_what_nobody_started_keeps_its_attempt_however_often_it_is_handed_out(line: Line) -> None:
    line.comes("a")
    for _ in range(20):
        assert line.books.do(queue.admit, "", line.now, 1, line.capacity) == [Admitted("a0", 1)]
        line.now += queue.LEASE + 1
    line.books.raw.execute("UPDATE generations SET owner='somebody'")

    assert line.admit_whole() == [Admitted("a0", 2)]


def test_at_a_start_everything_that_ran_is_taken_up_at_once(line: Line) -> None:
    line.comes("a")
    line.comes("b")
    assert len(line.admit_whole()) == 2
    line.books.do(queue.orphan)

    assert sorted(each.attempt for each in line.admit_whole()) == [2, 2]


def _produced(tmp_path: Path) -> Produced:
    return Produced(0, tmp_path, "image/png", 1, 1)


STEPS: dict[str, Callable[[Any, Admitted, Path], Any]] = {
    "take_up": lambda connection, mine, folder: resuming.take_up(connection, mine, 0, 0, {}),
    "sending": lambda connection, mine, folder: settling.sending(connection, mine, 0, "sandbox", 0, 0),
    "prepared": lambda connection, mine, folder: settling.prepared(connection, mine, 0, "what was sent"),
    "submitted": lambda connection, mine, folder: settling.submitted(connection, mine, 0, "ticket", 0),
    "produced": lambda connection, mine, folder: settling.produced(
        connection, mine, 0, 0, _produced(folder), "b" * 64, 1, 1, 0
    ),
    "end_job": lambda connection, mine, folder: settling.end_job(
        connection, mine, 0, JobState.UNKNOWN, OutcomeUnknown(), 1, 0
    ),
    "put_back": lambda connection, mine, folder: settling.put_back(connection, mine, 0, 0),
    "conclude": lambda connection, mine, folder: settling.conclude(connection, mine, 0),
}
TABLES = ("generations", "jobs", "images", "blobs", "events", "holds", "entries", "balances", "postings")


@pytest.mark.parametrize("ended", [False, True], ids=["taken over", "ended"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_stale_attempt_can_write_nothing(core: Core, tmp_path: Path, step: str, ended: bool) -> None:
    await core.accepted()
    (stale,) = await core.admitted()
    if ended:
        await core.runner.run(stale)
    else:
        await core.admitted(now=core.at + 10**15)

    async def everything() -> list[Any]:
        return [[tuple(row) for row in await core.database.fetch(f"SELECT * FROM {table}")] for table in TABLES]

    before = await everything()
    assert not await core.database.transaction(STEPS[step], stale, tmp_path)
    assert await everything() == before


@pytest.mark.parametrize("step", STEPS)
async def test_the_attempt_that_is_in_force_can_write(core: Core, tmp_path: Path, step: str) -> None:
    await core.accepted()
    (mine,) = await core.admitted()

    if step == "prepared":
        await core.database.transaction(STEPS["sending"], mine, tmp_path)
    took = await core.database.transaction(STEPS[step], mine, tmp_path)
    assert took
    assert await core.database.transaction(settling.conclude, mine, 0) or step in ("put_back", "conclude")


def test_settling_has_no_step_that_is_not_tried_here() -> None:
    fenced = {
        name
        for module in (settling, resuming)
        for name, each in vars(module).items()
        if callable(each) and getattr(each, "__module__", "") == module.__name__ and "mine" in each.__annotations__
    }

    assert fenced == set(STEPS)


def test_the_lease_is_longer_than_a_few_renewals() -> None:
    assert timedelta(microseconds=queue.LEASE) >= timedelta(seconds=30)
