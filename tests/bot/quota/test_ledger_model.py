"""The ledger against a model that is too simple to be wrong, over time, zones and changing limits."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from bot.errors import QuotaExceeded
from bot.quota import ledger
from bot.quota.ledger import Rules
from bot.quota.limits import Account
from bot.quota.windows import WINDOWS, periods, resets
from tests.bot.quota.books import BOB, EVE, EVERYONE, TEAM, Books

UNITS = ("images", "usd")
ZONES = ("UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "America/Havana", "Australia/Lord_Howe")
# Shortly before the clocks change, months, years and a leap day end, and weeks begin.
BEGINNINGS = tuple(
    datetime.fromisoformat(each).replace(tzinfo=UTC)
    for each in ("2026-10-24T20:00", "2026-12-31T10:00", "2027-03-13T20:00", "2027-03-27T20:00", "2028-02-28T20:00")
)
SHORT = st.sampled_from([timedelta(seconds=1), timedelta(minutes=59), timedelta(hours=5), timedelta(hours=23)])
AMOUNTS = st.integers(0, 4)
PRICES = st.integers(0, 3)


@dataclass
class Held:
    """One generation as the model knows it: what it held, what of it is still held, and what was spent."""

    person: Account
    periods: dict[str, str]
    amounts: dict[str, int]
    held: dict[tuple[str, str], int]
    spent: dict[tuple[str, str], int] = field(default_factory=dict)
    state: str = "held"

    @property
    def accounts(self) -> tuple[Account, ...]:
        return (EVERYONE, self.person, TEAM)


class LedgerMachine(RuleBasedStateMachine):
    migrated: ClassVar[Path]
    generations = Bundle("generations")

    def __init__(self) -> None:
        super().__init__()
        self.books = Books(self.migrated)
        self.model: dict[str, Held] = {}
        self.limits: dict[tuple[str, str, str], int | None] = {}
        self.own: dict[tuple[str, str, str], int | None] = {}

    def teardown(self) -> None:
        self.books.close()

    @initialize(zone=st.sampled_from(ZONES), now=st.sampled_from(BEGINNINGS))
    def begin(self, zone: str, now: datetime) -> None:
        self.zone, self.now = zone, now

    @property
    def now_holds(self) -> Rules:
        return Rules(policy=self.limits, now=self.now, zone=self.zone)

    # --- what the model thinks

    def cap(self, account: Account, unit: str, window: str) -> int | None:
        own = (account.name, unit, window)
        return self.own[own] if own in self.own else self.limits.get((account.kind, unit, window))

    def used(self, account: Account, unit: str, window: str, period: str) -> tuple[int, int]:
        mine = [each for each in self.model.values() if each.periods[window] == period]
        key = (account.name, unit)
        return sum(each.spent.get(key, 0) for each in mine), sum(each.held.get(key, 0) for each in mine)

    def fits(self, accounts: tuple[Account, ...], amounts: dict[str, int]) -> bool:
        now = periods(self.now, self.zone)
        for account in accounts:
            for unit in UNITS:
                for window in WINDOWS:
                    cap = self.cap(account, unit, window)
                    if cap is not None and sum(self.used(account, unit, window, now[window])) + amounts[unit] > cap:
                        return False
        return True

    # --- what may happen

    @rule(target=generations, person=st.sampled_from((BOB, EVE)), images=AMOUNTS, usd=AMOUNTS)
    def hold(self, person: Account, images: int, usd: int) -> Any:
        name, amounts = f"g{len(self.model)}", {"images": images, "usd": usd}
        accounts = (TEAM, EVERYONE, person)
        before = self.books.dump()
        try:
            self.books.do(ledger.hold, name, accounts, amounts, self.now_holds)
        except QuotaExceeded:
            assert not self.fits(accounts, amounts)
            assert self.books.dump() == before
            return multiple()
        assert self.fits(accounts, amounts)
        self.books.generation(name, person=person.name.removeprefix("person:"))
        held = {(account.name, unit): amounts[unit] for account in accounts for unit in UNITS}
        self.model[name] = Held(person, periods(self.now, self.zone), amounts, held)
        return name

    @rule(name=generations, made=AMOUNTS, price=PRICES)
    def settle(self, name: str, made: int, price: int) -> None:
        made = min(made, self.model[name].amounts["images"])
        with self.closed(name, "settled", charged=made) as one:
            spent = {"images": made, "usd": made * price}
            assert self.books.do(ledger.settle, name, spent, self.now_holds.at) == (one is not None)
            if one:
                one.spent = {(account.name, unit): spent[unit] for account in one.accounts for unit in UNITS}

    @rule(name=generations)
    def release(self, name: str) -> None:
        with self.closed(name, "cancelled") as one:
            assert self.books.do(ledger.release, name, self.now_holds.at) == (one is not None)

    @rule(name=generations, made=AMOUNTS, possible=AMOUNTS)
    def lose_track(self, name: str, made: int, possible: int) -> None:
        made = min(made, self.model[name].amounts["images"])
        possible = min(possible, self.model[name].amounts["usd"])
        with self.closed(name, "settled" if made else "unknown", charged=made) as one:
            spent = {"images": made, "usd": made}
            named = {"possible": {"usd": possible}}
            assert self.books.do(ledger.settle, name, spent, self.now_holds.at, **named) == (one is not None)
            if one:
                one.spent = {(account.name, unit): spent[unit] for account in one.accounts for unit in UNITS}
                one.held = {(account.name, "usd"): possible for account in (EVERYONE, TEAM)}
                one.state = "possible" if possible else "closed"

    @rule(name=generations, charge=st.booleans())
    def decide(self, name: str, charge: bool) -> None:
        one = self.model[name]
        decided = self.books.do(ledger.resolve, name, self.now_holds.at, charge=charge, reason="")
        assert decided == (one.state == "possible")
        if decided:
            for key, amount in one.held.items():
                one.spent[key] = one.spent.get(key, 0) + (amount if charge else 0)
            one.held, one.state = {}, "closed"

    @rule(passes=SHORT)
    def time_passes(self, passes: timedelta) -> None:
        self.now += passes

    @rule(window=st.sampled_from(("day", "week", "month")), off=st.sampled_from((-1, 0, 1)))
    def a_window_ends(self, window: str, off: int) -> None:
        end = resets(window, self.now, self.zone)
        assert end is not None
        self.now = max(self.now, end.astimezone(UTC) + timedelta(microseconds=off))

    @rule(
        kind=st.sampled_from(("person", "space", "all")),
        unit=st.sampled_from(UNITS),
        window=st.sampled_from(WINDOWS),
        cap=st.sampled_from((None, 0, 2, 5, 9)),
    )
    def limits_change(self, kind: str, unit: str, window: str, cap: int | None) -> None:
        self.limits[kind, unit, window] = cap

    @rule(
        account=st.sampled_from((BOB, EVE, TEAM, EVERYONE)),
        unit=st.sampled_from(UNITS),
        window=st.sampled_from(WINDOWS),
        cap=st.sampled_from((None, 0, 3, 6)),
    )
    def an_account_gets_a_limit_of_its_own(self, account: Account, unit: str, window: str, cap: int | None) -> None:
        self.books.do(ledger.set_limit, account.name, unit, window, cap)
        self.own[account.name, unit, window] = cap

    # --- what must always hold

    @invariant()
    def the_books_agree(self) -> None:
        assert self.books.problems() == ()

    @invariant()
    def the_balances_are_what_the_model_says(self) -> None:
        rows = self.books.raw.execute("SELECT account, unit, win, period, spent, held FROM balances").fetchall()
        for row in rows:
            said = self.used(Account(row["account"]), row["unit"], row["win"], row["period"])
            assert said == (row["spent"], row["held"]), dict(row)

    @contextmanager
    def closed(self, name: str, state: str, *, charged: int = 0) -> Iterator[Held | None]:
        """The generation if its holds are open (they will not be afterwards), else None."""
        one = self.model[name]
        if one.state != "held":
            yield None
            return
        one.held, one.state = {}, "closed"
        yield one
        self.books.generation(name, state, charged=charged)


@pytest.mark.timeout(60)
def test_the_ledger_does_what_the_model_says(migrated: Path) -> None:
    LedgerMachine.migrated = migrated
    few = settings(
        max_examples=60,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    run_state_machine_as_test(LedgerMachine, settings=few)
