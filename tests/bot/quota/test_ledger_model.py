"""The ledger against a model that is too simple to be wrong: limits, tiers, grants, windows, zones, links and teams."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bot.audit import OPERATOR
from bot.clock import micros
from bot.errors import NotAllowed, QuotaExceeded, UsageError
from bot.quota import grants, ledger, own_zones
from bot.quota.standing import Payer, Rules
from bot.quota.tiers import Tier
from bot.quota.windows import WINDOWS, Zones, history, periods_at, resets
from tests.bot.quota.books import Books, PostgresBooks
from tests.postgres import BOTH

UNITS = ("images", "usd")
PEOPLE = ("bob", "eve", "rob")
ZONES = ("UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "America/Havana", "Australia/Lord_Howe")
# Shortly before the clocks change, months, years and a leap day end, and weeks begin.
BEGINNINGS = tuple(
    datetime.fromisoformat(each).replace(tzinfo=UTC)
    for each in ("2026-10-24T20:00", "2026-12-31T10:00", "2027-03-13T20:00", "2027-03-27T20:00", "2028-02-28T20:00")
)
SHORT = st.sampled_from([timedelta(seconds=1), timedelta(minutes=59), timedelta(hours=5), timedelta(hours=23)])
AMOUNTS = st.integers(0, 4)
PRICES = st.integers(0, 3)
CAPS = (None, 0, 2, 5, 9)
ROOMY = (None, 9, 20)
ANY = st.integers(0, 99)
TIERS = {
    "low": Tier(name="low", limits={("images", "day"): 2, ("usd", "total"): 12}),
    "high": Tier(name="high", rank=1, limits={("images", "day"): 7, ("images", "month"): None}),
}
HOLDERS = ("person:bob", "person:eve", "person:rob", "space:home", "team:red")
POOLS = ("all", "space:home", "team:red")
# Everything that may have a limit of its own; two of them hold nothing.
OWN = (
    *(f"person:{person}" for person in PEOPLE),
    *(f"share:{pool}/{person}" for pool in POOLS[1:] for person in PEOPLE),
    "share:team:red",
)
LIMITED = (*POOLS, *OWN, "local:space:home")


CHANGES = st.one_of(
    *(
        st.tuples(st.just(name), st.tuples(*(st.sampled_from(each) for each in values)))
        for name, values in {
            "the_space_moves": ((*ZONES, ""),),
            "the_bot_moves": (ZONES,),
            "limits_change": (("space", "all"), UNITS, WINDOWS, ROOMY),
            "the_usual_limit_changes": (UNITS, WINDOWS, CAPS),
            "a_pool_gets_a_limit_of_its_own": ((*POOLS, "local:space:home"), UNITS, WINDOWS, ROOMY),
            "an_account_gets_a_limit_of_its_own": (OWN, UNITS, WINDOWS, CAPS),
            "an_account_loses_its_own_limits": (LIMITED,),
            "two_accounts_are_linked": (PEOPLE, PEOPLE),
            "an_account_is_parted": (PEOPLE,),
            "somebody_joins_or_leaves_the_team": (PEOPLE,),
            "a_tier_is_given_or_taken": (HOLDERS, ("", *TIERS)),
            "a_grant_is_ended": (range(9),),
        }.items()
    )
)


@dataclass
class Held:
    """One generation as the model knows it: what each account held of it, in which periods, and what was spent."""

    person: str
    amounts: dict[str, int]
    parts: dict[tuple[str, str], int]
    periods: dict[str, dict[str, str]]
    held: dict[tuple[str, str], int]
    bound: set[tuple[str, str]]
    spent: dict[tuple[str, str], int] = field(default_factory=dict)
    state: str = "held"
    refunded: bool = False


@dataclass
class Given:
    seq: int
    pool: str
    person: str
    unit: str
    amount: int
    until: datetime
    ended: bool = False


class LedgerMachine(RuleBasedStateMachine):
    open: ClassVar[Callable[[], Books]]

    def __init__(self) -> None:
        super().__init__()
        self.books = self.open()
        self.model: dict[str, Held] = {}
        self.limits: dict[tuple[str, str, str], int | None] = {}
        self.own: dict[tuple[str, str, str], int | None] = {}
        self.links: list[set[str]] = [{person} for person in PEOPLE]
        self.given: list[Given] = []
        self.members = {"bob", "eve"}
        self.holders: dict[str, str] = {}
        self.moves: list[tuple[str, int]] = []
        for person in PEOPLE:
            self.books.person(person)
        self.books.team("red", *self.members, space="home")
        for tier in TIERS.values():
            self.books.tier(tier)

    def teardown(self) -> None:
        self.books.close()

    @initialize(
        zone=st.sampled_from(ZONES), now=st.sampled_from(BEGINNINGS), own=st.sampled_from(CAPS), given=st.integers(0, 7)
    )
    def begin(self, zone: str, now: datetime, own: int | None, given: int) -> None:
        """What is given is where most of it may go wrong, so there is much of it, and little else."""
        self.zone, self.now = zone, now
        self.bots: Zones = ((zone, 0),)
        self.books.do(own_zones.note, zone, micros(now))
        self.limits["person", "images", "day"] = own
        self.limits["space", "images", "month"] = 50
        if given & 1:
            self.an_account_gets_a_limit_of_its_own("share:space:home/bob", "images", "week", 2)
        if given & 2:
            self.an_account_gets_a_limit_of_its_own("person:bob", "images", "day", 3)
        if given & 4:
            self.somebody_is_given_more("all", "bob", "images", 4, timedelta(days=9))
        self.somebody_is_given_more("space:home", "bob", "images", 6, timedelta(days=30))
        self.somebody_is_given_more("team:red", "eve", "usd", 6, timedelta(days=1))

    @property
    def now_holds(self) -> Rules:
        return Rules(policy=self.limits, now=self.now, zone=self.zone)

    # --- what the model thinks

    def human(self, person: str) -> set[str]:
        return next(group for group in self.links if person in group)

    def accounts(self, person: str, team: bool) -> tuple[list[str], list[str]]:
        """The pools, and what is the person's own."""
        own = [f"person:{each}" for each in self.human(person)] + [f"share:space:home/{person}"]
        if not team:
            return ["all", "space:home"], own
        member = min(self.human(person) & self.members)
        return list(POOLS), [*own, f"share:team:red/{member}"]

    def tier(self, person: str, team: bool) -> Tier | None:
        mine = {f"person:{each}" for each in self.human(person)} | {"space:home"} | ({"team:red"} if team else set())
        held = {tier for holder, tier in self.holders.items() if holder in mine}
        return TIERS["high"] if "high" in held else TIERS["low"] if held else None

    def cap(self, account: str, unit: str, window: str, person: str, team: bool) -> int | None:
        key = (account, unit, window)
        kind = account.partition(":")[0]
        if account == "space:home":
            both = (
                self.own.get(key, self.limits.get((kind, unit, window))),
                self.own.get(("local:" + account, *key[1:])),
            )
            return min((each for each in both if each is not None), default=None)
        if key in self.own:
            return self.own[key]
        if account.startswith("share:team:"):
            return self.own.get(("share:team:red", unit, window))
        tier = self.tier(person, team)
        if kind == "person" and tier and (unit, window) in tier.limits:
            return tier.limits[unit, window]
        if kind == "person" and (f"share:space:home/{person}", unit, window) in self.own:
            return None
        return self.limits.get((kind, unit, window))

    def periods(self, account: str) -> dict[str, str]:
        moving = "space:home" in account or "team:red" in account
        return periods_at(self.now, history(self.moves if moving else (), self.bots))

    def used(self, account: str, unit: str, window: str, period: str) -> tuple[int, int]:
        mine = [
            each for each in self.model.values() if account in each.periods and each.periods[account][window] == period
        ]
        key = (account, unit)
        return sum(each.spent.get(key, 0) for each in mine), sum(each.held.get(key, 0) for each in mine)

    def room(self, account: str, unit: str, person: str, team: bool) -> int:
        rooms = []
        for window in WINDOWS:
            cap = self.cap(account, unit, window, person, team)
            used = sum(self.used(account, unit, window, self.periods(account)[window]))
            rooms.append(10**9 if cap is None else cap - used)
        return min(rooms)

    def parts(self, person: str, team: bool, amounts: dict[str, int]) -> dict[tuple[str, str], int] | None:
        """What each account would hold, or None where that is too much."""
        pools, own = self.accounts(person, team)
        parts: dict[tuple[str, str], int] = {}
        for unit, wanted in amounts.items():
            if any(self.room(pool, unit, person, team) < wanted for pool in pools):
                return None
            rooms = {account: self.room(account, unit, person, team) for account in own}
            if not wanted and min(rooms.values()) < 0:
                return None
            bound = [account for account in own if self.is_bound(account, unit, person, team)]
            drawn = {each.seq: 0 for each in self.given}
            short, firm = (
                min(wanted, max(0, wanted - min(some)))
                for some in (rooms.values(), [rooms[account] for account in bound] or [wanted])
            )
            for needed, pool in ((firm, ("all",)), (short - firm, tuple(pools))):
                for each in sorted(self.given, key=lambda each: (each.until, each.seq)):
                    usable = each.unit == unit and each.pool in pool and each.person in self.human(person)
                    if usable and self.now < each.until and not each.ended:
                        left = each.amount - sum(self.used(f"grant:{each.seq}", unit, "total", "all"))
                        part = min(needed, left - drawn[each.seq])
                        drawn[each.seq] += part
                        needed -= part
                if needed:
                    return None
            operators = sum(drawn[each.seq] for each in self.given if each.pool == "all")
            parts |= {(pool, unit): wanted for pool in pools}
            parts |= {(account, unit): wanted - (operators if account in bound else short) for account in own}
            parts |= {(f"grant:{seq}", unit): part for seq, part in drawn.items() if part}
        return parts

    def is_bound(self, account: str, unit: str, person: str, team: bool) -> bool:
        """Whether the operator has limited it, so that only what the operator gives stands in for it."""
        if not account.startswith("person:"):
            return False
        tier = self.tier(person, team)
        said = [self.own.get((account, unit, window)) for window in WINDOWS]
        said += [tier.limits.get((unit, window)) for window in WINDOWS] if tier else []
        return any(cap is not None for cap in said)

    # --- what may happen

    @rule(person=st.sampled_from(PEOPLE), images=AMOUNTS, usd=AMOUNTS)
    def hold(self, person: str, images: int, usd: int) -> None:
        self.held(person, False, images, usd)

    @rule(person=st.sampled_from(PEOPLE), images=AMOUNTS)
    def hold_for_the_team(self, person: str, images: int) -> None:
        self.held(person, True, images, 1)

    @rule(images=st.integers(1, 6))
    def hold_pictures(self, images: int) -> None:
        self.held("bob", False, images, 0)

    def held(self, person: str, team: bool, images: int, usd: int) -> None:
        name, amounts = f"g{len(self.model)}", {"images": images, "usd": usd}
        payer = Payer(person=person, space="home", team="red" if team else "")
        before = self.books.dump()
        hold = partial(self.books.do, ledger.hold, name, payer, amounts, self.now_holds)
        if team and not self.human(person) & self.members:
            with pytest.raises(NotAllowed):
                hold()
            return
        parts = self.parts(person, team, amounts)
        if parts is None:
            with pytest.raises(QuotaExceeded):
                hold()
            assert self.books.dump() == before
            return
        hold()
        self.books.generation(name, person=person, team=payer.team)
        named = {account: self.periods(account) for account, _ in parts}
        bound = {key for key in parts if self.is_bound(*key, person, team)}
        self.model[name] = Held(person, amounts, parts, named, dict(parts), bound)

    def some(self, place: int, *states: str) -> str:
        """One of those in such a state."""
        names = [name for name, one in self.model.items() if one.state in states]
        return names[place % len(names)]

    def are(self, *states: str) -> bool:
        return any(one.state in states for one in self.model.values())

    @precondition(lambda self: self.are("held"))
    @rule(place=ANY, made=st.integers(0, 6), price=PRICES)
    def settle(self, place: int, made: int, price: int) -> None:
        name = self.some(place, "held")
        made = min(made, self.model[name].amounts["images"])
        spent = {"images": made, "usd": made * price}
        with self.closed(name, "settled", charged=made) as one:
            assert self.books.do(ledger.settle, name, spent, self.now_holds.at)
            self.spend(one, spent)
        self.cannot_end_again(name)

    @precondition(lambda self: self.are("held"))
    @rule(place=ANY)
    def release(self, place: int) -> None:
        name = self.some(place, "held")
        with self.closed(name, "cancelled"):
            assert self.books.do(ledger.release, name, self.now_holds.at)
        self.cannot_end_again(name)

    @precondition(lambda self: self.are("held"))
    @rule(place=ANY, made=AMOUNTS, possible=AMOUNTS)
    def lose_track(self, place: int, made: int, possible: int) -> None:
        name = self.some(place, "held")
        made = min(made, self.model[name].amounts["images"])
        possible = min(possible, self.model[name].amounts["usd"])
        spent = {"images": made, "usd": made}
        with self.closed(name, "settled" if made else "unknown", charged=made) as one:
            assert self.books.do(ledger.settle, name, spent, self.now_holds.at, possible={"usd": possible})
            self.spend(one, spent)
            one.held = {(pool, "usd"): possible for pool in POOLS if (pool, "usd") in one.parts}
            one.state = "possible" if possible else "closed"
        self.cannot_end_again(name)

    def cannot_end_again(self, name: str) -> None:
        before = self.books.dump()
        assert not self.books.do(ledger.settle, name, {"images": 1, "usd": 1}, self.now_holds.at)
        assert not self.books.do(ledger.release, name, self.now_holds.at)
        assert self.books.dump() == before

    def spend(self, one: Held, spent: dict[str, int]) -> None:
        """First what is one's own, then the grants, each at most what it holds; pools pay all of it.

        What the operator has limited counts all but what the operator gave.
        """
        for unit, total in spent.items():
            own = [account for account, each in one.parts if each == unit and account.startswith(("person:", "share:"))]
            paid = min(total, one.parts[f"share:space:home/{one.person}", unit])
            left, operators = total - paid, 0
            for each in sorted(self.given, key=lambda each: (each.until, each.seq)):
                part = min(left, one.parts.get((f"grant:{each.seq}", unit), 0))
                one.spent[f"grant:{each.seq}", unit] = part
                left -= part
                operators += part if each.pool == "all" else 0
            for account in own:
                is_bound = (account, unit) in one.bound
                one.spent[account, unit] = total - operators if is_bound else paid + left
            one.spent |= {(pool, unit): total for pool in POOLS if (pool, unit) in one.parts}

    @precondition(lambda self: self.are("held", "possible"))
    @rule(place=ANY, charge=st.booleans())
    def decide(self, place: int, charge: bool) -> None:
        name = self.some(place, "held", "possible")
        one = self.model[name]
        decided = self.books.do(ledger.resolve, name, self.now_holds.at, charge=charge, reason="")
        assert decided == (one.state == "possible")
        if decided:
            for key, amount in one.held.items():
                one.spent[key] = one.spent.get(key, 0) + (amount if charge else 0)
            one.held, one.state = {}, "closed"

    @precondition(lambda self: self.model)
    @rule(place=ANY, by_operator=st.booleans())
    def refund(self, place: int, by_operator: bool) -> None:
        name = self.some(place, "held", "possible", "closed")
        one = self.model[name]
        kept = {key for key in one.spent if not by_operator and self.is_operators(*key, one)}
        gone = {key: spent for key, spent in one.spent.items() if spent and key not in kept}
        back = {unit: max((spent for key, spent in gone.items() if key[1] == unit), default=0) for unit in UNITS}
        refund = partial(self.books.do, ledger.refund, name, self.now_holds.at, "", by_operator=by_operator)
        if one.refunded or not any(back.values()):
            with pytest.raises(UsageError):
                refund()
            return
        assert refund() == back
        one.spent = {key: spent for key, spent in one.spent.items() if key not in gone}
        one.refunded = True

    def is_operators(self, account: str, unit: str, one: Held) -> bool:
        """Whether it is not an admin's to give back."""
        if account.startswith("grant:"):
            return any(f"grant:{each.seq}" == account and each.pool == "all" for each in self.given)
        if account in POOLS:
            return True
        drawn = {key[0] for key in one.parts}
        tiered = account.startswith("person:") and bool(drawn & self.holders.keys())
        limited = any(self.own.get((account, unit, window)) is not None for window in WINDOWS)
        return tiered or (account.startswith("person:") and limited)

    @rule(change=CHANGES)
    def something_changes(self, change: tuple[str, tuple[Any, ...]]) -> None:
        """One rule for all that is set: else hardly anything would be held."""
        name, arguments = change
        getattr(self, name)(*arguments)

    @rule(passes=SHORT)
    def time_passes(self, passes: timedelta) -> None:
        self.now += passes

    @rule(window=st.sampled_from(("day", "week", "month")), off=st.sampled_from((-1, 0, 1)))
    def a_window_ends(self, window: str, off: int) -> None:
        end = resets(window, self.now, self.zone)
        assert end is not None
        self.now = max(self.now, end.astimezone(UTC) + timedelta(microseconds=off))

    def the_space_moves(self, zone: str) -> None:
        self.moves.append((zone, micros(self.now)))
        self.books.moved(
            *((zone, datetime.fromtimestamp(at / 1_000_000, UTC)) for zone, at in self.moves), space="home"
        )

    def the_bot_moves(self, zone: str) -> None:
        self.zone = zone
        self.bots = (*self.bots, (zone, micros(self.now)))
        self.books.do(own_zones.note, zone, micros(self.now))

    def limits_change(self, kind: str, unit: str, window: str, cap: int | None) -> None:
        self.limits[kind, unit, window] = cap

    def the_usual_limit_changes(self, unit: str, window: str, cap: int | None) -> None:
        self.limits["person", unit, window] = cap

    def a_pool_gets_a_limit_of_its_own(self, account: str, unit: str, window: str, cap: int | None) -> None:
        self.an_account_gets_a_limit_of_its_own(account, unit, window, cap)

    def an_account_gets_a_limit_of_its_own(self, account: str, unit: str, window: str, cap: int | None) -> None:
        self.books.do(ledger.set_limit, account, unit, window, cap)
        self.own[account, unit, window] = cap

    def an_account_loses_its_own_limits(self, account: str) -> None:
        for unit, window in self.books.do(ledger.own_limits, account):
            self.books.do(ledger.clear_limit, account, unit, window)
            del self.own[account, unit, window]
        assert not any(own == account for own, _, _ in self.own)

    @rule(
        pool=st.sampled_from(POOLS),
        person=st.sampled_from(PEOPLE),
        unit=st.sampled_from(UNITS),
        amount=st.integers(1, 6),
        lasts=st.sampled_from((timedelta(hours=1), timedelta(days=1), timedelta(days=30))),
    )
    def somebody_is_given_more(self, pool: str, person: str, unit: str, amount: int, lasts: timedelta) -> None:
        until = self.now + lasts
        named: dict[str, Any] = {"pool": pool, "person": person, "unit": unit, "amount": amount}
        at = micros(self.now)
        seq = self.books.do(grants.give, **named, until=micros(until), by=OPERATOR, at=at)
        self.given.append(Given(seq=seq, **named, until=until))

    def a_grant_is_ended(self, place: int) -> None:
        running = [each for each in self.given if self.now < each.until and not each.ended]
        if running:
            one = running[place % len(running)]
            self.books.do(grants.end, one.seq, OPERATOR, micros(self.now))
            one.ended = True

    def two_accounts_are_linked(self, one: str, other: str) -> None:
        group = self.human(one) | self.human(other)
        self.links = [each for each in self.links if not each & group] + [group]
        self.store_links()

    def an_account_is_parted(self, person: str) -> None:
        self.links = [each - {person} for each in self.links if each != {person}] + [{person}]
        self.store_links()

    def store_links(self) -> None:
        for number, group in enumerate(self.links):
            for person in group:
                self.books.person(person, f"human {number}" if len(group) > 1 else "")

    def somebody_joins_or_leaves_the_team(self, person: str) -> None:
        self.members ^= {person}
        values = {"person": person}
        if person in self.members:
            self.books.connection.execute(
                "INSERT INTO team_members (team, person, role, source, added_at)"
                " VALUES ('red', :person, 'member', 'admin', 0)",
                **values,
            )
        else:
            self.books.connection.execute("DELETE FROM team_members WHERE person=:person", **values)

    def a_tier_is_given_or_taken(self, holder: str, tier: str) -> None:
        self.books.connection.execute("DELETE FROM tier_holders WHERE holder=:holder", holder=holder)
        self.holders.pop(holder, None)
        if tier:
            self.books.connection.execute(
                "INSERT INTO tier_holders VALUES ('', :holder, :tier)", holder=holder, tier=tier
            )
            self.holders[holder] = tier

    # --- what must always hold

    @invariant()
    def the_books_agree(self) -> None:
        assert self.books.problems() == ()

    @invariant()
    def the_balances_are_what_the_model_says(self) -> None:
        for row in self.books.connection.rows("SELECT account, unit, win, period, spent, held FROM balances"):
            said = self.used(row["account"], row["unit"], row["win"], row["period"])
            assert said == (row["spent"], row["held"]), dict(row)

    @contextmanager
    def closed(self, name: str, state: str, *, charged: int = 0) -> Iterator[Held]:
        """One whose holds are open, and will not be afterwards."""
        one = self.model[name]
        one.held, one.state = {}, "closed"
        yield one
        self.books.generation(name, state, charged=charged)


@pytest.mark.slow
@pytest.mark.timeout(90)
@pytest.mark.parametrize("engine", BOTH, indirect=True)
def test_the_ledger_does_what_the_model_says(engine: str, request: pytest.FixtureRequest, migrated: Path) -> None:
    if engine == "sqlite":
        LedgerMachine.open, examples = staticmethod(partial(Books, migrated)), 60
    else:
        emptied, examples = request.getfixturevalue("emptied"), 12
        LedgerMachine.open = staticmethod(lambda: PostgresBooks(emptied()))
    few = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    run_state_machine_as_test(LedgerMachine, settings=few)
